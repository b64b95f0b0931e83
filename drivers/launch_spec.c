/*
 * drivers/launch_spec.c -- a definition becomes a machine's description: every
 * name in it becomes an open descriptor.
 *
 * launch_check() has been through the definition, so what is not handled here
 * does not occur.
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"
#include "vmm/spec.h"

bool launch_char_is_device(const struct dom_char *chr)
{
	return !(chr->kind == CHAR_CONSOLE &&
		 (!chr->target_type || str_eq(chr->target_type, "serial")));
}

static enum spec_action action(enum dom_action a)
{
	switch (a) {
	case DOM_ACTION_RESTART:
		return SPEC_RESTART;
	case DOM_ACTION_PRESERVE:
		return SPEC_PRESERVE;
	default:
		return SPEC_DESTROY;
	}
}

void launch_set_id(char **id, const struct dom_info *info, const char *kind,
		   unsigned int i)
{
	*id = info->alias ? xstrdup(info->alias) : xasprintf("%s%u", kind, i);
}

void launch_set_place(struct spec_place *place, const struct dom_info *info)
{
	if (!str_eq(info->address.type, "pci"))
		return;
	place->bus = info->address.bus;
	place->slot = info->address.slot;
	place->function = info->address.function;
}

/* ---- the machine itself ---- */

/* guestcpu_resolve() has put a model where there is to be one. */
static char *cpu_model(const struct dom_cpu *cpu)
{
	if (cpu->mode == CPU_MODE_MAXIMUM)
		return xstrdup("max");
	return xstrdup(cpu->model ? cpu->model : "host");
}

static enum spec_cpu_cache cpu_cache(const struct dom_cpu *cpu)
{
	if (str_eq(cpu->cache_mode, "passthrough"))
		return SPEC_CPU_PASSTHROUGH;
	if (str_eq(cpu->cache_mode, "emulate"))
		return SPEC_CPU_EMULATE;
	if (str_eq(cpu->cache_mode, "disable"))
		return SPEC_CPU_NO_CACHE;
	return SPEC_CPU_DEFAULT;
}

static void build_cpu(const struct domain_def *def, struct vmm_spec *s)
{
	const struct dom_cpu *cpu = &def->cpu;

	s->vcpus = def->vcpus;
	s->max_vcpus = MAX(def->max_vcpus, def->vcpus);
	s->cpu_model = cpu_model(cpu);
	s->cpu_vendor = xstrdup(cpu->vendor_id);
	s->cpu_cache = cpu_cache(cpu);
	s->cpu_phys_bits = cpu->phys_bits;
	s->sockets = cpu->sockets;
	s->cores = cpu->cores;
	s->threads = cpu->threads;
	s->cpu_features = xcalloc(cpu->n_features, sizeof(*s->cpu_features));
	s->n_cpu_features = cpu->n_features;
	for (unsigned int i = 0; i < cpu->n_features; i++) {
		s->cpu_features[i].name = xstrdup(cpu->features[i].name);
		s->cpu_features[i].enable =
			cpu->features[i].policy != CPU_POLICY_DISABLE &&
			cpu->features[i].policy != CPU_POLICY_FORBID;
	}
}

static void build_board(const struct domain_def *def, struct vmm_spec *s)
{
	s->no_s3 = def->pm_mem == TRI_OFF;
	s->has_genid = def->genid && uuid_parse(def->genid, s->genid) == 0;
	for (unsigned int i = 0; i < def->n_timers; i++)
		if (str_eq(def->timers[i].name, "hpet"))
			s->hpet = def->timers[i].present == TRI_ON;
}

static void build_machine(const struct domain_def *def, const char *engine,
			  struct vmm_spec *s)
{
	s->name = xstrdup(def->name);
	memcpy(s->uuid, def->uuid, sizeof(s->uuid));
	s->engine = xstrdup(engine);
	s->machine = xstrdup(def->os.machine ? def->os.machine : "microvm");
	s->memory = ALIGN_UP(domain_initial_memory(def), MIB);
	s->cmdline = xstrdup(def->os.cmdline);
	s->on_poweroff = action(def->on_poweroff);
	s->on_reboot = action(def->on_reboot);
	s->on_crash = action(def->on_crash);
	s->balloon = def->memballoon.present &&
		     !str_eq(def->memballoon.model, "none");
	s->balloon_deflate = str_eq(def->memballoon.autodeflate, "on");
	s->balloon_reporting =
		str_eq(def->memballoon.freepage_reporting, "on");
	s->balloon_period = def->memballoon.stats_period;
	launch_set_place(&s->balloon_pci, &def->memballoon.info);
	build_cpu(def, s);
	build_board(def, s);
	launch_build_tune(def, s);
}

static int open_boot(const struct domain_def *def, struct vmm_spec *s,
		     struct error *err)
{
	int r = launch_build_firmware(def, s, err);

	if (r >= 0 && def->os.kernel)
		r = host_open_file(def->os.kernel, err, &s->kernel_fd);
	if (r >= 0 && def->os.initrd)
		r = host_open_file(def->os.initrd, err, &s->initrd_fd);
	if (r >= 0 && str_eq(def->backing.source, "file"))
		r = host_open_memory(err, &s->mem_fd);
	if (r >= 0 && str_startswith(s->engine, "kvm"))
		r = host_open_kvm(err, &s->kvm_fd);
	return r;
}

/* ---- devices ---- */

static int open_pty(struct dom_char *d, struct spec_char *s, struct error *err)
{
	char slave[64];
	int r = host_open_pty(slave, err, &s->fd);

	if (r < 0)
		return r;
	free(d->source_path);
	d->source_path = xstrdup(slave);
	return 0;
}

static int open_char(struct dom_char *d, struct spec_char *s,
		     struct error *err)
{
	s->kind = CHARDEV_FD;
	switch (d->type) {
	case CHR_PTY:
		return open_pty(d, s, err);
	case CHR_FILE:
		return host_open_log(d->source_path,
				     str_eq(d->source_append, "on"), err,
				     &s->fd);
	case CHR_UNIX:
		if (str_eq(d->source_mode, "connect"))
			return host_connect_unix(d->source_path, err, &s->fd);
		s->kind = CHARDEV_SOCKET;
		if (!d->source_path)
			return 0; /* clients come through the daemon */
		return host_listen_unix(d->source_path, err, &s->fd);
	default:
		s->kind = CHARDEV_NULL;
		return 0;
	}
}

int launch_build_char(struct dom_char *d, unsigned int i, struct spec_char *s,
		      struct error *err)
{
	static const char *const kinds[] = { "serial", "console", "channel",
					     "parallel" };
	int r;

	s->fd = s->log_fd = -1;
	launch_set_id(&s->id, &d->info, kinds[d->kind], i);
	if (d->kind == CHAR_SERIAL)
		s->index = MAX(d->target_port, 0);
	else
		s->index = d->info.address.port;
	if (d->kind == CHAR_CHANNEL) {
		s->port_name = xstrdup(d->target_name ? d->target_name : "");
		free(d->target_state);
		d->target_state = xstrdup("disconnected");
	}
	r = open_char(d, s, err);
	if (r >= 0 && d->log_file)
		r = host_open_log(d->log_file, !str_eq(d->log_append, "off"),
				  err, &s->log_fd);
	return r;
}

/* Serial lines and virtio ports go to two lists. */
static int build_chars(struct domain_def *def, struct vmm_spec *s,
		       struct error *err)
{
	s->serials = xcalloc(def->n_chars, sizeof(*s->serials));
	s->consoles = xcalloc(def->n_chars, sizeof(*s->consoles));
	for (unsigned int i = 0; i < def->n_chars; i++) {
		struct dom_char *d = &def->chars[i];
		struct spec_char *c;
		int r;

		if (!launch_char_is_device(d))
			continue;
		c = d->kind == CHAR_SERIAL ? &s->serials[s->n_serials++] :
					     &s->consoles[s->n_consoles++];
		r = launch_build_char(d, i, c, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- watchdog and panic ---- */

int launch_watchdog_action(const char *word)
{
	for (int i = WATCHDOG_NONE; i <= WATCHDOG_NMI; i++)
		if (str_eq(vmm_spec_watchdog_name(i), word))
			return i;
	return -1;
}

static void build_guards(const struct domain_def *def, struct vmm_spec *s)
{
	for (unsigned int i = 0; i < def->n_watchdogs; i++) {
		s->watchdog = true;
		s->watchdog_action =
			launch_watchdog_action(def->watchdogs[i].action);
		launch_set_place(&s->watchdog_pci, &def->watchdogs[i].info);
	}
	for (unsigned int i = 0; i < def->n_panics; i++) {
		if (!str_eq(def->panics[i].model, "pvpanic")) {
			s->pvpanic = true;
			continue;
		}
		s->pvpanic_pci = true;
		launch_set_place(&s->pvpanic_at, &def->panics[i].info);
	}
}

void launch_build_rng(const struct dom_rng *d, unsigned int i,
		      struct spec_rng *s)
{
	launch_set_id(&s->id, &d->info, "rng", i);
	launch_set_place(&s->pci, &d->info);
	s->fd = -1;
	s->max_bytes = d->rate_bytes;
	s->period = d->rate_period;
}

static void build_rngs(const struct domain_def *def, struct vmm_spec *s)
{
	s->rngs = xcalloc(def->n_rngs, sizeof(*s->rngs));
	for (unsigned int i = 0; i < def->n_rngs; i++)
		launch_build_rng(&def->rngs[i], i, &s->rngs[s->n_rngs++]);
}

/* Console ports that q35 has room for, if nobody says how many. */
enum { SPARE_PORTS = 8 };

static void place_ports(const struct domain_def *def, struct vmm_spec *s)
{
	for (unsigned int i = 0; i < def->n_controllers; i++) {
		const struct dom_controller *c = &def->controllers[i];

		if (!str_eq(c->type, "virtio-serial") || c->index)
			continue;
		launch_set_place(&s->console_pci, &c->info);
		s->console_ports = c->ports ? c->ports :
				   str_eq(s->machine, "q35") ? SPARE_PORTS :
							       0;
	}
}

static int build_devices(struct domain_def *def, struct vmm_spec *s,
			 struct error *err)
{
	int r = launch_build_disks(def, s, err);

	launch_build_ports(def, s);
	build_guards(def, s);
	build_rngs(def, s);
	place_ports(def, s);
	s->nics = xcalloc(def->n_ifaces, sizeof(*s->nics));
	for (unsigned int i = 0; i < def->n_ifaces && r >= 0; i++)
		if (def->ifaces[i].type != IFACE_HOSTDEV)
			r = launch_build_nic(def->uuid, &def->ifaces[i], i,
					     &s->nics[s->n_nics++], err);
	if (r >= 0)
		r = launch_build_hostdevs(def, s, err);
	return r < 0 ? r : build_chars(def, s, err);
}

int launch_build(struct domain *dom, const char *engine,
		 struct vmm_spec *ret_spec, struct error *err)
{
	int r;

	vmm_spec_init(ret_spec);
	build_machine(dom->live, engine, ret_spec);
	r = launch_build_memories(dom->live, ret_spec, err);
	if (r >= 0)
		r = open_boot(dom->live, ret_spec, err);
	if (r >= 0)
		r = build_devices(dom->live, ret_spec, err);
	if (r >= 0)
		r = launch_build_graphics(dom->live, ret_spec, err);
	if (r >= 0)
		r = launch_build_vsock(dom, ret_spec, err);
	if (r >= 0)
		r = launch_build_tpm(dom->live, ret_spec, err);
	if (r >= 0)
		r = launch_build_fs(dom->live, ret_spec, err);
	if (r < 0)
		vmm_spec_finish(ret_spec);
	else
		launch_boot_order(&dom->live->os, ret_spec);
	return r;
}
