/*
 * cli/job.c -- long calls: progress while they run, Ctrl-C to stop them.
 *
 * The call blocks, and libvirt keeps its error for the thread that made it; so
 * another thread asks the domain how far it is, a few times a second.
 */
#include "cli/job.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "cli/params.h"

double job_scale(unsigned long long bytes, const char **ret_unit)
{
	static const char *const units[] = { "B",   "KiB", "MiB", "GiB",
					     "TiB", "PiB", "EiB" };
	double v = (double)bytes;
	size_t i = 0;

	for (; v >= 1024 && i + 1 < ARRAY_SIZE(units); i++)
		v /= 1024;
	*ret_unit = units[i];
	return v;
}

/* ---- the bar ---- */

enum { BAR_EVERY_MS = 200, BAR_MAX = 40, MS = 1000000 };

static int bar_width(void)
{
	struct winsize w;
	int columns = 80;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col)
		columns = w.ws_col;
	return MAX(MIN(columns - 50, BAR_MAX), 4);
}

static void draw(const struct bar *b, unsigned long long done,
		 unsigned long long total, double seconds)
{
	double share = total ? (double)MIN(done, total) / (double)total : 0;
	double rate = seconds > 0 ? (double)done / seconds : 0;
	unsigned long left =
		rate > 0 ? (unsigned long)((double)(total - MIN(done, total)) /
					   rate)
			 : 0;
	int width = bar_width(), filled = (int)(share * width);
	const char *unit;
	double speed = job_scale((unsigned long long)rate, &unit);

	fprintf(stderr, "\r%s [", b->what);
	for (int i = 0; i < width; i++)
		fputc(i < filled ? '#' : '.', stderr);
	fprintf(stderr, "] %3d%% %6.1f %s/s %lu:%02lu left ",
		(int)(share * 100), speed, unit, left / 60, left % 60);
	fflush(stderr);
}

void bar_update(struct bar *b, unsigned long long done,
		unsigned long long total)
{
	uint64_t now = now_ns();

	if (!b->begun)
		b->begun = now;
	if (!total || (b->drawn && now - b->shown < BAR_EVERY_MS * MS))
		return;
	draw(b, done, total, (double)(now - b->begun) / 1e9);
	b->shown = now;
	b->drawn = true;
}

void bar_finish(struct bar *b)
{
	if (b->drawn)
		fputs("\r\033[K", stderr);
}

/* ---- the call ---- */

struct job {
	virDomainPtr dom;
	const char *what;
	bool verbose, tty;
	uint64_t begun;
	struct job_cue *cues;
	unsigned int n_cues;
	pthread_mutex_t lock; /* of what is below */
	pthread_cond_t ended;
	bool done;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signo)
{
	(void)signo;
	interrupted = 1;
}

/* Waits a moment for the end: true when it has come. */
static bool wait_a_moment(struct job *j)
{
	struct timespec until;
	bool done;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += BAR_EVERY_MS * MS;
	until.tv_sec += until.tv_nsec / (1000 * MS);
	until.tv_nsec %= 1000 * MS;
	pthread_mutex_lock(&j->lock);
	if (!j->done)
		pthread_cond_timedwait(&j->ended, &j->lock, &until);
	done = j->done;
	pthread_mutex_unlock(&j->lock);
	return done;
}

static void show(struct job *j, struct bar *b)
{
	virDomainJobInfo info;

	if (virDomainGetJobInfo(j->dom, &info) < 0 || !info.dataTotal)
		return;
	if (!j->verbose) {
		bar_update(b, info.dataProcessed, info.dataTotal);
		return;
	}
	fprintf(stderr, "\r%s: [%3d %%]", b->what,
		(int)(info.dataProcessed * 100 / info.dataTotal));
	fflush(stderr);
}

/* As with virsh, what comes of it shows in how the call ends. */
static void follow_cues(struct job *j)
{
	uint64_t ms = (now_ns() - j->begun) / MS;

	for (unsigned int i = 0; i < j->n_cues; i++) {
		struct job_cue *c = &j->cues[i];

		if (c->done || !(atomic_load(&c->now) ||
				 (c->after_s && ms / 1000 >= c->after_s)))
			continue;
		c->done = true;
		(void)c->act(j->dom);
	}
}

static void *watch(void *arg)
{
	struct job *j = arg;
	struct bar b = { .what = j->what };

	while (!wait_a_moment(j)) {
		if (interrupted) {
			interrupted = 0;
			virDomainAbortJob(j->dom);
		}
		follow_cues(j);
		if (j->verbose || j->tty)
			show(j, &b);
	}
	bar_finish(&b);
	return NULL;
}

static void end(struct job *j)
{
	pthread_mutex_lock(&j->lock);
	j->done = true;
	pthread_cond_signal(&j->ended);
	pthread_mutex_unlock(&j->lock);
}

int job_run(struct ctl *ctl, virDomainPtr dom, bool verbose, const char *what,
	    int (*call)(virDomainPtr dom, void *arg), void *arg)
{
	return job_run_cued(ctl, dom, verbose, what, call, arg, NULL, 0);
}

int job_run_cued(struct ctl *ctl, virDomainPtr dom, bool verbose,
		 const char *what, int (*call)(virDomainPtr dom, void *arg),
		 void *arg, struct job_cue *cues, unsigned int n)
{
	struct job j = { .dom = dom, .what = what, .verbose = verbose,
			 .tty = !ctl->quiet && isatty(STDERR_FILENO),
			 .begun = now_ns(), .cues = cues, .n_cues = n };
	struct sigaction act = { .sa_handler = on_interrupt }, old;
	pthread_t thread;
	bool watched;
	int r;

	pthread_mutex_init(&j.lock, NULL);
	pthread_cond_init(&j.ended, NULL);
	sigaction(SIGINT, &act, &old);
	watched = pthread_create(&thread, NULL, watch, &j) == 0;
	r = call(dom, arg);
	end(&j);
	if (watched)
		pthread_join(thread, NULL);
	sigaction(SIGINT, &old, NULL);
	if (verbose && r == 0)
		fprintf(stderr, "\r%s: [100 %%]\n", what);
	return r;
}
