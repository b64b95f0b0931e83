/*
 * daemon/store_priv.h -- the store's connection, for the files that have one
 * kind of object each.
 */
#ifndef DAEMON_STORE_PRIV_H
#define DAEMON_STORE_PRIV_H

#include <sqlite3.h>

#include "daemon/store.h"

sqlite3 *store_lock(struct store *store);
void store_unlock(struct store *store);
/* What the connection last complained of; locked. */
int store_error(struct store *store, const char *what, struct error *err);

#endif
