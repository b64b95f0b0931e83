/*
 * drivers/kvm/slots.c -- the guest's memory, as KVM's slots.
 *
 * The machine's slots below RUNS are KVM's of the same number.  A slot of which
 * only some blocks are there is as many of KVM's slots as it has runs of
 * blocks, under the numbers from RUNS on: what is not in one, the guest cannot
 * touch.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include "base/util.h"
#include "drivers/kvm/kvm.h"

enum { RUNS = KVM_SLOTS, PAGE = 4096 };

struct kvm_run_slot {
	unsigned int slot, id; /* the machine's; KVM's */
	uint64_t at, size;
	bool log, wanted;
};

static int put(struct vm *vm, const struct ram_slot *slot, unsigned int id,
	       uint64_t at, uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = id,
		.flags = (slot->readonly ? KVM_MEM_READONLY : 0) |
			 (slot->log_dirty ? KVM_MEM_LOG_DIRTY_PAGES : 0),
		.guest_phys_addr = slot->gpa + at,
		.memory_size = size,
		.userspace_addr = (uintptr_t)slot->host + at,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region) < 0 ? -errno :
									0;
}

/* ---- runs of blocks ---- */

static unsigned int max_slots(struct vm *vm)
{
	int n;

	if (!vm->max_slots) {
		n = ioctl(vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_NR_MEMSLOTS);
		vm->max_slots = n > RUNS ? n : RUNS;
	}
	return vm->max_slots;
}

static bool has_block(const struct ram_slot *s, uint64_t n)
{
	return s->blocks[n / 64] & BIT64(n % 64);
}

/* The next one from *at on, in bytes. */
static bool next_run(const struct ram_slot *s, uint64_t *at, uint64_t *ret_size)
{
	uint64_t n = *at >> s->block_shift, end;
	uint64_t all = s->size >> s->block_shift;

	while (n < all && !has_block(s, n))
		n++;
	for (end = n; end < all && has_block(s, end);)
		end++;
	*at = n << s->block_shift;
	*ret_size = (end - n) << s->block_shift;
	return end > n;
}

static struct kvm_run_slot *find_run(struct vm *vm, const struct ram_slot *s,
				     uint64_t at, uint64_t size)
{
	for (unsigned int i = 0; i < vm->n_runs; i++) {
		struct kvm_run_slot *r = &vm->runs[i];

		if (r->slot == s->slot && r->at == at && r->size == size)
			return r;
	}
	return NULL;
}

static unsigned int free_id(const struct vm *vm)
{
	unsigned int id = RUNS;

	for (unsigned int i = 0; i < vm->n_runs;) {
		if (vm->runs[i].id == id) {
			id++;
			i = 0;
		} else {
			i++;
		}
	}
	return id;
}

static int add_run(struct vm *vm, const struct ram_slot *s, uint64_t at,
		   uint64_t size)
{
	struct kvm_run_slot run = { .slot = s->slot, .id = free_id(vm),
				    .at = at, .size = size,
				    .log = s->log_dirty };
	int r = run.id < max_slots(vm) ? put(vm, s, run.id, at, size) :
					 -ENOSPC;

	if (r < 0)
		return r;
	vm->runs = xrealloc(vm->runs, vm->n_runs + 1, sizeof(*vm->runs));
	vm->runs[vm->n_runs++] = run;
	return 0;
}

static int drop_unwanted(struct vm *vm, const struct ram_slot *s)
{
	for (unsigned int i = 0; i < vm->n_runs;) {
		struct kvm_run_slot *run = &vm->runs[i];
		int r;

		if (run->slot != s->slot || run->wanted) {
			i++;
			continue;
		}
		r = put(vm, s, run->id, run->at, 0);
		if (r < 0)
			return r;
		*run = vm->runs[--vm->n_runs];
	}
	return 0;
}

/* Logging can be switched without a slot's going. */
static int keep_run(struct vm *vm, const struct ram_slot *s,
		    struct kvm_run_slot *run)
{
	int r = run->log == s->log_dirty ?
			0 :
			put(vm, s, run->id, run->at, run->size);

	run->log = s->log_dirty;
	return r;
}

static int set_runs(struct vm *vm, const struct ram_slot *s)
{
	struct kvm_run_slot *run;
	uint64_t at, size;
	int r;

	for (unsigned int i = 0; i < vm->n_runs; i++)
		vm->runs[i].wanted = false;
	for (at = 0; s->host && next_run(s, &at, &size); at += size)
		if ((run = find_run(vm, s, at, size)))
			run->wanted = true;
	r = drop_unwanted(vm, s);
	for (at = 0; r == 0 && s->host && next_run(s, &at, &size); at += size) {
		run = find_run(vm, s, at, size);
		r = run ? keep_run(vm, s, run) : add_run(vm, s, at, size);
	}
	return r;
}

/* ---- what the engine offers ---- */

static int set(struct vm *vm, const struct ram_slot *slot)
{
	if (slot->smm) /* needs a second address space */
		return -ENOTSUP;
	if (slot->blocks)
		return set_runs(vm, slot);
	return put(vm, slot, slot->slot, 0, slot->host ? slot->size : 0);
}

int kvm_set_ram(struct vm *vm, const struct ram_slot *slot)
{
	int r = set(vm, slot);

	if (r == 0)
		kvm_dirty_slot(vm, slot);
	return r;
}

static int read_one(struct vm *vm, unsigned int id, uint64_t *bitmap)
{
	struct kvm_dirty_log log = { .slot = id, .dirty_bitmap = bitmap };

	return ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log) < 0 ? -errno : 0;
}

/* Blocks are whole words of the bitmap. */
int kvm_read_log(struct vm *vm, const struct ram_slot *slot,
		 uint64_t *ret_bitmap)
{
	int r = 0;

	if (!slot->blocks)
		return read_one(vm, slot->slot, ret_bitmap);
	for (unsigned int i = 0; i < vm->n_runs && r == 0; i++)
		if (vm->runs[i].slot == slot->slot)
			r = read_one(vm, vm->runs[i].id,
				     ret_bitmap +
					     vm->runs[i].at / PAGE / 64);
	return r;
}

bool kvm_find_page(const struct vm *vm, unsigned int id, uint64_t page,
		   unsigned int *ret_slot, uint64_t *ret_page)
{
	*ret_slot = id;
	*ret_page = page;
	if (id < RUNS)
		return true;
	for (unsigned int i = 0; i < vm->n_runs; i++) {
		if (vm->runs[i].id != id)
			continue;
		*ret_slot = vm->runs[i].slot;
		*ret_page = vm->runs[i].at / PAGE + page;
		return true;
	}
	return false;
}
