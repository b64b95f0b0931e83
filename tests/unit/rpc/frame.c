/*
 * tests/unit/rpc/frame.c -- cutting messages out of bytes, and making them.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libvirt/virterror.h>

#include "base/util.h"
#include "rpc/errors.h"
#include "rpc/frame.h"
#include "rpc/keepalive.h"
#include "rpc/procs.h"

static const wire_header hdr = { .prog = RPC_PROGRAM,
				 .vers = 1,
				 .proc = 23,
				 .type = FRAME_CALL,
				 .serial = 7 };

/* DOMAIN_LOOKUP_BY_NAME("ab") as libvirt's client puts it on the wire. */
static const uint8_t lookup[] = {
	0, 0, 0, 36, 0x20, 0, 0x80, 0x86, 0, 0, 0, 1, 0, 0, 0,	 23,  0, 0,
	0, 0, 0, 0,  0,	   7, 0,    0,	  0, 0, 0, 0, 0, 2, 'a', 'b', 0, 0,
};

static void test_encode(void)
{
	char *name = "ab";
	struct packet *p = packet_create(&hdr, (xdrproc_t)xdr_wire_str, &name);

	assert(p && p->len == sizeof(lookup));
	assert(!memcmp(p->data, lookup, sizeof(lookup)));
	packet_free(p);
}

/* However the bytes are cut, the same messages come out. */
static void test_pieces(void)
{
	for (size_t piece = 1; piece <= 2 * sizeof(lookup); piece++) {
		struct frame_reader r = { 0 };
		uint8_t both[2 * sizeof(lookup)];
		unsigned int n = 0;

		memcpy(both, lookup, sizeof(lookup));
		memcpy(both + sizeof(lookup), lookup, sizeof(lookup));
		for (size_t at = 0; at < sizeof(both); at += piece) {
			struct frame *f;
			char *name = NULL;

			frame_reader_feed(&r, both + at,
					  MIN(piece, sizeof(both) - at));
			while (frame_reader_next(&r, &f) == 1) {
				assert(f->header.serial == 7);
				assert(body_decode(f->body, f->len,
						   (xdrproc_t)xdr_wire_str,
						   &name));
				assert(!strcmp(name, "ab"));
				body_free((xdrproc_t)xdr_wire_str, &name);
				frame_free(f);
				n++;
			}
		}
		assert(n == 2 && r.len == 0);
		frame_reader_finish(&r);
	}
}

static int first_word(uint32_t len)
{
	struct frame_reader r = { 0 };
	struct frame *f = NULL;
	uint8_t word[4] = { len >> 24, len >> 16, len >> 8, len };
	int ret;

	frame_reader_feed(&r, word, sizeof(word));
	ret = frame_reader_next(&r, &f);
	/* A promise alone makes us allocate nothing much. */
	assert(r.size < 1024 * 1024);
	frame_reader_finish(&r);
	return ret;
}

static void test_lengths(void)
{
	assert(first_word(0) == -EPROTO);
	assert(first_word(27) == -EPROTO);
	assert(first_word(28) == 0);
	assert(first_word(FRAME_MAX) == 0);
	assert(first_word(FRAME_MAX + 1) == -EPROTO);
	assert(first_word(0xffffffff) == -EPROTO);
}

/* A body beyond a limit is not encoded, and not decoded. */
static void test_limits(void)
{
	char *name = malloc(WIRE_STRING_MAX + 2);
	uint8_t bad[] = { 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0 };
	wire_names names = { 0 };
	char *text = NULL;

	memset(name, 'x', WIRE_STRING_MAX + 1);
	name[WIRE_STRING_MAX + 1] = '\0';
	assert(!packet_create(&hdr, (xdrproc_t)xdr_wire_str, &name));
	name[WIRE_STRING_MAX] = '\0';
	packet_free(packet_create(&hdr, (xdrproc_t)xdr_wire_str, &name));
	free(name);

	assert(!body_decode(bad, sizeof(bad), (xdrproc_t)xdr_wire_str, &text));
	assert(!body_decode(bad, sizeof(bad), (xdrproc_t)xdr_wire_names,
			    &names));
	assert(!body_decode(bad, 0, (xdrproc_t)xdr_wire_int, &(int){ 0 }));
}

static void test_round_trip_of_params(void)
{
	wire_param in = { "cpu.time", { .type = 4 } }, out = { 0 };
	wire_header h = hdr;
	struct packet *p;

	in.value.wire_value_u.ul = 0x123456789abcdef0;
	p = packet_create(&h, (xdrproc_t)xdr_wire_param, &in);
	assert(p && body_decode(p->data + FRAME_MIN, p->len - FRAME_MIN,
				(xdrproc_t)xdr_wire_param, &out));
	assert(!strcmp(out.field, "cpu.time") && out.value.type == 4);
	assert(out.value.wire_value_u.ul == 0x123456789abcdef0);
	body_free((xdrproc_t)xdr_wire_param, &out);
	packet_free(p);
}

/* Descriptors cross with their message and no other. */
static void test_fds(void)
{
	struct frame_reader r = { 0 };
	struct frame *f;
	wire_header h = hdr;
	int sock[2], pipefd[2], n = 5;
	struct packet *p, *plain;
	char c = 0;

	assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, sock) && !pipe(pipefd));
	h.type = FRAME_CALL_WITH_FDS;
	p = packet_create_fds(&h, (xdrproc_t)xdr_wire_int, &n,
			      (int[]){ dup(pipefd[1]) }, 1);
	plain = packet_create_raw(&hdr, NULL, 0);
	assert(packet_send(p, sock[0]) == 1);
	assert(packet_send(plain, sock[0]) == 1);
	packet_free(p);
	packet_free(plain);
	close(pipefd[1]);

	while (frame_reader_next(&r, &f) == 0)
		assert(frame_reader_fill(&r, sock[1]) > 0);
	assert(f->n_fds == 1 && f->len == 4);
	assert(write(f->fds[0], "y", 1) == 1);
	frame_free(f); /* closes it */
	assert(read(pipefd[0], &c, 1) == 1 && c == 'y');
	assert(read(pipefd[0], &c, 1) == 0);
	while (frame_reader_next(&r, &f) == 0)
		assert(frame_reader_fill(&r, sock[1]) > 0);
	assert(f->n_fds == 0);
	frame_free(f);
	assert(frame_reader_fill(&r, sock[1]) == -EAGAIN);
	close(sock[0]);
	assert(frame_reader_fill(&r, sock[1]) == 0);
	frame_reader_finish(&r);
	close(sock[1]);
	close(pipefd[0]);
}

/* A count of descriptors without the descriptors. */
static void test_fds_missing(void)
{
	struct frame_reader r = { 0 };
	struct frame *f = NULL;
	wire_header h = hdr;
	uint8_t body[] = { 0, 0, 0, 1, 0 /* the byte that carries nothing */ };
	uint8_t many[] = { 0, 0, 0, 33 };
	struct packet *p;

	h.type = FRAME_CALL_WITH_FDS;
	p = packet_create_raw(&h, body, 4);
	frame_reader_feed(&r, p->data, p->len);
	packet_free(p);
	assert(frame_reader_next(&r, &f) == 0);
	frame_reader_feed(&r, body + 4, 1);
	assert(frame_reader_next(&r, &f) == -EPROTO);
	frame_reader_finish(&r);

	p = packet_create_raw(&h, many, 4);
	frame_reader_feed(&r, p->data, p->len);
	packet_free(p);
	assert(frame_reader_next(&r, &f) == -EPROTO);
	frame_reader_finish(&r);
}

static void check_text(int code, const char *expected)
{
	struct error err = { .code = code, .message = "x" };
	char *text = rpc_error_text(&err);

	assert(!strcmp(text, expected));
	free(text);
}

static void test_errors(void)
{
	check_text(VIR_ERR_NO_DOMAIN, "Domain not found: x");
	check_text(VIR_ERR_XML_ERROR, "XML error: x");
	check_text(VIR_ERR_OPERATION_INVALID,
		   "Requested operation is not valid: x");
	check_text(VIR_ERR_DOM_EXIST, "domain x exists already");
	check_text(VIR_ERR_SYSTEM_ERROR, "x");
	check_text(100000, "x");
}

static void test_keepalive(void)
{
	struct keepalive k = { 0 };

	keepalive_heard(&k);
	assert(keepalive_tick(&k) == KEEPALIVE_IDLE);
	for (int i = 0; i < KEEPALIVE_COUNT; i++)
		assert(keepalive_tick(&k) == KEEPALIVE_SEND);
	assert(keepalive_tick(&k) == KEEPALIVE_DEAD);
	keepalive_heard(&k);
	assert(keepalive_tick(&k) == KEEPALIVE_IDLE);
	assert(keepalive_tick(&k) == KEEPALIVE_SEND);
}

static void test_table(void)
{
	const int last = PROC_QEMU_BASE;

	assert(last == 443 && PROC_ADMIN_BASE == last + 7 &&
	       PROC_COUNT == PROC_ADMIN_BASE + 20);
	assert(!procedure_find(RPC_PROGRAM, 0) &&
	       !procedure_find(RPC_PROGRAM, -1) &&
	       !procedure_find(RPC_PROGRAM, last + 1) &&
	       !procedure_find(RPC_PROGRAM, 0x7fffffff));
	assert(!procedure_find(QEMU_PROGRAM, 0) &&
	       !procedure_find(QEMU_PROGRAM, 8) &&
	       !procedure_find(QEMU_PROGRAM, 0x7fffffff));
	for (int i = 1; i < PROC_COUNT; i++)
		assert(*procedures[i].access);
	assert(procedure_find(RPC_PROGRAM, last) == &procedures[last]);
	assert(!strcmp(procedure_find(QEMU_PROGRAM, 3)->api,
		       "virDomainQemuAgentCommand"));
	assert(!strcmp(procedures[14].api, "virDomainGetXMLDesc"));
	assert(procedures[14].flags & PROC_RO);
	assert(!(procedures[PROC_DOMAIN_CREATE].flags & PROC_RO));
}

int main(void)
{
	test_encode();
	test_pieces();
	test_lengths();
	test_limits();
	test_round_trip_of_params();
	test_fds();
	test_fds_missing();
	test_errors();
	test_keepalive();
	test_table();
	return 0;
}
