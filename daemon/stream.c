/*
 * daemon/stream.c -- streams: bytes between a client and a descriptor.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include <libvirt/virterror.h>

#include "base/buf.h"
#include "base/error.h"
#include "daemon/server_priv.h"
#include "daemon/session.h"
#include "daemon/stream.h"
#include "daemon/transfer.h"

/* What may wait for a descriptor that takes nothing: a console left alone. */
enum { STREAM_PENDING_MAX = 4 * 1024 * 1024, STREAM_FULL = 1024 * 1024 };

struct stream {
	struct stream *next;
	struct session *session;
	wire_header header; /* of its packets, apart from status */
	int fd;
	dev_t tty; /* of the terminal behind fd, or 0 */
	sd_event_source *io;
	struct buf pending; /* from the client, for fd */
	size_t written;	    /* of pending */
	bool ended;	    /* fd gave end of file */
	bool finishing;	    /* the client said OK; pending comes first */
	bool patient, full;
	bool packets; /* both ways; pending has their lengths in front */
};

static void stream_send(struct stream *st, int status, const void *data,
			size_t len)
{
	wire_header h = st->header;

	h.status = status;
	session_send(st->session, packet_create_raw(&h, data, len));
}

static void stream_free(struct stream *st)
{
	sd_event_source_disable_unref(st->io);
	fd_close(st->fd);
	buf_free(&st->pending);
	free(st);
}

/* May take more of the client's messages, and so end the stream. */
static void stream_set_full(struct stream *st, bool full)
{
	if (!st->patient || st->full == full)
		return;
	st->full = full;
	session_hold_input(st->session, full ? 1 : -1);
}

static void stream_check_full(struct stream *st)
{
	stream_set_full(st, st->pending.len - st->written > STREAM_FULL);
}

static void stream_unlink(struct stream *st)
{
	struct stream **p = &st->session->streams;

	while (*p != st)
		p = &(*p)->next;
	*p = st->next;
	st->session->n_streams--;
	stream_set_full(st, false);
}

/* Ends a stream with the confirmation that the client waits for. */
static void stream_confirm(struct stream *st)
{
	stream_unlink(st);
	stream_send(st, FRAME_OK, NULL, 0);
	stream_free(st);
}

static void stream_fail(struct stream *st, const char *why)
{
	struct error err = { .code = VIR_ERR_OPERATION_FAILED,
			     .domain = VIR_FROM_STREAMS };

	snprintf(err.message, sizeof(err.message), "%s", why);
	stream_unlink(st);
	session_send_error(st->session, &st->header, &err, 0);
	stream_free(st);
}

static void stream_update_io(struct stream *st)
{
	uint32_t events = 0;

	if (!st->ended && st->session->out_bytes < SESSION_OUT_HIGH)
		events |= EPOLLIN;
	if (st->written < st->pending.len)
		events |= EPOLLOUT;
	(void)sd_event_source_set_io_events(st->io, events);
	/* A hang-up is reported whatever was asked for, so do not ask. */
	(void)sd_event_source_set_enabled(st->io,
					  events ? SD_EVENT_ON : SD_EVENT_OFF);
}

void stream_update(struct session *s)
{
	for (struct stream *st = s->streams; st; st = st->next)
		stream_update_io(st);
}

/* ---- towards the client ---- */

static void stream_end_of_file(struct stream *st)
{
	st->ended = true;
	stream_send(st, FRAME_CONTINUE, NULL, 0);
}

static void stream_send_hole(struct stream *st, int64_t length)
{
	wire_header h = st->header;
	wire_hole hole = { length, 0 };

	h.type = FRAME_STREAM_HOLE;
	h.status = FRAME_CONTINUE;
	session_send(st->session,
		     packet_create(&h, (xdrproc_t)xdr_wire_hole, &hole));
}

/* Passes on what a transfer says; the stream may be no more after it. */
static void stream_relay(struct stream *st, const struct transfer_packet *p,
			 size_t len)
{
	/* A client that has finished wants no more of it. */
	if (st->finishing && p->type < TRANSFER_END)
		return;
	switch (p->type) {
	case TRANSFER_DATA:
		stream_send(st, FRAME_CONTINUE, p->data, len);
		break;
	case TRANSFER_HOLE:
		stream_send_hole(st, p->hole);
		break;
	case TRANSFER_END:
		if (st->finishing)
			stream_confirm(st);
		else
			stream_end_of_file(st);
		break;
	default:
		stream_fail(st, p->text);
	}
}

static void stream_read_packet(struct stream *st)
{
	_cleanup_free_ struct transfer_packet *p = xmalloc(sizeof(*p));
	size_t len = 0;
	int r = transfer_receive(st->fd, p, &len);

	if (r == 0)
		stream_relay(st, p, len);
	else if (r != -EAGAIN)
		stream_fail(st, "the transfer of the volume broke off");
}

/* The transfer takes no more: what it says of that is its last packet. */
static void stream_broken(struct stream *st)
{
	_cleanup_free_ struct transfer_packet *p = xmalloc(sizeof(*p));
	size_t len = 0;
	int r;

	do {
		r = transfer_receive(st->fd, p, &len);
	} while (r == 0 && p->type != TRANSFER_ERROR);
	stream_fail(st, r == 0 ? p->text :
				 "the transfer of the volume broke off");
}

static void stream_read_bytes(struct stream *st)
{
	_cleanup_free_ char *data = xmalloc(STREAM_CHUNK_MAX);
	ssize_t n = read(st->fd, data, STREAM_CHUNK_MAX);

	if (n > 0)
		stream_send(st, FRAME_CONTINUE, data, n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		stream_end_of_file(st); /* EIO: a pty whose far side closed */
}

static void stream_read(struct stream *st)
{
	if (st->packets) {
		stream_read_packet(st);
		return;
	}
	stream_read_bytes(st);
}

/* ---- towards the descriptor ---- */

static ssize_t stream_write_some(struct stream *st)
{
	const char *data = st->pending.data + st->written;

	return st->packets ? transfer_send_framed(st->fd, data) :
			     write(st->fd, data,
				   st->pending.len - st->written);
}

/* Returns false when the stream is no more. */
static bool stream_write(struct stream *st)
{
	ssize_t n;

	while (st->written < st->pending.len) {
		n = stream_write_some(st);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0 && st->packets) {
			stream_broken(st);
			return false;
		}
		if (n < 0) {
			stream_fail(st, "cannot write to the stream: its far "
					"side is gone");
			return false;
		}
		st->written += n;
	}
	st->pending.len = st->written = 0;
	/* A transfer's other side confirms when all is on the medium. */
	if (!st->finishing || (st->packets && !st->ended))
		return true;
	stream_confirm(st);
	return false;
}

static bool stream_add(struct stream *st, const struct frame *f)
{
	if (st->written) {
		struct buf rest = { 0 };

		buf_add(&rest, st->pending.data + st->written,
			st->pending.len - st->written);
		buf_free(&st->pending);
		st->pending = rest;
		st->written = 0;
	}
	if (!st->patient && st->pending.len + f->len > STREAM_PENDING_MAX) {
		stream_fail(st, "nothing reads the stream's far side");
		return false;
	}
	if (st->packets)
		transfer_frame(&st->pending, TRANSFER_DATA, f->body, f->len);
	else
		buf_add(&st->pending, f->body, f->len);
	return stream_write(st);
}

/* A hole from the client: only transfers know what that is. */
static bool stream_add_hole(struct stream *st, const struct frame *f)
{
	wire_hole hole;

	if (!st->packets ||
	    !body_decode(f->body, f->len, (xdrproc_t)xdr_wire_hole, &hole) ||
	    hole.length < 0) {
		stream_fail(st, "the stream was not opened as sparse");
		return false;
	}
	transfer_frame(&st->pending, TRANSFER_HOLE, &hole.length,
		       sizeof(hole.length));
	return stream_write(st);
}

static bool stream_finish(struct stream *st)
{
	st->finishing = true;
	if (st->packets && !st->ended)
		transfer_frame(&st->pending, TRANSFER_END, NULL, 0);
	return stream_write(st);
}

static bool stream_take(struct stream *st, const struct frame *f)
{
	if (f->header.type == FRAME_STREAM_HOLE)
		return stream_add_hole(st, f);
	switch (f->header.status) {
	case FRAME_CONTINUE:
		return stream_add(st, f);
	case FRAME_OK:
		return stream_finish(st);
	default: /* abort: the client waits for no data any more */
		stream_confirm(st);
		return false;
	}
}

void stream_input(struct session *s, const struct frame *f)
{
	struct stream *st = s->streams;

	while (st && (st->header.proc != f->header.proc ||
		      st->header.serial != f->header.serial))
		st = st->next;
	if (!st || st->finishing || !stream_take(st, f))
		return;
	stream_update_io(st);
	stream_check_full(st);
}

/* ---- life and death ---- */

static int on_stream_io(sd_event_source *source, int fd, uint32_t events,
			void *arg)
{
	struct stream *st = arg;
	struct session *s = session_ref(st->session);
	wire_header h = st->header;

	if ((events & EPOLLOUT) && !stream_write(st))
		goto out;
	if (!st->ended && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) &&
	    s->out_bytes < SESSION_OUT_HIGH)
		stream_read(st);
	/* Sending may have closed the session, and every stream with it. */
	for (st = s->streams; st; st = st->next)
		if (st->header.serial == h.serial && st->header.proc == h.proc)
			break;
	if (st) {
		stream_update_io(st);
		stream_check_full(st);
	}
out:
	session_unref(s);
	return 0;
}

static dev_t terminal_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) ? st.st_rdev : 0;
}

static struct stream *find_terminal(const struct server *server, dev_t tty)
{
	for (struct session *s = server->sessions; s; s = s->next)
		for (struct stream *st = s->streams; st; st = st->next)
			if (st->tty == tty)
				return st;
	return NULL;
}

/* Of two readers of one terminal each would see a part. */
static int claim_terminal(const struct server *server, int fd, bool force,
			  struct error *err)
{
	dev_t tty = terminal_of(fd);
	struct stream *other = tty ? find_terminal(server, tty) : NULL;

	if (!other)
		return 0;
	if (!force)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "Active console session exists for this "
				  "domain");
	stream_fail(other, "another client has taken the console over");
	return 0;
}

int stream_open(struct session *s, const wire_header *call, int fd,
		const struct stream_options *options, struct error *err)
{
	struct stream *st;
	int r = claim_terminal(s->server, fd, options->force, err);

	if (r < 0) {
		fd_close(fd);
		return r;
	}
	if (s->n_streams == SESSION_STREAMS_MAX || s->fd < 0) {
		fd_close(fd);
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "too many streams on one connection");
	}
	st = xcalloc(1, sizeof(*st));
	st->session = s;
	st->fd = fd;
	st->tty = terminal_of(fd);
	st->patient = options->patient;
	st->packets = options->packets;
	st->header = *call;
	st->header.type = FRAME_STREAM;
	r = fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 ? -errno
								    : 0;
	if (!r)
		r = sd_event_add_io(s->server->loop, &st->io, fd, EPOLLIN,
				    on_stream_io, st);
	if (r < 0) {
		stream_free(st);
		return error_set(err, r, "cannot watch the stream: %m");
	}
	st->next = s->streams;
	s->streams = st;
	s->n_streams++;
	return 0;
}

void stream_close_all(struct session *s)
{
	struct stream *st, *next;

	for (st = s->streams; st; st = next) {
		next = st->next;
		stream_free(st);
	}
	s->streams = NULL;
	s->n_streams = s->n_holding = 0;
}
