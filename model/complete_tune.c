/*
 * model/complete_tune.c -- NUMA cells, pinning and I/O threads: defaults, and
 * sets that must be right.
 */
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

#include "model/complete.h"
#include "base/cpuset.h"

#define bad(err, ...) error_virt(err, VIR_ERR_XML_ERROR, __VA_ARGS__)

/* Written as one writes it: "0-3,8". */
static int normal_set(char **text, const char *what, struct error *err)
{
	struct cpuset set;

	if (!*text)
		return 0;
	if (cpuset_parse(*text, &set) < 0)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "Failed to parse bitmap '%.80s' of %s",
				  *text, what);
	free(*text);
	*text = cpuset_format(&set);
	return 0;
}

static int complete_pins(struct dom_pin *pins, unsigned int n,
			 const char *what, struct error *err)
{
	for (unsigned int i = 0; i < n; i++) {
		int r = normal_set(&pins[i].cpuset, what, err);

		if (r < 0)
			return r;
		for (unsigned int k = 0; k < i; k++)
			if (pins[k].id == pins[i].id)
				return bad(err, "duplicate %s for id '%u'",
					   what, pins[i].id);
	}
	return 0;
}

static bool overlap(const struct cpuset *a, const struct cpuset *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(a->word); i++)
		if (a->word[i] & b->word[i])
			return true;
	return false;
}

static int check_scheds(const struct dom_sched *scheds, unsigned int n,
			const char *what, struct error *err)
{
	struct cpuset one, other;

	for (unsigned int i = 0; i < n; i++) {
		if (!scheds[i].ids || cpuset_parse(scheds[i].ids, &one) < 0)
			return bad(err, "'%s' needs a set of ids", what);
		for (unsigned int k = 0; k < i; k++) {
			cpuset_parse(scheds[k].ids, &other);
			if (overlap(&one, &other))
				return bad(err, "'%s' attributes must not overlap",
					   what);
		}
	}
	return 0;
}

static bool has_iothread(const struct domain_def *def, unsigned int id)
{
	for (unsigned int i = 0; i < def->n_iothreadids; i++)
		if (def->iothreadids[i].id == id)
			return true;
	return false;
}

/* Once the I/O threads are known. */
static int check_iothreadscheds(const struct domain_def *def,
				struct error *err)
{
	const struct dom_cputune *t = &def->cputune;
	int r = check_scheds(t->iothreadscheds, t->n_iothreadscheds,
			     "iothreadsched", err);
	struct cpuset set;

	for (unsigned int i = 0; r == 0 && i < t->n_iothreadscheds; i++) {
		cpuset_parse(t->iothreadscheds[i].ids, &set);
		for (unsigned int id = 0; id < CPUSET_MAX; id++)
			if (cpuset_has(&set, id) && !has_iothread(def, id))
				return error_virt(err,
						  VIR_ERR_CONFIG_UNSUPPORTED,
						  "Cannot find 'iothread' : %u",
						  id);
	}
	return r;
}

static int complete_cputune(struct domain_def *def, struct error *err)
{
	struct dom_cputune *t = &def->cputune;
	int r = complete_pins(t->vcpupins, t->n_vcpupins, "vcpupin", err);

	if (r == 0)
		r = complete_pins(t->iothreadpins, t->n_iothreadpins,
				  "iothreadpin", err);
	if (r == 0)
		r = normal_set(&t->emulatorpin, "emulatorpin", err);
	if (r == 0)
		r = check_scheds(t->vcpuscheds, t->n_vcpuscheds, "vcpusched",
				 err);
	return r;
}

/* <iothreads> counts; <iothreadids> names; either makes the other. */
static int complete_iothreads(struct domain_def *def, struct error *err)
{
	unsigned int next = 1;

	if (def->n_iothreadids > def->iothreads)
		def->iothreads = def->n_iothreadids;
	if (def->iothreads > 1024)
		return bad(err, "%u I/O threads are more than 1024",
			   def->iothreads);
	for (unsigned int i = 0; i < def->n_iothreadids; i++) {
		if (!def->iothreadids[i].id)
			return bad(err, "an iothread id must be positive");
		for (unsigned int k = 0; k < i; k++)
			if (def->iothreadids[k].id == def->iothreadids[i].id)
				return bad(err, "duplicate iothread id '%u'",
					   def->iothreadids[i].id);
	}
	while (def->n_iothreadids < def->iothreads) {
		unsigned int i = 0;

		while (i < def->n_iothreadids &&
		       def->iothreadids[i].id != next)
			i++;
		if (i == def->n_iothreadids)
			def_append(def->iothreadids, def->n_iothreadids)->id =
				next;
		next++;
	}
	return 0;
}

static int complete_cell(struct dom_cell *c, unsigned int i, struct error *err)
{
	uint64_t bytes = dom_cell_bytes(c);

	if ((unsigned int)c->id != i)
		return bad(err, "NUMA cells' ids must be different, from 0 without a gap");
	if (!bytes)
		return bad(err, "'%.40s' is no memory size of NUMA cell %u",
			   c->memory, i);
	free(c->memory);
	free(c->unit);
	c->memory = xasprintf("%llu", (unsigned long long)
			      (ALIGN_UP(bytes, KIB) / KIB));
	c->unit = xstrdup("KiB");
	return normal_set(&c->cpus, "NUMA cell", err);
}

/* Every vCPU in one cell at most. */
static int check_cells(const struct domain_def *def, struct error *err)
{
	struct cpuset all = { 0 }, one;

	for (unsigned int i = 0; i < def->cpu.n_cells; i++) {
		if (!def->cpu.cells[i].cpus)
			continue;
		cpuset_parse(def->cpu.cells[i].cpus, &one);
		for (unsigned int n = 0; n < CPUSET_MAX; n++) {
			if (!cpuset_has(&one, n))
				continue;
			if (cpuset_has(&all, n))
				return bad(err, "NUMA cells %u and an earlier one have overlapping vCPU ids",
					   i);
			cpuset_add(&all, n);
		}
	}
	if (cpuset_last(&all) >= (int)def->max_vcpus)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "Number of CPUs in <numa> exceeds the <vcpu> count");
	return 0;
}

static int compare_cells(const void *a, const void *b)
{
	return ((const struct dom_cell *)a)->id -
	       ((const struct dom_cell *)b)->id;
}

/* They may be written in any order; those without an id are in their place. */
static void sort_cells(struct dom_cell *cells, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (cells[i].id < 0)
			cells[i].id = i;
	qsort(cells, n, sizeof(*cells), compare_cells);
}

/* The cells' memory is the domain's. */
static int complete_cells(struct domain_def *def, struct error *err)
{
	uint64_t sum = 0;

	if (!def->cpu.n_cells)
		return 0;
	sort_cells(def->cpu.cells, def->cpu.n_cells);
	for (unsigned int i = 0; i < def->cpu.n_cells; i++) {
		int r = complete_cell(&def->cpu.cells[i], i, err);

		if (r < 0)
			return r;
		if (ckd_add(&sum, sum, dom_cell_bytes(&def->cpu.cells[i])))
			return bad(err, "the NUMA cells' memory is too large");
	}
	sum += domain_device_memory(def);
	def->memory = sum;
	def->cur_memory = def->cur_memory ? MIN(def->cur_memory, sum) : sum;
	return check_cells(def, err);
}

/* A mode without nodes is of no meaning but for placement='auto'. */
static int complete_numatune(struct domain_def *def, struct error *err)
{
	struct dom_numatune *t = &def->numatune;
	int r = normal_set(&t->nodeset, "numatune", err);

	if (t->mode && !t->nodeset && str_eq(def->vcpu_placement, "auto"))
		default_str(&t->placement, "auto");
	if (r == 0 && t->mode && !t->nodeset && !str_eq(t->placement, "auto"))
		return bad(err, "nodeset for NUMA memory tuning must be set if 'placement' is 'static'");
	for (unsigned int i = 0; i < t->n_memnodes && r == 0; i++) {
		if (t->memnodes[i].cellid >= def->cpu.n_cells)
			return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
					  "numatune: there is no NUMA cell %u",
					  t->memnodes[i].cellid);
		r = normal_set(&t->memnodes[i].nodeset, "memnode", err);
	}
	if (r == 0 && t->nodeset && !t->mode)
		default_str(&t->mode, "strict");
	return r;
}

/* Pages of a size for cells: such as there are; without any, for all of it. */
static int check_pages(const struct domain_def *def, struct error *err)
{
	unsigned int n = MAX(def->cpu.n_cells, 1u);

	for (unsigned int i = 0; i < def->backing.n_pages; i++) {
		const struct dom_hugepage *page = &def->backing.pages[i];
		struct cpuset set;

		if (!page->nodeset)
			continue;
		if (cpuset_parse(page->nodeset, &set) < 0)
			return bad(err, "'%.80s' is no set of NUMA nodes",
				   page->nodeset);
		if (cpuset_last(&set) >= (int)n)
			return bad(err, "hugepages: node %d not found",
				   cpuset_last(&set));
	}
	return 0;
}

static int complete_hyperv(const struct domain_def *def, struct error *err)
{
	if (def->hyperv[HYPERV_SPINLOCKS] == TRI_ON &&
	    def->hyperv_retries && def->hyperv_retries < 0xfff)
		return bad(err, "HyperV spinlock retry count must be at least 4095");
	if (def->hyperv[HYPERV_VENDOR_ID] == TRI_ON &&
	    (!def->hyperv_vendor || strlen(def->hyperv_vendor) > 12 ||
	     strchr(def->hyperv_vendor, ',')))
		return bad(err, "HyperV vendor_id value is invalid: up to 12 characters without a comma");
	return 0;
}

/* libvirt's sizes, which are KVM's. */
static int complete_dirty_ring(struct domain_def *def, struct error *err)
{
	unsigned int n = def->kvm_dirty_ring_size;

	if (def->kvm_dirty_ring == TRI_ON &&
	    (n < 1024 || n > 65536 || (n & (n - 1))))
		return bad(err, "dirty ring must be power of 2 and ranges [1024, 65536]");
	return 0;
}

int domain_complete_tune(struct domain_def *def, struct error *err)
{
	int r = normal_set(&def->vcpu_cpuset, "vcpu", err);

	if (r == 0)
		r = complete_cputune(def, err);
	if (r == 0)
		r = complete_iothreads(def, err);
	if (r == 0)
		r = check_iothreadscheds(def, err);
	if (r == 0)
		r = complete_cells(def, err);
	if (r == 0)
		r = complete_numatune(def, err);
	if (r == 0)
		r = check_pages(def, err);
	if (r == 0)
		r = complete_hyperv(def, err);
	return r < 0 ? r : complete_dirty_ring(def, err);
}
