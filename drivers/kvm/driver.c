/*
 * drivers/kvm/driver.c -- guests on the host's KVM: the daemon's half.
 *
 * type='kvm' means KVM and nothing else.  A host whose KVM cannot run ordinary
 * guests gets the probe's sentence instead of a guest that hangs.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/driver.h"
#include "drivers/kvm/kvm.h"
#include "drivers/launch.h"

static int read_cpuid(struct x86_cpuid *ret_cpuid, struct error *err)
{
	_cleanup_close_ int fd = -1;
	int r = host_open_kvm(err, &fd);

	if (r >= 0)
		r = kvm_cpuid(fd, ret_cpuid);
	return r < 0 ? error_set(err, r, "KVM tells no CPUID: %m") : 0;
}

static int kvm_driver_probe(struct host_caps *ret_caps, struct error *err)
{
	struct error why = { 0 };

	*ret_caps = (struct host_caps){
		.max_vcpus = 255,
		.machines = launch_machines,
	};
	if (host_probe_kvm(ret_caps->why, sizeof(ret_caps->why), &why) < 0)
		snprintf(ret_caps->why, sizeof(ret_caps->why), "%.500s",
			 why.message);
	ret_caps->usable = !ret_caps->why[0];
	return ret_caps->usable ? read_cpuid(&ret_caps->cpuid, err) : 0;
}

static int kvm_driver_start(struct domain *dom,
			    const struct domain_saved *from, bool paused,
			    struct error *err)
{
	return launch_start(dom, "kvm", from, paused, err);
}

static const enum dom_virt kvm_types[] = { DOM_VIRT_KVM, DOM_VIRT_VIREO, -1 };

extern const struct driver vireo_driver;
const struct driver vireo_driver = {
	.name = "kvm",
	.virt_types = kvm_types,
	.priority = 100,
	.probe = kvm_driver_probe,
	.check = launch_check,
	.start = kvm_driver_start,
	LAUNCH_OPS,
};
