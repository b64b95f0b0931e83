/*
 * model/tables_pool.c -- where each member of pool.h is in the XML.
 */
#include "model/tables_pool.h"

#define WORDS(name, ...) \
	static const char *const name##_list[] = { __VA_ARGS__ }; \
	const struct words words_##name = { name##_list, \
					    ARRAY_SIZE(name##_list) }
WORDS(pool_type, [POOL_DIR] = "dir", [POOL_FS] = "fs",
      [POOL_NETFS] = "netfs", [POOL_LOGICAL] = "logical",
      [POOL_DISK] = "disk", [POOL_ISCSI] = "iscsi",
      [POOL_ISCSI_DIRECT] = "iscsi-direct", [POOL_SCSI] = "scsi",
      [POOL_MPATH] = "mpath", [POOL_ZFS] = "zfs",
      [POOL_GLUSTER] = "gluster", [POOL_RBD] = "rbd",
      [POOL_VSTORAGE] = "vstorage");
#undef WORDS
#define WORDS(name, ...) \
	static const char *const name##_list[] = { __VA_ARGS__ }; \
	static const struct words words_##name = { name##_list, \
						   ARRAY_SIZE(name##_list) }
WORDS(vol_type, [VOL_FILE] = "file", [VOL_BLOCK] = "block",
      [VOL_DIR] = "dir", [VOL_NETWORK] = "network",
      [VOL_NETDIR] = "netdir", [VOL_PLOOP] = "ploop");

/* ---- what both have ---- */

#define P(m) offsetof(struct storage_perms, m)
static const struct field perms_fields[] = {
	{ "mode", FIELD_STR, P(mode) },
	{ "owner", FIELD_STR, P(owner) },
	{ "group", FIELD_STR, P(group) },
	{ "label", FIELD_STR, P(label) },
	{ 0 },
};
#undef P
static const struct xml_type type_perms = { .fields = perms_fields };

/* ---- pools ---- */

static const struct field host_fields[] = {
	{ "@name", FIELD_STR, offsetof(struct pool_server, name),
	  .flags = FIELD_REQUIRED, .missing = "missing storage pool host name" },
	{ "@port", FIELD_UINT, offsetof(struct pool_server, port),
	  .max = 65535 },
	{ 0 },
};
static const struct xml_type type_host = {
	.size = sizeof(struct pool_server),
	.fields = host_fields,
};
static const struct field device_fields[] = {
	{ "@path", FIELD_STR, offsetof(struct pool_device, path),
	  .flags = FIELD_REQUIRED,
	  .missing = "missing storage pool source device path" },
	{ "@part_separator", FIELD_STR,
	  offsetof(struct pool_device, part_separator), &words_yesno },
	{ 0 },
};
static const struct xml_type type_device = {
	.size = sizeof(struct pool_device),
	.fields = device_fields,
};

#define A(m) offsetof(struct pool_adapter, m)
static const struct field adapter_fields[] = {
	{ "@type", FIELD_STR, A(type) },
	{ "@name", FIELD_STR, A(name) },
	{ "@parent", FIELD_STR, A(parent) },
	{ "@wwnn", FIELD_STR, A(wwnn) },
	{ "@wwpn", FIELD_STR, A(wwpn) },
	{ 0 },
};
#undef A
static const struct xml_type type_adapter = {
	XML_TYPE_EXTRA(struct pool_adapter, extra),
	.fields = adapter_fields,
};

#define S(m) offsetof(struct pool_source, m)
static const struct field source_fields[] = {
	{ "host", FIELD_LIST, S(hosts), .type = &type_host,
	  .n_off = S(n_hosts) },
	{ "device", FIELD_LIST, S(devices), .type = &type_device,
	  .n_off = S(n_devices) },
	{ "dir@path", FIELD_STR, S(dir) },
	{ "adapter", FIELD_STRUCT, S(adapter), .type = &type_adapter },
	{ "name", FIELD_STR, S(name) },
	{ "initiator/iqn@name", FIELD_STR, S(initiator) },
	{ "auth@type", FIELD_STR, S(auth.type) },
	{ "auth@username", FIELD_STR, S(auth.username) },
	{ "auth/secret@uuid", FIELD_STR, S(auth.secret_uuid) },
	{ "auth/secret@usage", FIELD_STR, S(auth.secret_usage) },
	{ "format@type", FIELD_STR, S(format) },
	{ "protocol@ver", FIELD_STR, S(protocol_ver) },
	{ "vendor@name", FIELD_STR, S(vendor) },
	{ "product@name", FIELD_STR, S(product) },
	{ 0 },
};
#undef S
const struct xml_type type_pool_source = {
	XML_TYPE_EXTRA(struct pool_source, extra),
	.fields = source_fields,
	.order = " host device dir adapter name initiator auth format "
		 "protocol vendor product * ",
};

#define D(m) offsetof(struct pool_def, m)
static const struct field pool_target_fields[] = {
	{ "path", FIELD_STR, D(path) },
	{ "permissions", FIELD_STRUCT, D(perms), .type = &type_perms },
	{ 0 },
};
static const struct xml_type type_pool_target = {
	.extra_off = D(target_extra),
	.fields = pool_target_fields,
};
static const struct field pool_fields[] = {
	{ "@type", FIELD_ENUM, D(type), &words_pool_type,
	  .flags = FIELD_REQUIRED,
	  .missing = "missing type attribute of the storage pool" },
	{ "name", FIELD_STR, D(name) },
	{ "uuid", FIELD_UUID, D(uuid), .n_off = D(uuid_given) },
	{ "capacity", FIELD_BYTES, D(capacity), .flags = FIELD_EMPTY },
	{ "allocation", FIELD_BYTES, D(allocation), .flags = FIELD_EMPTY },
	{ "available", FIELD_BYTES, D(available), .flags = FIELD_EMPTY },
	{ "features/cow@state", FIELD_STR, D(cow), &words_yesno },
	{ "source", FIELD_STRUCT, D(source), .type = &type_pool_source },
	{ "target", FIELD_STRUCT, 0, .type = &type_pool_target },
	{ 0 },
};
#undef D
const struct xml_type type_pool = {
	XML_TYPE_EXTRA(struct pool_def, extra),
	.fields = pool_fields,
	.order = " name uuid capacity allocation available features source "
		 "target * ",
};

/* ---- volumes ---- */

#define T(m) offsetof(struct vol_target, m)
static const struct field vol_target_fields[] = {
	{ "path", FIELD_STR, T(path) },
	{ "format@type", FIELD_STR, T(format) },
	{ "permissions", FIELD_STRUCT, T(perms), .type = &type_perms },
	{ "timestamps/atime", FIELD_STR, T(atime) },
	{ "timestamps/mtime", FIELD_STR, T(mtime) },
	{ "timestamps/ctime", FIELD_STR, T(ctime) },
	{ "timestamps/btime", FIELD_STR, T(btime) },
	{ "compat", FIELD_STR, T(compat) },
	{ "nocow", FIELD_FLAG, T(nocow) },
	{ "clusterSize", FIELD_BYTES, T(cluster_size) },
	{ "features/lazy_refcounts", FIELD_FLAG, T(lazy_refcounts) },
	{ "features/extended_l2", FIELD_FLAG, T(extended_l2) },
	{ 0 },
};
#undef T
static const struct xml_type type_vol_target = {
	XML_TYPE_EXTRA(struct vol_target, extra),
	.fields = vol_target_fields,
	.order = " path format permissions timestamps encryption compat nocow "
		 "clusterSize features * ",
};

#define X(m) offsetof(struct vol_extent, m)
static const struct field extent_fields[] = {
	{ "@start", FIELD_LONG, X(start) },
	{ "@end", FIELD_LONG, X(end) },
	{ 0 },
};
static const struct xml_type type_extent = { .fields = extent_fields };
static const struct field source_device_fields[] = {
	{ "@path", FIELD_STR, X(device) },
	{ "extent", FIELD_STRUCT, 0, .type = &type_extent },
	{ 0 },
};
#undef X
static const struct xml_type type_source_device = {
	.size = sizeof(struct vol_extent),
	.fields = source_device_fields,
};

#define V(m) offsetof(struct vol_def, m)
static const struct field vol_source_fields[] = {
	{ "device", FIELD_LIST, V(extents), .type = &type_source_device,
	  .n_off = V(n_extents) },
	{ 0 },
};
static const struct xml_type type_vol_source = {
	.fields = vol_source_fields,
};
static const struct field vol_fields[] = {
	{ "@type", FIELD_ENUM, V(type), &words_vol_type },
	{ "name", FIELD_STR, V(name), .flags = FIELD_REQUIRED,
	  .missing = "missing volume name element" },
	{ "key", FIELD_STR, V(key) },
	{ "source", FIELD_STRUCT, 0, .type = &type_vol_source },
	{ "capacity", FIELD_BYTES, V(capacity), .flags = FIELD_EMPTY },
	{ "allocation", FIELD_BYTES, V(allocation), .flags = FIELD_EMPTY },
	{ "physical", FIELD_BYTES, V(physical) },
	{ "target", FIELD_STRUCT, V(target), .type = &type_vol_target },
	{ "backingStore", FIELD_STRUCT, V(backing), .type = &type_vol_target,
	  .n_off = V(has_backing) },
	{ 0 },
};
#undef V
const struct xml_type type_vol = {
	XML_TYPE_EXTRA(struct vol_def, extra),
	.fields = vol_fields,
	.order = " name key source capacity allocation physical target "
		 "backingStore * ",
};
