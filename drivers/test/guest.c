/*
 * drivers/test/guest.c -- a guest that exists only in memory.
 */
#include "drivers/test/guest.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/error.h"

enum { CONSOLES_MAX = 8 };

struct guest {
	struct domain *dom;
	struct behaviour behaviour;
	enum dom_action on_poweroff, on_reboot, on_crash;
	unsigned int vcpus;
	struct guest *next; /* under 'machines.lock' */
	int kick_fd;	    /* wakes the thread */
	pthread_t thread;
	bool booted; /* there is a thread */

	pthread_mutex_t lock; /* everything below */
	pthread_cond_t cond;  /* an operation that hangs waits here */
	unsigned int requests;
	bool killed, paused;
	uint64_t balloon;
	uint64_t cpu_ns, running_since;
	int console[CONSOLES_MAX]; /* our ends; -1: closed */
};

/* All guests of this process: its "hardware". */
static struct {
	pthread_mutex_t lock;
	struct guest *first;
} machines = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void machines_add(struct guest *g)
{
	pthread_mutex_lock(&machines.lock);
	g->next = machines.first;
	machines.first = g;
	pthread_mutex_unlock(&machines.lock);
}

static void machines_remove(struct guest *g)
{
	struct guest **at = &machines.first;

	pthread_mutex_lock(&machines.lock);
	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	pthread_mutex_unlock(&machines.lock);
}

void guest_request(struct guest *g, unsigned int requests)
{
	pthread_mutex_lock(&g->lock);
	g->requests |= requests;
	if (requests & GUEST_KILLED)
		g->killed = true;
	pthread_cond_broadcast(&g->cond);
	pthread_mutex_unlock(&g->lock);
	eventfd_write(g->kick_fd, 1);
}

void guest_kill(const uint8_t uuid[UUID_LEN])
{
	pthread_mutex_lock(&machines.lock);
	for (struct guest *g = machines.first; g; g = g->next)
		if (memcmp(g->dom->uuid, uuid, UUID_LEN) == 0)
			guest_request(g, GUEST_KILLED);
	pthread_mutex_unlock(&machines.lock);
}

static void hang(struct guest *g)
{
	pthread_mutex_lock(&g->lock);
	while (!g->killed)
		pthread_cond_wait(&g->cond, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

int guest_behave(struct guest *g, enum behaviour_op op, struct error *err)
{
	switch (g->behaviour.how[op]) {
	case BEHAVE_FAIL:
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "the test guest was told to fail");
	case BEHAVE_HANG:
		hang(g);
		return error_set(err, -EPIPE, "the test guest was killed");
	default:
		return 0;
	}
}

/* ---- the machine's thread ---- */

static void echo(struct guest *g, int index)
{
	char text[512];
	int fd = g->console[index];
	ssize_t n = recv(fd, text, sizeof(text), MSG_DONTWAIT);

	if (n > 0)
		send(fd, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		g->console[index] = fd_close(fd);
}

static void reset_machine(struct guest *g)
{
	if (g->on_reboot == DOM_ACTION_DESTROY)
		domain_event(g->dom, DOMAIN_EVENT_STOPPED, "reset");
	else if (g->on_reboot == DOM_ACTION_PRESERVE)
		domain_event(g->dom, DOMAIN_EVENT_STOPPED, "preserved");
	else
		domain_event(g->dom, DOMAIN_EVENT_REBOOTED, NULL);
}

static void power_off(struct guest *g)
{
	if (g->on_poweroff == DOM_ACTION_RESTART)
		domain_event(g->dom, DOMAIN_EVENT_REBOOTED, NULL);
	else if (g->on_poweroff == DOM_ACTION_PRESERVE)
		domain_event(g->dom, DOMAIN_EVENT_STOPPED, "preserved");
	else
		domain_event(g->dom, DOMAIN_EVENT_STOPPED, "poweroff");
}

static void crash(struct guest *g)
{
	if (g->on_crash == DOM_ACTION_RESTART)
		domain_event(g->dom, DOMAIN_EVENT_REBOOTED, NULL);
	else if (g->on_crash == DOM_ACTION_PRESERVE)
		domain_event(g->dom, DOMAIN_EVENT_CRASHED, "preserved");
	else
		domain_event(g->dom, DOMAIN_EVENT_CRASHED, "crash");
}

static bool serve_requests(struct guest *g, unsigned int requests)
{
	if (requests & GUEST_QUIT)
		return false;
	if (requests & GUEST_KILLED)
		domain_event(g->dom, DOMAIN_EVENT_CRASHED, "killed");
	if ((requests & GUEST_POWER_BUTTON) &&
	    g->behaviour.how[OP_SHUTDOWN] != BEHAVE_IGNORE)
		power_off(g);
	if (requests & GUEST_RESET)
		reset_machine(g);
	return true;
}

static int next_timeout(const struct guest *g, uint64_t booted)
{
	unsigned int ms = g->behaviour.crash_after_ms;
	uint64_t gone = (now_ns() - booted) / 1000000;

	if (g->behaviour.poweroff_after_ms)
		ms = g->behaviour.poweroff_after_ms;
	if (!ms)
		return -1;
	return gone < ms ? (int)(ms - gone) : 0;
}

/* Once only: what happens by itself has then happened. */
static void time_is_up(struct guest *g)
{
	if (g->behaviour.poweroff_after_ms)
		power_off(g);
	else
		crash(g);
	g->behaviour.poweroff_after_ms = 0;
	g->behaviour.crash_after_ms = 0;
}

static void fill_poll(struct guest *g, struct pollfd p[1 + CONSOLES_MAX])
{
	p[0] = (struct pollfd){ .fd = g->kick_fd, .events = POLLIN };
	pthread_mutex_lock(&g->lock);
	for (int i = 0; i < CONSOLES_MAX; i++)
		p[1 + i] = (struct pollfd){ .fd = g->console[i],
					    .events = POLLIN };
	pthread_mutex_unlock(&g->lock);
}

static unsigned int take_work(struct guest *g, const struct pollfd *p)
{
	unsigned int requests;
	eventfd_t ignored;

	if (p[0].revents)
		eventfd_read(g->kick_fd, &ignored);
	pthread_mutex_lock(&g->lock);
	requests = g->requests;
	g->requests = 0;
	for (int i = 0; i < CONSOLES_MAX; i++)
		if (p[1 + i].revents && g->console[i] == p[1 + i].fd)
			echo(g, i);
	pthread_mutex_unlock(&g->lock);
	return requests;
}

static void *machine_thread(void *arg)
{
	struct guest *g = arg;
	struct pollfd p[1 + CONSOLES_MAX];
	uint64_t booted = now_ns();

	for (;;) {
		fill_poll(g, p);
		if (poll(p, ARRAY_SIZE(p), next_timeout(g, booted)) == 0)
			time_is_up(g);
		else if (!serve_requests(g, take_work(g, p)))
			return NULL;
	}
}

/* ---- the driver's side ---- */

static void guest_free(struct guest *g)
{
	for (int i = 0; i < CONSOLES_MAX; i++)
		fd_close(g->console[i]);
	fd_close(g->kick_fd);
	pthread_mutex_destroy(&g->lock);
	pthread_cond_destroy(&g->cond);
	free(g);
}

int guest_create(struct domain *dom, const struct behaviour *behaviour,
		 struct guest **ret_guest, struct error *err)
{
	struct guest *g = xcalloc(1, sizeof(*g));

	g->dom = dom;
	g->behaviour = *behaviour;
	g->on_poweroff = dom->live->on_poweroff;
	g->on_reboot = dom->live->on_reboot;
	g->on_crash = dom->live->on_crash;
	g->vcpus = dom->live->vcpus;
	g->balloon = dom->live->cur_memory;
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->cond, NULL);
	for (int i = 0; i < CONSOLES_MAX; i++)
		g->console[i] = -1;
	g->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->kick_fd < 0) {
		guest_free(g);
		return error_set(err, -errno, "cannot make an eventfd: %m");
	}
	machines_add(g);
	*ret_guest = g;
	return 0;
}

int guest_boot(struct guest *g, bool paused, struct error *err)
{
	int rc;

	g->paused = paused;
	g->running_since = now_ns();
	rc = pthread_create(&g->thread, NULL, machine_thread, g);
	if (rc)
		return error_set(err, -rc, "cannot start a thread: %m");
	g->booted = true;
	return 0;
}

void guest_destroy(struct guest *g)
{
	machines_remove(g);
	if (g->booted) {
		guest_request(g, GUEST_QUIT);
		pthread_join(g->thread, NULL);
	}
	guest_free(g);
}

static uint64_t cpu_ns_locked(struct guest *g)
{
	uint64_t now = g->paused ? g->running_since : now_ns();

	return g->cpu_ns + (now - g->running_since) * g->vcpus;
}

void guest_set_paused(struct guest *g, bool paused)
{
	pthread_mutex_lock(&g->lock);
	g->cpu_ns = cpu_ns_locked(g);
	g->running_since = now_ns();
	g->paused = paused;
	pthread_mutex_unlock(&g->lock);
}

void guest_set_actions(struct guest *g, const struct domain_def *def)
{
	pthread_mutex_lock(&g->lock);
	g->on_poweroff = def->on_poweroff;
	g->on_reboot = def->on_reboot;
	g->on_crash = def->on_crash;
	pthread_mutex_unlock(&g->lock);
}

uint64_t guest_cpu_ns(struct guest *g)
{
	uint64_t ns;

	pthread_mutex_lock(&g->lock);
	ns = cpu_ns_locked(g);
	pthread_mutex_unlock(&g->lock);
	return ns;
}

void guest_set_balloon(struct guest *g, uint64_t bytes)
{
	pthread_mutex_lock(&g->lock);
	g->balloon = bytes;
	pthread_mutex_unlock(&g->lock);
}

uint64_t guest_balloon(struct guest *g)
{
	uint64_t bytes;

	pthread_mutex_lock(&g->lock);
	bytes = g->balloon;
	pthread_mutex_unlock(&g->lock);
	return bytes;
}

/* The other end may be gone though nothing was read yet. */
static bool console_in_use(struct guest *g, unsigned int index)
{
	char c;

	if (g->console[index] < 0)
		return false;
	return recv(g->console[index], &c, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

static int plug_console(struct guest *g, unsigned int index, bool force,
			int fd, struct error *err)
{
	int r = 0;

	pthread_mutex_lock(&g->lock);
	if (!force && console_in_use(g, index)) {
		r = error_virt(err, VIR_ERR_OPERATION_FAILED,
			       "Active console session exists for this "
			       "domain");
	} else {
		fd_close(g->console[index]);
		g->console[index] = fd;
	}
	pthread_mutex_unlock(&g->lock);
	return r;
}

int guest_open_console(struct guest *g, unsigned int index, bool force,
		       int *ret_fd, struct error *err)
{
	int pair[2], r;

	if (index >= CONSOLES_MAX)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "a test guest has at most %d consoles",
				  CONSOLES_MAX);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_set(err, -errno, "cannot make a socket: %m");
	r = plug_console(g, index, force, pair[1], err);
	if (r < 0) {
		fd_close(pair[0]);
		fd_close(pair[1]);
		return r;
	}
	eventfd_write(g->kick_fd, 1);
	*ret_fd = pair[0];
	return 0;
}
