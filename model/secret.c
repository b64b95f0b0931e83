/*
 * model/secret.c -- a secret's description read, written and freed.
 */
#include "model/secret.h"

#include <libvirt/virterror.h>
#include <stddef.h>

#include "model/bind.h"
#include "model/schemas.h"
#include "model/xml.h"

static const char *const usage_list[] = {
	[SECRET_NONE] = "none", [SECRET_VOLUME] = "volume",
	[SECRET_CEPH] = "ceph", [SECRET_ISCSI] = "iscsi",
	[SECRET_TLS] = "tls",	[SECRET_VTPM] = "vtpm",
};
static_assert(ARRAY_SIZE(usage_list) == SECRET_USAGES, "a usage is missing");
static const struct words words_usage = { usage_list, SECRET_USAGES };

#define S(m) offsetof(struct secret_def, m)
static const struct field fields[] = {
	{ "@ephemeral", FIELD_STR, S(ephemeral_word), &words_yesno },
	{ "@private", FIELD_STR, S(private_word), &words_yesno },
	{ "uuid", FIELD_UUID, S(uuid), .n_off = S(uuid_given) },
	{ "description", FIELD_STR, S(description) },
	{ "usage@type", FIELD_ENUM, S(usage), &words_usage },
	{ "usage/volume", FIELD_STR, S(volume), .only = BIT(SECRET_VOLUME) },
	{ "usage/name", FIELD_STR, S(name),
	  .only = BIT(SECRET_CEPH) | BIT(SECRET_TLS) | BIT(SECRET_VTPM) },
	{ "usage/target", FIELD_STR, S(target), .only = BIT(SECRET_ISCSI) },
	{ 0 },
};
static const struct xml_type type_secret = {
	XML_TYPE_EXTRA(struct secret_def, extra),
	.fields = fields,
	.tag_off = S(usage),
	.order = " uuid description usage * ",
};
#undef S

static int complete(struct secret_def *def, struct error *err)
{
	static const char *const id_name[] = {
		[SECRET_VOLUME] = "volume usage specified, but volume path",
		[SECRET_CEPH] = "Ceph usage specified, but name",
		[SECRET_ISCSI] = "iSCSI usage specified, but target",
		[SECRET_TLS] = "TLS usage specified, but name",
		[SECRET_VTPM] = "vTPM usage specified, but name",
	};
	const char *id = def->volume ? def->volume :
			 def->target ? def->target : def->name;

	if (def->usage != SECRET_NONE && !id)
		return error_virt(err, VIR_ERR_XML_ERROR, "%s is missing",
				  id_name[def->usage]);
	def->usage_id = xstrdup(id);
	def->ephemeral = str_eq(def->ephemeral_word, "yes");
	def->is_private = str_eq(def->private_word, "yes");
	if (!def->ephemeral_word)
		def->ephemeral_word = xstrdup("no");
	if (!def->private_word)
		def->private_word = xstrdup("no");
	if (!def->uuid_given)
		uuid_generate_v4(def->uuid);
	def->uuid_given = true;
	return 0;
}

static int read_def(const char *xml, bool validate, struct secret_def *def,
		    struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	int r = xml_parse(xml, "secret", &doc, err);

	if (r == 0 && validate)
		r = schema_validate("secret", doc, err);
	if (r == 0)
		r = bind_parse(&type_secret, xmlDocGetRootElement(doc), true,
			       def, err);
	return r < 0 ? r : complete(def, err);
}

int secret_def_parse(const char *xml, bool validate,
		     struct secret_def **ret_def, struct error *err)
{
	struct secret_def *def = xcalloc(1, sizeof(*def));
	int r = read_def(xml, validate, def, err);

	if (r < 0)
		secret_def_free(def);
	else
		*ret_def = def;
	return r;
}

static xmlNode *usage_element(xmlNode *root)
{
	return xml_child(root, "usage");
}

char *secret_def_format(const struct secret_def *def)
{
	xmlNode *root = xml_new("secret");

	bind_format(&type_secret, def, true, root);
	/* libvirt's writes no <usage> for a secret that has none. */
	if (def->usage == SECRET_NONE && usage_element(root)) {
		xmlNode *usage = usage_element(root);

		xmlUnlinkNode(usage);
		xmlFreeNode(usage);
	}
	return xml_finish(root);
}

void secret_def_free(struct secret_def *def)
{
	if (!def)
		return;
	free(def->usage_id);
	bind_finish(&type_secret, def);
	free(def);
}
