/*
 * vmm/boot/unpack.c -- the packings of a bzImage's payload, told apart by
 * their magic numbers: gzip (RFC 1952), xz (with its x86 filter) and the older
 * .lzma, zstd (RFC 8878), and lz4's legacy frame (lz4_Frame_format.md,
 * "Legacy frame").
 *
 * The payload's four last bytes, the unpacked size, are part of the input
 * here (gzip's own trailer ends in them, the others ignore them).
 */
#include "vmm/boot/boot.h"

#include <errno.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "base/util.h"

enum { TRAILER = 4 };
#define LZMA_MEMORY_MAX (128 * MIB)

static int unpack_gzip(const uint8_t *in, size_t in_len, uint8_t *out,
		       size_t out_len)
{
	z_stream z = {
		.next_in = (uint8_t *)in,
		.avail_in = in_len,
		.next_out = out,
		.avail_out = out_len,
	};
	int r;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return -ENOMEM;
	r = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return r == Z_STREAM_END && z.avail_out == 0 ? 0 : -EINVAL;
}

static int unpack_lzma_stream(lzma_stream *s, const uint8_t *in,
			      size_t in_len, uint8_t *out, size_t out_len)
{
	lzma_ret r;

	s->next_in = in;
	s->avail_in = in_len - TRAILER;
	s->next_out = out;
	s->avail_out = out_len;
	r = lzma_code(s, LZMA_FINISH);
	lzma_end(s);
	return (r == LZMA_STREAM_END || r == LZMA_OK) && s->avail_out == 0 ?
		       0 :
		       -EINVAL;
}

static int unpack_xz(const uint8_t *in, size_t in_len, uint8_t *out,
		     size_t out_len)
{
	lzma_stream s = LZMA_STREAM_INIT;

	if (lzma_stream_decoder(&s, LZMA_MEMORY_MAX, 0) != LZMA_OK)
		return -ENOMEM;
	return unpack_lzma_stream(&s, in, in_len, out, out_len);
}

static int unpack_lzma(const uint8_t *in, size_t in_len, uint8_t *out,
		       size_t out_len)
{
	lzma_stream s = LZMA_STREAM_INIT;

	if (lzma_alone_decoder(&s, LZMA_MEMORY_MAX) != LZMA_OK)
		return -ENOMEM;
	return unpack_lzma_stream(&s, in, in_len, out, out_len);
}

static int unpack_zstd(const uint8_t *in, size_t in_len, uint8_t *out,
		       size_t out_len)
{
	size_t n = ZSTD_decompress(out, out_len, in, in_len - TRAILER);

	return !ZSTD_isError(n) && n == out_len ? 0 : -EINVAL;
}

/* Blocks of at most 8 MiB, each after its packed length. */
static int unpack_lz4(const uint8_t *in, size_t in_len, uint8_t *out,
		      size_t out_len)
{
	const uint8_t *end = in + in_len - TRAILER;

	in += 4; /* magic */
	while (end - in >= 4) {
		uint32_t len;
		int n;

		memcpy(&len, in, 4);
		in += 4;
		if (len > (size_t)(end - in))
			return -EINVAL;
		n = LZ4_decompress_safe((const char *)in, (char *)out, len,
					MIN(out_len, INT32_MAX));
		if (n < 0)
			return -EINVAL;
		in += len;
		out += n;
		out_len -= n;
	}
	return out_len ? -EINVAL : 0;
}

static const struct {
	uint8_t magic[6];
	uint8_t len;
	int (*unpack)(const uint8_t *in, size_t in_len, uint8_t *out,
		      size_t out_len);
} formats[] = {
	{ { 0x1f, 0x8b }, 2, unpack_gzip },
	{ { 0xfd, '7', 'z', 'X', 'Z', 0 }, 6, unpack_xz },
	{ { 0x5d, 0, 0 }, 3, unpack_lzma },
	{ { 0x28, 0xb5, 0x2f, 0xfd }, 4, unpack_zstd },
	{ { 0x02, 0x21, 0x4c, 0x18 }, 4, unpack_lz4 },
};

int unpack(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len)
{
	if (in_len < 16)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		if (memcmp(in, formats[i].magic, formats[i].len) == 0)
			return formats[i].unpack(in, in_len, out, out_len);
	}
	return -ENOTSUP;
}
