/*
 * drivers/launch_check.c -- what our machines can run.
 *
 * What a definition asks for and no machine of ours has is an error that names
 * the element and the remedy, never something else instead.
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"

const char *const launch_machines[] = { "q35", "microvm", NULL };

#define refuse(err, ...) \
	error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED, __VA_ARGS__)

static int check_os(const struct domain_def *def, struct error *err)
{
	const struct dom_os *os = &def->os;

	if (os->type && !str_eq(os->type, "hvm"))
		return refuse(err, "<os><type>: '%s' is not supported, use 'hvm'",
			      os->type);
	if (os->arch && !str_eq(os->arch, "x86_64"))
		return refuse(err, "<os><type arch>: '%s' is not supported, guests are x86_64",
			      os->arch);
	return launch_check_firmware(os, err);
}

static bool is_coredump(enum dom_action a)
{
	return a == DOM_ACTION_COREDUMP_DESTROY ||
	       a == DOM_ACTION_COREDUMP_RESTART;
}

static int check_cache(const struct dom_cpu *cpu, struct error *err)
{
	bool host = cpu->mode == CPU_MODE_HOST_PASSTHROUGH ||
		    cpu->mode == CPU_MODE_MAXIMUM;

	if (str_eq(cpu->cache_mode, "passthrough") && !host)
		return refuse(err, "<cpu><cache>: mode 'passthrough' needs <cpu mode='host-passthrough'> or 'maximum'");
	if (str_eq(cpu->cache_mode, "emulate") ?
		    cpu->cache_level && !str_eq(cpu->cache_level, "3") :
		    cpu->cache_level != NULL)
		return refuse(err, "<cpu><cache>: level '%s' is not supported; mode 'emulate' takes '3', other modes none",
			      cpu->cache_level);
	return 0;
}

static int check_cpu(const struct dom_cpu *cpu, struct error *err)
{
	if (cpu->vendor_id && strlen(cpu->vendor_id) != 12)
		return refuse(err, "<cpu><model vendor_id>: '%s' is not of 12 letters",
			      cpu->vendor_id);
	if (str_eq(cpu->phys_mode, "passthrough") && cpu->phys_bits)
		return refuse(err, "<cpu><maxphysaddr>: bits need mode='emulate'");
	return check_cache(cpu, err);
}

static int check_timer(const struct domain_def *def,
		       const struct dom_timer *t, struct error *err)
{
	if (str_eq(t->name, "hpet") && t->present == TRI_ON &&
	    !str_eq(def->os.machine, "q35"))
		return refuse(err, "<timer name='hpet'>: machine 'microvm' has none, use machine='q35'");
	return 0;
}

static int check_general(const struct domain_def *def, struct error *err)
{
	if (!def->memory)
		return refuse(err, "<memory>: a guest needs some");
	if (def->max_vcpus > 255 || !def->vcpus)
		return refuse(err, "<vcpu>: from 1 to 255 are supported");
	if (def->on_poweroff == DOM_ACTION_RENAME_RESTART ||
	    def->on_reboot == DOM_ACTION_RENAME_RESTART ||
	    def->on_crash == DOM_ACTION_RENAME_RESTART)
		return refuse(err, "'rename-restart' is not supported, use 'restart'");
	if (is_coredump(def->on_crash))
		return refuse(err, "<on_crash>: core dumps are not supported, use 'destroy' or 'restart'");
	for (unsigned int i = 0; i < def->n_timers; i++)
		if (check_timer(def, &def->timers[i], err) < 0)
			return -EINVAL;
	return 0;
}

static int check_iface(const struct dom_iface *i, struct error *err)
{
	if (i->type == IFACE_HOSTDEV)
		return launch_check_hostdev_iface(i, err);
	if (i->type != IFACE_ETHERNET && i->type != IFACE_BRIDGE &&
	    i->type != IFACE_NETWORK && i->type != IFACE_VHOSTUSER &&
	    i->type != IFACE_DIRECT)
		return refuse(err, "<interface>: its type is not supported, use type='network', 'bridge', 'direct', 'ethernet', 'vhostuser' or 'hostdev'");
	if ((i->vlan.n_tags || str_eq(i->isolated, "yes")) &&
	    i->type != IFACE_BRIDGE && i->type != IFACE_NETWORK)
		return refuse(err, "<interface>: <vlan> and <port isolated> need a bridge");
	if (i->type == IFACE_DIRECT && i->target_managed == TRI_OFF)
		return refuse(err, "<interface type='direct'>: managed='no' is not supported");
	if (i->type == IFACE_VHOSTUSER &&
	    (!i->source || !str_eq(i->source_mode, "client") ||
	     (i->source_type && !str_eq(i->source_type, "unix"))))
		return refuse(err, "<interface type='vhostuser'>: it needs <source type='unix' path= mode='client'>; mode 'server' is not supported");
	if (str_eq(i->model, "e1000"))
		return refuse(err, "<interface>: model 'e1000' is not supported, use 'e1000e', whose driver all systems have that have the other's, or 'virtio'");
	if (i->model && !str_eq(i->model, "virtio") &&
	    !str_eq(i->model, "e1000e"))
		return refuse(err, "<interface>: model '%s' is not supported, use 'virtio' or 'e1000e'",
			      i->model);
	if (i->type == IFACE_VHOSTUSER && !str_eq(i->model, "virtio"))
		return refuse(err, "<interface type='vhostuser'>: its model can be 'virtio' only");
	if (i->type == IFACE_BRIDGE && !i->source)
		return refuse(err, "<interface type='bridge'>: it has no <source bridge>");
	if (i->driver_name && !str_eq(i->driver_name, "vhost") &&
	    !str_eq(i->driver_name, "qemu"))
		return refuse(err, "<interface><driver>: name '%s' is not supported, use 'vhost' or 'qemu'",
			      i->driver_name);
	if (str_eq(i->driver_name, "vhost") && !str_eq(i->model, "virtio"))
		return refuse(err, "<interface><driver name='vhost'>: it needs model 'virtio'");
	if (i->queues > LAUNCH_NIC_QUEUES)
		return refuse(err, "<interface><driver>: %u queues are more than the %u that are supported",
			      i->queues, LAUNCH_NIC_QUEUES);
	if (i->target_managed == TRI_OFF && !i->target_dev)
		return refuse(err, "<interface>: managed='no' needs <target dev>");
	if (i->target_dev && strlen(i->target_dev) > 15)
		return refuse(err, "<interface>: the name '%s' is too long for a network device",
			      i->target_dev);
	return 0;
}

static int check_backend(const struct dom_char *c, const char *what,
			 struct error *err)
{
	switch (c->type) {
	case CHR_PTY:
	case CHR_NULL:
		return 0;
	case CHR_UNIX:
		if (!c->source_path && (c->kind != CHAR_CHANNEL ||
					str_eq(c->source_mode, "connect")))
			return refuse(err, "<%s type='unix'>: it has no <source path>",
				      what);
		return 0;
	case CHR_FILE:
		if (!c->source_path)
			return refuse(err, "<%s type='file'>: it has no <source path>",
				      what);
		return 0;
	default:
		return refuse(err, "<%s>: its type is not supported, use 'pty', 'unix', 'file' or 'null'",
			      what);
	}
}

static int check_char(const struct dom_char *c, struct error *err)
{
	static const char *const names[] = { "serial", "console", "channel",
					     "parallel" };
	const char *what = names[c->kind];

	if (c->kind == CHAR_PARALLEL)
		return refuse(err, "<parallel>: machine 'microvm' has no parallel port");
	if (c->kind == CHAR_SERIAL && c->target_type &&
	    !str_eq(c->target_type, "isa-serial"))
		return refuse(err, "<serial>: target type '%s' is not supported, use 'isa-serial'",
			      c->target_type);
	if (c->kind == CHAR_SERIAL && c->target_port > 3)
		return refuse(err, "<serial>: ports are 0 to 3");
	if (c->kind != CHAR_SERIAL && c->target_type &&
	    !str_eq(c->target_type, "virtio") &&
	    !(c->kind == CHAR_CONSOLE && str_eq(c->target_type, "serial")))
		return refuse(err, "<%s>: target type '%s' is not supported, use 'virtio'",
			      what, c->target_type);
	return launch_char_is_device(c) ? check_backend(c, what, err) : 0;
}

static int check_controller(const struct dom_controller *c, struct error *err)
{
	if (str_eq(c->type, "pci"))
		return launch_check_port(c, err);
	if (launch_is_storage(c))
		return launch_check_storage(c, err);
	if (str_eq(c->type, "virtio-serial") ||
	    (str_eq(c->type, "usb") && c->index == 0 &&
	     (str_eq(c->model, "none") || str_eq(c->model, "qemu-xhci"))))
		return 0;
	if (str_eq(c->type, "usb"))
		return refuse(err, "<controller type='usb'>: one is supported, use index='0' model='qemu-xhci'");
	return refuse(err, "<controller>: machine 'microvm' has no controller of type '%s'%s%s; remove it",
		      c->type, c->model ? " and model " : "",
		      c->model ? c->model : "");
}

static int check_rng(const struct dom_rng *r, struct error *err)
{
	if (r->model && !str_startswith(r->model, "virtio"))
		return refuse(err, "<rng>: model '%s' is not supported, use 'virtio'",
			      r->model);
	if (r->backend == RNG_EGD ||
	    (r->backend == RNG_RANDOM && r->backend_path &&
	     !str_eq(r->backend_path, "/dev/urandom") &&
	     !str_eq(r->backend_path, "/dev/random")))
		return refuse(err, "<rng>: this backend is not supported, use <backend model='random'>/dev/urandom</backend>");
	return 0;
}

static int check_watchdog(const struct dom_watchdog *w, struct error *err)
{
	if (!str_eq(w->model, "i6300esb"))
		return refuse(err, "<watchdog>: model '%s' is not supported, use 'i6300esb'",
			      w->model);
	if (launch_watchdog_action(w->action) < 0)
		return refuse(err, "<watchdog>: action '%s' is not supported, use 'reset', 'shutdown', 'poweroff', 'pause', 'none' or 'inject-nmi'",
			      w->action);
	return 0;
}

static int check_panic(const struct dom_panic *p, struct error *err)
{
	if (str_eq(p->model, "isa") || str_eq(p->model, "pvpanic"))
		return 0;
	return refuse(err, "<panic>: model '%s' is not supported, use 'isa' or 'pvpanic'",
		      p->model);
}

static int check_singles(const struct domain_def *def, struct error *err)
{
	if (def->n_watchdogs > 1)
		return refuse(err, "<watchdog>: one is supported");
	if (def->memballoon.present && def->memballoon.model &&
	    !str_startswith(def->memballoon.model, "virtio") &&
	    !str_eq(def->memballoon.model, "none"))
		return refuse(err, "<memballoon>: model '%s' is not supported, use 'virtio' or 'none'",
			      def->memballoon.model);
	return 0;
}

int launch_check_usb(const struct dom_address *a, struct error *err)
{
	if (a->bus)
		return refuse(err, "<address type='usb'>: one USB controller is supported, bus 0");
	if (!a->port || a->port > 255 || strchr(a->usb_port, '.'))
		return refuse(err, "<address type='usb'>: port '%s' is not one of the controller's",
			      a->usb_port);
	return 0;
}

/* Runs the check for each element until one refuses. */
#define CHECK_EACH(def, n, array, fn, err) \
	for (unsigned int i_ = 0; i_ < (def)->n; i_++) { \
		int r_ = fn(&(def)->array[i_], err); \
		if (r_ < 0) \
			return r_; \
	}

int launch_check(const struct domain_def *def, struct error *err)
{
	int r = check_os(def, err);

	if (r >= 0)
		r = check_general(def, err);
	if (r >= 0)
		r = check_singles(def, err);
	if (r >= 0)
		r = check_cpu(&def->cpu, err);
	if (r >= 0)
		r = launch_check_tune(def, err);
	if (r >= 0)
		r = launch_check_memories(def, err);
	if (r < 0)
		return r;
	CHECK_EACH(def, n_disks, disks, launch_check_disk, err);
	CHECK_EACH(def, n_ifaces, ifaces, check_iface, err);
	CHECK_EACH(def, n_chars, chars, check_char, err);
	CHECK_EACH(def, n_controllers, controllers, check_controller, err);
	r = launch_check_graphics(def, err);
	if (r == 0)
		r = launch_check_vsock(def, err);
	if (r < 0)
		return r;
	r = launch_check_tpms(def, err);
	if (r < 0)
		return r;
	CHECK_EACH(def, n_rngs, rngs, check_rng, err);
	CHECK_EACH(def, n_hostdevs, hostdevs, launch_check_hostdev, err);
	CHECK_EACH(def, n_watchdogs, watchdogs, check_watchdog, err);
	CHECK_EACH(def, n_filesystems, filesystems, launch_check_fs, err);
	CHECK_EACH(def, n_panics, panics, check_panic, err);
	return 0;
}
