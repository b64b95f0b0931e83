/*
 * cli/cmd-host.c -- what there is to know about the host and the connection:
 * capabilities, domcapabilities, hostname, nodeinfo, uri, version.
 */
#include "cli/args.h"
#include "cli/output.h"

/* A string the library allocated: shown and freed. */
static int show_text(struct ctl *ctl, const char *key, char *text)
{
	if (!text)
		return say_failed(ctl, "failed to get %s", key);
	say_value(ctl, key, text);
	free(text);
	return EXIT_OK;
}

static int run_capabilities(struct ctl *ctl, const struct args *args)
{
	(void)args;
	return show_text(ctl, "capabilities",
			 virConnectGetCapabilities(ctl->conn));
}

static int run_domcapabilities(struct ctl *ctl, const struct args *args)
{
	return show_text(ctl, "domain capabilities",
			 virConnectGetDomainCapabilities(
				 ctl->conn, args_get(args, "emulatorbin"),
				 args_get(args, "arch"),
				 args_get(args, "machine"),
				 args_get(args, "virttype"), 0));
}

static int run_hostname(struct ctl *ctl, const struct args *args)
{
	(void)args;
	return show_text(ctl, "hostname", virConnectGetHostname(ctl->conn));
}

static int run_uri(struct ctl *ctl, const struct args *args)
{
	(void)args;
	return show_text(ctl, "uri", virConnectGetURI(ctl->conn));
}

static int run_nodeinfo(struct ctl *ctl, const struct args *args)
{
	struct record *r;
	virNodeInfo n;

	(void)args;
	if (virNodeGetInfo(ctl->conn, &n) < 0)
		return say_failed(ctl, "failed to get node information");
	r = record_new();
	record_add(r, "CPU model:", "cpu_model", false, "%s", n.model);
	record_add(r, "CPU(s):", "cpus", true, "%u", n.cpus);
	record_add(r, "CPU frequency:", "cpu_frequency", false, "%u MHz",
		   n.mhz);
	record_add(r, "CPU socket(s):", "sockets", true, "%u", n.sockets);
	record_add(r, "Core(s) per socket:", "cores", true, "%u", n.cores);
	record_add(r, "Thread(s) per core:", "threads", true, "%u", n.threads);
	record_add(r, "NUMA cell(s):", "numa_cells", true, "%u", n.nodes);
	record_add(r, "Memory size:", "memory", false, "%lu KiB", n.memory);
	record_print_wide(r, ctl);
	return EXIT_OK;
}

static void print_version(const char *what, const char *name, unsigned long v)
{
	printf("%s: %s %lu.%lu.%lu\n", what, name, v / 1000000, v / 1000 % 1000,
	       v % 1000);
}

static int run_version(struct ctl *ctl, const struct args *args)
{
	const char *type = virConnectGetType(ctl->conn);
	unsigned long lib, api, hv, daemon;

	if (!type || virGetVersion(&lib, type, &api) < 0 ||
	    virConnectGetVersion(ctl->conn, &hv) < 0)
		return say_failed(ctl, "failed to get the version");
	print_version("Compiled against library", "libvirt",
		      LIBVIR_VERSION_NUMBER);
	print_version("Using library", "libvirt", lib);
	print_version("Using API", type, api);
	print_version("Running hypervisor", type, hv);
	if (args_has(args, "daemon") &&
	    virConnectGetLibVersion(ctl->conn, &daemon) == 0)
		printf("Running against daemon: %lu.%lu.%lu\n",
		       daemon / 1000000, daemon / 1000 % 1000, daemon % 1000);
	return EXIT_OK;
}

const struct command family_host[] = {
	{ .name = "capabilities",
	  .group = "host",
	  .summary = "capabilities of host and hypervisors",
	  .run = run_capabilities },
	{ .name = "domcapabilities",
	  .group = "host",
	  .summary = "domain capabilities",
	  .opts = OPTS(STRING("virttype", "kvm, qemu or vireo"),
		       STRING("emulatorbin"), STRING("arch"),
		       STRING("machine")),
	  .run = run_domcapabilities },
	{ .name = "hostname",
	  .group = "host",
	  .summary = "print the hypervisor hostname",
	  .run = run_hostname },
	{ .name = "nodeinfo",
	  .group = "host",
	  .summary = "node information",
	  .run = run_nodeinfo },
	{ .name = "uri",
	  .group = "host",
	  .summary = "print the hypervisor canonical URI",
	  .run = run_uri },
	{ .name = "version",
	  .group = "host",
	  .summary = "show version",
	  .opts = OPTS(FLAG("daemon", "report the daemon's version too")),
	  .run = run_version },
	{ NULL },
};
