/*
 * vmm/machine_tell.c -- what happens in the machine, told to its listener
 * on the main thread.
 */
#include "vmm/machine.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/util.h"
#include "vmm/loop.h"
#include "vmm/machine_priv.h"

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
