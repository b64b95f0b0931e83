/*
 * drivers/emu/driver.c -- guests without KVM: the daemon's half.
 *
 * It needs nothing of the host, so its probe always succeeds.
 */
#include "base/error.h"
#include "base/util.h"
#include "drivers/driver.h"
#include "drivers/emu/offer.h"
#include "drivers/emu/vec_int.h"
#include "drivers/launch.h"

static int emu_driver_probe(struct host_caps *ret_caps, struct error *err)
{
	*ret_caps = (struct host_caps){
		.usable = true,
		.max_vcpus = 255,
		.machines = launch_machines,
		.any_vendor = true,
	};
	vec_isa_init();
	emu_cpuid_host(&ret_caps->cpuid);
	return 0;
}

static int emu_driver_start(struct domain *dom,
			    const struct domain_saved *from, bool paused,
			    struct error *err)
{
	_cleanup_free_ char *variant = NULL, *engine = NULL;
	int r = launch_variant(dom->live, &variant, err);

	if (r < 0)
		return r;
	engine = variant ? xasprintf("emu:%s", variant) : xstrdup("emu");
	return launch_start(dom, engine, from, paused, err);
}

static const enum dom_virt emu_types[] = { DOM_VIRT_QEMU, DOM_VIRT_VIREO, -1 };

extern const struct driver vireo_driver;
const struct driver vireo_driver = {
	.name = "emu",
	.virt_types = emu_types,
	.priority = 10,
	.probe = emu_driver_probe,
	.check = launch_check,
	.start = emu_driver_start,
	LAUNCH_OPS,
};
