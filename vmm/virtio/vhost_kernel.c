/*
 * vmm/virtio/vhost_kernel.c -- virtqueues that the host's kernel serves
 * (linux/vhost.h).
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "vmm/virtio/vhost.h"

/* #syscalls:vmm ioctl */
/* #ioctls:vmm VHOST_SET_OWNER VHOST_GET_FEATURES */
/* #ioctls:vmm VHOST_SET_FEATURES VHOST_SET_MEM_TABLE VHOST_SET_LOG_BASE */
/* #ioctls:vmm VHOST_SET_VRING_NUM VHOST_SET_VRING_ADDR VHOST_SET_VRING_BASE */
/* #ioctls:vmm VHOST_GET_VRING_BASE VHOST_SET_VRING_KICK VHOST_SET_VRING_CALL */

static int do_ioctl(struct vhost *v, unsigned long request, void *arg)
{
	return ioctl(v->fd, request, arg) < 0 ? -errno : 0;
}

/* Once: the kernel keeps our memory map. */
int vhost_kernel_own(struct vhost *v, struct error *err)
{
	if (ioctl(v->fd, VHOST_SET_OWNER, NULL) < 0 ||
	    ioctl(v->fd, VHOST_GET_FEATURES, &v->features) < 0)
		return error_set(err, -errno, "device '%s': vhost: %m",
				 v->dev->id);
	return 0;
}

int vhost_kernel_features(struct vhost *v, uint64_t features)
{
	return do_ioctl(v, VHOST_SET_FEATURES, &features);
}

int vhost_kernel_memory(struct vhost *v, const struct vhost_region *regions,
			unsigned int n)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region region[VHOST_REGIONS_MAX];
	} m = { .head.nregions = n };

	for (unsigned int i = 0; i < n; i++)
		m.region[i] = (struct vhost_memory_region){
			.guest_phys_addr = regions[i].gpa,
			.memory_size = regions[i].size,
			.userspace_addr = (uintptr_t)regions[i].host,
		};
	return do_ioctl(v, VHOST_SET_MEM_TABLE, &m);
}

int vhost_kernel_log(struct vhost *v, void *log, int fd, uint64_t size)
{
	uint64_t at = (uintptr_t)log;

	return do_ioctl(v, VHOST_SET_LOG_BASE, &at);
}

static int vring_state(struct vhost *v, unsigned long request,
		       unsigned int index, unsigned int num)
{
	struct vhost_vring_state s = { .index = index, .num = num };

	return do_ioctl(v, request, &s);
}

int vhost_kernel_num(struct vhost *v, unsigned int index, unsigned int num)
{
	return vring_state(v, VHOST_SET_VRING_NUM, index, num);
}

int vhost_kernel_base(struct vhost *v, unsigned int index, unsigned int base)
{
	return vring_state(v, VHOST_SET_VRING_BASE, index, base);
}

int vhost_kernel_get_base(struct vhost *v, unsigned int index,
			  unsigned int *ret_base)
{
	struct vhost_vring_state s = { .index = index };
	int r = do_ioctl(v, VHOST_GET_VRING_BASE, &s);

	if (r == 0)
		*ret_base = s.num;
	return r;
}

int vhost_kernel_addr(struct vhost *v, struct vhost_vring_addr *addr)
{
	return do_ioctl(v, VHOST_SET_VRING_ADDR, addr);
}

static int vring_file(struct vhost *v, unsigned long request,
		      unsigned int index, int fd)
{
	struct vhost_vring_file f = { .index = index, .fd = fd };

	return do_ioctl(v, request, &f);
}

int vhost_kernel_kick(struct vhost *v, unsigned int index, int fd)
{
	return vring_file(v, VHOST_SET_VRING_KICK, index, fd);
}

int vhost_kernel_call(struct vhost *v, unsigned int index, int fd)
{
	return vring_file(v, VHOST_SET_VRING_CALL, index, fd);
}
