/*
 * daemon/plugged.h -- domains' network cards in virtual networks: their ports.
 */
#ifndef DAEMON_PLUGGED_H
#define DAEMON_PLUGGED_H

#include "daemon/registry.h"

/*
 * Before a driver makes the cards of a live definition: a port for each that is
 * in a network, and where its bridge is.  alias: of that card; NULL: all.
 */
int plugged_in(struct dom_obj *obj, struct domain_def *def, const char *alias,
	       struct error *err);
/* The run is over, or the card has gone. */
void plugged_out(struct dom_obj *obj, const struct domain_def *def,
		 const char *alias);

#endif
