/*
 * cli/cmd-setmem.c -- change memory allocation.
 */
#include "cli/domain-action.h"
#include "cli/output.h"

static const struct flag_option flags[] = {
	{ "live", VIR_DOMAIN_AFFECT_LIVE },
	{ "config", VIR_DOMAIN_AFFECT_CONFIG },
	{ NULL },
};

/* A number with libvirt's suffix (default KiB) as KiB; 0: not one. */
static unsigned long long kib(const char *text)
{
	static const struct {
		const char *suffix;
		unsigned long long bytes;
	} units[] = {
		{ "", KIB },	      { "b", 1 },   { "bytes", 1 },
		{ "KB", 1000 },	      { "k", KIB }, { "KiB", KIB },
		{ "MB", 1000000 },    { "M", MIB }, { "MiB", MIB },
		{ "GB", 1000000000 }, { "G", GIB }, { "GiB", GIB },
	};
	unsigned long long v, bytes;
	char *end;

	v = strtoull(text, &end, 10);
	for (size_t i = 0; end != text && i < ARRAY_SIZE(units); i++)
		if (str_eq(units[i].suffix, end))
			return ckd_mul(&bytes, v, units[i].bytes) ? 0
								  : bytes / KIB;
	return 0;
}

static int run_setmem(struct ctl *ctl, const struct args *args)
{
	unsigned long long size = kib(args_get(args, "size"));
	virDomainPtr dom;
	int r;

	if (!size) {
		say_error("'%s' is not a memory size such as 512MiB",
			  args_get(args, "size"));
		return EXIT_USAGE;
	}
	dom = ctl_domain(ctl, args);
	if (!dom)
		return EXIT_FAILED;
	r = virDomainSetMemoryFlags(dom, size, args_flags(args, flags));
	virDomainFree(dom);
	return r < 0 ? say_failed(ctl, "Failed to set the memory size")
		     : EXIT_OK;
}

const struct command cmd_setmem = {
	.name = "setmem",
	.group = "domain",
	.summary = "change memory allocation",
	.details = "What the guest may keep; its balloon takes the rest.",
	.opts = { OPT_DOMAIN(complete_domains),
		  { OPT_ARG, "size", "new size, KiB unless it has a unit" },
		  { OPT_FLAG, "live", "affect running domain" },
		  { OPT_FLAG, "config", "affect next boot" },
		  { OPT_FLAG, "current", "affect current domain" } },
	.run = run_setmem,
};
