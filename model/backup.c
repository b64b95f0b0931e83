/*
 * model/backup.c -- a backup's document read, checked against its domain, and
 * written.
 */
#include "model/backup.h"

#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "model/moment.h"
#include "model/schemas.h"
#include "model/snapshot.h"
#include "model/xml.h"

enum { DISKS_MAX = 256, PORT_USUAL = 10809 };

/* ---- reading ---- */

static int read_server(const xmlNode *node, struct backup_def *def,
		       struct error *err)
{
	_cleanup_free_ char *transport = xml_attr(node, "transport");
	_cleanup_free_ char *port = xml_attr(node, "port");
	_cleanup_free_ char *tls = xml_attr(node, "tls");
	uint64_t n = PORT_USUAL;

	if (str_eq(tls, "yes"))
		return xml_error(err, VIR_ERR_CONFIG_UNSUPPORTED, node,
				 "backups are not served by TLS");
	if (str_eq(transport, "unix")) {
		def->socket = xml_attr(node, "socket");
		return def->socket && def->socket[0] == '/' ?
			       0 :
			       xml_error(err, VIR_ERR_XML_ERROR, node,
					 "backup socket path must be absolute");
	}
	if (transport && !str_eq(transport, "tcp"))
		return xml_error(err, VIR_ERR_CONFIG_UNSUPPORTED, node,
				 "unexpected transport '%s' for backup server",
				 transport);
	if (port && parse_u64(port, 10, UINT16_MAX, &n) < 0)
		return xml_error(err, VIR_ERR_XML_ERROR, node,
				 "failed to parse port number '%s'", port);
	def->address = xml_attr(node, "name");
	def->port = n;
	return 0;
}

static int read_image(const xmlNode *node, const char *element,
		      struct backup_disk *d, struct error *err)
{
	const xmlNode *image = xml_child(node, element);
	const xmlNode *driver = xml_child(node, "driver");

	if (image)
		d->file = xml_attr(image, d->is_device ? "dev" : "file");
	if (driver)
		d->format = xml_attr(driver, "type");
	if (d->file && d->file[0] != '/')
		return xml_error(err, VIR_ERR_XML_ERROR, node,
				 "'%s' must be an absolute path", d->file);
	if (d->format && !str_eq(d->format, "raw") &&
	    !str_eq(d->format, "qcow2"))
		return xml_error(err, VIR_ERR_CONFIG_UNSUPPORTED, node,
				 "backup format '%s' is not supported",
				 d->format);
	return 0;
}

/* The schema has nothing else. */
static void read_mode(const xmlNode *node, struct backup_disk *d)
{
	_cleanup_free_ char *mode = xml_attr(node, "backupmode");

	d->mode = str_eq(mode, "full")	      ? BACKUP_FULL :
		  str_eq(mode, "incremental") ? BACKUP_INCREMENTAL :
						BACKUP_AS_ALL;
	d->incremental = xml_attr(node, "incremental");
	d->export_bitmap = xml_attr(node, "exportbitmap");
}

static int read_disk(const xmlNode *node, bool pull, struct backup_disk *d,
		     struct error *err)
{
	_cleanup_free_ char *type = xml_attr(node, "type");
	_cleanup_free_ char *backup = xml_attr(node, "backup");

	d->name = xml_attr(node, "name");
	if (!d->name)
		return xml_error(err, VIR_ERR_XML_ERROR, node,
				 "missing name from disk backup element");
	d->skip = str_eq(backup, "no");
	d->is_device = str_eq(type, "block");
	d->export = xml_attr(node, "exportname");
	if (type && !d->is_device && !str_eq(type, "file"))
		return xml_error(err, VIR_ERR_CONFIG_UNSUPPORTED, node,
				 "only type='file' and 'block' are supported");
	read_mode(node, d);
	return read_image(node, pull ? "scratch" : "target", d, err);
}

static int read_disks(const xmlNode *list, struct backup_def *def,
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
		def->disks[def->n_disks] = (struct backup_disk){ 0 };
		r = read_disk(node, def->pull, &def->disks[def->n_disks++],
			      err);
	}
	return r;
}

static int read_root(const xmlNode *root, struct backup_def *def,
		     struct error *err)
{
	_cleanup_free_ char *mode = xml_attr(root, "mode");
	const xmlNode *server = xml_child(root, "server");
	int r = 0;

	def->pull = str_eq(mode, "pull");
	def->incremental = moment_text(root, "incremental");
	if (def->pull && !server)
		return xml_error(err, VIR_ERR_CONFIG_UNSUPPORTED, root,
				 "pull backups need a server");
	if (def->pull)
		r = read_server(server, def, err);
	return r < 0 ? r : read_disks(xml_child(root, "disks"), def, err);
}

int backup_def_parse(const char *xml, struct backup_def **ret_def,
		     struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	struct backup_def *def;
	int r = xml_parse(xml, "domainbackup", &doc, err);

	if (r >= 0)
		r = schema_validate("domainbackup", doc, err);
	if (r < 0)
		return r;
	def = xcalloc(1, sizeof(*def));
	r = read_root(xmlDocGetRootElement(doc), def, err);
	if (r < 0)
		backup_def_free(def);
	else
		*ret_def = def;
	return r;
}

static void finish_disk(struct backup_disk *d)
{
	free(d->name);
	free(d->file);
	free(d->format);
	free(d->export);
	free(d->incremental);
	free(d->export_bitmap);
}

void backup_def_free(struct backup_def *def)
{
	if (!def)
		return;
	for (unsigned int i = 0; i < def->n_disks; i++)
		finish_disk(&def->disks[i]);
	free(def->disks);
	free(def->incremental);
	free(def->socket);
	free(def->address);
	free(def);
}

/* ---- writing ---- */

static void set_opt(xmlNode *node, const char *name, const char *text)
{
	if (text)
		xmlNewProp(node, BAD_CAST name, BAD_CAST text);
}

static void write_server(xmlNode *root, const struct backup_def *def)
{
	xmlNode *node = xml_add(root, "server", NULL);

	set_opt(node, "transport", def->socket ? "unix" : "tcp");
	set_opt(node, "socket", def->socket);
	if (def->socket)
		return;
	set_opt(node, "name", def->address);
	xml_set(node, "port", "%u", def->port);
}

static void write_disk(xmlNode *list, const struct backup_def *def,
		       const struct backup_disk *d)
{
	xmlNode *node = xml_add(list, "disk", NULL);

	set_opt(node, "name", d->name);
	set_opt(node, "backup", d->skip ? "no" : "yes");
	if (d->skip)
		return;
	set_opt(node, "type", d->is_device ? "block" : "file");
	set_opt(node, "backupmode", d->incremental ? "incremental" : "full");
	set_opt(node, "incremental", d->incremental);
	set_opt(node, "exportname", d->export);
	set_opt(node, "exportbitmap", d->export_bitmap);
	set_opt(xml_add(node, "driver", NULL), "type", d->format);
	set_opt(xml_add(node, def->pull ? "scratch" : "target", NULL),
		d->is_device ? "dev" : "file", d->file);
}

char *backup_def_format(const struct backup_def *def)
{
	xmlNode *root = xml_new("domainbackup"), *list;

	set_opt(root, "mode", def->pull ? "pull" : "push");
	if (def->incremental)
		xml_add(root, "incremental", def->incremental);
	if (def->pull)
		write_server(root, def);
	list = xml_add(root, "disks", NULL);
	for (unsigned int i = 0; i < def->n_disks; i++)
		write_disk(list, def, &def->disks[i]);
	return xml_finish(root);
}

/* ---- against the domain ---- */

static struct backup_disk *entry_of(struct backup_def *def, const char *name)
{
	for (unsigned int i = 0; i < def->n_disks; i++)
		if (str_eq(def->disks[i].name, name))
			return &def->disks[i];
	return NULL;
}

static bool can(const struct dom_disk *disk)
{
	return disk->source && !disk->readonly &&
	       disk->device == DISK_DEV_DISK && disk->type <= DISK_BLOCK;
}

static int check_names(const struct backup_def *def,
		       const struct domain_def *domain, struct error *err)
{
	for (unsigned int i = 0; i < def->n_disks; i++) {
		const struct dom_disk *disk = NULL;

		for (unsigned int k = 0; k < domain->n_disks; k++)
			if (str_eq(domain->disks[k].target_dev,
				   def->disks[i].name))
				disk = &domain->disks[k];
		if (!disk)
			return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
					  "no disk named '%s'",
					  def->disks[i].name);
		if (!def->disks[i].skip && !can(disk))
			return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
					  "disk '%s' is no file or block device that the guest writes",
					  disk->target_dev);
		for (unsigned int k = 0; k < i; k++)
			if (str_eq(def->disks[k].name, def->disks[i].name))
				return error_virt(err,
						  VIR_ERR_CONFIG_UNSUPPORTED,
						  "disk '%s' specified twice",
						  disk->target_dev);
	}
	return 0;
}

/* From here on incremental says it all. */
static int choose_mode(struct backup_disk *d, const struct backup_def *def,
		       const struct dom_disk *disk, struct error *err)
{
	if (d->mode == BACKUP_FULL)
		free(steal_ptr(&d->incremental));
	else if (!d->incremental)
		d->incremental = xstrdup(def->incremental);
	if (d->mode == BACKUP_INCREMENTAL && !d->incremental)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "disk backup mode 'incremental' requires setting 'incremental' field for disk '%s' or the backup",
				  disk->target_dev);
	if (!def->pull || !d->incremental)
		free(steal_ptr(&d->export_bitmap));
	else if (!d->export_bitmap)
		d->export_bitmap = xasprintf("backup-%s", disk->target_dev);
	return 0;
}

static int complete(struct backup_disk *d, const struct dom_disk *disk,
		    bool pull, const char *suffix, struct error *err)
{
	if (!d->name)
		d->name = xstrdup(disk->target_dev);
	if (!d->format)
		d->format = xstrdup(d->is_device && !pull ? "raw" : "qcow2");
	if (pull && !d->export)
		d->export = xstrdup(disk->target_dev);
	if (!d->file && !d->is_device && disk->type == DISK_FILE)
		d->file = snapshot_image_name(disk->source, suffix);
	return d->file ? 0 :
			 error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				    "where disk '%s' goes has to be said",
				    disk->target_dev);
}

static struct backup_disk take(struct backup_disk *from)
{
	struct backup_disk d = { 0 };

	if (from) {
		d = *from;
		*from = (struct backup_disk){ 0 };
	}
	return d;
}

int backup_align(struct backup_def *def, const struct domain_def *domain,
		 const char *suffix, struct error *err)
{
	struct backup_disk *list;
	bool all = !def->n_disks;
	unsigned int n = 0;
	int r = check_names(def, domain, err);

	if (r < 0)
		return r;
	list = xcalloc(domain->n_disks, sizeof(*list));
	for (unsigned int i = 0; i < domain->n_disks && r >= 0; i++) {
		const struct dom_disk *disk = &domain->disks[i];
		struct backup_disk *d = entry_of(def, disk->target_dev);

		if (d ? d->skip : !all || !can(disk))
			continue;
		list[n] = take(d);
		r = choose_mode(&list[n], def, disk, err);
		if (r >= 0)
			r = complete(&list[n], disk, def->pull, suffix, err);
		n++;
	}
	for (unsigned int i = 0; i < def->n_disks; i++)
		finish_disk(&def->disks[i]);
	free(def->disks);
	def->disks = list;
	def->n_disks = n;
	if (r >= 0 && !n)
		r = error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
			       "there is no disk to be saved");
	return r;
}
