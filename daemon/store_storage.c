/*
 * daemon/store_storage.c -- pools, volumes and secrets in the store.
 *
 * None of it is asked for often: statements are made when they are needed.
 */
#include "daemon/store_storage.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "daemon/store_priv.h"

/* A statement, the store locked; NULL with err, and unlocked. */
static sqlite3_stmt *begin(struct store *s, const char *sql, struct error *err)
{
	sqlite3 *db = store_lock(s);
	sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK)
		return q;
	store_error(s, "cannot use the store", err);
	store_unlock(s);
	return NULL;
}

static void end(struct store *s, sqlite3_stmt *q)
{
	sqlite3_finalize(q);
	store_unlock(s);
}

static int run(struct store *s, sqlite3_stmt *q, const char *what,
	       struct error *err)
{
	int r = sqlite3_step(q) == SQLITE_DONE ? 0 : store_error(s, what, err);

	end(s, q);
	return r;
}

static void bind_uuid(sqlite3_stmt *q, int at, const uint8_t *uuid)
{
	sqlite3_bind_blob(q, at, uuid, UUID_LEN, SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *q, int at, const char *text)
{
	sqlite3_bind_text(q, at, text, -1, SQLITE_STATIC);
}

static const char *text_at(sqlite3_stmt *q, int at)
{
	return (const char *)sqlite3_column_text(q, at);
}

/* ---- pools ---- */

int store_pool_put(struct store *s, const struct store_pool *p,
		   struct error *err)
{
	sqlite3_stmt *q = begin(
		s, "INSERT INTO pool (uuid, name, xml, persistent, autostart,"
		   " active) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
		   " ON CONFLICT (uuid) DO UPDATE SET name = ?2, xml = ?3,"
		   " persistent = ?4, autostart = ?5, active = ?6", err);

	if (!q)
		return -EIO;
	bind_uuid(q, 1, p->uuid);
	bind_text(q, 2, p->name);
	bind_text(q, 3, p->xml);
	sqlite3_bind_int(q, 4, p->persistent);
	sqlite3_bind_int(q, 5, p->autostart);
	sqlite3_bind_int(q, 6, p->active);
	return run(s, q, "cannot record the storage pool", err);
}

int store_pool_remove(struct store *s, const uint8_t uuid[UUID_LEN],
		      struct error *err)
{
	sqlite3_stmt *q = begin(s, "DELETE FROM pool WHERE uuid = ?1", err);

	if (!q)
		return -EIO;
	bind_uuid(q, 1, uuid);
	return run(s, q, "cannot remove the storage pool", err);
}

int store_pool_each(struct store *s,
		    void (*fn)(void *arg, const struct store_pool *pool),
		    void *arg, struct error *err)
{
	sqlite3_stmt *q = begin(s, "SELECT uuid, name, xml, persistent,"
				   " autostart, active FROM pool ORDER BY name",
				err);
	struct store_pool p;
	int rc, r = 0;

	if (!q)
		return -EIO;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		memcpy(p.uuid, sqlite3_column_blob(q, 0), UUID_LEN);
		p.name = text_at(q, 1);
		p.xml = text_at(q, 2);
		p.persistent = sqlite3_column_int(q, 3);
		p.autostart = sqlite3_column_int(q, 4);
		p.active = sqlite3_column_int(q, 5);
		fn(arg, &p);
	}
	if (rc != SQLITE_DONE)
		r = store_error(s, "cannot read the storage pools", err);
	end(s, q);
	return r;
}

/* ---- volumes ---- */

int store_volume_put(struct store *s, const uint8_t pool[UUID_LEN],
		     const char *name, const char *format, struct error *err)
{
	sqlite3_stmt *q = begin(
		s, format ? "INSERT INTO volume (pool, name, format)"
			    " VALUES (?1, ?2, ?3) ON CONFLICT (pool, name)"
			    " DO UPDATE SET format = ?3" :
			    "DELETE FROM volume WHERE pool = ?1 AND name = ?2",
		err);

	if (!q)
		return -EIO;
	bind_uuid(q, 1, pool);
	bind_text(q, 2, name);
	if (format)
		bind_text(q, 3, format);
	return run(s, q, "cannot record the volume's format", err);
}

int store_volume_each(struct store *s, const uint8_t pool[UUID_LEN],
		      void (*fn)(void *arg, const char *name,
				 const char *format),
		      void *arg, struct error *err)
{
	sqlite3_stmt *q = begin(
		s, "SELECT name, format FROM volume WHERE pool = ?1", err);
	int rc, r = 0;

	if (!q)
		return -EIO;
	bind_uuid(q, 1, pool);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW)
		fn(arg, text_at(q, 0), text_at(q, 1));
	if (rc != SQLITE_DONE)
		r = store_error(s, "cannot read the volumes' formats", err);
	end(s, q);
	return r;
}

/* ---- secrets ---- */

int store_secret_put(struct store *s, const struct store_secret *secret,
		     struct error *err)
{
	sqlite3_stmt *q = begin(
		s, "INSERT INTO secret (uuid, xml, value) VALUES (?1, ?2, ?3)"
		   " ON CONFLICT (uuid) DO UPDATE SET xml = ?2, value = ?3",
		err);

	if (!q)
		return -EIO;
	bind_uuid(q, 1, secret->uuid);
	bind_text(q, 2, secret->xml);
	sqlite3_bind_blob(q, 3, secret->value, secret->len, SQLITE_STATIC);
	return run(s, q, "cannot record the secret", err);
}

int store_secret_remove(struct store *s, const uint8_t uuid[UUID_LEN],
			struct error *err)
{
	sqlite3_stmt *q = begin(s, "DELETE FROM secret WHERE uuid = ?1", err);

	if (!q)
		return -EIO;
	bind_uuid(q, 1, uuid);
	return run(s, q, "cannot remove the secret", err);
}

int store_secret_each(struct store *s,
		      void (*fn)(void *arg, const struct store_secret *secret),
		      void *arg, struct error *err)
{
	sqlite3_stmt *q = begin(s, "SELECT uuid, xml, value FROM secret", err);
	struct store_secret secret;
	int rc, r = 0;

	if (!q)
		return -EIO;
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		memcpy(secret.uuid, sqlite3_column_blob(q, 0), UUID_LEN);
		secret.xml = text_at(q, 1);
		secret.value = sqlite3_column_blob(q, 2);
		secret.len = sqlite3_column_bytes(q, 2);
		fn(arg, &secret);
	}
	if (rc != SQLITE_DONE)
		r = store_error(s, "cannot read the secrets", err);
	end(s, q);
	return r;
}
