/*
 * cli/cmd-vol-create.c -- volumes made: vol-create, vol-create-as,
 * vol-create-from, vol-clone.
 */
#include "cli/output.h"
#include "cli/storage.h"
#include "cli/xml.h"

static const struct flag_option flags[] = {
	{ "prealloc-metadata", VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA },
	{ "reflink", VIR_STORAGE_VOL_CREATE_REFLINK },
	{ "validate", VIR_STORAGE_VOL_CREATE_VALIDATE },
	{ NULL },
};

/* ---- vol-create ---- */

static int run_vol_create(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	virStoragePoolPtr pool = ctl_pool(ctl, args_get(args, "pool"));
	_cleanup_free_ char *xml = pool ? read_xml_file(file) : NULL;
	virStorageVolPtr vol = NULL;
	int status = EXIT_FAILED;

	if (xml)
		vol = virStorageVolCreateXML(pool, xml,
					     args_flags(args, flags));
	if (vol) {
		say(ctl, "Vol %s created from %s\n",
		    virStorageVolGetName(vol), file);
		virStorageVolFree(vol);
		status = EXIT_OK;
	} else if (xml) {
		say_failed(ctl, "Failed to create vol from %s", file);
	}
	if (pool)
		virStoragePoolFree(pool);
	return status;
}

/* ---- vol-create-as ---- */

static void add(struct buf *b, int indent, const char *element,
		const char *text)
{
	buf_printf(b, "%*s<%s>", indent, "", element);
	xml_add(b, text);
	buf_printf(b, "</%s>\n", element);
}

static void add_size(struct buf *b, const char *element,
		     unsigned long long bytes)
{
	buf_printf(b, "  <%s>%llu</%s>\n", element, bytes, element);
}

static void add_format(struct buf *b, const char *format)
{
	if (!format)
		return;
	buf_puts(b, "    <format");
	xml_attr(b, "type", format);
	buf_puts(b, "/>\n");
}

/* In the pool by its name, or anywhere by key or path. */
static virStorageVolPtr find_backing(struct ctl *ctl, virStoragePoolPtr pool,
				     const char *name)
{
	virStorageVolPtr vol = virStorageVolLookupByName(pool, name);

	if (!vol)
		vol = virStorageVolLookupByKey(ctl->conn, name);
	if (!vol)
		vol = virStorageVolLookupByPath(ctl->conn, name);
	if (!vol)
		say_failed(ctl, "failed to get vol '%s'", name);
	return vol;
}

static int add_backing(struct ctl *ctl, struct buf *b,
		       const struct args *args, virStoragePoolPtr pool)
{
	const char *name = args_get(args, "backing-vol");
	virStorageVolPtr vol = name ? find_backing(ctl, pool, name) : NULL;
	_cleanup_free_ char *path = vol ? virStorageVolGetPath(vol) : NULL;

	if (vol)
		virStorageVolFree(vol);
	if (!path)
		return name ? -1 : 0;
	buf_puts(b, "  <backingStore>\n");
	add(b, 4, "path", path);
	add_format(b, args_get(args, "backing-vol-format"));
	buf_puts(b, "  </backingStore>\n");
	return 0;
}

/* NULL: said why. */
static char *vol_xml(struct ctl *ctl, const struct args *args,
		     virStoragePoolPtr pool)
{
	unsigned long long capacity, allocation;
	bool allocates = args_has(args, "allocation");
	const char *format = args_get(args, "format");
	struct buf b = { 0 };

	if (args_bytes(args, "capacity", &capacity) < 0 ||
	    (allocates && args_bytes(args, "allocation", &allocation) < 0))
		return NULL;
	buf_puts(&b, "<volume>\n");
	add(&b, 2, "name", args_get(args, "name"));
	add_size(&b, "capacity", capacity);
	if (allocates)
		add_size(&b, "allocation", allocation);
	if (format) {
		buf_puts(&b, "  <target>\n");
		add_format(&b, format);
		buf_puts(&b, "  </target>\n");
	}
	if (add_backing(ctl, &b, args, pool) < 0) {
		buf_free(&b);
		return NULL;
	}
	buf_puts(&b, "</volume>\n");
	return buf_steal(&b);
}

static int create_as(struct ctl *ctl, const struct args *args,
		     virStoragePoolPtr pool)
{
	const char *name = args_get(args, "name");
	_cleanup_free_ char *xml = vol_xml(ctl, args, pool);
	virStorageVolPtr vol;

	if (!xml)
		return EXIT_FAILED;
	if (args_has(args, "print-xml"))
		return xml_show(ctl, args, steal_ptr(&xml));
	vol = virStorageVolCreateXML(pool, xml, args_flags(args, flags));
	if (!vol)
		return say_failed(ctl, "Failed to create vol %s", name);
	say(ctl, "Vol %s created\n", name);
	virStorageVolFree(vol);
	return EXIT_OK;
}

static int run_vol_create_as(struct ctl *ctl, const struct args *args)
{
	virStoragePoolPtr pool = ctl_pool(ctl, args_get(args, "pool"));
	int status = pool ? create_as(ctl, args, pool) : EXIT_FAILED;

	if (pool)
		virStoragePoolFree(pool);
	return status;
}

/* ---- vol-create-from ---- */

static int create_from(struct ctl *ctl, const struct args *args,
		       virStoragePoolPtr pool, virStorageVolPtr input)
{
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = read_xml_file(file);
	virStorageVolPtr vol;

	if (!xml)
		return EXIT_FAILED;
	vol = virStorageVolCreateXMLFrom(pool, xml, input,
					 args_flags(args, flags));
	if (!vol)
		return say_failed(ctl, "Failed to create vol from %s", file);
	say(ctl, "Vol %s created from input vol %s\n",
	    virStorageVolGetName(vol), virStorageVolGetName(input));
	virStorageVolFree(vol);
	return EXIT_OK;
}

static int run_vol_create_from(struct ctl *ctl, const struct args *args)
{
	virStoragePoolPtr pool = ctl_pool(ctl, args_get(args, "pool"));
	virStorageVolPtr input =
		pool ? ctl_vol(ctl, args, args_get(args, "vol"), "inputpool") :
		       NULL;
	int status = input ? create_from(ctl, args, pool, input) : EXIT_FAILED;

	if (input)
		virStorageVolFree(input);
	if (pool)
		virStoragePoolFree(pool);
	return status;
}

/* ---- vol-clone ---- */

/* The original's description, with another name. */
static char *renamed(struct ctl *ctl, virStorageVolPtr vol, const char *name)
{
	_cleanup_free_ char *text = virStorageVolGetXMLDesc(vol, 0);
	struct xml x = { NULL };
	xmlXPathObjectPtr found;
	char *result = NULL;

	if (!text || xml_open(&x, text) < 0)
		return NULL;
	found = xml_find(&x, NULL, "/volume/name");
	if (xml_count(found) == 1) {
		xmlNodeSetContent(found->nodesetval->nodeTab[0], NULL);
		xmlNodeAddContent(found->nodesetval->nodeTab[0],
				  BAD_CAST name);
		result = xml_text(&x, xmlDocGetRootElement(x.doc));
	}
	xmlXPathFreeObject(found);
	xml_close(&x);
	return result;
}

static int clone_vol(struct ctl *ctl, const struct args *args,
		     virStoragePoolPtr pool, virStorageVolPtr from)
{
	const char *name = args_get(args, "newname");
	_cleanup_free_ char *xml = renamed(ctl, from, name);
	virStorageVolPtr vol;

	if (!xml)
		return say_failed(ctl, "Failed to clone vol from %s",
				  virStorageVolGetName(from));
	if (args_has(args, "print-xml"))
		return xml_show(ctl, args, steal_ptr(&xml));
	vol = virStorageVolCreateXMLFrom(pool, xml, from,
					 args_flags(args, flags));
	if (!vol)
		return say_failed(ctl, "Failed to clone vol from %s",
				  virStorageVolGetName(from));
	say(ctl, "Vol %s cloned from %s\n", virStorageVolGetName(vol),
	    virStorageVolGetName(from));
	virStorageVolFree(vol);
	return EXIT_OK;
}

static int run_vol_clone(struct ctl *ctl, const struct args *args)
{
	virStorageVolPtr from =
		ctl_vol(ctl, args, args_get(args, "vol"), "pool");
	virStoragePoolPtr pool =
		from ? virStoragePoolLookupByVolume(from) : NULL;
	int status = EXIT_FAILED;

	if (pool)
		status = clone_vol(ctl, args, pool, from);
	else if (from)
		say_failed(ctl, "failed to get parent pool");
	if (pool)
		virStoragePoolFree(pool);
	if (from)
		virStorageVolFree(from);
	return status;
}

/* ---- the commands ---- */

#define PREALLOC FLAG("prealloc-metadata", "make the image's tables now")
#define REFLINK	 FLAG("reflink", "share blocks with the original, or fail")

const struct command family_vol_create[] = {
	{
		.name = "vol-create",
		.group = "volume",
		.summary = "create a vol from an XML file",
		.opts = OPTS(DATA("pool"), DATA("file"), PREALLOC,
			     FLAG("validate")),
		.run = run_vol_create,
	},
	{
		.name = "vol-create-as",
		.group = "volume",
		.summary = "create a volume from a set of args",
		.opts = OPTS(DATA("pool"), DATA("name"),
			     DATA("capacity", "bytes unless it has a unit"),
			     STRING("allocation", "how much of it now"),
			     STRING("format", "raw, qcow2, ..."),
			     STRING("backing-vol", "what it stands on"),
			     STRING("backing-vol-format", "format of that"),
			     PREALLOC, FLAG("print-xml")),
		.run = run_vol_create_as,
	},
	{
		.name = "vol-create-from",
		.group = "volume",
		.summary = "create a vol, using another volume as input",
		.opts = OPTS(DATA("pool"), DATA("file"), DATA("vol"),
			     STRING("inputpool", "pool of that volume"),
			     PREALLOC, REFLINK, FLAG("validate")),
		.run = run_vol_create_from,
	},
	{
		.name = "vol-clone",
		.group = "volume",
		.summary = "clone a volume",
		.opts = OPTS(DATA("vol"), DATA("newname"), STRING("pool"),
			     PREALLOC, REFLINK, FLAG("print-xml")),
		.run = run_vol_clone,
	},
	{ NULL },
};
