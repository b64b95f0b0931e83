/*
 * daemon/priv_path.c -- from a client's path to a file, carefully.
 *
 * The path is walked one component at a time on O_PATH descriptors, so that
 * what was checked is what is used.  A symbolic link is followed only if root
 * or we own it: a user's link in a folder that others may write cannot lead
 * us elsewhere.  Kernel file systems are refused wherever they are mounted.
 */
#include "daemon/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>

#include "base/error.h"
#include "base/util.h"

#define LINKS_MAX 40

struct walk {
	int dir;	      /* O_PATH; where rest starts */
	char seen[PATH_MAX];  /* how we came here, for errors */
	char rest[PATH_MAX];  /* what is still to be walked */
	unsigned int links;
	const char *path;
	struct error *err;
};

static const struct {
	unsigned long magic;
	const char *name;
} kernel_fs[] = {
	{ PROC_SUPER_MAGIC, "proc" },
	{ SYSFS_MAGIC, "sysfs" },
	{ DEBUGFS_MAGIC, "debugfs" },
	{ TRACEFS_MAGIC, "tracefs" },
	{ SECURITYFS_MAGIC, "securityfs" },
	{ CGROUP_SUPER_MAGIC, "cgroup" },
	{ CGROUP2_SUPER_MAGIC, "cgroup" },
	{ BPF_FS_MAGIC, "bpf" },
	{ EFIVARFS_MAGIC, "efivarfs" },
	{ PSTOREFS_MAGIC, "pstore" },
	{ SELINUX_MAGIC, "selinux" },
	{ NSFS_MAGIC, "nsfs" },
	{ 0x62656570, "configfs" }, /* no name in linux/magic.h */
};

static int refuse_kernel_fs(struct walk *w, int fd, const char *name)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return error_set(w->err, -errno, "cannot examine '%s/%s': %m",
				 w->seen, name);
	for (size_t i = 0; i < ARRAY_SIZE(kernel_fs); i++)
		if ((unsigned long)fs.f_type == kernel_fs[i].magic)
			return error_set(w->err, -EACCES,
					 "'%s' is refused: '%s/%s' is on a %s file system",
					 w->path, w->seen, name,
					 kernel_fs[i].name);
	return 0;
}

/* Puts a link's target in front of what is still to be walked. */
static int follow(struct walk *w, int link, const struct stat *st,
		  const char *name)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t n;

	if (st->st_uid != 0 && st->st_uid != geteuid())
		return error_set(w->err, -EACCES,
				 "'%s' is refused: the symbolic link '%s/%s' belongs to uid %u; only root's links are followed",
				 w->path, w->seen, name, st->st_uid);
	if (++w->links > LINKS_MAX)
		return error_set(w->err, -ELOOP,
				 "'%s' has too many symbolic links, at '%s/%s'",
				 w->path, w->seen, name);
	n = readlinkat(link, "", target, sizeof(target) - 1);
	if (n < 0)
		return error_set(w->err, -errno,
				 "cannot read the link '%s/%s': %m", w->seen,
				 name);
	target[n] = '\0';
	if (snprintf(rest, sizeof(rest), "%s/%s", target, w->rest) >=
	    (int)sizeof(rest))
		return error_set(w->err, -ENAMETOOLONG,
				 "'%s' becomes too long at '%s/%s'", w->path,
				 w->seen, name);
	strcpy(w->rest, rest);
	if (target[0] != '/')
		return 0;
	w->seen[0] = '\0';
	fd_close(w->dir);
	w->dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return w->dir < 0 ? error_set(w->err, -errno, "cannot open '/': %m") :
			    0;
}

/* Cuts the next component off the rest; false when there is none. */
static bool next_component(struct walk *w, char name[NAME_MAX + 1])
{
	size_t skip = strspn(w->rest, "/");
	size_t len = strcspn(w->rest + skip, "/");

	if (!len || len > NAME_MAX)
		return false;
	memcpy(name, w->rest + skip, len);
	name[len] = '\0';
	memmove(w->rest, w->rest + skip + len,
		strlen(w->rest + skip + len) + 1);
	return true;
}

static void note_seen(struct walk *w, const char *name)
{
	size_t len = strlen(w->seen);

	snprintf(w->seen + len, sizeof(w->seen) - len, "/%s", name);
}

static int step(struct walk *w, const char *name)
{
	_cleanup_close_ int fd = openat(w->dir, name,
					O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0)
		return error_set(w->err, -errno, "cannot open '%s': '%s/%s': %m",
				 w->path, w->seen, name);
	r = refuse_kernel_fs(w, fd, name);
	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0)
		return error_set(w->err, -errno, "cannot examine '%s/%s': %m",
				 w->seen, name);
	if (S_ISLNK(st.st_mode))
		return follow(w, fd, &st, name);
	note_seen(w, name);
	fd_close(w->dir);
	w->dir = steal_fd(&fd);
	return 0;
}

int priv_resolve(const char *path, int *ret_fd, struct error *err)
{
	struct walk w = { .path = path, .err = err };
	char name[NAME_MAX + 1];
	int r = 0;

	if (path[0] != '/')
		return error_set(err, -EINVAL, "'%s' is not an absolute path",
				 path);
	if (strlen(path) >= sizeof(w.rest))
		return error_set(err, -ENAMETOOLONG, "a path is too long");
	strcpy(w.rest, path);
	w.dir = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (w.dir < 0)
		return error_set(err, -errno, "cannot open '/': %m");
	while (r >= 0 && next_component(&w, name))
		r = step(&w, name);
	if (r >= 0 && w.rest[strspn(w.rest, "/")])
		r = error_set(err, -ENAMETOOLONG,
			      "'%s' has a component that is too long", path);
	if (r < 0)
		fd_close(w.dir);
	else
		*ret_fd = w.dir;
	return r;
}

int priv_resolve_parent(const char *path, int *ret_dir, const char **ret_name,
			struct error *err)
{
	const char *slash = strrchr(path, '/');
	_cleanup_free_ char *parent = NULL;

	if (!slash || !slash[1] || str_eq(slash + 1, ".") ||
	    str_eq(slash + 1, ".."))
		return error_set(err, -EINVAL, "'%s' does not name a file",
				 path);
	parent = xstrndup(path, slash - path + 1);
	*ret_name = slash + 1;
	return priv_resolve(parent, ret_dir, err);
}

int priv_reopen(int path_fd, int flags)
{
	char link[64];
	int fd;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", path_fd);
	fd = open(link, flags | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

int priv_unix_address(int dir, const char *name, struct sockaddr_un *ret_addr)
{
	*ret_addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (snprintf(ret_addr->sun_path, sizeof(ret_addr->sun_path),
		     "/proc/self/fd/%d/%s", dir,
		     name) >= (int)sizeof(ret_addr->sun_path))
		return -ENAMETOOLONG;
	return 0;
}

void priv_uuid_text(const uint8_t uuid[PRIV_UUID_LEN], char text[37])
{
	char *p = text;

	for (int i = 0; i < PRIV_UUID_LEN; i++)
		p += sprintf(p, "%s%02x",
			     i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
			     uuid[i]);
}
