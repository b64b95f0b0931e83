/*
 * daemon/overlay.c -- disk images that are based on each other, as files.
 *
 * Every file is opened by priv; what is read of it is not believed
 * (storage/format).
 */
#include "daemon/overlay.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <unistd.h>

#include "daemon/registry.h"
#include "storage/format/block.h"

enum { CHAIN_MAX = 64 };

void image_finish(struct image *image)
{
	free(image->path);
	free(image->format);
}

static const char *format_of(const struct image *image)
{
	return image->format ? image->format : "raw";
}

static int check_host(const struct registry *reg, struct error *err)
{
	return reg->net && reg->files ?
		       0 :
		       error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "there are no disks here");
}

static int open_image(struct registry *reg, const struct image *image,
		      bool readonly, int *ret_fd, struct error *err)
{
	int r = check_host(reg, err);

	return r < 0 ? r :
		       reg->net->open_disk(image->path, readonly,
					   image->is_device, err, ret_fd);
}

/* ---- making ---- */

bool overlay_exists(struct registry *reg, const char *path)
{
	struct error err = { 0 };
	int fd = -1, r = reg->files->open(path, true, &err, &fd);

	fd_close(fd);
	return r != -ENOENT;
}

int overlay_size(struct registry *reg, const struct image *base,
		 uint64_t *ret_size, struct error *err)
{
	_cleanup_close_ int fd = -1;
	int r = open_image(reg, base, true, &fd, err);

	if (r >= 0)
		r = block_capacity(fd, format_of(base), ret_size, err);
	return r;
}

static int fill(int fd, const struct image *top, const struct image *base,
		uint64_t size, struct error *err)
{
	struct block_create c = {
		.format = "qcow2",
		.size = size,
		.version = 3,
		.cluster_bits = 16,
		.refcount_order = 4,
		.backing = base ? base->path : NULL,
		.backing_format = base ? format_of(base) : NULL,
	};
	int r = 0;

	if (str_eq(format_of(top), "qcow2"))
		r = block_create(fd, &c, err);
	else if (!top->is_device && ftruncate(fd, (off_t)size) < 0)
		r = error_set(err, -errno, "cannot make '%s' so large: %m",
			      top->path);

	if (r >= 0 && fsync(fd) < 0)
		r = error_set(err, -errno, "cannot write '%s': %m", top->path);
	return r;
}

static int create_file(struct registry *reg, const struct image *top,
		       const struct image *base, uint64_t size,
		       struct error *err)
{
	struct error ignored = { 0 };
	_cleanup_close_ int fd = -1;
	int r;

	if (overlay_exists(reg, top->path))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "external snapshot file '%s' already exists and is not a block device",
				  top->path);
	r = reg->files->begin(top->path, err, &fd);
	if (r < 0)
		return r;
	r = fill(fd, top, base, size, err);
	if (r >= 0)
		return reg->files->end(top->path, true, err);
	reg->files->end(top->path, false, &ignored);
	return r;
}

static int create_on_device(struct registry *reg, const struct image *top,
			    const struct image *base, uint64_t size,
			    struct error *err)
{
	_cleanup_close_ int fd = -1;
	int r = open_image(reg, top, false, &fd, err);

	return r < 0 ? r : fill(fd, top, base, size, err);
}

int overlay_create(struct registry *reg, const struct image *top,
		   const struct image *base, struct error *err)
{
	uint64_t size;
	int r = overlay_size(reg, base, &size, err);

	if (r >= 0)
		r = top->is_device ?
			    create_on_device(reg, top, base, size, err) :
			    create_file(reg, top, base, size, err);
	return r;
}

int overlay_create_alone(struct registry *reg, const struct image *image,
			 uint64_t size, struct error *err)
{
	int r = check_host(reg, err);

	if (r < 0)
		return r;
	return image->is_device ?
		       create_on_device(reg, image, NULL, size, err) :
		       create_file(reg, image, NULL, size, err);
}

int overlay_remove(struct registry *reg, const char *path, struct error *err)
{
	return reg->files->remove(path, err);
}

/* ---- what is based on what ---- */

int overlay_backing(struct registry *reg, const struct image *image,
		    char **ret_path, struct error *err)
{
	_cleanup_free_ char *name = NULL, *format = NULL;
	_cleanup_close_ int fd = -1;
	int r = open_image(reg, image, true, &fd, err);

	*ret_path = NULL;
	if (r >= 0)
		r = block_backing(fd, format_of(image), &name, &format, err);
	if (r >= 0 && name)
		*ret_path = block_backing_path(image->path, name);
	return r;
}

int overlay_rebase(struct registry *reg, const struct image *image,
		   const struct image *base, struct error *err)
{
	_cleanup_close_ int fd = -1;
	int r = open_image(reg, image, false, &fd, err);

	if (r >= 0)
		r = block_lock(fd, false, err);
	if (r >= 0)
		r = block_set_backing(fd, base->path, format_of(base), err);
	if (r < 0)
		error_prefix(err, "'%s'", image->path);
	return r;
}

/* ---- chains ---- */

struct chain {
	unsigned int n;
	struct block_layer layer[CHAIN_MAX];
	char *format[CHAIN_MAX];
};

/* What was opened is closed; block_open_chain() may have taken it over. */
static void chain_finish(struct chain *c, bool close)
{
	for (unsigned int i = 0; i < c->n; i++) {
		if (close)
			fd_close(c->layer[i].fd);
		free(c->format[i]);
	}
}

static int chain_add(struct registry *reg, struct chain *c,
		     const struct image *image, bool readonly,
		     struct error *err)
{
	int fd = -1, r;

	if (c->n == CHAIN_MAX)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "'%s': too many images are based on each other",
				  image->path);
	r = open_image(reg, image, readonly, &fd, err);
	if (r < 0)
		return r;
	c->format[c->n] = xstrdup(format_of(image));
	c->layer[c->n] = (struct block_layer){ c->format[c->n], fd };
	c->n++;
	return 0;
}

/* The image and, as they say themselves, all that it is based on. */
static int chain_follow(struct registry *reg, struct chain *c,
			const struct image *first, bool readonly,
			struct error *err)
{
	_cleanup_free_ char *at = xstrdup(first->path);
	int r = chain_add(reg, c, first, readonly, err);

	while (r >= 0) {
		_cleanup_free_ char *name = NULL, *format = NULL;
		const struct block_layer *l = &c->layer[c->n - 1];
		struct image next = { 0 };

		r = block_backing(l->fd, l->format, &name, &format, err);
		if (r < 0 || !name)
			break;
		next.path = block_backing_path(at, name);
		next.format = format;
		r = chain_add(reg, c, &next, true, err);
		free(at);
		at = next.path;
	}
	return r;
}

static int open_chain(struct registry *reg, const struct image *first,
		      bool readonly, struct block **ret_blk, struct error *err)
{
	struct block_options options = { .readonly = readonly,
					 .unlocked = readonly };
	struct chain c = { 0 };
	int r = chain_follow(reg, &c, first, readonly, err);

	if (r >= 0)
		r = block_open_chain(c.layer, c.n, &options, ret_blk, err);
	chain_finish(&c, r < 0);
	if (r < 0)
		error_prefix(err, "'%s'", first->path);
	return r;
}

int overlay_commit(struct registry *reg, const struct image *top,
		   const struct image *base, struct error *err)
{
	struct block *from = NULL, *to = NULL;
	int r = open_chain(reg, top, true, &from, err);

	if (r >= 0)
		r = open_chain(reg, base, false, &to, err);
	if (r >= 0)
		r = block_merge(from, to, err);
	block_close(to);
	block_close(from);
	return r;
}
