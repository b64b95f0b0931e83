/*
 * daemon/serve.c -- the unprivileged half of vireod, from start to end.
 *
 * The order is the point: what needs the file system (driver modules) comes
 * before confine(), what reads anything from outside comes after it.
 */
#include "daemon/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <sys/prctl.h>
#include <systemd/sd-event.h>

#define LOG_MODULE "main"
#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "daemon/confine.h"
#include "daemon/host.h"
#include "daemon/listen.h"
#include "daemon/options.h"

struct main_half {
	const struct options *opt;
	uid_t uid;
	sd_event *loop;
};

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si,
		     void *arg)
{
	log_info("ending on signal %u; guests keep running", si->ssi_signo);
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int create_loop(struct main_half *m, struct error *err)
{
	int r = sd_event_new(&m->loop);

	if (r >= 0)
		r = sd_event_add_signal(m->loop, NULL, SIGTERM, on_signal, m);
	if (r >= 0)
		r = sd_event_add_signal(m->loop, NULL, SIGINT, on_signal, m);
	return r < 0 ? error_set(err, r, "cannot create the event loop: %m") :
		       0;
}

/* What must be opened while we still may. */
static int open_before(struct main_half *m, const int *channels,
		       struct error *err)
{
	int r = create_loop(m, err);

	host_init(channels);
	tzset(); /* reads /etc/localtime */
	return r;
}

/* If priv dies, so do we, even where no loop runs and no call is made. */
static int die_with_priv(pid_t priv, struct error *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return error_set(err, -errno, "cannot be tied to priv: %m");
	if (getppid() != priv)
		return error_set(err, -ESRCH, "priv is gone");
	return 0;
}

static int go(struct main_half *m, const int *channels,
	      struct listeners *listeners, struct error *err)
{
	pid_t priv = getppid();
	bool confined;
	int r = open_before(m, channels, err);

	if (r >= 0)
		r = confine(m->opt->state_dir, m->opt->run_dir, m->uid,
			    m->opt->session, &confined, err);
	/* Only now: changing the uid would have undone it. */
	if (r >= 0)
		r = die_with_priv(priv, err);
	if (r >= 0)
		r = host_ready(err);
	if (r < 0)
		return r;
	log_info("ready");
	r = sd_event_loop(m->loop);
	return r < 0 ? error_set(err, r, "the event loop failed: %m") : 0;
}

int serve(const struct options *opt, const int *channels,
	  struct listeners *listeners, uid_t uid)
{
	struct main_half m = { .opt = opt, .uid = uid };
	struct error err = { 0 };
	int r = go(&m, channels, listeners, &err);

	if (r < 0)
		log_error("%s", err.message);
	sd_event_unref(m.loop);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
