/*
 * daemon/acl_filter.c -- answers without what the caller may not see.
 */
#include <string.h>

#include <libvirt/virterror.h>

#include "daemon/access_driver.h"
#include "daemon/acl.h"
#include "daemon/reply.h"
#include "rpc/perms.h"

/* ---- one object, as an answer has it ---- */

typedef void name_fn(struct call *call, const char *permission,
		     const void *object, struct access_details *d);

static void name_dom(struct call *call, const char *permission,
		     const void *object, struct access_details *d)
{
	const wire_dom *dom = object;

	acl_name_object(permission, dom->name, wire_uuid_of(dom), d);
}

static void name_named(struct call *call, const char *permission,
		       const void *object, struct access_details *d)
{
	const wire_named *n = object;

	acl_name_object(permission, n->name, (const uint8_t *)n->uuid, d);
}

static void name_iface(struct call *call, const char *permission,
		       const void *object, struct access_details *d)
{
	const wire_iface *i = object;

	acl_name_object(permission, i->name, NULL, d);
	access_details_add(d, "interface_macaddr", i->mac);
}

static void name_nodedev(struct call *call, const char *permission,
			 const void *object, struct access_details *d)
{
	acl_name_object(permission, ((const wire_nodedev *)object)->name, NULL,
			d);
}

static void name_name(struct call *call, const char *permission,
		      const void *object, struct access_details *d)
{
	const char *name = *(const wire_str *)object;

	if (str_startswith(permission, "storage_vol:"))
		access_details_add(d, "vol_name", name);
	else if (str_startswith(permission, "secret:"))
		access_details_add(d, "secret_uuid", name);
	else
		acl_name_object(permission, name, NULL, d);
}

static void name_secret(struct call *call, const char *permission,
			const void *object, struct access_details *d)
{
	const wire_secret *s = object;

	acl_name_object(permission, NULL, (const uint8_t *)s->uuid, d);
}

static void name_vol(struct call *call, const char *permission,
		     const void *object, struct access_details *d)
{
	struct error gone;

	(void)acl_name_vol(call, object, d, &gone);
}

static void name_binding(struct call *call, const char *permission,
			 const void *object, struct access_details *d)
{
	const wire_binding *b = object;

	access_details_add(d, "nwfilter_binding_portdev", b->port);
	access_details_add(d, "nwfilter_binding_filter", b->filter);
}

static int object_allowed(struct call *call, const char *permission,
			  name_fn *name, const void *object, struct error *err)
{
	struct access_details d = { 0 };
	int r;

	acl_name_connection(call, &d);
	name(call, permission, object, &d);
	r = acl_allowed(call, permission, &d, err);
	access_details_finish(&d);
	return r;
}

/* ---- lookups: the answer is one object ---- */

#define X(type) (xdrproc_t)xdr_wire_##type

static const struct {
	xdrproc_t reply;
	name_fn *name;
} singles[] = {
	{ X(dom), name_dom },
	{ X(named), name_named },
	{ X(iface), name_iface },
	{ X(vol), name_vol },
	{ X(nodedev), name_nodedev },
	{ X(secret), name_secret },
	{ X(binding), name_binding },
};

static name_fn *single(xdrproc_t reply)
{
	for (size_t i = 0; i < ARRAY_SIZE(singles); i++)
		if (singles[i].reply == reply)
			return singles[i].name;
	return NULL;
}

bool acl_is_lookup(const struct procedure *proc)
{
	const char *colon = strchr(proc->access, ':');

	return colon && str_eq(colon, ":getattr") && single(proc->reply);
}

static int filter_lookup(struct call *call, void *reply, struct error *err)
{
	const struct procedure *proc = call->proc;
	int r = object_allowed(call, proc->access, single(proc->reply), reply,
			       err);

	if (r)
		return MIN(r, 0);
	return error_virt(err, VIR_ERR_ACCESS_DENIED, "no permission %s",
			  proc->access);
}

/* ---- lists: an array, often followed by its length ---- */

/* As rpcgen lays lists out. */
struct list {
	u_int len;
	char *val;
};

static const struct list_type {
	xdrproc_t reply;
	xdrproc_t element;
	size_t size;
	name_fn *name;
	size_t count; /* where the length is once more; 0: nowhere */
} lists[] = {
#define L(type, el, name, count) \
	{ X(type), X(el), sizeof(wire_##el), name, count }
	L(domains, dom, name_dom, offsetof(wire_domains, ret)),
	L(nameds, named, name_named, offsetof(wire_nameds, ret)),
	L(ifaces, iface, name_iface, offsetof(wire_ifaces, ret)),
	L(nodedevs, nodedev, name_nodedev, offsetof(wire_nodedevs, ret)),
	L(secrets, secret, name_secret, offsetof(wire_secrets, ret)),
	L(vols, vol, name_vol, offsetof(wire_vols, ret)),
	L(bindings, binding, name_binding, offsetof(wire_bindings, ret)),
	L(all_stats, stats_record, name_dom, 0), /* starts with a domain */
	L(names, str, name_name, 0),
	L(nodedev_names, str, name_name, 0),
};

static const struct list_type *list_type(xdrproc_t reply)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (lists[i].reply == reply)
			return &lists[i];
	return NULL;
}

/* Keeps what may be seen, in order. */
static int filter_list(struct call *call, const struct list_type *t,
		       struct list *list, const char *permission,
		       struct error *err)
{
	u_int kept = 0;
	int r = 0;

	for (u_int i = 0; i < list->len; i++) {
		char *e = list->val + i * t->size;

		if (r >= 0)
			r = object_allowed(call, permission, t->name, e, err);
		if (r <= 0)
			xdr_free(t->element, e);
		else if (kept++ != i)
			memcpy(list->val + (kept - 1) * t->size, e, t->size);
	}
	list->len = kept;
	return r < 0 ? r : 0;
}

/* The old list of running domains has numbers; others a lookup away. */
static int id_allowed(struct call *call, int id, const char *permission,
		      struct error *err)
{
	struct domain_ref ref;
	wire_dom dom = { .name = ref.name };
	struct error gone;

	if (domain_lookup_id(call->reg, id, &ref, &gone) < 0)
		return 0;
	memcpy(dom.uuid, ref.uuid, sizeof(dom.uuid));
	return object_allowed(call, permission, name_dom, &dom, err);
}

static int filter_ids(struct call *call, wire_ids *reply,
		      const char *permission, struct error *err)
{
	u_int kept = 0;
	int r = 0;

	for (u_int i = 0; i < reply->ids.ids_len && r >= 0; i++) {
		int id = reply->ids.ids_val[i];

		r = id_allowed(call, id, permission, err);
		if (r > 0)
			reply->ids.ids_val[kept++] = id;
	}
	reply->ids.ids_len = kept;
	return r < 0 ? r : 0;
}

/* ---- numbers: how many there are in the list ---- */

static const struct {
	int number, list;
} counts[] = {
#define C(what) { PROC_CONNECT_NUM_OF_##what, PROC_CONNECT_LIST_##what }
	C(DOMAINS),
	C(DEFINED_DOMAINS),
	C(NETWORKS),
	C(DEFINED_NETWORKS),
	C(STORAGE_POOLS),
	C(DEFINED_STORAGE_POOLS),
	C(INTERFACES),
	C(DEFINED_INTERFACES),
	C(NWFILTERS),
	C(SECRETS),
};

static int count_list(struct call *call, int number, const char *permission,
		      int *reply, struct error *err)
{
	const struct procedure *list = &procedures[number];
	_cleanup_free_ void *all = xcalloc(1, list->reply_size + 1);
	const struct list_type *t = list_type(list->reply);
	const wire_int max = WIRE_LIST_MAX;
	int r = handlers[number](call, &max, all, err);

	if (r >= 0 && list->reply == X(ids)) {
		r = filter_ids(call, all, permission, err);
		*reply = (int)((wire_ids *)all)->ids.ids_len;
	} else if (r >= 0) {
		r = filter_list(call, t, all, permission, err);
		*reply = (int)((struct list *)all)->len;
	}
	xdr_free(list->reply, all);
	return r;
}

static int filter_number(struct call *call, int *reply, const char *permission,
			 struct error *err)
{
	int number = (int)(call->proc - procedures);

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		if (counts[i].number == number && handlers[counts[i].list])
			return count_list(call, counts[i].list, permission,
					  reply, err);
	return 0; /* an event's registration; node devices' number */
}

/* ---- all together ---- */

static bool is_checked(const struct call *call)
{
	return acl_session_checked(call->session);
}

void acl_prepare(const struct call *call, void *args, bool *ret_drop)
{
	int *need = NULL;

	if (is_checked(call) && call->proc->args == X(list_args))
		need = &((wire_list_args *)args)->need_results;
	if (is_checked(call) && call->proc->args == X(named_list_args))
		need = &((wire_named_list_args *)args)->need_results;
	*ret_drop = need && !*need;
	if (need)
		*need = 1;
}

static void drop_list(const struct list_type *t, struct list *list)
{
	for (u_int i = 0; i < list->len; i++)
		xdr_free(t->element, list->val + i * t->size);
	free(list->val);
	*list = (struct list){ 0 };
}

static int filter(struct call *call, void *reply, bool drop,
		  const char *permission, struct error *err)
{
	const struct list_type *t = list_type(call->proc->reply);
	int r;

	if (call->proc->reply == X(ids))
		return filter_ids(call, reply, permission, err);
	if (call->proc->reply == X(int))
		return filter_number(call, reply, permission, err);
	if (!t)
		return 0;
	r = filter_list(call, t, reply, permission, err);
	if (t->count)
		*(u_int *)((char *)reply + t->count) =
			((struct list *)reply)->len;
	if (drop)
		drop_list(t, reply);
	return r;
}

int acl_filter(struct call *call, void *reply, bool drop, struct error *err)
{
	const char *permission =
		permissions[call->proc - procedures].filter;

	if (!is_checked(call))
		return 0;
	if (acl_is_lookup(call->proc))
		return filter_lookup(call, reply, err);
	return permission ? filter(call, reply, drop, permission, err) : 0;
}
