/*
 * daemon/migrate_p2p.c -- migration from daemon to daemon: the source's daemon
 * makes all five calls, those of the destination as its client.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/migrate_priv.h"
#include "daemon/peer.h"
#include "rpc/procs.h"

#define LOG_MODULE "migrate"
#include "base/log.h"

enum { PARAMS_MAX = 10 };

/* What the destination is asked for: the strings are others'. */
struct request {
	wire_param params[PARAMS_MAX];
	unsigned int n;
};

static void add(struct request *rq, const char *field, const char *value)
{
	wire_param *p = &rq->params[rq->n];

	if (!value)
		return;
	assert(rq->n < PARAMS_MAX);
	p->field = (char *)field;
	p->value.type = VIR_TYPED_PARAM_STRING;
	p->value.wire_value_u.s = (char *)value;
	rq->n++;
}

static void ask_for(struct request *rq, const struct migrate_args *args,
		    const char *xml)
{
	rq->n = 0;
	add(rq, VIR_MIGRATE_PARAM_URI, args->uri);
	add(rq, VIR_MIGRATE_PARAM_DEST_NAME, args->dname);
	add(rq, VIR_MIGRATE_PARAM_DEST_XML, xml);
	add(rq, VIR_MIGRATE_PARAM_LISTEN_ADDRESS, args->listen);
	add(rq, VIR_MIGRATE_PARAM_COMPRESSION, args->compression);
	if (args->flags & VIR_MIGRATE_OFFLINE)
		add(rq, VIR_MIGRATE_PARAM_PERSIST_XML, args->persist_xml);
}

static unsigned int flags_there(unsigned int flags)
{
	return flags & ~(VIR_MIGRATE_ABORT_ON_ERROR |
			 VIR_MIGRATE_AUTO_CONVERGE |
			 VIR_MIGRATE_CHANGE_PROTECTION);
}

static int cookie_in(const wire_cookie *c, struct migrate_cookie *ret,
		     struct error *err)
{
	return cookie_read(c->wire_cookie_val, c->wire_cookie_len, ret, err);
}

/* uri: in the request's answer, or what was asked for. */
static int call_prepare(struct peer *peer, const struct migrate_args *args,
			const char *xml, const struct migrate_cookie *from,
			struct migrate_cookie *ret, char **ret_uri,
			struct error *err)
{
	_cleanup_buf_ struct buf cookie = { 0 };
	wire_prepare3_params_args a = { .flags = flags_there(args->flags) };
	wire_prepare3 reply = { 0 };
	struct request rq;
	int r;

	ask_for(&rq, args, xml);
	cookie_write(from, &cookie);
	a.params.params_val = rq.params;
	a.params.params_len = rq.n;
	a.cookie.wire_cookie_val = cookie.data;
	a.cookie.wire_cookie_len = cookie.len;
	r = peer_call(peer, PROC_DOMAIN_MIGRATE_PREPARE3_PARAMS,
		      (xdrproc_t)xdr_wire_prepare3_params_args, &a,
		      (xdrproc_t)xdr_wire_prepare3, &reply, err);
	if (r == 0)
		r = cookie_in(&reply.cookie, ret, err);
	if (r == 0)
		*ret_uri = xstrdup(reply.uri ? *reply.uri : args->uri);
	body_free((xdrproc_t)xdr_wire_prepare3, &reply);
	return r;
}

static int call_finish(struct peer *peer, const struct migrate_args *args,
		       const char *name, const struct migrate_cookie *from,
		       bool cancelled, struct error *err)
{
	_cleanup_buf_ struct buf cookie = { 0 };
	wire_finish3_params_args a = { .flags = flags_there(args->flags),
				       .cancelled = cancelled };
	struct migrate_args named = *args;
	wire_finish3 reply = { 0 };
	struct request rq;
	int r;

	named.dname = args->dname ? args->dname : name;
	ask_for(&rq, &named, NULL);
	cookie_write(from, &cookie);
	a.params.params_val = rq.params;
	a.params.params_len = rq.n;
	a.cookie.wire_cookie_val = cookie.data;
	a.cookie.wire_cookie_len = cookie.len;
	r = peer_call(peer, PROC_DOMAIN_MIGRATE_FINISH3_PARAMS,
		      (xdrproc_t)xdr_wire_finish3_params_args, &a,
		      (xdrproc_t)xdr_wire_finish3, &reply, err);
	body_free((xdrproc_t)xdr_wire_finish3, &reply);
	return r;
}

/* From perform on; what fails first is what is told. */
static int go(struct registry *reg, const uint8_t uuid[UUID_LEN],
	      struct peer *peer, const struct migrate_args *args,
	      const char *name, const struct migrate_cookie *in,
	      struct error *err)
{
	struct migrate_cookie out = { 0 };
	struct error later = { 0 };
	int r = domain_migrate_perform(reg, uuid, args, in, &out, err);

	if (r < 0) {
		call_finish(peer, args, name, &out, true, &later);
		cookie_finish(&out);
		return r;
	}
	r = call_finish(peer, args, name, &out, false, err);
	cookie_finish(&out);
	if (domain_migrate_confirm(reg, uuid, args, r < 0, &later) < 0)
		log_warn("domain '%s': %s", name, later.message);
	return r;
}

static int with_peer(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct peer *peer, const struct migrate_args *args,
		     const char *name, struct error *err)
{
	struct migrate_cookie begun = { 0 }, prepared = { 0 };
	_cleanup_free_ char *xml = NULL, *uri = NULL;
	struct migrate_args there = *args;
	struct error ignored;
	int r = domain_migrate_begin(reg, uuid, args, &xml, &begun, err);

	if (r < 0)
		return r;
	r = call_prepare(peer, args, xml, &begun, &prepared, &uri, err);
	if (r == 0 && args->flags & VIR_MIGRATE_OFFLINE) {
		r = call_finish(peer, args, name, &prepared, false, err);
		if (domain_migrate_confirm(reg, uuid, args, r < 0,
					   &ignored) < 0)
			log_warn("domain '%s': %s", name, ignored.message);
	} else if (r == 0) {
		there.uri = uri;
		r = go(reg, uuid, peer, &there, name, &prepared, err);
	} else {
		domain_migrate_confirm(reg, uuid, args, true, &ignored);
	}
	cookie_finish(&begun);
	cookie_finish(&prepared);
	return r;
}

/* A guest that is paused is to be so there. */
static int look(struct registry *reg, const uint8_t uuid[UUID_LEN],
		char ret_name[256], bool *ret_paused, struct error *err)
{
	struct domain_info info;
	struct domain_ref ref;
	int r = domain_lookup_uuid(reg, uuid, &ref, err);

	if (r == 0)
		r = domain_get_info(reg, uuid, &info, err);
	if (r < 0)
		return r;
	snprintf(ret_name, 256, "%s", ref.name);
	*ret_paused = info.state == VIR_DOMAIN_PAUSED &&
		      info.reason != VIR_DOMAIN_PAUSED_POSTCOPY_FAILED;
	return 0;
}

int migrate_peer_to_peer(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 const struct migrate_args *args, struct error *err)
{
	struct migrate_args mine = *args;
	struct peer *peer;
	char name[256];
	bool paused = false;
	int r = migrate_check(args, err);

	if (r == 0)
		r = migrate_check_here(reg, err);
	if (r == 0)
		r = look(reg, uuid, name, &paused, err);
	if (r == 0)
		r = peer_open(reg->net, args->dconnuri, &peer, err);
	if (r < 0)
		return r;
	mine.flags |= VIR_MIGRATE_CHANGE_PROTECTION |
		      (paused ? VIR_MIGRATE_PAUSED : 0);
	r = with_peer(reg, uuid, peer, &mine, name, err);
	peer_close(peer);
	return r;
}
