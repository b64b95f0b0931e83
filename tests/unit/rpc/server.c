/*
 * tests/unit/rpc/server.c -- the server against clients that behave and some
 * that do not.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/util.h"
#include "rpc/keepalive.h"
#include "tests/unit/rpc/client.h"
#include "tests/unit/rpc/registry.h"

static wire_dom foo(void)
{
	wire_dom dom = { .name = "foo", .id = 1 };

	memcpy(dom.uuid, foo_uuid, UUID_LEN);
	return dom;
}

static unsigned int call_dom(struct client *c, int proc)
{
	wire_dom dom = foo();

	return client_call(c, proc, (xdrproc_t)xdr_wire_dom, &dom);
}

static unsigned int call_void(struct client *c, int proc)
{
	return client_call(c, proc, NULL, NULL);
}

static unsigned int call_xml(struct client *c)
{
	wire_dom_flags args = { foo(), 0 };

	return client_call(c, PROC_DOMAIN_GET_XML_DESC,
			   (xdrproc_t)xdr_wire_dom_flags, &args);
}

static void reply_ok(struct client *c, unsigned int serial)
{
	frame_free(client_reply(c, serial, FRAME_OK));
}

static void wait_held(unsigned int n)
{
	while (fake_held() != n)
		usleep(1000);
}

/* ---- calls ---- */

static void test_unknown(struct harness *h)
{
	struct client c;

	client_open(&c, h, SERVER_RW);
	client_error(&c, call_void(&c, 444), VIR_ERR_RPC);
	client_error(&c, call_void(&c, 0x7fffffff), VIR_ERR_RPC);
	client_error(&c, call_void(&c, -1), VIR_ERR_RPC);
	client_error(&c, call_void(&c, PROC_DOMAIN_EVENT_LIFECYCLE),
		     VIR_ERR_RPC);
	client_error(&c, call_void(&c, PROC_DOMAIN_SET_BLOCK_THRESHOLD),
		     VIR_ERR_NO_SUPPORT);
	client_send(&c, 0x20008089, 1, FRAME_CALL, FRAME_OK, 99, NULL, 0);
	client_error(&c, 99, VIR_ERR_RPC);
	client_send(&c, RPC_PROGRAM, 3, 77, FRAME_OK, 100, NULL, 0);
	client_error(&c, 100, VIR_ERR_RPC);
	/* Arguments that end too early. */
	client_error(&c, call_void(&c, PROC_DOMAIN_LOOKUP_BY_NAME),
		     VIR_ERR_RPC);
	reply_ok(&c, call_void(&c, PROC_CONNECT_GET_TYPE));
	client_close(&c);
}

static void test_before_open(struct harness *h)
{
	char *uri = "xen:///system";
	wire_optstr_flags args = { &uri, 0 };
	struct client c;

	client_connect(&c, h, SERVER_RW);
	client_error(&c, call_void(&c, PROC_CONNECT_GET_TYPE),
		     VIR_ERR_INTERNAL_ERROR);
	reply_ok(&c, call_void(&c, PROC_AUTH_LIST));
	client_error(&c,
		     client_call(&c, PROC_CONNECT_OPEN,
				 (xdrproc_t)xdr_wire_optstr_flags, &args),
		     VIR_ERR_NO_CONNECT);
	uri = "qemu:///nowhere";
	client_error(&c,
		     client_call(&c, PROC_CONNECT_OPEN,
				 (xdrproc_t)xdr_wire_optstr_flags, &args),
		     VIR_ERR_INTERNAL_ERROR);
	client_close(&c);
}

static void test_readonly(struct harness *h)
{
	struct client c;

	client_open(&c, h, SERVER_RO);
	client_error(&c, call_dom(&c, PROC_DOMAIN_SUSPEND),
		     VIR_ERR_OPERATION_DENIED);
	reply_ok(&c, call_void(&c, PROC_CONNECT_GET_TYPE));
	client_close(&c);

	client_connect(&c, h, SERVER_ADMIN);
	client_error(&c, call_void(&c, PROC_AUTH_LIST), VIR_ERR_RPC);
	client_close(&c);
}

static void test_close_replies(struct harness *h)
{
	struct client c;

	client_open(&c, h, SERVER_RW);
	reply_ok(&c, call_void(&c, PROC_CONNECT_CLOSE));
	client_expect_hangup(&c);
	client_close(&c);
	assert(fake_owner_gone());
}

/* ---- bad manners ---- */

static void test_garbage(struct harness *h)
{
	struct client c;

	client_connect(&c, h, SERVER_RW);
	assert(send(c.fd, "\0\0\0\1GET / HTTP/1.1\r\n", 20, 0) == 20);
	client_expect_hangup(&c);
	client_close(&c);
}

/* PINGs are answered while every call this client may run hangs. */
static void test_ping_while_hung(struct harness *h)
{
	unsigned int n = 64;
	struct client c;
	struct frame *f;

	client_open(&c, h, SERVER_RW);
	fake_hold();
	for (unsigned int i = 0; i < n; i++)
		call_dom(&c, PROC_DOMAIN_SUSPEND);
	client_send(&c, KEEPALIVE_PROGRAM, KEEPALIVE_PING, FRAME_MESSAGE,
		    FRAME_OK, 0, NULL, 0);
	f = client_receive(&c);
	assert(f && f->header.prog == KEEPALIVE_PROGRAM);
	assert(f->header.proc == KEEPALIVE_PONG);
	frame_free(f);
	fake_release();
	for (unsigned int i = 0; i < n; i++) {
		f = client_receive(&c);
		assert(f && f->header.status == FRAME_OK);
		frame_free(f);
	}
	client_close(&c);
}

/* One client's hung calls leave another's alone. */
static void test_hung_calls_are_ones_own(struct harness *h)
{
	struct client bad, good;

	client_open(&bad, h, SERVER_RW);
	client_open(&good, h, SERVER_RW);
	fake_hold();
	for (unsigned int i = 0; i < 64; i++)
		call_dom(&bad, PROC_DOMAIN_SUSPEND);
	wait_held(8);
	reply_ok(&good, call_xml(&good));
	/* Nor does destroying wait behind them, for whoever asks. */
	client_error(&bad, call_dom(&bad, PROC_DOMAIN_DESTROY),
		     VIR_ERR_OPERATION_UNSUPPORTED);
	client_close(&bad); /* with calls running and waiting */
	client_close(&good);
	fake_release();
	wait_held(0);
}

/* A session's domains outlive its calls: the owner goes last. */
static void test_owner_goes_after_calls(void)
{
	struct harness *h = harness_start();
	struct client c, other;

	fake_forget_owner();
	client_open(&c, h, SERVER_RW);
	fake_hold();
	call_dom(&c, PROC_DOMAIN_SUSPEND);
	wait_held(1);
	client_close(&c);
	client_open(&other, h, SERVER_RW);
	assert(!fake_forget_owner());
	fake_release();
	assert(fake_owner_gone());
	client_close(&other);
	harness_stop(h);
}

/* ---- events ---- */

static void subscribe(struct client *c, int callback)
{
	wire_dom_event_args args = { VIR_DOMAIN_EVENT_ID_LIFECYCLE, NULL };
	unsigned int serial =
		client_call(c, PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY,
			    (xdrproc_t)xdr_wire_dom_event_args, &args);
	struct frame *f = client_reply(c, serial, FRAME_OK);
	wire_int id;

	assert(body_decode(f->body, f->len, (xdrproc_t)xdr_wire_int, &id));
	assert(id == callback);
	frame_free(f);
}

static void test_events(struct harness *h)
{
	struct client c;

	client_open(&c, h, SERVER_RW);
	subscribe(&c, 1);
	for (int i = 0; i < 100; i++)
		fake_notify(i);
	for (int i = 0; i < 100; i++) {
		struct frame *f = client_receive(&c);
		wire_cb_lifecycle m = { 0 };

		assert(f && f->header.type == FRAME_MESSAGE);
		assert(f->header.proc == PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE);
		assert(body_decode(f->body, f->len,
				   (xdrproc_t)xdr_wire_cb_lifecycle, &m));
		assert(m.callback == 1 && m.msg.event == i);
		assert(!strcmp(m.msg.dom.name, "foo"));
		body_free((xdrproc_t)xdr_wire_cb_lifecycle, &m);
		frame_free(f);
	}
	client_close(&c);
}

static bool hung_up(const struct client *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLRDHUP));
}

/* A client that does not read is dropped; the others do not notice. */
static void test_not_reading(struct harness *h)
{
	struct client deaf, good;

	client_open(&deaf, h, SERVER_RW);
	client_open(&good, h, SERVER_RW);
	subscribe(&deaf, 1);
	while (!hung_up(&deaf)) {
		for (int i = 0; i < 1000; i++)
			fake_notify(0);
		reply_ok(&good, call_xml(&good));
	}
	client_close(&deaf);
	client_close(&good);
}

/* Large replies that are not read: no more of them are made. */
static void test_large_replies(struct harness *h)
{
	struct client slow, good;
	const unsigned int n = 32;

	client_open(&slow, h, SERVER_RW);
	client_open(&good, h, SERVER_RW);
	fake_xml_size(WIRE_STRING_MAX);
	for (unsigned int i = 0; i < n; i++)
		call_xml(&slow);
	reply_ok(&good, call_xml(&good));
	for (unsigned int i = 0; i < n; i++) {
		struct frame *f = client_receive(&slow);

		assert(f && f->header.status == FRAME_OK);
		assert(f->len == 4 + WIRE_STRING_MAX);
		frame_free(f);
	}
	fake_xml_size(WIRE_STRING_MAX + 1);
	client_error(&slow, call_xml(&slow), VIR_ERR_RPC);
	fake_xml_size(16);
	client_close(&slow);
	client_close(&good);
}

/* ---- streams ---- */

static unsigned int open_console(struct client *c, int *ret_far)
{
	wire_dom_optstr_flags args = { foo(), NULL, 0 };
	unsigned int serial =
		client_call(c, PROC_DOMAIN_OPEN_CONSOLE,
			    (xdrproc_t)xdr_wire_dom_optstr_flags, &args);

	reply_ok(c, serial);
	*ret_far = fake_console();
	return serial;
}

static void stream_send(struct client *c, unsigned int serial, int status,
			const void *data, size_t len)
{
	client_send(c, RPC_PROGRAM, PROC_DOMAIN_OPEN_CONSOLE, FRAME_STREAM,
		    status, serial, data, len);
}

static struct frame *stream_receive(struct client *c, unsigned int serial,
				    int status)
{
	struct frame *f = client_receive(c);

	assert(f && f->header.type == FRAME_STREAM);
	assert(f->header.serial == serial && f->header.status == status);
	return f;
}

static void test_stream(struct harness *h)
{
	char text[8];
	struct client c;
	struct frame *f;
	unsigned int serial;
	int far;

	client_open(&c, h, SERVER_RW);
	serial = open_console(&c, &far);
	stream_send(&c, serial, FRAME_CONTINUE, "in", 2);
	assert(read(far, text, sizeof(text)) == 2 && !memcmp(text, "in", 2));
	assert(write(far, "out", 3) == 3);
	f = stream_receive(&c, serial, FRAME_CONTINUE);
	assert(f->len == 3 && !memcmp(f->body, "out", 3));
	frame_free(f);
	/* End of file from the far side, then both say that it is over. */
	shutdown(far, SHUT_WR);
	f = stream_receive(&c, serial, FRAME_CONTINUE);
	assert(f->len == 0);
	frame_free(f);
	stream_send(&c, serial, FRAME_CONTINUE, "last", 4);
	stream_send(&c, serial, FRAME_OK, NULL, 0);
	frame_free(stream_receive(&c, serial, FRAME_OK));
	assert(read(far, text, sizeof(text)) == 4);
	assert(read(far, text, sizeof(text)) == 0);
	close(far);
	/* Late packets are dropped without a word. */
	stream_send(&c, serial, FRAME_CONTINUE, "late", 4);
	stream_send(&c, serial, FRAME_OK, NULL, 0);
	stream_send(&c, 4711, FRAME_ERROR, NULL, 0);
	reply_ok(&c, call_void(&c, PROC_CONNECT_GET_TYPE));
	client_close(&c);
}

static void test_stream_abort(struct harness *h)
{
	struct client c;
	unsigned int serial;
	char text;
	int far;

	client_open(&c, h, SERVER_RW);
	serial = open_console(&c, &far);
	stream_send(&c, serial, FRAME_ERROR, NULL, 0);
	frame_free(stream_receive(&c, serial, FRAME_OK));
	assert(read(far, &text, 1) == 0);
	close(far);

	/* A connection that ends takes its streams with it. */
	open_console(&c, &far);
	client_close(&c);
	assert(read(far, &text, 1) == 0);
	close(far);
}

/* A far side that closes ends the stream, and nothing else. */
static void test_stream_broken(struct harness *h)
{
	struct client c;
	unsigned int serial;
	struct frame *f;
	int far;

	client_open(&c, h, SERVER_RW);
	serial = open_console(&c, &far);
	close(far);
	frame_free(stream_receive(&c, serial, FRAME_CONTINUE));
	stream_send(&c, serial, FRAME_CONTINUE, "x", 1);
	f = stream_receive(&c, serial, FRAME_ERROR);
	frame_free(f);
	reply_ok(&c, call_void(&c, PROC_CONNECT_GET_TYPE));
	client_close(&c);
}

/* A far side that never reads costs a bounded amount, then the stream. */
static void test_stream_stuck(struct harness *h)
{
	char *data = calloc(1, STREAM_CHUNK_MAX);
	struct client c;
	struct frame *f = NULL;
	unsigned int serial;
	int far;

	client_open(&c, h, SERVER_RW);
	serial = open_console(&c, &far);
	for (int i = 0; i < 64; i++)
		stream_send(&c, serial, FRAME_CONTINUE, data, STREAM_CHUNK_MAX);
	f = stream_receive(&c, serial, FRAME_ERROR);
	frame_free(f);
	reply_ok(&c, call_void(&c, PROC_CONNECT_GET_TYPE));
	client_close(&c);
	close(far);
	free(data);
}

/* Much data towards a client that reads late: none lost, all in order. */
static void test_stream_flow(struct harness *h)
{
	const unsigned int total = 4 * 1024 * 1024;
	unsigned int got = 0, serial, sent = 0;
	struct client c;
	int far;

	client_open(&c, h, SERVER_RW);
	serial = open_console(&c, &far);
	while (got < total) {
		uint8_t chunk[4096];
		struct frame *f;
		ssize_t n = 0;

		for (unsigned int i = 0; i < sizeof(chunk); i++)
			chunk[i] = (sent + i) >> 8;
		while (sent < total && (n = send(far, chunk, sizeof(chunk),
						 MSG_DONTWAIT)) > 0) {
			sent += n;
			for (unsigned int i = 0; i < sizeof(chunk); i++)
				chunk[i] = (sent + i) >> 8;
		}
		f = stream_receive(&c, serial, FRAME_CONTINUE);
		assert(f->len <= STREAM_CHUNK_MAX);
		for (size_t i = 0; i < f->len; i++)
			assert(f->body[i] == (uint8_t)((got + i) >> 8));
		got += f->len;
		frame_free(f);
	}
	client_close(&c);
	close(far);
}

int main(void)
{
	struct harness *h = harness_start();

	test_unknown(h);
	test_before_open(h);
	test_readonly(h);
	test_close_replies(h);
	test_garbage(h);
	test_ping_while_hung(h);
	test_hung_calls_are_ones_own(h);
	test_events(h);
	test_not_reading(h);
	test_large_replies(h);
	test_stream(h);
	test_stream_abort(h);
	test_stream_broken(h);
	test_stream_stuck(h);
	test_stream_flow(h);
	harness_stop(h);
	test_owner_goes_after_calls();
	return 0;
}
