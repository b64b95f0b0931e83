/*
 * daemon/handlers_blockjob.c -- jobs on the images of a running domain's disks.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/reply.h"
#include "model/xml.h"

int handle_domain_block_job_abort(struct call *call,
				  const wire_dom_str_flags *args,
				  struct error *err)
{
	return domain_block_job_abort(call->reg, wire_uuid_of(&args->dom),
				      args->str, args->flags, err);
}

int handle_domain_get_block_job_info(struct call *call,
				     const wire_dom_str_flags *args,
				     wire_block_job_info *reply,
				     struct error *err)
{
	struct domain_block_job job = { 0 };
	int r = domain_block_job_info(call->reg, wire_uuid_of(&args->dom),
				      args->str, args->flags, &job, err);

	*reply = (wire_block_job_info){
		.found = r > 0,
		.type = job.type,
		.bandwidth = job.bandwidth,
		.cur = job.cur,
		.end = job.end,
	};
	return r < 0 ? r : 0;
}

int handle_domain_block_job_set_speed(struct call *call,
				      const wire_block_speed_args *args,
				      struct error *err)
{
	return domain_block_job_speed(call->reg, wire_uuid_of(&args->dom),
				      args->path, args->bandwidth,
				      args->flags, err);
}

int handle_domain_block_pull(struct call *call,
			     const wire_block_speed_args *args,
			     struct error *err)
{
	return domain_block_pull(call->reg, wire_uuid_of(&args->dom),
				 args->path, NULL, args->bandwidth,
				 args->flags, err);
}

/* An older way to begin a copy; its base is where that goes. */
static int rebase_copy(struct call *call, const wire_block_rebase_args *args,
		       struct error *err)
{
	bool bytes = args->flags & VIR_DOMAIN_BLOCK_REBASE_BANDWIDTH_BYTES;
	struct domain_block_copy to = {
		.file = opt(args->base),
		.format = args->flags & VIR_DOMAIN_BLOCK_REBASE_COPY_RAW ?
				  "raw" :
				  NULL,
		.is_device = args->flags & VIR_DOMAIN_BLOCK_REBASE_COPY_DEV,
	};
	unsigned int flags = 0;

	if (!to.file)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "a copy has to go somewhere");
	if (!bytes && args->bandwidth > INT64_MAX >> 20)
		return error_virt(err, VIR_ERR_OVERFLOW,
				  "bandwidth is too large");
	to.speed = bytes ? args->bandwidth : args->bandwidth << 20;
	if (args->flags & VIR_DOMAIN_BLOCK_REBASE_SHALLOW)
		flags |= VIR_DOMAIN_BLOCK_COPY_SHALLOW;
	if (args->flags & VIR_DOMAIN_BLOCK_REBASE_REUSE_EXT)
		flags |= VIR_DOMAIN_BLOCK_COPY_REUSE_EXT;
	return domain_block_copy(call->reg, wire_uuid_of(&args->dom),
				 args->path, &to, flags, err);
}

int handle_domain_block_rebase(struct call *call,
			       const wire_block_rebase_args *args,
			       struct error *err)
{
	if (args->flags & VIR_DOMAIN_BLOCK_REBASE_COPY)
		return rebase_copy(call, args, err);
	return domain_block_pull(call->reg, wire_uuid_of(&args->dom),
				 args->path, opt(args->base), args->bandwidth,
				 args->flags, err);
}

int handle_domain_block_commit(struct call *call,
			       const wire_block_commit_args *args,
			       struct error *err)
{
	return domain_block_commit(call->reg, wire_uuid_of(&args->dom),
				   args->disk, opt(args->base),
				   opt(args->top), args->bandwidth,
				   args->flags, err);
}

/* Of what else there may be the copy is not better. */
static int read_params(const wire_block_copy_args *args,
		       struct domain_block_copy *to, struct error *err)
{
	for (unsigned int i = 0; i < args->params.params_len; i++) {
		const wire_param *p = &args->params.params_val[i];

		if (str_eq(p->field, VIR_DOMAIN_BLOCK_COPY_GRANULARITY) ||
		    str_eq(p->field, VIR_DOMAIN_BLOCK_COPY_BUF_SIZE))
			continue;
		if (!str_eq(p->field, VIR_DOMAIN_BLOCK_COPY_BANDWIDTH) ||
		    p->value.type != VIR_TYPED_PARAM_ULLONG)
			return error_virt(err, VIR_ERR_INVALID_ARG,
					  "parameter '%s' is not supported or of another type",
					  p->field);
		to->speed = p->value.wire_value_u.ul;
	}
	return to->speed > INT64_MAX ?
		       error_virt(err, VIR_ERR_OVERFLOW,
				  "bandwidth is too large") :
		       0;
}

/* <disk type=><source file= or dev=/><driver type=/></disk> */
struct target {
	char *type, *file, *format;
};

static void target_finish(struct target *t)
{
	free(t->type);
	free(t->file);
	free(t->format);
}

static int read_target(const char *xml, struct target *t, struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	const xmlNode *root, *source, *driver;
	int r = xml_parse(xml, "disk", &doc, err);

	if (r < 0)
		return r;
	root = xmlDocGetRootElement(doc);
	source = xml_child(root, "source");
	driver = xml_child(root, "driver");
	t->type = xml_attr(root, "type");
	if (source)
		t->file = xml_attr(source, str_eq(t->type, "block") ? "dev" :
								      "file");
	if (driver)
		t->format = xml_attr(driver, "type");
	if (t->type && !str_eq(t->type, "file") && !str_eq(t->type, "block"))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "a copy cannot go to a disk of type '%s'",
				  t->type);
	return t->file ? 0 :
			 error_virt(err, VIR_ERR_XML_ERROR,
				    "the copy has no <source>");
}

int handle_domain_block_copy(struct call *call,
			     const wire_block_copy_args *args,
			     struct error *err)
{
	struct domain_block_copy to = { 0 };
	struct target t = { 0 };
	int r = read_params(args, &to, err);

	if (r == 0)
		r = read_target(args->xml, &t, err);
	to.file = t.file;
	to.format = t.format;
	to.is_device = str_eq(t.type, "block");
	if (r == 0)
		r = domain_block_copy(call->reg, wire_uuid_of(&args->dom),
				      args->path, &to, args->flags, err);
	target_finish(&t);
	return r;
}

/* ---- backups ---- */

int handle_domain_backup_begin(struct call *call,
			       const wire_backup_begin_args *args,
			       struct error *err)
{
	return domain_backup_begin(call->reg, wire_uuid_of(&args->dom),
				   args->xml, opt(args->checkpoint),
				   args->flags, err);
}

int handle_domain_backup_get_xml_desc(struct call *call,
				      const wire_dom_flags *args,
				      wire_str *reply, struct error *err)
{
	*reply = domain_backup_xml(call->reg, wire_uuid_of(&args->dom),
				   args->flags, err);
	return *reply ? 0 : -ENOENT;
}
