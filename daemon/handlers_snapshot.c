/*
 * daemon/handlers_snapshot.c -- snapshots and checkpoints: none can be made
 * yet, so every domain's lists are empty and lookups find nothing.
 */
#include <libvirt/virterror.h>

#include "daemon/reply.h"

/* Only whether the domain exists. */
static int check_dom(struct call *call, const wire_dom *dom, struct error *err)
{
	struct domain_ref ref;

	return domain_lookup_uuid(call->reg, wire_uuid_of(dom), &ref, err);
}

int handle_domain_snapshot_num(struct call *call, const wire_dom_flags *args,
			       wire_int *reply, struct error *err)
{
	return check_dom(call, &args->dom, err);
}

int handle_domain_snapshot_list_names(struct call *call,
				      const wire_snap_names_args *args,
				      wire_names *reply, struct error *err)
{
	return check_dom(call, &args->dom, err);
}

int handle_domain_list_all_snapshots(struct call *call,
				     const wire_dom_list_args *args,
				     wire_snapshots *reply, struct error *err)
{
	return check_dom(call, &args->dom, err);
}

int handle_domain_has_current_snapshot(struct call *call,
				       const wire_dom_flags *args,
				       wire_int *reply, struct error *err)
{
	return check_dom(call, &args->dom, err);
}

int handle_domain_snapshot_lookup_by_name(struct call *call,
					  const wire_dom_str_flags *args,
					  wire_snapshot *reply,
					  struct error *err)
{
	int r = check_dom(call, &args->dom, err);

	return r < 0 ? r
		     : error_virt(err, VIR_ERR_NO_DOMAIN_SNAPSHOT,
				  "no domain snapshot with matching name '%s'",
				  args->str);
}

int handle_domain_snapshot_current(struct call *call,
				   const wire_dom_flags *args,
				   wire_snapshot *reply, struct error *err)
{
	int r = check_dom(call, &args->dom, err);

	return r < 0 ? r
		     : error_virt(err, VIR_ERR_NO_DOMAIN_SNAPSHOT, "%s",
				  "the domain does not have a current "
				  "snapshot");
}

int handle_domain_list_all_checkpoints(struct call *call,
				       const wire_dom_list_args *args,
				       wire_snapshots *reply, struct error *err)
{
	return check_dom(call, &args->dom, err);
}

int handle_domain_checkpoint_lookup_by_name(struct call *call,
					    const wire_dom_str_flags *args,
					    wire_snapshot *reply,
					    struct error *err)
{
	int r = check_dom(call, &args->dom, err);

	return r < 0 ? r
		     : error_virt(err, VIR_ERR_NO_DOMAIN_CHECKPOINT,
				  "no domain checkpoint with matching name "
				  "'%s'",
				  args->str);
}
