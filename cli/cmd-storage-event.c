/*
 * cli/cmd-storage-event.c -- events of pools and secrets as they happen:
 * pool-event, secret-event.
 */
#include "cli/output.h"
#include "cli/storage.h"
#include "cli/watch.h"

/* ---- pools ---- */

static void on_pool_life(virConnectPtr conn, virStoragePoolPtr pool, int event,
			 int detail, void *arg)
{
	static const char *const names[] = { "Defined", "Undefined", "Started",
					     "Stopped", "Created",   "Deleted" };

	watch_print(arg, "event 'lifecycle' for storage pool %s: %s\n",
		    virStoragePoolGetName(pool),
		    WATCH_NAME(names, event));
}

static void on_pool_refresh(virConnectPtr conn, virStoragePoolPtr pool,
			    void *arg)
{
	watch_print(arg, "event 'refresh' for storage pool %s\n",
		    virStoragePoolGetName(pool));
}

/* ---- secrets ---- */

static void on_secret_life(virConnectPtr conn, virSecretPtr secret, int event,
			   int detail, void *arg)
{
	static const char *const names[] = { "Defined", "Undefined" };
	char uuid[VIR_UUID_STRING_BUFLEN] = "";

	virSecretGetUUIDString(secret, uuid);
	watch_print(arg, "event 'lifecycle' for secret %s: %s\n", uuid,
		    WATCH_NAME(names, event));
}

static void on_secret_value(virConnectPtr conn, virSecretPtr secret, void *arg)
{
	char uuid[VIR_UUID_STRING_BUFLEN] = "";

	virSecretGetUUIDString(secret, uuid);
	watch_print(arg, "event 'value-changed' for secret %s\n", uuid);
}

/* ---- both ---- */

static const struct watch_kind pool_kinds[] = {
	{ "lifecycle", VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE, on_pool_life },
	{ "refresh", VIR_STORAGE_POOL_EVENT_ID_REFRESH, on_pool_refresh },
	{ NULL },
};

static const struct watch_kind secret_kinds[] = {
	{ "lifecycle", VIR_SECRET_EVENT_ID_LIFECYCLE, on_secret_life },
	{ "value-changed", VIR_SECRET_EVENT_ID_VALUE_CHANGED,
	  on_secret_value },
	{ NULL },
};

static int watch_pools(struct ctl *ctl, const struct args *args,
		       const struct watch_kind *kind, unsigned long timeout)
{
	const char *name = args_get(args, "pool");
	virStoragePoolPtr pool = name ? ctl_pool(ctl, name) : NULL;
	struct watch w = WATCH(args);
	int status = EXIT_FAILED, id;

	if (name && !pool)
		return EXIT_FAILED;
	id = virConnectStoragePoolEventRegisterAny(
		ctl->conn, pool, kind->id,
		VIR_STORAGE_POOL_EVENT_CALLBACK(kind->callback), &w, NULL);
	if (id < 0) {
		say_failed(ctl, NULL);
	} else {
		status = watch_finish(ctl, args, &w, timeout);
		virConnectStoragePoolEventDeregisterAny(ctl->conn, id);
	}
	if (pool)
		virStoragePoolFree(pool);
	return status;
}

static int watch_secrets(struct ctl *ctl, const struct args *args,
			 const struct watch_kind *kind, unsigned long timeout)
{
	const char *uuid = args_get(args, "secret");
	virSecretPtr secret = uuid ? ctl_secret(ctl, uuid) : NULL;
	struct watch w = WATCH(args);
	int status = EXIT_FAILED, id;

	if (uuid && !secret)
		return EXIT_FAILED;
	id = virConnectSecretEventRegisterAny(
		ctl->conn, secret, kind->id,
		VIR_SECRET_EVENT_CALLBACK(kind->callback), &w, NULL);
	if (id < 0) {
		say_failed(ctl, NULL);
	} else {
		status = watch_finish(ctl, args, &w, timeout);
		virConnectSecretEventDeregisterAny(ctl->conn, id);
	}
	if (secret)
		virSecretFree(secret);
	return status;
}

static int run_pool_event(struct ctl *ctl, const struct args *args)
{
	return watch_run(ctl, args, pool_kinds, watch_pools);
}

static int run_secret_event(struct ctl *ctl, const struct args *args)
{
	return watch_run(ctl, args, secret_kinds, watch_secrets);
}

const struct command family_storage_event[] = {
	{
		.name = "pool-event",
		.group = "pool",
		.summary = "storage pool events",
		.opts = OPTS(STRING("pool", "only of this one"), OPTS_EVENT),
		.run = run_pool_event,
	},
	{
		.name = "secret-event",
		.group = "secret",
		.summary = "secret events",
		.opts = OPTS(STRING("secret", "only of this one"), OPTS_EVENT),
		.run = run_secret_event,
	},
	{ NULL },
};
