/*
 * cli/cmd-pool-define.c -- storage pools from XML or from words: pool-define,
 * pool-create, and the same with "-as".
 */
#include "cli/edit.h"
#include "cli/output.h"
#include "cli/storage.h"
#include "cli/xml.h"

static int told(struct ctl *ctl, virStoragePoolPtr pool, const char *verb,
		const char *from)
{
	say(ctl, "Pool %s %sd%s%s\n", virStoragePoolGetName(pool), verb,
	    from ? " from " : "", from ? from : "");
	virStoragePoolFree(pool);
	return EXIT_OK;
}

/* ---- from a file ---- */

static int run_pool_define(struct ctl *ctl, const struct args *args)
{
	static const struct flag_option flags[] = {
		{ "validate", VIR_STORAGE_POOL_DEFINE_VALIDATE },
		{ NULL },
	};
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = read_xml_file(file);
	virStoragePoolPtr pool;

	if (!xml)
		return EXIT_FAILED;
	pool = virStoragePoolDefineXML(ctl->conn, xml,
				       args_flags(args, flags));
	return pool ? told(ctl, pool, "define", file) :
		      say_failed(ctl, "Failed to define pool from %s", file);
}

static int run_pool_create(struct ctl *ctl, const struct args *args)
{
	const char *file = args_get(args, "file");
	_cleanup_free_ char *xml = NULL;
	virStoragePoolPtr pool;
	unsigned int flags;

	if (args_pool_build(args, &flags) < 0)
		return EXIT_FAILED;
	xml = read_xml_file(file);
	if (!xml)
		return EXIT_FAILED;
	pool = virStoragePoolCreateXML(ctl->conn, xml, flags);
	return pool ? told(ctl, pool, "create", file) :
		      say_failed(ctl, "Failed to create pool from %s", file);
}

/* ---- from words ---- */

/* An element with one attribute, or with a text, of an option if given. */
static void add(struct buf *b, const struct args *args, const char *element,
		const char *attribute, const char *option)
{
	const char *value = args_get(args, option);

	if (!value)
		return;
	buf_printf(b, "    <%s", element);
	if (attribute) {
		xml_attr(b, attribute, value);
		buf_puts(b, "/>\n");
	} else {
		buf_puts(b, ">");
		xml_add(b, value);
		buf_printf(b, "</%s>\n", element);
	}
}

static void add_attr(struct buf *b, const struct args *args,
		     const char *attribute, const char *option)
{
	xml_attr(b, attribute, args_get(args, option));
}

static void add_adapter(struct buf *b, const struct args *args)
{
	if (args_has(args, "adapter-name")) {
		buf_puts(b, "    <adapter type='scsi_host'");
		add_attr(b, args, "name", "adapter-name");
		buf_puts(b, "/>\n");
	} else if (args_has(args, "adapter-wwnn")) {
		buf_puts(b, "    <adapter type='fc_host'");
		add_attr(b, args, "parent", "adapter-parent");
		add_attr(b, args, "parent_wwnn", "adapter-parent-wwnn");
		add_attr(b, args, "parent_wwpn", "adapter-parent-wwpn");
		add_attr(b, args, "parent_fabric_wwn",
			 "adapter-parent-fabric-wwn");
		add_attr(b, args, "wwnn", "adapter-wwnn");
		add_attr(b, args, "wwpn", "adapter-wwpn");
		buf_puts(b, "/>\n");
	}
}

static void add_auth(struct buf *b, const struct args *args)
{
	if (!args_has(args, "auth-type"))
		return;
	buf_puts(b, "    <auth");
	add_attr(b, args, "type", "auth-type");
	add_attr(b, args, "username", "auth-username");
	buf_puts(b, ">\n      <secret");
	add_attr(b, args, "usage", "secret-usage");
	add_attr(b, args, "uuid", "secret-uuid");
	buf_puts(b, "/>\n    </auth>\n");
}

static void add_initiator(struct buf *b, const struct args *args)
{
	if (!args_has(args, "source-initiator"))
		return;
	buf_puts(b, "    <initiator>\n      <iqn");
	add_attr(b, args, "name", "source-initiator");
	buf_puts(b, "/>\n    </initiator>\n");
}

static void add_source(struct buf *b, const struct args *args)
{
	add(b, args, "host", "name", "source-host");
	add(b, args, "dir", "path", "source-path");
	add(b, args, "device", "path", "source-dev");
	add_adapter(b, args);
	add_initiator(b, args);
	add_auth(b, args);
	add(b, args, "format", "type", "source-format");
	add(b, args, "name", NULL, "source-name");
	add(b, args, "protocol", "ver", "source-protocol-ver");
}

static char *pool_xml(const struct args *args)
{
	struct buf source = { 0 }, b = { 0 };

	add_source(&source, args);
	buf_puts(&b, "<pool");
	add_attr(&b, args, "type", "type");
	buf_puts(&b, ">\n  <name>");
	xml_add(&b, args_get(args, "name"));
	buf_puts(&b, "</name>\n");
	if (source.len)
		buf_printf(&b, "  <source>\n%s  </source>\n", source.data);
	if (args_has(args, "target")) {
		buf_puts(&b, "  <target>\n");
		add(&b, args, "path", NULL, "target");
		buf_puts(&b, "  </target>\n");
	}
	buf_puts(&b, "</pool>\n");
	buf_free(&source);
	return buf_steal(&b);
}

static int check_as(const struct args *args)
{
	return args_exclusive(args, "secret-usage", "secret-uuid");
}

static int run_pool_define_as(struct ctl *ctl, const struct args *args)
{
	_cleanup_free_ char *xml = pool_xml(args);
	virStoragePoolPtr pool;

	if (check_as(args) < 0)
		return EXIT_FAILED;
	if (args_has(args, "print-xml"))
		return xml_show(ctl, args, steal_ptr(&xml));
	pool = virStoragePoolDefineXML(ctl->conn, xml, 0);
	return pool ? told(ctl, pool, "define", NULL) :
		      say_failed(ctl, "Failed to define pool %s",
				 args_get(args, "name"));
}

static int run_pool_create_as(struct ctl *ctl, const struct args *args)
{
	_cleanup_free_ char *xml = pool_xml(args);
	virStoragePoolPtr pool;
	unsigned int flags;

	if (check_as(args) < 0 || args_pool_build(args, &flags) < 0)
		return EXIT_FAILED;
	if (args_has(args, "print-xml"))
		return xml_show(ctl, args, steal_ptr(&xml));
	pool = virStoragePoolCreateXML(ctl->conn, xml, flags);
	return pool ? told(ctl, pool, "create", NULL) :
		      say_failed(ctl, "Failed to create pool %s",
				 args_get(args, "name"));
}

/* In the order in which virsh takes them by position. */
#define OPTS_AS                                                               \
	DATA("name"), DATA("type", "type of pool"), FLAG("print-xml"),        \
		STRING("source-host", "host that has the storage"),           \
		STRING("source-path", "path on that host"),                   \
		STRING("source-dev", "device, or iSCSI target"),              \
		STRING("source-name", "name of the group or pool"),           \
		STRING("target", "where its volumes appear"),                 \
		STRING("source-format", "format of the source"),              \
		STRING("auth-type", "kind of authentication"),                \
		STRING("auth-username", "whom to authenticate as"),           \
		STRING("secret-usage", "the secret, by its usage"),           \
		STRING("secret-uuid", "the secret, by its uuid"),             \
		STRING("adapter-name", "SCSI host"),                          \
		STRING("adapter-wwnn", "the adapter's node name"),            \
		STRING("adapter-wwpn", "the adapter's port name"),            \
		STRING("adapter-parent", "a virtual adapter's parent"),       \
		STRING("adapter-parent-wwnn", "the parent's node name"),      \
		STRING("adapter-parent-wwpn", "the parent's port name"),      \
		STRING("adapter-parent-fabric-wwn", "the parent's fabric"),   \
		STRING("source-protocol-ver", "version of NFS"),              \
		STRING("source-initiator", "name of the iSCSI initiator")

/* ---- pool-edit ---- */

static char *get_xml(void *object)
{
	return virStoragePoolGetXMLDesc(object, VIR_STORAGE_XML_INACTIVE);
}

static int define_xml(struct ctl *ctl, void *object, const char *xml)
{
	virStoragePoolPtr pool = virStoragePoolDefineXML(ctl->conn, xml, 0);

	if (!pool)
		return -1;
	virStoragePoolFree(pool);
	return 0;
}

static int run_pool_edit(struct ctl *ctl, const struct args *args)
{
	static const struct edit edit = {
		get_xml, define_xml,
		"Pool %s XML configuration not changed.\n",
		"Pool %s XML configuration edited.\n",
	};
	virStoragePoolPtr pool = ctl_pool(ctl, args_get(args, "pool"));
	int status;

	if (!pool)
		return EXIT_FAILED;
	status = edit_object(ctl, &edit, pool, virStoragePoolGetName(pool));
	virStoragePoolFree(pool);
	return status;
}

/* ---- the commands ---- */

const struct command family_pool_define[] = {
	{
		.name = "pool-define",
		.group = "pool",
		.summary = "define or modify a persistent pool from an XML "
			   "file",
		.details = "The pool is not started. A definition of the same "
			   "uuid is replaced.",
		.opts = OPTS(DATA("file"), FLAG("validate")),
		.run = run_pool_define,
	},
	{
		.name = "pool-create",
		.group = "pool",
		.summary = "create a pool from an XML file",
		.details = "The pool is transient: it vanishes when it stops.",
		.opts = OPTS(DATA("file"), OPTS_POOL_BUILD),
		.run = run_pool_create,
	},
	{
		.name = "pool-define-as",
		.group = "pool",
		.summary = "define a pool from a set of args",
		.opts = OPTS(OPTS_AS),
		.run = run_pool_define_as,
	},
	{
		.name = "pool-create-as",
		.group = "pool",
		.summary = "create a pool from a set of args",
		.opts = OPTS(OPTS_AS, OPTS_POOL_BUILD),
		.run = run_pool_create_as,
	},
	{
		.name = "pool-edit",
		.group = "pool",
		.summary = "edit XML configuration for a storage pool",
		.opts = OPTS(DATA("pool")),
		.run = run_pool_edit,
	},
	{ NULL },
};
