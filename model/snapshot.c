/*
 * model/snapshot.c -- a snapshot's document read, checked against its domain,
 * and written.
 */
#include "model/snapshot.h"

#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "model/moment.h"
#include "model/names.h"
#include "model/schemas.h"
#include "model/xml.h"

enum { DISKS_MAX = 256 };

static const char *const where_list[] = {
	[SNAP_NO] = "no",
	[SNAP_INTERNAL] = "internal",
	[SNAP_EXTERNAL] = "external",
	[SNAP_MANUAL] = "manual",
};
static const struct words words_where = { where_list, ARRAY_SIZE(where_list) };

static const char *const states[] = {
	"running", "blocked", "paused",	       "shutdown",
	"shutoff", "crashed", "disk-snapshot",
};

/* ---- reading ---- */

/* An attribute of words_where, or what it is when it is not there. */
static int read_where(const xmlNode *node, enum snap_where absent,
		      enum snap_where *ret, struct error *err)
{
	_cleanup_free_ char *word = xml_attr(node, "snapshot");
	int value = word ? words_value(&words_where, word) : (int)absent;

	if (value < 0)
		return xml_error(err, VIR_ERR_XML_ERROR, node,
				 "unknown snapshot mode '%s'", word);
	*ret = value;
	return 0;
}

static void read_disk_source(const xmlNode *node, struct snap_disk *d)
{
	const xmlNode *source = xml_child(node, "source");
	const xmlNode *driver = xml_child(node, "driver");

	if (source)
		d->file = xml_attr(source, d->is_device ? "dev" : "file");
	if (driver)
		d->format = xml_attr(driver, "type");
}

static int check_disk(const xmlNode *node, const struct snap_disk *d,
		      struct error *err)
{
	if (!d->name)
		return xml_error(err, VIR_ERR_XML_ERROR, node,
				 "missing name from disk snapshot element");
	if (d->file && d->file[0] != '/')
		return xml_error(err, VIR_ERR_XML_ERROR, node,
				 "disk snapshot image path '%s' must be absolute",
				 d->file);
	if (d->file && d->where != SNAP_EXTERNAL)
		return xml_error(err, VIR_ERR_XML_ERROR, node,
				 "file '%s' for disk '%s' requires use of external snapshot mode",
				 d->file, d->name);
	return 0;
}

static int read_disk(const xmlNode *node, struct snap_disk *d,
		     struct error *err)
{
	_cleanup_free_ char *type = xml_attr(node, "type");
	int r = read_where(node, SNAP_DEFAULT, &d->where, err);

	if (r < 0)
		return r;
	d->name = xml_attr(node, "name");
	d->is_device = str_eq(type, "block");
	if (type && !d->is_device && !str_eq(type, "file"))
		return xml_error(err, VIR_ERR_CONFIG_UNSUPPORTED, node,
				 "only type='file' and 'block' are supported");
	read_disk_source(node, d);
	if (d->where == SNAP_DEFAULT && (d->file || d->format))
		d->where = SNAP_EXTERNAL;
	return check_disk(node, d, err);
}

static int read_disks(const xmlNode *list, struct snap_disk **ret_disks,
		      unsigned int *ret_n, struct error *err)
{
	int r = 0;

	for (const xmlNode *node = list ? xml_child(list, "disk") : NULL;
	     node && r >= 0; node = xml_next(node, "disk")) {
		if (*ret_n == DISKS_MAX)
			return xml_error(err, VIR_ERR_XML_ERROR, node,
					 "there are too many disks");
		*ret_disks = xrealloc(*ret_disks, *ret_n + 1,
				      sizeof(**ret_disks));
		(*ret_disks)[*ret_n] = (struct snap_disk){ 0 };
		r = read_disk(node, &(*ret_disks)[(*ret_n)++], err);
	}
	return r;
}

static int read_memory(const xmlNode *root, struct snapshot_def *def,
		       struct error *err)
{
	const xmlNode *node = xml_child(root, "memory");
	int r;

	if (!node)
		return 0;
	def->memory_file = xml_attr(node, "file");
	r = read_where(node, def->memory_file ? SNAP_EXTERNAL : SNAP_DEFAULT,
		       &def->memory, err);
	if (r < 0)
		return r;
	if (def->memory == SNAP_MANUAL)
		return xml_error(err, VIR_ERR_XML_ERROR, node,
				 "unknown snapshot mode 'manual'");
	if ((def->memory == SNAP_EXTERNAL) != (def->memory_file != NULL))
		return xml_error(err, VIR_ERR_XML_ERROR, node,
				 "a memory file goes with external memory snapshots, and only with them");
	if (def->memory_file && def->memory_file[0] != '/')
		return xml_error(err, VIR_ERR_XML_ERROR, node,
				 "memory snapshot file path (%s) must be absolute",
				 def->memory_file);
	return 0;
}

static int read_state(const xmlNode *root, struct snapshot_def *def,
		      struct error *err)
{
	def->state = moment_text(root, "state");
	for (size_t i = 0; def->state && i < ARRAY_SIZE(states); i++)
		if (str_eq(def->state, states[i]))
			return 0;
	return !def->state ? 0 :
			     xml_error(err, VIR_ERR_XML_ERROR, root,
				       "invalid state '%s' in domain snapshot XML",
				       def->state);
}

static int read_root(const xmlNode *root, struct snapshot_def *def,
		     struct error *err)
{
	const xmlNode *parent = xml_child(root, "parent");
	int r;

	def->name = moment_text(root, "name");
	def->description = moment_text(root, "description");
	def->parent = parent ? moment_text(parent, "name") : NULL;
	r = moment_check_name(root, "snapshot", def->name, err);
	if (r >= 0)
		r = read_state(root, def, err);
	if (r >= 0)
		r = moment_read_created(root, &def->created, err);
	if (r >= 0)
		r = read_memory(root, def, err);
	if (r >= 0)
		r = read_disks(xml_child(root, "disks"), &def->disks,
			       &def->n_disks, err);
	if (r >= 0)
		r = read_disks(xml_child(root, "revertDisks"), &def->reverted,
			       &def->n_reverted, err);
	if (r >= 0)
		r = moment_read_domain(root, "domain", &def->domain, err);
	return r < 0 ? r :
		       moment_read_domain(root, "inactiveDomain", &def->inactive,
				   err);
}

int snapshot_def_parse(const char *xml, unsigned int flags,
		       struct snapshot_def **ret_def, struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	struct snapshot_def *def;
	int r = xml_parse(xml, "domainsnapshot", &doc, err);

	if (r >= 0 && flags & SNAPSHOT_PARSE_VALIDATE)
		r = schema_validate("domainsnapshot", doc, err);
	if (r < 0)
		return r;
	def = xcalloc(1, sizeof(*def));
	r = read_root(xmlDocGetRootElement(doc), def, err);
	if (r < 0)
		snapshot_def_free(def);
	else
		*ret_def = def;
	return r;
}

static struct snap_disk *copy_disks(const struct snap_disk *from,
				    unsigned int n)
{
	struct snap_disk *disks = xcalloc(n, sizeof(*disks));

	for (unsigned int i = 0; i < n; i++) {
		disks[i] = from[i];
		disks[i].name = xstrdup(from[i].name);
		disks[i].file = xstrdup(from[i].file);
		disks[i].format = xstrdup(from[i].format);
	}
	return disks;
}

struct snapshot_def *snapshot_def_copy(const struct snapshot_def *def)
{
	struct snapshot_def *copy = xcalloc(1, sizeof(*copy));

	*copy = *def;
	copy->name = xstrdup(def->name);
	copy->description = xstrdup(def->description);
	copy->parent = xstrdup(def->parent);
	copy->state = xstrdup(def->state);
	copy->memory_file = xstrdup(def->memory_file);
	copy->disks = copy_disks(def->disks, def->n_disks);
	copy->reverted = copy_disks(def->reverted, def->n_reverted);
	copy->domain = def->domain ? domain_def_copy(def->domain) : NULL;
	copy->inactive = def->inactive ? domain_def_copy(def->inactive) : NULL;
	return copy;
}

static void free_disks(struct snap_disk *disks, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		free(disks[i].name);
		free(disks[i].file);
		free(disks[i].format);
	}
	free(disks);
}

void snapshot_def_free(struct snapshot_def *def)
{
	if (!def)
		return;
	free(def->name);
	free(def->description);
	free(def->parent);
	free(def->state);
	free(def->memory_file);
	free_disks(def->disks, def->n_disks);
	free_disks(def->reverted, def->n_reverted);
	domain_def_free(def->domain);
	domain_def_free(def->inactive);
	free(def);
}

/* ---- writing ---- */

static void add_opt(xmlNode *parent, const char *name, const char *text)
{
	if (text)
		xml_add(parent, name, text);
}

static void set_opt(xmlNode *node, const char *name, const char *text)
{
	if (text)
		xmlNewProp(node, BAD_CAST name, BAD_CAST text);
}

static void write_disk(xmlNode *list, const struct snap_disk *d)
{
	xmlNode *node = xml_add(list, "disk", NULL), *child;

	set_opt(node, "name", d->name);
	set_opt(node, "snapshot", words_name(&words_where, d->where));
	if (!d->file && !d->format)
		return;
	set_opt(node, "type", d->is_device ? "block" : "file");
	if (d->format) {
		child = xml_add(node, "driver", NULL);
		set_opt(child, "type", d->format);
	}
	if (d->file) {
		child = xml_add(node, "source", NULL);
		set_opt(child, d->is_device ? "dev" : "file", d->file);
	}
}

static void write_disks(xmlNode *root, const char *name,
			const struct snap_disk *disks, unsigned int n)
{
	xmlNode *list = n ? xml_add(root, name, NULL) : NULL;

	for (unsigned int i = 0; i < n; i++)
		write_disk(list, &disks[i]);
}

static void write_memory(xmlNode *root, const struct snapshot_def *def)
{
	xmlNode *node;

	if (def->memory == SNAP_DEFAULT)
		return;
	node = xml_add(root, "memory", NULL);
	set_opt(node, "snapshot", words_name(&words_where, def->memory));
	set_opt(node, "file", def->memory_file);
}

static void write_head(xmlNode *root, const struct snapshot_def *def)
{
	add_opt(root, "name", def->name);
	add_opt(root, "description", def->description);
	add_opt(root, "state", def->state);
	if (def->parent)
		xml_add(xml_add(root, "parent", NULL), "name", def->parent);
	moment_write_created(root, def->created);
}

char *snapshot_def_format(const struct snapshot_def *def,
			  const uint8_t uuid[UUID_LEN], unsigned int flags)
{
	xmlNode *root = xml_new("domainsnapshot");
	char text[UUID_STR_LEN];

	write_head(root, def);
	write_memory(root, def);
	write_disks(root, "disks", def->disks, def->n_disks);
	write_disks(root, "revertDisks", def->reverted, def->n_reverted);
	if (def->domain) {
		moment_write_domain(root, "domain", def->domain, flags);
	} else if (uuid) {
		uuid_format(uuid, text);
		xml_add(xml_add(root, "domain", NULL), "uuid", text);
	}
	if (def->inactive)
		moment_write_domain(root, "inactiveDomain", def->inactive, flags);
	return xml_finish(root);
}

/* ---- against a domain ---- */

static const struct snap_disk *find_request(const struct snapshot_def *def,
					    const struct dom_disk *disk)
{
	for (unsigned int i = 0; i < def->n_disks; i++)
		if (str_eq(def->disks[i].name, disk->target_dev) ||
		    (disk->source && str_eq(def->disks[i].name, disk->source)))
			return &def->disks[i];
	return NULL;
}

/* As many requests as were found, or one names no disk or a disk twice. */
static int check_requests(const struct snapshot_def *def,
			  const struct domain_def *domain, struct error *err)
{
	for (unsigned int i = 0; i < def->n_disks; i++) {
		const char *name = def->disks[i].name;
		unsigned int hits = 0, same = 0;

		for (unsigned int k = 0; k < domain->n_disks; k++)
			if (str_eq(domain->disks[k].target_dev, name) ||
			    str_eq(domain->disks[k].source, name)) {
				hits++;
				same += find_request(def, &domain->disks[k]) !=
					&def->disks[i];
			}
		if (!hits)
			return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
					  "no disk named '%s'", name);
		if (same)
			return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
					  "disk '%s' specified twice", name);
	}
	return 0;
}

char *snapshot_image_name(const char *image, const char *suffix)
{
	const char *slash = strrchr(image, '/');
	const char *dot = strrchr(image, '.');
	size_t len = dot && dot > (slash ? slash : image) ?
			     (size_t)(dot - image) :
			     strlen(image);

	return xasprintf("%.*s.%s", (int)len, image, suffix);
}

static int choose_file(const struct snapshot_def *def,
		       const struct dom_disk *disk, struct snap_disk *d,
		       struct error *err)
{
	if (d->where != SNAP_EXTERNAL)
		return 0;
	if (!disk->source)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "cannot generate external snapshot name for disk '%s' without source",
				  d->name);
	if (!d->format)
		d->format = xstrdup("qcow2");
	if (d->file)
		return 0;
	if (d->is_device || disk->type != DISK_FILE)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "source for disk '%s' is not a regular file; refusing to generate external snapshot name",
				  d->name);
	d->file = snapshot_image_name(disk->source, def->name);
	return 0;
}

/* <disk snapshot='...'> of the domain's definition, which is kept as text. */
static enum snap_where disk_default(const struct dom_disk *disk,
				    enum snap_where fallback)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	_cleanup_free_ char *word = NULL;
	struct error err = { 0 };
	int value;

	if (!disk->source || disk->readonly ||
	    disk->device == DISK_DEV_CDROM)
		return SNAP_NO;
	if (!disk->info.extra ||
	    xml_parse(disk->info.extra, NULL, &doc, &err) < 0)
		return fallback;
	word = xml_attr(xmlDocGetRootElement(doc), "snapshot");
	value = word ? words_value(&words_where, word) : -1;
	return value > SNAP_DEFAULT ? (enum snap_where)value : fallback;
}

static int align_disk(const struct snapshot_def *def,
		      const struct dom_disk *disk, enum snap_where fallback,
		      struct snap_disk *to, struct error *err)
{
	const struct snap_disk *asked = find_request(def, disk);

	*to = (struct snap_disk){ .name = xstrdup(disk->target_dev) };
	if (asked) {
		to->where = asked->where;
		to->is_device = asked->is_device;
		to->file = xstrdup(asked->file);
		to->format = xstrdup(asked->format);
	}
	if (to->where == SNAP_DEFAULT)
		to->where = disk_default(disk, fallback);
	return choose_file(def, disk, to, err);
}

static int check_collisions(const struct snap_disk *disks, unsigned int n,
			    struct error *err)
{
	for (unsigned int i = 0; i < n; i++)
		for (unsigned int k = 0; k < i; k++)
			if (disks[i].file &&
			    str_eq(disks[i].file, disks[k].file))
				return error_virt(
					err, VIR_ERR_CONFIG_UNSUPPORTED,
					"cannot generate external snapshot name for disk '%s': collision with disk '%s'",
					disks[i].name, disks[k].name);
	return 0;
}

int snapshot_align_disks(struct snapshot_def *def,
			 const struct domain_def *domain,
			 enum snap_where fallback, struct error *err)
{
	unsigned int n = domain->n_disks;
	struct snap_disk *disks;
	int r = check_requests(def, domain, err);

	if (r < 0)
		return r;
	disks = xcalloc(n, sizeof(*disks));
	for (unsigned int i = 0; i < n && r >= 0; i++)
		r = align_disk(def, &domain->disks[i], fallback, &disks[i],
			       err);
	if (r >= 0)
		r = check_collisions(disks, n, err);
	if (r < 0) {
		free_disks(disks, n);
		return r;
	}
	free_disks(def->disks, def->n_disks);
	def->disks = disks;
	def->n_disks = n;
	return 0;
}
