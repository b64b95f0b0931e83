/*
 * tests/unit/vmm/boot.c -- kernel images: every packing, the real kernel when
 * there is one, and damage everywhere.
 */
#include "tests/unit/vmm/fake.h"

#include <errno.h>
#include <fcntl.h>
#include <lz4.h>
#include <lzma.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/error.h"
#include "vmm/boot/boot.h"
#include "vmm/ram.h"

enum { PLAIN_SIZE = 300000, SETUP = 1024 };

static uint8_t plain[PLAIN_SIZE];

static void pack_gzip(struct buf *b)
{
	z_stream z = { .next_in = plain, .avail_in = PLAIN_SIZE };
	uint8_t *out = buf_grow(b, PLAIN_SIZE);

	assert(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, 0) == Z_OK);
	z.next_out = out;
	z.avail_out = PLAIN_SIZE;
	assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
	b->len -= z.avail_out;
	deflateEnd(&z);
	/* gzip's own trailer ends in the size: nothing is appended. */
}

static void append_size(struct buf *b)
{
	uint32_t size = PLAIN_SIZE;

	buf_add(b, &size, 4);
}

static void pack_xz(struct buf *b)
{
	lzma_options_lzma opt;
	lzma_filter filters[] = { { LZMA_FILTER_X86, NULL },
				  { LZMA_FILTER_LZMA2, &opt },
				  { LZMA_VLI_UNKNOWN, NULL } };
	uint8_t *out = buf_grow(b, PLAIN_SIZE);
	size_t len = 0;

	assert(!lzma_lzma_preset(&opt, 1));
	assert(lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC32, NULL,
					 plain, PLAIN_SIZE, out, &len,
					 PLAIN_SIZE) == LZMA_OK);
	b->len = len;
	append_size(b);
}

static void pack_lzma(struct buf *b)
{
	lzma_options_lzma opt;
	lzma_stream s = LZMA_STREAM_INIT;
	uint8_t *out = buf_grow(b, PLAIN_SIZE);

	assert(!lzma_lzma_preset(&opt, 1));
	assert(lzma_alone_encoder(&s, &opt) == LZMA_OK);
	s.next_in = plain;
	s.avail_in = PLAIN_SIZE;
	s.next_out = out;
	s.avail_out = PLAIN_SIZE;
	assert(lzma_code(&s, LZMA_FINISH) == LZMA_STREAM_END);
	b->len = s.total_out;
	lzma_end(&s);
	append_size(b);
}

static void pack_zstd(struct buf *b)
{
	uint8_t *out = buf_grow(b, PLAIN_SIZE);

	b->len = ZSTD_compress(out, PLAIN_SIZE, plain, PLAIN_SIZE, 3);
	assert(!ZSTD_isError(b->len));
	append_size(b);
}

/* Two blocks, so that the loop is seen. */
static void pack_lz4(struct buf *b)
{
	const uint32_t magic = 0x184c2102;
	char *out = xmalloc(PLAIN_SIZE);

	buf_add(b, &magic, 4);
	for (int i = 0; i < 2; i++) {
		int n = LZ4_compress_default(
			(char *)plain + i * PLAIN_SIZE / 2, out,
			PLAIN_SIZE / 2, PLAIN_SIZE);

		assert(n > 0);
		buf_add(b, &n, 4);
		buf_add(b, out, n);
	}
	free(out);
	append_size(b);
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, 4);
}

/* Setup sectors with a header, then the payload. */
static struct buf make_bzimage(const struct buf *payload)
{
	struct buf b = { 0 };
	uint8_t *h = buf_grow(&b, SETUP);

	memset(h, 0, SETUP);
	h[0x1f1] = 1;
	h[0x1fe] = 0x55;
	h[0x1ff] = 0xaa;
	memcpy(h + 0x202, "HdrS", 4);
	h[0x206] = 0x0f;
	h[0x207] = 2;
	put32(h + 0x22c, 0x7fffffff);
	put32(h + 0x248, 16);
	put32(h + 0x24c, payload->len);
	memset(buf_grow(&b, 16), 0x90, 16);
	buf_add(&b, payload->data, payload->len);
	return b;
}

static int try_bzimage(const uint8_t *data, size_t len)
{
	struct image image = { -1, data, len };
	struct error err = { 0 };
	struct bzimage bz;
	int r;

	if (!bzimage_probe(&image))
		return -EINVAL;
	r = bzimage_unpack(&image, &bz, &err);
	if (r < 0) {
		assert(err.message[0]);
		return r;
	}
	r = bz.vmlinux.size == PLAIN_SIZE &&
			    memcmp(bz.vmlinux.mem, plain, PLAIN_SIZE) == 0 ?
		    0 :
		    -EBADMSG;
	bzimage_finish(&bz);
	return r;
}

static void test_packing(void (*pack)(struct buf *b))
{
	struct buf payload = { 0 }, bz;

	pack(&payload);
	bz = make_bzimage(&payload);
	assert(try_bzimage((uint8_t *)bz.data, bz.len) == 0);

	/* Cut short anywhere, and bytes flipped: an error, or (padding) no
	 * difference; never anything else. */
	for (size_t len = 0; len < bz.len; len += 1 + bz.len / 61)
		assert(try_bzimage((uint8_t *)bz.data, len) < 0);
	for (size_t i = SETUP; i < bz.len; i += 1 + bz.len / 61) {
		bz.data[i] ^= 0x41;
		try_bzimage((uint8_t *)bz.data, bz.len);
		bz.data[i] ^= 0x41;
	}
	/* A size that is a lie. */
	put32((uint8_t *)bz.data + bz.len - 4, PLAIN_SIZE + 1);
	assert(try_bzimage((uint8_t *)bz.data, bz.len) < 0);
	put32((uint8_t *)bz.data + bz.len - 4, UINT32_MAX);
	assert(try_bzimage((uint8_t *)bz.data, bz.len) < 0);
	buf_free(&bz);
	buf_free(&payload);
}

static int try_elf(const uint8_t *data, size_t len, struct ram *ram)
{
	struct image image = { -1, data, len };
	struct error err = { 0 };
	struct elf_info info;

	return elf_load(&image, ram, &info, &err);
}

static void test_elf(void)
{
	int fd = fake_kernel();
	struct image image;
	struct elf_info info;
	struct ram *ram;
	uint8_t k[1024];
	size_t len;

	assert(ram_create(4 * MIB, &ram, NULL) == 0);
	assert(image_open(fd, &image, NULL) == 0);
	len = image.size;
	assert(len <= sizeof(k) && image_read(&image, 0, k, len) == 0);
	memset(ram_ptr(ram, 0x100000, 0x3000), 0xcc, 0x3000);
	assert(elf_load(&image, ram, &info, NULL) == 0);
	assert(info.pvh_entry == 0x100000 && info.end == 0x102000);
	/* Loaded, the rest zeroed, nothing behind it touched. */
	assert(*(uint32_t *)ram_ptr(ram, 0x100000, 4) == 0xf4f4f4f4);
	assert(*(uint32_t *)ram_ptr(ram, 0x101ffc, 4) == 0);
	assert(*(uint32_t *)ram_ptr(ram, 0x102000, 4) == 0xcccccccc);

	for (size_t i = 0; i < len; i++)
		assert(try_elf(k, i, ram) < 0);
	for (size_t i = 0; i < len; i++) {
		for (int bit = 0; bit < 8; bit++) {
			k[i] ^= 1 << bit;
			try_elf(k, len, ram); /* must not crash */
			k[i] ^= 1 << bit;
		}
	}
	/* Below 1 MiB and beyond memory. */
	put32(k + 52 + 12, 0xff000);
	assert(try_elf(k, len, ram) == -ERANGE);
	put32(k + 52 + 12, 4 * MIB - 0x1000);
	assert(try_elf(k, len, ram) == -ERANGE);
	ram_destroy(ram);
	close(fd);
}

/* The start info of a loaded machine, and the kernel named on request. */
static void test_load(void)
{
	const char *path = getenv("VIREO_TEST_KERNEL");
	struct fake f;
	uint32_t si[14];

	fake_init(&f);
	f.spec.cmdline = xstrdup("one two");
	f.spec.initrd_fd = fake_file("initrd!", 7);
	if (path) {
		close(f.spec.kernel_fd);
		f.spec.kernel_fd = open(path, O_RDONLY);
		f.spec.memory = 128 * MIB;
		uint64_t start = now_ns();
		fake_start(&f);
		printf("%s: %.1f ms\n", path, (now_ns() - start) / 1e6);
	} else {
		fake_start(&f);
	}
	assert(ram_read(f.m->ram, BOOT_START_INFO, si, sizeof(si)) == 0);
	assert(si[0] == 0x336ec578 && si[1] == 1 && si[3] == 1);
	assert(strcmp(ram_ptr(f.m->ram, si[6], 8), "one two") == 0);
	uint64_t *mod = ram_ptr(f.m->ram, si[4], 32);
	assert(mod[1] == 7 && mod[0] % 4096 == 0);
	assert(memcmp(ram_ptr(f.m->ram, mod[0], 7), "initrd!", 7) == 0);
	assert(memcmp(ram_ptr(f.m->ram, si[8], 8), "RSD PTR ", 8) == 0);
	fake_finish(&f);
}

int main(void)
{
	uint32_t x = 1;

	for (size_t i = 0; i < PLAIN_SIZE; i++) {
		x = x * 1103515245 + 12345;
		plain[i] = x >> 16 & (i & 64 ? 0xff : 0x03);
	}
	test_packing(pack_gzip);
	test_packing(pack_xz);
	test_packing(pack_lzma);
	test_packing(pack_zstd);
	test_packing(pack_lz4);
	test_elf();
	test_load();
	return 0;
}
