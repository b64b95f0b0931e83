/*
 * daemon/filtered.h -- domains' network cards that have a network filter.
 */
#ifndef DAEMON_FILTERED_H
#define DAEMON_FILTERED_H

#include "daemon/nwfilters.h"
#include "daemon/registry.h"

/*
 * Before a driver makes the cards of a live definition: the filter of each that
 * has one is in force, and the tap has its name.  alias: of that card; NULL:
 * all.
 */
int filtered_in(struct dom_obj *obj, struct domain_def *def, const char *alias,
		struct error *err);
/* The run is over, or the card has gone. */
void filtered_out(struct dom_obj *obj, const struct domain_def *def,
		  const char *alias);

/* What the leases of these networks say; arg: struct networks. */
nwfilter_learn_fn filtered_learn;

#endif
