/*
 * daemon/handlers_cpu.c -- comparing CPUs, and what several have in common.
 *
 * The calls about "the host" look at its processor, those about "the
 * hypervisor" at what a driver's guests can have.
 */
#include <errno.h>
#include <string.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/guestcpu.h"
#include "daemon/reply.h"
#include "daemon/server_priv.h"

static int check_arch(const char *arch, struct error *err)
{
	if (!arch || str_eq(arch, "x86_64"))
		return 0;
	return error_virt(err, VIR_ERR_INVALID_ARG,
			  "cannot find architecture %s", arch);
}

int handle_connect_get_cpu_model_names(struct call *call,
				       const wire_cpu_models_args *args,
				       wire_cpu_models *reply,
				       struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);
	unsigned int n = 0;

	if (r == 0)
		r = check_arch(args->arch, err);
	if (r < 0)
		return r;
	while (cpu_model_at(n))
		n++;
	reply->ret = n;
	if (!args->need_results)
		return 0;
	reply->models.models_val = xcalloc(n, sizeof(char *));
	reply->models.models_len = n;
	for (unsigned int i = 0; i < n; i++)
		reply->models.models_val[i] = xstrdup(cpu_model_at(i)->name);
	return 0;
}

/* ---- comparing ---- */

static int compare(const char *xml, struct x86_cpuid *host, bool of_guests,
		   unsigned int flags, wire_int *reply, struct error *err)
{
	struct dom_cpu cpu;
	int r = cpu_def_parse(xml, &cpu, err);

	if (r < 0)
		return r;
	r = guestcpu_compare(&cpu, host, of_guests, err);
	cpu_def_finish(&cpu);
	if (r == VIR_CPU_COMPARE_INCOMPATIBLE &&
	    (flags & VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE))
		return error_virt(err, VIR_ERR_CPU_INCOMPATIBLE,
				  "the CPU is incompatible with host CPU");
	if (r >= 0)
		*reply = r;
	return MIN(r, 0);
}

enum {
	COMPARE_FLAGS = VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE |
			VIR_CONNECT_COMPARE_CPU_VALIDATE_XML
};

int handle_connect_compare_cpu(struct call *call,
			       const wire_compare_cpu_args *args,
			       wire_int *reply, struct error *err)
{
	struct x86_cpuid host;
	int r = call_flags(call, args->flags, COMPARE_FLAGS, err);

	if (r < 0)
		return r;
	x86_cpuid_native(&host);
	return compare(args->xml, &host, false, args->flags, reply, err);
}

/* What guests of such a kind can have. */
static int hypervisor_cpu(const wire_optstr *emulator, const wire_optstr *arch,
			  const wire_optstr *machine,
			  const wire_optstr *virttype,
			  struct x86_cpuid *ret_host, struct error *err)
{
	enum dom_virt virt;
	const char *name;
	const struct loaded_driver *l = domain_capabilities_driver(
		opt(*emulator), opt(*arch), opt(*machine), opt(*virttype),
		&virt, &name, err);

	if (!l)
		return -EINVAL;
	*ret_host = l->caps.cpuid;
	return 0;
}

int handle_connect_compare_hypervisor_cpu(
	struct call *call, const wire_compare_hypervisor_cpu_args *args,
	wire_int *reply, struct error *err)
{
	struct x86_cpuid host;
	int r = call_flags(call, args->flags, COMPARE_FLAGS, err);

	if (r == 0)
		r = hypervisor_cpu(&args->emulator, &args->arch, &args->machine,
				   &args->virttype, &host, err);
	return r < 0 ? r :
		       compare(args->xml, &host, true, args->flags, reply, err);
}

/* ---- what they have in common ---- */

struct common {
	struct cpu_set set;
	const char *vendor; /* as CPUID has it; NULL: of no CPU yet */
	bool show_vendor;
};

static int add_vendor(struct common *c, const struct dom_cpu *cpu,
		      const struct cpu_model *model, struct error *err)
{
	const char *vendor =
		cpu->vendor ? cpu_vendor_id(cpu->vendor) : model->vendor;

	if (cpu->vendor && !vendor)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "unknown CPU vendor %s", cpu->vendor);
	if (c->vendor && vendor && !str_eq(c->vendor, vendor))
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "CPU vendors do not match");
	if (vendor)
		c->vendor = vendor;
	c->show_vendor |= cpu->vendor != NULL;
	return 0;
}

static int add_cpu(struct common *c, const char *xml, struct error *err)
{
	struct dom_cpu cpu;
	struct guestcpu g;
	int r = cpu_def_parse(xml, &cpu, err);

	if (r < 0)
		return r;
	r = guestcpu_read(&cpu, &g, err);
	if (r == 0 && !g.model)
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "no CPU model specified");
	if (r == 0)
		r = add_vendor(c, &cpu, g.model, err);
	if (r == 0)
		cpu_set_and(&c->set, &g.want);
	cpu_def_finish(&cpu);
	return r;
}

/* All features of the model by their own elements too. */
static void expand(struct dom_cpu *cpu, const struct cpu_set *set)
{
	struct dom_cpu_feature *f = xcalloc(cpu_set_count(set), sizeof(*f));
	unsigned int n = 0;

	for (unsigned int i = 0; i < 32 * CPU_WORDS; i++) {
		if (cpu_set_test(set, i))
			f[n++].name = xstrdup(cpu_feature_name(i));
	}
	for (unsigned int i = 0; i < cpu->n_features; i++)
		free(cpu->features[i].name);
	free(cpu->features);
	cpu->features = f;
	cpu->n_features = n;
}

static char *format_common(struct common *c, unsigned int flags)
{
	const struct cpu_set none = { 0 };
	struct dom_cpu cpu = { 0 };
	struct cpu_set more;
	const struct cpu_model *model;
	char *xml;

	if (flags & VIR_CONNECT_BASELINE_CPU_MIGRATABLE)
		cpu_set_parse(&c->set, "-invtsc");
	model = cpu_model_nearest(&c->set, c->vendor, NULL, true);
	more = cpu_model_features(model);
	more = cpu_set_minus(&c->set, &more);
	guestcpu_describe(&cpu, model, &more, &none);
	if (flags & VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES)
		expand(&cpu, &c->set);
	if (c->show_vendor)
		cpu.vendor = xstrdup(cpu_vendor_name(c->vendor));
	xml = cpu_def_format(&cpu);
	cpu_def_finish(&cpu);
	return xml;
}

static int baseline(struct common *c, wire_str *const *xml, unsigned int n,
		    unsigned int flags, wire_str *reply, struct error *err)
{
	int r = 0;

	if (!n)
		return error_virt(err, VIR_ERR_INVALID_ARG, "no CPUs given");
	for (unsigned int i = 0; i < n && r == 0; i++)
		r = add_cpu(c, (*xml)[i], err);
	if (r == 0)
		*reply = format_common(c, flags);
	return r;
}

enum {
	BASELINE_FLAGS = VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES |
			 VIR_CONNECT_BASELINE_CPU_MIGRATABLE
};

int handle_connect_baseline_cpu(struct call *call,
				const wire_baseline_cpu_args *args,
				wire_str *reply, struct error *err)
{
	struct common c = { 0 };
	int r = call_flags(call, args->flags, BASELINE_FLAGS, err);

	memset(&c.set, 0xff, sizeof(c.set));
	return r < 0 ? r
		     : baseline(&c, &args->xml.xml_val, args->xml.xml_len,
				args->flags, reply, err);
}

int handle_connect_baseline_hypervisor_cpu(
	struct call *call, const wire_baseline_hypervisor_cpu_args *args,
	wire_str *reply, struct error *err)
{
	struct common c = { 0 };
	struct x86_cpuid host;
	int r = call_flags(call, args->flags, BASELINE_FLAGS, err);

	if (r == 0)
		r = hypervisor_cpu(&args->emulator, &args->arch, &args->machine,
				   &args->virttype, &host, err);
	if (r < 0)
		return r;
	cpu_set_read(&c.set, &host);
	return baseline(&c, &args->xml.xml_val, args->xml.xml_len, args->flags,
			reply, err);
}
