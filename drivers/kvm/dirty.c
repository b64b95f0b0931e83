/*
 * drivers/kvm/dirty.c -- which pages a guest wrote to, in either of the
 * kernel's ways.
 *
 * A log is a bitmap for each slot, which the kernel keeps; reading it protects
 * what was written again.
 *
 * A ring (KVM_CAP_DIRTY_LOG_RING) belongs to a vCPU: entries of slot and page,
 * that are taken from it and given back.  What it costs follows from what the
 * guest writes and not from its size.  A vCPU whose ring is full leaves the
 * guest, and empties it.
 *
 * #syscalls:vmm ioctl mmap munmap
 */
#include "drivers/kvm/kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/error.h"
#include "vmm/spec.h"

enum { PAGE = 4096 };

/* ---- choosing ---- */

static int enable(struct vm *vm, uint32_t cap, uint64_t arg)
{
	struct kvm_enable_cap ec = { .cap = cap, .args = { arg } };

	return ioctl(vm->fd, KVM_ENABLE_CAP, &ec) < 0 ? -errno : 0;
}

static int has(struct vm *vm, int cap)
{
	return MAX(ioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, cap), 0);
}

/* Both are the same on x86, whose memory order is strong enough. */
static uint32_t ring_cap(struct vm *vm, unsigned int *ret_max)
{
	uint32_t cap = has(vm, KVM_CAP_DIRTY_LOG_RING_ACQ_REL) ?
			       KVM_CAP_DIRTY_LOG_RING_ACQ_REL :
			       KVM_CAP_DIRTY_LOG_RING;

	*ret_max = has(vm, cap) / sizeof(struct kvm_dirty_gfn);
	return cap;
}

static int use_rings(struct vm *vm, unsigned int entries, struct error *err)
{
	unsigned int max;
	uint32_t cap = ring_cap(vm, &max);
	int r;

	if (entries < DIRTY_RING_MIN || (entries & (entries - 1)))
		return error_set(err, -EINVAL,
				 "a dirty ring of %u entries: there are rings of a power of two from %d on",
				 entries, DIRTY_RING_MIN);
	if (!max)
		return error_set(err, -ENOTSUP,
				 "this host's KVM has no dirty rings: use a kernel from 5.11 on, or remove <dirty-ring>");
	if (entries > max)
		return error_set(err, -ENOTSUP,
				 "a dirty ring of %u entries: this host's KVM has up to %u",
				 entries, max);
	r = enable(vm, cap, entries * sizeof(struct kvm_dirty_gfn));
	if (r < 0)
		return error_set(err, r, "KVM refuses dirty rings of %u entries: %m",
				 entries);
	vm->ring_entries = entries;
	return 0;
}

int kvm_dirty_init(struct vm *vm, unsigned int ring, struct error *err)
{
	return ring ? use_rings(vm, ring, err) : 0;
}

void kvm_dirty_finish(struct vm *vm)
{
	for (unsigned int i = 0; i < KVM_SLOTS; i++)
		free(vm->dirty[i].bits);
}

/* ---- rings ---- */

static size_t ring_bytes(const struct vm *vm)
{
	return vm->ring_entries * sizeof(struct kvm_dirty_gfn);
}

int kvm_ring_map(struct vcpu *cpu)
{
	struct vm *vm = cpu->vm;
	void *p;

	if (!vm->ring_entries)
		return 0;
	p = mmap(NULL, ring_bytes(vm), PROT_READ | PROT_WRITE, MAP_SHARED,
		 cpu->fd, KVM_DIRTY_LOG_PAGE_OFFSET * PAGE);
	if (p == MAP_FAILED)
		return -errno;
	cpu->ring = p;
	pthread_mutex_lock(&vm->dirty_lock);
	cpu->next_ring = vm->rings;
	vm->rings = cpu;
	pthread_mutex_unlock(&vm->dirty_lock);
	return 0;
}

void kvm_ring_unmap(struct vcpu *cpu)
{
	struct vcpu **at;

	if (!cpu->ring)
		return;
	pthread_mutex_lock(&cpu->vm->dirty_lock);
	for (at = &cpu->vm->rings; *at != cpu; at = &(*at)->next_ring)
		;
	*at = cpu->next_ring;
	pthread_mutex_unlock(&cpu->vm->dirty_lock);
	munmap(cpu->ring, ring_bytes(cpu->vm));
	cpu->ring = NULL;
}

static void note(struct vm *vm, const struct kvm_dirty_gfn *e)
{
	unsigned int id = e->slot & 0xffff; /* above: the address space */
	struct kvm_dirty_slot *d;
	unsigned int slot;
	uint64_t page;

	if (!kvm_find_page(vm, id, e->offset, &slot, &page))
		return;
	d = &vm->dirty[slot];
	if (d->bits && page < d->pages)
		d->bits[page / 64] |= BIT64(page % 64);
}

/*
 * API 8.29: an entry is the kernel's (0), then ours (DIRTY), then the kernel's
 * again once we said so (RESET).
 */
static bool take(struct vcpu *cpu)
{
	struct vm *vm = cpu->vm;
	bool any = false;

	for (;;) {
		struct kvm_dirty_gfn *e =
			&cpu->ring[cpu->ring_at & (vm->ring_entries - 1)];

		if (!(__atomic_load_n(&e->flags, __ATOMIC_ACQUIRE) &
		      KVM_DIRTY_GFN_F_DIRTY))
			return any;
		note(vm, e);
		__atomic_store_n(&e->flags, KVM_DIRTY_GFN_F_RESET,
				 __ATOMIC_RELEASE);
		cpu->ring_at++;
		any = true;
	}
}

static int empty_rings(struct vm *vm)
{
	bool any = false;

	for (struct vcpu *cpu = vm->rings; cpu; cpu = cpu->next_ring)
		any |= take(cpu);
	return any && ioctl(vm->fd, KVM_RESET_DIRTY_RINGS, 0) < 0 ? -errno : 0;
}

int kvm_ring_full(struct vm *vm)
{
	int r;

	pthread_mutex_lock(&vm->dirty_lock);
	r = empty_rings(vm);
	pthread_mutex_unlock(&vm->dirty_lock);
	return r;
}

/* What a processor has noted but not yet written into a ring (Intel's page
 * modification log) comes when the vCPU next leaves the guest; its page stays
 * writable until then, so nothing is lost. */
static int read_rings(struct vm *vm, const struct ram_slot *slot,
		      uint64_t *ret_bitmap)
{
	struct kvm_dirty_slot *d = &vm->dirty[slot->slot];
	int r;

	pthread_mutex_lock(&vm->dirty_lock);
	r = empty_rings(vm);
	for (uint64_t i = 0; i < (d->pages + 63) / 64; i++) {
		ret_bitmap[i] = d->bits[i];
		d->bits[i] = 0;
	}
	pthread_mutex_unlock(&vm->dirty_lock);
	return r;
}

/* ---- slots ---- */

/* A slot is or is no longer logged. */
void kvm_dirty_slot(struct vm *vm, const struct ram_slot *slot)
{
	struct kvm_dirty_slot *d;
	bool on = slot->host && slot->log_dirty;

	if (!vm->ring_entries)
		return;
	d = &vm->dirty[slot->slot];
	pthread_mutex_lock(&vm->dirty_lock);
	free(d->bits);
	*d = (struct kvm_dirty_slot){ 0 };
	if (on) {
		d->pages = slot->size / PAGE;
		d->bits = xcalloc(d->pages / 64 + 1, sizeof(*d->bits));
	}
	pthread_mutex_unlock(&vm->dirty_lock);
}

int kvm_dirty_pages(struct vm *vm, const struct ram_slot *slot,
		    uint64_t *ret_bitmap)
{
	return vm->ring_entries ? read_rings(vm, slot, ret_bitmap) :
				  kvm_read_log(vm, slot, ret_bitmap);
}
