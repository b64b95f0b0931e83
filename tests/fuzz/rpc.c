/*
 * tests/fuzz/rpc.c -- bytes from a client, through framing and decoding.
 *
 * For libFuzzer (clang -fsanitize=fuzzer,address -DLIBFUZZER), and as a
 * program that runs the files it is given.  What decodes must encode to
 * something that decodes to the same bytes again.
 */
#include <assert.h>
#include <string.h>

#include "base/util.h"
#include "rpc/frame.h"
#include "rpc/procs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(const wire_header *h, xdrproc_t type, size_t size,
			const void *value)
{
	struct packet *p = packet_create(h, type, value), *q;
	_cleanup_free_ void *copy = xcalloc(1, size + 1);

	/* A NUL inside a string shortens it, which may be all there is. */
	assert(p);
	assert(body_decode(p->data + FRAME_MIN, p->len - FRAME_MIN, type,
			   copy));
	q = packet_create(h, type, copy);
	assert(q && q->len == p->len && !memcmp(q->data, p->data, p->len));
	body_free(type, copy);
	packet_free(p);
	packet_free(q);
}

static void try_body(const struct frame *f, xdrproc_t type, size_t size)
{
	_cleanup_free_ void *value = xcalloc(1, size + 1);

	if (!size || !body_decode(f->body, f->len, type, value))
		return;
	check_again(&f->header, type, size, value);
	body_free(type, value);
}

static void try_frame(const struct frame *f)
{
	const struct procedure *p = procedure_find(f->header.prog, f->header.proc);

	if (!p)
		return;
	try_body(f, p->args, p->args_size);
	try_body(f, p->reply, p->reply_size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_reader r = { 0 };
	struct frame *f;

	/* In two pieces, so that a cut anywhere is tried, too. */
	frame_reader_feed(&r, data, size / 2);
	while (frame_reader_next(&r, &f) == 1) {
		try_frame(f);
		frame_free(f);
	}
	frame_reader_feed(&r, data + size / 2, size - size / 2);
	while (frame_reader_next(&r, &f) == 1) {
		try_frame(f);
		frame_free(f);
	}
	frame_reader_finish(&r);
	return 0;
}

#ifndef LIBFUZZER
static int run_file(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "rb");
	_cleanup_free_ uint8_t *data = xmalloc(1024 * 1024);
	size_t n;

	if (!file)
		return -1;
	n = fread(data, 1, 1024 * 1024, file);
	LLVMFuzzerTestOneInput(data, n);
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (run_file(argv[i]) < 0) {
			perror(argv[i]);
			return 1;
		}
	return argc > 1 ? 0 : 77;
}
#endif
