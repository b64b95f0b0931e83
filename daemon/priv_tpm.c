/*
 * daemon/priv_tpm.c -- TPMs: starting swtpm for a domain, and forgetting what
 * it kept.
 *
 * STATE/tpm/UUID holds a TPM's permanent state.  Its owner is the uid that this
 * domain's swtpm has for ever, one that no machine and no other TPM gets.  The
 * program sees that folder and /usr, no network, and two sockets whose other
 * ends go to the machine; it ends when the machine does.  Through an inherited
 * lock on the folder the next start waits for that.
 */
#include "daemon/priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/util.h"

enum { LOCK_WAIT_MS = 60000, LOCK_STEP_MS = 20 };

static int open_folder(struct priv *priv, const char *uuid)
{
	int fd = openat(priv->tpm_dir, uuid,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

bool priv_tpm_has_uid(struct priv *priv, uid_t uid)
{
	int fd = openat(priv->tpm_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	bool has = false;
	struct dirent *e;
	struct stat st;

	while (d && !has && (e = readdir(d)))
		has = e->d_name[0] != '.' &&
		      !fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) &&
		      st.st_uid == uid;
	if (d)
		closedir(d);
	return has;
}

/* With the lock on uids held. */
static int make_folder(struct priv *priv, const char *uuid, struct error *err)
{
	uid_t uid = geteuid();
	int r = priv->session ? 0 : priv_choose_uid(priv, &uid, err);

	if (r < 0)
		return r;
	if (mkdirat(priv->tpm_dir, uuid, 0700) < 0 ||
	    fchownat(priv->tpm_dir, uuid, uid, priv->session ? -1 : (int)uid,
		     AT_SYMLINK_NOFOLLOW) < 0)
		return error_set(err, -errno,
				 "cannot make the folder of a TPM: %m");
	return open_folder(priv, uuid);
}

static int get_folder(struct priv *priv, const char *uuid, struct error *err)
{
	int fd;

	pthread_mutex_lock(&priv->spawn_lock);
	fd = open_folder(priv, uuid);
	if (fd == -ENOENT)
		fd = make_folder(priv, uuid, err);
	else if (fd < 0)
		error_set(err, fd, "cannot open the folder of a TPM: %m");
	pthread_mutex_unlock(&priv->spawn_lock);
	return fd;
}

static int check_owner(struct priv *priv, const struct stat *st,
		       struct error *err)
{
	if (priv->session ? st->st_uid == geteuid() :
			    st->st_uid >= priv->vmm_uid_base &&
				    st->st_uid - priv->vmm_uid_base <
					    priv->vmm_uids)
		return 0;
	return error_set(err, -EPERM,
			 "the TPM's folder belongs to uid %u, which is not one of the machines'",
			 st->st_uid);
}

/* The TPM that a machine had before may still be ending. */
static int lock_folder(int dir, struct error *err)
{
	for (int ms = 0; flock(dir, LOCK_EX | LOCK_NB) < 0;
	     ms += LOCK_STEP_MS) {
		if (errno != EWOULDBLOCK || ms >= LOCK_WAIT_MS)
			return error_set(err, -errno,
					 "the TPM is still in use: %m");
		usleep(LOCK_STEP_MS * 1000);
	}
	return 0;
}

static int open_log(int dir, struct error *err)
{
	int fd = openat(dir, "log", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
			O_APPEND | O_CLOEXEC, 0600);

	return fd < 0 ? error_set(err, -errno,
				  "cannot create a TPM's log: %m") : fd;
}

static int run(struct priv *priv, const char *uuid, int dir,
	       const int theirs[2], struct error *err)
{
	char *argv[] = { "swtpm", "socket", "--tpm2", "--tpmstate",
			 "dir=" PRIV_ROOT_STATE ",mode=0600", "--ctrl",
			 "type=unixio,clientfd=3", "--fd", "4", NULL };
	const int keep[] = { theirs[0], theirs[1], dir };
	char path[PATH_MAX];
	struct spawn s = { .exe = priv->tpm_exe,
			   .name = "swtpm",
			   .session = priv->session,
			   .argv = argv,
			   .keep = keep,
			   .n_keep = ARRAY_SIZE(keep),
			   .state_path = path };
	_cleanup_close_ int pidfd = -1, log = -1;
	pid_t pid;
	int r = fstat(dir, &s.state) < 0 ? -errno : 0;

	if (r == 0)
		r = check_owner(priv, &s.state, err);
	if (r == 0)
		r = log = open_log(dir, err);
	if (r < 0)
		return r;
	if (snprintf(path, sizeof(path), "%s/tpm/%s", priv->state_dir, uuid) >=
	    (int)sizeof(path))
		return error_set(err, -ENAMETOOLONG,
				 "the folder of TPMs: %m");
	s.uid = s.state.st_uid;
	s.output = log;
	return priv_spawn(&s, &pidfd, &pid, err);
}

static int make_pairs(int ours[2], int theirs[2], struct error *err)
{
	for (int i = 0; i < 2; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) <
		    0)
			return error_set(err, -errno,
					 "cannot create a socket: %m");
		ours[i] = pair[0];
		theirs[i] = pair[1];
	}
	return 0;
}

int priv_spawn_tpm(struct priv *priv, const void *arg,
		   struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		   struct error *err)
{
	const struct priv_vmm *a = arg;
	_cleanup_close_ int dir = -1;
	int theirs[2] = { -1, -1 }, r;
	char uuid[37];

	if (priv->tpm_exe < 0)
		return error_set(err, -ENOENT,
				 "a TPM needs swtpm, which was not found when vireod started");
	priv_uuid_text(a->uuid, uuid);
	r = dir = get_folder(priv, uuid, err);
	if (r >= 0)
		r = lock_folder(dir, err);
	if (r >= 0)
		r = make_pairs(fds, theirs, err);
	if (r >= 0)
		r = run(priv, uuid, dir, theirs, err);
	fd_close(theirs[0]);
	fd_close(theirs[1]);
	return r;
}

/* A folder of files only: swtpm makes no others. */
static int empty_folder(int dir)
{
	DIR *d = fdopendir(fcntl(dir, F_DUPFD_CLOEXEC, 3));
	struct dirent *e;
	int r = 0;

	if (!d)
		return -errno;
	while (r == 0 && (e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, "..") &&
		    unlinkat(dir, e->d_name, 0) < 0)
			r = -errno;
	closedir(d);
	return r;
}

int priv_forget_tpm(struct priv *priv, const void *arg,
		    struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		    struct error *err)
{
	const struct priv_vmm *a = arg;
	_cleanup_close_ int dir = -1;
	char uuid[37];
	int r;

	priv_uuid_text(a->uuid, uuid);
	dir = open_folder(priv, uuid);
	if (dir == -ENOENT)
		return 0;
	r = dir < 0 ? dir : empty_folder(dir);
	if (r == 0 && unlinkat(priv->tpm_dir, uuid, AT_REMOVEDIR) < 0)
		r = -errno;
	return r < 0 ? error_set(err, r, "cannot remove a TPM's state: %m") :
		       0;
}
