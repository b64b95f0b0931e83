/*
 * base/log.h -- leveled logging to the journal, a file or stderr.
 *
 * Each file says what module it is before the include:
 *
 *	#define LOG_MODULE "virtio"
 *	#include "base/log.h"
 *
 * Levels are set per module with a filter string as libvirt's: "3:vmm 1:rpc 2"
 * (1 debug, 2 info, 3 warning, 4 error; no module: the default).  Libraries
 * below the daemon and main() do not log; they return errors.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/error.h"

enum log_level { LOG_LVL_DEBUG = 1, LOG_LVL_INFO, LOG_LVL_WARN, LOG_LVL_ERR };

/*
 * target: "stderr" or "file:PATH".  Opens it; later messages need no further
 * permission.  Called once, before threads start, like the two below it.
 */
int log_open(const char *target, struct error *err);
void log_to_fd(int fd); /* takes over fd: for a process that opens nothing */
typedef void log_sink(enum log_level level, const char *module,
		      const char *text);
void log_to_sink(log_sink *sink); /* base/journal.h has one */
int log_set_filters(const char *filters, struct error *err); /* any thread */

/*
 * For who administers: how many filters there are, and the words, which the
 * caller frees; where messages go ("2:stderr": from info on); and another place:
 * a descriptor that is taken over, unless it is stderr's.
 */
unsigned int log_get_filters(char **ret_text);
char *log_get_output(void);
void log_set_output(int fd, enum log_level level, const char *target);

bool log_enabled(enum log_level level, const char *module);
void log_write(enum log_level level, const char *module, const char *fmt, ...)
	PRINTF(3, 4);

#ifndef LOG_MODULE
#define LOG_MODULE "vireo"
#endif

#define log_at(level, ...) \
	do { \
		if (log_enabled(level, LOG_MODULE)) \
			log_write(level, LOG_MODULE, __VA_ARGS__); \
	} while (0)
#define log_debug(...) log_at(LOG_LVL_DEBUG, __VA_ARGS__)
#define log_info(...) log_at(LOG_LVL_INFO, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LVL_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_LVL_ERR, __VA_ARGS__)

#endif
