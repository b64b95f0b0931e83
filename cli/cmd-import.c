/*
 * cli/cmd-import.c -- what another libvirt has defined, defined here.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/import.h"
#include "cli/output.h"

/* ---- whether it is here ---- */

/* By name, then by uuid, if there is one. */
#define HAVE(what, type, by_name, by_uuid, freer)                             \
	static bool have_##what(virConnectPtr conn,                           \
				const struct import_item *item)               \
	{                                                                     \
		type found = by_name(conn, item->name);                       \
                                                                              \
		if (!found && item->uuid)                                     \
			found = by_uuid(conn, item->uuid);                    \
		if (found)                                                    \
			freer(found);                                         \
		return found;                                                 \
	}

static virSecretPtr secret_by_name(virConnectPtr conn, const char *name)
{
	return NULL; /* only uuids are unique */
}

HAVE(domain, virDomainPtr, virDomainLookupByName, virDomainLookupByUUIDString,
     virDomainFree)
HAVE(network, virNetworkPtr, virNetworkLookupByName,
     virNetworkLookupByUUIDString, virNetworkFree)
HAVE(pool, virStoragePoolPtr, virStoragePoolLookupByName,
     virStoragePoolLookupByUUIDString, virStoragePoolFree)
HAVE(secret, virSecretPtr, secret_by_name, virSecretLookupByUUIDString,
     virSecretFree)

/* ---- defining it ---- */

/* 0, or -1: libvirt has the error. */
#define DEFINE(what, type, define, set_autostart, freer)         \
	static int define_##what(virConnectPtr conn,             \
				 const struct import_item *item) \
	{                                                        \
		type made = define(conn, item->xml);             \
		int r = made ? 0 : -1;                           \
                                                                 \
		if (made && item->autostart)                     \
			r = set_autostart(made, 1);              \
		if (made)                                        \
			freer(made);                             \
		return r;                                        \
	}

static virStoragePoolPtr make_pool(virConnectPtr conn, const char *xml)
{
	return virStoragePoolDefineXML(conn, xml, 0);
}

static virSecretPtr make_secret(virConnectPtr conn, const char *xml)
{
	return virSecretDefineXML(conn, xml, 0);
}

static int no_autostart(virSecretPtr secret, int on)
{
	return 0;
}

DEFINE(domain, virDomainPtr, virDomainDefineXML, virDomainSetAutostart,
       virDomainFree)
DEFINE(network, virNetworkPtr, virNetworkDefineXML, virNetworkSetAutostart,
       virNetworkFree)
DEFINE(pool, virStoragePoolPtr, make_pool, virStoragePoolSetAutostart,
       virStoragePoolFree)
DEFINE(secret, virSecretPtr, make_secret, no_autostart, virSecretFree)

static const struct {
	bool (*have)(virConnectPtr conn, const struct import_item *item);
	int (*define)(virConnectPtr conn, const struct import_item *item);
} kinds[] = {
	[IMPORT_SECRET] = { have_secret, define_secret },
	[IMPORT_NETWORK] = { have_network, define_network },
	[IMPORT_POOL] = { have_pool, define_pool },
	[IMPORT_DOMAIN] = { have_domain, define_domain },
};

/* ---- the command ---- */

static const struct column columns[] = {
	{ "Kind", "kind", false },
	{ "Name", "name", false },
	{ "Autostart", "autostart", false },
	{ "Result", "result", false },
};

/* What came of it, in words; NULL: it failed, and libvirt says why. */
static const char *import_one(struct ctl *ctl, const struct args *args,
			      const struct import_item *item)
{
	bool have = kinds[item->kind].have(ctl->conn, item);
	bool dry = args_has(args, "dry-run");

	if (have && !args_has(args, "replace"))
		return "is here already";
	if (dry)
		return have ? "would be replaced" : "would be defined";
	if (kinds[item->kind].define(ctl->conn, item) < 0)
		return NULL;
	return have ? "replaced" : "defined";
}

static bool is_wanted(const struct args *args, enum import_kind kind)
{
	static const char *const options[] = { "secrets", "networks", "pools",
					       "domains" };
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		any |= args_has(args, options[i]);
	return !any || args_has(args, options[kind]);
}

static int import_all(struct ctl *ctl, const struct args *args,
		      const struct import *all)
{
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	int status = EXIT_OK;

	for (size_t i = 0; i < all->n; i++) {
		const struct import_item *item = &all->v[i];
		_cleanup_free_ char *why = NULL;
		const char *result;

		if (!is_wanted(args, item->kind))
			continue;
		result = import_one(ctl, args, item);
		if (!result) {
			result = why = xasprintf("failed: %s",
						 virGetLastErrorMessage());
			status = EXIT_FAILED;
		}
		table_row(t, (const char *[]){ import_kind_name(item->kind),
					       item->name,
					       item->autostart ? "yes" : "no",
					       result });
	}
	table_print(t, ctl);
	return status;
}

static int run_import(struct ctl *ctl, const struct args *args)
{
	const char *source = args_get(args, "source");
	struct import all = { NULL };
	int r = strstr(source, "://") ? import_uri(ctl, &all, source) :
					import_folder(&all, source);
	int status = EXIT_FAILED;

	if (r == 0) {
		import_sort(&all);
		status = import_all(ctl, args, &all);
	}
	import_free(&all);
	return status;
}

const struct command family_import[] = {
	{
		.name = "import",
		.group = "host",
		.summary = "define here what another libvirt has defined",
		.details = "From its files, as in /etc/libvirt, or from "
			   "another connection. Nothing is started, and no "
			   "image copied; secrets come without their values, "
			   "domains without their emulator.",
		.opts = OPTS(DATA("source", "a folder, or a connection URI"),
			     FLAG("dry-run", "only say what would be done"),
			     FLAG("replace", "replace what is here already"),
			     FLAG("domains", "import domains"),
			     FLAG("networks", "import networks"),
			     FLAG("pools", "import storage pools"),
			     FLAG("secrets", "import secrets")),
		.run = run_import,
	},
	{ NULL },
};
