/*
 * vmm/machine.c -- building a machine, and running, pausing, resetting and
 * stopping it.
 *
 * Theory of operation.  vCPU threads wait until 'run' is set, then stay inside
 * engine->run() until somebody clears it and kicks them.  Whatever ends a run
 * (a device's request, a triple fault) clears 'run' for all vCPUs at once,
 * notes what is wanted and defers machine_act() to the main thread, which
 * alone changes the machine: it waits until all vCPUs are out and then resets
 * or stops.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "vmm/boot/boot.h"
#include "vmm/boot/bootorder.h"
#include "vmm/bus.h"
#include "vmm/cpuid.h"
#include "vmm/dev/acpi_pm.h"
#include "vmm/dev/cpuhp.h"
#include "vmm/dev/ioapic.h"
#include "vmm/dev/memhp.h"
#include "vmm/dev/pic.h"
#include "vmm/display.h"
#include "vmm/drive.h"
#include "vmm/hyperv.h"
#include "vmm/input.h"
#include "vmm/loop.h"
#include "vmm/machine_priv.h"
#include "vmm/memdev.h"
#include "vmm/numa.h"
#include "vmm/ram.h"
#include "vmm/spec.h"
#include "vmm/throttle.h"
#include "vmm/x86.h"

/* #syscalls:vmm futex tgkill rt_sigprocmask rt_sigreturn sched_yield */
/* #syscalls:vmm exit madvise munmap prctl nanosleep clock_nanosleep */

/* ---- vCPU threads ---- */

/* Locked: all vCPUs leave engine->run() soon and stay out. */
static void machine_halt_locked(struct machine *m)
{
	struct machine_priv *p = m->priv;

	p->run = false;
	for (unsigned int i = 0; i < p->n_vcpus; i++)
		m->engine->kick(p->vcpu[i].cpu);
}

/* Locked.  The first wish wins, except that a stop beats a reset. */
static void machine_wish(struct machine *m, enum machine_stop stop, bool reset,
			 const char *detail)
{
	struct machine_priv *p = m->priv;

	machine_halt_locked(m);
	if (reset) {
		p->wish_reset = true;
	} else if (p->wish_stop == STOP_NONE) {
		p->wish_stop = stop;
		free(p->detail);
		p->detail = xstrdup(detail);
	}
	loop_defer(m->loop, machine_act, m);
}

/* Locked. */
static void vcpu_result(struct machine_vcpu *v, enum run_result result,
			int error)
{
	char text[96];

	switch (result) {
	case RUN_KICKED:
		break;
	case RUN_RESET:
		machine_wish(v->m, STOP_NONE, true, NULL);
		break;
	case RUN_POWEROFF:
		machine_wish(v->m, STOP_POWEROFF, false, NULL);
		break;
	case RUN_DEBUG:
	case RUN_FAILED:
		snprintf(text, sizeof(text), "vCPU %u: the %s engine failed: %s",
			 v->index, v->m->engine->name, strerror(error));
		machine_wish(v->m, STOP_CRASH, false, text);
		break;
	}
}

static void vcpu_run_once(struct machine_vcpu *v)
{
	struct machine_priv *p = v->m->priv;
	enum run_result result;
	int error;

	p->running++;
	if (!p->first_run)
		p->first_run = now_ns();
	pthread_mutex_unlock(&p->lock);
	errno = 0;
	result = v->m->engine->run(v->cpu);
	error = errno;
	pthread_mutex_lock(&p->lock);
	p->running--;
	vcpu_result(v, result, error);
	pthread_cond_broadcast(&p->stopped);
}

/*
 * A throttled vCPU is taken out of the guest every so often and sleeps as long
 * as makes the share.
 */
enum { THROTTLE_RUN_NS = 10000000 };

static void throttle_tick(void *arg)
{
	struct machine *m = arg;
	struct machine_priv *p = m->priv;
	unsigned int percent = atomic_load(&p->throttle);

	if (!percent)
		return;
	for (unsigned int i = 0; i < p->n_vcpus; i++)
		m->engine->kick(p->vcpu[i].cpu);
	timer_arm(p->throttle_timer,
		  now_ns() + THROTTLE_RUN_NS * 100ull / (100 - percent));
}

void machine_throttle(struct machine *m, unsigned int percent)
{
	struct machine_priv *p = m->priv;

	if (atomic_exchange(&p->throttle, MIN(percent, 99u)) || !percent)
		return;
	timer_arm(p->throttle_timer, now_ns());
}

/* Locked on both sides, and free in between. */
static void vcpu_rest(struct machine_vcpu *v)
{
	struct machine_priv *p = v->m->priv;
	uint64_t percent = atomic_load(&p->throttle);

	if (!percent)
		return;
	pthread_mutex_unlock(&p->lock);
	usleep(THROTTLE_RUN_NS * percent / (100 - percent) / 1000);
	pthread_mutex_lock(&p->lock);
}

static void *vcpu_main(void *arg)
{
	struct machine_vcpu *v = arg;
	struct machine_priv *p = v->m->priv;
	char name[16];

	snprintf(name, sizeof(name), "vcpu%u", v->index);
	prctl(PR_SET_NAME, name);
	pthread_mutex_lock(&p->lock);
	while (!p->exit) {
		vcpu_rest(v);
		if (p->run)
			vcpu_run_once(v);
		else
			pthread_cond_wait(&p->go, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

void machine_halt(struct machine *m)
{
	struct machine_priv *p = m->priv;

	pthread_mutex_lock(&p->lock);
	machine_halt_locked(m);
	while (p->running)
		pthread_cond_wait(&p->stopped, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

bool machine_stop_vcpus(struct machine *m)
{
	bool ran;

	pthread_mutex_lock(&m->priv->lock);
	ran = m->priv->run;
	pthread_mutex_unlock(&m->priv->lock);
	machine_halt(m);
	return ran;
}

void machine_go(struct machine *m)
{
	struct machine_priv *p = m->priv;

	pthread_mutex_lock(&p->lock);
	/* A wish not yet granted: machine_act() goes on after it. */
	if (p->wish_stop == STOP_NONE && !p->wish_reset && !p->n_remaps) {
		p->run = true;
		pthread_cond_broadcast(&p->go);
	}
	pthread_mutex_unlock(&p->lock);
}

/* ---- run, pause, reset, stop: main thread ---- */

static void devices_pause(struct machine *m, bool paused)
{
	struct machine_priv *p = m->priv;

	throttles_open(p->throttles, paused);
	for (unsigned int i = 0; i < p->n_devices; i++) {
		if (p->device[i].ops->pause)
			p->device[i].ops->pause(p->device[i].dev, paused);
	}
}

/* Devices first: what they finish may still raise an interrupt. */
void machine_quiet(struct machine *m, bool quiet)
{
	struct machine_priv *p = m->priv;

	if (p->quiet == quiet)
		return;
	p->quiet = quiet;
	if (quiet)
		devices_pause(m, true);
	if (m->engine->pause_clock)
		m->engine->pause_clock(m->vm, quiet);
	if (!quiet)
		devices_pause(m, false);
}

int machine_run(struct machine *m)
{
	struct machine_priv *p = m->priv;

	if (p->gone)
		return -ESHUTDOWN;
	if (!p->loaded)
		return -EINVAL;
	if (p->want_run)
		return 0;
	p->want_run = true;
	machine_quiet(m, false);
	ram_own_begin(m->ram);
	machine_go(m);
	return 0;
}

void machine_pause(struct machine *m)
{
	struct machine_priv *p = m->priv;

	if (!p->want_run)
		return;
	p->want_run = false;
	machine_halt(m);
	machine_quiet(m, true);
}

bool machine_paused(const struct machine *m)
{
	return !m->priv->want_run;
}

/* Devices, then the interrupt controllers that they have let go of. */
static int machine_reset(struct machine *m, struct error *err)
{
	struct machine_priv *p = m->priv;

	for (unsigned int i = 0; i < p->n_devices; i++) {
		if (p->device[i].ops->reset)
			p->device[i].ops->reset(p->device[i].dev);
	}
	ioapic_reset(m->ioapic);
	return machine_load(m, err);
}

static void machine_gone(struct machine *m, enum machine_stop why,
			 const char *detail, bool preserved)
{
	struct machine_priv *p = m->priv;

	p->gone = true;
	p->want_run = false;
	if (p->listener->stopped)
		p->listener->stopped(p->listener_arg, why, detail, preserved);
}

static void machine_restart(struct machine *m)
{
	struct machine_priv *p = m->priv;
	struct error err = { 0 };

	if (machine_reset(m, &err) < 0) {
		machine_gone(m, STOP_CRASH, err.message, false);
		return;
	}
	if (p->listener->reset)
		p->listener->reset(p->listener_arg);
	if (p->want_run)
		machine_go(m);
}

static enum spec_action machine_action(struct machine *m,
				       enum machine_stop why)
{
	switch (why) {
	case STOP_POWEROFF:
		return m->spec->on_poweroff;
	case STOP_RESET:
		return m->spec->on_reboot;
	case STOP_CRASH:
		return m->spec->on_crash;
	default:
		return SPEC_DESTROY;
	}
}

static void machine_do_remaps(struct machine *m)
{
	struct machine_priv *p = m->priv;
	struct machine_remap remap[MACHINE_REMAPS];
	unsigned int n;

	pthread_mutex_lock(&p->lock);
	n = p->n_remaps;
	memcpy(remap, p->remap, sizeof(remap));
	p->n_remaps = 0;
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 0; i < n; i++)
		remap[i].fn(remap[i].arg);
}

/* vCPUs stopped for the memory map's sake alone go on. */
static void machine_act_remaps(struct machine *m)
{
	if (m->priv->gone)
		return;
	machine_halt(m);
	machine_do_remaps(m);
	if (m->priv->want_run)
		machine_go(m);
}

void machine_act(void *arg)
{
	struct machine *m = arg;
	struct machine_priv *p = m->priv;
	_cleanup_free_ char *detail = NULL;
	enum spec_action action;
	enum machine_stop why;
	bool remaps;

	pthread_mutex_lock(&p->lock);
	why = p->wish_stop;
	remaps = p->n_remaps;
	if (why == STOP_NONE && p->wish_reset)
		why = STOP_RESET;
	detail = steal_ptr(&p->detail);
	pthread_mutex_unlock(&p->lock);
	if (why == STOP_NONE && remaps)
		machine_act_remaps(m);
	if (why == STOP_NONE || p->gone)
		return;

	machine_halt(m);
	machine_do_remaps(m);
	pthread_mutex_lock(&p->lock); /* what came meanwhile is moot */
	p->wish_stop = STOP_NONE;
	p->wish_reset = false;
	pthread_mutex_unlock(&p->lock);

	if (why == STOP_POWEROFF && p->reboot)
		why = STOP_RESET;
	p->reboot = false;
	action = machine_action(m, why);
	if (action == SPEC_RESTART)
		machine_restart(m);
	else
		machine_gone(m, why, detail, action == SPEC_PRESERVE);
}

/* ---- requests from any thread ---- */

void machine_request_reset(struct machine *m)
{
	pthread_mutex_lock(&m->priv->lock);
	machine_wish(m, STOP_NONE, true, NULL);
	pthread_mutex_unlock(&m->priv->lock);
}

void machine_request_stop(struct machine *m, enum machine_stop why,
			  const char *detail)
{
	pthread_mutex_lock(&m->priv->lock);
	machine_wish(m, why, false, detail);
	pthread_mutex_unlock(&m->priv->lock);
}

void machine_debug_exit(struct machine *m, uint32_t value)
{
	atomic_store(&m->priv->debug_status, (value << 1 | 1) & 0xff);
	machine_request_stop(m, STOP_QUIT, NULL);
}

int machine_debug_status(const struct machine *m)
{
	return atomic_load(&m->priv->debug_status);
}

void machine_remap(struct machine *m, machine_fn *fn, void *arg)
{
	struct machine_priv *p = m->priv;
	unsigned int i = 0;

	pthread_mutex_lock(&p->lock);
	if (p->exit) { /* devices go, and what they map with them */
		pthread_mutex_unlock(&p->lock);
		return;
	}
	while (i < p->n_remaps && (p->remap[i].fn != fn || p->remap[i].arg != arg))
		i++;
	assert(i < MACHINE_REMAPS);
	p->remap[i] = (struct machine_remap){ fn, arg };
	p->n_remaps = MAX(p->n_remaps, i + 1);
	machine_halt_locked(m);
	loop_defer(m->loop, machine_act, m);
	pthread_mutex_unlock(&p->lock);
}

void machine_set_power_button(struct machine *m, machine_fn *fn, void *arg)
{
	m->priv->power_button = fn;
	m->priv->power_arg = arg;
}

void machine_power_button(struct machine *m, bool reboot)
{
	m->priv->reboot = reboot;
	m->priv->power_button(m->priv->power_arg);
}

void machine_nmi(struct machine *m)
{
	for (unsigned int i = 0; i < m->priv->n_vcpus; i++)
		if (machine_vcpu_there(m, i))
			m->engine->nmi(m->priv->vcpu[i].cpu);
}

/* The vCPU whose thread this is, or NULL. */
static struct vcpu *own_vcpu(struct machine *m)
{
	struct machine_priv *p = m->priv;

	for (unsigned int i = 0; i < p->n_vcpus; i++)
		if (p->vcpu[i].started &&
		    pthread_equal(p->vcpu[i].thread, pthread_self()))
			return p->vcpu[i].cpu;
	return NULL;
}

void machine_smi(struct machine *m)
{
	struct vcpu *cpu = own_vcpu(m);

	if (cpu && m->engine->smi)
		m->engine->smi(cpu);
}

bool machine_in_smm(struct machine *m)
{
	struct vcpu *cpu = own_vcpu(m);

	return cpu && m->engine->in_smm && m->engine->in_smm(cpu);
}

void machine_smi_all(struct machine *m)
{
	for (unsigned int i = 0; m->engine->smi && i < m->priv->n_vcpus; i++)
		if (machine_vcpu_there(m, i))
			m->engine->smi(m->priv->vcpu[i].cpu);
}

static void tell_shutdown(void *arg)
{
	struct machine_priv *p = ((struct machine *)arg)->priv;

	if (p->listener->shutdown)
		p->listener->shutdown(p->listener_arg);
}

void machine_tell_shutdown(struct machine *m)
{
	loop_defer(m->loop, tell_shutdown, m);
}

static void tell_panicked(void *arg)
{
	struct machine_priv *p = ((struct machine *)arg)->priv;

	if (p->listener->panicked)
		p->listener->panicked(p->listener_arg);
}

void machine_tell_panicked(struct machine *m)
{
	loop_defer(m->loop, tell_panicked, m);
}

static void tell_vnc(void *arg)
{
	struct machine_priv *p = ((struct machine *)arg)->priv;
	struct vnc_event events[ARRAY_SIZE(p->vnc_events)];
	unsigned int n;

	pthread_mutex_lock(&p->lock);
	n = p->n_vnc_events;
	memcpy(events, p->vnc_events, sizeof(events));
	p->n_vnc_events = 0;
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 0; i < n && p->listener->vnc; i++)
		p->listener->vnc(p->listener_arg, &events[i]);
}

void machine_tell_vnc(struct machine *m, const struct vnc_event *event)
{
	struct machine_priv *p = m->priv;

	pthread_mutex_lock(&p->lock);
	if (p->n_vnc_events < ARRAY_SIZE(p->vnc_events))
		p->vnc_events[p->n_vnc_events++] = *event;
	pthread_mutex_unlock(&p->lock);
	loop_defer(m->loop, tell_vnc, m);
}

static void tell_balloon(void *arg)
{
	struct machine_priv *p = ((struct machine *)arg)->priv;

	if (p->listener->balloon)
		p->listener->balloon(p->listener_arg,
				     atomic_load(&p->balloon));
}

void machine_tell_balloon(struct machine *m, uint64_t actual)
{
	atomic_store(&m->priv->balloon, actual);
	loop_defer(m->loop, tell_balloon, m);
}

/* A CD-ROM drive's tray, or a port of the console. */
struct open_event {
	struct machine *m;
	bool open;
	char id[];
};

static void tell_tray(void *arg)
{
	struct open_event *ev = arg;
	struct machine_priv *p = ev->m->priv;

	if (p->listener && p->listener->tray)
		p->listener->tray(p->listener_arg, ev->id, ev->open);
	free(ev);
}

static void tell_port(void *arg)
{
	struct open_event *ev = arg;
	struct machine_priv *p = ev->m->priv;

	if (p->listener && p->listener->port)
		p->listener->port(p->listener_arg, ev->id, ev->open);
	free(ev);
}

static void tell_open(struct machine *m, void (*fn)(void *arg), const char *id,
		      bool open)
{
	struct open_event *ev = xcalloc(1, sizeof(*ev) + strlen(id) + 1);

	ev->m = m;
	ev->open = open;
	strcpy(ev->id, id);
	loop_defer(m->loop, fn, ev);
}

void machine_tell_tray(struct machine *m, const char *id, bool open)
{
	tell_open(m, tell_tray, id, open);
}

void machine_tell_port(struct machine *m, const char *id, bool open)
{
	tell_open(m, tell_port, id, open);
}

struct vsock_request {
	struct machine *m;
	uint32_t port;
};

static void tell_vsock(void *arg)
{
	struct vsock_request *rq = arg;
	struct machine_priv *p = rq->m->priv;

	if (p->listener->vsock)
		p->listener->vsock(p->listener_arg, rq->port);
	else
		machine_vsock_connected(rq->m, rq->port, -1);
	free(rq);
}

void machine_tell_vsock(struct machine *m, uint32_t port)
{
	struct vsock_request *rq = xmalloc(sizeof(*rq));

	*rq = (struct vsock_request){ .m = m, .port = port };
	loop_defer(m->loop, tell_vsock, rq);
}

struct unplug_event {
	struct machine *m;
	unsigned int bus;
	bool gone;
};

static void tell_unplugged(void *arg)
{
	struct unplug_event *ev = arg;
	struct machine_priv *p = ev->m->priv;

	if (p->listener->unplugged)
		p->listener->unplugged(p->listener_arg, ev->bus, ev->gone);
	free(ev);
}

struct memory_event {
	struct machine *m;
	enum machine_memory what;
	uint64_t bytes;
	char id[];
};

static void tell_memory(void *arg)
{
	struct memory_event *ev = arg;
	struct machine_priv *p = ev->m->priv;

	if (p->listener->memory)
		p->listener->memory(p->listener_arg, ev->id, ev->what,
				    ev->bytes);
	free(ev);
}

void machine_tell_memory(struct machine *m, const char *id,
			 enum machine_memory what, uint64_t bytes)
{
	struct memory_event *ev = xcalloc(1, sizeof(*ev) + strlen(id) + 1);

	ev->m = m;
	ev->what = what;
	ev->bytes = bytes;
	strcpy(ev->id, id);
	loop_defer(m->loop, tell_memory, ev);
}

void machine_tell_unplugged(struct machine *m, unsigned int bus, bool gone)
{
	struct unplug_event *ev = xcalloc(1, sizeof(*ev));

	*ev = (struct unplug_event){ m, bus, gone };
	loop_defer(m->loop, tell_unplugged, ev);
}

void machine_watchdog(struct machine *m)
{
	struct machine_priv *p = m->priv;
	enum spec_watchdog action = m->spec->watchdog_action;

	if (p->listener && p->listener->watchdog)
		p->listener->watchdog(p->listener_arg, action);
	switch (action) {
	case WATCHDOG_RESET:
		machine_request_reset(m);
		break;
	case WATCHDOG_SHUTDOWN:
		machine_power_button(m, false);
		break;
	case WATCHDOG_POWEROFF:
		machine_request_stop(m, STOP_POWEROFF, "watchdog");
		break;
	case WATCHDOG_NMI:
		machine_nmi(m);
		break;
	case WATCHDOG_PAUSE:
	case WATCHDOG_NONE:
		break;
	}
}

/* ---- interrupts ---- */

void machine_irq(struct machine *m, unsigned int gsi, bool level)
{
	if (gsi < 16)
		pic_set(m->priv->pic, gsi, level);
	ioapic_set(m->ioapic, gsi, level);
}

void machine_pic_irq(struct machine *m, unsigned int irq, bool level)
{
	pic_set(m->priv->pic, irq, level);
}

int machine_msi(struct machine *m, uint64_t addr, uint32_t data)
{
	return m->engine->msi(m->vm, addr, data);
}

int machine_pic_ack(struct machine *m)
{
	return pic_ack(m->priv->pic);
}

void machine_on_eoi(struct machine *m, machine_fn *fn, void *arg)
{
	m->priv->eoi_arg = arg;
	atomic_store(&m->priv->eoi, fn);
}

void machine_pic_eoi(struct machine *m)
{
	machine_fn *fn = atomic_load_explicit(&m->priv->eoi,
					      memory_order_acquire);

	if (fn)
		fn(m->priv->eoi_arg);
}

/* Whoever lets go of a wire does so before the pin is looked at. */
void machine_eoi(struct machine *m, uint8_t vector)
{
	machine_pic_eoi(m);
	ioapic_eoi(m->ioapic, vector);
}

/* ---- observation ---- */

static const struct machine_listener no_listener;

void machine_listen(struct machine *m, const struct machine_listener *l,
		    void *arg)
{
	m->priv->listener = l;
	m->priv->listener_arg = arg;
}

const char *machine_stop_name(enum machine_stop why)
{
	static const char *const name[] = {
		[STOP_NONE] = "none",	      [STOP_POWEROFF] = "poweroff",
		[STOP_RESET] = "reset",	      [STOP_CRASH] = "crash",
		[STOP_QUIT] = "quit",
	};

	return name[why];
}

void machine_stats(struct machine *m, machine_stat_fn *emit, void *arg)
{
	struct machine_priv *p = m->priv;

	for (unsigned int i = 0; i < p->n_devices; i++) {
		if (p->device[i].ops->stats)
			p->device[i].ops->stats(p->device[i].dev, emit, arg);
	}
}

int machine_set_link(struct machine *m, const char *id, bool up)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++) {
		if (p->device[i].ops->set_link)
			r = p->device[i].ops->set_link(p->device[i].dev, id,
						       up);
	}
	return r;
}

int machine_insert(struct machine *m, const char *id, const char *format,
		   int fd, bool force, struct error *err)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++)
		if (p->device[i].ops->insert)
			r = p->device[i].ops->insert(p->device[i].dev, id,
						     format, fd, force, err);
	if (r == -ENOENT)
		error_set(err, r, "there is no CD-ROM drive '%s'", id);
	return r;
}

static int find_drive(struct machine *m, const char *id,
		      struct drive **ret_drive, struct error *err)
{
	struct machine_priv *p = m->priv;
	struct drive *d = NULL;

	for (unsigned int i = 0; i < p->n_devices && !d; i++)
		if (p->device[i].ops->drive)
			d = p->device[i].ops->drive(p->device[i].dev, id);
	*ret_drive = d;
	return d ? 0 : error_set(err, -ENOENT, "there is no disk '%s'", id);
}

int machine_resize_disk(struct machine *m, const char *id, uint64_t size,
			struct error *err)
{
	struct drive *d;
	int r = find_drive(m, id, &d, err);

	return r < 0 ? r : drive_resize(d, size, err);
}

/* A disk's own group has a name that no other can have. */
static int limit_disk(struct machine *m, const struct spec_disk *disk,
		      struct error *err)
{
	const struct spec_limits *l = disk->n_limits ? disk->limits : NULL;
	_cleanup_free_ char *group =
		l && l->group ? xasprintf("group=%s", l->group) :
				xasprintf("disk=%s", disk->id);
	struct drive *d;
	int r = find_drive(m, disk->id, &d, err);

	if (r == 0)
		drive_limit(d, m->priv->throttles, group,
			    l ? &l->in : NULL);
	return r;
}

int machine_limit_disks(struct machine *m, const struct vmm_spec *spec,
			struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < spec->n_disks && r == 0; i++)
		r = limit_disk(m, &spec->disks[i], err);
	return r;
}

/* What a machine begins with. */
static int limit_first(struct machine *m, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < m->spec->n_disks && r == 0; i++)
		if (m->spec->disks[i].n_limits)
			r = limit_disk(m, &m->spec->disks[i], err);
	return r;
}

int machine_plug(struct machine *m, const struct vmm_spec *one,
		 struct error *err)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++)
		if (p->device[i].ops->plug)
			r = p->device[i].ops->plug(p->device[i].dev, one, err);
	if (r == -ENOENT)
		error_set(err, r,
			  "the machine has no controller that takes this device");
	return r;
}

int machine_unplug(struct machine *m, const char *id)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++)
		if (p->device[i].ops->unplug)
			r = p->device[i].ops->unplug(p->device[i].dev, id);
	return r;
}

int machine_set_memory(struct machine *m, const char *id, uint64_t bytes,
		       struct error *err)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++)
		if (p->device[i].ops->set_memory)
			r = p->device[i].ops->set_memory(p->device[i].dev, id,
							 bytes, err);
	if (r == -ENOENT)
		error_set(err, r, "there is no memory device '%s' to change",
			  id);
	return r;
}

int machine_may_unplug(struct machine *m, const char *id, struct error *err)
{
	struct machine_priv *p = m->priv;
	int r = 0;

	for (unsigned int i = 0; i < p->n_devices && r == 0; i++)
		if (p->device[i].ops->may_unplug)
			r = p->device[i].ops->may_unplug(p->device[i].dev, id,
							 err);
	return r;
}

int machine_connect(struct machine *m, const char *id, int fd, bool force)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++)
		if (p->device[i].ops->connect)
			r = p->device[i].ops->connect(p->device[i].dev, id, fd,
						      force);
	return r;
}

int machine_set_balloon_period(struct machine *m, unsigned int seconds)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++)
		if (p->device[i].ops->set_balloon_period)
			r = p->device[i].ops->set_balloon_period(
				p->device[i].dev, seconds);
	return r;
}

int machine_set_balloon(struct machine *m, uint64_t bytes)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++) {
		if (p->device[i].ops->set_balloon)
			r = p->device[i].ops->set_balloon(p->device[i].dev,
							  bytes);
	}
	return r;
}

int machine_vnc_client(struct machine *m, unsigned int index, int fd,
		       bool trusted)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++) {
		if (p->device[i].ops->vnc_client)
			r = p->device[i].ops->vnc_client(p->device[i].dev,
							 index, fd, trusted);
	}
	if (r == -ENOENT)
		fd_close(fd);
	return r;
}

int machine_vnc_password(struct machine *m, unsigned int index,
			 const char *password, int64_t valid_to,
			 enum vnc_viewers viewers)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++) {
		if (p->device[i].ops->vnc_password)
			r = p->device[i].ops->vnc_password(
				p->device[i].dev, index, password, valid_to,
				viewers);
	}
	return r;
}

int machine_vsock_connected(struct machine *m, uint32_t port, int fd)
{
	struct machine_priv *p = m->priv;
	int r = -ENOENT;

	for (unsigned int i = 0; i < p->n_devices && r == -ENOENT; i++) {
		if (p->device[i].ops->vsock_connected)
			r = p->device[i].ops->vsock_connected(p->device[i].dev,
							      port, fd);
	}
	if (r == -ENOENT)
		fd_close(fd);
	return r;
}

uint64_t machine_balloon(struct machine *m)
{
	struct machine_priv *p = m->priv;
	uint64_t bytes;

	for (unsigned int i = 0; i < p->n_devices; i++) {
		if (p->device[i].ops->get_balloon &&
		    p->device[i].ops->get_balloon(p->device[i].dev, &bytes) ==
			    0)
			return bytes;
	}
	return ram_now(m->ram);
}

uint64_t machine_vcpu_ns(struct machine *m, unsigned int n)
{
	struct timespec ts;
	clockid_t clock;
	uint64_t more = 0;

	if (n >= m->priv->n_vcpus || !m->priv->vcpu[n].started ||
	    pthread_getcpuclockid(m->priv->vcpu[n].thread, &clock) != 0 ||
	    clock_gettime(clock, &ts) < 0)
		return 0;
	if (m->engine->time_elsewhere)
		more = m->engine->time_elsewhere(m->priv->vcpu[n].cpu);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec + more;
}

uint64_t machine_first_run(const struct machine *m)
{
	return m->priv->first_run;
}

unsigned int machine_apic_id(const struct machine *m, unsigned int n)
{
	return cpuid_apic_id(&m->priv->topology, n);
}

/* ---- vCPUs that come and go ---- */

unsigned int machine_max_vcpus(const struct machine *m)
{
	return MAX(m->spec->max_vcpus, m->spec->vcpus);
}

bool machine_vcpu_there(const struct machine *m, unsigned int n)
{
	return !m->cpuhp || cpuhp_enabled(m->cpuhp, n);
}

unsigned int machine_vcpus(const struct machine *m)
{
	return m->cpuhp ? cpuhp_count(m->cpuhp) : m->spec->vcpus;
}

int machine_set_vcpus(struct machine *m, unsigned int n, struct error *err)
{
	if (m->cpuhp)
		return cpuhp_set(m->cpuhp, n, err);
	return n == m->spec->vcpus ?
		       0 :
		       error_set(err, -EINVAL,
				 "the machine has %u vCPUs and no more are possible",
				 m->spec->vcpus);
}

static void tell_vcpus(void *arg)
{
	struct machine *m = arg;
	struct machine_priv *p = m->priv;

	if (p->listener && p->listener->vcpus)
		p->listener->vcpus(p->listener_arg, machine_vcpus(m));
}

void machine_tell_vcpus(struct machine *m)
{
	loop_defer(m->loop, tell_vcpus, m);
}

static void tell_rtc(void *arg)
{
	struct machine_priv *p = ((struct machine *)arg)->priv;

	if (p->listener && p->listener->rtc)
		p->listener->rtc(p->listener_arg, atomic_load(&p->rtc_offset));
}

void machine_tell_rtc(struct machine *m, int64_t offset)
{
	atomic_store(&m->priv->rtc_offset, offset);
	loop_defer(m->loop, tell_rtc, m);
}

/* SDM vol. 3, "IA32_APIC_BASE MSR": globally switched off. */
static void park_state(struct x86_state *s)
{
	s->apic_base &= ~BIT64(11);
}

/* ---- building ---- */

void machine_add_device(struct machine *m, const struct machine_dev_ops *ops,
			void *dev)
{
	struct machine_priv *p = m->priv;

	p->device = xrealloc(p->device, p->n_devices + 1, sizeof(*p->device));
	p->device[p->n_devices++] =
		(struct machine_device){ .ops = ops, .dev = dev };
}

void machine_remove_device(struct machine *m, void *dev)
{
	struct machine_priv *p = m->priv;

	for (unsigned int i = 0; i < p->n_devices; i++) {
		if (p->device[i].dev != dev)
			continue;
		p->n_devices--;
		memmove(&p->device[i], &p->device[i + 1],
			(p->n_devices - i) * sizeof(*p->device));
		return;
	}
}

/* MSRs as the engine made them: a reset returns to these. */
static void machine_keep_msrs(struct machine *m)
{
	struct machine_priv *p = m->priv;
	struct x86_state *s = xcalloc(1, sizeof(*s));

	if (m->engine->get_state(p->vcpu[0].cpu, s) == 0 &&
	    s->n_msrs <= X86_MSRS_MAX) {
		p->n_msrs = s->n_msrs;
		p->msrs = xcalloc(s->n_msrs + 1, sizeof(*p->msrs));
		memcpy(p->msrs, s->msrs, s->n_msrs * sizeof(*p->msrs));
	}
	free(s);
}

static void reset_state(struct machine *m, unsigned int n, bool parked,
			struct x86_state *s)
{
	struct machine_priv *p = m->priv;

	x86_state_reset(s, n == 0, machine_apic_id(m, n));
	s->n_msrs = p->n_msrs;
	memcpy(s->msrs, p->msrs, p->n_msrs * sizeof(*p->msrs));
	if (parked)
		park_state(s);
}

/* A CPU that comes has the TSC that the boot CPU has by now. */
static void take_tsc(struct machine *m, struct x86_state *s)
{
	enum { MSR_TSC = 0x10 };
	struct x86_state *boot = xcalloc(1, sizeof(*boot));

	if (m->engine->get_state(m->priv->vcpu[0].cpu, boot) == 0)
		s->tsc = boot->tsc;
	for (unsigned int i = 0; i < s->n_msrs; i++)
		if (s->msrs[i].index == MSR_TSC)
			s->msrs[i].value = s->tsc;
	free(boot);
}

/* Hyper-V's registers of which there is one for all vCPUs (TLFS, "Partition
 * Privilege"): identity, hypercall page, clock, crash, reenlightenment. */
static bool of_all_vcpus(uint32_t msr)
{
	return (msr >= 0x40000000 && msr <= 0x40000001) ||
	       (msr >= 0x40000020 && msr <= 0x40000023) ||
	       (msr >= 0x40000100 && msr <= 0x40000118);
}

/* What the others go on using is not the newcomer's to reset. */
static void keep_common_msrs(struct x86_state *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->n_msrs; i++)
		if (!of_all_vcpus(s->msrs[i].index))
			s->msrs[n++] = s->msrs[i];
	s->n_msrs = n;
}

void machine_park_vcpu(struct machine *m, unsigned int n, bool parked)
{
	struct x86_state *s = xcalloc(1, sizeof(*s));

	reset_state(m, n, parked, s);
	keep_common_msrs(s);
	if (!parked)
		take_tsc(m, s);
	if (m->engine->set_state(m->priv->vcpu[n].cpu, s) < 0)
		machine_request_stop(m, STOP_CRASH,
				     "a vCPU's state cannot be set");
	free(s);
}

/* The boot processor enters the kernel, the others wait for INIT. */
static int machine_load_cpus(struct machine *m, struct x86_state *s,
			     struct error *err)
{
	struct machine_priv *p = m->priv;

	for (unsigned int i = 0; i < p->n_vcpus; i++) {
		int r = 0;

		reset_state(m, i, !machine_vcpu_there(m, i), s);
		if (i == 0)
			r = boot_load(m, s, err);
		if (r < 0)
			return r;
		r = m->engine->set_state(p->vcpu[i].cpu, s);
		if (r < 0)
			return error_set(err, r,
					 "cannot set vCPU %u's state: %m", i);
	}
	return 0;
}

int machine_load(struct machine *m, struct error *err)
{
	struct x86_state *s = xcalloc(1, sizeof(*s));
	int r = machine_load_cpus(m, s, err);

	free(s);
	m->priv->loaded = r == 0;
	return r;
}

static int machine_map_ram(struct machine *m, struct error *err)
{
	const struct ram_region *region;
	unsigned int n = ram_regions(m->ram, &region);

	for (unsigned int i = 0; i < n; i++) {
		struct ram_slot slot = {
			.slot = i,
			.gpa = region[i].gpa,
			.size = region[i].size,
			.host = region[i].host,
		};
		int r = memmap_set(m, &slot, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The 64-bit PCI window: after RAM, as far as the guest can address. */
static int machine_layout(struct machine *m, unsigned int phys_bits,
			  struct error *err)
{
	uint64_t limit = BIT64(MIN(phys_bits, 52));
	uint64_t end = ram_end(m->ram);

	if (end > limit)
		return error_set(err, -E2BIG,
				 "guest memory ends above the %u address bits "
				 "of the CPU", phys_bits);
	m->mmio64_base = MAX(ALIGN_UP(end, GIB), RAM_HIGH_BASE);
	if (m->mmio64_base < limit)
		m->mmio64_size = MIN(limit - m->mmio64_base, 64 * GIB);
	return 0;
}

/* Small stacks: handlers are shallow, and a guest costs what it uses. */
static int vcpu_start(struct machine_vcpu *v, struct error *err)
{
	pthread_attr_t attr;
	int r;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 512 * KIB);
	r = -pthread_create(&v->thread, &attr, vcpu_main, v);
	pthread_attr_destroy(&attr);
	if (r < 0)
		return error_set(err, r, "cannot start vCPU %u's thread: %m",
				 v->index);
	v->started = true;
	return 0;
}

static int machine_add_vcpus(struct machine *m, const struct x86_cpuid *base,
			     struct error *err)
{
	struct machine_priv *p = m->priv;
	struct x86_cpuid *cpuid = xcalloc(1, sizeof(*cpuid));
	unsigned int max = machine_max_vcpus(m);
	int r = 0;

	p->vcpu = xcalloc(max, sizeof(*p->vcpu));
	for (unsigned int i = 0; i < max && r == 0; i++) {
		struct machine_vcpu *v = &p->vcpu[i];

		v->m = m;
		v->index = i;
		*cpuid = *base;
		cpuid_for_vcpu(cpuid, &p->topology, i);
		r = m->engine->vcpu_create(m->vm, machine_apic_id(m, i), cpuid,
					   &v->cpu, err);
		if (r == 0)
			p->n_vcpus++;
	}
	free(cpuid);
	for (unsigned int i = 0; i < p->n_vcpus && r == 0; i++)
		r = vcpu_start(&p->vcpu[i], err);
	return r;
}

static int machine_add_cpus(struct machine *m, struct error *err)
{
	struct x86_cpuid *base = xcalloc(1, sizeof(*base));
	int r = m->engine->cpuid(m->vm, base);

	if (r < 0)
		error_set(err, r, "the %s engine tells no CPUID: %m",
			  m->engine->name);
	if (r == 0)
		r = cpuid_apply_spec(base, m->spec, m->engine->any_vendor,
				     err);
	if (r == 0)
		r = hyperv_check(m->spec,
				 m->engine->hyperv ?
					 m->engine->hyperv(m->vm) : 0,
				 m->engine->name, err);
	if (r == 0)
		hyperv_cpuid(base, m->spec);
	if (r == 0)
		r = machine_layout(m, cpuid_phys_bits(base), err);
	if (r == 0)
		r = machine_add_vcpus(m, base, err);
	free(base);
	if (r == 0)
		machine_keep_msrs(m);
	return r;
}

static void machine_choose_ram(struct machine *m, const char *variant,
			       struct ram_options *ret_options)
{
	const struct vmm_spec *spec = m->spec;
	bool shares = vmm_spec_shares_memory(spec) ||
		      (m->engine->shares_ram && m->engine->shares_ram(variant));
	uint64_t low = vmm_spec_low_max(spec);

	m->mmio32_base = m->q35 ? MIN(spec->memory, low) : MMIO32_BASE;
	*ret_options = (struct ram_options){
		.low_max = low,
		.page_size = spec->mem_page_size,
		.shared = shares || spec->mem_shared,
		.unmerged = spec->mem_unmerged,
		.locked = spec->mem_locked,
		.allocated = spec->mem_allocated,
	};
}

static int machine_create_ram(struct machine *m, const char *variant,
			      struct error *err)
{
	struct ram_options options;
	int r;

	m->q35 = str_eq(m->spec->machine, "q35");
	if (!m->q35 && !str_eq(m->spec->machine, "microvm"))
		return error_set(err, -ENOTSUP, "there is no machine '%s'",
				 m->spec->machine);
	if (!m->q35 && (m->spec->firmware_fd >= 0 || m->spec->nvram_fd >= 0))
		return error_set(err, -ENOTSUP,
				 "the machine 'microvm' has no firmware");
	machine_choose_ram(m, variant, &options);
	r = numa_check(m->spec, err);
	if (r == 0)
		r = ram_create_with(m->spec->memory, &options, &m->ram, err);
	if (r == 0 && vmm_spec_shares_memory(m->spec))
		ram_keep_shared(m->ram);
	if (r == 0)
		r = numa_place(m, err);
	if (r == 0)
		r = ram_settle(m->ram, &options, err);
	return r < 0 ? r : memdev_reserve(m, err);
}

static int machine_check_engine(const struct machine *m, struct error *err)
{
	if (m->spec->dirty_ring && !m->engine->dirty_rings)
		return error_set(err, -ENOTSUP,
				 "the %s engine has no dirty rings: remove <dirty-ring>",
				 m->engine->name);
	return 0;
}

/* Of a machine that is restored it is not known how many it began with. */
static bool vcpus_come_and_go(const struct machine *m)
{
	bool old = m->spec->incoming || m->spec->restore_fd >= 0;
	unsigned int max = machine_max_vcpus(m);

	return max > m->spec->vcpus || (old && max > 1);
}

static int machine_build(struct machine *m, const char *variant,
			 struct error *err)
{
	struct machine_priv *p = m->priv;
	int r = machine_check_engine(m, err);

	if (r == 0)
		r = machine_create_ram(m, variant, err);

	m->ports = bus_create();
	m->mmio = bus_create();
	m->display = display_create();
	m->input = input_create(m->loop);
	if (r == 0)
		r = cpuid_topology(m->spec, &p->topology, err);
	if (r == 0)
		r = m->engine->vm_create(m, m->spec->kvm_fd, variant, &m->vm,
					 err);
	if (r == 0 && !m->q35)
		r = machine_map_ram(m, err);
	if (r < 0)
		return r;
	m->ioapic = ioapic_create(m);
	p->pic = pic_create(m);
	if (!m->q35)
		m->acpi_pm = acpi_pm_create(m);
	if (vcpus_come_and_go(m))
		m->cpuhp = cpuhp_create(m);
	r = memhp_create(m, err);
	if (r == 0)
		r = machine_add_cpus(m, err);
	if (r == 0)
		r = machine_add_devices(m, err);
	if (r == 0)
		r = limit_first(m, err);
	return r;
}

int machine_create(const struct vmm_spec *spec, const struct engine *engine,
		   const char *variant, struct loop *loop,
		   struct machine **ret_m, struct error *err)
{
	struct machine *m = xcalloc(1, sizeof(*m));
	struct machine_priv *p = xcalloc(1, sizeof(*p));
	int r;

	m->spec = spec;
	m->engine = engine;
	m->loop = loop;
	m->priv = p;
	p->listener = &no_listener;
	p->debug_status = -1;
	p->throttles = throttles_create(now_ns);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->go, NULL);
	pthread_cond_init(&p->stopped, NULL);
	timer_create_on(loop, throttle_tick, m, &p->throttle_timer);
	r = machine_build(m, variant, err);
	if (r < 0) {
		machine_destroy(m);
		return r;
	}
	*ret_m = m;
	return 0;
}

static void machine_join(struct machine *m)
{
	struct machine_priv *p = m->priv;

	machine_halt(m);
	pthread_mutex_lock(&p->lock);
	p->exit = true;
	pthread_cond_broadcast(&p->go);
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 0; i < p->n_vcpus; i++) {
		if (p->vcpu[i].started)
			pthread_join(p->vcpu[i].thread, NULL);
		m->engine->vcpu_destroy(p->vcpu[i].cpu);
	}
	p->n_vcpus = 0;
}

void machine_destroy(struct machine *m)
{
	struct machine_priv *p;

	if (!m)
		return;
	p = m->priv;
	machine_join(m);
	timer_destroy(p->throttle_timer);
	while (p->n_devices--) {
		struct machine_device *d = &p->device[p->n_devices];

		if (d->ops->destroy)
			d->ops->destroy(d->dev);
	}
	throttles_destroy(p->throttles);
	bootorder_free(m);
	ioapic_destroy(m->ioapic);
	display_destroy(m->display);
	input_destroy(m->input);
	if (m->vm)
		m->engine->vm_destroy(m->vm);
	bus_destroy(m->ports);
	bus_destroy(m->mmio);
	free(m->vfio);
	ram_destroy(m->ram);
	pthread_cond_destroy(&p->go);
	pthread_cond_destroy(&p->stopped);
	pthread_mutex_destroy(&p->lock);
	free(p->device);
	free(p->vcpu);
	free(p->msrs);
	free(p->detail);
	free(p);
	free(m);
}
