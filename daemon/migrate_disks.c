/*
 * daemon/migrate_disks.c -- whether both hosts of a migration see the same
 * disks, and whether what one of them has cached can harm the other.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "daemon/migrate_priv.h"

/* Those that linux/magic.h lacks; from the file systems' own sources. */
enum { MAGIC_GFS2 = 0x01161970, MAGIC_LUSTRE = 0x0bd00bd0,
       MAGIC_GPFS = 0x47504653 };

/* Every host sees every other's writes at once. */
static bool is_cluster(unsigned int magic)
{
	return magic == MAGIC_GFS2 || magic == OCFS2_SUPER_MAGIC ||
	       magic == CEPH_SUPER_MAGIC || magic == MAGIC_LUSTRE ||
	       magic == MAGIC_GPFS;
}

static bool is_shared(unsigned int magic)
{
	return is_cluster(magic) || magic == NFS_SUPER_MAGIC ||
	       magic == SMB_SUPER_MAGIC || magic == CIFS_SUPER_MAGIC ||
	       magic == SMB2_SUPER_MAGIC || magic == AFS_SUPER_MAGIC;
}

/* A guest can harm only what it writes. */
static bool matters(const struct dom_disk *d)
{
	return d->source && !d->readonly && d->device != DISK_DEV_CDROM;
}

static bool uncached(const struct dom_disk *d)
{
	return str_eq(d->cache, "none") || str_eq(d->cache, "directsync");
}

static int look_at(struct registry *reg, const struct dom_disk *d,
		   struct migrate_disk *ret, unsigned int *ret_magic,
		   struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct statfs fs;
	struct stat st;
	int r = reg->net->open_disk(d->source, true, disk_is_block(d),
				    err, &fd);

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		return error_set(err, -errno, "cannot examine '%s': %m",
				 d->source);
	*ret_magic = (unsigned int)fs.f_type;
	snprintf(ret->target, sizeof(ret->target), "%s", d->target_dev);
	ret->dev = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
	ret->ino = S_ISBLK(st.st_mode) ? 0 : st.st_ino;
	ret->shared = S_ISBLK(st.st_mode) || is_shared(*ret_magic);
	return 0;
}

static int unsafe(const struct dom_disk *d, const char *why, struct error *err)
{
	return error_virt(err, VIR_ERR_MIGRATE_UNSAFE, "disk '%s': %s",
			  d->target_dev, why);
}

int migrate_disks_here(struct dom_obj *obj, const struct migrate_args *args,
		       struct migrate_cookie *out, struct error *err)
{
	const struct domain_def *def = obj->d.live;

	out->disks = xcalloc(def->n_disks + 1, sizeof(*out->disks));
	for (unsigned int i = 0; i < def->n_disks; i++) {
		const struct dom_disk *d = &def->disks[i];
		struct migrate_disk *to = &out->disks[out->n_disks];
		unsigned int magic;
		int r;

		if (!matters(d))
			continue;
		r = look_at(obj->reg, d, to, &magic, err);
		if (r < 0)
			return r;
		out->n_disks++;
	}
	return 0;
}

static const struct migrate_disk *find(const struct migrate_cookie *c,
				       const char *target)
{
	for (unsigned int i = 0; i < c->n_disks; i++)
		if (str_eq(c->disks[i].target, target))
			return &c->disks[i];
	return NULL;
}

/* One host: the same file is the same disk, and the cache is one. */
static bool same_file(struct registry *reg, const struct migrate_cookie *in,
		      const struct migrate_disk *here,
		      const struct migrate_disk *there)
{
	return in->boot && str_eq(in->boot, registry_boot_id(reg)) && there &&
	       here->dev == there->dev && here->ino == there->ino;
}

int migrate_disks_same(struct registry *reg, const struct domain_def *def,
		       const struct migrate_args *args,
		       const struct migrate_cookie *in, struct error *err)
{
	for (unsigned int i = 0; i < def->n_disks; i++) {
		const struct dom_disk *d = &def->disks[i];
		struct migrate_disk here = { .shared = false };
		unsigned int magic;
		int r;

		if (!matters(d) || (args->flags & VIR_MIGRATE_UNSAFE))
			continue;
		r = look_at(reg, d, &here, &magic, err);
		if (r < 0)
			return r;
		if (same_file(reg, in, &here, find(in, d->target_dev)))
			continue;
		if (!here.shared)
			return unsafe(d, "its file is not the source's: it is "
				      "not on storage that both hosts share",
				      err);
		if (!uncached(d) && !is_cluster(magic))
			return unsafe(d, "what the source has cached may "
				      "corrupt it: use cache='none'", err);
	}
	return 0;
}
