/*
 * cli/cmd-memory.c -- how much memory a domain has.
 */
#include "cli/args.h"
#include "cli/domain-action.h"
#include "cli/output.h"

/* ---- setmem ---- */

static int run_setmem(struct ctl *ctl, const struct args *args)
{
	unsigned long long size;
	unsigned int flags;
	virDomainPtr dom;
	int r;

	if (args_affect(args, &flags) < 0 ||
	    args_size(args, "size", KIB, &size) < 0)
		return EXIT_FAILED;
	dom = ctl_domain(ctl, args);
	if (!dom)
		return EXIT_FAILED;
	r = virDomainSetMemoryFlags(dom, size / KIB, flags);
	virDomainFree(dom);
	return r < 0 ? say_failed(ctl, NULL) : EXIT_OK;
}

const struct command family_memory[] = {
	{
		.name = "setmem",
		.group = "domain",
		.summary = "change memory allocation",
		.details =
			"What the guest may keep; its balloon takes the rest.",
		.opts = OPTS(OPT_DOMAIN(complete_domains),
			     DATA_NUMBER("size",
					 "new size, KiB unless it has a unit"),
			     OPTS_AFFECT),
		.run = run_setmem,
	},
	{ NULL },
};
