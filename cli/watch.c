/*
 * cli/watch.c -- events printed as they happen, until enough came.
 */
#include "cli/watch.h"

#include <stdarg.h>
#include <time.h>

#include "cli/output.h"

static void print_time(void)
{
	char text[64];
	struct timespec ts;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	printf("%s.%03ld+0000: ", text, ts.tv_nsec / 1000000);
}

void watch_print(struct watch *w, const char *fmt, ...)
{
	va_list ap;

	if (w->timestamp)
		print_time();
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	fflush(stdout);
	pthread_mutex_lock(&w->lock);
	w->n++;
	pthread_cond_signal(&w->seen);
	pthread_mutex_unlock(&w->lock);
}

enum wait_end { WAIT_SEEN, WAIT_OVER, WAIT_LOST };

/* A second, or until something came. */
static void wait_a_second(struct watch *w)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	pthread_cond_timedwait(&w->seen, &w->lock, &until);
}

/* Until one came (or for ever, with loop), or after so many seconds; 0: none
 * are set.  Without its connection it would wait for nothing. */
static enum wait_end wait_for(struct ctl *ctl, struct watch *w, bool loop,
			      unsigned long timeout)
{
	uint64_t until = now_ns() + timeout * 1000000000ull;
	enum wait_end end = WAIT_SEEN;

	pthread_mutex_lock(&w->lock);
	while (end == WAIT_SEEN && (loop || !w->n)) {
		wait_a_second(w);
		if (virConnectIsAlive(ctl->conn) != 1)
			end = WAIT_LOST;
		else if (timeout && now_ns() >= until)
			end = WAIT_OVER;
	}
	pthread_mutex_unlock(&w->lock);
	return end;
}

void watch_list(const struct watch_kind *kinds)
{
	for (; kinds->name; kinds++)
		puts(kinds->name);
}

const struct watch_kind *watch_find(const struct watch_kind *kinds,
				    const char *name)
{
	while (kinds->name && !str_eq(kinds->name, name))
		kinds++;
	if (kinds->name)
		return kinds;
	say_error("unknown event type %s", name);
	return NULL;
}

int watch_timeout(const struct args *args, unsigned long *ret)
{
	int r = args_number(args, "timeout", 1000000, ret);

	if (r > 0 && !*ret) {
		say_error("Numeric value '0' for <timeout> option is malformed "
			  "or out of range");
		return -1;
	}
	return r < 0 ? -1 : 0;
}

int watch_finish(struct ctl *ctl, const struct args *args, struct watch *w,
		 unsigned long timeout)
{
	enum wait_end end = wait_for(ctl, w, args_has(args, "loop"), timeout);

	if (end == WAIT_LOST)
		say_error("the connection to the hypervisor was lost");
	if (end == WAIT_OVER)
		say(ctl, "event loop timed out\n");
	say(ctl, "events received: %u\n", w->n);
	return w->n && end != WAIT_LOST ? EXIT_OK : EXIT_FAILED;
}

int watch_run(struct ctl *ctl, const struct args *args,
	      const struct watch_kind *kinds,
	      int (*watch)(struct ctl *ctl, const struct args *args,
			   const struct watch_kind *kind,
			   unsigned long timeout))
{
	const char *name = args_get(args, "event");
	const struct watch_kind *kind;
	unsigned long timeout = 0;

	if (args_has(args, "list")) {
		watch_list(kinds);
		return EXIT_OK;
	}
	if (!name) {
		say_error("either --list or --event <type> is required");
		return EXIT_FAILED;
	}
	kind = watch_find(kinds, name);
	if (!kind || watch_timeout(args, &timeout) < 0)
		return EXIT_FAILED;
	return watch(ctl, args, kind, timeout);
}
