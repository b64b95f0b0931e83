/*
 * storage/format/qcow2_packed.c -- compressed clusters (section "Compressed
 * Clusters Descriptor"): raw deflate, or one zstd frame.
 */
#include <errno.h>
#include <zlib.h>
#include <zstd.h>

#include "storage/format/qcow2.h"

/* deflate's window: what readers of the format can count on. */
enum { WINDOW_BITS = -12, WINDOW_BITS_MAX = -15 };

void qcow2_packed_place(const struct qcow2 *q, uint64_t entry,
			uint64_t *ret_offset, uint64_t *ret_len)
{
	unsigned int x = 62 - (q->cluster_bits - 8);
	uint64_t offset = entry & (BIT64(MIN(x, 56u)) - 1);
	uint64_t sectors = (entry & (BIT64(62) - 1)) >> x;

	*ret_offset = offset;
	*ret_len = (sectors + 1) * BLOCK_SECTOR - offset % BLOCK_SECTOR;
}

static int unpack_zlib(const void *from, size_t len, void *to, size_t size)
{
	z_stream z = {
		.next_in = (void *)from,
		.avail_in = len,
		.next_out = to,
		.avail_out = size,
	};

	if (inflateInit2(&z, WINDOW_BITS_MAX) != Z_OK)
		return -ENOMEM;
	inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return z.avail_out ? -EIO : 0;
}

static int unpack_zstd(const void *from, size_t len, void *to, size_t size)
{
	ZSTD_inBuffer in = { from, len, 0 };
	ZSTD_outBuffer out = { to, size, 0 };
	ZSTD_DCtx *z = ZSTD_createDCtx();
	size_t r = 1, before;

	if (!z)
		return -ENOMEM;
	do {
		before = in.pos + out.pos;
		r = ZSTD_decompressStream(z, &out, &in);
	} while (!ZSTD_isError(r) && r && out.pos < size &&
		 in.pos + out.pos > before);
	ZSTD_freeDCtx(z);
	return ZSTD_isError(r) || out.pos < size ? -EIO : 0;
}

int qcow2_unpack(const struct qcow2 *q, const void *from, size_t len,
		 void *to)
{
	if (q->h.compression == QCOW2_ZSTD)
		return unpack_zstd(from, len, to, q->cluster_size);
	return unpack_zlib(from, len, to, q->cluster_size);
}

/* Shorter than a cluster by at least a byte. */
static int pack_zlib(const void *from, size_t size, void *to, size_t *ret_len)
{
	z_stream z = {
		.next_in = (void *)from,
		.avail_in = size,
		.next_out = to,
		.avail_out = size - 1,
	};
	int r;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS,
			 9, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	r = deflate(&z, Z_FINISH);
	*ret_len = size - 1 - z.avail_out;
	deflateEnd(&z);
	return r == Z_STREAM_END ? 0 : -E2BIG;
}

static int pack_zstd(const void *from, size_t size, void *to, size_t *ret_len)
{
	size_t n = ZSTD_compress(to, size - 1, from, size, ZSTD_CLEVEL_DEFAULT);

	if (ZSTD_isError(n))
		return -E2BIG;
	*ret_len = n;
	return 0;
}

int qcow2_pack(const struct qcow2 *q, const void *from, void *to,
	       size_t *ret_len)
{
	if (q->h.compression == QCOW2_ZSTD)
		return pack_zstd(from, q->cluster_size, to, ret_len);
	return pack_zlib(from, q->cluster_size, to, ret_len);
}
