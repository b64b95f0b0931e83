/*
 * storage/format/qcow2_header.c -- the header of a qcow2 image, read and
 * written (sections "Header", "Additional fields", "Header extensions").
 *
 * Every size and place that the image names is checked here against what
 * the specification allows and against our limits, so that who comes later
 * may allocate by them.
 */
#include "storage/format/qcow2_header.h"

#include <errno.h>

#include "base/error.h"
#include "storage/format/endian.h"

#define MAGIC 0x514649fbu /* "QFI\xfb" */

enum {
	EXT_END = 0,
	EXT_BACKING_FORMAT = 0xe2792aca,
	EXT_BITMAPS = 0x23852875,
	EXT_CRYPT = 0x0537be77,
	EXT_DATA_FILE = 0x44415441,
};

#define bad(err, ...) error_set(err, -EINVAL, __VA_ARGS__)

size_t qcow2_header_cluster(const uint8_t *data, size_t len)
{
	uint32_t bits;

	if (len < QCOW2_V2_LENGTH || get_be32(data) != MAGIC)
		return 0;
	bits = get_be32(data + 20);
	if (bits < QCOW2_CLUSTER_BITS_MIN || bits > QCOW2_CLUSTER_BITS_MAX)
		return 0;
	return (size_t)1 << bits;
}

uint64_t qcow2_l1_entries(const struct qcow2_header *h, uint64_t size)
{
	unsigned int entry = h->incompatible & QCOW2_EXTENDED_L2 ? 4 : 3;
	unsigned int bits = h->cluster_bits + h->cluster_bits - entry;

	return (size >> bits) + !!(size & (BIT64(bits) - 1));
}

/* ---- reading ---- */

static void read_v2(const uint8_t *d, struct qcow2_header *h)
{
	h->version = get_be32(d + 4);
	h->cluster_bits = get_be32(d + 20);
	h->size = get_be64(d + 24);
	h->crypt_method = get_be32(d + 32);
	h->l1_size = get_be32(d + 36);
	h->l1_offset = get_be64(d + 40);
	h->reftable_offset = get_be64(d + 48);
	h->reftable_clusters = get_be32(d + 56);
	h->n_snapshots = get_be32(d + 60);
	h->snapshots_offset = get_be64(d + 64);
	h->refcount_order = 4;
	h->length = QCOW2_V2_LENGTH;
}

static int read_v3(const uint8_t *d, size_t len, struct qcow2_header *h,
		   struct error *err)
{
	if (len < QCOW2_V3_LENGTH)
		return bad(err, "its header is cut off");
	h->incompatible = get_be64(d + 72);
	h->compatible = get_be64(d + 80);
	h->autoclear = get_be64(d + 88);
	h->refcount_order = get_be32(d + 96);
	h->length = get_be32(d + 100);
	if (h->length < QCOW2_V3_LENGTH || h->length % 8 || h->length > len)
		return bad(err, "its header cannot have %u bytes", h->length);
	if (h->length > QCOW2_V3_LENGTH)
		h->compression = d[QCOW2_V3_LENGTH];
	return 0;
}

static bool is_aligned(const struct qcow2_header *h, uint64_t offset)
{
	return !(offset & (BIT64(h->cluster_bits) - 1)) && offset < BIT64(56);
}

static int check_features(const struct qcow2_header *h, struct error *err)
{
	bool marked = h->incompatible & QCOW2_COMPRESSION;

	if (h->incompatible & ~QCOW2_KNOWN)
		return error_set(err, -ENOTSUP,
				 "it has unknown features (bits %llx)",
				 (unsigned long long)h->incompatible);
	if (h->refcount_order > 6)
		return bad(err, "its reference counts have 2^%u bits",
			   h->refcount_order);
	if (h->compression > QCOW2_ZSTD)
		return error_set(err, -ENOTSUP,
				 "its compression (%u) is unknown",
				 h->compression);
	if (marked != (h->compression != QCOW2_ZLIB))
		return bad(err, "its header is at odds about compression");
	if ((h->incompatible & QCOW2_EXTENDED_L2) && h->cluster_bits < 14)
		return bad(err, "its clusters are too small for subclusters");
	if (h->crypt_method > 2)
		return error_set(err, -ENOTSUP, "its encryption (%u) is unknown",
				 h->crypt_method);
	return 0;
}

static int check_tables(const struct qcow2_header *h, struct error *err)
{
	uint64_t table = (uint64_t)h->reftable_clusters << h->cluster_bits;

	if (h->size > INT64_MAX - BIT64(QCOW2_CLUSTER_BITS_MAX))
		return bad(err, "its disk is too large");
	if (h->l1_size > QCOW2_L1_BYTES_MAX / 8)
		return error_set(err, -EFBIG, "its L1 table is too large");
	if (h->l1_size < qcow2_l1_entries(h, h->size))
		return bad(err, "its L1 table is too small for its disk");
	if (!is_aligned(h, h->l1_offset) || (h->l1_size && !h->l1_offset))
		return bad(err, "its L1 table is at no cluster");
	if (table > QCOW2_REFTABLE_BYTES_MAX)
		return error_set(err, -EFBIG, "its refcount table is too large");
	if (!is_aligned(h, h->reftable_offset) || !h->reftable_offset ||
	    !h->reftable_clusters)
		return bad(err, "its refcount table is at no cluster");
	if (h->n_snapshots > QCOW2_SNAPSHOTS_MAX)
		return error_set(err, -EFBIG, "it has too many snapshots");
	if (h->n_snapshots && !is_aligned(h, h->snapshots_offset))
		return bad(err, "its snapshot table is at no cluster");
	return 0;
}

static char *text(const uint8_t *data, uint32_t len)
{
	return xstrndup((const char *)data, len);
}

static int read_bitmaps(const uint8_t *d, uint32_t len,
			struct qcow2_header *h, struct error *err)
{
	if (len != 24)
		return bad(err, "its bitmaps extension has %u bytes", len);
	h->n_bitmaps = get_be32(d);
	h->bitmaps_bytes = get_be64(d + 8);
	h->bitmaps_offset = get_be64(d + 16);
	if (!h->n_bitmaps || h->n_bitmaps > QCOW2_BITMAPS_MAX ||
	    h->bitmaps_bytes > QCOW2_BITMAP_BYTES_MAX ||
	    !is_aligned(h, h->bitmaps_offset))
		return bad(err, "its bitmaps extension is invalid");
	return 0;
}

/* With its type, length and padding, which is in the cluster too. */
static void keep_extension(const uint8_t *d, size_t len,
			   struct qcow2_header *h)
{
	h->others = xrealloc(h->others, 1, h->others_len + len);
	memcpy(h->others + h->others_len, d, len);
	h->others_len += len;
}

static int read_extension(uint32_t type, const uint8_t *d, uint32_t len,
			  struct qcow2_header *h, struct error *err)
{
	switch (type) {
	case EXT_BACKING_FORMAT:
		free(h->backing_format);
		h->backing_format = text(d, MIN(len, QCOW2_NAME_MAX));
		return 0;
	case EXT_DATA_FILE:
		free(h->data_file);
		h->data_file = text(d, MIN(len, QCOW2_NAME_MAX));
		return 0;
	case EXT_BITMAPS:
		return read_bitmaps(d, len, h, err);
	case EXT_CRYPT:
		if (len != 16)
			return bad(err, "its encryption header is invalid");
		h->crypt_offset = get_be64(d);
		h->crypt_length = get_be64(d + 8);
		return 0;
	}
	keep_extension(d - 8, 8 + ALIGN_UP(len, 8u), h);
	return 0;
}

static int read_extensions(const uint8_t *data, size_t len,
			   struct qcow2_header *h, struct error *err)
{
	size_t at = h->length;

	while (at + 8 <= len) {
		uint32_t type = get_be32(data + at);
		uint32_t size = get_be32(data + at + 4);
		int r;

		if (type == EXT_END)
			return 0;
		at += 8;
		if (ALIGN_UP((size_t)size, 8) > len - at)
			return bad(err, "a header extension is cut off");
		r = read_extension(type, data + at, size, h, err);
		if (r < 0)
			return r;
		at += ALIGN_UP((size_t)size, 8);
	}
	return 0;
}

static int read_backing(const uint8_t *data, size_t len,
			struct qcow2_header *h, struct error *err)
{
	uint64_t at = get_be64(data + 8);
	uint32_t size = get_be32(data + 16);

	if (!at)
		return 0;
	if (size > QCOW2_NAME_MAX || at > len || size > len - at)
		return bad(err, "its backing file's name is cut off");
	h->backing = size ? text(data + at, size) : NULL;
	return 0;
}

static int parse(const uint8_t *data, size_t len, struct qcow2_header *h,
		 struct error *err)
{
	int r = 0;

	if (!qcow2_header_cluster(data, len))
		return bad(err, "it has no qcow2 header");
	read_v2(data, h);
	len = MIN(len, (size_t)1 << h->cluster_bits);
	if (h->version == 3)
		r = read_v3(data, len, h, err);
	else if (h->version != 2)
		r = error_set(err, -ENOTSUP, "its version (%u) is unknown",
			      h->version);
	if (r >= 0)
		r = check_features(h, err);
	if (r >= 0)
		r = check_tables(h, err);
	if (r >= 0)
		r = read_extensions(data, len, h, err);
	if (r >= 0)
		r = read_backing(data, len, h, err);
	return r;
}

int qcow2_header_parse(const uint8_t *data, size_t len,
		       struct qcow2_header *ret, struct error *err)
{
	struct qcow2_header h = { 0 };
	int r = parse(data, len, &h, err);

	if (r < 0)
		qcow2_header_free(&h);
	else
		*ret = h;
	return r;
}

void qcow2_header_free(struct qcow2_header *h)
{
	free(h->backing);
	free(h->backing_format);
	free(h->data_file);
	free(h->others);
	h->backing = h->backing_format = h->data_file = NULL;
	h->others = NULL;
}

/* ---- writing ---- */

static void write_v2(const struct qcow2_header *h, uint8_t *d)
{
	put_be32(d, MAGIC);
	put_be32(d + 4, h->version);
	put_be32(d + 20, h->cluster_bits);
	put_be64(d + 24, h->size);
	put_be32(d + 32, h->crypt_method);
	put_be32(d + 36, h->l1_size);
	put_be64(d + 40, h->l1_offset);
	put_be64(d + 48, h->reftable_offset);
	put_be32(d + 56, h->reftable_clusters);
	put_be32(d + 60, h->n_snapshots);
	put_be64(d + 64, h->snapshots_offset);
}

static void write_v3(const struct qcow2_header *h, uint8_t *d)
{
	put_be64(d + 72, h->incompatible);
	put_be64(d + 80, h->compatible);
	put_be64(d + 88, h->autoclear);
	put_be32(d + 96, h->refcount_order);
	put_be32(d + 100, h->length);
	if (h->length > QCOW2_V3_LENGTH)
		d[QCOW2_V3_LENGTH] = h->compression;
}

static int write_string(uint8_t *data, size_t len, size_t *at, uint32_t type,
			const char *s)
{
	size_t n = s ? strlen(s) : 0;

	if (!s)
		return 0;
	if (*at + 8 + ALIGN_UP(n, (size_t)8) > len)
		return -E2BIG;
	put_be32(data + *at, type);
	put_be32(data + *at + 4, n);
	memcpy(data + *at + 8, s, n);
	*at += 8 + ALIGN_UP(n, (size_t)8);
	return 0;
}

static int write_bitmaps(const struct qcow2_header *h, uint8_t *data,
			 size_t len, size_t *at)
{
	uint8_t *d = data + *at;

	if (!h->n_bitmaps || !(h->autoclear & QCOW2_BITMAPS))
		return 0;
	if (*at + 32 > len)
		return -E2BIG;
	put_be32(d, EXT_BITMAPS);
	put_be32(d + 4, 24);
	put_be32(d + 8, h->n_bitmaps);
	put_be64(d + 16, h->bitmaps_bytes);
	put_be64(d + 24, h->bitmaps_offset);
	*at += 32;
	return 0;
}

static int write_crypt(const struct qcow2_header *h, uint8_t *data,
		       size_t len, size_t *at)
{
	uint8_t *d = data + *at;

	if (!h->crypt_length)
		return 0;
	if (*at + 24 > len)
		return -E2BIG;
	put_be32(d, EXT_CRYPT);
	put_be32(d + 4, 16);
	put_be64(d + 8, h->crypt_offset);
	put_be64(d + 16, h->crypt_length);
	*at += 24;
	return 0;
}

static int write_others(const struct qcow2_header *h, uint8_t *data,
			size_t len, size_t *at)
{
	if (*at + h->others_len > len)
		return -E2BIG;
	if (h->others_len)
		memcpy(data + *at, h->others, h->others_len);
	*at += h->others_len;
	return 0;
}

int qcow2_header_format(const struct qcow2_header *h, uint8_t *data,
			size_t len)
{
	size_t at = h->length, n = h->backing ? strlen(h->backing) : 0;

	if (at + 8 > len || n > QCOW2_NAME_MAX)
		return -E2BIG;
	write_v2(h, data);
	if (h->version == 3)
		write_v3(h, data);
	if (write_bitmaps(h, data, len, &at) < 0 ||
	    write_crypt(h, data, len, &at) < 0 ||
	    write_string(data, len, &at, EXT_BACKING_FORMAT,
			 h->backing_format) < 0 ||
	    write_string(data, len, &at, EXT_DATA_FILE, h->data_file) < 0 ||
	    write_others(h, data, len, &at) < 0)
		return -E2BIG;
	at += 8; /* EXT_END, of zeroes */
	if (at > len || n > len - at)
		return -E2BIG;
	if (n) {
		put_be64(data + 8, at);
		put_be32(data + 16, n);
		memcpy(data + at, h->backing, n);
	}
	return 0;
}
