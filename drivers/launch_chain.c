/*
 * drivers/launch_chain.c -- the images that a disk's image is based on, as
 * descriptors, nearest first.
 *
 * <backingStore> says which they are: one in another, an empty one ends it.
 * Where it says nothing, the images do, each with its format: what has none
 * recorded is an error, because a guest can make raw data look like anything.
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "drivers/launch.h"
#include "model/disk_layers.h"
#include "storage/format/block.h"
#include "vmm/spec.h"

#define refuse(err, ...) \
	error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED, __VA_ARGS__)

enum { LAYERS_MAX = BLOCK_LAYERS_MAX - 1 };

bool launch_has_format(const char *format)
{
	return !format || str_eq(format, "raw") || str_eq(format, "qcow2");
}

static int add_layer(struct spec_disk *s, const char *path, const char *format,
		     bool device, struct error *err)
{
	struct spec_layer layer = { .fd = -1 };
	int r;

	if (!format)
		return refuse(err, "'%s': its format is not known; name it in <backingStore>, or in the image with 'qemu-img rebase -u -F'",
			      path);
	if (!launch_has_format(format))
		return refuse(err, "'%s': format '%s' is not supported", path,
			      format);
	if (s->n_layers == LAYERS_MAX)
		return refuse(err, "'%s': too many images are based on each other",
			      path);
	r = host_open_disk(path, true, device, err, &layer.fd);
	if (r < 0)
		return r;
	layer.format = xstrdup(format);
	s->layers = xrealloc(s->layers, s->n_layers + 1, sizeof(layer));
	s->layers[s->n_layers++] = layer;
	return 0;
}

/* Of a file or a block device, whichever the name is. */
static int add_named(struct spec_disk *s, const char *path, const char *format,
		     struct error *err)
{
	struct error other = { 0 };
	int r = add_layer(s, path, format, false, err);

	if (r == -EINVAL && format && launch_has_format(format) &&
	    add_layer(s, path, format, true, &other) >= 0) {
		error_clear(err);
		return 0;
	}
	return r;
}

/* As the images say, from the last layer on. */
static int follow_images(const char *path, struct spec_disk *s,
			 struct error *err)
{
	_cleanup_free_ char *at = xstrdup(path);
	int r = 0;

	while (r >= 0) {
		struct spec_layer *last =
			s->n_layers ? &s->layers[s->n_layers - 1] : NULL;
		_cleanup_free_ char *name = NULL, *format = NULL;
		char *next;

		r = block_backing(last ? last->fd : s->fd,
				  last ? last->format : s->format, &name,
				  &format, err);
		if (r < 0)
			return error_prefix(err, "'%s'", at), r;
		if (!name)
			return 0;
		next = block_backing_path(at, name);
		free(at);
		at = next;
		r = add_named(s, at, format, err);
	}
	return r;
}

static int follow_definition(const struct dom_layer *b, unsigned int n,
			     struct spec_disk *s, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < n && r >= 0; i++)
		r = add_layer(s, b[i].source, b[i].format, b[i].is_device, err);
	return r;
}

int launch_build_chain(const struct dom_disk *d, struct spec_disk *s,
		       struct error *err)
{
	struct dom_layer *list = NULL;
	bool ended = false;
	unsigned int n;
	int r;

	if (s->fd < 0 || str_eq(s->format, "raw"))
		return 0;
	r = disk_layers(d, &list, &n, &ended, err);
	if (r < 0)
		return r;
	r = follow_definition(list, n, s, err);
	if (r >= 0 && !ended)
		r = follow_images(n ? list[n - 1].source : d->source, s, err);
	disk_layers_free(list, n);
	return r;
}
