/*
 * model/pool.c -- a storage pool read, written, copied and freed.
 */
#include "model/pool.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "model/schemas.h"
#include "model/tables_pool.h"
#include "model/xml.h"

#define WORDS(name, ...) \
	static const char *const name##_list[] = { __VA_ARGS__ }; \
	static const struct words words_##name = { name##_list, \
						   ARRAY_SIZE(name##_list) }
WORDS(fs_formats, "auto", "ext2", "ext3", "ext4", "ufs", "iso9660", "udf",
      "gfs", "gfs2", "vfat", "hfs+", "xfs", "ocfs2", "vmfs", "btrfs");
WORDS(netfs_formats, "auto", "nfs", "glusterfs", "cifs");
WORDS(logical_formats, "lvm2", "unknown");
WORDS(disk_formats, "unknown", "dos", "dvh", "gpt", "mac", "bsd", "pc98",
      "sun", "lvm2");
WORDS(file_formats, "raw", "bochs", "cloop", "dmg", "iso", "vpc", "vdi",
      "qcow", "qcow2", "qed", "vmdk", "vhdx", "luks", "ploop", "dir", "fat",
      "unknown", "none");
WORDS(part_formats, "none", "linux", "fat16", "fat32", "linux-swap",
      "linux-lvm", "linux-raid", "extended", "unknown");
WORDS(block_formats, "raw", "unknown");

static const struct {
	const struct words *sources, *volumes;
} formats[POOL_TYPES] = {
	[POOL_DIR] = { NULL, &words_file_formats },
	[POOL_FS] = { &words_fs_formats, &words_file_formats },
	[POOL_NETFS] = { &words_netfs_formats, &words_file_formats },
	[POOL_LOGICAL] = { &words_logical_formats, &words_block_formats },
	[POOL_DISK] = { &words_disk_formats, &words_part_formats },
};

static const struct words no_formats;

const struct words *pool_source_formats(enum pool_type type)
{
	return formats[type].sources ? formats[type].sources : &no_formats;
}

const struct words *pool_volume_formats(enum pool_type type)
{
	return formats[type].volumes ? formats[type].volumes :
				       &words_block_formats;
}

/* ---- permissions ---- */

unsigned int perms_mode(const struct storage_perms *p, unsigned int otherwise)
{
	uint64_t mode;

	return p->mode && parse_u64(p->mode, 8, 07777, &mode) == 0 ? mode :
								     otherwise;
}

static int id_of(const char *text)
{
	uint64_t id;

	return text && parse_u64(text, 10, INT32_MAX, &id) == 0 ? (int)id : -1;
}

int perms_owner(const struct storage_perms *p)
{
	return id_of(p->owner);
}

int perms_group(const struct storage_perms *p)
{
	return id_of(p->group);
}

static void set(char **text, const char *fmt, unsigned int value)
{
	free(*text);
	*text = fmt[1] == 'u' ? xasprintf("%u", value) :
				xasprintf("%04o", value);
}

void perms_set(struct storage_perms *p, unsigned int mode, unsigned int uid,
	       unsigned int gid)
{
	set(&p->mode, "%o", mode & 0777);
	set(&p->owner, "%u", uid);
	set(&p->group, "%u", gid);
}

static bool is_id(const char *text)
{
	return !text || str_eq(text, "-1") || id_of(text) >= 0;
}

static int check_perms(const struct storage_perms *p, struct error *err)
{
	uint64_t mode;

	if (p->mode && parse_u64(p->mode, 8, 0777, &mode) < 0)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "malformed octal mode");
	if (!is_id(p->owner))
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "malformed owner element");
	if (!is_id(p->group))
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "malformed group element");
	return 0;
}

/* ---- what is missing, and what cannot be ---- */

static bool has_target(enum pool_type type)
{
	return type < POOL_GLUSTER && type != POOL_ISCSI_DIRECT;
}

static bool has_fixed_target(enum pool_type type)
{
	return type == POOL_LOGICAL || type == POOL_ZFS || type == POOL_MPATH;
}

static int complete_name(struct pool_def *def, struct error *err)
{
	if (!def->name)
		def->name = xstrdup(def->source.name);
	if (!def->name)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "missing pool source name element");
	if (strchr(def->name, '/'))
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "name %s cannot contain '/'", def->name);
	return 0;
}

/* /dev/VG, /dev/zvol/POOL, /dev/mapper: where such volumes are. */
static char *fixed_target(const struct pool_def *def)
{
	const char *name = def->source.name ? def->source.name : def->name;

	if (def->type == POOL_MPATH)
		return xstrdup("/dev/mapper");
	return xasprintf(def->type == POOL_ZFS ? "/dev/zvol/%s" : "/dev/%s",
			 name);
}

/* No double or trailing slashes: paths are compared as text. */
static void clean_path(char *path)
{
	char *to = path;

	for (const char *p = path; *p; p++)
		if (*p != '/' || p[1] != '/')
			*to++ = *p;
	while (to > path + 1 && to[-1] == '/')
		to--;
	*to = '\0';
}

static int complete_target(struct pool_def *def, struct error *err)
{
	if (!has_target(def->type))
		return 0;
	if (has_fixed_target(def->type)) {
		free(def->path);
		def->path = fixed_target(def);
	}
	if (!def->path)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "missing storage pool target path");
	if (*def->path != '/')
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "storage pool target path '%s' is not "
				  "absolute", def->path);
	clean_path(def->path);
	return 0;
}

static int complete_format(struct pool_def *def, struct error *err)
{
	const struct words *known = pool_source_formats(def->type);
	char **format = &def->source.format;

	if (!known->n)
		return 0;
	if (*format && words_value(known, *format) < 0)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "unknown pool format type %s", *format);
	if (!*format)
		*format = xstrdup(known->word[0]);
	return 0;
}

/* What each type's <source> must say. */
static int check_source(const struct pool_def *def, struct error *err)
{
	static const struct {
		bool host, device, dir, name, adapter;
	} needs[POOL_TYPES] = {
		[POOL_FS] = { .device = true },
		[POOL_NETFS] = { .host = true, .dir = true },
		[POOL_DISK] = { .device = true },
		[POOL_ISCSI] = { .host = true, .device = true },
		[POOL_ISCSI_DIRECT] = { .host = true, .device = true },
		[POOL_SCSI] = { .adapter = true },
		[POOL_GLUSTER] = { .host = true, .name = true },
		[POOL_RBD] = { .name = true },
	};
	const struct pool_source *s = &def->source;
	const char *lacks =
		needs[def->type].host && !s->n_hosts ? "host name" :
		needs[def->type].device && !s->n_devices ? "device path" :
		needs[def->type].dir && !s->dir ? "dir path" :
		needs[def->type].name && !s->name ? "name" :
		needs[def->type].adapter && !s->adapter.name &&
				!s->adapter.wwnn && !s->adapter.extra ?
			"adapter" : NULL;

	return lacks ? error_virt(err, VIR_ERR_XML_ERROR,
				  "missing storage pool source %s", lacks) :
		       0;
}

static void complete_source(struct pool_source *s)
{
	if (s->dir)
		clean_path(s->dir);
	if (s->adapter.name && !s->adapter.type)
		s->adapter.type = xstrdup("scsi_host");
}

static int complete(struct pool_def *def, struct error *err)
{
	int r = complete_name(def, err);

	complete_source(&def->source);

	if (r == 0 && !def->source.name &&
	    (def->type == POOL_LOGICAL || def->type == POOL_ZFS))
		def->source.name = xstrdup(def->name);
	if (r == 0)
		r = check_source(def, err);
	if (r == 0)
		r = complete_format(def, err);
	if (r == 0)
		r = complete_target(def, err);
	if (r == 0)
		r = check_perms(&def->perms, err);
	if (r == 0 && !def->uuid_given) {
		uuid_generate_v4(def->uuid);
		def->uuid_given = true;
	}
	/* They are told, never asked for. */
	def->capacity = def->allocation = def->available = 0;
	return r;
}

/* ---- reading and writing ---- */

static int read_def(const char *xml, bool validate, struct pool_def *def,
		    struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	int r = xml_parse(xml, "pool", &doc, err);

	if (r == 0 && validate)
		r = schema_validate("pool", doc, err);
	if (r == 0)
		r = bind_parse(&type_pool, xmlDocGetRootElement(doc), true,
			       def, err);
	return r < 0 ? r : complete(def, err);
}

int pool_def_parse(const char *xml, bool validate, struct pool_def **ret_def,
		   struct error *err)
{
	struct pool_def *def = xcalloc(1, sizeof(*def));
	int r = read_def(xml, validate, def, err);

	if (r < 0)
		pool_def_free(def);
	else
		*ret_def = def;
	return r;
}

int pool_source_parse(const char *xml, enum pool_type type,
		      struct pool_def **ret_def, struct error *err)
{
	struct pool_def *def = xcalloc(1, sizeof(*def));
	_cleanup_xml_ xmlDoc *doc = NULL;
	int r = 0;

	def->type = type;
	if (xml) {
		r = xml_parse(xml, "source", &doc, err);
		if (r == 0)
			r = bind_parse(&type_pool_source,
				       xmlDocGetRootElement(doc), true,
				       &def->source, err);
	}
	if (r < 0)
		pool_def_free(def);
	else
		*ret_def = def;
	return r;
}

void pool_def_free(struct pool_def *def)
{
	if (!def)
		return;
	bind_finish(&type_pool, def);
	free(def);
}

struct pool_def *pool_def_copy(const struct pool_def *def)
{
	struct pool_def *copy = xmalloc(sizeof(*copy));

	bind_copy(&type_pool, def, copy);
	return copy;
}

static char *format(const struct xml_type *type, const char *name,
		    const void *obj)
{
	xmlNode *root = xml_new(name);

	bind_format(type, obj, true, root);
	return xml_finish(root);
}

char *pool_def_format(const struct pool_def *def)
{
	return format(&type_pool, "pool", def);
}

void pool_source_finish(struct pool_source *source)
{
	bind_finish(&type_pool_source, source);
}

char *pool_sources_format(const struct pool_source *sources, unsigned int n)
{
	xmlNode *root = xml_new("sources");

	for (unsigned int i = 0; i < n; i++)
		bind_format(&type_pool_source, &sources[i], true,
			    xml_add(root, "source", NULL));
	return xml_finish(root);
}

/* ---- capabilities ---- */

static void add_formats(xmlNode *parent, const char *element,
			const char *name, const struct words *words)
{
	xmlNode *options = xml_add(parent, element, NULL);
	xmlNode *list;

	xml_set(xml_add(options, "defaultFormat", NULL), "type", "%s",
		words->word[0]);
	list = xml_add(options, "enum", NULL);
	xml_set(list, "name", "%s", name);
	for (unsigned int i = 0; i < words->n; i++)
		xml_add(list, "value", words->word[i]);
}

static void add_type(xmlNode *root, enum pool_type type, bool usable)
{
	const struct words *sources = pool_source_formats(type);
	xmlNode *pool = xml_add(root, "pool", NULL);

	xml_set(pool, "type", "%s", words_name(&words_pool_type, type));
	xml_set(pool, "supported", "%s", usable ? "yes" : "no");
	if (sources->n)
		add_formats(pool, "poolOptions", "sourceFormatType",
			    sources);
	if (type != POOL_ISCSI && type != POOL_SCSI && type != POOL_MPATH)
		add_formats(pool, "volOptions", "targetFormatType",
			    pool_volume_formats(type));
}

char *pool_capabilities_format(const bool usable[POOL_TYPES])
{
	xmlNode *root = xml_new("storagepoolCapabilities");

	for (int t = 0; t < POOL_TYPES; t++)
		add_type(root, t, usable[t]);
	return xml_finish(root);
}
