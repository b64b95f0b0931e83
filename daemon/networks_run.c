/*
 * daemon/networks_run.c -- what a network is while it runs: started, kept,
 * stopped.
 */
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define LOG_MODULE "network"
#include "base/error.h"
#include "base/log.h"
#include "daemon/networks_priv.h"
#include "network/net/view.h"

enum { FAILURES_MAX = 5 };
#define LONG_NS 10000000000ull /* what ran so long had started well */

/* ---- dnsmasq ---- */

static int run_dnsmasq(struct network *n, struct error *err);

/*
 * Takes the lock, unless somebody stops it: who does has the lock, and waits
 * for this call to end.  The news comes but once.
 */
static bool lock_unless_stopped(struct network *n)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	while (pthread_mutex_trylock(&n->nets->lock)) {
		if (atomic_load(&n->unwatching))
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

void net_unwatch(struct network *n)
{
	atomic_store(&n->unwatching, true);
	if (n->watch)
		n->nets->host->unwatch(steal_ptr(&n->watch));
	n->pidfd = fd_close(n->pidfd);
	atomic_store(&n->unwatching, false);
}

/* On the watches' thread. */
static void on_end(void *arg, uint32_t events)
{
	struct network *n = arg;
	struct networks *nets = n->nets;
	struct error err = { 0 };

	if (!lock_unless_stopped(n))
		return;
	if (!nets->closing && n->live && n->watch) {
		net_unwatch(n);
		if (now_ns() - n->started_ns > LONG_NS)
			n->failures = 0;
		if (++n->failures > FAILURES_MAX)
			log_error("network '%s': dnsmasq ends again and again; it is left alone",
				  n->live->name);
		else if (run_dnsmasq(n, &err) < 0)
			log_error("network '%s': %s", n->live->name,
				  err.message);
		else
			log_warn("network '%s': dnsmasq had ended; it was started again",
				 n->live->name);
	}
	pthread_mutex_unlock(&nets->lock);
}

static int run_dnsmasq(struct network *n, struct error *err)
{
	int r = n->nets->host->start(n->live->uuid, n->live->bridge,
				     &n->pidfd, err);

	if (r < 0)
		return r;
	n->started_ns = now_ns();
	n->watch = n->nets->host->watch(n->pidfd, on_end, n);
	return 0;
}

static int write_dnsmasq(struct network *n, struct error *err)
{
	struct dnsmasq_files files;
	int r;

	dnsmasq_write(n->live, &files);
	r = n->nets->host->write(n->live->uuid, &files, err);
	dnsmasq_files_free(&files);
	return r;
}

static int start_dnsmasq(struct network *n, struct error *err)
{
	int r;

	if (!dnsmasq_wanted(n->live))
		return 0;
	r = write_dnsmasq(n, err);
	n->failures = 0;
	return r < 0 ? r : run_dnsmasq(n, err);
}

static int stop_dnsmasq(struct network *n, struct error *err)
{
	net_unwatch(n);
	return n->nets->host->stop(net_def(n)->uuid, err);
}

int net_refresh(struct network *n, bool restart, struct error *err)
{
	int r = 0;

	if (restart) {
		r = stop_dnsmasq(n, err);
		return r < 0 ? r : start_dnsmasq(n, err);
	}
	if (dnsmasq_wanted(n->live))
		r = write_dnsmasq(n, err);
	if (r == 0 && n->watch)
		r = n->nets->host->reload(n->live->uuid, err);
	return r;
}

/* ---- the host's part ---- */

/* A free one, for good: guests find it at the next start, too. */
static void choose_subnet(struct network *n, const char *view)
{
	unsigned int subnet;

	if (!network_def_moves(n->live) ||
	    view_free_subnet(view, &subnet) < 0 ||
	    !network_def_move(n->live, subnet))
		return;
	if (n->config && network_def_moves(n->config))
		network_def_move(n->config, subnet);
	log_info("network '%s': its subnet is in use; it has 192.168.%u.0/24 now",
		 n->live->name, subnet);
}

static int check_clash(struct network *n, struct error *err)
{
	_cleanup_free_ char *view = NULL;
	int r = n->nets->host->view(&view, err);

	if (r < 0)
		return r;
	if (view_clash(view, n->live, NULL) < 0)
		choose_subnet(n, view);
	return view_clash(view, n->live, err);
}

static int up(struct network *n, struct error *err)
{
	struct net_plan plan;
	int r;

	if (!network_has_bridge(n->live))
		return 0; /* the host's devices are as they are */
	r = net_plan_of(n->live, &plan, err);
	if (r == 0)
		r = n->nets->host->up(&plan, err);
	if (r < 0)
		return r;
	n->nets->own_rules += plan.mode != PLAN_OPEN;
	return start_dnsmasq(n, err);
}

static int down(struct network *n, struct error *err)
{
	struct net_plan plan;
	int r;

	if (!network_has_bridge(n->live))
		return 0;
	r = stop_dnsmasq(n, err);
	if (r == 0)
		r = net_plan_of(n->live, &plan, err);
	if (r == 0)
		r = n->nets->host->down(&plan, err);
	n->nets->own_rules += r == 0 && plan.mode != PLAN_OPEN;
	return r;
}

/* ---- from one state to the other ---- */

/* Recorded as not running; n may be gone then. */
static int end(struct network *n, struct error *err)
{
	struct network_def *was = n->live;
	struct network_row row = { .name = was->name };
	int r;

	memcpy(row.uuid, was->uuid, UUID_LEN);
	n->changing = false;
	n->live = NULL;
	r = n->config ? net_record(n, err) :
			n->nets->store->put(n->nets->store->arg, &row, err);
	n->live = was;
	if (r < 0) {
		n->changing = true;
		return r;
	}
	net_ports_free(n);
	if (!n->config) {
		n->nets->host->forget(was->uuid);
		net_forget(n);
		return 0;
	}
	network_def_free(steal_ptr(&n->live));
	return 0;
}

int net_start(struct network *n, const struct network_def *def,
	      struct error *err)
{
	int r;

	n->live = network_def_copy(def);
	n->changing = true;
	r = check_clash(n, err);
	if (r == 0)
		r = net_record(n, err);
	if (r == 0)
		r = up(n, err);
	n->changing = r < 0;
	if (r == 0)
		r = net_record(n, err);
	if (r < 0) {
		struct error why = { 0 };

		if (down(n, &why) < 0)
			log_warn("network '%s': %s", n->live->name,
				 why.message);
		end(n, NULL);
		return r;
	}
	net_notify(n, VIR_NETWORK_EVENT_STARTED);
	return 0;
}

int net_stop(struct network *n, struct error *err)
{
	int r;

	n->changing = true;
	r = net_record(n, err);
	if (r == 0)
		r = down(n, err);
	if (r < 0)
		return r;
	net_notify(n, VIR_NETWORK_EVENT_STOPPED);
	return end(n, err);
}

/* What was under way when the last daemon ended is undone; a host that booted
 * has nothing left of it. */
int net_recover(struct network *n, bool booted, struct error *err)
{
	int r = 0;

	if (n->live && (n->changing || booted)) {
		bool stays = n->config;

		r = down(n, err);
		if (r == 0)
			r = end(n, err);
		if (r < 0 || !stays)
			return r;
	}
	if (n->live)
		return up(n, err);
	if (booted && n->autostart && n->config)
		r = net_start(n, n->config, err);
	return r;
}
