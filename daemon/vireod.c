/*
 * daemon/vireod.c -- the daemon starts here, as root, and becomes two
 * processes: priv (this one) and main (the child, see serve.c).
 *
 * One lock file, RUN/vireod.lock, is held by both through one open file: the
 * next start waits until the last half of the previous one is gone, however
 * that ended.  When main serves, priv writes its pid there.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define LOG_MODULE "vireod"
#include "base/error.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/util.h"
#include "daemon/access_config.h"
#include "daemon/listen.h"
#include "daemon/options.h"
#include "daemon/polkit.h"
#include "daemon/priv.h"
#include "daemon/serve.h"

/* docs/decisions/0002: what main runs as when there is no user "vireo". */
#define MAIN_UID 1899999999u

enum { LOCK_WAIT_MS = 10000 };

/* As mkdir -p: only what is missing is made, with this mode. */
static int make_dirs(const char *path, mode_t mode, struct error *err)
{
	_cleanup_free_ char *copy = xstrdup(path);

	for (char *p = strchr(copy + 1, '/');; p = strchr(p + 1, '/')) {
		if (p)
			*p = '\0';
		if (mkdir(copy, p ? 0755 : mode) < 0 && errno != EEXIST)
			return error_set(err, -errno,
					 "cannot create folder '%s': %m", copy);
		if (!p)
			return 0;
		*p = '/';
	}
}

/* saslpasswd2 made it, as root; main has to read it. */
static void give_users(int dir, uid_t uid)
{
	struct stat st;

	if (fstatat(dir, "sasl.db", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	    fchownat(dir, "sasl.db", uid, -1, AT_SYMLINK_NOFOLLOW) < 0)
		log_warn("cannot give the users' passwords to main: %s",
			 strerror(errno));
}

static int make_state_dir(const char *path, uid_t uid, struct error *err)
{
	_cleanup_close_ int fd = -1;
	int r = make_dirs(path, 0700, err);

	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fchown(fd, uid, geteuid() == 0 ? uid : (gid_t)-1) < 0 ||
	    fchmod(fd, 0700) < 0)
		return error_set(err, -errno,
				 "cannot give folder '%s' to uid %u: %m", path,
				 uid);
	give_users(fd, uid);
	/* Priv's: the variables of guests' firmware. */
	if (mkdirat(fd, "nvram", 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno,
				 "cannot create folder '%s/nvram': %m", path);
	/* The same, and guests' memory that is in files. */
	if (mkdirat(fd, "ram", 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno,
				 "cannot create folder '%s/ram': %m", path);
	return 0;
}

#define SWTPM "/usr/bin/swtpm"

/* Main owns the folder it is in, so that it is the one is looked at. */
static int open_tpms(const struct options *opt, struct priv *priv,
		     struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/tpm", opt->state_dir);
	struct stat st;

	priv->state_dir = opt->state_dir;
	priv->hook_dir = opt->hook_dir;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_set(err, -errno, "cannot create folder '%s': %m",
				 path);
	priv->tpm_dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			     O_CLOEXEC);
	if (priv->tpm_dir < 0 || fstat(priv->tpm_dir, &st) < 0)
		return error_set(err, -errno, "cannot open '%s': %m", path);
	if (st.st_uid != geteuid())
		return error_set(err, -EPERM, "'%s' belongs to uid %u", path,
				 st.st_uid);
	priv->tpm_exe = open(SWTPM, O_PATH | O_CLOEXEC); /* -1: not there */
	return 0;
}

/* What dnsmasq of each network reads and remembers: priv's. */
static int open_nets(const struct options *opt, struct priv *priv,
		     struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/net", opt->state_dir);
	struct stat st;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return error_set(err, -errno, "cannot create folder '%s': %m",
				 path);
	priv->net_dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
			     O_CLOEXEC);
	if (priv->net_dir < 0 || fstat(priv->net_dir, &st) < 0)
		return error_set(err, -errno, "cannot open '%s': %m", path);
	return st.st_uid == geteuid() ?
		       0 :
		       error_set(err, -EPERM, "'%s' belongs to uid %u", path,
				 st.st_uid);
}

static uid_t main_uid(const struct options *opt)
{
	struct passwd *pw = opt->session ? NULL : getpwnam("vireo");

	if (opt->session)
		return geteuid();
	return pw && pw->pw_uid ? pw->pw_uid : MAIN_UID;
}

static int take_lock(const char *run_dir, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("%s/vireod.lock", run_dir);
	_cleanup_close_ int fd =
		open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);

	if (fd < 0)
		return error_set(err, -errno, "cannot open '%s': %m", path);
	for (int ms = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; ms += 5) {
		if (errno != EWOULDBLOCK || ms >= LOCK_WAIT_MS)
			return error_set(err, -errno,
					 "cannot lock '%s', another vireod is using it: %m",
					 path);
		usleep(5000);
	}
	if (ftruncate(fd, 0) < 0)
		return error_set(err, -errno, "cannot empty '%s': %m", path);
	return steal_fd(&fd);
}

static int open_log(const struct options *opt, struct error *err)
{
	int r;

	if (opt->log_filters) {
		r = log_set_filters(opt->log_filters, err);
		if (r < 0)
			return r;
	}
	if (!str_eq(opt->log, "journal"))
		return log_open(opt->log, err);
	r = log_to_journal("vireod");
	return r < 0 ? error_set(err, r, "cannot open the journal: %m") : 0;
}

static int parse_uids(const char *range, struct priv *priv, struct error *err)
{
	_cleanup_free_ char *copy = xstrdup(range);
	char *colon = strchr(copy, ':');
	uint64_t base, n;

	if (colon)
		*colon = '\0';
	if (!colon || parse_u64(copy, 10, INT32_MAX, &base) < 0 ||
	    parse_u64(colon + 1, 10, 1u << 20, &n) < 0 || !base || !n)
		return error_set(err, -EINVAL,
				 "--machine-uids=%s is not BASE:COUNT", range);
	priv->vmm_uid_base = base;
	priv->vmm_uids = n;
	return 0;
}

static int open_run_dir(const struct options *opt, struct priv *priv,
			struct error *err)
{
	_cleanup_free_ char *vmm = xasprintf("%s/vmm", opt->run_dir);
	int r = make_dirs(opt->run_dir, 0755, err);

	if (r >= 0)
		r = make_dirs(vmm, 0700, err);
	if (r < 0)
		return r;
	priv->run_dir = opt->run_dir;
	priv->vmm_dir = open(vmm, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return priv->vmm_dir < 0 ?
		       error_set(err, -errno, "cannot open '%s': %m", vmm) :
		       0;
}

static int prepare(const struct options *opt, struct priv *priv,
		   const struct access_config *access,
		   struct listeners *listeners, struct error *err)
{
	int r = open_log(opt, err);

	priv->session = opt->session;
	priv->memory_dir = opt->memory_dir;
	priv->main_uid = main_uid(opt);
	if (r >= 0)
		r = parse_uids(opt->uid_range, priv, err);
	if (r >= 0)
		r = open_run_dir(opt, priv, err);
	if (r >= 0)
		r = priv->lock_fd = take_lock(opt->run_dir, err);
	if (r >= 0)
		r = make_state_dir(opt->state_dir, priv->main_uid, err);
	if (r >= 0)
		r = open_tpms(opt, priv, err);
	if (r >= 0)
		r = open_nets(opt, priv, err);
	if (r >= 0)
		r = make_dirs(opt->socket_dir, 0755, err);
	if (r >= 0)
		r = listeners_open(opt, access, listeners, err);
	/* Guests cannot start without it; everything else works. */
	priv->vmm_exe = open(opt->vmm, O_PATH | O_CLOEXEC);
	if (r >= 0 && priv->vmm_exe < 0)
		log_warn("cannot open '%s': %s", opt->vmm, strerror(errno));
	/* Without it there are no VNC servers. */
	priv->vnc_module = open(opt->vnc_module, O_RDONLY | O_CLOEXEC);
	return r;
}

static int make_channels(int ours[], int theirs[], struct error *err)
{
	for (int i = 0; i < PRIV_CHANNELS; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			       pair) < 0)
			return error_set(err, -errno,
					 "cannot create a channel: %m");
		ours[i] = pair[0];
		theirs[i] = pair[1];
	}
	return 0;
}

static void block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static void close_privs(const struct priv *priv)
{
	for (int i = 0; i < PRIV_CHANNELS; i++)
		fd_close(priv->channels[i]);
	fd_close(priv->vmm_dir);
	fd_close(priv->vmm_exe);
	fd_close(priv->vnc_module);
	fd_close(priv->tpm_dir);
	fd_close(priv->tpm_exe);
	fd_close(priv->net_dir);
	fd_close(priv->polkit.fd);
}

/* Main: priv's things are closed; if priv dies, so do we. */
static int become_main(const struct options *opt, struct priv *priv,
		       const int channels[], struct listeners *listeners,
		       const struct access_config *access)
{
	close_privs(priv);
	prctl(PR_SET_NAME, "vireod-main");
	return serve(opt, channels, listeners, access, priv->main_uid);
}

/* Between main and the process that asks polkit, which priv keeps. */
static int make_polkit(struct priv *priv, struct access_config *access,
		       struct error *err)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, "cannot create a channel: %m");
	access->server.polkit = polkit_create(pair[0]);
	priv->polkit.fd = pair[1];
	return 0;
}

static int start(const struct options *opt, struct error *err)
{
	struct priv priv = { .lock_fd = -1, .vmm_dir = -1, .vmm_exe = -1,
			     .vnc_module = -1,
			     .tpm_dir = -1, .tpm_exe = -1, .net_dir = -1, .polkit.fd = -1 };
	int channels[PRIV_CHANNELS], status;
	struct access_config access;
	struct listeners listeners;
	int r = access_config_read(opt, &access, err);

	if (r >= 0)
		r = prepare(opt, &priv, &access, &listeners, err);
	if (r >= 0)
		r = make_channels(priv.channels, channels, err);
	if (r < 0)
		return r;
	if (access.polkit) {
		r = make_polkit(&priv, &access, err);
		if (r < 0)
			return r;
	}
	block_signals();
	priv.main_pid = fork();
	if (priv.main_pid < 0)
		return error_set(err, -errno, "cannot create a process: %m");
	if (priv.main_pid == 0)
		return become_main(opt, &priv, channels, &listeners, &access);
	polkit_destroy(access.server.polkit); /* main's */
	for (int i = 0; i < PRIV_CHANNELS; i++)
		fd_close(channels[i]);
	for (unsigned int i = 0; i < listeners.n; i++)
		listeners.s[i].fd = fd_close(listeners.s[i].fd);
	prctl(PR_SET_NAME, "vireod-priv");
	status = priv_run(&priv);
	if (status == EXIT_SUCCESS)
		listeners_remove(&listeners);
	return status;
}

int main(int argc, char **argv)
{
	struct options opt;
	struct error err = { 0 };
	int r;

	if (argc && str_eq(argv[0], POLKIT_ASKER))
		return polkit_asker(STDIN_FILENO);
	options_parse(argc, argv, &opt);
	umask(022);
	r = start(&opt, &err);
	if (r < 0) {
		log_error("%s", err.message);
		return EXIT_FAILURE;
	}
	/* Not exit(): a thread may be stuck in a system call. */
	_exit(r);
}
