/*
 * daemon/priv_dnsmasq.c -- dnsmasq: one for each network that gives addresses
 * or names.
 *
 * STATE/net/UUID is the folder that it sees as /mnt: "conf", "hosts" and
 * "names", which main has filled with lines that are looked at here; "leases",
 * its own; "log"; and "pid", written before the program runs, so that a kill at
 * any moment leaves none that the next daemon does not find.  It runs as a uid
 * that owns only its leases, with three capabilities, and outlives the daemon.
 */
#include "daemon/priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/error.h"
#include "base/util.h"
#include "network/net/dnsmasq.h"

#define DNSMASQ "/usr/sbin/dnsmasq"
/* Beside main's (docs/decisions/0002). */
#define DNSMASQ_UID 1899999998u
#define FOLDER "/mnt"

enum { STOP_MS = 10000, START_MS = 10000, LOOK_MS = 5 };

static int open_folder(struct priv *priv, const uint8_t uuid[PRIV_UUID_LEN],
		       bool make, struct error *err)
{
	char text[37];
	int fd;

	priv_uuid_text(uuid, text);
	if (make && mkdirat(priv->net_dir, text, 0755) < 0 && errno != EEXIST)
		return error_set(err, -errno,
				 "cannot make the folder of a network: %m");
	fd = openat(priv->net_dir, text,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? error_set(err, -errno,
				  "cannot open the folder of a network: %m") :
			fd;
}

/* ---- files ---- */

static const char *const names[PRIV_NET_FILES] = {
	[PRIV_NET_CONF] = "conf",
	[PRIV_NET_HOSTS] = "hosts",
	[PRIV_NET_NAMES] = "names",
};

static int check_lines(const char *text, struct error *err)
{
	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");

		if (!line[len] || !dnsmasq_line_ok(line, len))
			return error_set(err, -EINVAL,
					 "'%.*s' is no option that a network may have",
					 (int)MIN(len, (size_t)80), line);
		line += len + 1;
	}
	return 0;
}

int priv_net_file(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	const struct priv_net_file *a = arg;
	_cleanup_close_ int dir = -1, fd = -1;
	int r = 0;

	if (a->what >= PRIV_NET_FILES)
		return error_set(err, -EINVAL, "there is no such file");
	if (a->what == PRIV_NET_CONF)
		r = check_lines(a->text, err);
	if (r == 0)
		r = dir = open_folder(priv, a->uuid, true, err);
	if (r < 0)
		return r;
	fd = openat(dir, names[a->what],
		    O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC |
			    (a->first ? O_TRUNC : 0), 0644);
	r = fd < 0 ? -errno : write_full(fd, a->text, strlen(a->text));
	return r < 0 ? error_set(err, r, "cannot write dnsmasq's %s: %m",
				 names[a->what]) :
		       0;
}

int priv_net_leases(struct priv *priv, const void *arg,
		    struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		    struct error *err)
{
	const struct priv_net *a = arg;
	_cleanup_close_ int dir = open_folder(priv, a->uuid, true, err);
	int fd = dir < 0 ? -1 : openat(dir, "leases", O_RDONLY | O_NOFOLLOW |
				       O_CLOEXEC);

	if (dir >= 0 && fd < 0 && errno == ENOENT)
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return dir < 0 ? dir :
				 error_set(err, -errno,
					   "cannot read leases: %m");
	fds[0] = fd;
	return 0;
}

/* A folder of files only. */
int priv_net_forget(struct priv *priv, const void *arg,
		    struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		    struct error *err)
{
	static const char *const all[] = { "conf", "hosts", "names", "leases",
					   "log", "pid" };
	const struct priv_net *a = arg;
	_cleanup_close_ int dir = open_folder(priv, a->uuid, false, NULL);
	char text[37];

	if (dir < 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		unlinkat(dir, all[i], 0);
	priv_uuid_text(a->uuid, text);
	if (unlinkat(priv->net_dir, text, AT_REMOVEDIR) < 0)
		return error_set(err, -errno,
				 "cannot remove the folder of a network: %m");
	return 0;
}

/* ---- the program ---- */

/* Its own, to be read again when it starts. */
static int make_leases(int dir)
{
	_cleanup_close_ int fd = openat(dir, "leases", O_RDWR | O_CREAT |
					O_NOFOLLOW | O_CLOEXEC, 0644);

	return fd < 0 || fchown(fd, DNSMASQ_UID, DNSMASQ_UID) < 0 ? -errno : 0;
}

static int open_log(int dir)
{
	return openat(dir, "log", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND |
		      O_NOFOLLOW | O_CLOEXEC, 0600);
}

static int start(struct priv *priv, int dir, const struct priv_net *a,
		 int *ret_pidfd, struct error *err)
{
	char interface[40], uuid[37], path[PATH_MAX];
	char *argv[] = { "dnsmasq", "--conf-file=" FOLDER "/conf",
			 "--dhcp-hostsfile=" FOLDER "/hosts",
			 "--addn-hosts=" FOLDER "/names",
			 "--dhcp-leasefile=" FOLDER "/leases",
			 "--keep-in-foreground", "--log-facility=-", "--user=",
			 "--group=", "--pid-file=", "--bind-dynamic",
			 "--except-interface=lo", interface, NULL };
	_cleanup_close_ int exe = open(DNSMASQ, O_PATH | O_CLOEXEC);
	_cleanup_close_ int log = open_log(dir);
	struct spawn s = { .exe = exe,
			   .name = "dnsmasq",
			   .uid = DNSMASQ_UID,
			   .argv = argv,
			   .output = log,
			   .host_net = true,
			   .caps = BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW) |
				   BIT(CAP_NET_BIND_SERVICE),
			   .mount_at = FOLDER,
			   .mount_path = path,
			   .record_in = dir };
	pid_t pid;

	if (exe < 0)
		return error_set(err, -errno,
				 "cannot use '%s', which networks need: %m",
				 DNSMASQ);
	priv_uuid_text(a->uuid, uuid);
	snprintf(interface, sizeof(interface), "--interface=%s", a->bridge);
	if (snprintf(path, sizeof(path), "%s/net/%s", priv->state_dir, uuid) >=
		    (int)sizeof(path) ||
	    fstat(dir, &s.state) < 0)
		return error_set(err, -ENAMETOOLONG, "the folder of networks");
	return priv_spawn(&s, ret_pidfd, &pid, err);
}

/* Whether its log says that it serves; what there is of it is in text. */
static bool has_started(int log, char *text, size_t size)
{
	ssize_t n = pread(log, text, size - 1, 0);

	text[MAX(n, 0)] = '\0';
	return strstr(text, "started, version ");
}

/* It serves, or it ends and has said why.  One that is slow is left to it. */
static int check_started(int dir, int pidfd, struct error *err)
{
	_cleanup_close_ int log = openat(dir, "log", O_RDONLY | O_NOFOLLOW |
					 O_CLOEXEC);
	struct pollfd p = { pidfd, POLLIN, 0 };
	char text[1024] = "";
	const char *why;

	for (unsigned int ms = 0; ms < START_MS; ms += LOOK_MS) {
		if (log < 0 || has_started(log, text, sizeof(text)))
			return 0;
		if (poll(&p, 1, LOOK_MS) > 0)
			break;
	}
	if (poll(&p, 1, 0) == 0)
		return 0;
	has_started(log, text, sizeof(text));
	why = text + strspn(text, "\n");
	return error_set(err, -EIO, "dnsmasq ended at once: %.*s",
			 (int)strcspn(why, "\n"), why);
}

int priv_start_dnsmasq(struct priv *priv, const void *arg,
		       struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		       struct error *err)
{
	const struct priv_net *a = arg;
	_cleanup_close_ int dir = -1, pidfd = -1;
	pid_t pid;
	int r = priv->session || !net_ifname_ok(a->bridge) ?
			error_set(err, -EINVAL, "not a bridge's name") : 0;

	if (r == 0)
		r = dir = open_folder(priv, a->uuid, true, err);
	if (r < 0)
		return r;
	pidfd = priv_process_find(dir, &pid);
	if (pidfd < 0) {
		r = make_leases(dir);
		if (r < 0)
			return error_set(err, r, "cannot create leases: %m");
		r = start(priv, dir, a, &pidfd, err);
		if (r == 0)
			r = check_started(dir, pidfd, err);
	}
	if (r < 0)
		return r;
	fds[0] = steal_fd(&pidfd);
	return 0;
}

static int signal_it(struct priv *priv, const struct priv_net *a, int sig,
		     int *ret_pidfd)
{
	_cleanup_close_ int dir = open_folder(priv, a->uuid, false, NULL);
	pid_t pid;
	int pidfd = dir < 0 ? -ESRCH : priv_process_find(dir, &pid);

	if (pidfd < 0)
		return -ESRCH;
	syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
	*ret_pidfd = pidfd;
	return 0;
}

/* Done when it has ended: its port and its leases are free. */
int priv_stop_dnsmasq(struct priv *priv, const void *arg,
		      struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		      struct error *err)
{
	_cleanup_close_ int pidfd = -1;
	struct pollfd p = { .events = POLLIN };

	if (signal_it(priv, arg, SIGTERM, &pidfd) < 0)
		return 0;
	p.fd = pidfd;
	if (poll(&p, 1, STOP_MS) > 0)
		return 0;
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	return poll(&p, 1, STOP_MS) > 0 ?
		       0 : error_set(err, -ETIMEDOUT, "dnsmasq does not end");
}

int priv_reload_dnsmasq(struct priv *priv, const void *arg,
			struct priv_reply *reply, int fds[PRIV_FDS_MAX],
			struct error *err)
{
	_cleanup_close_ int pidfd = -1;
	int r = signal_it(priv, arg, SIGHUP, &pidfd);

	return r < 0 ? error_set(err, r, "dnsmasq does not run") : 0;
}
