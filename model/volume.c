/*
 * model/volume.c -- a storage volume read, written, copied and freed.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "model/pool.h"
#include "model/schemas.h"
#include "model/tables_pool.h"
#include "model/xml.h"

struct vol_def *vol_def_new(void)
{
	return xcalloc(1, sizeof(struct vol_def));
}

void vol_def_free(struct vol_def *def)
{
	if (!def)
		return;
	bind_finish(&type_vol, def);
	free(def);
}

struct vol_def *vol_def_copy(const struct vol_def *def)
{
	struct vol_def *copy = xmalloc(sizeof(*copy));

	bind_copy(&type_vol, def, copy);
	return copy;
}

/* A name becomes a file's, or an argument of a tool. */
static int check_name(const char *name, struct error *err)
{
	if (strchr(name, '/'))
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "volume name '%s' cannot contain '/'", name);
	if (str_eq(name, ".") || str_eq(name, ".."))
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "invalid volume name '%s'", name);
	return 0;
}

static int check_format(enum pool_type type, struct vol_target *target,
			struct error *err)
{
	const struct words *known = pool_volume_formats(type);

	if (target->format && words_value(known, target->format) < 0)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "unknown volume format type %s",
				  target->format);
	if (!target->format)
		target->format = xstrdup(known->word[0]);
	return 0;
}

/* A backing file need not be this pool's, so its format may be any file's. */
static int check_backing(struct vol_def *def, struct error *err)
{
	if (!def->has_backing)
		return 0;
	if (!def->backing.path) /* an empty element: none */
		def->has_backing = false;
	else if (def->backing.format)
		return check_format(POOL_DIR, &def->backing, err);
	return 0;
}

static int complete(struct vol_def *def, enum pool_type type,
		    xmlNode *root, struct error *err)
{
	int r = check_name(def->name, err);

	def->capacity_given = xml_child(root, "capacity");
	def->allocation_given = xml_child(root, "allocation");
	if (!def->allocation_given)
		def->allocation = def->capacity;
	if (r == 0)
		r = check_format(type, &def->target, err);
	if (r == 0)
		r = check_backing(def, err);
	if (r == 0 && !def->capacity_given && !def->has_backing)
		r = error_virt(err, VIR_ERR_XML_ERROR,
			       "missing capacity element");
	/* Given by the pool, whatever the document says. */
	free(steal_ptr(&def->key));
	free(steal_ptr(&def->target.path));
	return r;
}

static int read_def(const char *xml, enum pool_type type, bool validate,
		    struct vol_def *def, struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	int r = xml_parse(xml, "volume", &doc, err);

	if (r == 0 && validate)
		r = schema_validate("volume", doc, err);
	if (r == 0)
		r = bind_parse(&type_vol, xmlDocGetRootElement(doc), true,
			       def, err);
	return r < 0 ? r :
		       complete(def, type, xmlDocGetRootElement(doc), err);
}

int vol_def_parse(const char *xml, enum pool_type type, bool validate,
		  struct vol_def **ret_def, struct error *err)
{
	struct vol_def *def = vol_def_new();
	int r = read_def(xml, type, validate, def, err);

	if (r < 0)
		vol_def_free(def);
	else
		*ret_def = def;
	return r;
}

char *vol_def_format(const struct vol_def *def)
{
	xmlNode *root = xml_new("volume");

	bind_format(&type_vol, def, true, root);
	return xml_finish(root);
}
