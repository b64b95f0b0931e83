/*
 * drivers/test/driver.c -- a hypervisor that exists only in memory, so that
 * tests of the daemon and of its clients take milliseconds.
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "cpu/models.h"
#include "drivers/test/guest.h"

enum { VCPUS_MAX = 64 };

static int test_probe(struct host_caps *ret_caps, struct error *err)
{
	static const char *const machines[] = { "q35", "microvm", NULL };

	*ret_caps = (struct host_caps){
		.usable = true,
		.max_vcpus = VCPUS_MAX,
		.machines = machines,
	};
	cpu_model_cpuid(cpu_model_find("EPYC-Rome"), &ret_caps->cpuid);
	return 0;
}

static int test_check(const struct domain_def *def, struct error *err)
{
	struct behaviour ignored;

	if (def->max_vcpus > VCPUS_MAX)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "test domains have at most %d vCPUs",
				  VCPUS_MAX);
	if (def->on_poweroff == DOM_ACTION_RENAME_RESTART ||
	    def->on_reboot == DOM_ACTION_RENAME_RESTART ||
	    def->on_crash == DOM_ACTION_RENAME_RESTART)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "action 'rename-restart' is not supported");
	return behaviour_parse(def->metadata, &ignored, err);
}

static int start_guest(struct guest *guest, bool paused, struct error *err)
{
	int r = guest_behave(guest, OP_START, err);

	return r < 0 ? r : guest_boot(guest, paused, err);
}

static int test_start(struct domain *dom, const struct domain_saved *from, bool paused,
		      struct error *err)
{
	struct behaviour behaviour;
	struct guest *guest;
	int r;

	if (from)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "test domains cannot be restored");
	r = behaviour_parse(dom->live->metadata, &behaviour, err);
	if (r == 0)
		r = guest_create(dom, &behaviour, &guest, err);
	if (r < 0)
		return r;
	r = start_guest(guest, paused, err);
	if (r < 0)
		guest_destroy(guest);
	else
		dom->priv = guest;
	return r;
}

static int power_button(struct guest *guest, struct error *err)
{
	int r = guest_behave(guest, OP_SHUTDOWN, err);

	if (r == 0)
		guest_request(guest, GUEST_POWER_BUTTON);
	return r;
}

static int test_stop(struct domain *dom, enum stop_how how, struct error *err)
{
	int r;

	if (how == STOP_REQUEST)
		return power_button(dom->priv, err);
	r = guest_behave(dom->priv, OP_STOP, err);
	if (r < 0 && r != -EPIPE) /* one that was killed is stopped */
		return r;
	guest_destroy(dom->priv);
	dom->priv = NULL;
	return 0;
}

static int test_pause(struct domain *dom, struct error *err)
{
	int r = guest_behave(dom->priv, OP_PAUSE, err);

	if (r == 0)
		guest_set_paused(dom->priv, true);
	return r;
}

static int test_resume(struct domain *dom, struct error *err)
{
	int r = guest_behave(dom->priv, OP_RESUME, err);

	if (r == 0)
		guest_set_paused(dom->priv, false);
	return r;
}

static int test_reset(struct domain *dom, struct error *err)
{
	guest_request(dom->priv, GUEST_RESET);
	return 0;
}

static int test_nmi(struct domain *dom, struct error *err)
{
	return 0; /* nobody there to notice */
}

static void test_interrupt(struct domain *dom)
{
	guest_kill(dom->uuid);
}

static int test_set_balloon(struct domain *dom, uint64_t bytes,
			    struct error *err)
{
	guest_set_balloon(dom->priv, bytes);
	return 0;
}

static int test_tune(struct domain *dom, const struct domain_def *want,
		     unsigned int what, struct error *err)
{
	if (what != DOMAIN_TUNE_ACTIONS)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "test guests use nothing of the host");
	guest_set_actions(dom->priv, want);
	return 0;
}

static void set_id(char id[64], const struct dom_info *info)
{
	snprintf(id, 64, "%s", info->alias ? info->alias : "");
}

static void name_devices(const struct domain_def *def, struct domain_stats *s)
{
	s->n_disks = def->n_disks;
	s->disks = xcalloc(def->n_disks, sizeof(*s->disks));
	for (unsigned int i = 0; i < def->n_disks; i++)
		set_id(s->disks[i].id, &def->disks[i].info);
	s->n_nics = def->n_ifaces;
	s->nics = xcalloc(def->n_ifaces, sizeof(*s->nics));
	for (unsigned int i = 0; i < def->n_ifaces; i++)
		set_id(s->nics[i].id, &def->ifaces[i].info);
}

static int test_stats(struct domain *dom, struct domain_stats *ret_stats,
		      struct error *err)
{
	struct domain_stats s = { .n_vcpus = dom->live->vcpus };
	int r = guest_behave(dom->priv, OP_STATS, err);

	if (r < 0)
		return r;
	s.cpu_ns = guest_cpu_ns(dom->priv);
	s.balloon_bytes = guest_balloon(dom->priv);
	s.vcpu_ns = xcalloc(s.n_vcpus, sizeof(*s.vcpu_ns));
	for (unsigned int i = 0; i < s.n_vcpus; i++)
		s.vcpu_ns[i] = s.cpu_ns / s.n_vcpus;
	name_devices(dom->live, &s);
	*ret_stats = s;
	return 0;
}

static bool wanted(const struct dom_char *c, const char *alias)
{
	if (alias)
		return str_eq(c->info.alias, alias);
	return c->kind == CHAR_CONSOLE || c->kind == CHAR_SERIAL;
}

static int test_open_console(struct domain *dom, const char *alias, bool force,
			     int *ret_fd, struct error *err)
{
	const struct domain_def *def = dom->live;

	for (unsigned int i = 0; i < def->n_chars; i++)
		if (wanted(&def->chars[i], alias))
			return guest_open_console(dom->priv, i, force, ret_fd,
						  err);
	return error_virt(err, VIR_ERR_INTERNAL_ERROR,
			  "cannot find character device %s",
			  alias ? alias : "(null)");
}

/* Test guests end with the process that had them in memory. */
static int test_reconnect(struct domain *dom, bool *ret_paused,
			  const char **ret_why, struct error *err)
{
	*ret_why = NULL;
	return error_set(err, -ESRCH, "test guests do not outlive the daemon");
}

/* Bitmaps that nothing is ever written to; those of one name are broken. */
static int test_bitmap_change(struct domain *dom, const char *alias,
			      const char *name, bool add, struct error *err)
{
	return 0;
}

static int test_bitmap_info(struct domain *dom, const char *alias,
			    const char *name, uint64_t *ret_dirty,
			    struct error *err)
{
	*ret_dirty = 0;
	return str_eq(name, "broken") ? -ESTALE : 0;
}

static const enum dom_virt test_virt[] = { DOM_VIRT_TEST, -1 };

extern const struct driver vireo_driver;
const struct driver vireo_driver = {
	.name = "test",
	.virt_types = test_virt,
	.priority = 0,
	.probe = test_probe,
	.check = test_check,
	.start = test_start,
	.stop = test_stop,
	.pause = test_pause,
	.resume = test_resume,
	.reset = test_reset,
	.reboot = test_reset,
	.nmi = test_nmi,
	.interrupt = test_interrupt,
	.set_balloon = test_set_balloon,
	.tune = test_tune,
	.bitmap_change = test_bitmap_change,
	.bitmap_info = test_bitmap_info,
	.stats = test_stats,
	.open_console = test_open_console,
	.reconnect = test_reconnect,
};
