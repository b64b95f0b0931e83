/*
 * daemon/handlers_snapshot.c -- procedures about snapshots.
 */
#include <errno.h>
#include <libvirt/virterror.h>

#include "daemon/reply.h"
#include "daemon/reply_moment.h"
#include "daemon/snapshot.h"

/* ---- lists ---- */

static int count(struct call *call, const wire_dom *dom, const char *of,
		 unsigned int flags, wire_int *reply, struct error *err)
{
	char **names;
	unsigned int n;
	int r = snapshot_names(call->reg, wire_uuid_of(dom), of, flags, &names,
			       &n, err);

	if (r < 0)
		return r;
	*reply = (int)n;
	snapshot_names_free(names, n);
	return 0;
}

static int list_names(struct call *call, const wire_dom *dom, const char *of,
		      int max, unsigned int flags, wire_names *reply,
		      struct error *err)
{
	char **names;
	unsigned int n, keep = MIN(MAX(max, 0), WIRE_LIST_MAX);
	int r = snapshot_names(call->reg, wire_uuid_of(dom), of, flags, &names,
			       &n, err);

	if (r < 0)
		return r;
	while (n > keep)
		free(names[--n]);
	reply->names.names_val = names;
	reply->names.names_len = n;
	return 0;
}

static int list_all(struct call *call, const wire_dom *dom, const char *of,
		    bool wanted, unsigned int flags, wire_snapshots *reply,
		    struct error *err)
{
	char **names;
	unsigned int n;
	int r = snapshot_names(call->reg, wire_uuid_of(dom), of, flags, &names,
			       &n, err);

	if (r < 0)
		return r;
	reply_moments(reply, dom, names, n, wanted);
	snapshot_names_free(names, n);
	return 0;
}

int handle_domain_snapshot_num(struct call *call, const wire_dom_flags *args,
			       wire_int *reply, struct error *err)
{
	return count(call, &args->dom, NULL, args->flags, reply, err);
}

int handle_domain_snapshot_list_names(struct call *call,
				      const wire_snap_names_args *args,
				      wire_names *reply, struct error *err)
{
	return list_names(call, &args->dom, NULL, args->max, args->flags,
			  reply, err);
}

int handle_domain_list_all_snapshots(struct call *call,
				     const wire_dom_list_args *args,
				     wire_snapshots *reply, struct error *err)
{
	return list_all(call, &args->dom, NULL, args->need_results,
			args->flags, reply, err);
}

int handle_domain_snapshot_num_children(struct call *call,
					const wire_snap_flags *args,
					wire_int *reply, struct error *err)
{
	return count(call, &args->snap.dom, args->snap.name, args->flags,
		     reply, err);
}

int handle_domain_snapshot_list_children_names(
	struct call *call, const wire_snap_children_args *args,
	wire_names *reply, struct error *err)
{
	return list_names(call, &args->snap.dom, args->snap.name, args->max,
			  args->flags, reply, err);
}

int handle_domain_snapshot_list_all_children(
	struct call *call, const wire_snap_children_args *args,
	wire_snapshots *reply, struct error *err)
{
	return list_all(call, &args->snap.dom, args->snap.name, args->max,
			args->flags, reply, err);
}

/* ---- one ---- */

/* A yes or no, or an error. */
static int reply_bool(int r, wire_int *reply)
{
	*reply = MAX(r, 0);
	return MIN(r, 0);
}

int handle_domain_has_current_snapshot(struct call *call,
				       const wire_dom_flags *args,
				       wire_int *reply, struct error *err)
{
	return reply_bool(snapshot_is_current(call->reg,
					      wire_uuid_of(&args->dom), NULL,
					      args->flags, err),
			  reply);
}

int handle_domain_snapshot_is_current(struct call *call,
				      const wire_snap_flags *args,
				      wire_int *reply, struct error *err)
{
	return reply_bool(snapshot_is_current(call->reg,
					      wire_uuid_of(&args->snap.dom),
					      args->snap.name, args->flags,
					      err),
			  reply);
}

int handle_domain_snapshot_has_metadata(struct call *call,
					const wire_snap_flags *args,
					wire_int *reply, struct error *err)
{
	int r = snapshot_check(call->reg, wire_uuid_of(&args->snap.dom),
			       args->snap.name, args->flags, err);

	*reply = r == 0;
	return r;
}

int handle_domain_snapshot_lookup_by_name(struct call *call,
					  const wire_dom_str_flags *args,
					  wire_snapshot *reply,
					  struct error *err)
{
	int r = snapshot_check(call->reg, wire_uuid_of(&args->dom), args->str,
			       args->flags, err);

	if (r == 0)
		reply_moment(reply, &args->dom, args->str);
	return r;
}

int handle_domain_snapshot_current(struct call *call,
				   const wire_dom_flags *args,
				   wire_snapshot *reply, struct error *err)
{
	return reply_named_moment(reply, &args->dom,
			   snapshot_current(call->reg,
					    wire_uuid_of(&args->dom),
					    args->flags, err));
}

int handle_domain_snapshot_get_parent(struct call *call,
				      const wire_snap_flags *args,
				      wire_snapshot *reply, struct error *err)
{
	return reply_named_moment(reply, &args->snap.dom,
			   snapshot_parent(call->reg,
					   wire_uuid_of(&args->snap.dom),
					   args->snap.name, args->flags, err));
}

int handle_domain_snapshot_get_xml_desc(struct call *call,
					const wire_snap_flags *args,
					wire_str *reply, struct error *err)
{
	*reply = snapshot_xml(call->reg, wire_uuid_of(&args->snap.dom),
			      args->snap.name, args->flags, err);
	return *reply ? 0 : -ENOENT;
}

/* ---- changes ---- */

int handle_domain_snapshot_create_xml(struct call *call,
				      const wire_dom_str_flags *args,
				      wire_snapshot *reply, struct error *err)
{
	char *name = NULL;
	int r = snapshot_create(call->reg, wire_uuid_of(&args->dom), args->str,
				args->flags, &name, err);

	return r < 0 ? r : reply_named_moment(reply, &args->dom, name);
}

int handle_domain_revert_to_snapshot(struct call *call,
				     const wire_snap_flags *args,
				     struct error *err)
{
	return snapshot_revert(call->reg, wire_uuid_of(&args->snap.dom),
			       args->snap.name, args->flags, err);
}

int handle_domain_snapshot_delete(struct call *call,
				  const wire_snap_flags *args,
				  struct error *err)
{
	return snapshot_delete(call->reg, wire_uuid_of(&args->snap.dom),
			       args->snap.name, args->flags, err);
}
