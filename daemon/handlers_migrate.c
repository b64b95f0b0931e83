/*
 * daemon/handlers_migrate.c -- migration: version 3 of its protocol, with and
 * without typed parameters, which differ in how arguments arrive only.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/migrate.h"
#include "daemon/reply.h"

/* ---- arguments ---- */

static const struct {
	const char *name;
	int type;
	size_t offset; /* in struct migrate_args */
} known[] = {
#define STRING(name, member) \
	{ name, VIR_TYPED_PARAM_STRING, offsetof(struct migrate_args, member) }
#define INT(name, member) \
	{ name, VIR_TYPED_PARAM_INT, offsetof(struct migrate_args, member) }
	STRING(VIR_MIGRATE_PARAM_URI, uri),
	STRING(VIR_MIGRATE_PARAM_DEST_NAME, dname),
	STRING(VIR_MIGRATE_PARAM_DEST_XML, dxml),
	STRING(VIR_MIGRATE_PARAM_PERSIST_XML, persist_xml),
	STRING(VIR_MIGRATE_PARAM_LISTEN_ADDRESS, listen),
	STRING(VIR_MIGRATE_PARAM_COMPRESSION, compression),
	STRING(VIR_MIGRATE_PARAM_TLS_DESTINATION, tls_host),
	INT(VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL, throttle_first),
	INT(VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT, throttle_step),
	INT(VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, connections),
	{ VIR_MIGRATE_PARAM_BANDWIDTH, VIR_TYPED_PARAM_ULLONG,
	  offsetof(struct migrate_args, bandwidth) },
	{ VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY, VIR_TYPED_PARAM_ULLONG,
	  offsetof(struct migrate_args, bandwidth_postcopy) },
	/* Viewers are told by their own client where the guest is. */
	{ VIR_MIGRATE_PARAM_GRAPHICS_URI, VIR_TYPED_PARAM_STRING, SIZE_MAX },
#undef INT
#undef STRING
};

static void set_param(struct migrate_args *ret, size_t i, const wire_param *p)
{
	void *to = (char *)ret + known[i].offset;

	if (known[i].offset == SIZE_MAX)
		return;
	if (known[i].type == VIR_TYPED_PARAM_STRING)
		*(const char **)to = p->value.wire_value_u.s;
	else if (known[i].type == VIR_TYPED_PARAM_INT)
		*(unsigned int *)to = p->value.wire_value_u.i;
	else
		*(uint64_t *)to = p->value.wire_value_u.ul;
}

static int read_param(const wire_param *p, struct migrate_args *ret,
		      struct error *err)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(known) && !str_eq(known[i].name, p->field))
		i++;
	if (i == ARRAY_SIZE(known))
		return error_virt(err, VIR_ERR_ARGUMENT_UNSUPPORTED,
				  "migration parameter '%s' is not supported",
				  p->field);
	if (p->value.type != known[i].type)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "invalid type for parameter '%s'",
				  p->field);
	set_param(ret, i, p);
	return 0;
}

static int read_args(struct call *call, const wire_param *val, unsigned int n,
		     unsigned int flags, struct migrate_args *ret,
		     struct error *err)
{
	*ret = (struct migrate_args){ .flags = flags, .owner = call->session };
	for (unsigned int i = 0; i < n; i++) {
		int r = read_param(&val[i], ret, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int read_cookie(const wire_cookie *c, struct migrate_cookie *ret,
		       struct error *err)
{
	return cookie_read(c->wire_cookie_val, c->wire_cookie_len, ret, err);
}

static void reply_cookie(const struct migrate_cookie *c, wire_cookie *ret)
{
	struct buf data = { 0 };

	cookie_write(c, &data);
	ret->wire_cookie_len = data.len;
	ret->wire_cookie_val = buf_steal(&data);
}

/* ---- the calls ---- */

static int do_begin(struct call *call, const wire_dom *dom,
		    const struct migrate_args *args, wire_begin3 *reply,
		    struct error *err)
{
	struct migrate_cookie out = { 0 };
	int r = domain_migrate_begin(call->reg, wire_uuid_of(dom), args,
				     &reply->xml, &out, err);

	if (r == 0)
		reply_cookie(&out, &reply->cookie);
	cookie_finish(&out);
	return r;
}

static int do_prepare(struct call *call, const struct migrate_args *args,
		      const wire_cookie *cookie, wire_prepare3 *reply,
		      struct error *err)
{
	struct migrate_cookie in = { 0 }, out = { 0 };
	char *uri = NULL;
	int r = read_cookie(cookie, &in, err);

	if (r == 0)
		r = domain_migrate_prepare(call->reg, args, &in, &uri, &out,
					   err);
	if (r == 0) {
		reply_cookie(&out, &reply->cookie);
		reply->uri = xmalloc(sizeof(*reply->uri));
		*reply->uri = uri;
	} else {
		free(uri);
	}
	cookie_finish(&in);
	cookie_finish(&out);
	return r;
}

/* Nobody goes on from here, so there is no cookie: clients insist on none. */
static int do_peer_to_peer(struct call *call, const wire_dom *dom,
			   const struct migrate_args *args, struct error *err)
{
	return args->dconnuri ?
		       migrate_peer_to_peer(call->reg, wire_uuid_of(dom), args,
					    err) :
		       error_virt(err, VIR_ERR_INVALID_ARG,
				  "no URI of the destination was given");
}

static int do_perform(struct call *call, const wire_dom *dom,
		      const struct migrate_args *args,
		      const wire_cookie *cookie, wire_cookie *reply,
		      struct error *err)
{
	struct migrate_cookie in = { 0 }, out = { 0 };
	int r;

	if (args->flags & VIR_MIGRATE_PEER2PEER)
		return do_peer_to_peer(call, dom, args, err);
	r = read_cookie(cookie, &in, err);
	if (r == 0)
		r = domain_migrate_perform(call->reg, wire_uuid_of(dom), args,
					   &in, &out, err);
	if (r == 0)
		reply_cookie(&out, reply);
	cookie_finish(&in);
	cookie_finish(&out);
	return r;
}

static int do_finish(struct call *call, const struct migrate_args *args,
		     const wire_cookie *cookie, bool cancelled,
		     wire_finish3 *reply, struct error *err)
{
	struct migrate_cookie in = { 0 };
	struct domain_ref ref;
	int r = read_cookie(cookie, &in, err);

	if (r == 0)
		r = domain_migrate_finish(call->reg, args, &in, cancelled,
					  &ref, err);
	if (r == 0)
		reply_dom(&reply->dom, &ref);
	cookie_finish(&in);
	return r;
}

/* ---- with typed parameters ---- */

int handle_domain_migrate_begin3_params(struct call *call,
					const wire_begin3_params_args *args,
					wire_begin3 *reply, struct error *err)
{
	struct migrate_args a;
	int r = read_args(call, args->params.params_val,
			  args->params.params_len, args->flags, &a, err);

	return r < 0 ? r : do_begin(call, &args->dom, &a, reply, err);
}

int handle_domain_migrate_prepare3_params(
	struct call *call, const wire_prepare3_params_args *args,
	wire_prepare3 *reply, struct error *err)
{
	struct migrate_args a;
	int r = read_args(call, args->params.params_val,
			  args->params.params_len, args->flags, &a, err);

	return r < 0 ? r : do_prepare(call, &a, &args->cookie, reply, err);
}

int handle_domain_migrate_prepare_tunnel3_params(
	struct call *call, const wire_prepare3_params_args *args,
	wire_cookie *reply, struct error *err)
{
	wire_prepare3 prepared = { 0 };
	struct migrate_args a;
	int r = read_args(call, args->params.params_val,
			  args->params.params_len, args->flags, &a, err);

	a.flags |= VIR_MIGRATE_TUNNELLED;
	a.tunnel = &call->stream_fd;
	call->stream.patient = true;
	if (r == 0)
		r = do_prepare(call, &a, &args->cookie, &prepared, err);
	*reply = prepared.cookie;
	free(prepared.uri);
	return r;
}

int handle_domain_migrate_perform3_params(
	struct call *call, const wire_perform3_params_args *args,
	wire_cookie *reply, struct error *err)
{
	struct migrate_args a;
	int r = read_args(call, args->params.params_val,
			  args->params.params_len, args->flags, &a, err);

	if (r < 0)
		return r;
	a.dconnuri = opt(args->dconnuri);
	return do_perform(call, &args->dom, &a, &args->cookie, reply, err);
}

int handle_domain_migrate_finish3_params(struct call *call,
					 const wire_finish3_params_args *args,
					 wire_finish3 *reply, struct error *err)
{
	struct migrate_args a;
	int r = read_args(call, args->params.params_val,
			  args->params.params_len, args->flags, &a, err);

	return r < 0 ? r :
		       do_finish(call, &a, &args->cookie, args->cancelled,
				 reply, err);
}

int handle_domain_migrate_confirm3_params(
	struct call *call, const wire_confirm3_params_args *args,
	struct error *err)
{
	struct migrate_args a;
	int r = read_args(call, args->params.params_val,
			  args->params.params_len, args->flags, &a, err);

	return r < 0 ? r :
		       domain_migrate_confirm(call->reg,
					      wire_uuid_of(&args->dom), &a,
					      args->cancelled, err);
}

/* ---- without ---- */

int handle_domain_migrate_begin3(struct call *call,
				 const wire_begin3_args *args,
				 wire_begin3 *reply, struct error *err)
{
	struct migrate_args a = {
		.flags = args->flags,
		.dxml = opt(args->dxml),
		.dname = opt(args->dname),
		.bandwidth = args->bandwidth,
		.owner = call->session,
	};

	return do_begin(call, &args->dom, &a, reply, err);
}

int handle_domain_migrate_prepare3(struct call *call,
				   const wire_prepare3_args *args,
				   wire_prepare3 *reply, struct error *err)
{
	struct migrate_args a = {
		.flags = args->flags,
		.uri = opt(args->uri),
		.dname = opt(args->dname),
		.dxml = args->dxml,
		.owner = call->session,
	};

	return do_prepare(call, &a, &args->cookie, reply, err);
}

int handle_domain_migrate_perform3(struct call *call,
				   const wire_perform3_args *args,
				   wire_cookie *reply, struct error *err)
{
	struct migrate_args a = {
		.flags = args->flags,
		.dxml = opt(args->dxml),
		.dname = opt(args->dname),
		.uri = opt(args->uri),
		.dconnuri = opt(args->dconnuri),
		.bandwidth = args->bandwidth,
		.owner = call->session,
	};

	return do_perform(call, &args->dom, &a, &args->cookie, reply, err);
}

int handle_domain_migrate_finish3(struct call *call,
				  const wire_finish3_args *args,
				  wire_finish3 *reply, struct error *err)
{
	struct migrate_args a = {
		.flags = args->flags,
		.dname = args->dname,
		.owner = call->session,
	};

	return do_finish(call, &a, &args->cookie, args->cancelled, reply, err);
}

int handle_domain_migrate_confirm3(struct call *call,
				   const wire_confirm3_args *args,
				   struct error *err)
{
	struct migrate_args a = { .flags = args->flags,
				  .owner = call->session };

	return domain_migrate_confirm(call->reg, wire_uuid_of(&args->dom), &a,
				      args->cancelled, err);
}

/* ---- limits ---- */

static int speed_flags(const struct call *call, unsigned int flags,
		       enum migrate_limit *which, struct error *err)
{
	bool postcopy = flags & VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY;

	if (*which == MIGRATE_SPEED && postcopy)
		*which = MIGRATE_SPEED_POSTCOPY;
	return call_flags(call, flags,
			  *which == MIGRATE_DOWNTIME_MS ?
				  0 :
				  VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY,
			  err);
}

static int set_limit(struct call *call, const wire_dom_u64_flags *args,
		     enum migrate_limit which, struct error *err)
{
	uint64_t value = args->value;
	int r = speed_flags(call, args->flags, &which, err);

	return r < 0 ? r :
		       domain_migrate_limit(call->reg, wire_uuid_of(&args->dom),
					    which, true, &value, err);
}

static int get_limit(struct call *call, const wire_dom_flags *args,
		     enum migrate_limit which, wire_u64 *reply,
		     struct error *err)
{
	uint64_t value = 0;
	int r = speed_flags(call, args->flags, &which, err);

	if (r == 0)
		r = domain_migrate_limit(call->reg, wire_uuid_of(&args->dom),
					 which, false, &value, err);
	*reply = value;
	return r;
}

int handle_domain_migrate_set_max_speed(struct call *call,
					const wire_dom_u64_flags *args,
					struct error *err)
{
	return set_limit(call, args, MIGRATE_SPEED, err);
}

int handle_domain_migrate_get_max_speed(struct call *call,
					const wire_dom_flags *args,
					wire_u64 *reply, struct error *err)
{
	return get_limit(call, args, MIGRATE_SPEED, reply, err);
}

int handle_domain_migrate_set_max_downtime(struct call *call,
					   const wire_dom_u64_flags *args,
					   struct error *err)
{
	return set_limit(call, args, MIGRATE_DOWNTIME_MS, err);
}

int handle_domain_migrate_get_max_downtime(struct call *call,
					   const wire_dom_flags *args,
					   wire_u64 *reply, struct error *err)
{
	return get_limit(call, args, MIGRATE_DOWNTIME_MS, reply, err);
}

int handle_domain_migrate_start_post_copy(struct call *call,
					  const wire_dom_flags *args,
					  struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	return r < 0 ? r :
		       domain_migrate_start_postcopy(call->reg,
						     wire_uuid_of(&args->dom),
						     err);
}

/* Pages are compressed each for itself. */
static int no_cache(struct error *err)
{
	return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			  "compressed migration uses no cache here");
}

int handle_domain_migrate_get_compression_cache(struct call *call,
						const wire_dom_flags *args,
						wire_u64 *reply,
						struct error *err)
{
	return no_cache(err);
}

int handle_domain_migrate_set_compression_cache(struct call *call,
						const wire_dom_u64_flags *args,
						struct error *err)
{
	return no_cache(err);
}
