/*
 * daemon/vol_data.c -- what is in volumes: copied and wiped.
 *
 * Where the file system can, a copy shares its blocks with the original
 * (ioctl_ficlone(2)); else the kernel copies (copy_file_range(2)), hole by
 * hole; else we do.
 */
#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "daemon/pools_priv.h"

enum { PIECE = 1 << 20 };

/* ---- copies ---- */

static int copy_failed(struct error *err, int r)
{
	return error_set(err, r, "cannot copy the volume: %m");
}

static int copy_by_hand(int from, int to, off_t at, uint64_t len,
			struct error *err)
{
	_cleanup_free_ char *buf = xmalloc(PIECE);

	while (len) {
		ssize_t n = pread(from, buf, MIN(len, PIECE), at);

		if (n < 0)
			return copy_failed(err, -errno);
		if (n == 0)
			return 0; /* it became shorter */
		errno = ENOSPC; /* of a short count */
		if (pwrite(to, buf, n, at) != n)
			return copy_failed(err, -errno);
		at += n;
		len -= n;
	}
	return 0;
}

static bool cannot_copy_range(int e)
{
	return e == EXDEV || e == EINVAL || e == EOPNOTSUPP || e == ENOSYS ||
	       e == EBADF || e == EPERM;
}

static int copy_range(int from, int to, off_t at, uint64_t len,
		      struct error *err)
{
	while (len) {
		off_t in = at, out = at;
		ssize_t n = copy_file_range(from, &in, to, &out, len, 0);

		if (n < 0 && cannot_copy_range(errno))
			return copy_by_hand(from, to, at, len, err);
		if (n < 0)
			return copy_failed(err, -errno);
		if (n == 0)
			return 0;
		at += n;
		len -= n;
	}
	return 0;
}

static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

/* A new file's holes are left; on a device nothing is known to be zero. */
static int copy_data(int from, int to, uint64_t len, struct error *err)
{
	off_t at = 0, end = len;

	if (!is_file(from) || !is_file(to))
		return copy_by_hand(from, to, 0, len, err);
	while (at < end) {
		off_t data = lseek(from, at, SEEK_DATA), hole;
		int r;

		if (data < 0 && errno == ENXIO)
			return 0;
		if (data < 0)
			return copy_range(from, to, at, end - at, err);
		hole = lseek(from, data, SEEK_HOLE);
		if (hole < 0 || hole > end)
			hole = end;
		if (data >= end)
			return 0;
		r = copy_range(from, to, data, hole - data, err);
		if (r < 0)
			return r;
		at = hole;
	}
	return 0;
}

int data_copy(int from, int to, uint64_t len, bool reflink_only,
	      struct error *err)
{
	struct stat st;
	int r;

	if (is_file(from) && is_file(to)) {
		off_t size = fstat(to, &st) == 0 ? st.st_size : 0;

		if (ioctl(to, FICLONE, from) == 0) /* and its size with it */
			return size > (off_t)len && ftruncate(to, size) < 0 ?
				       copy_failed(err, -errno) : 0;
		if (reflink_only)
			return error_set(err, -errno,
					 "this file system cannot share the "
					 "original's blocks: %m");
	} else if (reflink_only) {
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "only files can share blocks");
	}
	r = copy_data(from, to, len, err);
	return r == 0 && fsync(to) < 0 ? copy_failed(err, -errno) : r;
}

/* ---- wiping ---- */

/* One pass: three bytes repeated, or NULL for random ones. */
#define RANDOM NULL
#define BYTE(b) b b b
static const char *const nnsa[] = { RANDOM, RANDOM, BYTE("\0") };
static const char *const dod[] = { BYTE("\0"), BYTE("\xff"), RANDOM };
static const char *const bsi[] = {
	BYTE("\xff"), BYTE("\xfe"), BYTE("\xfd"), BYTE("\xfb"), BYTE("\xf7"),
	BYTE("\xef"), BYTE("\xdf"), BYTE("\xbf"), BYTE("\x7f"),
};
/* P. Gutmann, "Secure Deletion of Data from Magnetic and Solid-State
 * Memory", table 1. */
static const char *const gutmann[] = {
	RANDOM, RANDOM, RANDOM, RANDOM, BYTE("\x55"), BYTE("\xaa"),
	"\x92\x49\x24", "\x49\x24\x92", "\x24\x92\x49", BYTE("\0"),
	BYTE("\x11"), BYTE("\x22"), BYTE("\x33"), BYTE("\x44"), BYTE("\x55"),
	BYTE("\x66"), BYTE("\x77"), BYTE("\x88"), BYTE("\x99"), BYTE("\xaa"),
	BYTE("\xbb"), BYTE("\xcc"), BYTE("\xdd"), BYTE("\xee"), BYTE("\xff"),
	"\x92\x49\x24", "\x49\x24\x92", "\x24\x92\x49", "\x6d\xb6\xdb",
	"\xb6\xdb\x6d", "\xdb\x6d\xb6", RANDOM, RANDOM, RANDOM, RANDOM,
};
static const char *const schneier[] = { BYTE("\0"), BYTE("\xff"), RANDOM,
					RANDOM, RANDOM, RANDOM, RANDOM };
static const char *const all_random[33]; /* and fewer of them */
static const char *const zero[] = { BYTE("\0") };

static const struct {
	const char *const *passes;
	unsigned int n;
} algorithms[] = {
#define ALG(list) { list, ARRAY_SIZE(list) }
	[VIR_STORAGE_VOL_WIPE_ALG_ZERO] = ALG(zero),
	[VIR_STORAGE_VOL_WIPE_ALG_NNSA] = ALG(nnsa),
	[VIR_STORAGE_VOL_WIPE_ALG_DOD] = ALG(dod),
	[VIR_STORAGE_VOL_WIPE_ALG_BSI] = ALG(bsi),
	[VIR_STORAGE_VOL_WIPE_ALG_GUTMANN] = ALG(gutmann),
	[VIR_STORAGE_VOL_WIPE_ALG_SCHNEIER] = ALG(schneier),
	[VIR_STORAGE_VOL_WIPE_ALG_PFITZNER7] = { all_random, 7 },
	[VIR_STORAGE_VOL_WIPE_ALG_PFITZNER33] = { all_random, 33 },
	[VIR_STORAGE_VOL_WIPE_ALG_RANDOM] = { all_random, 1 },
};

static void fill(uint8_t *buf, size_t len, const char *pattern)
{
	for (size_t i = 0; pattern && i < len; i++)
		buf[i] = pattern[i % 3];
	/* Requests above 256 bytes may come back short: getrandom(2). */
	for (size_t i = 0; !pattern && i < len;) {
		ssize_t n = getrandom(buf + i, len - i, 0);

		i += n > 0 ? n : 0;
	}
}

enum { WIPE_PIECE = 3 << 18 }; /* whole patterns */

static int wipe_pass(int fd, uint64_t len, const char *pattern,
		     struct error *err)
{
	_cleanup_free_ uint8_t *buf = xmalloc(WIPE_PIECE);
	uint64_t at = 0;

	fill(buf, WIPE_PIECE, pattern);
	while (at < len) {
		size_t part = MIN(len - at, WIPE_PIECE);

		if (!pattern && at)
			fill(buf, part, NULL);
		errno = ENOSPC; /* of a short count */
		if (pwrite(fd, buf, part, at) != (ssize_t)part)
			return error_set(err, -errno,
					 "cannot wipe the volume: %m");
		at += part;
	}
	/* Each pass has to reach the medium, not the next one alone. */
	return fdatasync(fd) < 0 ?
		       error_set(err, -errno, "cannot wipe the volume: %m") :
		       0;
}

static int trim(int fd, uint64_t len, struct error *err)
{
	uint64_t range[2] = { 0, len };
	int r = is_file(fd) ? fallocate(fd,
					FALLOC_FL_PUNCH_HOLE |
						FALLOC_FL_KEEP_SIZE,
					0, len) :
			      ioctl(fd, BLKDISCARD, range);

	return r < 0 ? error_set(err, -errno, "cannot trim the volume: %m") :
		       0;
}

int data_wipe(int fd, uint64_t len, unsigned int algorithm, struct error *err)
{
	int r = 0;

	if (algorithm == VIR_STORAGE_VOL_WIPE_ALG_TRIM)
		return trim(fd, len, err);
	for (unsigned int i = 0; i < algorithms[algorithm].n && r == 0; i++)
		r = wipe_pass(fd, len, algorithms[algorithm].passes[i], err);
	return r;
}
