/*
 * tests/fuzz/auth.c -- bytes from a client that has not said who it is: framing
 * within its bound, and SASL's steps with whatever lengths they have.
 *
 * For libFuzzer (clang -fsanitize=fuzzer,address -DLIBFUZZER), and as a
 * program that runs the files it is given.
 */
#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "base/util.h"
#include "daemon/sasl.h"
#include "rpc/frame.h"
#include "rpc/procs.h"

enum { ANONYMOUS_MAX = 320 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *bytes_of(const int *chars, u_int n)
{
	char *bytes = xmalloc(n + 1);

	for (u_int i = 0; i < n; i++)
		bytes[i] = (char)chars[i];
	bytes[n] = '\0';
	return bytes;
}

static void step(struct sasl_login *login, const char *mech, int nil,
		 const int *chars, u_int n)
{
	_cleanup_free_ char *data = nil ? NULL : bytes_of(chars, n);
	struct error err = { 0 };
	const char *out;
	size_t len;

	/* Nobody knows the password: there is none. */
	assert(sasl_login_step(login, mech, data, nil ? 0 : n, &out, &len,
			       &err) <= 0);
}

static void begin(struct sasl_login *login)
{
	struct error err = { 0 };
	char *mechs = NULL;

	(void)sasl_login_begin(login, true, &mechs, &err);
	free(mechs);
}

static void try_frame(struct sasl_login *login, const struct frame *f)
{
	wire_sasl_start_args start = { 0 };
	wire_sasl_step_args more = { 0 };

	if (f->header.proc == PROC_AUTH_SASL_INIT)
		begin(login);
	if (f->header.proc == PROC_AUTH_SASL_START &&
	    body_decode(f->body, f->len, (xdrproc_t)xdr_wire_sasl_start_args,
			&start)) {
		step(login, start.mech, start.nil, start.data.data_val,
		     start.data.data_len);
		body_free((xdrproc_t)xdr_wire_sasl_start_args, &start);
	}
	if (f->header.proc == PROC_AUTH_SASL_STEP &&
	    body_decode(f->body, f->len, (xdrproc_t)xdr_wire_sasl_step_args,
			&more)) {
		step(login, NULL, more.nil, more.data.data_val,
		     more.data.data_len);
		body_free((xdrproc_t)xdr_wire_sasl_step_args, &more);
	}
}

static void prepare(void)
{
	static bool prepared;
	struct error err = { 0 };

	if (prepared)
		return;
	prepared = true;
	(void)log_set_filters("4", &err);
	if (sasl_prepare("/nonexistent/sasl.db", "SCRAM-SHA-256", &err) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_reader r = { .max = ANONYMOUS_MAX };
	struct sasl_login *login;
	struct frame *f;
	int more;

	prepare();
	login = sasl_login_create();
	frame_reader_feed(&r, data, size);
	while ((more = frame_reader_next(&r, &f)) == 1) {
		assert(f->len <= ANONYMOUS_MAX);
		try_frame(login, f);
		frame_free(f);
	}
	frame_reader_finish(&r);
	sasl_login_free(login);
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
	return LLVMFuzzerTestOneInput(data, n);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (run_file(argv[i]) < 0) {
			perror(argv[i]);
			return 1;
		}
	return 0;
}
#endif
