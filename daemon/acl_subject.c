/*
 * daemon/acl_subject.c -- which object a call is about, as polkit's rules get to
 * see it.
 *
 * A client names an object by name and uuid, and handlers go by one of them;
 * so that nobody gets at a domain by calling it like his own, what is told is
 * what a lookup of that one gives.
 */
#include <errno.h>
#include <string.h>

#include <libvirt/virterror.h>

#include "base/error.h"
#include "daemon/access_driver.h"
#include "daemon/acl.h"
#include "daemon/reply.h"
#include "model/domain.h"
#include "model/xml.h"
#include "rpc/perms.h"

void acl_name_connection(const struct call *call, struct access_details *d)
{
	/* Nobody has said yet which one it is going to be. */
	if (call->scheme != SCHEME_NONE)
		access_details_add(d, "connect_driver",
				   call->scheme == SCHEME_QEMU ? "QEMU" :
								 "Vireo");
}

/* ---- what objects are called ---- */

static const struct class {
	const char *prefix; /* of permissions */
	const char *name, *uuid;
	int by_uuid; /* the procedure that finds one */
} classes[] = {
	{ "domain:", "domain_name", "domain_uuid", PROC_DOMAIN_LOOKUP_BY_UUID },
	{ "network:", "network_name", "network_uuid",
	  PROC_NETWORK_LOOKUP_BY_UUID },
	{ "storage_pool:", "pool_name", "pool_uuid",
	  PROC_STORAGE_POOL_LOOKUP_BY_UUID },
	{ "storage_vol:", "pool_name", "pool_uuid",
	  PROC_STORAGE_POOL_LOOKUP_BY_UUID },
	{ "nwfilter:", "nwfilter_name", "nwfilter_uuid",
	  PROC_NWFILTER_LOOKUP_BY_UUID },
	{ "secret:", NULL, "secret_uuid", PROC_SECRET_LOOKUP_BY_UUID },
	{ "node_device:", "node_device_name", NULL, 0 },
	{ "interface:", "interface_name", NULL, 0 },
};

static const struct class *class_of(const char *permission)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (str_startswith(permission, classes[i].prefix))
			return &classes[i];
	return NULL;
}

void acl_name_object(const char *permission, const char *name,
		     const uint8_t *uuid, struct access_details *d)
{
	const struct class *c = class_of(permission);
	char text[UUID_STR_LEN];

	if (c && c->name && name)
		access_details_add(d, c->name, name);
	if (c && c->uuid && uuid) {
		uuid_format(uuid, text);
		access_details_add(d, c->uuid, text);
	}
}

/* ---- lookups ---- */

/* As if the client had called it; 1, or 0: nothing serves it. */
static int look_up(struct call *call, int number, const void *args,
		   void *reply, struct error *err)
{
	int r;

	if (!handlers[number])
		return 0;
	r = handlers[number](call, args, reply, err);
	return r < 0 ? r : 1;
}

static int name_by_uuid(struct call *call, const char *uuid,
			struct access_details *ret, struct error *err)
{
	const struct class *c = class_of(call->proc->access);
	wire_dom dom = { 0 };
	wire_named named = { 0 };
	bool is_dom = c && c->by_uuid == PROC_DOMAIN_LOOKUP_BY_UUID;
	int r;

	if (!c || !c->by_uuid || !c->name)
		return 0;
	r = look_up(call, c->by_uuid, uuid, is_dom ? (void *)&dom : &named,
		    err);
	if (r > 0)
		acl_name_object(call->proc->access,
				is_dom ? dom.name : named.name,
				(const uint8_t *)uuid, ret);
	free(dom.name);
	free(named.name);
	return r;
}

static void name_usage(const wire_secret *s, struct access_details *ret)
{
	static const char *const keys[] = {
		[1] = "secret_usage_volume",
		[2] = "secret_usage_ceph",
		[3] = "secret_usage_target",
		[4] = "secret_usage_name",
		[5] = "secret_usage_name",
	};

	if (s->usage_type > 0 && (size_t)s->usage_type < ARRAY_SIZE(keys))
		access_details_add(ret, keys[s->usage_type], s->usage_id);
}

static int name_secret(struct call *call, const char *uuid,
		       struct access_details *ret, struct error *err)
{
	wire_secret s = { 0 };
	int r = look_up(call, PROC_SECRET_LOOKUP_BY_UUID, uuid, &s, err);

	if (r > 0) {
		acl_name_object("secret:", NULL, (const uint8_t *)uuid, ret);
		name_usage(&s, ret);
	}
	free(s.usage_id);
	return r;
}

/* Pool and name are what a volume is known by; its key may be made up. */
int acl_name_vol(struct call *call, const wire_vol *v,
		 struct access_details *ret, struct error *err)
{
	wire_named_str args = { .str = v->name };
	wire_vol vol = { 0 };
	int r = look_up(call, PROC_STORAGE_POOL_LOOKUP_BY_NAME, &v->pool,
			&args.obj, err);

	if (r > 0)
		r = look_up(call, PROC_STORAGE_VOL_LOOKUP_BY_NAME, &args, &vol,
			    err);
	if (r > 0) {
		acl_name_object("storage_vol:", args.obj.name,
				(const uint8_t *)args.obj.uuid, ret);
		access_details_add(ret, "vol_name", vol.name);
		access_details_add(ret, "vol_key", vol.key);
	}
	free(args.obj.name);
	xdr_free((xdrproc_t)xdr_wire_vol, (char *)&vol);
	return r;
}

/* ---- descriptions ---- */

/* What does not parse is the handler's to refuse. */
static void name_xml(const char *permission, const char *text,
		     struct access_details *ret)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	_cleanup_free_ char *name = NULL, *uuid_text = NULL;
	const xmlNode *root, *node;
	uint8_t uuid[UUID_LEN];

	if (xml_parse(text, NULL, &doc, NULL) < 0)
		return;
	root = xmlDocGetRootElement(doc);
	node = xml_child(root, "name");
	name = node ? xml_text(node) : NULL;
	node = xml_child(root, "uuid");
	uuid_text = node ? xml_text(node) : NULL;
	acl_name_object(permission, name,
			uuid_text && uuid_parse(uuid_text, uuid) == 0 ? uuid :
									NULL,
			ret);
}

/* u_int and array, as rpcgen lays lists out. */
struct wire_params_list {
	u_int len;
	wire_param *val;
};

static void name_params(const char *permission, const void *at,
			struct access_details *ret)
{
	const struct wire_params_list *list = at;

	for (u_int i = 0; i < list->len; i++)
		if (str_eq(list->val[i].field, "destination_xml") &&
		    list->val[i].value.type == 7) {
			name_xml(permission, list->val[i].value.wire_value_u.s,
				 ret);
			return;
		}
}

/* ---- all together ---- */

static int name_subject(struct call *call, enum permission_subject kind,
			const void *at, struct access_details *ret,
			struct error *err)
{
	const char *permission = call->proc->access;

	switch (kind) {
	case SUBJECT_DOM:
		return name_by_uuid(call, ((const wire_dom *)at)->uuid, ret,
				    err);
	case SUBJECT_NAMED:
		return name_by_uuid(call, ((const wire_named *)at)->uuid, ret,
				    err);
	case SUBJECT_SECRET:
		return name_secret(call, ((const wire_secret *)at)->uuid, ret,
				   err);
	case SUBJECT_VOL:
		return acl_name_vol(call, at, ret, err);
	case SUBJECT_NODEDEV:
	case SUBJECT_IFACE: /* both start with what they are known by */
	case SUBJECT_STR:
		if (str_startswith(permission, "node_device:") ||
		    str_startswith(permission, "interface:"))
			acl_name_object(permission, *(const wire_str *)at, NULL,
					ret);
		return 0;
	case SUBJECT_BINDING:
		access_details_add(ret, "nwfilter_binding_portdev",
				   ((const wire_binding *)at)->port);
		return 0;
	case SUBJECT_XML:
		name_xml(permission, *(const wire_str *)at, ret);
		return 0;
	case SUBJECT_PARAMS:
		name_params(permission, at, ret);
		return 0;
	default:
		return 0;
	}
}

int acl_subject(struct call *call, const struct permissions *p,
		const void *args, struct access_details *ret,
		struct error *err)
{
	acl_name_connection(call, ret);
	if (!args || p->subject == SUBJECT_UNKNOWN)
		return 0;
	return name_subject(call, p->subject, (const char *)args + p->at, ret,
			    err);
}
