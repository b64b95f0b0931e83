/*
 * base/journal.h -- the systemd journal as a place for log messages.
 *
 * Apart from log.c so that only programs that ask for it link libsystemd.
 */
#ifndef BASE_JOURNAL_H
#define BASE_JOURNAL_H

/* From now on log_*() go to the journal; opens its socket at once. */
int log_to_journal(const char *ident);

#endif
