/*
 * dbus/path.c -- object paths: TREE/KIND/ID, where an id is a UUID with '_' in
 * front and for each '-', or a name with everything but letters and digits as
 * '_' and two hexadecimal digits.  A snapshot's is its domain's id, '_' and its
 * name so written.
 */
#include <ctype.h>
#include <string.h>

#include "dbus/service.h"

enum { UUID_ID_LEN = VIR_UUID_STRING_BUFLEN }; /* one more '_', no NUL */

static void encode_name(const char *name, struct buf *ret)
{
	for (; *name; name++)
		if (isalnum((unsigned char)*name) && !(*name & 0x80))
			buf_add(ret, name, 1);
		else
			buf_printf(ret, "_%02x", (unsigned char)*name);
}

/* False for what encode_name() never wrote. */
static bool decode_name(const char *id, struct buf *ret)
{
	for (; *id; id++) {
		char hex[3] = { id[0] == '_' ? id[1] : 0 }, c = *id;
		uint64_t byte;

		if (*id == '_') {
			hex[1] = hex[0] ? id[2] : 0;
			if (!hex[1] || parse_u64(hex, 16, 255, &byte) || !byte)
				return false;
			c = byte;
			id += 2;
		}
		buf_add(ret, &c, 1);
	}
	return ret->len;
}

static void encode_uuid(const char *uuid, struct buf *ret)
{
	buf_puts(ret, "_");
	for (; *uuid; uuid++)
		buf_puts(ret, *uuid == '-' ? "_" : (char[]){ *uuid, 0 });
}

static bool decode_uuid_prefix(const char *id, struct buf *ret)
{
	if (strnlen(id, UUID_ID_LEN) < UUID_ID_LEN || *id != '_')
		return false;
	for (int i = 1; i < UUID_ID_LEN; i++) {
		bool dash = i == 9 || i == 14 || i == 19 || i == 24;

		if (dash ? id[i] != '_' : !isxdigit((unsigned char)id[i]))
			return false;
		buf_add(ret, dash ? "-" : &id[i], 1);
	}
	return true;
}

static bool decode_uuid(const char *id, struct buf *ret)
{
	return decode_uuid_prefix(id, ret) && !id[UUID_ID_LEN];
}

#define UUID_KIND(name_, type) \
	static void *name_##_lookup(virConnectPtr conn, const char *uuid) \
	{ \
		return vir##type##LookupByUUIDString(conn, uuid); \
	} \
	static bool name_##_id(void *object, struct buf *ret) \
	{ \
		char uuid[VIR_UUID_STRING_BUFLEN]; \
		if (vir##type##GetUUIDString(object, uuid) < 0) \
			return false; \
		encode_uuid(uuid, ret); \
		return true; \
	}
#define NAME_KIND(name_, type, by, getter) \
	static void *name_##_lookup(virConnectPtr conn, const char *name) \
	{ \
		return vir##type##LookupBy##by(conn, name); \
	} \
	static bool name_##_id(void *object, struct buf *ret) \
	{ \
		const char *name = vir##type##Get##getter(object); \
		if (name) \
			encode_name(name, ret); \
		return name; \
	}
#define LIST_KIND(name_, function) \
	static int name_##_list(virConnectPtr conn, void *ret, \
				unsigned int flags) \
	{ \
		return function(conn, ret, flags); \
	}
#define FREE_KIND(name_, type) \
	static int name_##_free(void *object) \
	{ \
		return vir##type##Free(object); \
	}

UUID_KIND(domain, Domain)
UUID_KIND(network, Network)
UUID_KIND(nwfilter, NWFilter)
UUID_KIND(secret, Secret)
UUID_KIND(pool, StoragePool)
NAME_KIND(interface, Interface, MACString, MACString)
NAME_KIND(nodedev, NodeDevice, Name, Name)
NAME_KIND(vol, StorageVol, Key, Key)
LIST_KIND(domain, virConnectListAllDomains)
LIST_KIND(network, virConnectListAllNetworks)
LIST_KIND(nwfilter, virConnectListAllNWFilters)
LIST_KIND(secret, virConnectListAllSecrets)
LIST_KIND(pool, virConnectListAllStoragePools)
LIST_KIND(interface, virConnectListAllInterfaces)
LIST_KIND(nodedev, virConnectListAllNodeDevices)
FREE_KIND(domain, Domain)
FREE_KIND(snapshot, DomainSnapshot)
FREE_KIND(network, Network)
FREE_KIND(nwfilter, NWFilter)
FREE_KIND(secret, Secret)
FREE_KIND(pool, StoragePool)
FREE_KIND(interface, Interface)
FREE_KIND(nodedev, NodeDevice)
FREE_KIND(vol, StorageVol)

/* A UUID and a name as one string: the UUID has a fixed length. */
static bool decode_snapshot(const char *id, struct buf *ret)
{
	return decode_uuid_prefix(id, ret) && id[UUID_ID_LEN] == '_' &&
	       decode_name(id + UUID_ID_LEN + 1, ret) &&
	       ret->len >= VIR_UUID_STRING_BUFLEN;
}

static void *snapshot_lookup(virConnectPtr conn, const char *id)
{
	char uuid[VIR_UUID_STRING_BUFLEN];
	virDomainSnapshotPtr snapshot;
	virDomainPtr domain;

	snprintf(uuid, sizeof(uuid), "%s", id);
	domain = virDomainLookupByUUIDString(conn, uuid);
	if (!domain)
		return NULL;
	snapshot = virDomainSnapshotLookupByName(domain,
						 id + sizeof(uuid) - 1, 0);
	virDomainFree(domain);
	return snapshot;
}

static bool snapshot_id(void *object, struct buf *ret)
{
	const char *name = virDomainSnapshotGetName(object);

	if (!name || !domain_id(virDomainSnapshotGetDomain(object), ret))
		return false;
	buf_puts(ret, "_");
	encode_name(name, ret);
	return true;
}

/* Objects that a connection does not list are listed by their parents. */
#define KIND(name_, decode_, list_) \
	{ .node = #name_, .iface = &iface_##name_, \
	  .lookup = name_##_lookup, .id = name_##_id, .decode = decode_, \
	  .list = list_, .free = name_##_free }

static const struct kind_ops kinds[KINDS] = {
	[KIND_CONNECT] = { .iface = &iface_connect },
	[KIND_DOMAIN] = KIND(domain, decode_uuid, domain_list),
	[KIND_SNAPSHOT] = { .node = "domainsnapshot", .iface = &iface_snapshot,
			    .lookup = snapshot_lookup, .id = snapshot_id,
			    .decode = decode_snapshot, .free = snapshot_free },
	[KIND_INTERFACE] = KIND(interface, decode_name, interface_list),
	[KIND_NETWORK] = KIND(network, decode_uuid, network_list),
	[KIND_NODEDEV] = KIND(nodedev, decode_name, nodedev_list),
	[KIND_NWFILTER] = KIND(nwfilter, decode_uuid, nwfilter_list),
	[KIND_SECRET] = KIND(secret, decode_uuid, secret_list),
	[KIND_POOL] = { .node = "storagepool", .iface = &iface_pool,
			.lookup = pool_lookup, .id = pool_id,
			.decode = decode_uuid, .list = pool_list,
			.free = pool_free },
	[KIND_VOL] = { .node = "storagevol", .iface = &iface_vol,
		       .lookup = vol_lookup, .id = vol_id,
		       .decode = decode_name, .free = vol_free },
};

const struct kind_ops *kind_ops(enum kind kind)
{
	return &kinds[kind];
}

char *path_of(const struct tree *tree, enum kind kind, void *object)
{
	struct buf path = { 0 };

	buf_printf(&path, "%s/%s/", tree->path, kinds[kind].node);
	if (kinds[kind].id(object, &path))
		return buf_steal(&path);
	buf_free(&path);
	return NULL;
}

void objects_free(enum kind kind, void **objects)
{
	for (void **o = objects; o && *o; o++)
		kinds[kind].free(*o);
	free(objects);
}

/* What of path is below parent, or NULL; "" when it is parent. */
static const char *below(const char *path, const char *parent)
{
	size_t len = strlen(parent);

	if (strncmp(path, parent, len) != 0)
		return NULL;
	if (!path[len])
		return path + len;
	return path[len] == '/' ? path + len + 1 : NULL;
}

static struct where find_in(struct tree *tree, const char *rest)
{
	struct where w = { .tree = tree, .place = PLACE_TREE };

	if (!*rest)
		return w;
	for (w.kind = KIND_DOMAIN; w.kind < KINDS; w.kind++) {
		w.id = below(rest, kinds[w.kind].node);
		if (!w.id)
			continue;
		w.place = *w.id ? PLACE_OBJECT : PLACE_KIND;
		return w;
	}
	return (struct where){ 0 };
}

struct where path_find(const struct trees *trees, const char *path)
{
	struct where above = { 0 };

	for (unsigned int i = 0; i < trees->n; i++) {
		struct tree *tree = &trees->tree[i];
		const char *rest = below(path, tree->path);

		if (rest)
			return find_in(tree, rest);
		if (str_eq(path, "/") || below(tree->path, path))
			above.place = PLACE_ABOVE;
	}
	return above;
}
