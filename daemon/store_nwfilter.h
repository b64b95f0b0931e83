/*
 * daemon/store_nwfilter.h -- network filters and bindings in the store, as
 * daemon/nwfilters.h has them: the first argument is the store.
 */
#ifndef DAEMON_STORE_NWFILTER_H
#define DAEMON_STORE_NWFILTER_H

#include "daemon/store.h"

int store_nwfilter_put(void *store, const uint8_t uuid[UUID_LEN],
		       const char *xml, struct error *err);
int store_nwfilter_put_binding(void *store, const char *port, const char *xml,
			       struct error *err);
int store_nwfilter_each(void *store, void (*fn)(void *to, const char *xml),
			void *to, struct error *err);
int store_nwfilter_each_binding(void *store,
				void (*fn)(void *to, const char *xml),
				void *to, struct error *err);

#endif
