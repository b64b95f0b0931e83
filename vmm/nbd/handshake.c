/*
 * vmm/nbd/handshake.c -- what a client asks before it reads: which exports
 * there are, their sizes and contexts.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "storage/format/endian.h"
#include "vmm/nbd/nbd_priv.h"

#define NBDMAGIC 0x4e42444d41474943ull
#define IHAVEOPT 0x49484156454f5054ull
#define REPLY_MAGIC 0x0003e889045565a9ull

enum { FIXED_NEWSTYLE = 1, NO_ZEROES = 2 };
enum {
	OPT_EXPORT_NAME = 1,
	OPT_ABORT,
	OPT_LIST,
	OPT_INFO = 6,
	OPT_GO,
	OPT_STRUCTURED_REPLY,
	OPT_LIST_META_CONTEXT,
	OPT_SET_META_CONTEXT,
};
enum { REP_ACK = 1, REP_SERVER, REP_INFO, REP_META_CONTEXT };
#define REP_ERR_UNSUP 0x80000001u
#define REP_ERR_INVALID 0x80000003u
#define REP_ERR_UNKNOWN 0x80000006u
#define REP_ERR_TOO_BIG 0x80000009u
enum { INFO_EXPORT = 0, INFO_BLOCK_SIZE = 3 };
/* HAS_FLAGS, READ_ONLY, SEND_FLUSH, CAN_MULTI_CONN */
enum { EXPORT_FLAGS = 1 | 2 | 4 | 256 };
enum {
	OPTION_MAX = 65536, /* of data that are looked at */
	OPTIONS_MAX = 1000, /* nobody asks for ever */
	QUERIES_MAX = 256,
};

/* An option's data, as they are read. */
struct data {
	const uint8_t *at;
	uint32_t left;
};

static bool take(struct data *d, uint32_t n, const uint8_t **ret)
{
	if (d->left < n)
		return false;
	*ret = d->at;
	d->at += n;
	d->left -= n;
	return true;
}

static bool take_u32(struct data *d, uint32_t *ret)
{
	const uint8_t *p;

	if (!take(d, 4, &p))
		return false;
	*ret = get_be32(p);
	return true;
}

static bool take_u16(struct data *d, uint16_t *ret)
{
	const uint8_t *p;

	if (!take(d, 2, &p))
		return false;
	*ret = get_be16(p);
	return true;
}

struct text {
	const uint8_t *data;
	uint32_t len;
};

static bool take_text(struct data *d, struct text *ret)
{
	return take_u32(d, &ret->len) && ret->len <= NBD_NAME_MAX &&
	       take(d, ret->len, &ret->data);
}

static bool is_text(const struct text *t, const char *s)
{
	return strlen(s) == t->len && !memcmp(t->data, s, t->len);
}

static int reply(struct nbd_client *c, uint32_t option, uint32_t type,
		 const void *data, size_t len)
{
	uint8_t head[20];

	put_be64(head, REPLY_MAGIC);
	put_be32(head + 8, option);
	put_be32(head + 12, type);
	put_be32(head + 16, len);
	return nbd_send(c, head, sizeof(head), data, len);
}

static int ack(struct nbd_client *c, uint32_t option)
{
	return reply(c, option, REP_ACK, NULL, 0);
}

static int refuse(struct nbd_client *c, uint32_t option)
{
	return reply(c, option, REP_ERR_INVALID, NULL, 0);
}

/* No name: the first one. */
static const struct nbd_export *find(const struct nbd_client *c,
				     const struct text *name)
{
	const struct nbd_exports *e = c->exports;

	for (unsigned int i = 0; i < e->n; i++)
		if (!name->len || is_text(name, e->list[i].name))
			return &e->list[i];
	return NULL;
}

/* ---- the options ---- */

static int option_list(struct nbd_client *c, struct data *d)
{
	int r = 0;

	if (d->left)
		return refuse(c, OPT_LIST);
	for (unsigned int i = 0; i < c->exports->n && r == 0; i++) {
		const char *name = c->exports->list[i].name;
		uint8_t data[4 + NBD_NAME_MAX];
		size_t len = MIN(strlen(name), (size_t)NBD_NAME_MAX);

		put_be32(data, len);
		memcpy(data + 4, name, len);
		r = reply(c, OPT_LIST, REP_SERVER, data, 4 + len);
	}
	return r < 0 ? r : ack(c, OPT_LIST);
}

static int tell_export(struct nbd_client *c, uint32_t option,
		       const struct nbd_export *e)
{
	uint8_t data[12], sizes[14];
	int r;

	put_be16(data, INFO_EXPORT);
	put_be64(data + 2, e->size);
	put_be16(data + 10, EXPORT_FLAGS);
	put_be16(sizes, INFO_BLOCK_SIZE);
	put_be32(sizes + 2, 1);
	put_be32(sizes + 6, 65536);
	put_be32(sizes + 10, NBD_REQUEST_MAX);
	r = reply(c, option, REP_INFO, data, sizeof(data));
	return r < 0 ? r : reply(c, option, REP_INFO, sizes, sizeof(sizes));
}

/* What it wants to know besides is known or is not said. */
static bool skip_requests(struct data *d)
{
	uint16_t n;
	const uint8_t *unused;

	return take_u16(d, &n) && take(d, n * 2u, &unused) && !d->left;
}

/* 1: chosen. */
static int option_go(struct nbd_client *c, uint32_t option, struct data *d)
{
	const struct nbd_export *e;
	struct text name;
	int r;

	if (!take_text(d, &name) || !skip_requests(d))
		return refuse(c, option);
	e = find(c, &name);
	if (!e)
		return reply(c, option, REP_ERR_UNKNOWN, NULL, 0);
	r = tell_export(c, option, e);
	if (r == 0)
		r = ack(c, option);
	if (r < 0 || option == OPT_INFO)
		return r;
	c->export = e;
	return 1;
}

static int option_structured(struct nbd_client *c, struct data *d)
{
	if (d->left)
		return refuse(c, OPT_STRUCTURED_REPLY);
	c->structured = true;
	return ack(c, OPT_STRUCTURED_REPLY);
}

/* A list may be asked for by the beginning of names, to a colon. */
static bool matches(const struct text *query, const char *context, bool list)
{
	if (is_text(query, context))
		return true;
	return list && query->len && query->data[query->len - 1] == ':' &&
	       query->len < strlen(context) &&
	       !memcmp(query->data, context, query->len);
}

static int take_queries(struct data *d, const struct nbd_export *e, bool list,
			bool *wanted)
{
	struct text query;
	uint32_t n;

	if (!take_u32(d, &n) || n > QUERIES_MAX)
		return -EINVAL;
	for (unsigned int k = 0; k < e->n_contexts; k++)
		wanted[k] = list && !n;
	while (n--) {
		if (!take_text(d, &query))
			return -EINVAL;
		for (unsigned int k = 0; k < e->n_contexts; k++)
			wanted[k] |= matches(&query, e->contexts[k], list);
	}
	return d->left ? -EINVAL : 0;
}

static int tell_contexts(struct nbd_client *c, uint32_t option,
			 const struct nbd_export *e, const bool *wanted)
{
	int r = 0;

	for (unsigned int k = 0; k < e->n_contexts && r == 0; k++) {
		uint8_t data[4 + NBD_NAME_MAX];
		size_t len = MIN(strlen(e->contexts[k]),
				 (size_t)NBD_NAME_MAX);

		if (!wanted[k])
			continue;
		put_be32(data, option == OPT_LIST_META_CONTEXT ? 0 : k + 1);
		memcpy(data + 4, e->contexts[k], len);
		r = reply(c, option, REP_META_CONTEXT, data, 4 + len);
	}
	return r < 0 ? r : ack(c, option);
}

static int option_contexts(struct nbd_client *c, uint32_t option,
			   struct data *d)
{
	bool list = option == OPT_LIST_META_CONTEXT;
	bool wanted[NBD_CONTEXTS_MAX] = { false };
	const struct nbd_export *e;
	struct text name;

	if (!list)
		c->meta = NULL;
	if (!c->structured || !take_text(d, &name))
		return refuse(c, option);
	e = find(c, &name);
	if (!e)
		return reply(c, option, REP_ERR_UNKNOWN, NULL, 0);
	if (take_queries(d, e, list, wanted) < 0)
		return refuse(c, option);
	if (!list) {
		c->meta = e;
		memcpy(c->contexts, wanted, sizeof(wanted));
	}
	return tell_contexts(c, option, e, wanted);
}

/* The old way: no answer but the export, or the end. */
static int option_export_name(struct nbd_client *c, struct data *d)
{
	struct text name = { d->at, d->left };
	uint8_t data[10 + 124] = { 0 };
	int r;

	c->export = find(c, &name);
	if (!c->export)
		return -ENOENT;
	put_be64(data, c->export->size);
	put_be16(data + 8, EXPORT_FLAGS);
	r = nbd_send(c, data, c->no_zeroes ? 10 : sizeof(data), NULL, 0);
	return r < 0 ? r : 1;
}

static int run_option(struct nbd_client *c, uint32_t option, struct data *d)
{
	switch (option) {
	case OPT_EXPORT_NAME:
		return option_export_name(c, d);
	case OPT_ABORT:
		ack(c, option);
		return -ECONNRESET;
	case OPT_LIST:
		return option_list(c, d);
	case OPT_INFO:
	case OPT_GO:
		return option_go(c, option, d);
	case OPT_STRUCTURED_REPLY:
		return option_structured(c, d);
	case OPT_LIST_META_CONTEXT:
	case OPT_SET_META_CONTEXT:
		return option_contexts(c, option, d);
	default:
		return reply(c, option, REP_ERR_UNSUP, NULL, 0);
	}
}

static int next_option(struct nbd_client *c)
{
	uint32_t option, len;
	uint8_t head[16];
	struct data d;
	int r = nbd_receive(c, head, sizeof(head));

	if (r < 0)
		return r;
	if (get_be64(head) != IHAVEOPT)
		return -EPROTO;
	option = get_be32(head + 8);
	len = get_be32(head + 12);
	if (len > OPTION_MAX) {
		r = option == OPT_EXPORT_NAME ? -EPROTO : nbd_skip(c, len);
		return r < 0 ? r :
			       reply(c, option, REP_ERR_TOO_BIG, NULL, 0);
	}
	r = nbd_receive(c, c->buffer, len);
	d = (struct data){ c->buffer, len };
	return r < 0 ? r : run_option(c, option, &d);
}

int nbd_handshake(struct nbd_client *c)
{
	uint8_t hello[18], flags[4];
	int r;

	put_be64(hello, NBDMAGIC);
	put_be64(hello + 8, IHAVEOPT);
	put_be16(hello + 16, FIXED_NEWSTYLE | NO_ZEROES);
	r = nbd_send(c, hello, sizeof(hello), NULL, 0);
	if (r == 0)
		r = nbd_receive(c, flags, sizeof(flags));
	if (r < 0 || !(get_be32(flags) & FIXED_NEWSTYLE) ||
	    get_be32(flags) & ~(uint32_t)(FIXED_NEWSTYLE | NO_ZEROES))
		return -EPROTO;
	c->no_zeroes = get_be32(flags) & NO_ZEROES;
	for (unsigned int i = 0; i < OPTIONS_MAX && r == 0; i++)
		r = next_option(c);
	return r > 0 ? 0 : r < 0 ? r : -EPROTO;
}
