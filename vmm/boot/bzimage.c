/*
 * vmm/boot/bzimage.c -- a Linux bzImage (Documentation/arch/x86/boot.rst,
 * "The Real-Mode Kernel Header"): only as a wrapping.  Its payload is the
 * packed vmlinux ELF file, which the host unpacks; the guest never runs the
 * decompressor.
 */
#include "vmm/boot/boot.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"

/* #syscalls:vmm mmap munmap madvise brk mremap */

/* Offsets in the first sectors. */
enum {
	HDR_SETUP_SECTS = 0x1f1,
	HDR_BOOT_FLAG = 0x1fe,
	HDR_MAGIC = 0x202,
	HDR_VERSION = 0x206,
	HDR_INITRD_MAX = 0x22c,
	HDR_PAYLOAD_OFFSET = 0x248,
	HDR_PAYLOAD_LENGTH = 0x24c,
	HDR_SIZE = 0x250,
};

#define PAYLOAD_MAX (256 * MIB)
#define VMLINUX_MAX (1024 * MIB)

static uint32_t le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint16_t le16(const uint8_t *p)
{
	return p[0] | p[1] << 8;
}

static int bzimage_header(const struct image *image, uint8_t *hdr)
{
	if (image_read(image, 0, hdr, HDR_SIZE) < 0)
		return 0;
	return le16(hdr + HDR_BOOT_FLAG) == 0xaa55 &&
	       memcmp(hdr + HDR_MAGIC, "HdrS", 4) == 0;
}

int bzimage_probe(const struct image *image)
{
	uint8_t hdr[HDR_SIZE];

	return bzimage_header(image, hdr);
}

static void *anon_map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, size, MADV_HUGEPAGE);
	return p;
}

static int bzimage_unpack_into(struct bzimage *bz, const uint8_t *in,
			       size_t in_len, struct error *err)
{
	/* Whatever the packer: the last four bytes are the unpacked size. */
	size_t out_len = le32(in + in_len - 4);
	uint8_t *out;
	int r;

	if (!out_len || out_len > VMLINUX_MAX)
		return error_set(err, -EINVAL, "the bzImage is damaged");
	out = anon_map(out_len);
	if (!out)
		return error_set(err, -ENOMEM,
				 "no memory to unpack the kernel");
	bz->vmlinux = (struct image){ -1, out, out_len };
	r = unpack(in, in_len, out, out_len);
	if (r == -ENOTSUP)
		return error_set(err, r, "the bzImage is packed in a way that "
					 "is not supported");
	if (r < 0)
		return error_set(err, r, "the bzImage does not unpack");
	return 0;
}

int bzimage_unpack(const struct image *image, struct bzimage *ret_bz,
		   struct error *err)
{
	struct bzimage bz = { 0 };
	uint8_t hdr[HDR_SIZE], *packed;
	unsigned int sects;
	uint64_t offset;
	uint32_t len;
	int r;

	if (!bzimage_header(image, hdr))
		return error_set(err, -EINVAL, "the kernel is not a bzImage");
	if (le16(hdr + HDR_VERSION) < 0x208)
		return error_set(err, -ENOTSUP,
				 "the bzImage's boot protocol is older than "
				 "2.08");
	sects = hdr[HDR_SETUP_SECTS] ? hdr[HDR_SETUP_SECTS] : 4;
	offset = (sects + 1) * 512ull + le32(hdr + HDR_PAYLOAD_OFFSET);
	len = le32(hdr + HDR_PAYLOAD_LENGTH);
	bz.initrd_max = le32(hdr + HDR_INITRD_MAX);
	if (len < 16 || len > PAYLOAD_MAX)
		return error_set(err, -EINVAL, "the bzImage is damaged");

	packed = anon_map(len);
	if (!packed)
		return error_set(err, -ENOMEM,
				 "no memory to unpack the kernel");
	r = image_read(image, offset, packed, len);
	if (r < 0)
		error_set(err, r, "cannot read the bzImage: %m");
	else
		r = bzimage_unpack_into(&bz, packed, len, err);
	munmap(packed, len);
	if (r < 0)
		bzimage_finish(&bz);
	else
		*ret_bz = bz;
	return r;
}

void bzimage_finish(struct bzimage *bz)
{
	if (bz->vmlinux.mem)
		munmap((void *)bz->vmlinux.mem, bz->vmlinux.size);
	bz->vmlinux.mem = NULL;
}
