/*
 * daemon/guestcpu.c -- what a definition's <cpu> comes to on a CPU, by
 * libvirt's rules (formatdomain.html, "CPU model and topology").
 *
 * check='none' leaves out what the host lacks; anything else, the default
 * too, refuses.  A model's spare features (cpu/models.h) are left out unless
 * they are named.
 */
#include "daemon/guestcpu.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/buf.h"
#include "base/error.h"

static const char not_migratable[] = "invtsc";

static int read_feature(struct guestcpu *g, const struct dom_cpu_feature *f,
			struct error *err)
{
	int feature = cpu_feature_find(f->name);
	bool on = f->policy == CPU_POLICY_REQUIRE ||
		  f->policy == CPU_POLICY_FORCE;

	if (feature < 0)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "unknown CPU feature: %s", f->name);
	if (cpu_feature_settled(feature) || f->policy == CPU_POLICY_OPTIONAL)
		return 0;
	cpu_set_put(on ? &g->on : &g->off, feature, true);
	cpu_set_put(&g->want, feature, on);
	if (f->policy == CPU_POLICY_FORBID)
		cpu_set_put(&g->forbidden, feature, true);
	return 0;
}

int guestcpu_read(const struct dom_cpu *cpu, struct guestcpu *ret_cpu,
		  struct error *err)
{
	int r = 0;

	*ret_cpu = (struct guestcpu){ 0 };
	if (cpu->model) {
		ret_cpu->model = cpu_model_find(cpu->model);
		if (!ret_cpu->model)
			return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
					  "unknown CPU model %s; 'virsh "
					  "cpu-models x86_64' lists them",
					  cpu->model);
		ret_cpu->want = cpu_model_features(ret_cpu->model);
	}
	for (unsigned int i = 0; i < cpu->n_features && r == 0; i++)
		r = read_feature(ret_cpu, &cpu->features[i], err);
	return r;
}

/* ---- comparing ---- */

static struct cpu_set without_spare(const struct cpu_set *set,
				    const struct cpu_set *named)
{
	struct cpu_set spare = cpu_features_spare();

	spare = cpu_set_minus(&spare, named);
	return cpu_set_minus(set, &spare);
}

static bool other_vendor(const struct dom_cpu *cpu, struct x86_cpuid *host)
{
	char id[13];

	x86_cpuid_vendor(host, id);
	return cpu->vendor && !str_eq(cpu_vendor_id(cpu->vendor), id);
}

int guestcpu_compare(const struct dom_cpu *cpu, struct x86_cpuid *host,
		     bool of_guests, struct error *err)
{
	struct cpu_set have, lacks, more, forbidden;
	struct guestcpu g;
	int r = guestcpu_read(cpu, &g, err);

	if (r < 0)
		return r;
	if (!g.model)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "no CPU model specified");
	cpu_set_read(&have, host);
	lacks = cpu_set_minus(&g.want, &have);
	lacks = without_spare(&lacks, &g.on);
	more = cpu_set_minus(&have, &g.want);
	if (of_guests)
		more = cpu_set_not_nested(&more, &g.on);
	forbidden = g.forbidden;
	cpu_set_and(&forbidden, &have);
	if (other_vendor(cpu, host) || cpu_set_count(&lacks) ||
	    cpu_set_count(&forbidden))
		return VIR_CPU_COMPARE_INCOMPATIBLE;
	if (!cpu_set_count(&more))
		return VIR_CPU_COMPARE_IDENTICAL;
	return str_eq(cpu->match, "strict") ? VIR_CPU_COMPARE_INCOMPATIBLE
					    : VIR_CPU_COMPARE_SUPERSET;
}

/* ---- describing ---- */

static void add_features(struct dom_cpu *cpu, const struct cpu_set *set,
			 enum dom_cpu_policy policy)
{
	for (unsigned int i = 0; i < 32 * CPU_WORDS; i++) {
		struct dom_cpu_feature *f;

		if (!cpu_set_test(set, i))
			continue;
		cpu->features = xrealloc(cpu->features, cpu->n_features + 1,
					 sizeof(*cpu->features));
		f = &cpu->features[cpu->n_features++];
		f->name = xstrdup(cpu_feature_name(i));
		f->policy = policy;
	}
}

static void clear_features(struct dom_cpu *cpu)
{
	for (unsigned int i = 0; i < cpu->n_features; i++)
		free(cpu->features[i].name);
	free(steal_ptr(&cpu->features));
	cpu->n_features = 0;
}

static void set_text(char **text, const char *value)
{
	free(*text);
	*text = xstrdup(value);
}

void guestcpu_describe(struct dom_cpu *cpu, const struct cpu_model *model,
		       const struct cpu_set *more, const struct cpu_set *less)
{
	clear_features(cpu);
	add_features(cpu, more, CPU_POLICY_REQUIRE);
	add_features(cpu, less, CPU_POLICY_DISABLE);
	cpu->present = true;
	cpu->mode = CPU_MODE_CUSTOM;
	set_text(&cpu->model, model->name);
	set_text(&cpu->model_fallback, "forbid");
	set_text(&cpu->match, "exact");
}

static struct cpu_set without_paravirtual(const struct cpu_set *set,
					  const struct cpu_set *named)
{
	struct cpu_set left = *set;

	for (unsigned int i = 0; i < 32 * CPU_WORDS; i++)
		if (cpu_feature_paravirtual(i) && !cpu_set_test(named, i))
			cpu_set_put(&left, i, false);
	return left;
}

/*
 * What makes the model into 'want' and surely not into 'off'; 'named': asked
 * for by name.
 */
static void describe_as(struct dom_cpu *cpu, const struct cpu_model *model,
			const struct cpu_set *want, const struct cpu_set *off,
			const struct cpu_set *named)
{
	struct cpu_set less = cpu_model_features(model), more;

	more = without_spare(&less, &(struct cpu_set){ 0 });
	more = cpu_set_minus(want, &more);
	more = without_paravirtual(&more, named);
	cpu_set_or(&less, off);
	less = cpu_set_minus(&less, want);
	guestcpu_describe(cpu, model, &more, &less);
}

static const struct cpu_model *nearest(struct x86_cpuid *host)
{
	struct x86_signature signature = x86_signature_of(host);
	struct cpu_set have;
	char vendor[13];

	cpu_set_read(&have, host);
	x86_cpuid_vendor(host, vendor);
	return cpu_model_nearest(&have, vendor, &signature, false);
}

static const char *vendor_of(struct x86_cpuid *host)
{
	char id[13];

	x86_cpuid_vendor(host, id);
	return cpu_vendor_name(id);
}

static struct cpu_set migratable(const struct cpu_set *have)
{
	struct cpu_set fixed = { 0 };

	cpu_set_parse(&fixed, not_migratable);
	return cpu_set_minus(have, &fixed);
}

void guestcpu_host_model(struct x86_cpuid *host, struct dom_cpu *ret_cpu)
{
	const struct cpu_set none = { 0 };
	struct cpu_set have;

	cpu_set_read(&have, host);
	have = migratable(&have);
	have = cpu_set_not_nested(&have, &none);
	*ret_cpu = (struct dom_cpu){ 0 };
	describe_as(ret_cpu, nearest(host), &have, &none, &none);
	set_text(&ret_cpu->vendor, vendor_of(host));
}

/* ---- resolving ---- */

static int refuse(struct error *err, const char *what,
		  const struct cpu_set *set, const char *remedy)
{
	_cleanup_buf_ struct buf names = { 0 };

	cpu_set_print(set, &names);
	return error_virt(err, VIR_ERR_CPU_INCOMPATIBLE, "%s: %s; %s", what,
			  names.data, remedy);
}

static int check_vendor(const struct dom_cpu *cpu, const struct host_caps *caps,
			const struct cpu_model *model, struct error *err)
{
	struct x86_cpuid *host = (struct x86_cpuid *)&caps->cpuid;

	if (!other_vendor(cpu, host))
		return 0;
	if (caps->any_vendor && model && model->vendor &&
	    str_eq(cpu_vendor_id(cpu->vendor), model->vendor))
		return 0;
	return error_virt(err, VIR_ERR_CPU_INCOMPATIBLE,
			  "host CPU vendor does not match required CPU vendor "
			  "%s; remove <vendor> or change it",
			  cpu->vendor);
}

/* A model by name: its spare features go, a machine's own ones come. */
static void settle_model(const struct dom_cpu *cpu, struct guestcpu *g,
			 const struct cpu_set *have)
{
	struct cpu_set always = cpu_features_always();

	g->want = without_spare(&g->want, &g->on);
	cpu_set_and(&always, have);
	if (str_eq(cpu->match, "minimum"))
		always = cpu_set_not_nested(have, &g->on);
	cpu_set_or(&g->want, &always);
	g->want = cpu_set_minus(&g->want, &g->off);
}

/* The host's: all that it has, but for what is named; what guests of the guest's
 * own take only if it is. */
static void settle_host(const struct dom_cpu *cpu, struct guestcpu *g,
			const struct cpu_set *have)
{
	bool moves = cpu->mode == CPU_MODE_HOST_MODEL ||
		     str_eq(cpu->migratable, "on");
	struct cpu_set all = moves ? migratable(have) : *have;

	all = cpu_set_not_nested(&all, &g->on);
	cpu_set_or(&g->want, &all);
	g->want = cpu_set_minus(&g->want, &g->off);
}

static void settle_optional(const struct dom_cpu *cpu, struct guestcpu *g,
			    const struct cpu_set *have)
{
	for (unsigned int i = 0; i < cpu->n_features; i++) {
		int feature = cpu_feature_find(cpu->features[i].name);
		bool on = cpu_set_test(have, feature);

		if (cpu->features[i].policy != CPU_POLICY_OPTIONAL ||
		    cpu_feature_settled(feature))
			continue;
		cpu_set_put(on ? &g->on : &g->off, feature, true);
		cpu_set_put(&g->want, feature, on);
	}
}

static int check_host(const struct dom_cpu *cpu, struct guestcpu *g,
		      const struct cpu_set *have, struct error *err)
{
	struct cpu_set lacks = cpu_set_minus(&g->want, have);
	struct cpu_set more = cpu_set_minus(have, &g->want);
	struct cpu_set forbidden = g->forbidden;

	more = without_spare(&more, &g->on);
	cpu_set_and(&forbidden, have);
	if (cpu_set_count(&lacks))
		return refuse(
			err,
			"guest CPU needs features that this host cannot give",
			&lacks,
			"use another model or mode='host-model', or disable "
			"them with <feature policy='disable'>");
	if (cpu_set_count(&forbidden))
		return refuse(err, "host CPU provides forbidden features",
			      &forbidden, "use policy='disable' to hide them");
	if (str_eq(cpu->match, "strict") && cpu_set_count(&more))
		return refuse(err,
			      "host CPU has features that the guest's lacks",
			      &more, "use match='exact' to hide them");
	return 0;
}

static void drop(struct guestcpu *g, const struct cpu_set *have)
{
	struct cpu_set lacks = cpu_set_minus(&g->want, have);

	cpu_set_or(&g->off, &lacks);
	g->want = cpu_set_minus(&g->want, &lacks);
	cpu_set_and(&g->on, have);
}

static void show_model(struct dom_cpu *cpu, const struct guestcpu *g)
{
	describe_as(cpu, g->model, &g->want, &g->off, &g->on);
	set_text(&cpu->check, "full");
}

static void show_host(struct dom_cpu *cpu, const struct guestcpu *g)
{
	clear_features(cpu);
	add_features(cpu, &g->on, CPU_POLICY_REQUIRE);
	add_features(cpu, &g->off, CPU_POLICY_DISABLE);
}

static int settle(struct dom_cpu *cpu, struct guestcpu *g,
		  const struct cpu_set *have, struct error *err)
{
	settle_optional(cpu, g, have);
	if (g->model)
		settle_model(cpu, g, have);
	else
		settle_host(cpu, g, have);
	if (!str_eq(cpu->check, "none"))
		return check_host(cpu, g, have, err);
	drop(g, have);
	return 0;
}

int guestcpu_resolve(struct dom_cpu *cpu, const struct host_caps *caps,
		     struct error *err)
{
	struct x86_cpuid *host = (struct x86_cpuid *)&caps->cpuid;
	struct cpu_set have;
	struct guestcpu g;
	int r;

	if (!host->n || !cpu->present)
		return 0;
	if (cpu->mode != CPU_MODE_CUSTOM && cpu->mode != CPU_MODE_DEFAULT)
		set_text(&cpu->model, NULL);
	r = guestcpu_read(cpu, &g, err);
	if (r == 0)
		r = check_vendor(cpu, caps, g.model, err);
	cpu_set_read(&have, host);
	if (r == 0)
		r = settle(cpu, &g, &have, err);
	if (r < 0)
		return r;
	if (cpu->mode == CPU_MODE_HOST_MODEL) {
		g.model = nearest(host);
		set_text(&cpu->vendor, vendor_of(host));
	}
	if (g.model)
		show_model(cpu, &g);
	else
		show_host(cpu, &g);
	return 0;
}
