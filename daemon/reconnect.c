/*
 * daemon/reconnect.c -- when the daemon starts: find again the guests that an
 * earlier one left running, then start what is marked autostart.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libxml/parser.h>
#include <string.h>

#include "daemon/autostart.h"
#include "daemon/hostcaps.h"
#include "daemon/pools.h"
#include "daemon/registry.h"

#define LOG_MODULE "domain"
#include "base/log.h"

enum { RECONNECT_THREADS = 8 };

static void found_gone(struct dom_obj *obj, const char *why)
{
	if (str_eq(why, "poweroff") || str_eq(why, "reset"))
		run_stopped(obj, VIR_DOMAIN_SHUTOFF_SHUTDOWN,
			    VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN);
	else if (str_eq(why, "quit"))
		run_stopped(obj, VIR_DOMAIN_SHUTOFF_DESTROYED,
			    VIR_DOMAIN_EVENT_STOPPED_DESTROYED);
	else if (str_eq(why, "crash"))
		run_stopped(obj, VIR_DOMAIN_SHUTOFF_CRASHED,
			    VIR_DOMAIN_EVENT_STOPPED_CRASHED);
	else
		run_stopped(obj, VIR_DOMAIN_SHUTOFF_UNKNOWN,
			    VIR_DOMAIN_EVENT_STOPPED_FAILED);
}

static void found_running(struct dom_obj *obj, bool paused)
{
	hook_domain_told(obj, "reconnect", "begin");
	if (paused && obj->state == VIR_DOMAIN_RUNNING)
		run_force_state(obj, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_UNKNOWN);
	else if (!paused && obj->driver->asleep &&
		 obj->driver->asleep(&obj->d) > 0)
		guest_asleep(obj);
	else if (!paused && obj->state != VIR_DOMAIN_RUNNING)
		run_force_state(obj, VIR_DOMAIN_RUNNING,
			    VIR_DOMAIN_RUNNING_UNKNOWN);
}

/* Nobody was told that it started, and nobody may find it running later. */
static void end_half_started(struct dom_obj *obj, int reconnected)
{
	if (reconnected == 0)
		run_stop_quietly(obj);
	else if (reconnected != -ESRCH && obj->driver->interrupt)
		obj->driver->interrupt(&obj->d);
	run_stopped(obj, VIR_DOMAIN_SHUTOFF_FAILED,
		    VIR_DOMAIN_EVENT_STOPPED_FAILED);
}

/* It is in a file, which is what the daemon before us came to record. */
static void end_saved(struct dom_obj *obj, int reconnected)
{
	if (reconnected == 0)
		run_stop_quietly(obj);
	else if (reconnected != -ESRCH && obj->driver->interrupt)
		obj->driver->interrupt(&obj->d);
	run_stopped(obj, VIR_DOMAIN_SHUTOFF_SAVED,
		    VIR_DOMAIN_EVENT_STOPPED_SAVED);
}

/*
 * Alive or not, it cannot be controlled; as libvirt does, end it rather than
 * risk that it is started twice on the same disks.
 */
static void found_lost(struct dom_obj *obj, const struct error *why)
{
	log_error("domain '%s' does not answer and is ended: %s", obj->d.name,
		  why->message);
	if (obj->driver->interrupt)
		obj->driver->interrupt(&obj->d);
	run_stopped(obj, VIR_DOMAIN_SHUTOFF_FAILED,
		    VIR_DOMAIN_EVENT_STOPPED_FAILED);
}

static void reconnect(struct dom_obj *obj, bool was_starting)
{
	struct error err = { 0 };
	const char *why = NULL;
	bool paused = false;
	int r;

	if (!obj->driver || !obj->driver->reconnect) {
		log_error("domain '%s' runs, but its driver is not here",
			  obj->d.name);
		return;
	}
	pthread_mutex_lock(&obj->reg->lock);
	/* Needed for what is asked of disks; the guest has them open. */
	vols_resolve(obj->reg, obj->d.live, NULL);
	obj->boot = domain_def_copy(obj->d.live);
	pthread_mutex_unlock(&obj->reg->lock);
	r = obj->driver->reconnect(&obj->d, &paused, &why, &err);
	pthread_mutex_lock(&obj->reg->lock);
	domain_def_free(steal_ptr(&obj->boot));
	pthread_mutex_unlock(&obj->reg->lock);
	if (r == 0 && was_starting && incoming_recover(obj, paused))
		return;
	if (was_starting)
		end_half_started(obj, r);
	else if (obj->state == VIR_DOMAIN_SHUTOFF)
		end_saved(obj, r);
	else if (r == 0 && migrate_recover(obj))
		return;
	else if (r == 0 && obj->state == VIR_DOMAIN_PAUSED &&
		 (obj->reason == VIR_DOMAIN_PAUSED_SAVE ||
		  obj->reason == VIR_DOMAIN_PAUSED_SNAPSHOT))
		save_recover(obj);
	else if (r == 0)
		found_running(obj, paused);
	else if (r == -ESRCH)
		found_gone(obj, why);
	else
		found_lost(obj, &err);
}

static struct dom_obj *next_found(struct registry *reg, bool *ret_starting)
{
	struct dom_obj *obj;

	pthread_mutex_lock(&reg->lock);
	for (obj = reg->first; obj && !obj->found; obj = obj->next)
		;
	if (obj) {
		obj->refs++;
		obj->found = false;
		*ret_starting = obj->found_starting;
	}
	pthread_mutex_unlock(&reg->lock);
	return obj;
}

/* ---- boots of the host ---- */

static char host_boot[64]; /* the host is one for the process */

/* Changes with every boot of the host; stays "" where it cannot be read. */
static void read_boot_id(void)
{
	_cleanup_fclose_ FILE *f =
		fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f || fscanf(f, "%63s", host_boot) != 1)
		host_boot[0] = '\0';
}

void registry_prepare(void)
{
	read_boot_id();
	hostcaps();
	xmlInitParser(); /* libxml2 wants it before threads */
}

const char *registry_boot_id(const struct registry *reg)
{
	return reg->boot_id ? reg->boot_id : host_boot;
}

/* As libvirt: once after the host booted, not at each start of the daemon. */
static bool first_since_boot(struct registry *reg, const char *key)
{
	const char *now = registry_boot_id(reg);
	_cleanup_free_ char *then = NULL;
	struct error err = { 0 };

	if (store_fact_get(reg->store, key, &then, &err) == 0 &&
	    now[0] && str_eq(now, then))
		return false;
	if (now[0] && store_fact_set(reg->store, key, now, &err))
		log_warn("%s", err.message);
	return true;
}

bool registry_booted(struct registry *reg)
{
	return first_since_boot(reg, "networks-boot");
}

/* ---- the test driver's world has one running domain, as libvirt's has ---- */

static const char test_xml[] =
	"<domain type='test'>"
	"  <name>test</name>"
	"  <uuid>6695eb01-f6a4-8304-79aa-97f2502e193f</uuid>"
	"  <memory unit='KiB'>8388608</memory>"
	"  <currentMemory unit='KiB'>2097152</currentMemory>"
	"  <vcpu>2</vcpu>"
	"  <os><type arch='x86_64'>hvm</type></os>"
	"  <devices>"
	"    <disk type='file' device='disk'>"
	"      <source file='/guest/diskimage1'/>"
	"      <target dev='vda' bus='virtio'/>"
	"    </disk>"
	"    <interface type='network'>"
	"      <mac address='aa:bb:cc:dd:ee:ff'/>"
	"      <source network='default'/>"
	"    </interface>"
	"    <console type='pty'/>"
	"    <memballoon model='virtio'/>"
	"  </devices>"
	"</domain>";

static void start_test_domain(struct registry *reg)
{
	struct domain_ref ref;
	struct error err = { 0 };

	if (domain_define(reg, test_xml, 0, &ref, &err) < 0 ||
	    domain_create(reg, ref.uuid, 0, NULL, &err) < 0)
		log_warn("cannot start the test domain: %s", err.message);
}

static void *reconnect_found(void *arg)
{
	struct dom_obj *obj;
	bool starting;

	while ((obj = next_found(arg, &starting))) {
		reconnect(obj, starting);
		obj_end(obj);
	}
	return NULL;
}

static unsigned int count_found(struct registry *reg)
{
	unsigned int n = 0;

	pthread_mutex_lock(&reg->lock);
	for (struct dom_obj *obj = reg->first; obj; obj = obj->next)
		n += obj->found;
	pthread_mutex_unlock(&reg->lock);
	return n;
}

/* Side by side: one VMM that does not answer must not delay the others. */
static void reconnect_all(struct registry *reg)
{
	unsigned int want = MIN(count_found(reg), RECONNECT_THREADS), n = 0;
	pthread_t threads[RECONNECT_THREADS];

	while (n + 1 < want && pthread_create(&threads[n], NULL,
					      reconnect_found, reg) == 0)
		n++;
	reconnect_found(reg);
	while (n)
		pthread_join(threads[--n], NULL);
}

void registry_reconnect(struct registry *reg)
{
	reconnect_all(reg);
	if (first_since_boot(reg, "autostarted-boot"))
		autostart_begin(reg);
	if (reg->kind == REGISTRY_TEST)
		start_test_domain(reg);
}
