/*
 * base/log.c -- leveled logging.
 *
 * The state is the process's own and set up once at start; only the filters
 * change later, as one pointer swapped atomically (old filters are leaked on
 * purpose: a reader may still be in them, and they change by hand only).
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define FILTERS_MAX 32

struct filters {
	enum log_level deflt;
	unsigned int n;
	struct {
		enum log_level level;
		char module[24];
	} f[FILTERS_MAX];
};

static struct filters default_filters = { .deflt = LOG_LVL_INFO };
static _Atomic(struct filters *) filters = &default_filters;
static _Atomic int log_fd = STDERR_FILENO;
static _Atomic int output_level = LOG_LVL_DEBUG;
static pthread_mutex_t output_lock = PTHREAD_MUTEX_INITIALIZER;
static char output[PATH_MAX + 16] = "stderr"; /* output_lock */
static log_sink *_Atomic sink; /* NULL: lines on log_fd */

int log_open(const char *target, struct error *err)
{
	int fd;

	if (str_eq(target, "stderr"))
		return 0;
	if (!str_startswith(target, "file:"))
		return error_set(err, -EINVAL, "unknown log target '%s'",
				 target);
	fd = open(target + 5, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set(err, -errno, "cannot open log file '%s': %m",
				 target + 5);
	log_to_fd(fd);
	snprintf(output, sizeof(output), "%s", target);
	return 0;
}

void log_to_sink(log_sink *s)
{
	sink = s;
	snprintf(output, sizeof(output), "journald");
}

char *log_get_output(void)
{
	char *text;

	pthread_mutex_lock(&output_lock);
	text = xasprintf("%d:%s", atomic_load(&output_level), output);
	pthread_mutex_unlock(&output_lock);
	return text;
}

/* Another thread may be about to write to the old one: it stays open. */
void log_set_output(int fd, enum log_level level, const char *target)
{
	pthread_mutex_lock(&output_lock);
	snprintf(output, sizeof(output), "%s", target);
	atomic_store(&output_level, (int)level);
	atomic_store(&log_fd, fd);
	sink = NULL;
	pthread_mutex_unlock(&output_lock);
}

void log_to_fd(int fd)
{
	log_fd = fd;
}

static int filter_add(struct filters *fs, const char *word)
{
	int level = word[0] - '0';

	if (level < LOG_LVL_DEBUG || level > LOG_LVL_ERR)
		return -EINVAL;
	if (!word[1]) {
		fs->deflt = level;
		return 0;
	}
	if (word[1] != ':' || fs->n == FILTERS_MAX ||
	    strlen(word + 2) >= sizeof(fs->f[0].module))
		return -EINVAL;
	fs->f[fs->n].level = level;
	strcpy(fs->f[fs->n++].module, word + 2);
	return 0;
}

int log_set_filters(const char *text, struct error *err)
{
	_cleanup_free_ char *copy = xstrdup(text);
	struct filters *fs = xcalloc(1, sizeof(*fs));
	char *save, *word;

	fs->deflt = LOG_LVL_INFO;
	for (word = strtok_r(copy, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		if (filter_add(fs, word) < 0) {
			free(fs);
			return error_set(err, -EINVAL,
					 "log filter '%s' is not LEVEL or LEVEL:MODULE",
					 word);
		}
	}
	atomic_store(&filters, fs);
	return 0;
}

unsigned int log_get_filters(char **ret_text)
{
	const struct filters *fs = atomic_load(&filters);
	char text[FILTERS_MAX * 32] = "";
	size_t at = 0;

	for (unsigned int i = 0; i < fs->n; i++)
		at += snprintf(text + at, sizeof(text) - at, "%s%d:%s",
			       at ? " " : "", fs->f[i].level, fs->f[i].module);
	if (fs->deflt != LOG_LVL_INFO)
		snprintf(text + at, sizeof(text) - at, "%s%d", at ? " " : "",
			 fs->deflt);
	*ret_text = xstrdup(text);
	return fs->n + (fs->deflt != LOG_LVL_INFO);
}

bool log_enabled(enum log_level level, const char *module)
{
	const struct filters *fs = atomic_load(&filters);

	if ((int)level < atomic_load(&output_level))
		return false;
	for (unsigned int i = 0; i < fs->n; i++)
		if (str_eq(fs->f[i].module, module))
			return level >= fs->f[i].level;
	return level >= fs->deflt;
}

static void write_line(enum log_level level, const char *module,
		       const char *text)
{
	static const char *const names[] = { "", "debug", "info", "warning",
					     "error" };
	char line[1400];
	struct timespec ts;
	struct tm tm;
	int n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = snprintf(line, sizeof(line),
		     "%04d-%02d-%02d %02d:%02d:%02d.%03ld+0000: %d: %s: %s: %s\n",
		     tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
		     tm.tm_min, tm.tm_sec, ts.tv_nsec / 1000000, getpid(),
		     names[level], module, text);
	n = MIN(n, (int)sizeof(line) - 1);
	line[n - 1] = '\n';
	if (write(log_fd, line, n) < 0)
		return; /* nowhere left to say so */
}

void log_write(enum log_level level, const char *module, const char *fmt, ...)
{
	int saved = errno;
	log_sink *to = sink;
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (to)
		to(level, module, text);
	else
		write_line(level, module, text);
	errno = saved;
}
