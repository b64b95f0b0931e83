/*
 * drivers/launch_fs.c -- <filesystem>: folders of the host's, by virtiofsd.
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"
#include "vmm/spec.h"

#define VIRTIOFSD "/usr/lib/qemu/virtiofsd"

enum { TAG_MAX = 36, QUEUE_MAX = 1024 }; /* virtio 1.2, 5.11.4 */

#define refuse(err, ...) \
	error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED, __VA_ARGS__)

static bool power_of_two(unsigned int n)
{
	return n && !(n & (n - 1));
}

static int check_binary(const struct dom_fs *f, struct error *err)
{
	if (f->binary && !str_eq(f->binary, VIRTIOFSD))
		return refuse(err, "<filesystem> '%s': binary '%s' is not supported, use '%s' or <source socket=>",
			      f->target, f->binary, VIRTIOFSD);
	if (f->cache && !str_eq(f->cache, "none") &&
	    !str_eq(f->cache, "always"))
		return refuse(err, "<filesystem> '%s': cache mode '%s' is not 'none' or 'always'",
			      f->target, f->cache);
	if (f->sandbox && !str_eq(f->sandbox, "chroot") &&
	    !str_eq(f->sandbox, "namespace"))
		return refuse(err, "<filesystem> '%s': sandbox mode '%s' is not 'namespace' or 'chroot'",
			      f->target, f->sandbox);
	return 0;
}

int launch_check_fs(const struct dom_fs *f, struct error *err)
{
	if (!str_eq(f->type, "mount") || !str_eq(f->driver, "virtiofs"))
		return refuse(err, "<filesystem> '%s': only type='mount' with <driver type='virtiofs'/> is supported",
			      f->target);
	if (!str_eq(f->accessmode, "passthrough"))
		return refuse(err, "<filesystem> '%s': accessmode '%s' is not supported, use 'passthrough'",
			      f->target, f->accessmode);
	if (f->readonly)
		return refuse(err, "<filesystem> '%s': virtiofs has no <readonly/>",
			      f->target);
	if (!f->source == !f->socket)
		return refuse(err, "<filesystem> '%s': it needs <source dir=> or <source socket=>",
			      f->target);
	if (!*f->target || strlen(f->target) > TAG_MAX)
		return refuse(err, "<filesystem> '%s': a target's name has 1 to %d letters",
			      f->target, TAG_MAX);
	if (f->queue && (!power_of_two(f->queue) || f->queue > QUEUE_MAX))
		return refuse(err, "<filesystem> '%s': a queue's size is a power of two up to %d",
			      f->target, QUEUE_MAX);
	return check_binary(f, err);
}

static int build_fs(const struct dom_fs *f, unsigned int i, struct spec_fs *s,
		    struct error *err)
{
	const struct host_fs how = {
		.dir = f->source,
		.xattr = str_eq(f->xattr, "on"),
		.flock = str_eq(f->flock, "on"),
		.posix_lock = str_eq(f->posix_lock, "on"),
		.chroot = str_eq(f->sandbox, "chroot"),
		.cache_none = str_eq(f->cache, "none"),
		.cache_always = str_eq(f->cache, "always"),
	};

	s->fd = -1;
	launch_set_id(&s->id, &f->info, "fs", i);
	launch_set_place(&s->pci, &f->info);
	s->tag = xstrdup(f->target);
	s->queue_size = f->queue;
	return f->socket ? host_connect_unix(f->socket, err, &s->fd) :
			   host_start_fs(&how, err, &s->fd);
}

int launch_build_fs(const struct domain_def *def, struct vmm_spec *s,
		    struct error *err)
{
	int r = 0;

	s->filesystems = xcalloc(def->n_filesystems, sizeof(*s->filesystems));
	for (unsigned int i = 0; i < def->n_filesystems && r >= 0; i++)
		r = build_fs(&def->filesystems[i], i,
			     &s->filesystems[s->n_filesystems++], err);
	return r;
}
