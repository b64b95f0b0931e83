/*
 * cli/cmd-cpu.c -- CPU models: which there are, compared and combined.
 */
#include <libxml/tree.h>
#include <string.h>

#include "base/buf.h"
#include "cli/args.h"
#include "cli/output.h"
#include "cli/xml.h"

struct cpus {
	int n;
	char **xml;
};

static void cpus_free(struct cpus *c)
{
	for (int i = 0; i < c->n; i++)
		free(c->xml[i]);
	free(c->xml);
}

#define _cleanup_cpus_ _cleanup_(cpus_free)

/* The host-model of domain capabilities is a CPU but for its element. */
static void make_cpu(xmlNodePtr node)
{
	if (!xmlStrEqual(node->name, BAD_CAST "mode"))
		return;
	xmlNodeSetName(node, BAD_CAST "cpu");
	while (node->properties)
		xmlRemoveProp(node->properties);
}

/* A file may hold several documents: CPUs, domains, capabilities. */
static int read_cpus(const char *file, struct cpus *ret)
{
	_cleanup_free_ char *text = read_xml_file(file), *whole = NULL;
	_cleanup_xml_ struct xml x = { NULL };
	xmlXPathObjectPtr found;
	const char *begin = text;

	if (!text)
		return -1;
	if (str_startswith(text, "<?xml") && strstr(text, "?>"))
		begin = strstr(text, "?>") + 2;
	whole = xasprintf("<container>%s</container>", begin);
	if (xml_open(&x, whole) < 0)
		return -1;
	found = xml_find(&x, NULL,
			 "/container/cpu|/container/domain/cpu|"
			 "/container/capabilities/host/cpu|"
			 "/container/domainCapabilities/cpu/"
			 "mode[@name='host-model' and @supported='yes']");
	ret->xml = xcalloc((size_t)xml_count(found) + 1, sizeof(*ret->xml));
	for (int i = 0; i < xml_count(found); i++) {
		make_cpu(found->nodesetval->nodeTab[i]);
		ret->xml[ret->n++] =
			xml_text(&x, found->nodesetval->nodeTab[i]);
	}
	xmlXPathFreeObject(found);
	if (!ret->n)
		say_error("File '%s' does not contain any <cpu> element or "
			  "valid domain XML, host capabilities XML, or domain "
			  "capabilities XML",
			  file);
	return ret->n ? 0 : -1;
}

static int show_verdict(struct ctl *ctl, int verdict, const char *file,
			bool hypervisor)
{
	const char *host =
		hypervisor ? "the CPU provided by hypervisor on the host"
			   : "host CPU";

	switch (verdict) {
	case VIR_CPU_COMPARE_INCOMPATIBLE:
		printf("CPU described in %s is incompatible with %s\n", file,
		       host);
		return EXIT_FAILED;
	case VIR_CPU_COMPARE_IDENTICAL:
		printf("CPU described in %s is identical to %s\n", file, host);
		return EXIT_OK;
	case VIR_CPU_COMPARE_SUPERSET:
		printf("%s is a superset of CPU described in %s\n",
		       hypervisor ? "The CPU provided by hypervisor on the host"
				  : "Host CPU",
		       file);
		return EXIT_OK;
	default:
		return say_failed(ctl, "Failed to compare %s CPU with %s",
				  hypervisor ? "hypervisor" : "host", file);
	}
}

static const struct flag_option compare_flags[] = {
	{ "error", VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE },
	{ "validate", VIR_CONNECT_COMPARE_CPU_VALIDATE_XML },
	{ NULL },
};

static int run_cpu_compare(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_cpus_ struct cpus c = { 0 };

	if (read_cpus(file, &c) < 0)
		return EXIT_FAILED;
	return show_verdict(
		ctl,
		virConnectCompareCPU(ctl->conn, c.xml[0],
				     args_flags(args, compare_flags)),
		file, false);
}

static int run_hypervisor_cpu_compare(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_cpus_ struct cpus c = { 0 };

	if (read_cpus(file, &c) < 0)
		return EXIT_FAILED;
	return show_verdict(ctl,
			    virConnectCompareHypervisorCPU(
				    ctl->conn, args_get(args, "emulator"),
				    args_get(args, "arch"),
				    args_get(args, "machine"),
				    args_get(args, "virttype"), c.xml[0],
				    args_flags(args, compare_flags)),
			    file, true);
}

static const struct flag_option baseline_flags[] = {
	{ "features", VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES },
	{ "migratable", VIR_CONNECT_BASELINE_CPU_MIGRATABLE },
	{ NULL },
};

static int show_cpu(struct ctl *ctl, char *xml)
{
	_cleanup_free_ char *owned = xml;

	if (!xml)
		return say_failed(ctl, NULL);
	if (ctl->output == OUTPUT_TABLE)
		fputs(xml, stdout);
	else
		say_value(ctl, "cpu", xml);
	return EXIT_OK;
}

static int run_cpu_baseline(struct ctl *ctl, const struct args *args)
{
	_cleanup_cpus_ struct cpus c = { 0 };

	if (read_cpus(args_get(args, "file"), &c) < 0)
		return EXIT_FAILED;
	return show_cpu(
		ctl, virConnectBaselineCPU(ctl->conn, (const char **)c.xml,
					   (unsigned int)c.n,
					   args_flags(args, baseline_flags)));
}

static int run_hypervisor_cpu_baseline(struct ctl *ctl, const struct args *args)
{
	_cleanup_cpus_ struct cpus c = { 0 };

	if (args_has(args, "file") && read_cpus(args_get(args, "file"), &c) < 0)
		return EXIT_FAILED;
	return show_cpu(ctl, virConnectBaselineHypervisorCPU(
				     ctl->conn, args_get(args, "emulator"),
				     args_get(args, "arch"),
				     args_get(args, "machine"),
				     args_get(args, "virttype"),
				     (const char **)c.xml, (unsigned int)c.n,
				     args_flags(args, baseline_flags)));
}

static const struct column model_columns[] = { { "Model", "model", false } };

static int run_cpu_models(struct ctl *ctl, const struct args *args)
{
	char **models = NULL;
	int n = virConnectGetCPUModelNames(ctl->conn, args_get(args, "arch"),
					   &models, 0);
	struct table *t = NULL;

	if (n < 0)
		return say_failed(ctl, "failed to get CPU model names");
	if (!n)
		say(ctl, "all CPU models are accepted\n");
	if (ctl->output != OUTPUT_TABLE)
		t = table_new(model_columns, 1);
	for (int i = 0; i < n; i++) {
		const char *cells[] = { models[i] };

		if (t)
			table_row(t, cells);
		else
			printf("%s\n", models[i]);
		free(models[i]);
	}
	free(models);
	if (t)
		table_print(t, ctl);
	return EXIT_OK;
}

const struct command family_cpu[] = {
	{ .name = "cpu-baseline",
	  .group = "host",
	  .summary = "the CPU that several hosts can offer",
	  .opts = OPTS(DATA("file"), FLAG("features"), FLAG("migratable")),
	  .run = run_cpu_baseline },
	{ .name = "cpu-compare",
	  .group = "host",
	  .summary = "compare the host CPU with one described in XML",
	  .opts = OPTS(DATA("file"), FLAG("error"), FLAG("validate")),
	  .run = run_cpu_compare },
	{ .name = "cpu-models",
	  .group = "host",
	  .summary = "which CPU models there are",
	  .opts = OPTS(DATA("arch")),
	  .run = run_cpu_models },
	{ .name = "hypervisor-cpu-baseline",
	  .group = "host",
	  .summary = "the CPU that a hypervisor can offer on several hosts",
	  .opts = OPTS(STRING("file"), STRING("virttype"), STRING("emulator"),
		       STRING("arch"), STRING("machine"), FLAG("features"),
		       FLAG("migratable"), STRING("model")),
	  .run = run_hypervisor_cpu_baseline },
	{ .name = "hypervisor-cpu-compare",
	  .group = "host",
	  .summary = "compare what a hypervisor offers with a CPU described in "
		     "XML",
	  .opts = OPTS(DATA("file"), STRING("virttype"), STRING("emulator"),
		       STRING("arch"), STRING("machine"), FLAG("error"),
		       FLAG("validate")),
	  .run = run_hypervisor_cpu_compare },
	{ NULL },
};
