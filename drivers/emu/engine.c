/*
 * drivers/emu/engine.c -- the emulator as an engine (vmm/engine.h).
 *
 * A VM is RAM slots, vCPUs and the thread of their timers; struct vcpu is the
 * interpreter's struct emu_cpu.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/auxv.h>

#include "base/error.h"
#include "drivers/emu/direct.h"
#include "drivers/emu/hyperv.h"
#include "drivers/emu/jit.h"
#include "drivers/emu/lapic.h"
#include "vmm/machine.h"
#include "vmm/spec.h"

static struct emu_cpu *to_emu(struct vcpu *cpu)
{
	return (struct emu_cpu *)cpu;
}

static void tell_all(struct vm *vm, uint32_t bits)
{
	unsigned int n = atomic_load(&vm->n_cpus);

	for (unsigned int i = 0; i < n; i++)
		if (vm->cpus[i])
			emu_notify(vm->cpus[i], bits);
}

static void close_file(FILE *f)
{
	if (f)
		fclose(f);
}

static void emu_vm_destroy(struct vm *vm)
{
	if (!vm)
		return;
	lapic_timers_stop(vm);
	for (unsigned int i = 0; i < EMU_SLOTS; i++) {
		free(vm->slots[i].pages);
		free(vm->slots[i].dirty);
	}
	close_file(vm->jit_dump);
	close_file(vm->perf_map);
	direct_zygote_destroy(vm);
	pthread_mutex_destroy(&vm->split_lock);
	pthread_mutex_destroy(&vm->changes.lock);
	free(vm);
}

/* The translator uses RORX. */
static bool can_translate(void)
{
	return __builtin_cpu_supports("bmi2");
}

/* ... and of user code nothing: direct.h. */
static bool can_run_directly(void)
{
	enum { FSGSBASE = 2 }; /* Linux: Documentation/x86/fsgs.rst */

	return can_translate() && __builtin_cpu_supports("avx") &&
	       getauxval(AT_HWCAP2) & FSGSBASE;
}

static bool emu_shares_ram(const char *variant)
{
	return (!variant || str_eq(variant, "jit") ||
		str_eq(variant, "direct")) &&
	       can_run_directly();
}

/* Translator or interpreter, or each to check the other. */
static int choose_variant(struct vm *vm, const char *variant,
			  struct error *err)
{
	if (!variant) {
		vm->translates = can_translate();
		return 0;
	}
	if (str_eq(variant, "interp"))
		return 0;
	vm->lockstep = str_eq(variant, "lockstep");
	vm->direct_always = str_eq(variant, "direct");
	if (!vm->lockstep && !vm->direct_always && !str_eq(variant, "jit") &&
	    !str_eq(variant, "translator"))
		return error_set(err, -EINVAL,
				 "the emu engine has no variant '%s'", variant);
	if (!can_translate())
		return error_set(err, -ENOTSUP,
				 "the variant '%s' of the emu engine needs a CPU with BMI2",
				 variant);
	if (vm->lockstep && vm->m && vm->m->spec && vm->m->spec->vcpus > 1)
		return error_set(err, -ENOTSUP,
				 "the variant 'lockstep' of the emu engine runs one vCPU");
	vm->translates = true;
	return 0;
}

static int open_file(int fd, FILE **ret, struct error *err)
{
	int own = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return 0;
	*ret = own < 0 ? NULL : fdopen(own, "w");
	return *ret ? 0 : error_set(err, -errno,
				    "cannot write what was translated: %m");
}

static int open_files(struct vm *vm, const struct machine *m,
		      struct error *err)
{
	int r;

	if (!m || !m->spec)
		return 0;
	r = open_file(m->spec->jit_dump_fd, &vm->jit_dump, err);
	return r < 0 ? r :
		       open_file(m->spec->perf_map_fd, &vm->perf_map, err);
}

static int emu_vm_create(struct machine *m, int fd, const char *variant,
			 struct vm **ret_vm, struct error *err)
{
	struct vm *vm;
	int r;

	r = vec_init();
	if (r < 0)
		return error_set(err, r, "cannot prepare the vector unit: %m");
	vm = xcalloc(1, sizeof(*vm));
	vm->m = m;
	vm->zygote = -1;
	r = choose_variant(vm, variant, err);
	if (r == 0)
		r = open_files(vm, m, err);
	if (r < 0) {
		emu_vm_destroy(vm);
		return r;
	}
	pthread_mutex_init(&vm->split_lock, NULL);
	pthread_mutex_init(&vm->changes.lock, NULL);
	kvmclock_start(vm);
	if (m && m->ram && emu_shares_ram(variant))
		direct_zygote_create(vm); /* or everything is translated */
	r = lapic_timers_start(vm);
	if (r < 0) {
		emu_vm_destroy(vm);
		return error_set(err, r, "cannot start the timer thread: %m");
	}
	*ret_vm = vm;
	return 0;
}

static int emu_engine_cpuid(struct vm *vm, struct x86_cpuid *ret_cpuid)
{
	emu_cpuid_host(ret_cpuid);
	return 0;
}

static unsigned int emu_hyperv(struct vm *vm)
{
	return hyperv_offered();
}

/* vCPUs are stopped, or the slot is one they do not use yet. */
static int emu_set_ram(struct vm *vm, const struct ram_slot *slot)
{
	struct emu_slot *s;
	size_t pages = slot->size >> EMU_PAGE_SHIFT;

	if (slot->slot >= EMU_SLOTS)
		return -ENOSPC;
	s = &vm->slots[slot->slot];
	if (!slot->host || s->host != slot->host || s->size != slot->size) {
		free(s->pages);
		s->pages = slot->host ? calloc(pages, sizeof(*s->pages)) : NULL;
		if (slot->host && !s->pages)
			return -ENOMEM;
	}
	free(s->dirty);
	s->dirty = slot->log_dirty ? calloc(pages / 64 + 1, 8) : NULL;
	s->gpa = slot->gpa;
	s->size = slot->size;
	s->host = slot->host;
	s->readonly = slot->readonly;
	s->smm = slot->smm;
	s->blocks = slot->blocks;
	s->block_shift = slot->block_shift;
	if (slot->slot >= vm->n_slots)
		vm->n_slots = slot->slot + 1;
	tell_all(vm, PEND_FLUSH_ALL);
	return 0;
}

/*
 * Fetches and clears, and then takes all write tags away.  A write in between
 * was to a page that is in the bitmap, which is read when this has returned;
 * each later one marks its page again.
 */
static int emu_dirty_pages(struct vm *vm, const struct ram_slot *slot,
			   uint64_t *ret_bitmap)
{
	struct emu_slot *s;

	if (slot->slot >= EMU_SLOTS)
		return -EINVAL;
	s = &vm->slots[slot->slot];
	if (!s->dirty)
		return -ENOENT;
	for (size_t n = 0; n < (s->size >> EMU_PAGE_SHIFT) / 64 + 1; n++)
		ret_bitmap[n] = atomic_exchange(&s->dirty[n], 0);
	emu_sync_all(vm, PEND_WRITES);
	return 0;
}

static int emu_vcpu_create(struct vm *vm, unsigned int id,
			   const struct x86_cpuid *cpuid, struct vcpu **ret_cpu,
			   struct error *err)
{
	unsigned int n = atomic_load(&vm->n_cpus);
	struct emu_cpu *cpu;

	if (n >= ARRAY_SIZE(vm->cpus))
		return error_set(err, -ENOSPC,
				 "the emu engine has at most %zu vCPUs",
				 ARRAY_SIZE(vm->cpus));
	cpu = emu_cpu_create(vm, id);
	if (!cpu)
		return error_set(err, -ENOMEM, "out of memory");
	cpu->cpuid = *cpuid;
	cpu->lapic = lapic_create(cpu, id);
	hyperv_cpu_create(cpu);
	vm->cpus[n] = cpu;
	atomic_store(&vm->n_cpus, n + 1);
	*ret_cpu = (struct vcpu *)cpu;
	return 0;
}

static void emu_vcpu_destroy(struct vcpu *vcpu)
{
	struct emu_cpu *cpu = to_emu(vcpu);
	struct lapic_timers *t;

	if (!cpu)
		return;
	t = cpu->vm->timers;
	lapic_timers_forget(t, cpu);
	emu_cpu_destroy(cpu);
}

static enum run_result emu_engine_run(struct vcpu *cpu)
{
	return emu_run(to_emu(cpu));
}

static void emu_kick(struct vcpu *cpu)
{
	emu_notify(to_emu(cpu), PEND_KICK);
}

static int emu_get_state(struct vcpu *cpu, struct x86_state *ret_state)
{
	emu_cpu_get(to_emu(cpu), ret_state);
	return 0;
}

static int emu_set_state(struct vcpu *cpu, const struct x86_state *state)
{
	emu_cpu_set(to_emu(cpu), state);
	return 0;
}

static void emu_nmi(struct vcpu *cpu)
{
	lapic_nmi(to_emu(cpu));
}

static void emu_smi(struct vcpu *cpu)
{
	emu_notify(to_emu(cpu), PEND_SMI);
}

static bool emu_in_smm(struct vcpu *cpu)
{
	return to_emu(cpu)->smm;
}

/* Bit 20 is masked where translations are made. */
static void emu_a20(struct vm *vm, bool on)
{
	uint64_t off = on ? 0 : BIT64(20);

	if (vm->a20_off == off)
		return;
	vm->a20_off = off;
	tell_all(vm, PEND_FLUSH_ALL);
}

/* vCPUs are stopped.  The guest's TSC and timers go on where they stood. */
static void emu_pause_clock(struct vm *vm, bool paused)
{
	unsigned int n = atomic_load(&vm->n_cpus);
	uint64_t now = emu_host_tsc();

	if (vm->paused == paused)
		return;
	vm->paused = paused;
	lapic_timers_pause(vm, paused);
	if (paused) {
		vm->pause_tsc = now;
		return;
	}
	for (unsigned int i = 0; i < n && !vm->fresh; i++)
		if (vm->cpus[i])
			vm->cpus[i]->tsc_offset -= now - vm->pause_tsc;
	vm->fresh = false;
	kvmclock_resume(vm);
	hyperv_resume(vm);
}

static int emu_get_clock(struct vm *vm, uint64_t *ret_ns)
{
	*ret_ns = kvmclock_get(vm);
	return 0;
}

static int emu_set_clock(struct vm *vm, uint64_t ns)
{
	kvmclock_set_time(vm, ns);
	return 0;
}

static uint64_t emu_time_elsewhere(struct vcpu *cpu)
{
	return *(volatile uint64_t *)&to_emu(cpu)->direct.n_ns;
}

/* Names: docs/man/vireo-vmm.8.  All are sums over the vCPUs. */
static const struct {
	const char *name;
	size_t offset;
} counters[] = {
	{ "instructions", offsetof(struct emu_cpu, n_insns) },
	{ "blocks", offsetof(struct emu_cpu, n_blocks) },
	{ "tlb_misses", offsetof(struct emu_cpu, n_tlb_miss) },
	{ "tlb_flushes", offsetof(struct emu_cpu, n_tlb_flush) },
	{ "decoded", offsetof(struct emu_cpu, n_decoded) },
	{ "exits", offsetof(struct emu_cpu, n_exits) },
	{ "jit_blocks", offsetof(struct emu_cpu, jit.n_blocks) },
	{ "jit_slow", offsetof(struct emu_cpu, jit.n_slow) },
	{ "jit_helpers", offsetof(struct emu_cpu, jit.n_helper) },
	{ "jit_links", offsetof(struct emu_cpu, jit.n_link) },
	{ "jit_lookups", offsetof(struct emu_cpu, jit.n_lookup) },
	{ "jit_faults", offsetof(struct emu_cpu, jit.n_fault) },
	{ "jit_kicks", offsetof(struct emu_cpu, jit.n_kick) },
	{ "jit_drops", offsetof(struct emu_cpu, jit.n_drop) },
	{ "jit_flushes", offsetof(struct emu_cpu, jit.n_flush) },
	{ "direct_visits", offsetof(struct emu_cpu, direct.n_visits) },
	{ "direct_misses", offsetof(struct emu_cpu, direct.n_maps) },
	{ "direct_pages", offsetof(struct emu_cpu, direct.n_pages) },
	{ "direct_ns", offsetof(struct emu_cpu, direct.n_ns) },
};

/* The vCPUs count without locks: a sum may be a moment old. */
static uint64_t sum_counter(struct vm *vm, size_t offset)
{
	unsigned int n = atomic_load(&vm->n_cpus);
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++)
		if (vm->cpus[i])
			sum += *(volatile uint64_t *)((uint8_t *)vm->cpus[i] +
						      offset);
	return sum;
}

static uint64_t code_used(struct vm *vm)
{
	unsigned int n = atomic_load(&vm->n_cpus);
	uint64_t sum = 0;

	for (unsigned int i = 0; i < n; i++)
		if (vm->cpus[i])
			sum += jit_code_used(jit_of(vm->cpus[i]));
	return sum;
}

static void emu_stats(struct vm *vm,
		      void (*emit)(void *arg, const char *name, uint64_t value),
		      void *arg)
{
	for (unsigned int c = 0; c < ARRAY_SIZE(counters); c++)
		if (vm->translates || !str_startswith(counters[c].name, "jit_"))
			emit(arg, counters[c].name,
			     sum_counter(vm, counters[c].offset));
	if (vm->translates)
		emit(arg, "jit_code_bytes", code_used(vm));
}

const struct engine emu_engine = {
	.name = "emu",
	.any_vendor = true,
	.cheap_exits = true,
	.shares_ram = emu_shares_ram,
	.vm_create = emu_vm_create,
	.vm_destroy = emu_vm_destroy,
	.cpuid = emu_engine_cpuid,
	.hyperv = emu_hyperv,
	.set_ram = emu_set_ram,
	.dirty_pages = emu_dirty_pages,
	.msi = lapic_msi,
	.extint = lapic_extint,
	.ioapic_route = NULL, /* every EOI is reported */
	.vcpu_create = emu_vcpu_create,
	.vcpu_destroy = emu_vcpu_destroy,
	.run = emu_engine_run,
	.kick = emu_kick,
	.get_state = emu_get_state,
	.set_state = emu_set_state,
	.nmi = emu_nmi,
	.smi = emu_smi,
	.in_smm = emu_in_smm,
	.a20 = emu_a20,
	.pause_clock = emu_pause_clock,
	.get_clock = emu_get_clock,
	.set_clock = emu_set_clock,
	.doorbell = NULL,    /* a bus_io() is cheap here */
	.msi_eventfd = NULL, /* no vhost with an emulated CPU */
	.time_elsewhere = emu_time_elsewhere,
	.stats = emu_stats,
};
