/*
 * daemon/migrate_p2p.c -- migration from daemon to daemon: the source's daemon
 * makes all five calls, those of the destination as its client.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdatomic.h>
#include <string.h>

#include "daemon/carrier.h"
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

static int ask_prepare(struct peer *peer, int proc,
		       const struct migrate_args *args, const char *xml,
		       const struct migrate_cookie *from, xdrproc_t type,
		       void *reply, struct error *err)
{
	_cleanup_buf_ struct buf cookie = { 0 };
	wire_prepare3_params_args a = { .flags = flags_there(args->flags) };
	struct request rq;

	ask_for(&rq, args, xml);
	cookie_write(from, &cookie);
	a.params.params_val = rq.params;
	a.params.params_len = rq.n;
	a.cookie.wire_cookie_val = cookie.data;
	a.cookie.wire_cookie_len = cookie.len;
	return peer_call(peer, proc, (xdrproc_t)xdr_wire_prepare3_params_args,
			 &a, type, reply, err);
}

/* ---- a tunnel ---- */

/* A connection of its own: the thread that carries it, and we, let go of it. */
struct tunnel {
	struct peer *peer;
	atomic_uint refs;
};

static void tunnel_unref(struct tunnel *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) > 1)
		return;
	if (t->peer)
		peer_close(t->peer);
	free(t);
}

static ssize_t tunnel_read(void *far, void *data, size_t len)
{
	return peer_stream_read(((struct tunnel *)far)->peer, data, len);
}

static ssize_t tunnel_write(void *far, const void *data, size_t len)
{
	return peer_stream_write(((struct tunnel *)far)->peer, data, len);
}

static bool tunnel_more(void *far)
{
	return peer_stream_more(((struct tunnel *)far)->peer);
}

/* The connection stays: a guest that is about to run ends with it. */
static void tunnel_end(void *far)
{
	tunnel_unref(far);
}

static const struct carrier_ops tunnel_ops = {
	.read = tunnel_read,
	.write = tunnel_write,
	.more = tunnel_more,
	.end = tunnel_end,
};

static int open_tunnel(struct registry *reg, const struct migrate_args *args,
		       const char *xml, const struct migrate_cookie *from,
		       struct migrate_cookie *ret, struct tunnel **ret_tunnel,
		       int *ret_fd, struct error *err)
{
	struct tunnel *t = xcalloc(1, sizeof(*t));
	wire_cookie reply = { 0 };
	int r = peer_open(reg->net, args->dconnuri, &t->peer, err);

	atomic_init(&t->refs, 1);
	if (r == 0)
		r = ask_prepare(t->peer,
				PROC_DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS,
				args, xml, from, (xdrproc_t)xdr_wire_cookie,
				&reply, err);
	if (r == 0)
		r = cookie_in(&reply, ret, err);
	body_free((xdrproc_t)xdr_wire_cookie, &reply);
	if (r == 0) {
		atomic_fetch_add(&t->refs, 1);
		r = carrier_start(&tunnel_ops, t, peer_fd(t->peer), ret_fd,
				  err);
	}
	if (r < 0)
		tunnel_unref(t);
	else
		*ret_tunnel = t;
	return r;
}

/* ---- the calls ---- */

/* uri: in the request's answer, or what was asked for. */
static int call_prepare(struct peer *peer, const struct migrate_args *args,
			const char *xml, const struct migrate_cookie *from,
			struct migrate_cookie *ret, char **ret_uri,
			struct error *err)
{
	wire_prepare3 reply = { 0 };
	int r = ask_prepare(peer, PROC_DOMAIN_MIGRATE_PREPARE3_PARAMS, args,
			    xml, from, (xdrproc_t)xdr_wire_prepare3, &reply,
			    err);

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
	struct tunnel *tunnel = NULL;
	_cleanup_close_ int fd = -1;
	struct error ignored;
	int r = domain_migrate_begin(reg, uuid, args, &xml, &begun, err);

	if (r < 0)
		return r;
	if (args->flags & VIR_MIGRATE_TUNNELLED) {
		there.tunnel = &fd;
		r = open_tunnel(reg, args, xml, &begun, &prepared, &tunnel,
				&fd, err);
	} else {
		r = call_prepare(peer, args, xml, &begun, &prepared, &uri,
				 err);
	}
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
	tunnel_unref(tunnel);
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
