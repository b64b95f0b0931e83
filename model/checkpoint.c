/*
 * model/checkpoint.c -- a checkpoint's document read, checked against its
 * domain, and written.
 */
#include "model/checkpoint.h"

#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "model/moment.h"
#include "model/schemas.h"

enum { DISKS_MAX = 256 };

/* ---- reading ---- */

static int read_disk(const xmlNode *node, struct checkpoint_disk *d,
		     struct error *err)
{
	_cleanup_free_ char *word = xml_attr(node, "checkpoint");

	d->name = xml_attr(node, "name");
	d->bitmap = xml_attr(node, "bitmap");
	d->marked = !str_eq(word, "no");
	if (!d->name)
		return xml_error(err, VIR_ERR_XML_ERROR, node,
				 "missing name from disk checkpoint element");
	if (word && d->marked && !str_eq(word, "bitmap"))
		return xml_error(err, VIR_ERR_CONFIG_UNSUPPORTED, node,
				 "unknown disk checkpoint setting '%s'", word);
	if (d->bitmap && !d->marked)
		return xml_error(err, VIR_ERR_XML_ERROR, node,
				 "disk checkpoint bitmap '%s' requires type='bitmap'",
				 d->bitmap);
	return 0;
}

static int read_disks(const xmlNode *list, struct checkpoint_def *def,
		      struct error *err)
{
	int r = 0;

	for (const xmlNode *node = list ? xml_child(list, "disk") : NULL;
	     node && r >= 0; node = xml_next(node, "disk")) {
		if (def->n_disks == DISKS_MAX)
			return xml_error(err, VIR_ERR_XML_ERROR, node,
					 "there are too many disks");
		def->disks = xrealloc(def->disks, def->n_disks + 1,
				      sizeof(*def->disks));
		def->disks[def->n_disks] = (struct checkpoint_disk){ 0 };
		r = read_disk(node, &def->disks[def->n_disks++], err);
	}
	return r;
}

static int read_root(const xmlNode *root, struct checkpoint_def *def,
		     struct error *err)
{
	const xmlNode *parent = xml_child(root, "parent");
	int r;

	def->name = moment_text(root, "name");
	def->description = moment_text(root, "description");
	def->parent = parent ? moment_text(parent, "name") : NULL;
	r = moment_check_name(root, "checkpoint", def->name, err);
	if (r >= 0)
		r = moment_read_created(root, &def->created, err);
	if (r >= 0)
		r = read_disks(xml_child(root, "disks"), def, err);
	return r < 0 ? r :
		       moment_read_domain(root, "domain", &def->domain, err);
}

int checkpoint_def_parse(const char *xml, unsigned int flags,
			 struct checkpoint_def **ret_def, struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	struct checkpoint_def *def;
	int r = xml_parse(xml, "domaincheckpoint", &doc, err);

	if (r >= 0 && flags & CHECKPOINT_PARSE_VALIDATE)
		r = schema_validate("domaincheckpoint", doc, err);
	if (r < 0)
		return r;
	def = xcalloc(1, sizeof(*def));
	r = read_root(xmlDocGetRootElement(doc), def, err);
	if (r < 0)
		checkpoint_def_free(def);
	else
		*ret_def = def;
	return r;
}

static void free_disks(struct checkpoint_disk *disks, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		free(disks[i].name);
		free(disks[i].bitmap);
	}
	free(disks);
}

void checkpoint_def_free(struct checkpoint_def *def)
{
	if (!def)
		return;
	free(def->name);
	free(def->description);
	free(def->parent);
	free_disks(def->disks, def->n_disks);
	domain_def_free(def->domain);
	free(def);
}

/* ---- writing ---- */

static void write_disk(xmlNode *list, const struct checkpoint_disk *d,
		       const uint64_t *size)
{
	xmlNode *node = xml_add(list, "disk", NULL);

	xml_set(node, "name", "%s", d->name);
	xml_set(node, "checkpoint", "%s", d->marked ? "bitmap" : "no");
	if (d->bitmap)
		xml_set(node, "bitmap", "%s", d->bitmap);
	if (d->marked && size)
		xml_set(node, "size", "%llu", (unsigned long long)*size);
}

char *checkpoint_def_format(const struct checkpoint_def *def,
			    const struct checkpoint_shown *how)
{
	xmlNode *root = xml_new("domaincheckpoint"), *list;

	if (def->name)
		xml_add(root, "name", def->name);
	if (def->description)
		xml_add(root, "description", def->description);
	if (how->parent)
		xml_add(xml_add(root, "parent", NULL), "name", how->parent);
	moment_write_created(root, def->created);
	list = def->n_disks ? xml_add(root, "disks", NULL) : NULL;
	for (unsigned int i = 0; i < def->n_disks; i++)
		write_disk(list, &def->disks[i],
			   how->sizes ? &how->sizes[i] : NULL);
	if (def->domain && !(how->flags & CHECKPOINT_FORMAT_NO_DOMAIN))
		moment_write_domain(root, "domain", def->domain,
				    how->flags & CHECKPOINT_FORMAT_SECURE ?
					    DOMAIN_FORMAT_SECURE :
					    0);
	return xml_finish(root);
}

/* ---- against a domain ---- */

struct checkpoint_disk *checkpoint_disk(const struct checkpoint_def *def,
					const char *name)
{
	for (unsigned int i = 0; i < def->n_disks; i++)
		if (str_eq(def->disks[i].name, name))
			return &def->disks[i];
	return NULL;
}

/* The guest writes it. */
static bool changes(const struct dom_disk *disk)
{
	return disk->source && !disk->readonly &&
	       disk->device == DISK_DEV_DISK;
}

static const struct dom_disk *find(const struct domain_def *domain,
				   const char *name)
{
	for (unsigned int i = 0; i < domain->n_disks; i++)
		if (str_eq(domain->disks[i].target_dev, name))
			return &domain->disks[i];
	return NULL;
}

static int check_asked(const struct checkpoint_def *def,
		       const struct checkpoint_disk *d,
		       const struct domain_def *domain, struct error *err)
{
	const struct dom_disk *disk = find(domain, d->name);

	if (!disk)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "no disk named '%s'", d->name);
	if (checkpoint_disk(def, d->name) != d)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "disk '%s' specified twice", d->name);
	if (d->marked && !changes(disk))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "disk '%s' is empty or readonly", d->name);
	if (d->marked && !str_eq(disk->driver_type, "qcow2"))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "checkpoint for disk %s unsupported for storage type %s",
				  d->name,
				  disk->driver_type ? disk->driver_type :
						      "raw");
	if (d->bitmap && !str_eq(d->bitmap, def->name))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "bitmap for disk '%s' must match checkpoint name '%s'",
				  d->name, def->name);
	return 0;
}

static struct checkpoint_disk align_disk(const struct checkpoint_def *def,
					 const struct dom_disk *disk)
{
	const struct checkpoint_disk *asked =
		checkpoint_disk(def, disk->target_dev);
	struct checkpoint_disk d = { .name = xstrdup(disk->target_dev) };

	d.marked = asked ? asked->marked : !def->n_disks && changes(disk);
	d.bitmap = d.marked ? xstrdup(def->name) : NULL;
	return d;
}

int checkpoint_align_disks(struct checkpoint_def *def,
			   const struct domain_def *domain, struct error *err)
{
	struct checkpoint_def all = { .name = def->name };
	int r = 0;

	if (!domain->n_disks)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "domain must have at least one disk to perform checkpoints");
	for (unsigned int i = 0; i < def->n_disks && r >= 0; i++)
		r = check_asked(def, &def->disks[i], domain, err);
	if (r < 0)
		return r;
	all.n_disks = domain->n_disks;
	all.disks = xcalloc(all.n_disks, sizeof(*all.disks));
	for (unsigned int i = 0; i < all.n_disks; i++)
		all.disks[i] = align_disk(def, &domain->disks[i]);
	free_disks(def->disks, def->n_disks);
	def->disks = all.disks;
	def->n_disks = all.n_disks;
	for (unsigned int i = 0; i < def->n_disks && r >= 0; i++)
		r = check_asked(def, &def->disks[i], domain, err);
	return r;
}
