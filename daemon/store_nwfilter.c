/*
 * daemon/store_nwfilter.c -- network filters and bindings in the store.
 */
#include "daemon/store_nwfilter.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "daemon/store_priv.h"

/* A row whose key is text, or uuid bytes; xml NULL: it goes. */
struct row {
	const char *put, *remove;
	const void *key;
	int len; /* -1: text */
	const char *xml;
};

static void bind_row(sqlite3_stmt *q, const struct row *row)
{
	if (row->len < 0)
		sqlite3_bind_text(q, 1, row->key, -1, SQLITE_STATIC);
	else
		sqlite3_bind_blob(q, 1, row->key, row->len, SQLITE_STATIC);
	if (row->xml)
		sqlite3_bind_text(q, 2, row->xml, -1, SQLITE_STATIC);
}

static int put(struct store *s, const struct row *row, struct error *err)
{
	sqlite3 *db = store_lock(s);
	sqlite3_stmt *q = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(db, row->xml ? row->put : row->remove, -1, &q,
			       NULL) == SQLITE_OK)
		bind_row(q, row);
	if (!q || sqlite3_step(q) != SQLITE_DONE)
		r = store_error(s, "cannot record a network filter", err);
	sqlite3_finalize(q);
	store_unlock(s);
	return r;
}

static int each(struct store *s, const char *sql,
		void (*fn)(void *to, const char *xml), void *to,
		struct error *err)
{
	sqlite3 *db = store_lock(s);
	sqlite3_stmt *q = NULL;
	int rc = sqlite3_prepare_v2(db, sql, -1, &q, NULL), r = 0;

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(q);
		if (rc == SQLITE_ROW)
			fn(to, (const char *)sqlite3_column_text(q, 0));
	}
	if (rc != SQLITE_DONE)
		r = store_error(s, "cannot read the network filters", err);
	sqlite3_finalize(q);
	store_unlock(s);
	return r;
}

int store_nwfilter_put(void *store, const uint8_t uuid[UUID_LEN],
		       const char *xml, struct error *err)
{
	const struct row row = {
		.put = "INSERT OR REPLACE INTO nwfilter (uuid, xml)"
		       " VALUES (?1, ?2)",
		.remove = "DELETE FROM nwfilter WHERE uuid = ?1",
		.key = uuid, .len = UUID_LEN, .xml = xml,
	};

	return put(store, &row, err);
}

int store_nwfilter_put_binding(void *store, const char *port, const char *xml,
			       struct error *err)
{
	const struct row row = {
		.put = "INSERT OR REPLACE INTO nwfilter_binding (port, xml)"
		       " VALUES (?1, ?2)",
		.remove = "DELETE FROM nwfilter_binding WHERE port = ?1",
		.key = port, .len = -1, .xml = xml,
	};

	return put(store, &row, err);
}

int store_nwfilter_each(void *store, void (*fn)(void *to, const char *xml),
			void *to, struct error *err)
{
	return each(store, "SELECT xml FROM nwfilter", fn, to, err);
}

int store_nwfilter_each_binding(void *store,
				void (*fn)(void *to, const char *xml),
				void *to, struct error *err)
{
	return each(store, "SELECT xml FROM nwfilter_binding", fn, to, err);
}
