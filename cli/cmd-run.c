/*
 * cli/cmd-run.c -- one command from an image or a kernel to a guest.
 */
#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "cli/console.h"
#include "cli/output.h"
#include "cli/run.h"
#include "cli/xml.h"

enum { CPUS_DEFAULT = 2 };
#define MEMORY_DEFAULT (1ull << 30)

/* ---- sensible choices ---- */

/* The best of the types of domains that the host knows; NULL: said why. */
static char *domain_type(struct ctl *ctl)
{
	static const char *const best[] = { "@type = 'vireo'", "@type = 'kvm'",
					    "@type = 'qemu'", "true()" };
	_cleanup_free_ char *caps = virConnectGetCapabilities(ctl->conn);
	_cleanup_xml_ struct xml x = { NULL };
	char *type = NULL;

	if (!caps) {
		say_failed(ctl, "cannot ask what guests there can be");
		return NULL;
	}
	if (xml_open(&x, caps) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(best) && !type; i++) {
		_cleanup_free_ char *expr = xasprintf(
			"./guest[os_type = 'hvm']/arch/domain[%s]/@type",
			best[i]);

		type = xml_string(&x, NULL, expr);
	}
	if (!type)
		say_error("this host has no guests that boot by themselves");
	return type;
}

static bool name_taken(struct ctl *ctl, const char *name)
{
	virDomainPtr dom = virDomainLookupByName(ctl->conn, name);

	if (dom)
		virDomainFree(dom);
	return dom;
}

/* The file's name without its ending, and a number if that is taken. */
static char *choose_name(struct ctl *ctl, const char *path)
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	const char *dot = strrchr(base, '.');
	_cleanup_free_ char *stem = xstrndup(
		base, dot && dot > base && !isdigit((unsigned char)dot[1]) ?
			      (size_t)(dot - base) :
			      strlen(base));
	char *name = xstrdup(stem);

	for (int i = 2; name_taken(ctl, name); i++) {
		free(name);
		name = xasprintf("%s-%d", stem, i);
	}
	return name;
}

/* The network that every libvirt has, where it runs. */
static const char *choose_network(struct ctl *ctl)
{
	virNetworkPtr net = virNetworkLookupByName(ctl->conn, "default");
	bool active = net && virNetworkIsActive(net) == 1;

	if (net)
		virNetworkFree(net);
	if (!active)
		say(ctl, "The network 'default' does not run: the guest has no "
			 "network card.\n");
	return active ? "default" : NULL;
}

/* ---- the guest ---- */

/* NULL: said why, and nothing is left behind. */
static virDomainPtr start(struct ctl *ctl, const struct args *args,
			  const char *name, const char *xml)
{
	unsigned int flags =
		args_has(args, "paused") ? VIR_DOMAIN_START_PAUSED : 0;
	bool transient = args_has(args, "rm");
	virDomainPtr dom = transient ?
				   virDomainCreateXML(ctl->conn, xml, flags) :
				   virDomainDefineXMLFlags(ctl->conn, xml, 0);

	if (dom && (transient || virDomainCreateWithFlags(dom, flags) == 0))
		return dom;
	say_failed(ctl, "Failed to run domain '%s'", name);
	if (dom) {
		virDomainUndefine(dom);
		virDomainFree(dom);
	}
	return NULL;
}

static int start_and_attach(struct ctl *ctl, const struct args *args,
			    const char *name, const char *xml)
{
	bool attach = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
		      !args_has(args, "detach");
	virDomainPtr dom;
	int status = EXIT_OK;

	dom = start(ctl, args, name, xml);
	if (!dom)
		return EXIT_FAILED;
	if (ctl->output != OUTPUT_TABLE)
		say_value(ctl, "name", name);
	say(ctl, "Domain '%s' started\n", name);
	if (attach)
		status = console_attach(ctl, dom, NULL, 0);
	virDomainFree(dom);
	return status;
}

static int plan(struct ctl *ctl, const struct args *args, struct run_plan *p)
{
	p->path = args_get(args, "image");
	p->network = args_get(args, "network");
	p->cpus = CPUS_DEFAULT;
	p->memory = MEMORY_DEFAULT;
	if (args_uint(args, "cpus", &p->cpus) < 0 ||
	    args_size(args, "memory", MIB, &p->memory) < 0 ||
	    image_detect(args, p->path, &p->image) < 0)
		return -1;
	if (!p->cpus || p->memory < MIB) {
		say_error("a guest needs a CPU, and memory");
		return -1;
	}
	if (!p->network)
		p->network = choose_network(ctl);
	return 0;
}

static int run_run(struct ctl *ctl, const struct args *args)
{
	_cleanup_free_ char *type = NULL, *name = NULL;
	_cleanup_buf_ struct buf b = { 0 };
	struct run_plan p = { NULL };

	if (plan(ctl, args, &p) < 0)
		return EXIT_FAILED;
	p.type = type = domain_type(ctl);
	if (!type)
		return EXIT_FAILED;
	p.name = name = args_has(args, "name") ?
				xstrdup(args_get(args, "name")) :
				choose_name(ctl, p.path);
	if (run_xml(&b, args, &p) < 0)
		return EXIT_FAILED;
	if (args_has(args, "dry-run")) {
		fputs(b.data, stdout);
		return EXIT_OK;
	}
	return start_and_attach(ctl, args, name, b.data);
}

const struct command family_run[] = {
	{
		.name = "run",
		.group = "domain",
		.summary = "run a guest from a disk image, an ISO or a kernel",
		.details =
			"The definition is written for you: see --dry-run. On "
			"a terminal the guest's console follows; Ctrl-] leaves "
			"it and the guest goes on.",
		.opts = OPTS(
			DATA("image", "disk image, ISO image or Linux kernel"),
			NAMED("name", "the domain's; the file's if left out"),
			NAMED("memory", "MiB unless it has a unit (1 GiB)"),
			NAMED_NUMBER("cpus", "how many (2)"),
			NAMED("network", "a virtual network, bridge=NAME or "
					 "none ('default', where it runs)"),
			NAMED("initrd", "initial RAM disk of a kernel"),
			NAMED("cmdline", "command line of a kernel"),
			NAMED("kind", "kernel, disk or cdrom, where the file "
				      "does not tell"),
			NAMED("format", "of the disk image: raw, qcow2, ..."),
			FLAG("uefi", "boot with UEFI firmware"),
			FLAG("vnc", "a screen, for VNC"),
			FLAG("rm", "forget the domain when it stops"),
			FLAG("paused"),
			FLAG("detach", "do not attach to the console"),
			FLAG("dry-run", "print the definition, start nothing"),
			REST("disk", "a further disk or ISO image")),
		.run = run_run,
	},
	{ NULL },
};
