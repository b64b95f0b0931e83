/*
 * vmm/nbd/requests.c -- what a client reads, and what it asks about places.
 *
 * One request at a time, in their order: a client that wants more connects
 * more often.
 */
#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "storage/format/endian.h"
#include "vmm/nbd/nbd_priv.h"

#define REQUEST_MAGIC 0x25609513u
#define SIMPLE_MAGIC 0x67446698u
#define STRUCTURED_MAGIC 0x668e33efu

enum { CMD_READ, CMD_WRITE, CMD_DISC, CMD_FLUSH, CMD_BLOCK_STATUS = 7 };
enum { FLAG_REQ_ONE = 8 };
enum { CHUNK_NONE, CHUNK_OFFSET_DATA, CHUNK_OFFSET_HOLE,
       CHUNK_BLOCK_STATUS = 5, CHUNK_ERROR = 0x8001 };
enum { CHUNK_DONE = 1 };
enum { EXTENTS_MAX = 4096 };

struct request {
	uint16_t flags, type;
	uint8_t cookie[8];
	uint64_t offset;
	uint32_t length;
};

/* The protocol has numbers of its own for errors, Linux's. */
static uint32_t wire_error(int r)
{
	switch (-r) {
	case EPERM:
	case ENOMEM:
	case EINVAL:
	case ENOTSUP:
		return -r;
	case ENODEV:
	case ESHUTDOWN:
		return 108;
	default:
		return EIO;
	}
}

static int send_simple(struct nbd_client *c, const struct request *req,
		       int result)
{
	uint8_t head[16];

	put_be32(head, SIMPLE_MAGIC);
	put_be32(head + 4, result < 0 ? wire_error(result) : 0);
	memcpy(head + 8, req->cookie, 8);
	return nbd_send(c, head, sizeof(head), NULL, 0);
}

enum { HEAD = 20, CHUNK_HEAD_MAX = HEAD + 12 };

/* The n bytes after head are the chunk's, and then data. */
static int send_chunk(struct nbd_client *c, const struct request *req,
		      unsigned int flags, unsigned int type,
		      uint8_t head[CHUNK_HEAD_MAX], size_t n, const void *data,
		      size_t len)
{
	put_be32(head, STRUCTURED_MAGIC);
	put_be16(head + 4, flags);
	put_be16(head + 6, type);
	memcpy(head + 8, req->cookie, 8);
	put_be32(head + 16, n + len);
	return nbd_send(c, head, HEAD + n, data, len);
}

static int send_error(struct nbd_client *c, const struct request *req,
		      int result)
{
	uint8_t head[CHUNK_HEAD_MAX];

	if (!c->structured)
		return send_simple(c, req, result);
	put_be32(head + HEAD, wire_error(result));
	put_be16(head + HEAD + 4, 0);
	return send_chunk(c, req, CHUNK_DONE, CHUNK_ERROR, head, 6, NULL, 0);
}

static int check_range(const struct nbd_client *c, const struct request *req)
{
	uint64_t size = c->export->size;

	return !req->length || req->offset > size ||
			       req->length > size - req->offset ?
		       -EINVAL :
		       0;
}

/* ---- reading ---- */

static int look(struct nbd_client *c, unsigned int context, uint64_t offset,
		uint64_t length, struct nbd_extent *ret)
{
	const struct nbd_export *e = c->export;
	int r = e->extent(e->arg, context, offset, length, ret);

	if (r == 0 && !ret->length)
		r = -EIO;
	ret->length = MIN(ret->length, length);
	return r;
}

/* So much at a place, or less; zeroes are not sent. */
static int send_piece(struct nbd_client *c, const struct request *req,
		      uint64_t offset, uint32_t max, uint32_t *ret_length)
{
	uint8_t head[CHUNK_HEAD_MAX];
	struct nbd_extent e;
	bool zero;
	int r = look(c, 0, offset, max, &e);

	if (r < 0)
		return send_error(c, req, r), r;
	zero = e.flags & NBD_ZERO;
	*ret_length = zero ? e.length : MIN(e.length, (uint64_t)NBD_CHUNK);
	put_be64(head + HEAD, offset);
	put_be32(head + HEAD + 8, *ret_length);
	if (zero)
		return send_chunk(c, req, 0, CHUNK_OFFSET_HOLE, head, 12, NULL,
				  0);
	r = c->export->read(c->export->arg, c->buffer, offset, *ret_length);
	if (r < 0)
		return send_error(c, req, r), r;
	return send_chunk(c, req, 0, CHUNK_OFFSET_DATA, head, 8, c->buffer,
			  *ret_length);
}

static int read_structured(struct nbd_client *c, const struct request *req)
{
	uint8_t head[CHUNK_HEAD_MAX];
	uint32_t n = 0;

	for (uint32_t done = 0; done < req->length; done += n) {
		int r = send_piece(c, req, req->offset + done,
				   req->length - done, &n);

		/* The client was told, if it is still there. */
		if (r < 0)
			return 0;
	}
	return send_chunk(c, req, CHUNK_DONE, CHUNK_NONE, head, 0, NULL, 0);
}

static int read_part(struct nbd_client *c, const struct request *req,
		     uint32_t done)
{
	return c->export->read(c->export->arg, c->buffer, req->offset + done,
			       MIN(req->length - done, (uint32_t)NBD_CHUNK));
}

/* Once it began there is no way to tell of an error but to go. */
static int read_simple(struct nbd_client *c, const struct request *req)
{
	int r = read_part(c, req, 0);

	if (r < 0)
		return send_simple(c, req, r);
	r = send_simple(c, req, 0);
	for (uint32_t done = 0; done < req->length && r == 0;
	     done += NBD_CHUNK) {
		if (done)
			r = read_part(c, req, done);
		if (r == 0)
			r = nbd_send(c, c->buffer,
				     MIN(req->length - done,
					 (uint32_t)NBD_CHUNK),
				     NULL, 0);
	}
	return r;
}

static int run_read(struct nbd_client *c, const struct request *req)
{
	int r = check_range(c, req);

	if (r == 0 && (req->flags || req->length > NBD_REQUEST_MAX))
		r = -EINVAL;
	if (r < 0)
		return send_error(c, req, r);
	return c->structured ? read_structured(c, req) : read_simple(c, req);
}

/* ---- what is where ---- */

/* Neighbours that are alike are one. */
static int collect(struct nbd_client *c, unsigned int context,
		   const struct request *req, size_t *ret_len)
{
	uint8_t *out = c->buffer + 4;
	unsigned int n = 0, max = req->flags & FLAG_REQ_ONE ? 1 : EXTENTS_MAX;
	struct nbd_extent e = { 0 };
	int r = 0;

	for (uint32_t done = 0; done < req->length; done += e.length) {
		r = look(c, context, req->offset + done, req->length - done,
			 &e);
		if (r < 0)
			return r;
		if (n && get_be32(out + n * 8 - 4) == e.flags) {
			put_be32(out + n * 8 - 8,
				 get_be32(out + n * 8 - 8) + e.length);
			continue;
		}
		if (n == max)
			break;
		put_be32(out + n * 8, e.length);
		put_be32(out + n * 8 + 4, e.flags);
		n++;
	}
	put_be32(c->buffer, context + 1);
	*ret_len = 4 + n * 8;
	return 0;
}

static int run_block_status(struct nbd_client *c, const struct request *req)
{
	uint8_t head[CHUNK_HEAD_MAX];
	unsigned int last = NBD_CONTEXTS_MAX;
	int r = check_range(c, req);
	size_t len;

	for (unsigned int i = 0; i < NBD_CONTEXTS_MAX; i++)
		if (c->meta == c->export && c->contexts[i])
			last = i;
	if (r == 0 && (last == NBD_CONTEXTS_MAX || !c->structured ||
		       req->flags & ~FLAG_REQ_ONE))
		r = -EINVAL;
	for (unsigned int i = 0; i <= last && r == 0; i++) {
		if (!c->contexts[i])
			continue;
		r = collect(c, i, req, &len);
		if (r == 0 && send_chunk(c, req, i == last ? CHUNK_DONE : 0,
					 CHUNK_BLOCK_STATUS, head, 0,
					 c->buffer, len) < 0)
			return -EPIPE;
	}
	return r < 0 ? send_error(c, req, r) : 0;
}

/* ---- all of it ---- */

static int receive(struct nbd_client *c, struct request *ret)
{
	uint8_t head[28];
	int r = nbd_receive(c, head, sizeof(head));

	if (r < 0)
		return r;
	if (get_be32(head) != REQUEST_MAGIC)
		return -EPROTO;
	ret->flags = get_be16(head + 4);
	ret->type = get_be16(head + 6);
	memcpy(ret->cookie, head + 8, 8);
	ret->offset = get_be64(head + 16);
	ret->length = get_be32(head + 24);
	return 0;
}

static int run(struct nbd_client *c, const struct request *req)
{
	switch (req->type) {
	case CMD_READ:
		return run_read(c, req);
	case CMD_WRITE: /* its data come after it */
		if (req->length > NBD_REQUEST_MAX ||
		    nbd_skip(c, req->length) < 0)
			return -EPROTO;
		return send_error(c, req, -EPERM);
	case CMD_DISC:
		return -ECONNRESET;
	case CMD_FLUSH:
		return send_simple(c, req, 0);
	case CMD_BLOCK_STATUS:
		return run_block_status(c, req);
	default:
		return send_error(c, req, -EINVAL);
	}
}

void nbd_serve(struct nbd_client *c)
{
	struct request req;

	while (receive(c, &req) == 0 && run(c, &req) == 0)
		;
}
