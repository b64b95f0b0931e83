/*
 * cli/watch.c -- events printed as they happen, until enough came.
 */
#include "cli/watch.h"

#include <errno.h>
#include <stdarg.h>
#include <time.h>

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

bool watch_wait(struct watch *w, bool loop, unsigned long timeout)
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
