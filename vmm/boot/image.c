/*
 * vmm/boot/image.c -- reading a kernel image from a descriptor or memory.
 *
 * Never mapped: a file that shrinks under a mapping is a SIGBUS.
 */
#include "vmm/boot/boot.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

/* #syscalls:vmm pread64 fstat newfstatat lseek */

int image_open(int fd, struct image *ret_image, struct error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return error_set(err, -errno, "cannot stat an image: %m");
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL,
				 "a kernel or initrd must be a regular file");
	*ret_image = (struct image){ .fd = fd, .size = st.st_size };
	return 0;
}

int firmware_open(int fd, uint64_t max, struct image *ret_image,
		  struct error *err)
{
	off_t size = lseek(fd, 0, SEEK_END);

	if (size < 0)
		return error_set(err, -errno, "cannot seek in firmware: %m");
	if (!size || size % 4096 || (uint64_t)size > max)
		return error_set(err, -EINVAL,
				 "a firmware image of %lld bytes is not whole "
				 "pages up to %llu MiB", (long long)size,
				 (unsigned long long)(max / MIB));
	*ret_image = (struct image){ .fd = fd, .size = size };
	return 0;
}

static int image_pread(int fd, uint64_t offset, uint8_t *buf, uint64_t len)
{
	while (len) {
		ssize_t n = pread(fd, buf, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		buf += n;
		offset += n;
		len -= n;
	}
	return 0;
}

int image_read(const struct image *image, uint64_t offset, void *buf,
	       uint64_t len)
{
	if (offset > image->size || len > image->size - offset)
		return -ENODATA;
	if (!image->mem)
		return image_pread(image->fd, offset, buf, len);
	memcpy(buf, image->mem + offset, len);
	return 0;
}
