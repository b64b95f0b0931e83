/*
 * daemon/blockjob_chain.c -- which images a disk has, one based on another.
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/blockjob.h"
#include "storage/format/block.h"

enum { CHAIN_MAX = 200 };

void image_chain_finish(struct image_chain *c)
{
	disk_layers_free(c->layers, c->n);
	*c = (struct image_chain){ 0 };
}

/* Takes the strings over. */
static void add(struct image_chain *c, struct dom_layer layer)
{
	c->layers = xrealloc(c->layers, c->n + 1, sizeof(layer));
	c->layers[c->n++] = layer;
}

static int open_layer(struct registry *reg, struct dom_layer *l, int *ret_fd,
		      struct error *err)
{
	struct error other = { 0 };
	int r = reg->net->open_disk(l->source, true, l->is_device, err,
				    ret_fd);

	/* A name in an image does not say which it is. */
	if (r == -EINVAL && !l->is_device &&
	    reg->net->open_disk(l->source, true, true, &other, ret_fd) >= 0) {
		error_clear(err);
		l->is_device = true;
		return 0;
	}
	return r;
}

/* What the last one is based on; 0: nothing. */
static int follow(struct registry *reg, struct image_chain *c,
		  struct error *err)
{
	struct dom_layer *last = &c->layers[c->n - 1], next = { 0 };
	_cleanup_free_ char *name = NULL;
	_cleanup_close_ int fd = -1;
	int r = open_layer(reg, last, &fd, err);

	if (r >= 0)
		r = block_backing(fd, last->format ? last->format : "raw",
				  &name, &next.format, err);
	if (r < 0 || !name)
		return r < 0 ? r : 0;
	next.source = block_backing_path(last->source, name);
	add(c, next);
	return 1;
}

static int read_chain(struct registry *reg, const struct dom_disk *disk,
		      struct image_chain *c, struct error *err)
{
	struct dom_layer *list = NULL;
	unsigned int n = 0;
	bool ended;
	int r = disk_layers(disk, &list, &n, &ended, err);

	if (r < 0)
		return r;
	add(c, (struct dom_layer){ xstrdup(disk->source),
				   xstrdup(disk->driver_type),
				   disk_is_block(disk) });
	for (unsigned int i = 0; i < n; i++)
		add(c, list[i]);
	free(list);
	for (r = ended ? 0 : 1; r > 0 && c->n < CHAIN_MAX;)
		r = follow(reg, c, err);
	return r;
}

int image_chain_read(struct registry *reg, const struct dom_disk *disk,
		     struct image_chain *ret, struct error *err)
{
	int r;

	*ret = (struct image_chain){ 0 };
	if (!reg->net || !reg->files)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "there are no disks here");
	r = read_chain(reg, disk, ret, err);
	if (r < 0)
		image_chain_finish(ret);
	return r;
}

/* "vda[1]": the number, or -1. */
static int index_of(const struct dom_disk *disk, const char *name)
{
	size_t len = strlen(disk->target_dev);
	unsigned long n;
	char *end;

	if (strncmp(name, disk->target_dev, len) || name[len] != '[')
		return -1;
	n = strtoul(name + len + 1, &end, 10);
	return str_eq(end, "]") && n < CHAIN_MAX ? (int)n : -1;
}

int image_chain_find(const struct image_chain *c, const struct dom_disk *disk,
		     const char *name, unsigned int *ret, struct error *err)
{
	int index = index_of(disk, name);

	for (unsigned int i = 0; i < c->n; i++)
		if (index == (int)i || str_eq(c->layers[i].source, name))
			return *ret = i, 0;
	return error_virt(err, VIR_ERR_INVALID_ARG,
			  "could not find image '%s' in chain for '%s'", name,
			  disk->source);
}
