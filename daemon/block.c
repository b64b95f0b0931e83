/*
 * daemon/block.c -- what is in a domain's disks and memory, how large disks
 * are, and making them larger.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/blockjob.h"
#include "daemon/definition.h"
#include "daemon/pools.h"
#include "daemon/registry.h"
#include "storage/format/block.h"

/* A flag of libvirt 10: as large as the device is now. */
enum { BLOCK_RESIZE_CAPACITY = 1 << 1 };

/* ---- finding ---- */

const struct dom_disk *block_find_disk(const struct domain_def *def,
				       const char *path, struct error *err)
{
	for (unsigned int i = 0; i < def->n_disks; i++)
		if (str_eq(def->disks[i].target_dev, path) ||
		    str_eq(def->disks[i].source, path))
			return &def->disks[i];
	error_virt(err, VIR_ERR_INVALID_ARG, "invalid path %s not assigned to domain",
		   path);
	return NULL;
}

static const struct domain_def *def_of(const struct dom_obj *obj)
{
	return obj->active ? obj->d.live : obj->config;
}

static int locate(struct dom_obj *obj, const struct dom_disk *disk,
		  const char *path, char **ret_path, bool *ret_block,
		  struct error *err)
{
	if (disk->type == DISK_VOLUME && !disk->source)
		return vol_locate(obj->reg, disk, ret_path, ret_block, err);
	if (!disk->source ||
	    (disk->type > DISK_BLOCK && disk->type != DISK_VOLUME))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "disk '%s' does not currently have a source assigned",
				  path);
	*ret_path = xstrdup(disk->source);
	*ret_block = disk_is_block(disk);
	return 0;
}

struct image {
	int fd;
	char *path, *format;
};

static void close_image(struct image *image)
{
	fd_close(image->fd);
	free(image->path);
	free(image->format);
}

#define _cleanup_image_ _cleanup_(close_image)

static bool is_raw(const char *format)
{
	return !format || str_eq(format, "raw");
}

/* Read-only, whoever has it open. */
static int open_image(struct dom_obj *obj, const char *path,
		      struct image *ret, struct error *err)
{
	const struct migrate_net *net = obj->reg->net;
	const struct dom_disk *disk =
		block_find_disk(def_of(obj), path, err);
	_cleanup_free_ char *source = NULL;
	bool block = false;
	int r = disk ? locate(obj, disk, path, &source, &block, err) : -EINVAL;

	if (r < 0)
		return r;
	if (!net)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "there are no disks here");
	ret->path = steal_ptr(&source);
	ret->format = xstrdup(disk->driver_type);
	return net->open_disk(ret->path, true, block, err, &ret->fd);
}

static int with_image(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *path, const char *job, struct image *ret,
		      struct error *err)
{
	struct dom_obj *obj;
	int r = obj_begin(reg, uuid, job, &obj, err);

	if (r < 0)
		return r;
	r = open_image(obj, path, ret, err);
	obj_end(obj);
	return r;
}

/* ---- sizes ---- */

static int measure(const struct image *image, struct domain_block_info *ret,
		   struct error *err)
{
	struct stat st;
	off_t end = lseek(image->fd, 0, SEEK_END);
	int r;

	if (end < 0 || fstat(image->fd, &st) < 0)
		return error_set(err, -errno, "cannot stat the disk: %m");
	ret->physical = end;
	ret->allocation = S_ISBLK(st.st_mode) ? (uint64_t)end :
						(uint64_t)st.st_blocks * 512;
	r = block_capacity(image->fd, image->format, &ret->capacity, err);
	return r < 0 ? (error_prefix(err, "disk '%s'", image->path), r) : 0;
}

int domain_block_info(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *path, unsigned int flags,
		      struct domain_block_info *ret, struct error *err)
{
	_cleanup_image_ struct image image = { .fd = -1 };
	int r = check_flags(flags, 0, __func__, err);

	if (r == 0)
		r = with_image(reg, uuid, path, "block-info", &image, err);
	return r < 0 ? r : measure(&image, ret, err);
}

/* Kibibytes unless bytes are asked for; or what there is now. */
static int new_size(struct dom_obj *obj, const struct dom_disk *disk,
		    uint64_t size, unsigned int flags, uint64_t *ret_bytes,
		    struct error *err)
{
	_cleanup_image_ struct image image = { .fd = -1 };
	struct domain_block_info info;
	int r;

	if (!(flags & BLOCK_RESIZE_CAPACITY)) {
		if (!(flags & VIR_DOMAIN_BLOCK_RESIZE_BYTES) &&
		    __builtin_mul_overflow(size, 1024, &size))
			return error_virt(err, VIR_ERR_OVERFLOW,
					  "size must be less than %llu",
					  1ull << 54);
		if (!is_raw(disk->driver_type) && size < INT64_MAX)
			size = ALIGN_UP(size, 512ull);
		*ret_bytes = size;
		return 0;
	}
	if (!disk_is_block(disk) || !is_raw(disk->driver_type))
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "block resize to full capacity supported only with 'raw' local block-based disks");
	r = open_image(obj, disk->target_dev, &image, err);
	if (r == 0)
		r = measure(&image, &info, err);
	if (r == 0)
		*ret_bytes = info.capacity;
	return r;
}

static int resize(struct dom_obj *obj, const char *path, uint64_t size,
		  unsigned int flags, struct error *err)
{
	const struct dom_disk *disk;
	uint64_t bytes = 0;
	int r = run_check_active(obj, err);

	if (r < 0)
		return r;
	disk = block_find_disk(obj->d.live, path, err);
	if (!disk)
		return -EINVAL;
	r = new_size(obj, disk, size, flags, &bytes, err);
	return r < 0 ? r : driver_call(obj, err, resize_disk,
				       disk->info.alias, bytes);
}

int domain_block_resize(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *path, uint64_t size, unsigned int flags,
			struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags,
			    VIR_DOMAIN_BLOCK_RESIZE_BYTES |
				    BLOCK_RESIZE_CAPACITY,
			    __func__, err);

	if (r == 0)
		r = obj_begin(reg, uuid, "block-resize", &obj, err);
	if (r < 0)
		return r;
	r = resize(obj, path, size, flags, err);
	obj_end(obj);
	return r;
}

/* ---- contents ---- */

static int read_all(int fd, uint64_t offset, void *to, size_t len,
		    struct error *err)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(fd, (char *)to + done, len - done,
				  (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_virt(err, VIR_ERR_OPERATION_FAILED,
					  n ? "failed to read: %m" :
					      "failed to read: there is no so much of it");
		done += n;
	}
	return 0;
}

int domain_block_peek(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *path, uint64_t offset, void *to, size_t len,
		      unsigned int flags, struct error *err)
{
	_cleanup_image_ struct image image = { .fd = -1 };
	int r = check_flags(flags, 0, __func__, err);

	if (r == 0 && offset > INT64_MAX - len)
		r = error_virt(err, VIR_ERR_INVALID_ARG, "offset too large");
	if (r == 0)
		r = with_image(reg, uuid, path, "block-peek", &image, err);
	if (r == 0 && !is_raw(image.format))
		r = error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
			       "peeking is only supported for disk with 'raw' format not '%s'",
			       image.format);
	return r < 0 ? r : read_all(image.fd, offset, to, len, err);
}

static int peek(struct dom_obj *obj, uint64_t at, size_t len, bool linear,
		int fd, struct error *err)
{
	int r = run_check_active(obj, err);

	return r < 0 ? r :
		       driver_call(obj, err, peek_memory, at, len, linear, fd);
}

int domain_memory_peek(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       uint64_t at, void *to, size_t len, unsigned int flags,
		       struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct dom_obj *obj;
	int r = 0;

	if (flags != VIR_MEMORY_VIRTUAL && flags != VIR_MEMORY_PHYSICAL)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL");
	fd = memfd_create("peek", MFD_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, "cannot create a file: %m");
	r = obj_begin(reg, uuid, "memory-peek", &obj, err);
	if (r < 0)
		return r;
	r = peek(obj, at, len, flags == VIR_MEMORY_VIRTUAL, fd, err);
	obj_end(obj);
	return r < 0 ? r : read_all(fd, 0, to, len, err);
}
