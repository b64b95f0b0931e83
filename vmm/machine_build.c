/*
 * vmm/machine_build.c -- making a machine from its specification, loading
 * what it starts with, and taking it apart.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "vmm/boot/boot.h"
#include "vmm/boot/bootorder.h"
#include "vmm/bus.h"
#include "vmm/dev/acpi_pm.h"
#include "vmm/dev/cpuhp.h"
#include "vmm/dev/ioapic.h"
#include "vmm/dev/memhp.h"
#include "vmm/dev/pic.h"
#include "vmm/display.h"
#include "vmm/hyperv.h"
#include "vmm/input.h"
#include "vmm/loop.h"
#include "vmm/machine_priv.h"
#include "vmm/memdev.h"
#include "vmm/numa.h"
#include "vmm/ram.h"
#include "vmm/throttle.h"
#include "vmm/x86.h"

/* SDM vol. 3, "IA32_APIC_BASE MSR": globally switched off. */
static void park_state(struct x86_state *s)
{
	s->apic_base &= ~BIT64(11);
}

void machine_add_device(struct machine *m, const struct machine_dev_ops *ops,
			void *dev)
{
	struct machine_priv *p = m->priv;

	p->device = xrealloc(p->device, p->n_devices + 1, sizeof(*p->device));
	p->device[p->n_devices++] =
		(struct machine_device){ .ops = ops, .dev = dev };
}

void machine_remove_device(struct machine *m, void *dev)
{
	struct machine_priv *p = m->priv;

	for (unsigned int i = 0; i < p->n_devices; i++) {
		if (p->device[i].dev != dev)
			continue;
		p->n_devices--;
		memmove(&p->device[i], &p->device[i + 1],
			(p->n_devices - i) * sizeof(*p->device));
		return;
	}
}

/* MSRs as the engine made them: a reset returns to these. */
static void machine_keep_msrs(struct machine *m)
{
	struct machine_priv *p = m->priv;
	struct x86_state *s = xcalloc(1, sizeof(*s));

	if (m->engine->get_state(p->vcpu[0].cpu, s) == 0 &&
	    s->n_msrs <= X86_MSRS_MAX) {
		p->n_msrs = s->n_msrs;
		p->msrs = xcalloc(s->n_msrs + 1, sizeof(*p->msrs));
		memcpy(p->msrs, s->msrs, s->n_msrs * sizeof(*p->msrs));
	}
	free(s);
}

static void reset_state(struct machine *m, unsigned int n, bool parked,
			struct x86_state *s)
{
	struct machine_priv *p = m->priv;

	x86_state_reset(s, n == 0, machine_apic_id(m, n));
	s->n_msrs = p->n_msrs;
	memcpy(s->msrs, p->msrs, p->n_msrs * sizeof(*p->msrs));
	if (parked)
		park_state(s);
}

/* A CPU that comes has the TSC that the boot CPU has by now. */
static void take_tsc(struct machine *m, struct x86_state *s)
{
	enum { MSR_TSC = 0x10 };
	struct x86_state *boot = xcalloc(1, sizeof(*boot));

	if (m->engine->get_state(m->priv->vcpu[0].cpu, boot) == 0)
		s->tsc = boot->tsc;
	for (unsigned int i = 0; i < s->n_msrs; i++)
		if (s->msrs[i].index == MSR_TSC)
			s->msrs[i].value = s->tsc;
	free(boot);
}

/* Hyper-V's registers of which there is one for all vCPUs (TLFS, "Partition
 * Privilege"): identity, hypercall page, clock, crash, reenlightenment. */
static bool of_all_vcpus(uint32_t msr)
{
	return (msr >= 0x40000000 && msr <= 0x40000001) ||
	       (msr >= 0x40000020 && msr <= 0x40000023) ||
	       (msr >= 0x40000100 && msr <= 0x40000118);
}

/* What the others go on using is not the newcomer's to reset. */
static void keep_common_msrs(struct x86_state *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->n_msrs; i++)
		if (!of_all_vcpus(s->msrs[i].index))
			s->msrs[n++] = s->msrs[i];
	s->n_msrs = n;
}

void machine_park_vcpu(struct machine *m, unsigned int n, bool parked)
{
	struct x86_state *s = xcalloc(1, sizeof(*s));

	reset_state(m, n, parked, s);
	keep_common_msrs(s);
	if (!parked)
		take_tsc(m, s);
	if (m->engine->set_state(m->priv->vcpu[n].cpu, s) < 0)
		machine_request_stop(m, STOP_CRASH,
				     "a vCPU's state cannot be set");
	free(s);
}

typedef int boot_fn(struct machine *m, struct x86_state *bsp,
		    struct error *err);

/* The boot processor enters the kernel, the others wait for INIT. */
static int machine_load_cpus(struct machine *m, boot_fn *boot,
			     struct x86_state *s, struct error *err)
{
	struct machine_priv *p = m->priv;

	for (unsigned int i = 0; i < p->n_vcpus; i++) {
		int r = 0;

		reset_state(m, i, !machine_vcpu_there(m, i), s);
		if (i == 0)
			r = boot(m, s, err);
		if (r < 0)
			return r;
		r = m->engine->set_state(p->vcpu[i].cpu, s);
		if (r < 0)
			return error_set(err, r,
					 "cannot set vCPU %u's state: %m", i);
	}
	return 0;
}

static int machine_boot(struct machine *m, boot_fn *boot, struct error *err)
{
	struct x86_state *s = xcalloc(1, sizeof(*s));
	int r = machine_load_cpus(m, boot, s, err);

	free(s);
	m->priv->loaded = r == 0;
	return r;
}

int machine_load(struct machine *m, struct error *err)
{
	return machine_boot(m, boot_load, err);
}

int machine_load_woken(struct machine *m, struct error *err)
{
	return machine_boot(m, boot_wake, err);
}

static int machine_map_ram(struct machine *m, struct error *err)
{
	const struct ram_region *region;
	unsigned int n = ram_regions(m->ram, &region);

	for (unsigned int i = 0; i < n; i++) {
		struct ram_slot slot = {
			.slot = i,
			.gpa = region[i].gpa,
			.size = region[i].size,
			.host = region[i].host,
		};
		int r = memmap_set(m, &slot, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The 64-bit PCI window: after RAM, as far as the guest can address. */
static int machine_layout(struct machine *m, unsigned int phys_bits,
			  struct error *err)
{
	uint64_t limit = BIT64(MIN(phys_bits, 52));
	uint64_t end = ram_end(m->ram);

	if (end > limit)
		return error_set(err, -E2BIG,
				 "guest memory ends above the %u address bits "
				 "of the CPU", phys_bits);
	m->mmio64_base = MAX(ALIGN_UP(end, GIB), RAM_HIGH_BASE);
	if (m->mmio64_base < limit)
		m->mmio64_size = MIN(limit - m->mmio64_base, 64 * GIB);
	return 0;
}

/* Small stacks: handlers are shallow, and a guest costs what it uses. */
static int vcpu_start(struct machine_vcpu *v, struct error *err)
{
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 512 * KIB);
	r = -pthread_create(&v->thread, &attr, machine_vcpu_main, v);
	pthread_attr_destroy(&attr);
	if (r < 0)
		return error_set(err, r, "cannot start vCPU %u's thread: %m",
				 v->index);
	v->started = true;
	return 0;
}

static int machine_add_vcpus(struct machine *m, const struct x86_cpuid *base,
			     struct error *err)
{
	struct machine_priv *p = m->priv;
	struct x86_cpuid *cpuid = xcalloc(1, sizeof(*cpuid));
	unsigned int max = machine_max_vcpus(m);
	int r = 0;

	p->vcpu = xcalloc(max, sizeof(*p->vcpu));
	for (unsigned int i = 0; i < max && r == 0; i++) {
		struct machine_vcpu *v = &p->vcpu[i];

		v->m = m;
		v->index = i;
		*cpuid = *base;
		cpuid_for_vcpu(cpuid, &p->topology, i);
		r = m->engine->vcpu_create(m->vm, machine_apic_id(m, i), cpuid,
					   &v->cpu, err);
		if (r == 0)
			p->n_vcpus++;
	}
	free(cpuid);
	for (unsigned int i = 0; i < p->n_vcpus && r == 0; i++)
		r = vcpu_start(&p->vcpu[i], err);
	return r;
}

static int machine_add_cpus(struct machine *m, struct error *err)
{
	struct x86_cpuid *base = xcalloc(1, sizeof(*base));
	int r = m->engine->cpuid(m->vm, base);

	if (r < 0)
		error_set(err, r, "the %s engine tells no CPUID: %m",
			  m->engine->name);
	if (r == 0)
		r = cpuid_apply_spec(base, m->spec, m->engine->any_vendor,
				     err);
	if (r == 0)
		r = hyperv_check(m->spec,
				 m->engine->hyperv ?
					 m->engine->hyperv(m->vm) : 0,
				 m->engine->name, err);
	if (r == 0)
		hyperv_cpuid(base, m->spec);
	if (r == 0)
		r = machine_layout(m, cpuid_phys_bits(base), err);
	if (r == 0)
		r = machine_add_vcpus(m, base, err);
	free(base);
	if (r == 0)
		machine_keep_msrs(m);
	return r;
}

static void machine_choose_ram(struct machine *m, const char *variant,
			       struct ram_options *ret_options)
{
	const struct vmm_spec *spec = m->spec;
	bool shares = vmm_spec_shares_memory(spec) ||
		      (m->engine->shares_ram && m->engine->shares_ram(variant));
	uint64_t low = vmm_spec_low_max(spec);

	m->mmio32_base = m->q35 ? MIN(spec->memory, low) : MMIO32_BASE;
	*ret_options = (struct ram_options){
		.low_max = low,
		.fd = spec->mem_fd,
		.page_size = spec->mem_page_size,
		.shared = shares || spec->mem_shared,
		.unmerged = spec->mem_unmerged,
		.locked = spec->mem_locked,
		.allocated = spec->mem_allocated,
	};
}

static int machine_create_ram(struct machine *m, const char *variant,
			      struct error *err)
{
	struct ram_options options;
	int r;

	m->q35 = str_eq(m->spec->machine, "q35");
	if (!m->q35 && !str_eq(m->spec->machine, "microvm"))
		return error_set(err, -ENOTSUP, "there is no machine '%s'",
				 m->spec->machine);
	if (!m->q35 && (m->spec->firmware_fd >= 0 || m->spec->nvram_fd >= 0))
		return error_set(err, -ENOTSUP,
				 "the machine 'microvm' has no firmware");
	machine_choose_ram(m, variant, &options);
	r = numa_check(m->spec, err);
	if (r == 0)
		r = ram_create_with(m->spec->memory, &options, &m->ram, err);
	if (r == 0 &&
	    (vmm_spec_shares_memory(m->spec) || m->spec->mem_fd >= 0))
		ram_keep_shared(m->ram);
	if (r == 0)
		r = numa_place(m, err);
	if (r == 0)
		r = ram_settle(m->ram, &options, err);
	return r < 0 ? r : memdev_reserve(m, err);
}

static int machine_check_engine(const struct machine *m, struct error *err)
{
	if (m->spec->dirty_ring && !m->engine->dirty_rings)
		return error_set(err, -ENOTSUP,
				 "the %s engine has no dirty rings: remove <dirty-ring>",
				 m->engine->name);
	return 0;
}

/* Of a machine that is restored it is not known how many it began with. */
static bool vcpus_come_and_go(const struct machine *m)
{
	bool old = m->spec->incoming || m->spec->restore_fd >= 0;
	unsigned int max = machine_max_vcpus(m);

	return max > m->spec->vcpus || (old && max > 1);
}

static const struct machine_listener no_listener;

static void key_pressed(void *machine)
{
	machine_request_wake(machine);
}

static int machine_build(struct machine *m, const char *variant,
			 struct error *err)
{
	struct machine_priv *p = m->priv;
	int r = machine_check_engine(m, err);

	if (r == 0)
		r = machine_create_ram(m, variant, err);

	m->ports = bus_create();
	m->mmio = bus_create();
	m->display = display_create();
	m->input = input_create(m->loop);
	input_on_key(m->input, key_pressed, m);
	if (r == 0)
		r = cpuid_topology(m->spec, &p->topology, err);
	if (r == 0)
		r = m->engine->vm_create(m, m->spec->kvm_fd, variant, &m->vm,
					 err);
	if (r == 0 && !m->q35)
		r = machine_map_ram(m, err);
	if (r < 0)
		return r;
	m->ioapic = ioapic_create(m);
	p->pic = pic_create(m);
	if (!m->q35)
		m->acpi_pm = acpi_pm_create(m);
	if (vcpus_come_and_go(m))
		m->cpuhp = cpuhp_create(m);
	r = memhp_create(m, err);
	if (r == 0)
		r = machine_add_cpus(m, err);
	if (r == 0)
		r = machine_add_devices(m, err);
	if (r == 0)
		r = machine_limit_first(m, err);
	return r;
}

int machine_create(const struct vmm_spec *spec, const struct engine *engine,
		   const char *variant, struct loop *loop,
		   struct machine **ret_m, struct error *err)
{
	struct machine *m = xcalloc(1, sizeof(*m));
	struct machine_priv *p = xcalloc(1, sizeof(*p));
	int r;

	m->spec = spec;
	m->engine = engine;
	m->loop = loop;
	m->priv = p;
	p->listener = &no_listener;
	p->debug_status = -1;
	p->throttles = throttles_create(now_ns);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->go, NULL);
	pthread_cond_init(&p->stopped, NULL);
	timer_create_on(loop, machine_throttle_tick, m, &p->throttle_timer);
	r = machine_build(m, variant, err);
	if (r < 0) {
		machine_destroy(m);
		return r;
	}
	*ret_m = m;
	return 0;
}

static void machine_join(struct machine *m)
{
	struct machine_priv *p = m->priv;

	machine_halt(m);
	pthread_mutex_lock(&p->lock);
	p->exit = true;
	pthread_cond_broadcast(&p->go);
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 0; i < p->n_vcpus; i++) {
		if (p->vcpu[i].started)
			pthread_join(p->vcpu[i].thread, NULL);
		m->engine->vcpu_destroy(p->vcpu[i].cpu);
	}
	p->n_vcpus = 0;
}

void machine_destroy(struct machine *m)
{
	struct machine_priv *p;

	if (!m)
		return;
	p = m->priv;
	machine_join(m);
	timer_destroy(p->throttle_timer);
	while (p->n_devices--) {
		struct machine_device *d = &p->device[p->n_devices];

		if (d->ops->destroy)
			d->ops->destroy(d->dev);
	}
	throttles_destroy(p->throttles);
	bootorder_free(m);
	ioapic_destroy(m->ioapic);
	display_destroy(m->display);
	input_destroy(m->input);
	if (m->vm)
		m->engine->vm_destroy(m->vm);
	bus_destroy(m->ports);
	bus_destroy(m->mmio);
	free(m->vfio);
	ram_destroy(m->ram);
	pthread_cond_destroy(&p->go);
	pthread_cond_destroy(&p->stopped);
	pthread_mutex_destroy(&p->lock);
	free(p->device);
	free(p->vcpu);
	free(p->msrs);
	free(p->detail);
	free(p);
	free(m);
}
