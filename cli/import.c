/*
 * cli/import.c -- definitions of another libvirt, found in files or asked for.
 *
 * Libvirt keeps a file per definition, and links to those that start with the
 * host in folders named "autostart".
 */
#include "cli/import.h"

#include <errno.h>
#include <fts.h>
#include <string.h>

#include "cli/output.h"
#include "cli/xml.h"

static const char *const kind_names[] = { "secret", "network", "pool",
					  "domain" };

const char *import_kind_name(enum import_kind kind)
{
	return kind_names[kind];
}

static int find_kind(const char *element)
{
	for (int i = 0; i < IMPORT_KINDS; i++)
		if (str_eq(kind_names[i], element))
			return i;
	return -1;
}

/* The emulator of another hypervisor is none of ours. */
static void drop_emulator(struct xml *x)
{
	xmlXPathObjectPtr found = xml_find(x, NULL, "./devices/emulator");

	for (int i = 0; i < xml_count(found); i++) {
		xmlUnlinkNode(found->nodesetval->nodeTab[i]);
		xmlFreeNode(found->nodesetval->nodeTab[i]);
		found->nodesetval->nodeTab[i] = NULL;
	}
	xmlXPathFreeObject(found);
}

/* A document of another kind, or without a name, is left alone. */
static void add(struct import *all, const char *text, bool autostart)
{
	_cleanup_xml_ struct xml x = { NULL };
	struct import_item item = { .autostart = autostart };
	xmlNodePtr root;
	int kind;

	if (xml_open(&x, text) < 0)
		return;
	root = xmlDocGetRootElement(x.doc);
	kind = root ? find_kind((const char *)root->name) : -1;
	if (kind < 0)
		return;
	item.kind = (enum import_kind)kind;
	item.uuid = xml_string(&x, NULL, "./uuid");
	item.name = xml_string(&x, NULL, "./name");
	if (!item.name && kind == IMPORT_SECRET && item.uuid)
		item.name = xstrdup(item.uuid);
	if (!item.name) {
		free(item.uuid);
		return;
	}
	if (kind == IMPORT_DOMAIN)
		drop_emulator(&x);
	item.xml = xml_text(&x, root);
	all->v = xrealloc(all->v, all->n + 1, sizeof(*all->v));
	all->v[all->n++] = item;
}

/* ---- from files ---- */

static void mark(struct import *all, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_eq(all->v[i].name, name))
			all->v[i].autostart = true;
}

static bool is_xml(const FTSENT *e)
{
	size_t len = e->fts_namelen;

	return len > 4 && str_eq(e->fts_name + len - 4, ".xml");
}

static bool in_autostart(const FTSENT *e)
{
	return str_eq(e->fts_parent->fts_name, "autostart");
}

static int add_file(struct import *all, const FTSENT *e)
{
	_cleanup_free_ char *text = read_xml_file(e->fts_accpath);

	if (!text)
		return -1;
	add(all, text, false);
	return 0;
}

/* What stands in "autostart" is known when all the rest is. */
static int walk(struct import *all, const char *path, bool links)
{
	char *paths[] = { (char *)path, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	int r = fts ? 0 : -1;
	FTSENT *e;

	while (r == 0 && (e = fts_read(fts))) {
		if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR ||
		    e->fts_info == FTS_NS) {
			errno = e->fts_errno;
			r = -1;
		} else if (is_xml(e) && in_autostart(e) && links) {
			_cleanup_free_ char *name =
				xstrndup(e->fts_name, e->fts_namelen - 4u);

			mark(all, name);
		} else if (e->fts_info == FTS_F && is_xml(e) &&
			   !in_autostart(e) && !links) {
			if (add_file(all, e) < 0)
				r = -ECANCELED;
		}
	}
	if (r == -1)
		say_error("cannot read %s: %s", path, strerror(errno));
	if (fts)
		fts_close(fts);
	return r;
}

int import_folder(struct import *all, const char *path)
{
	return walk(all, path, false) < 0 || walk(all, path, true) < 0 ? -1 : 0;
}

/* ---- from a connection ---- */

/* One kind's list, each object's XML and whether it starts with the host. */
#define ADD_ALL(what, type, list, flags, xml, start, freer)             \
	static int add_##what(virConnectPtr conn, struct import *all)    \
	{                                                                \
		type *v = NULL;                                          \
		int n = list(conn, &v, flags);                           \
                                                                         \
		for (int i = 0; i < n; i++) {                            \
			_cleanup_free_ char *text = xml(v[i]);           \
			int on = 0;                                      \
                                                                         \
			if (text && start(v[i], &on) == 0)               \
				add(all, text, on);                      \
			else                                             \
				say_error("%s", virGetLastErrorMessage()); \
			freer(v[i]);                                     \
		}                                                        \
		free(v);                                                 \
		return n < 0 ? -1 : 0;                                   \
	}

static char *domain_xml(virDomainPtr d)
{
	return virDomainGetXMLDesc(d, VIR_DOMAIN_XML_INACTIVE |
					      VIR_DOMAIN_XML_SECURE);
}

/* A driver without the flag has only one definition. */
static char *network_xml(virNetworkPtr n)
{
	char *text = virNetworkGetXMLDesc(n, VIR_NETWORK_XML_INACTIVE);

	return text ? text : virNetworkGetXMLDesc(n, 0);
}

static char *pool_xml(virStoragePoolPtr p)
{
	char *text = virStoragePoolGetXMLDesc(p, VIR_STORAGE_XML_INACTIVE);

	return text ? text : virStoragePoolGetXMLDesc(p, 0);
}

static char *secret_xml(virSecretPtr s)
{
	return virSecretGetXMLDesc(s, 0);
}

static int never(virSecretPtr s, int *ret)
{
	*ret = 0;
	return 0;
}

ADD_ALL(domains, virDomainPtr, virConnectListAllDomains,
	VIR_CONNECT_LIST_DOMAINS_PERSISTENT, domain_xml, virDomainGetAutostart,
	virDomainFree)
ADD_ALL(networks, virNetworkPtr, virConnectListAllNetworks,
	VIR_CONNECT_LIST_NETWORKS_PERSISTENT, network_xml,
	virNetworkGetAutostart, virNetworkFree)
ADD_ALL(pools, virStoragePoolPtr, virConnectListAllStoragePools,
	VIR_CONNECT_LIST_STORAGE_POOLS_PERSISTENT, pool_xml,
	virStoragePoolGetAutostart, virStoragePoolFree)
ADD_ALL(secrets, virSecretPtr, virConnectListAllSecrets,
	VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL, secret_xml, never, virSecretFree)

/* A driver may have nothing of a kind. */
static bool is_failure(int r)
{
	virErrorPtr e = r < 0 ? virGetLastError() : NULL;

	return r < 0 && !(e && e->code == VIR_ERR_NO_SUPPORT);
}

int import_uri(struct ctl *ctl, struct import *all, const char *uri)
{
	virConnectPtr conn =
		virConnectOpenAuth(uri, virConnectAuthPtrDefault, 0);
	bool failed = !conn;

	if (!conn) {
		say_failed(ctl, "failed to connect to '%s'", uri);
		return -1;
	}
	failed = is_failure(add_secrets(conn, all)) ||
		 is_failure(add_networks(conn, all)) ||
		 is_failure(add_pools(conn, all)) ||
		 is_failure(add_domains(conn, all));
	if (failed)
		say_failed(ctl, "cannot list what is at '%s'", uri);
	virConnectClose(conn);
	return failed ? -1 : 0;
}

/* ---- both ---- */

static int by_kind_and_name(const void *pa, const void *pb)
{
	const struct import_item *a = pa, *b = pb;

	return a->kind != b->kind ? (int)a->kind - (int)b->kind :
				    strcmp(a->name, b->name);
}

void import_sort(struct import *all)
{
	if (all->n)
		qsort(all->v, all->n, sizeof(*all->v), by_kind_and_name);
}

void import_free(struct import *all)
{
	for (size_t i = 0; i < all->n; i++) {
		free(all->v[i].name);
		free(all->v[i].uuid);
		free(all->v[i].xml);
	}
	free(all->v);
	*all = (struct import){ NULL };
}
