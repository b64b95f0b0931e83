/*
 * cli/cmd-pool.c -- commands that do one thing to one storage pool: build,
 * start, refresh, destroy, delete, undefine, autostart; and its names.
 */
#include <string.h>

#include "cli/output.h"
#include "cli/storage.h"

/* The texts are ours, each with one %s. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

struct pool_action {
	int (*act)(virStoragePoolPtr pool, unsigned int flags);
	const char *done, *failed;
};

static int pool_action(struct ctl *ctl, const struct args *args,
		       const struct pool_action *action, unsigned int flags)
{
	virStoragePoolPtr pool = ctl_pool(ctl, args_get(args, "pool"));
	int status = EXIT_OK;

	if (!pool)
		return EXIT_FAILED;
	if (action->act(pool, flags) < 0)
		status = say_failed(ctl, action->failed,
				    virStoragePoolGetName(pool));
	else
		say(ctl, action->done, virStoragePoolGetName(pool));
	virStoragePoolFree(pool);
	return status;
}

/* ---- one call each ---- */

static int destroy(virStoragePoolPtr pool, unsigned int flags)
{
	return virStoragePoolDestroy(pool);
}

static int undefine(virStoragePoolPtr pool, unsigned int flags)
{
	return virStoragePoolUndefine(pool);
}

static int mark(virStoragePoolPtr pool, unsigned int on)
{
	return virStoragePoolSetAutostart(pool, (int)on);
}

#define ACTION(id, call, done, failed)                                  \
	static int run_pool_##id(struct ctl *ctl, const struct args *args) \
	{                                                               \
		static const struct pool_action a = { call, done, failed }; \
									\
		return pool_action(ctl, args, &a, 0);                   \
	}

ACTION(delete, virStoragePoolDelete, "Pool %s deleted\n",
       "Failed to delete pool %s")
ACTION(destroy, destroy, "Pool %s destroyed\n", "Failed to destroy pool %s")
ACTION(refresh, virStoragePoolRefresh, "Pool %s refreshed\n",
       "Failed to refresh pool %s")
ACTION(undefine, undefine, "Pool %s has been undefined\n",
       "Failed to undefine pool %s")

static int run_pool_autostart(struct ctl *ctl, const struct args *args)
{
	static const struct pool_action actions[] = {
		{ mark, "Pool %s unmarked as autostarted\n",
		  "failed to unmark pool %s as autostarted" },
		{ mark, "Pool %s marked as autostarted\n",
		  "failed to mark pool %s as autostarted" },
	};
	unsigned int on = !args_has(args, "disable");

	return pool_action(ctl, args, &actions[on], on);
}

static int run_pool_build(struct ctl *ctl, const struct args *args)
{
	static const struct flag_option flags[] = {
		{ "no-overwrite", VIR_STORAGE_POOL_BUILD_NO_OVERWRITE },
		{ "overwrite", VIR_STORAGE_POOL_BUILD_OVERWRITE },
		{ NULL },
	};
	static const struct pool_action a = { virStoragePoolBuild,
					      "Pool %s built\n",
					      "Failed to build pool %s" };

	return pool_action(ctl, args, &a, args_flags(args, flags));
}

static int run_pool_start(struct ctl *ctl, const struct args *args)
{
	static const struct pool_action a = { virStoragePoolCreate,
					      "Pool %s started\n",
					      "Failed to start pool %s" };
	unsigned int flags;

	return args_pool_build(args, &flags) < 0 ?
		       EXIT_FAILED : pool_action(ctl, args, &a, flags);
}

/* ---- names ---- */

static int run_pool_uuid(struct ctl *ctl, const struct args *args)
{
	const char *name = args_get(args, "pool");
	virStoragePoolPtr pool = virStoragePoolLookupByName(ctl->conn, name);
	char uuid[VIR_UUID_STRING_BUFLEN];

	if (!pool)
		return say_failed(ctl, "failed to get pool '%s'", name);
	if (virStoragePoolGetUUIDString(pool, uuid) == 0)
		say_value(ctl, "uuid", uuid);
	virStoragePoolFree(pool);
	return EXIT_OK;
}

static int run_pool_name(struct ctl *ctl, const struct args *args)
{
	const char *uuid = args_get(args, "pool");
	bool is_uuid = strlen(uuid) == VIR_UUID_STRING_BUFLEN - 1;
	virStoragePoolPtr pool =
		is_uuid ? virStoragePoolLookupByUUIDString(ctl->conn, uuid) :
			  NULL;

	if (!is_uuid) {
		say_error("failed to get pool '%s'", uuid);
		return EXIT_FAILED;
	}
	if (!pool)
		return say_failed(ctl, "failed to get pool '%s'", uuid);
	say_value(ctl, "name", virStoragePoolGetName(pool));
	virStoragePoolFree(pool);
	return EXIT_OK;
}

#define POOL_COMMAND(id, text, more, ...)              \
	{                                              \
		.name = "pool-" #id,                   \
		.group = "pool",                       \
		.summary = text,                       \
		.details = more,                       \
		.opts = OPTS(DATA("pool"), ##__VA_ARGS__), \
		.run = run_pool_##id,                  \
	}

const struct command family_pool[] = {
	POOL_COMMAND(autostart, "autostart a pool",
		     "Has it started whenever the host starts.",
		     FLAG("disable")),
	POOL_COMMAND(build, "build a pool",
		     "Makes the folder, file system, partition table or volume "
		     "group.",
		     FLAG("no-overwrite", "fail where there is data"),
		     FLAG("overwrite", "overwrite what is there")),
	POOL_COMMAND(delete, "delete a pool",
		     "Removes what pool-build made. Its volumes may be lost."),
	POOL_COMMAND(destroy, "destroy (stop) a pool",
		     "Its volumes and its definition stay."),
	POOL_COMMAND(name, "convert a pool UUID to pool name", NULL),
	POOL_COMMAND(refresh, "refresh a pool",
		     "Looks again which volumes there are."),
	POOL_COMMAND(start, "start a (previously defined) inactive pool",
		     "Mounts or activates it, and finds its volumes.",
		     OPTS_POOL_BUILD),
	POOL_COMMAND(undefine, "undefine an inactive pool",
		     "Its volumes stay."),
	POOL_COMMAND(uuid, "convert a pool name to pool UUID", NULL),
	{ NULL },
};
