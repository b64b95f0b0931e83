/*
 * storage/pool/listing.c -- what is in a folder, for struct pool_dir.
 *
 * Runs where rights are: symbolic links are looked through, but what they lead
 * to is only described, never read, and a name's head is read only of regular
 * files that are in the folder themselves.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "storage/pool/host.h"

/*
 * Opens what is of that type, and nothing else: whoever owns the folder may
 * put another thing there meanwhile, and opening some devices does something.
 */
static int open_only(int dir, const char *name, mode_t type, int flags)
{
	_cleanup_close_ int node =
		openat(dir, name, O_PATH | O_CLOEXEC | flags);
	char link[64];
	struct stat st;

	if (node < 0 || fstat(node, &st) < 0 || (st.st_mode & S_IFMT) != type)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", node);
	return open(link, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static void read_head(int dir, const char *name, struct pool_dirent *e)
{
	_cleanup_close_ int fd = open_only(dir, name, S_IFREG, O_NOFOLLOW);

	if (fd < 0 || pread(fd, e->head, sizeof(e->head), 0) < 0)
		memset(e->head, 0, sizeof(e->head));
}

static void describe(const struct stat *st, struct pool_dirent *e)
{
	e->mode = st->st_mode;
	e->uid = st->st_uid;
	e->gid = st->st_gid;
	e->size = st->st_size;
	e->allocated = st->st_blocks * 512ull;
	e->atime = st->st_atim.tv_sec;
	e->mtime = st->st_mtim.tv_sec;
	e->ctime = st->st_ctim.tv_sec;
	e->nsec[0] = st->st_atim.tv_nsec;
	e->nsec[1] = st->st_mtim.tv_nsec;
	e->nsec[2] = st->st_ctim.tv_nsec;
}

/* ioctl(BLKGETSIZE64) would need it opened: seeking to the end says it too. */
static void size_of_device(int dir, const char *name, struct pool_dirent *e)
{
	_cleanup_close_ int fd = open_only(dir, name, S_IFBLK, 0);
	off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	e->size = e->allocated = end < 0 ? 0 : end;
}

static void add(struct pool_dir **dir, unsigned int *size, int fd,
		const char *name)
{
	struct pool_dirent *e;
	struct stat st;

	if (strlen(name) >= sizeof(e->name) || (*dir)->n == POOL_DIR_MAX ||
	    fstatat(fd, name, &st, 0) < 0)
		return;
	if ((*dir)->n == *size) {
		*size = *size ? 2 * *size : 64;
		*dir = xrealloc(*dir, 1,
				sizeof(**dir) + *size * sizeof(*e));
	}
	e = &(*dir)->entries[(*dir)->n++];
	memset(e, 0, sizeof(*e));
	strcpy(e->name, name);
	describe(&st, e);
	if (S_ISREG(st.st_mode))
		read_head(fd, name, e);
	else if (S_ISBLK(st.st_mode))
		size_of_device(fd, name, e);
}

static int fill(int fd, struct pool_dir **dir)
{
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = own < 0 ? NULL : fdopendir(own);
	unsigned int size = 0;
	struct dirent *e;

	if (!d) {
		int r = -errno;

		fd_close(own);
		return r;
	}
	while ((e = readdir(d)))
		if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
			add(dir, &size, fd, e->d_name);
	closedir(d);
	return 0;
}

static int describe_folder(int fd, struct pool_dir *dir)
{
	struct statvfs vfs;
	struct stat st;

	if (fstat(fd, &st) < 0 || fstatvfs(fd, &vfs) < 0)
		return -errno;
	dir->mode = st.st_mode;
	dir->uid = st.st_uid;
	dir->gid = st.st_gid;
	dir->total = (uint64_t)vfs.f_blocks * vfs.f_frsize;
	dir->available = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	return 0;
}

int pool_listing(int fd, const char *only, struct pool_dir **ret_dir)
{
	struct pool_dir *dir = xcalloc(1, sizeof(*dir));
	unsigned int size = 0;
	int r = describe_folder(fd, dir);

	if (r == 0 && only)
		add(&dir, &size, fd, only);
	else if (r == 0)
		r = fill(fd, &dir);
	if (r == 0 && only && !dir->n)
		r = -ENOENT;
	if (r < 0)
		free(dir);
	else
		*ret_dir = dir;
	return r;
}

size_t pool_listing_size(const struct pool_dir *dir)
{
	return sizeof(*dir) + dir->n * sizeof(dir->entries[0]);
}
