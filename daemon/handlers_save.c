/*
 * daemon/handlers_save.c -- saving domains, restoring them, and the jobs that
 * this is.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "daemon/reply.h"

/* ---- to a file and back ---- */

int handle_domain_save(struct call *call, const wire_dom_str *args,
		       struct error *err)
{
	return domain_save(call->reg, wire_uuid_of(&args->dom), args->str,
			   NULL, 0, err);
}

int handle_domain_save_flags(struct call *call,
			     const wire_save_flags_args *args,
			     struct error *err)
{
	return domain_save(call->reg, wire_uuid_of(&args->dom), args->to,
			   opt(args->dxml), args->flags, err);
}

int handle_domain_restore(struct call *call, const wire_str *args,
			  struct error *err)
{
	return domain_restore(call->reg, *args, NULL, 0, err);
}

int handle_domain_restore_flags(struct call *call,
				const wire_restore_flags_args *args,
				struct error *err)
{
	return domain_restore(call->reg, args->from, opt(args->dxml),
			      args->flags, err);
}

int handle_domain_core_dump(struct call *call, const wire_dom_str_flags *args,
			    struct error *err)
{
	return domain_core_dump(call->reg, wire_uuid_of(&args->dom), args->str,
				VIR_DOMAIN_CORE_DUMP_FORMAT_RAW, args->flags,
				err);
}

int handle_domain_core_dump_with_format(struct call *call,
					const wire_core_dump_args *args,
					struct error *err)
{
	return domain_core_dump(call->reg, wire_uuid_of(&args->dom), args->to,
				args->format, args->flags, err);
}

struct save_params {
	const char *file, *dxml;
};

static int read_param(const wire_param *p, struct save_params *ret,
		      struct error *err)
{
	bool file = str_eq(p->field, VIR_DOMAIN_SAVE_PARAM_FILE);

	if (!file && !str_eq(p->field, VIR_DOMAIN_SAVE_PARAM_DXML))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "parameter '%s' not supported", p->field);
	if (p->value.type != VIR_TYPED_PARAM_STRING)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "invalid type for parameter '%s', expected "
				  "string",
				  p->field);
	*(file ? &ret->file : &ret->dxml) = p->value.wire_value_u.s;
	return 0;
}

static int read_params(const wire_param *val, unsigned int n,
		       struct save_params *ret, struct error *err)
{
	for (unsigned int i = 0; i < n; i++) {
		int r = read_param(&val[i], ret, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int no_file(struct error *err)
{
	return error_virt(err, VIR_ERR_INVALID_ARG,
			  "parameter '%s' is missing",
			  VIR_DOMAIN_SAVE_PARAM_FILE);
}

/* Without a file it is a managed save. */
int handle_domain_save_params(struct call *call,
			      const wire_dom_params_flags *args,
			      struct error *err)
{
	const uint8_t *uuid = wire_uuid_of(&args->dom);
	struct save_params p = { 0 };
	int r = read_params(args->params.params_val, args->params.params_len,
			    &p, err);

	if (r < 0)
		return r;
	if (p.file)
		return domain_save(call->reg, uuid, p.file, p.dxml,
				   args->flags, err);
	if (p.dxml)
		return no_file(err);
	return domain_managed_save(call->reg, uuid, args->flags, err);
}

int handle_domain_restore_params(struct call *call,
				 const wire_params_flags *args,
				 struct error *err)
{
	struct save_params p = { 0 };
	int r = read_params(args->params.params_val, args->params.params_len,
			    &p, err);

	if (r < 0)
		return r;
	return p.file ? domain_restore(call->reg, p.file, p.dxml, args->flags,
				       err) :
			no_file(err);
}

static int reply_xml(char *xml, wire_str *reply)
{
	*reply = xml;
	return xml ? 0 : -EINVAL;
}

int handle_domain_save_image_get_xml_desc(struct call *call,
					  const wire_str_flags *args,
					  wire_str *reply, struct error *err)
{
	return reply_xml(domain_save_image_xml(call->reg, args->str,
					       args->flags, err),
			 reply);
}

int handle_domain_save_image_define_xml(struct call *call,
					const wire_str_str_flags *args,
					struct error *err)
{
	return domain_save_image_define(call->reg, args->str, args->other,
					args->flags, err);
}

/* ---- managed ---- */

int handle_domain_managed_save(struct call *call, const wire_dom_flags *args,
			       struct error *err)
{
	return domain_managed_save(call->reg, wire_uuid_of(&args->dom),
				   args->flags, err);
}

/* Both take no flags yet. */
static int check_no_flags(unsigned int flags, const char *function,
			  struct error *err)
{
	return flags ? error_virt(err, VIR_ERR_INVALID_ARG,
				  "unsupported flags (0x%x) in function %s",
				  flags, function) :
		       0;
}

int handle_domain_has_managed_save_image(struct call *call,
					 const wire_dom_flags *args,
					 wire_int *reply, struct error *err)
{
	int r = check_no_flags(args->flags, __func__, err);

	if (r == 0)
		r = domain_has_managed_save(call->reg,
					    wire_uuid_of(&args->dom), err);
	*reply = MAX(r, 0);
	return MIN(r, 0);
}

int handle_domain_managed_save_remove(struct call *call,
				      const wire_dom_flags *args,
				      struct error *err)
{
	int r = check_no_flags(args->flags, __func__, err);

	return r < 0 ? r :
		       domain_managed_save_remove(
			       call->reg, wire_uuid_of(&args->dom), err);
}

int handle_domain_managed_save_get_xml_desc(struct call *call,
					    const wire_dom_flags *args,
					    wire_str *reply, struct error *err)
{
	return reply_xml(domain_managed_save_xml(call->reg,
						 wire_uuid_of(&args->dom),
						 args->flags, err),
			 reply);
}

int handle_domain_managed_save_define_xml(struct call *call,
					  const wire_dom_optstr_flags *args,
					  struct error *err)
{
	return domain_managed_save_define(call->reg, wire_uuid_of(&args->dom),
					  opt(args->str), args->flags, err);
}

/* ---- jobs ---- */

static uint64_t ms(uint64_t ns)
{
	return ns / 1000000;
}

/* 1: there is one; 0: there is none.  flags: of virDomainGetJobStats(). */
static int find_job(struct call *call, const wire_dom *dom, unsigned int flags,
		    struct domain_job *ret_job, int *ret_type,
		    struct error *err)
{
	int r = domain_job_info(call->reg, wire_uuid_of(dom),
				flags & VIR_DOMAIN_JOB_STATS_COMPLETED,
				flags & VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED,
				ret_job, err);

	if (r < 0)
		return r;
	*ret_type = ret_job->type;
	return ret_job->type != VIR_DOMAIN_JOB_NONE;
}

/* As in virDomainJobInfo: elapsed, remaining; data, memory, file: total,
 * processed, remaining. */
int handle_domain_get_job_info(struct call *call, const wire_dom *args,
			       wire_job_info *reply, struct error *err)
{
	struct domain_job job;
	const struct domain_progress *p = &job.progress;
	int r = find_job(call, args, VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED, &job,
			 &reply->type, err);

	if (r <= 0)
		return r;
	reply->counters[0] = ms(p->elapsed_ns);
	for (unsigned int i = 2; i <= 8; i += 3) {
		if (i != 2 && (i == 8) != job.of_disks)
			continue;
		reply->counters[i] = p->total;
		reply->counters[i + 1] = p->done;
		reply->counters[i + 2] = p->total - MIN(p->done, p->total);
	}
	return 0;
}

static void reply_disks(struct params *out, const struct domain_job *job)
{
	const struct domain_progress *p = &job->progress;

	params_ullong(out, p->total, VIR_DOMAIN_JOB_DISK_TOTAL);
	params_ullong(out, p->done, VIR_DOMAIN_JOB_DISK_PROCESSED);
	params_ullong(out, p->total - MIN(p->done, p->total),
		      VIR_DOMAIN_JOB_DISK_REMAINING);
	if (job->type != VIR_DOMAIN_JOB_UNBOUNDED)
		params_bool(out, !job->ended_badly, VIR_DOMAIN_JOB_SUCCESS);
}

void reply_job(struct params *out, const struct domain_job *job)
{
	const struct domain_progress *p = &job->progress;
	uint64_t left = p->total - MIN(p->done, p->total);

	params_int(out, job->operation, VIR_DOMAIN_JOB_OPERATION);
	params_ullong(out, ms(p->elapsed_ns), VIR_DOMAIN_JOB_TIME_ELAPSED);
	if (job->of_disks) {
		reply_disks(out, job);
		return;
	}
	if (p->downtime_ns)
		params_ullong(out, ms(p->downtime_ns),
			      VIR_DOMAIN_JOB_DOWNTIME);
	params_ullong(out, p->total, VIR_DOMAIN_JOB_DATA_TOTAL);
	params_ullong(out, p->done, VIR_DOMAIN_JOB_DATA_PROCESSED);
	params_ullong(out, left, VIR_DOMAIN_JOB_DATA_REMAINING);
	params_ullong(out, p->total, VIR_DOMAIN_JOB_MEMORY_TOTAL);
	params_ullong(out, p->done, VIR_DOMAIN_JOB_MEMORY_PROCESSED);
	params_ullong(out, left, VIR_DOMAIN_JOB_MEMORY_REMAINING);
	params_ullong(out, p->zero, VIR_DOMAIN_JOB_MEMORY_CONSTANT);
	params_ullong(out, p->normal, VIR_DOMAIN_JOB_MEMORY_NORMAL);
	params_ullong(out, p->normal * 4096,
		      VIR_DOMAIN_JOB_MEMORY_NORMAL_BYTES);
	if (p->bps)
		params_ullong(out, p->bps, VIR_DOMAIN_JOB_MEMORY_BPS);
	if (p->iterations) {
		params_ullong(out, p->dirty_rate,
			      VIR_DOMAIN_JOB_MEMORY_DIRTY_RATE);
		params_ullong(out, p->iterations,
			      VIR_DOMAIN_JOB_MEMORY_ITERATION);
		params_ullong(out, 4096, VIR_DOMAIN_JOB_MEMORY_PAGE_SIZE);
		params_int(out, (int)p->throttle,
			   VIR_DOMAIN_JOB_AUTO_CONVERGE_THROTTLE);
	}
}

int handle_domain_get_job_stats(struct call *call, const wire_dom_flags *args,
				wire_job_stats *reply, struct error *err)
{
	unsigned int known = VIR_DOMAIN_JOB_STATS_COMPLETED |
			     VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED;
	struct params out = { 0 };
	struct domain_job job;
	int r = args->flags & ~known ?
			check_no_flags(args->flags & ~known, __func__, err) :
			0;

	if (r == 0)
		r = find_job(call, &args->dom, args->flags, &job, &reply->type,
			     err);
	if (r <= 0)
		return r;
	reply_job(&out, &job);
	reply->params.params_val = out.val;
	reply->params.params_len = out.len;
	return 0;
}

int handle_domain_abort_job(struct call *call, const wire_dom *args,
			    struct error *err)
{
	return domain_abort_job(call->reg, wire_uuid_of(args), 0, err);
}

int handle_domain_abort_job_flags(struct call *call, const wire_dom_flags *args,
				  struct error *err)
{
	return domain_abort_job(call->reg, wire_uuid_of(&args->dom),
				args->flags, err);
}
