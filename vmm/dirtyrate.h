/*
 * vmm/dirtyrate.h -- how much memory the guest writes in a second, measured
 * for some seconds.
 */
#ifndef VMM_DIRTYRATE_H
#define VMM_DIRTYRATE_H

#include <stdbool.h>
#include <stdint.h>

struct dirtyrate;
struct error;
struct machine;

enum dirtyrate_status { DIRTYRATE_UNSTARTED, DIRTYRATE_MEASURING,
			DIRTYRATE_MEASURED };

struct dirtyrate_result {
	enum dirtyrate_status status;
	bool log;
	unsigned int seconds;
	uint64_t start; /* of the epoch */
	uint64_t bytes_per_second;
};

struct dirtyrate *dirtyrate_create(struct machine *m);
void dirtyrate_destroy(struct dirtyrate *d); /* NULL: nothing */
/* log: every page that is written counts, and the guest is a bit slower;
 * otherwise some pages are compared.  Main thread. */
int dirtyrate_begin(struct dirtyrate *d, unsigned int seconds, bool log,
		    struct error *err);
/* Without a result: somebody else needs the log. */
void dirtyrate_give_up(struct dirtyrate *d);
void dirtyrate_get(const struct dirtyrate *d, struct dirtyrate_result *ret);

#endif
