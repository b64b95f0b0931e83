/*
 * tests/fuzz/state.c -- bytes as the saved state of a machine.
 *
 *	state [ROUNDS [SEED]]
 *
 * Takes a real machine's state with random changes, or all random; what is
 * accepted must leave a machine that can be used and saved again.  For
 * libFuzzer: clang -fsanitize=fuzzer,address -DLIBFUZZER.
 */
#include "tests/unit/vmm/fake.h"

#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "tests/fuzz/random.h"
#include "tests/unit/vmm/everything.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A guest that looks at everything. */
static void poke(struct machine *m)
{
	for (unsigned int port = 0; port < 0x400; port++)
		port_in(m, port);
	for (unsigned int slot = 0; slot < 8; slot++) {
		for (unsigned int reg = 0; reg < 256; reg += 4)
			mmio_in(m, ECAM_BASE + (slot << 15) + reg);
	}
	for (uint64_t at = MMIO32_BASE; at < MMIO32_BASE + MIB; at += 64)
		mmio_in(m, at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error err = { 0 };
	struct buf b = { 0 };
	struct fake f;

	fake_init(&f);
	everything_add(&f.spec);
	fake_start(&f);
	if (machine_set_state(f.m, data, size, &err) == 0) {
		assert(machine_run(f.m) == 0);
		poke(f.m);
		machine_pause(f.m);
		assert(machine_get_state(f.m, &b, &err) == 0);
	} else {
		assert(err.message[0]);
	}
	buf_free(&b);
	fake_finish(&f);
	return 0;
}

#ifndef LIBFUZZER
static void one_round(const struct buf *good)
{
	uint8_t *data = xmalloc(good->len);
	size_t len = good->len;

	memcpy(data, good->data, len);
	for (uint64_t n = below(4); n; n--)
		data[below(len)] = below(2) ? below(256) : below(3) * 127;
	if (!below(16))
		len = below(len);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 300;
	struct error err = { 0 };
	struct buf good = { 0 };
	struct fake f;

	random_arg(argc, argv, 2);
	fake_init(&f);
	everything_add(&f.spec);
	fake_start(&f);
	assert(machine_get_state(f.m, &good, &err) == 0);
	fake_finish(&f);
	for (; rounds; rounds--)
		one_round(&good);
	buf_free(&good);
	return 0;
}
#endif
