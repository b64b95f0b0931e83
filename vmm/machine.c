/*
 * vmm/machine.c -- running, pausing, resetting and stopping a machine.
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
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "base/error.h"
#include "vmm/dev/cpuhp.h"
#include "vmm/dev/ioapic.h"
#include "vmm/dev/pic.h"
#include "vmm/loop.h"
#include "vmm/machine_priv.h"
#include "vmm/ram.h"
#include "vmm/throttle.h"

/* #syscalls:vmm futex tgkill rt_sigprocmask rt_sigreturn sched_yield */
/* #syscalls:vmm exit madvise munmap prctl nanosleep clock_nanosleep */

/* ---- vCPU threads ---- */

void machine_halt_locked(struct machine *m)
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

void machine_throttle_tick(void *arg)
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

void *machine_vcpu_main(void *arg)
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
	if (p->wish_stop == STOP_NONE && !p->wish_reset && !p->wish_sleep &&
	    !p->n_remaps && !p->asleep) {
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
	if (p->asleep && p->listener->asleep) /* not what was expected */
		p->listener->asleep(p->listener_arg, true);
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

void machine_gone(struct machine *m, enum machine_stop why,
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

	machine_note_awake(m);
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
	bool remaps, sleep;

	pthread_mutex_lock(&p->lock);
	why = p->wish_stop;
	remaps = p->n_remaps;
	sleep = p->wish_sleep;
	if (why == STOP_NONE && p->wish_reset)
		why = STOP_RESET;
	detail = steal_ptr(&p->detail);
	pthread_mutex_unlock(&p->lock);
	if (why == STOP_NONE && remaps)
		machine_act_remaps(m);
	if (why == STOP_NONE && sleep)
		machine_fall_asleep(m);
	if (why == STOP_NONE || p->gone)
		return;

	machine_halt(m);
	machine_do_remaps(m);
	pthread_mutex_lock(&p->lock); /* what came meanwhile is moot */
	p->wish_stop = STOP_NONE;
	p->wish_reset = p->wish_sleep = false;
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

static uint64_t ns_elsewhere(struct machine *m, unsigned int n)
{
	return m->engine->time_elsewhere && m->priv->vcpu[n].started ?
		       m->engine->time_elsewhere(m->priv->vcpu[n].cpu) :
		       0;
}

uint64_t machine_ns_elsewhere(struct machine *m)
{
	uint64_t ns = 0;

	for (unsigned int n = 0; n < m->priv->n_vcpus; n++)
		ns += ns_elsewhere(m, n);
	return ns;
}

uint64_t machine_vcpu_ns(struct machine *m, unsigned int n)
{
	struct timespec ts;
	clockid_t clock;

	if (n >= m->priv->n_vcpus || !m->priv->vcpu[n].started ||
	    pthread_getcpuclockid(m->priv->vcpu[n].thread, &clock) != 0 ||
	    clock_gettime(clock, &ts) < 0)
		return 0;
	return ts.tv_sec * 1000000000ull + ts.tv_nsec + ns_elsewhere(m, n);
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
