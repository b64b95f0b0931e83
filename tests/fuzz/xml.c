/*
 * tests/fuzz/xml.c -- whatever bytes come, reading a domain neither crashes
 * nor leaks, and what it accepts it writes and reads again.
 *
 * With clang: -fsanitize=fuzzer,address and -DFUZZER.  Without, a main()
 * that runs over files and, for each, over cut and damaged copies.
 */
#undef NDEBUG
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "model/domain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_and_read(const struct domain_def *def, unsigned int live)
{
	_cleanup_free_ char *text = domain_def_format(def, live);
	_cleanup_free_ char *kept = domain_def_uninterpreted(def);
	_cleanup_free_ char *again = NULL;
	struct domain_def *copy = domain_def_copy(def), *second = NULL;
	struct error err = { 0 };

	domain_def_free(copy);
	if (domain_def_parse(text, live ? DOMAIN_PARSE_LIVE : 0, &second,
			     &err) < 0) {
		printf("%s\n%s\n", err.message, text);
		abort();
	}
	again = domain_def_format(second, live);
	domain_def_free(second);
	if (strcmp(text, again)) {
		printf("first\n%s\nsecond\n%s\n", text, again);
		abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_free_ char *xml = xstrndup((const char *)data, size);
	struct domain_def *def = NULL;
	struct error err = { 0 };

	if (domain_def_parse(xml, DOMAIN_PARSE_LIVE, &def, &err) < 0) {
		assert(err.code && *err.message);
		return 0;
	}
	write_and_read(def, DOMAIN_FORMAT_LIVE);
	domain_def_free(def);
	if (domain_def_parse(xml, DOMAIN_PARSE_RULES, &def, &err) == 0) {
		write_and_read(def, 0);
		domain_def_free(def);
	}
	return 0;
}

#ifndef FUZZER
static size_t read_file(const char *path, uint8_t *data, size_t max)
{
	_cleanup_fclose_ FILE *f = fopen(path, "r");

	return f ? fread(data, 1, max, f) : 0;
}

static void run_file(const char *path)
{
	static uint8_t data[64 * 1024];
	size_t len = read_file(path, data, sizeof(data));

	assert(len);
	LLVMFuzzerTestOneInput(data, len);
	for (size_t i = 0; i < len; i += 1 + len / 50) {
		uint8_t byte = data[i];

		LLVMFuzzerTestOneInput(data, i);
		data[i] = byte ^ 1;
		LLVMFuzzerTestOneInput(data, len);
		data[i] = byte;
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	return 0;
}
#endif
