/*
 * cli/watch.c -- events printed as they happen, until enough came.
 */
#include "cli/watch.h"

#include <errno.h>
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

/* Until one came (or for ever, with loop), or after so many seconds; 0: none
 * are set.  True: the time was over. */
static bool wait_for(struct watch *w, bool loop, unsigned long timeout)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += timeout;
	pthread_mutex_lock(&w->lock);
	while (r == 0 && (loop || !w->n))
		r = timeout ? pthread_cond_timedwait(&w->seen, &w->lock, &until)
			    : pthread_cond_wait(&w->seen, &w->lock);
	pthread_mutex_unlock(&w->lock);
	return r == ETIMEDOUT;
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
	if (wait_for(w, args_has(args, "loop"), timeout))
		say(ctl, "event loop timed out\n");
	say(ctl, "events received: %u\n", w->n);
	return w->n ? EXIT_OK : EXIT_FAILED;
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
