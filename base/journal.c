/*
 * base/journal.c -- the systemd journal as a place for log messages.
 */
#include "base/journal.h"

#include "base/log.h"

#include <syslog.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

static const char *journal_ident;

static void journal_write(enum log_level level, const char *module,
			  const char *text)
{
	static const int priority[] = { 0, LOG_DEBUG, LOG_INFO, LOG_WARNING,
					LOG_ERR };

	sd_journal_send("MESSAGE=%s", text, "PRIORITY=%i", priority[level],
			"VIREO_MODULE=%s", module, "SYSLOG_IDENTIFIER=%s",
			journal_ident, NULL);
}

int log_to_journal(const char *ident)
{
	int r = sd_journal_print(LOG_DEBUG, "%s: log opened", ident);

	if (r < 0)
		return r;
	journal_ident = ident;
	log_to_sink(journal_write);
	return 0;
}
