/*
 * storage/pool/image.c -- which format a file has, and what its head says.
 *
 * QCOW: the QEMU project's docs/interop/qcow2.txt, "Header" (the layout only).
 */
#include "storage/pool/image.h"

#include <endian.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"

enum { WRITERS_MAX = 8, BACKING_MAX = 1023 };

/* Added while the daemon starts, before there are threads. */
static const struct image_writer *writers[WRITERS_MAX];

static const struct {
	const char *format;
	const char *magic;
	size_t len;
} magics[] = {
	{ "qcow2", "QFI\xfb\0\0\0\2", 8 }, { "qcow2", "QFI\xfb\0\0\0\3", 8 },
	{ "qcow", "QFI\xfb\0\0\0\1", 8 },  { "qed", "QED\0", 4 },
	{ "vmdk", "KDMV", 4 },		   { "vhdx", "vhdxfile", 8 },
	{ "vpc", "conectix", 8 },	   { "luks", "LUKS\xba\xbe", 6 },
	{ "bochs", "Bochs Vi", 8 },
};

const char *image_format(const uint8_t *head, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
		if (len >= magics[i].len &&
		    !memcmp(head, magics[i].magic, magics[i].len))
			return magics[i].format;
	return "raw";
}

struct qcow2_head {
	uint32_t magic, version;
	uint64_t backing_at;
	uint32_t backing_len, cluster_bits;
	uint64_t size;
	uint32_t crypt, l1_size;
	uint64_t l1_at, refcounts_at;
	uint32_t refcount_clusters, n_snapshots;
	uint64_t snapshots_at;
	/* version 3 */
	uint64_t incompatible, compatible, autoclear;
	uint32_t refcount_order, header_len;
} __attribute__((packed));

enum { INCOMPATIBLE_EXTENDED_L2 = BIT(4), COMPATIBLE_LAZY = BIT(0) };
enum { EXT_END = 0, EXT_BACKING_FORMAT = 0xe2792aca };

/* Of the header's extensions: the format of the backing file, or "". */
static void read_backing_format(int fd, uint64_t at, uint64_t end, char *to,
				size_t size)
{
	struct {
		uint32_t type, len;
	} ext;

	while (at + sizeof(ext) <= end &&
	       pread(fd, &ext, sizeof(ext), at) == sizeof(ext)) {
		uint32_t len = be32toh(ext.len);

		at += sizeof(ext);
		if (be32toh(ext.type) == EXT_END || len > end - at)
			return;
		if (be32toh(ext.type) == EXT_BACKING_FORMAT && len < size) {
			ssize_t n = pread(fd, to, len, at);

			to[n > 0 ? n : 0] = '\0';
			return;
		}
		at += ALIGN_UP((uint64_t)len, 8);
	}
}

char *image_beside(const char *volume, const char *name)
{
	const char *slash = volume ? strrchr(volume, '/') : NULL;

	if (*name == '/' || !slash || strstr(name, "://"))
		return xstrdup(name);
	return xasprintf("%.*s/%s", (int)(slash - volume), volume, name);
}

static bool printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ')
			return false;
	return true;
}

static void describe_backing(int fd, const struct qcow2_head *h,
			     struct vol_def *vol)
{
	uint32_t len = be32toh(h->backing_len);
	uint64_t at = be64toh(h->backing_at);
	uint64_t start = be32toh(h->version) >= 3 ? be32toh(h->header_len) : 72;
	char name[BACKING_MAX + 1] = "", format[16] = "";

	if (!at || !len || len > BACKING_MAX || at > 2 * MIB ||
	    pread(fd, name, len, at) != (ssize_t)len || !printable(name))
		return;
	read_backing_format(fd, start, at, format, sizeof(format));
	vol->has_backing = true;
	free(vol->backing.path);
	free(steal_ptr(&vol->backing.format));
	vol->backing.path = image_beside(vol->target.path, name);
	if (words_value(pool_volume_formats(POOL_DIR), format) >= 0)
		vol->backing.format = xstrdup(format);
}

static void describe_qcow2(int fd, struct vol_def *vol)
{
	struct qcow2_head h = { 0 };
	uint32_t bits;

	if (pread(fd, &h, sizeof(h), 0) < 72)
		return;
	bits = be32toh(h.cluster_bits);
	if (bits < 9 || bits > 21 || be64toh(h.size) > INT64_MAX)
		return;
	vol->capacity = be64toh(h.size);
	vol->target.cluster_size = 1ull << bits;
	free(vol->target.compat);
	vol->target.compat = xstrdup(be32toh(h.version) >= 3 ? "1.1" : "0.10");
	if (be32toh(h.version) >= 3) {
		vol->target.lazy_refcounts =
			be64toh(h.compatible) & COMPATIBLE_LAZY;
		vol->target.extended_l2 =
			be64toh(h.incompatible) & INCOMPATIBLE_EXTENDED_L2;
	}
	describe_backing(fd, &h, vol);
}

/* Virtual Disk Format 1.1, section "Hosted Sparse Extent": little-endian
 * sectors. */
static void describe_vmdk(int fd, struct vol_def *vol)
{
	uint64_t sectors;

	if (pread(fd, &sectors, sizeof(sectors), 12) == sizeof(sectors) &&
	    le64toh(sectors) <= INT64_MAX / 512)
		vol->capacity = le64toh(sectors) * 512;
}

void image_describe(int fd, struct vol_def *vol)
{
	if (str_eq(vol->target.format, "qcow2"))
		describe_qcow2(fd, vol);
	else if (str_eq(vol->target.format, "vmdk"))
		describe_vmdk(fd, vol);
}

/* ---- writing ---- */

void image_add_writer(const struct image_writer *writer)
{
	unsigned int i = 0;

	while (i < WRITERS_MAX && writers[i] && writers[i] != writer)
		i++;
	if (i < WRITERS_MAX)
		writers[i] = writer;
}

int image_writer(const char *format, const struct image_writer **ret_writer,
		 struct error *err)
{
	for (unsigned int i = 0; i < WRITERS_MAX && writers[i]; i++)
		if (str_eq(writers[i]->format, format)) {
			*ret_writer = writers[i];
			return 0;
		}
	return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			  "volumes of format '%s' cannot be written yet",
			  format);
}
