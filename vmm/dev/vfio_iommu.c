/*
 * vmm/dev/vfio_iommu.c -- containers and groups, and guest memory as the
 * host's devices see it.
 *
 * Descriptors of groups and containers come with the description; what can be
 * opened through them is what is in those groups.  All groups share the first
 * container, so that memory is pinned and counted once, unless the kernel says
 * that their IOMMUs do not go together.
 *
 * Devices reach RAM where the machine has it, whatever firmware shadows or
 * hides of it from vCPUs.
 */
/* #syscalls:vmm ioctl close fcntl */
/* #ioctls:vmm VFIO_GET_API_VERSION VFIO_CHECK_EXTENSION VFIO_SET_IOMMU */
/* #ioctls:vmm VFIO_GROUP_GET_STATUS VFIO_GROUP_SET_CONTAINER */
/* #ioctls:vmm VFIO_GROUP_UNSET_CONTAINER */
/* #ioctls:vmm VFIO_IOMMU_MAP_DMA VFIO_IOMMU_UNMAP_DMA */
#define LOG_MODULE "vfio"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "vmm/dev/vfio_priv.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"

/* ---- mapping ---- */

static int map(void *arg, const struct ram_region *r, struct error *err)
{
	const struct vfio_container *c = arg;
	struct vfio_iommu_type1_dma_map dma = {
		.argsz = sizeof(dma),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.vaddr = (uintptr_t)r->host,
		.iova = r->gpa,
		.size = r->size,
	};

	if (ioctl(c->fd, VFIO_IOMMU_MAP_DMA, &dma) == 0)
		return 0;
	return error_set(err, -errno,
			 errno == ENOMEM ?
				 "cannot pin the guest's memory for the host's devices: it may not lock so much: %m" :
				 "cannot show the guest's memory to the host's devices: %m");
}

static void unmap(void *arg, const struct ram_region *r)
{
	const struct vfio_container *c = arg;
	struct vfio_iommu_type1_dma_unmap dma = {
		.argsz = sizeof(dma),
		.iova = r->gpa,
		.size = r->size,
	};

	if (ioctl(c->fd, VFIO_IOMMU_UNMAP_DMA, &dma) < 0)
		log_warn("host devices keep memory at 0x%llx: %m",
			 (unsigned long long)r->gpa);
}

static const struct ram_listener listener = { map, unmap };

/* ---- containers ---- */

static int check_container(int fd, struct error *err)
{
	if (ioctl(fd, VFIO_GET_API_VERSION) != VFIO_API_VERSION ||
	    ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) <= 0)
		return error_set(err, -ENOTSUP,
				 "the host's VFIO has no IOMMU of type 1");
	return 0;
}

/* The spec's descriptors are closed when their device goes. */
static int own(int fd, const char *name, int *ret_fd, struct error *err)
{
	*ret_fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return error_set(err, -EINVAL,
				 "host device %s came without its group's descriptors",
				 name);
	return *ret_fd < 0 ? error_set(err, -errno,
				       "cannot copy a descriptor: %m") :
			     0;
}

static void container_put(struct vfio *v, struct vfio_container *c)
{
	struct vfio_container **at = &v->containers;

	if (--c->refs)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	ram_unlisten(v->m->ram, c);
	fd_close(c->fd); /* and nothing is mapped any more */
	free(c);
	ram_pin(v->m->ram, false);
}

/* With its first group: only then can it have an IOMMU's type. */
static int container_add(struct vfio *v, const struct spec_hostdev *spec,
			 struct vfio_group *g, struct error *err)
{
	struct vfio_container *c;
	int fd, r = own(spec->container_fd, spec->name, &fd, err);

	if (r < 0)
		return r;
	r = check_container(fd, err);
	if (r == 0 && (ioctl(g->fd, VFIO_GROUP_SET_CONTAINER, &fd) < 0 ||
		       ioctl(fd, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0))
		r = error_set(err, -errno,
			      "host device %s: the IOMMU refuses its group %u: %m",
			      spec->name, g->number);
	if (r < 0) {
		close(fd);
		return r;
	}
	c = xcalloc(1, sizeof(*c));
	*c = (struct vfio_container){ v->containers, fd, .refs = 1 };
	v->containers = g->container = c;
	ram_pin(v->m->ram, true);
	return ram_listen(v->m->ram, &listener, c, err);
}

static bool container_join(struct vfio *v, struct vfio_group *g)
{
	for (struct vfio_container *c = v->containers; c; c = c->next) {
		if (ioctl(g->fd, VFIO_GROUP_SET_CONTAINER, &c->fd) < 0)
			continue;
		c->refs++;
		g->container = c;
		return true;
	}
	return false;
}

/* ---- groups ---- */

static int check_group(const struct vfio_group *g, const char *name,
		       struct error *err)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };

	if (ioctl(g->fd, VFIO_GROUP_GET_STATUS, &status) < 0)
		return error_set(err, -errno,
				 "host device %s: its descriptor is not a VFIO group's: %m",
				 name);
	if (status.flags & VFIO_GROUP_FLAGS_VIABLE)
		return 0;
	return error_set(err, -EPERM,
			 "host device %s: group %u is not viable: some of its devices are bound to drivers of the host",
			 name, g->number);
}

static void group_free(struct vfio *v, struct vfio_group *g)
{
	if (g->container) {
		ioctl(g->fd, VFIO_GROUP_UNSET_CONTAINER);
		container_put(v, g->container);
	}
	fd_close(g->fd);
	free(g);
}

static int group_add(struct vfio *v, const struct spec_hostdev *spec,
		     struct vfio_group **ret_group, struct error *err)
{
	struct vfio_group *g = xcalloc(1, sizeof(*g));
	int r = own(spec->group_fd, spec->name, &g->fd, err);

	g->number = spec->group;
	g->refs = 1;
	if (r == 0)
		r = check_group(g, spec->name, err);
	if (r == 0 && !container_join(v, g))
		r = container_add(v, spec, g, err);
	if (r < 0) {
		group_free(v, g);
		return r;
	}
	g->next = v->groups;
	v->groups = g;
	*ret_group = g;
	return 0;
}

int vfio_group_get(struct vfio *v, const struct spec_hostdev *spec,
		   struct vfio_group **ret_group, struct error *err)
{
	for (struct vfio_group *g = v->groups; g; g = g->next) {
		if (g->number != spec->group)
			continue;
		g->refs++;
		*ret_group = g;
		return 0;
	}
	return group_add(v, spec, ret_group, err);
}

void vfio_group_put(struct vfio *v, struct vfio_group *g)
{
	struct vfio_group **at = &v->groups;

	if (!g || --g->refs)
		return;
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	group_free(v, g);
}
