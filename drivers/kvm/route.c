/*
 * drivers/kvm/route.c -- the kernel's interrupt routing table.
 *
 * One table for the VM, replaced whole at each change (KVM_SET_GSI_ROUTING).
 * Its first entries mirror the IOAPIC's pins: the kernel reads from them which
 * vectors are level-triggered and must leave as KVM_EXIT_IOAPIC_EOI.  The
 * others belong to eventfds that raise an MSI (vhost, VFIO).
 */
#include "drivers/kvm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/util.h"

int kvm_routing_init(struct vm *vm)
{
	vm->routing = xcalloc(1, sizeof(*vm->routing) +
					 KVM_ROUTES_MAX *
						 sizeof(vm->routing->entries[0]));
	return 0;
}

static struct kvm_irq_routing_entry *find(struct vm *vm, unsigned int gsi)
{
	for (uint32_t i = 0; i < vm->routing->nr; i++)
		if (vm->routing->entries[i].gsi == gsi)
			return &vm->routing->entries[i];
	return NULL;
}

static struct kvm_irq_routing_entry *find_or_add(struct vm *vm,
						 unsigned int gsi)
{
	struct kvm_irq_routing_entry *e = find(vm, gsi);

	if (e || vm->routing->nr == KVM_ROUTES_MAX)
		return e;
	e = &vm->routing->entries[vm->routing->nr++];
	e->gsi = gsi;
	e->type = KVM_IRQ_ROUTING_MSI;
	return e;
}

static int set_route(struct vm *vm, unsigned int gsi, uint64_t addr,
		     uint32_t data)
{
	struct kvm_irq_routing_entry *e = find_or_add(vm, gsi);

	if (!e)
		return -ENOSPC;
	e->u.msi.address_lo = (uint32_t)addr;
	e->u.msi.address_hi = addr >> 32;
	e->u.msi.data = data;
	return ioctl(vm->fd, KVM_SET_GSI_ROUTING, vm->routing) < 0 ? -errno : 0;
}

static int drop_route(struct vm *vm, unsigned int gsi)
{
	struct kvm_irq_routing_entry *e = find(vm, gsi);

	if (!e)
		return 0;
	*e = vm->routing->entries[--vm->routing->nr];
	return ioctl(vm->fd, KVM_SET_GSI_ROUTING, vm->routing) < 0 ? -errno : 0;
}

int kvm_ioapic_route(struct vm *vm, unsigned int pin, uint64_t addr,
		     uint32_t data, bool level, bool masked)
{
	int r;

	if (pin >= KVM_PINS)
		return -EINVAL;
	pthread_mutex_lock(&vm->lock);
	/* A masked pin keeps its route while level-triggered: its EOI may
	 * still be outstanding. */
	r = masked && !level ? drop_route(vm, pin) :
			       set_route(vm, pin, addr, data);
	pthread_mutex_unlock(&vm->lock);
	return r;
}

static int irqfd(struct vm *vm, int eventfd, unsigned int gsi, uint32_t flags)
{
	struct kvm_irqfd req = { .fd = eventfd, .gsi = gsi, .flags = flags };

	return ioctl(vm->fd, KVM_IRQFD, &req) < 0 ? -errno : 0;
}

int kvm_msi_eventfd(struct vm *vm, int eventfd, unsigned int gsi,
		    uint64_t addr, uint32_t data, bool add)
{
	int r;

	if (gsi < KVM_PINS)
		return -EINVAL;
	pthread_mutex_lock(&vm->lock);
	if (add) {
		r = set_route(vm, gsi, addr, data);
		if (r == 0)
			r = irqfd(vm, eventfd, gsi, 0);
		if (r < 0)
			drop_route(vm, gsi);
	} else {
		r = irqfd(vm, eventfd, gsi, KVM_IRQFD_FLAG_DEASSIGN);
		drop_route(vm, gsi);
	}
	pthread_mutex_unlock(&vm->lock);
	return r;
}
