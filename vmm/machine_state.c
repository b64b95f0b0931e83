/*
 * vmm/machine_state.c -- everything in a machine that has state, but RAM.
 *
 * Order: the guest's clock, vCPUs, interrupt controllers, then devices as they
 * were added.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "vmm/dev/ioapic.h"
#include "vmm/image.h"
#include "vmm/machine_priv.h"
#include "vmm/spec.h"
#include "vmm/state.h"
#include "vmm/throttle.h"
#include "vmm/x86.h"

/* ---- the guest's clock ---- */

struct clock_item {
	struct machine *m;
	uint64_t ns;
	int result;
};

static const struct state_field clock_fields[] = {
	STATE_MAX(struct clock_item, ns, INT64_MAX),
	STATE_END,
};

static void clock_saving(void *obj)
{
	struct clock_item *c = obj;

	if (c->m->engine->get_clock)
		c->result = c->m->engine->get_clock(c->m->vm, &c->ns);
}

static int clock_loaded(void *obj, unsigned int version, struct error *err)
{
	struct clock_item *c = obj;
	int r = 0;

	if (c->m->engine->set_clock)
		r = c->m->engine->set_clock(c->m->vm, c->ns);
	return r < 0 ? error_set(err, r, "cannot set the guest's clock: %m") :
		       0;
}

static const struct state_type clock_state = {
	.name = "clock",
	.version = 1,
	.fields = clock_fields,
	.saving = clock_saving,
	.loaded = clock_loaded,
};

/* ---- vCPUs ---- */

struct cpu_item {
	struct machine_vcpu *v;
	int result;
	struct x86_state s;
};

#define CPU(f) STATE(struct x86_state, f)
#define CPU_BOOL(f) STATE_BOOL(struct x86_state, f)
#define CPU_LATER(f) \
	{ STATE_ONE_(struct x86_state, f), .kind = STATE_INT, .max = 1, \
	  .size = STATE_OF_(struct x86_state, f), .optional = true }

static const struct state_field segment_fields[] = {
	STATE(struct x86_segment, base),
	STATE(struct x86_segment, limit),
	STATE(struct x86_segment, selector),
	STATE(struct x86_segment, attr),
	STATE_BOOL(struct x86_segment, unusable),
	STATE_END,
};

static const struct state_field table_fields[] = {
	STATE(struct x86_table, base),
	STATE(struct x86_table, limit),
	STATE_END,
};

static const struct state_field msr_fields[] = {
	STATE(struct x86_msr, index),
	STATE(struct x86_msr, value),
	STATE_END,
};

static const struct state_field x86_fields[] = {
	STATE_INTS(struct x86_state, gpr),
	CPU(rip),
	CPU(rflags),
	STATE_STRUCTS(struct x86_state, seg, segment_fields),
	STATE_STRUCT(struct x86_state, ldt, segment_fields),
	STATE_STRUCT(struct x86_state, tr, segment_fields),
	STATE_STRUCT(struct x86_state, gdt, table_fields),
	STATE_STRUCT(struct x86_state, idt, table_fields),
	CPU(cr0),
	CPU(cr2),
	CPU(cr3),
	CPU(cr4),
	CPU(cr8),
	CPU(efer),
	STATE_INTS(struct x86_state, dr),
	CPU(xcr0),
	STATE_RAW(struct x86_state, xsave),
	STATE_RAW(struct x86_state, lapic),
	CPU(apic_base),
	CPU(tsc),
	STATE_MAX(struct x86_state, run_state, X86_WAIT_SIPI),
	CPU_LATER(unhalted),
	CPU_BOOL(interrupt_shadow),
	CPU_BOOL(nmi_pending),
	CPU_BOOL(nmi_blocked),
	CPU_BOOL(smm),
	CPU_BOOL(smi_pending),
	CPU(smbase),
	CPU_BOOL(event_pending),
	CPU_BOOL(event_has_error),
	CPU(event_vector),
	CPU(event_type),
	CPU(event_error),
	{ .name = "msrs",
	  .kind = STATE_GROUP,
	  .offset = offsetof(struct x86_state, msrs),
	  .size = sizeof(struct x86_msr),
	  .count = X86_MSRS_MAX,
	  .counter = offsetof(struct x86_state, n_msrs),
	  .fields = msr_fields },
	STATE_END,
};

static const struct state_field cpu_fields[] = {
	STATE_STRUCT(struct cpu_item, s, x86_fields),
	STATE_END,
};

static void cpu_saving(void *obj)
{
	struct cpu_item *c = obj;

	c->result = c->v->m->engine->get_state(c->v->cpu, &c->s);
}

static int cpu_loaded(void *obj, unsigned int version, struct error *err)
{
	struct cpu_item *c = obj;
	int r = c->v->m->engine->set_state(c->v->cpu, &c->s);

	return r < 0 ? error_set(err, r,
				 "the %s engine refuses vCPU %u's state: %m",
				 c->v->m->engine->name, c->v->index) :
		       0;
}

static const struct state_type cpu_state = {
	.name = "cpu",
	.version = 1,
	.fields = cpu_fields,
	.saving = cpu_saving,
	.loaded = cpu_loaded,
};

/* ---- all ---- */

struct states {
	struct state_set set;
	struct clock_item clock;
	unsigned int n_cpus;
	struct cpu_item *cpu;
};

static void add_device(struct state_set *set, const struct machine_device *d)
{
	if (d->ops->state)
		state_add(set, d->ops->state, NULL, d->dev);
	if (d->ops->states)
		d->ops->states(d->dev, set);
	if (!d->ops->state && !d->ops->states && !d->ops->stateless)
		state_lacks(set, d->ops->name);
}

static void states_collect(struct machine *m, struct states *s)
{
	struct machine_priv *p = m->priv;

	*s = (struct states){ .clock.m = m, .n_cpus = p->n_vcpus };
	s->cpu = xcalloc(p->n_vcpus, sizeof(*s->cpu));
	state_add(&s->set, &clock_state, NULL, &s->clock);
	for (unsigned int i = 0; i < p->n_vcpus; i++) {
		s->cpu[i].v = &p->vcpu[i];
		state_add(&s->set, &cpu_state, NULL, &s->cpu[i]);
	}
	ioapic_add_state(m->ioapic, &s->set);
	for (unsigned int i = 0; i < p->n_devices; i++)
		add_device(&s->set, &p->device[i]);
	throttles_states(p->throttles, &s->set);
}

static void states_finish(struct states *s)
{
	state_finish(&s->set);
	free(s->cpu);
}

/* What guests of the guest's own have in the processor is not in x86.h. */
static int no_guests_inside(const struct vmm_spec *spec, struct error *err)
{
	for (unsigned int i = 0; i < spec->n_cpu_features; i++) {
		const struct spec_cpu_feature *f = &spec->cpu_features[i];

		if (f->enable && (str_eq(f->name, "svm") ||
				  str_eq(f->name, "vmx")))
			return error_set(err, -ENOTSUP,
					 "a guest with CPU feature '%s' may run guests of its own: it cannot be saved or migrated",
					 f->name);
	}
	return 0;
}

static int states_complete(const struct states *s, struct error *err)
{
	int r = no_guests_inside(s->clock.m->spec, err);

	if (r < 0 || !s->set.without)
		return r;
	return error_set(err, -ENOTSUP,
			 "device '%s' cannot be saved or migrated",
			 s->set.without);
}

static int states_result(const struct states *s, struct error *err)
{
	int r = s->clock.result;

	for (unsigned int i = 0; i < s->n_cpus && r == 0; i++)
		r = s->cpu[i].result;
	return r < 0 ? error_set(err, r, "cannot read the vCPUs' state: %m") :
		       0;
}

/* Where a guest that sleeps would wake is not saved. */
static int check_awake(const struct machine *m, struct error *err)
{
	return machine_asleep(m) ?
		       error_set(err, -EBUSY,
				 "the guest is suspended to RAM: wake it up first") :
		       0;
}

int machine_check_state(struct machine *m, struct error *err)
{
	struct states s;
	int r = check_awake(m, err);

	if (r < 0)
		return r;
	states_collect(m, &s);
	r = states_complete(&s, err);
	states_finish(&s);
	return r;
}

int machine_get_state(struct machine *m, struct buf *ret_state,
		      struct error *err)
{
	struct states s;
	int r;

	if (!machine_paused(m))
		return error_set(err, -EBUSY, "the machine is not paused");
	machine_act(m); /* what the guest asked for last */
	if (m->priv->gone)
		return error_set(err, -ESHUTDOWN, "the guest has ended");
	machine_quiet(m, true);
	r = check_awake(m, err);
	if (r == 0)
		r = machine_settle_disks(m, err);
	if (r < 0)
		return r;
	states_collect(m, &s);
	r = states_complete(&s, err);
	if (r == 0)
		state_write(&s.set, ret_state);
	if (r == 0)
		r = states_result(&s, err);
	states_finish(&s);
	return r;
}

int machine_set_state(struct machine *m, const void *state, size_t len,
		      struct error *err)
{
	struct states s;
	int r;

	m->priv->loaded = false;
	machine_quiet(m, true);
	states_collect(m, &s);
	r = states_complete(&s, err);
	if (r == 0)
		r = state_read(&s.set, state, len, err);
	states_finish(&s);
	m->priv->loaded = r == 0;
	return r;
}

int machine_prepare(struct machine *m, struct error *err)
{
	if (m->spec->incoming)
		return 0; /* until it has come, there is nothing to run */
	if (m->spec->restore_fd < 0)
		return machine_load(m, err);
	return image_restore(m, m->spec->restore_fd, m->spec->restore_offset,
			     err);
}

int machine_get_cpus(struct machine *m, struct x86_state **ret_cpus,
		     unsigned int *ret_n, struct error *err)
{
	struct machine_priv *p = m->priv;
	struct x86_state *cpus = xcalloc(p->n_vcpus, sizeof(*cpus));

	for (unsigned int i = 0; i < p->n_vcpus; i++) {
		int r = m->engine->get_state(p->vcpu[i].cpu, &cpus[i]);

		if (r < 0) {
			free(cpus);
			return error_set(err, r,
					 "cannot read vCPU %u's state: %m", i);
		}
	}
	*ret_cpus = cpus;
	*ret_n = p->n_vcpus;
	return 0;
}
