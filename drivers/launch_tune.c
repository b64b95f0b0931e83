/*
 * drivers/launch_tune.c -- what a definition says of processors' topology,
 * memory's place, clocks and Hyper-V, for the machine's description.
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"
#include "vmm/spec.h"

#define refuse(err, ...) \
	error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED, __VA_ARGS__)

/* ---- clocks ---- */

/* libvirt's names; those that QEMU's machines refuse, ours refuse too. */
static const struct known_timer {
	const char *name;
	const char *policies[3]; /* that it can have */
	bool presence;		 /* may be switched on and off */
	bool missing;		 /* there is none: present='yes' is refused */
} known_timers[] = {
	{ "platform", { NULL }, false, true },
	{ "pit", { "delay", "discard" }, false, false },
	{ "rtc", { "delay", "catchup" }, false, false },
	{ "hpet", { NULL }, true, false },
	{ "tsc", { NULL }, false, false },
	{ "kvmclock", { NULL }, true, false },
	{ "hypervclock", { NULL }, true, false },
	{ "armvtimer", { NULL }, false, true },
};

static const struct known_timer *find_timer(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(known_timers); i++)
		if (str_eq(known_timers[i].name, name))
			return &known_timers[i];
	return NULL;
}

static bool has_policy(const struct known_timer *k, const char *policy)
{
	for (size_t i = 0; i < ARRAY_SIZE(k->policies); i++)
		if (str_eq(k->policies[i], policy))
			return true;
	return !policy;
}

static int check_timer(const struct dom_timer *t, struct error *err)
{
	const struct known_timer *k = find_timer(t->name);

	if (!k)
		return refuse(err, "<timer>: there is no timer '%s'", t->name);
	if (k->missing && t->present == TRI_ON)
		return refuse(err, "<timer name='%s'>: machines have none; use present='no'",
			      t->name);
	if (!k->missing && !k->presence && t->present == TRI_OFF)
		return refuse(err, "<timer name='%s'>: every machine has it; remove present='no'",
			      t->name);
	if (!has_policy(k, t->tickpolicy))
		return refuse(err, "<timer name='%s'>: tickpolicy '%s' is not supported%s%s%s%s",
			      t->name, t->tickpolicy,
			      k->policies[0] ? ", use '" : "",
			      k->policies[0] ? k->policies[0] : "",
			      k->policies[0] ? "' or '" : "",
			      k->policies[0] ? k->policies[1] : "");
	if (t->extra && strstr(t->extra, "frequency="))
		return refuse(err, "<timer name='%s'>: frequency is not supported, the TSC has the host's",
			      t->name);
	return 0;
}

static const struct dom_timer *timer_of(const struct domain_def *def,
					const char *name)
{
	for (unsigned int i = 0; i < def->n_timers; i++)
		if (str_eq(def->timers[i].name, name))
			return &def->timers[i];
	return NULL;
}

static int64_t number(const char *text)
{
	return text ? strtoll(text, NULL, 10) : 0;
}

/* Seconds that the host's clock on the wall is ahead of UTC. */
static int64_t local_offset(void)
{
	time_t now = time(NULL);
	struct tm tm;

	return localtime_r(&now, &tm) ? tm.tm_gmtoff : 0;
}

/* The machine has no time zones: it gets the difference. */
static int64_t clock_offset(const struct domain_def *def)
{
	int64_t adjustment = number(def->clock_adjustment);

	switch (def->clock) {
	case CLOCK_LOCALTIME:
		return local_offset() + adjustment;
	case CLOCK_VARIABLE:
		return (str_eq(def->clock_basis, "localtime") ?
				local_offset() : 0) + adjustment;
	case CLOCK_ABSOLUTE:
		return number(def->clock_start) - (int64_t)time(NULL);
	default:
		return adjustment;
	}
}

static bool is_number(const char *text)
{
	char *end;

	errno = 0;
	strtoll(text, &end, 10);
	return *text && !*end && !errno;
}

static int check_clock(const struct domain_def *def, struct error *err)
{
	if (def->clock == CLOCK_TIMEZONE)
		return refuse(err, "<clock>: offset 'timezone' is not supported, use 'localtime' or 'variable'");
	if (def->clock_adjustment && !str_eq(def->clock_adjustment, "reset") &&
	    !is_number(def->clock_adjustment))
		return refuse(err, "<clock>: adjustment '%s' is no number of seconds",
			      def->clock_adjustment);
	if (def->clock == CLOCK_ABSOLUTE &&
	    (!def->clock_start || !is_number(def->clock_start)))
		return refuse(err, "<clock offset='absolute'>: start is no number of seconds since 1970");
	for (unsigned int i = 0; i < def->n_timers; i++) {
		int r = check_timer(&def->timers[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

static void build_clock(const struct domain_def *def, struct vmm_spec *s)
{
	const struct dom_timer *rtc = timer_of(def, "rtc");
	const struct dom_timer *hyperv = timer_of(def, "hypervclock");

	s->clock_offset = clock_offset(def);
	s->rtc_catchup = rtc && str_eq(rtc->tickpolicy, "catchup");
	if (hyperv && hyperv->present == TRI_ON)
		s->hyperv |= BIT(SPEC_HV_TIME);
}

/* ---- Hyper-V ---- */

static const struct {
	enum dom_hyperv xml;
	int spec; /* -1: nothing of ours */
} hyperv_pairs[] = {
	{ HYPERV_RELAXED, SPEC_HV_RELAXED },
	{ HYPERV_VAPIC, SPEC_HV_VAPIC },
	{ HYPERV_SPINLOCKS, SPEC_HV_SPINLOCKS },
	{ HYPERV_VPINDEX, SPEC_HV_VPINDEX },
	{ HYPERV_RUNTIME, SPEC_HV_RUNTIME },
	{ HYPERV_SYNIC, SPEC_HV_SYNIC },
	{ HYPERV_STIMER, SPEC_HV_STIMER },
	{ HYPERV_STIMER_DIRECT, SPEC_HV_STIMER_DIRECT },
	{ HYPERV_RESET, SPEC_HV_RESET },
	{ HYPERV_FREQUENCIES, SPEC_HV_FREQUENCIES },
	{ HYPERV_REENLIGHTENMENT, SPEC_HV_REENLIGHTENMENT },
	{ HYPERV_TLBFLUSH, SPEC_HV_TLBFLUSH },
	{ HYPERV_TLBFLUSH_EXTENDED, SPEC_HV_TLBFLUSH_EXTENDED },
	{ HYPERV_IPI, SPEC_HV_IPI },
	{ HYPERV_EVMCS, SPEC_HV_EVMCS },
	{ HYPERV_AVIC, SPEC_HV_AVIC },
	{ HYPERV_XMM_INPUT, SPEC_HV_XMM_INPUT },
	{ HYPERV_TLBFLUSH_DIRECT, -1 },
	{ HYPERV_EMSR_BITMAP, -1 },
};

static int check_hyperv(const struct domain_def *def, struct error *err)
{
	if (str_eq(def->hyperv_mode, "passthrough"))
		return refuse(err, "<hyperv>: mode 'passthrough' is not supported, use 'custom'");
	for (size_t i = 0; i < ARRAY_SIZE(hyperv_pairs); i++)
		if (hyperv_pairs[i].spec < 0 &&
		    def->hyperv[hyperv_pairs[i].xml] == TRI_ON)
			return refuse(err, "<hyperv><%s>: this is not supported, remove it",
				      hyperv_names[hyperv_pairs[i].xml]);
	return 0;
}

static void build_hyperv(const struct domain_def *def, struct vmm_spec *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(hyperv_pairs); i++)
		if (hyperv_pairs[i].spec >= 0 &&
		    def->hyperv[hyperv_pairs[i].xml] == TRI_ON)
			s->hyperv |= BIT(hyperv_pairs[i].spec);
	s->hyperv_retries = def->hyperv_retries;
	if (def->hyperv[HYPERV_VENDOR_ID] == TRI_ON)
		s->hyperv_vendor = xstrdup(def->hyperv_vendor);
	s->kvm_hidden = def->kvm_hidden == TRI_ON;
}

static void switch_feature(struct vmm_spec *s, const char *name, bool on)
{
	s->cpu_features = xrealloc(s->cpu_features, s->n_cpu_features + 1,
				   sizeof(*s->cpu_features));
	s->cpu_features[s->n_cpu_features++] =
		(struct spec_cpu_feature){ xstrdup(name), on };
}

/* What is a feature of the CPU here: kvmclock, and most of <kvm>. */
static void switch_kvm_features(const struct domain_def *def,
				struct vmm_spec *s)
{
	const struct dom_timer *t = timer_of(def, "kvmclock");
	const struct {
		const char *name;
		enum dom_tristate state;
	} switches[] = {
		{ "kvm_poll_control", def->kvm_poll_control },
		{ "kvm_pv_ipi", def->kvm_pv_ipi },
	};

	if (t && t->present == TRI_OFF) {
		switch_feature(s, "kvmclock", false);
		switch_feature(s, "kvmclock_old", false);
		switch_feature(s, "kvmclock_stable_bit", false);
	}
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
		if (switches[i].state != TRI_ABSENT)
			switch_feature(s, switches[i].name,
				       switches[i].state == TRI_ON);
	s->kvm_dedicated = def->kvm_dedicated == TRI_ON;
	if (def->kvm_dirty_ring == TRI_ON)
		s->dirty_ring = def->kvm_dirty_ring_size;
}

/* ---- memory ---- */

static enum spec_numa numa_policy(const char *mode)
{
	if (str_eq(mode, "interleave"))
		return SPEC_NUMA_INTERLEAVE;
	if (str_eq(mode, "preferred"))
		return SPEC_NUMA_PREFERRED;
	return mode ? SPEC_NUMA_STRICT : SPEC_NUMA_NONE;
}

static const struct dom_memnode *memnode_of(const struct dom_numatune *t,
					    unsigned int cell)
{
	for (unsigned int i = 0; i < t->n_memnodes; i++)
		if (t->memnodes[i].cellid == cell)
			return &t->memnodes[i];
	return NULL;
}

/* A sibling that is not named is as far as libvirt says: 20. */
static void build_distances(const struct dom_cell *c, unsigned int self,
			    unsigned int n, struct spec_cell *s)
{
	if (!c->n_distances)
		return;
	s->distances = xcalloc(n, sizeof(*s->distances));
	s->n_distances = n;
	for (unsigned int i = 0; i < n; i++)
		s->distances[i].value = i == self ? 10 : 20;
	for (unsigned int i = 0; i < c->n_distances; i++)
		s->distances[c->distances[i].id].value = c->distances[i].value;
}

static void build_cells(const struct domain_def *def, struct vmm_spec *s)
{
	const struct dom_cpu *cpu = &def->cpu;

	s->cells = xcalloc(cpu->n_cells, sizeof(*s->cells));
	s->n_cells = cpu->n_cells;
	for (unsigned int i = 0; i < cpu->n_cells; i++) {
		const struct dom_memnode *node = memnode_of(&def->numatune, i);
		struct spec_cell *c = &s->cells[i];

		c->cpus = xstrdup(cpu->cells[i].cpus);
		c->memory = ALIGN_UP(dom_cell_bytes(&cpu->cells[i]), MIB);
		c->policy = node ? numa_policy(node->mode) : SPEC_NUMA_NONE;
		c->nodes = node ? xstrdup(node->nodeset) : NULL;
		s->mem_shared |= str_eq(cpu->cells[i].mem_access, "shared");
		build_distances(&cpu->cells[i], i, cpu->n_cells, c);
	}
	if (!s->n_cells)
		return;
	s->memory = 0;
	for (unsigned int i = 0; i < s->n_cells; i++)
		s->memory += s->cells[i].memory;
}

static void build_memory(const struct domain_def *def, struct vmm_spec *s)
{
	const struct dom_backing *b = &def->backing;

	if (b->hugepages)
		s->mem_page_size =
			b->n_pages ? dom_hugepage_bytes(&b->pages[0]) : 2 * MIB;
	s->mem_shared = str_eq(b->source, "memfd") ||
			str_eq(b->access, "shared");
	s->mem_unmerged = b->nosharepages;
	s->mem_locked = b->locked;
	s->mem_allocated = str_eq(b->allocation, "immediate");
	s->mem_policy = numa_policy(def->numatune.mode);
	s->mem_nodes = xstrdup(def->numatune.nodeset);
	build_cells(def, s);
}

static int check_pages(const struct dom_backing *b, struct error *err)
{
	for (unsigned int i = 0; i < b->n_pages; i++) {
		uint64_t size = dom_hugepage_bytes(&b->pages[i]);

		if (size < 64 * KIB || size > GIB || size & (size - 1))
			return refuse(err, "<memoryBacking><hugepages>: there are no huge pages of %s %s",
				      b->pages[i].size,
				      b->pages[i].unit ? b->pages[i].unit : "KiB");
		if (size != dom_hugepage_bytes(&b->pages[0]))
			return refuse(err, "<memoryBacking><hugepages>: pages of one size are supported");
	}
	return 0;
}

static int check_memory(const struct domain_def *def, struct error *err)
{
	const struct dom_backing *b = &def->backing;
	const struct dom_cpu *cpu = &def->cpu;

	if (str_eq(b->source, "file") && b->hugepages)
		return refuse(err, "<memoryBacking>: source type 'file' has no <hugepages>, use 'memfd'");
	if (str_eq(def->numatune.placement, "auto"))
		return refuse(err, "<numatune>: placement 'auto' is not supported, name a nodeset");
	if (str_eq(def->numatune.mode, "restrictive"))
		return refuse(err, "<numatune>: mode 'restrictive' is not supported, use 'strict'");
	for (unsigned int i = 0; i < cpu->n_cells; i++)
		for (unsigned int k = 0; k < cpu->cells[i].n_distances; k++)
			if (cpu->cells[i].distances[k].id >= cpu->n_cells ||
			    cpu->cells[i].distances[k].value < 10)
				return refuse(err, "<numa><cell>: cell %u has a distance that is none",
					      i);
	return check_pages(b, err);
}

/* ---- both together ---- */

int launch_check_tune(const struct domain_def *def, struct error *err)
{
	int r = check_clock(def, err);

	if (r == 0)
		r = check_hyperv(def, err);
	return r < 0 ? r : check_memory(def, err);
}

void launch_build_tune(const struct domain_def *def, struct vmm_spec *s)
{
	s->dies = def->cpu.dies;
	build_clock(def, s);
	build_hyperv(def, s);
	switch_kvm_features(def, s);
	build_memory(def, s);
}
