/*
 * vmm/run.c -- running one machine from the command line: build, load, run
 * until it stops, with the terminal as its first serial port.
 */
#include "vmm/run.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>

#include "base/buf.h"
#include "base/error.h"
#include "vmm/connector.h"
#include "vmm/image.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/sandbox.h"
#include "vmm/spec.h"

struct run {
	const struct run_options *opt;
	struct loop *loop;
	struct machine *m;
	struct loop_timer *timer;
	struct connector *connector; /* NULL: there are no sockets */
	int signal_fd;
	int status;
	bool raw;
	struct termios saved;
};

static void run_stopped(void *arg, enum machine_stop why, const char *detail,
			bool preserved)
{
	struct run *run = arg;
	int debug = machine_debug_status(run->m);

	if (debug >= 0)
		run->status = debug;
	else if (why == STOP_CRASH)
		run->status = EXIT_RUN_CRASH;
	else if (why == STOP_RESET)
		run->status = EXIT_RUN_RESET;
	if (detail)
		fprintf(stderr, "vireo-vmm: %s\r\n", detail);
	loop_quit(run->loop);
}

static void run_connected(void *arg, uint32_t port, int fd)
{
	struct run *run = arg;

	machine_vsock_connected(run->m, port, fd);
}

static void run_vsock(void *arg, uint32_t port)
{
	struct run *run = arg;

	if (run->connector)
		connector_ask(run->connector, port);
	else
		machine_vsock_connected(run->m, port, -1);
}

static const struct machine_listener run_listener = {
	.stopped = run_stopped,
	.vsock = run_vsock,
};

static void run_timeout(void *arg)
{
	struct run *run = arg;

	fprintf(stderr, "vireo-vmm: timeout\r\n");
	run->status = EXIT_RUN_TIMEOUT;
	loop_quit(run->loop);
}

static void run_save(struct run *run)
{
	struct progress p = { 0 };
	struct error err = { 0 };
	struct buf state = { 0 };
	int r;

	machine_pause(run->m);
	r = machine_get_state(run->m, &state, &err);
	if (r == 0)
		r = image_save(run->m->ram, &state, run->opt->save_fd, 0,
			       IMAGE_RAW, &p, &err);
	buf_free(&state);
	if (r < 0) {
		fprintf(stderr, "vireo-vmm: %s\r\n", err.message);
		run->status = EXIT_RUN_ERROR;
	}
	loop_quit(run->loop);
}

/* SIGTERM and SIGINT end the run, SIGHUP presses the power button. */
static void run_signal(void *arg, uint32_t events)
{
	struct run *run = arg;
	struct signalfd_siginfo si;

	if (read(run->signal_fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGHUP)
		machine_power_button(run->m, false);
	else if (si.ssi_signo == SIGTERM && run->opt->save_fd >= 0)
		run_save(run);
	else
		machine_request_stop(run->m, STOP_QUIT, NULL);
}

static int run_signals(struct run *run)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	run->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return run->signal_fd < 0 ? -errno :
				    loop_add(run->loop, run->signal_fd,
					     EPOLLIN, run_signal, run);
}

/* The guest's tty does the echoing and the control characters. */
static void run_terminal(struct run *run)
{
	struct termios raw;

	if (!run->opt->stdio || !isatty(STDIN_FILENO) ||
	    tcgetattr(STDIN_FILENO, &run->saved) < 0)
		return;
	raw = run->saved;
	cfmakeraw(&raw);
	raw.c_oflag = run->saved.c_oflag;
	run->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

static void run_tell_first(const struct run *run)
{
	uint64_t first = machine_first_run(run->m);

	if (run->opt->verbose && first)
		fprintf(stderr,
			"vireo-vmm: first guest instruction %.3f ms after "
			"start\n",
			(first - run->opt->started) / 1e6);
}

static int run_build(struct run *run, const struct vmm_spec *spec,
		     struct error *err)
{
	const char *variant;
	const struct engine *engine = engine_find(spec->engine, &variant);
	int r = 0;

	if (!engine)
		return error_set(err, -ENOTSUP, "there is no engine '%s'",
				 spec->engine);
	signal(SIGPIPE, SIG_IGN);
	if (run->opt->vsock_path)
		r = connector_create(run->opt->vsock_path, &run->connector,
				     err);
	if (r == 0 && !run->opt->no_sandbox)
		r = sandbox_isolate(err);
	if (r == 0)
		r = loop_create(&run->loop, err);
	if (r == 0 && run->connector)
		r = connector_watch(run->connector, run->loop, run_connected,
				    run);
	if (r == 0)
		r = run_signals(run);
	if (r == 0)
		r = machine_create(spec, engine, variant, run->loop, &run->m,
				   err);
	if (r < 0)
		return r;
	machine_listen(run->m, &run_listener, run);
	timer_create_on(run->loop, run_timeout, run, &run->timer);
	if (run->opt->timeout)
		timer_arm(run->timer,
			  now_ns() + run->opt->timeout * 1000000000ull);
	run_terminal(run);
	if (!run->opt->no_sandbox)
		r = sandbox_enter(run->opt->seccomp_log, err);
	return r < 0 ? r : machine_prepare(run->m, err);
}

int run_machine(const struct vmm_spec *spec, const struct run_options *opt)
{
	struct run run = { .opt = opt, .signal_fd = -1 };
	struct error err = { 0 };
	int r = run_build(&run, spec, &err);

	if (r == 0)
		r = machine_run(run.m);
	if (r == 0)
		r = loop_run(run.loop);
	if (run.m)
		run_tell_first(&run);
	timer_destroy(run.timer);
	machine_destroy(run.m);
	connector_destroy(run.connector);
	loop_destroy(run.loop);
	fd_close(run.signal_fd);
	if (run.raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &run.saved);
	if (r < 0) {
		fprintf(stderr, "vireo-vmm: %s\n",
			err.message[0] ? err.message : strerror(-r));
		return EXIT_RUN_ERROR;
	}
	return run.status;
}
