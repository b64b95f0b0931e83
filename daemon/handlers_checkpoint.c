/*
 * daemon/handlers_checkpoint.c -- procedures about checkpoints.
 */
#include <errno.h>

#include "daemon/checkpoint.h"
#include "daemon/reply_moment.h"
#include "daemon/snapshot.h"

static int list_all(struct call *call, const wire_dom *dom, const char *of,
		    bool wanted, unsigned int flags, wire_snapshots *reply,
		    struct error *err)
{
	char **names;
	unsigned int n;
	int r = checkpoint_names(call->reg, wire_uuid_of(dom), of, flags,
				 &names, &n, err);

	if (r < 0)
		return r;
	reply_moments(reply, dom, names, n, wanted);
	snapshot_names_free(names, n);
	return 0;
}

int handle_domain_list_all_checkpoints(struct call *call,
				       const wire_dom_list_args *args,
				       wire_snapshots *reply, struct error *err)
{
	return list_all(call, &args->dom, NULL, args->need_results,
			args->flags, reply, err);
}

int handle_domain_checkpoint_list_all_children(
	struct call *call, const wire_snap_children_args *args,
	wire_snapshots *reply, struct error *err)
{
	return list_all(call, &args->snap.dom, args->snap.name, args->max,
			args->flags, reply, err);
}

int handle_domain_checkpoint_lookup_by_name(struct call *call,
					    const wire_dom_str_flags *args,
					    wire_snapshot *reply,
					    struct error *err)
{
	int r = checkpoint_check(call->reg, wire_uuid_of(&args->dom),
				 args->str, args->flags, err);

	if (r == 0)
		reply_moment(reply, &args->dom, args->str);
	return r;
}

int handle_domain_checkpoint_get_parent(struct call *call,
					const wire_snap_flags *args,
					wire_snapshot *reply,
					struct error *err)
{
	return reply_named_moment(
		reply, &args->snap.dom,
		checkpoint_parent(call->reg, wire_uuid_of(&args->snap.dom),
				  args->snap.name, args->flags, err));
}

int handle_domain_checkpoint_get_xml_desc(struct call *call,
					  const wire_snap_flags *args,
					  wire_str *reply, struct error *err)
{
	*reply = checkpoint_xml(call->reg, wire_uuid_of(&args->snap.dom),
				args->snap.name, args->flags, err);
	return *reply ? 0 : -ENOENT;
}

int handle_domain_checkpoint_create_xml(struct call *call,
					const wire_dom_str_flags *args,
					wire_snapshot *reply,
					struct error *err)
{
	char *name = NULL;
	int r = checkpoint_create(call->reg, wire_uuid_of(&args->dom),
				  args->str, args->flags, &name, err);

	return r < 0 ? r : reply_named_moment(reply, &args->dom, name);
}

int handle_domain_checkpoint_delete(struct call *call,
				    const wire_snap_flags *args,
				    struct error *err)
{
	return checkpoint_delete(call->reg, wire_uuid_of(&args->snap.dom),
				 args->snap.name, args->flags, err);
}
