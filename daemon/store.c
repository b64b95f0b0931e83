/*
 * daemon/store.c -- the SQLite store.
 *
 * Theory of operation.  One connection behind one mutex; readers of state
 * never come here, they read the registry's objects.  Every function is one
 * statement that writes, hence one transaction, durable when it returns: in
 * WAL mode with synchronous=FULL each commit syncs the log.  Where a function
 * has two statements their WHERE clauses exclude each other, so that only one
 * of them writes, or it says BEGIN and COMMIT.
 *
 * The schema is the sum of the migrations below; PRAGMA user_version says how
 * many of them a database has seen.  A migration, once released, is never
 * changed.
 */
#include "daemon/store_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "daemon/networks.h"

static const char *const migrations[] = {
	/* 1: domains, and facts about the daemon. */
	"CREATE TABLE domain ("
	"	uuid BLOB NOT NULL PRIMARY KEY CHECK (length(uuid) = 16),"
	"	name TEXT NOT NULL UNIQUE,"
	"	xml TEXT,"
	"	autostart INTEGER NOT NULL DEFAULT 0,"
	"	live_xml TEXT,"
	"	id INTEGER NOT NULL DEFAULT -1,"
	"	driver TEXT,"
	"	state INTEGER NOT NULL DEFAULT 5,"
	"	reason INTEGER NOT NULL DEFAULT 0,"
	"	starting INTEGER NOT NULL DEFAULT 0,"
	"	CHECK (xml IS NOT NULL OR live_xml IS NOT NULL),"
	"	CHECK (xml IS NOT NULL OR autostart = 0)"
	") WITHOUT ROWID;"
	"CREATE TABLE fact ("
	"	key TEXT NOT NULL PRIMARY KEY,"
	"	value TEXT NOT NULL"
	") WITHOUT ROWID;",
	/* 2: whether a saved guest waits for the next start. */
	"ALTER TABLE domain ADD COLUMN saved INTEGER NOT NULL DEFAULT 0;",
	/* 3: storage pools, the formats of volumes made here, secrets. */
	"CREATE TABLE pool ("
	"	uuid BLOB NOT NULL PRIMARY KEY CHECK (length(uuid) = 16),"
	"	name TEXT NOT NULL UNIQUE,"
	"	xml TEXT NOT NULL,"
	"	persistent INTEGER NOT NULL,"
	"	autostart INTEGER NOT NULL DEFAULT 0,"
	"	active INTEGER NOT NULL DEFAULT 0"
	") WITHOUT ROWID;"
	"CREATE TABLE volume ("
	"	pool BLOB NOT NULL REFERENCES pool ON DELETE CASCADE,"
	"	name TEXT NOT NULL,"
	"	format TEXT NOT NULL,"
	"	PRIMARY KEY (pool, name)"
	") WITHOUT ROWID;"
	"CREATE TABLE secret ("
	"	uuid BLOB NOT NULL PRIMARY KEY CHECK (length(uuid) = 16),"
	"	xml TEXT NOT NULL,"
	"	value BLOB" /* encrypted; NULL: not set */
	") WITHOUT ROWID;",
	/* 4: snapshots, in the order of their rows. */
	"CREATE TABLE snapshot ("
	"	place INTEGER PRIMARY KEY,"
	"	domain BLOB NOT NULL REFERENCES domain (uuid)"
	"		ON DELETE CASCADE,"
	"	name TEXT NOT NULL,"
	"	xml TEXT NOT NULL,"
	"	current INTEGER NOT NULL,"
	"	UNIQUE (domain, name)"
	");",
	/* 5: virtual networks, and who is plugged in. */
	"CREATE TABLE network ("
	"	uuid BLOB NOT NULL PRIMARY KEY CHECK (length(uuid) = 16),"
	"	name TEXT NOT NULL UNIQUE,"
	"	xml TEXT,"
	"	live_xml TEXT,"
	"	autostart INTEGER NOT NULL DEFAULT 0,"
	"	changing INTEGER NOT NULL DEFAULT 0,"
	"	CHECK (xml IS NOT NULL OR live_xml IS NOT NULL),"
	"	CHECK (xml IS NOT NULL OR autostart = 0)"
	") WITHOUT ROWID;"
	"CREATE TABLE network_port ("
	"	uuid BLOB NOT NULL PRIMARY KEY CHECK (length(uuid) = 16),"
	"	network BLOB NOT NULL"
	"		REFERENCES network (uuid) ON DELETE CASCADE,"
	"	xml TEXT NOT NULL"
	") WITHOUT ROWID;"
	"CREATE INDEX network_port_network ON network_port (network);"
	/* Who was plugged into what stops is not any more. */
	"CREATE TRIGGER network_stopped AFTER UPDATE ON network"
	"	WHEN NEW.live_xml IS NULL AND OLD.live_xml IS NOT NULL BEGIN"
	"	DELETE FROM network_port WHERE network = NEW.uuid; END;",
	/* 6: network filters, and the ports that have one. */
	"CREATE TABLE nwfilter ("
	"	uuid BLOB NOT NULL PRIMARY KEY CHECK (length(uuid) = 16),"
	"	xml TEXT NOT NULL"
	") WITHOUT ROWID;"
	"CREATE TABLE nwfilter_binding ("
	"	port TEXT NOT NULL PRIMARY KEY,"
	"	xml TEXT NOT NULL"
	") WITHOUT ROWID;",
	/* 7: checkpoints, in the order of their rows. */
	"CREATE TABLE checkpoint ("
	"	place INTEGER PRIMARY KEY,"
	"	domain BLOB NOT NULL REFERENCES domain (uuid)"
	"		ON DELETE CASCADE,"
	"	name TEXT NOT NULL,"
	"	xml TEXT NOT NULL,"
	"	current INTEGER NOT NULL,"
	"	UNIQUE (domain, name)"
	");",
};

enum stmt {
	STMT_DEFINE,
	STMT_UNDEFINE_LIVE,
	STMT_UNDEFINE,
	STMT_LIVE,
	STMT_STOPPED_TRANSIENT,
	STMT_STOPPED,
	STMT_SAVED,
	STMT_AUTOSTART,
	STMT_EACH,
	STMT_SNAPSHOTS_DROP,
	STMT_SNAPSHOT_ADD,
	STMT_SNAPSHOTS_EACH,
	STMT_CHECKPOINTS_DROP,
	STMT_CHECKPOINT_ADD,
	STMT_CHECKPOINTS_EACH,
	STMT_NET_PUT,
	STMT_NET_DELETE,
	STMT_NET_EACH,
	STMT_NET_PUT_PORT,
	STMT_NET_DELETE_PORT,
	STMT_NET_EACH_PORT,
	STMT_FACT_GET,
	STMT_FACT_SET,
	STMTS
};

static const char *const stmt_sql[] = {
	[STMT_DEFINE] = "INSERT INTO domain (uuid, name, xml, autostart)"
			" VALUES (?1, ?2, ?3, ?4)"
			" ON CONFLICT (uuid) DO UPDATE SET name = ?2,"
			" xml = ?3, autostart = ?4",
	[STMT_UNDEFINE_LIVE] = "UPDATE domain SET xml = NULL, autostart = 0"
			       " WHERE uuid = ?1 AND live_xml IS NOT NULL",
	[STMT_UNDEFINE] = "DELETE FROM domain"
			  " WHERE uuid = ?1 AND live_xml IS NULL",
	[STMT_LIVE] = "INSERT INTO domain (uuid, name, live_xml, id, driver,"
		      " state, reason, starting, saved)"
		      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
		      " ON CONFLICT (uuid) DO UPDATE SET live_xml = ?3,"
		      " id = ?4, driver = ?5, state = ?6, reason = ?7,"
		      " starting = ?8, saved = ?9",
	[STMT_STOPPED_TRANSIENT] = "DELETE FROM domain"
				   " WHERE uuid = ?1 AND xml IS NULL",
	[STMT_STOPPED] = "UPDATE domain SET live_xml = NULL, id = -1,"
			 " driver = NULL, state = ?2, reason = ?3,"
			 " starting = 0 WHERE uuid = ?1 AND xml IS NOT NULL",
	[STMT_SAVED] = "UPDATE domain SET saved = ?2 WHERE uuid = ?1",
	[STMT_AUTOSTART] = "UPDATE domain SET autostart = ?2"
			   " WHERE uuid = ?1 AND xml IS NOT NULL",
	[STMT_EACH] = "SELECT uuid, name, xml, autostart, live_xml, id,"
		      " driver, state, reason, starting, saved"
		      " FROM domain ORDER BY name",
	[STMT_SNAPSHOTS_DROP] = "DELETE FROM snapshot WHERE domain = ?1",
	[STMT_SNAPSHOT_ADD] = "INSERT INTO snapshot"
			      " (domain, name, xml, current)"
			      " VALUES (?1, ?2, ?3, ?4)",
	[STMT_SNAPSHOTS_EACH] = "SELECT name, xml, current FROM snapshot"
				" WHERE domain = ?1 ORDER BY place",
	[STMT_CHECKPOINTS_DROP] = "DELETE FROM checkpoint WHERE domain = ?1",
	[STMT_CHECKPOINT_ADD] = "INSERT INTO checkpoint"
				" (domain, name, xml, current)"
				" VALUES (?1, ?2, ?3, ?4)",
	[STMT_CHECKPOINTS_EACH] = "SELECT name, xml, current FROM checkpoint"
				  " WHERE domain = ?1 ORDER BY place",
	[STMT_NET_PUT] = "INSERT INTO network (uuid, name, xml, live_xml,"
			 " autostart, changing)"
			 " VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
			 " ON CONFLICT (uuid) DO UPDATE SET name = ?2,"
			 " xml = ?3, live_xml = ?4, autostart = ?5,"
			 " changing = ?6",
	[STMT_NET_DELETE] = "DELETE FROM network WHERE uuid = ?1",
	[STMT_NET_EACH] = "SELECT uuid, name, xml, live_xml, autostart,"
			  " changing FROM network ORDER BY name",
	[STMT_NET_PUT_PORT] = "INSERT INTO network_port (uuid, network, xml)"
			      " VALUES (?1, ?2, ?3)"
			      " ON CONFLICT (uuid) DO UPDATE SET xml = ?3",
	[STMT_NET_DELETE_PORT] = "DELETE FROM network_port WHERE uuid = ?1",
	[STMT_NET_EACH_PORT] = "SELECT uuid, network, xml FROM network_port",
	[STMT_FACT_GET] = "SELECT value FROM fact WHERE key = ?1",
	[STMT_FACT_SET] = "INSERT INTO fact (key, value) VALUES (?1, ?2)"
			  " ON CONFLICT (key) DO UPDATE SET value = ?2",
};
static_assert(ARRAY_SIZE(stmt_sql) == STMTS, "stmt_sql is short");

struct store {
	char *path;
	pthread_mutex_t lock; /* everything below */
	sqlite3 *db;
	sqlite3_stmt *stmt[STMTS];
};

sqlite3 *store_lock(struct store *s)
{
	pthread_mutex_lock(&s->lock);
	return s->db;
}

void store_unlock(struct store *s)
{
	pthread_mutex_unlock(&s->lock);
}

static int errno_of_sqlite(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	default:
		return -EIO;
	}
}

static int db_error(struct store *s, struct error *err, const char *what)
{
	int r = errno_of_sqlite(sqlite3_extended_errcode(s->db));

	if (r == -EUCLEAN)
		return error_set(err, r,
				 "%s: database '%s' is damaged (%s); move it "
				 "away or restore a copy",
				 what, s->path, sqlite3_errmsg(s->db));
	return error_set(err, r, "%s: database '%s': %s", what, s->path,
			 sqlite3_errmsg(s->db));
}

int store_error(struct store *s, const char *what, struct error *err)
{
	return db_error(s, err, what);
}

/* ---- opening ---- */

static int exec(struct store *s, const char *sql, struct error *err)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) != SQLITE_OK)
		return db_error(s, err, "cannot prepare the store");
	return 0;
}

static int query_text(struct store *s, const char *sql, char **ret_text,
		      struct error *err)
{
	sqlite3_stmt *q = NULL;
	int r = 0;

	if (sqlite3_prepare_v2(s->db, sql, -1, &q, NULL) != SQLITE_OK ||
	    sqlite3_step(q) != SQLITE_ROW)
		r = db_error(s, err, "cannot read the store");
	else
		*ret_text = xstrdup((const char *)sqlite3_column_text(q, 0));
	sqlite3_finalize(q);
	return r;
}

static int schema_version(struct store *s, unsigned int *ret_version,
			  struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = query_text(s, "PRAGMA user_version", &text, err);

	if (r == 0)
		*ret_version = text ? strtoul(text, NULL, 10) : 0;
	return r;
}

static int migrate_one(struct store *s, unsigned int version,
		       struct error *err)
{
	_cleanup_free_ char *sql =
		xasprintf("%s PRAGMA user_version = %u; COMMIT;",
			  migrations[version], version + 1);

	return exec(s, sql, err);
}

/* The version is read inside the transaction: two daemons may race. */
static int migrate(struct store *s, struct error *err)
{
	unsigned int version = 0;
	int r;

	for (;;) {
		r = exec(s, "BEGIN IMMEDIATE", err);
		if (r < 0)
			return r;
		r = schema_version(s, &version, err);
		if (r == 0 && version > ARRAY_SIZE(migrations))
			r = error_set(err, -EPROTO,
				      "database '%s' was written by a newer "
				      "version (schema %u, this one knows %zu); "
				      "install that version again",
				      s->path, version, ARRAY_SIZE(migrations));
		if (r < 0 || version == ARRAY_SIZE(migrations))
			break;
		r = migrate_one(s, version, err);
		if (r < 0)
			break;
	}
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return r;
}

static int check_integrity(struct store *s, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int r = query_text(s, "PRAGMA quick_check(1)", &text, err);

	if (r < 0 || str_eq(text, "ok"))
		return r;
	return error_set(err, -EUCLEAN,
			 "database '%s' is damaged (%s); move it away or "
			 "restore a copy",
			 s->path, text ? text : "no answer");
}

static int prepare_all(struct store *s, struct error *err)
{
	for (unsigned int i = 0; i < STMTS; i++)
		if (sqlite3_prepare_v3(s->db, stmt_sql[i], -1,
				       SQLITE_PREPARE_PERSISTENT, &s->stmt[i],
				       NULL) != SQLITE_OK)
			return db_error(s, err, "cannot prepare the store");
	return 0;
}

/* SQLite would create it readable for all; the XML may hold passwords. */
static int create_private(const char *path, struct error *err)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_set(err, -errno, "cannot open database '%s': %m",
				 path);
	close(fd);
	return 0;
}

static int open_db(struct store *s, struct error *err)
{
	int r;

	if (sqlite3_open_v2(s->path, &s->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
				    SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return db_error(s, err, "cannot open the store");
	sqlite3_busy_timeout(s->db, 5000);
	r = exec(s,
		 "PRAGMA journal_mode = WAL;"
		 "PRAGMA synchronous = FULL;"
		 "PRAGMA foreign_keys = ON;"
		 "PRAGMA trusted_schema = OFF;",
		 err);
	if (r == 0)
		r = check_integrity(s, err);
	if (r == 0)
		r = migrate(s, err);
	if (r == 0)
		r = prepare_all(s, err);
	return r;
}

int store_open(const char *path, struct store **ret_store, struct error *err)
{
	struct store *s;
	int r;

	if (!str_eq(path, ":memory:")) {
		r = create_private(path, err);
		if (r < 0)
			return r;
	}
	s = xcalloc(1, sizeof(*s));
	s->path = xstrdup(path);
	pthread_mutex_init(&s->lock, NULL);
	r = open_db(s, err);
	if (r < 0) {
		store_close(s);
		return r;
	}
	*ret_store = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	for (unsigned int i = 0; i < STMTS; i++)
		sqlite3_finalize(s->stmt[i]);
	sqlite3_close(s->db);
	pthread_mutex_destroy(&s->lock);
	free(s->path);
	free(s);
}

/* ---- statements ---- */

static void bind_uuid(sqlite3_stmt *q, int at, const uint8_t uuid[UUID_LEN])
{
	sqlite3_bind_blob(q, at, uuid, UUID_LEN, SQLITE_STATIC);
}

static void bind_text(sqlite3_stmt *q, int at, const char *text)
{
	sqlite3_bind_text(q, at, text, -1, SQLITE_STATIC);
}

/* Runs what is bound; resetting ends the transaction, whatever it was. */
static int run(struct store *s, sqlite3_stmt *q, const char *what,
	       struct error *err)
{
	int r = 0;

	if (sqlite3_step(q) != SQLITE_DONE)
		r = db_error(s, err, what);
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	return r;
}

/* Two statements about one uuid, of which at most one finds a row. */
static int run_either(struct store *s, enum stmt first, enum stmt second,
		      const uint8_t uuid[UUID_LEN], const char *what,
		      struct error *err)
{
	int r;

	bind_uuid(s->stmt[first], 1, uuid);
	bind_uuid(s->stmt[second], 1, uuid);
	r = run(s, s->stmt[first], what, err);
	if (r == 0)
		r = run(s, s->stmt[second], what, err);
	else
		sqlite3_clear_bindings(s->stmt[second]);
	return r;
}

int store_domain_define(struct store *s, const struct store_domain *d,
			struct error *err)
{
	sqlite3_stmt *q = s->stmt[STMT_DEFINE];
	int r;

	pthread_mutex_lock(&s->lock);
	bind_uuid(q, 1, d->uuid);
	bind_text(q, 2, d->name);
	bind_text(q, 3, d->xml);
	sqlite3_bind_int(q, 4, d->autostart);
	r = run(s, q, "cannot record the definition", err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int store_domain_undefine(struct store *s, const uint8_t uuid[UUID_LEN],
			  struct error *err)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = run_either(s, STMT_UNDEFINE, STMT_UNDEFINE_LIVE, uuid,
		       "cannot remove the definition", err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int store_domain_live(struct store *s, const struct store_domain *d,
		      struct error *err)
{
	sqlite3_stmt *q = s->stmt[STMT_LIVE];
	int r;

	pthread_mutex_lock(&s->lock);
	bind_uuid(q, 1, d->uuid);
	bind_text(q, 2, d->name);
	bind_text(q, 3, d->live_xml);
	sqlite3_bind_int(q, 4, d->id);
	bind_text(q, 5, d->driver);
	sqlite3_bind_int(q, 6, d->state);
	sqlite3_bind_int(q, 7, d->reason);
	sqlite3_bind_int(q, 8, d->starting);
	sqlite3_bind_int(q, 9, d->saved);
	r = run(s, q, "cannot record the running domain", err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int store_domain_stopped(struct store *s, const uint8_t uuid[UUID_LEN],
			 int reason, struct error *err)
{
	sqlite3_stmt *q = s->stmt[STMT_STOPPED];
	int r;

	pthread_mutex_lock(&s->lock);
	sqlite3_bind_int(q, 2, VIR_DOMAIN_SHUTOFF);
	sqlite3_bind_int(q, 3, reason);
	r = run_either(s, STMT_STOPPED_TRANSIENT, STMT_STOPPED, uuid,
		       "cannot record that the domain stopped", err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int store_domain_saved(struct store *s, const uint8_t uuid[UUID_LEN],
		       bool saved, struct error *err)
{
	sqlite3_stmt *q = s->stmt[STMT_SAVED];
	int r;

	pthread_mutex_lock(&s->lock);
	bind_uuid(q, 1, uuid);
	sqlite3_bind_int(q, 2, saved);
	r = run(s, q, "cannot record the saved guest", err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int store_domain_autostart(struct store *s, const uint8_t uuid[UUID_LEN],
			   bool autostart, struct error *err)
{
	sqlite3_stmt *q = s->stmt[STMT_AUTOSTART];
	int r;

	pthread_mutex_lock(&s->lock);
	bind_uuid(q, 1, uuid);
	sqlite3_bind_int(q, 2, autostart);
	r = run(s, q, "cannot record the autostart mark", err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

static char *column_text(sqlite3_stmt *q, int at)
{
	return (char *)sqlite3_column_text(q, at);
}

static void read_row(sqlite3_stmt *q, struct store_domain *ret_d)
{
	memcpy(ret_d->uuid, sqlite3_column_blob(q, 0), UUID_LEN);
	ret_d->name = column_text(q, 1);
	ret_d->xml = column_text(q, 2);
	ret_d->autostart = sqlite3_column_int(q, 3);
	ret_d->live_xml = column_text(q, 4);
	ret_d->id = sqlite3_column_int(q, 5);
	ret_d->driver = column_text(q, 6);
	ret_d->state = sqlite3_column_int(q, 7);
	ret_d->reason = sqlite3_column_int(q, 8);
	ret_d->starting = sqlite3_column_int(q, 9);
	ret_d->saved = sqlite3_column_int(q, 10);
}

int store_domain_each(struct store *s,
		      void (*fn)(void *arg, const struct store_domain *d),
		      void *arg, struct error *err)
{
	sqlite3_stmt *q = s->stmt[STMT_EACH];
	struct store_domain d;
	int rc, r = 0;

	pthread_mutex_lock(&s->lock);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		read_row(q, &d);
		fn(arg, &d);
	}
	if (rc != SQLITE_DONE)
		r = db_error(s, err, "cannot read the domains");
	sqlite3_reset(q);
	pthread_mutex_unlock(&s->lock);
	return r;
}

/* ---- snapshots and checkpoints ---- */

static const struct moment_stmts {
	enum stmt drop, add, each;
	const char *no_write, *no_read;
} moments[] = {
	[STORE_SNAPSHOTS] = { STMT_SNAPSHOTS_DROP, STMT_SNAPSHOT_ADD,
			      STMT_SNAPSHOTS_EACH, "cannot record snapshots",
			      "cannot read the snapshots" },
	[STORE_CHECKPOINTS] = { STMT_CHECKPOINTS_DROP, STMT_CHECKPOINT_ADD,
				STMT_CHECKPOINTS_EACH,
				"cannot record checkpoints",
				"cannot read the checkpoints" },
};

static int add_moment(struct store *s, const struct moment_stmts *of,
		      const uint8_t uuid[UUID_LEN],
		      const struct store_moment *m, struct error *err)
{
	sqlite3_stmt *q = s->stmt[of->add];

	bind_uuid(q, 1, uuid);
	bind_text(q, 2, m->name);
	bind_text(q, 3, m->xml);
	sqlite3_bind_int(q, 4, m->current);
	return run(s, q, of->no_write, err);
}

static int replace_moments(struct store *s, const struct moment_stmts *of,
			   const uint8_t uuid[UUID_LEN],
			   const struct store_moment *list, unsigned int n,
			   struct error *err)
{
	int r;

	bind_uuid(s->stmt[of->drop], 1, uuid);
	r = run(s, s->stmt[of->drop], of->no_write, err);
	for (unsigned int i = 0; i < n && r == 0; i++)
		r = add_moment(s, of, uuid, &list[i], err);
	return r;
}

int store_moments_replace(struct store *s, enum store_moments kind,
			  const uint8_t uuid[UUID_LEN],
			  const struct store_moment *list, unsigned int n,
			  struct error *err)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = exec(s, "BEGIN IMMEDIATE", err);
	if (r == 0)
		r = replace_moments(s, &moments[kind], uuid, list, n, err);
	if (r == 0)
		r = exec(s, "COMMIT", err);
	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int store_moments_each(struct store *s, enum store_moments kind,
		       const uint8_t uuid[UUID_LEN],
		       void (*fn)(void *arg, const struct store_moment *m),
		       void *arg, struct error *err)
{
	sqlite3_stmt *q = s->stmt[moments[kind].each];
	int rc, r = 0;

	pthread_mutex_lock(&s->lock);
	bind_uuid(q, 1, uuid);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct store_moment m = { column_text(q, 0), column_text(q, 1),
					  sqlite3_column_int(q, 2) };

		fn(arg, &m);
	}
	if (rc != SQLITE_DONE)
		r = db_error(s, err, moments[kind].no_read);
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	pthread_mutex_unlock(&s->lock);
	return r;
}

/* ---- networks ---- */

int store_network_put(void *arg, const struct network_row *row,
		      struct error *err)
{
	struct store *s = arg;
	bool gone = !row->xml && !row->live_xml;
	sqlite3_stmt *q = s->stmt[gone ? STMT_NET_DELETE : STMT_NET_PUT];
	int r;

	pthread_mutex_lock(&s->lock);
	bind_uuid(q, 1, row->uuid);
	if (!gone) {
		bind_text(q, 2, row->name);
		bind_text(q, 3, row->xml);
		bind_text(q, 4, row->live_xml);
		sqlite3_bind_int(q, 5, row->autostart);
		sqlite3_bind_int(q, 6, row->changing);
	}
	r = run(s, q, "cannot record the network", err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int store_network_each(void *arg,
		       void (*fn)(void *to, const struct network_row *row),
		       void *to, struct error *err)
{
	struct store *s = arg;
	sqlite3_stmt *q = s->stmt[STMT_NET_EACH];
	int rc, r = 0;

	pthread_mutex_lock(&s->lock);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct network_row row = {
			.name = column_text(q, 1),
			.xml = column_text(q, 2),
			.live_xml = column_text(q, 3),
			.autostart = sqlite3_column_int(q, 4),
			.changing = sqlite3_column_int(q, 5),
		};

		memcpy(row.uuid, sqlite3_column_blob(q, 0), UUID_LEN);
		fn(to, &row);
	}
	if (rc != SQLITE_DONE)
		r = db_error(s, err, "cannot read the networks");
	sqlite3_reset(q);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int store_network_put_port(void *arg, const struct network_port_row *row,
			   struct error *err)
{
	struct store *s = arg;
	sqlite3_stmt *q = s->stmt[row->xml ? STMT_NET_PUT_PORT :
					     STMT_NET_DELETE_PORT];
	int r;

	pthread_mutex_lock(&s->lock);
	bind_uuid(q, 1, row->uuid);
	if (row->xml) {
		bind_uuid(q, 2, row->network);
		bind_text(q, 3, row->xml);
	}
	r = run(s, q, "cannot record the port of a network", err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int store_network_each_port(void *arg,
			    void (*fn)(void *to,
				       const struct network_port_row *row),
			    void *to, struct error *err)
{
	struct store *s = arg;
	sqlite3_stmt *q = s->stmt[STMT_NET_EACH_PORT];
	int rc, r = 0;

	pthread_mutex_lock(&s->lock);
	while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
		struct network_port_row row = { .xml = column_text(q, 2) };

		memcpy(row.uuid, sqlite3_column_blob(q, 0), UUID_LEN);
		memcpy(row.network, sqlite3_column_blob(q, 1), UUID_LEN);
		fn(to, &row);
	}
	if (rc != SQLITE_DONE)
		r = db_error(s, err, "cannot read the networks' ports");
	sqlite3_reset(q);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int store_fact_get(struct store *s, const char *key, char **ret_value,
		   struct error *err)
{
	sqlite3_stmt *q = s->stmt[STMT_FACT_GET];
	int rc, r = 0;

	pthread_mutex_lock(&s->lock);
	bind_text(q, 1, key);
	rc = sqlite3_step(q);
	if (rc == SQLITE_ROW)
		*ret_value = xstrdup(column_text(q, 0));
	else if (rc == SQLITE_DONE)
		*ret_value = NULL;
	else
		r = db_error(s, err, "cannot read the store");
	sqlite3_reset(q);
	sqlite3_clear_bindings(q);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int store_fact_set(struct store *s, const char *key, const char *value,
		   struct error *err)
{
	sqlite3_stmt *q = s->stmt[STMT_FACT_SET];
	int r;

	pthread_mutex_lock(&s->lock);
	bind_text(q, 1, key);
	bind_text(q, 2, value);
	r = run(s, q, "cannot write the store", err);
	pthread_mutex_unlock(&s->lock);
	return r;
}
