/*
 * tests/fuzz/kernel.c -- bytes as a kernel image, through the loaders.
 *
 * For libFuzzer (clang -fsanitize=fuzzer,address -DLIBFUZZER), and as a
 * program that runs the files it is given.
 */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "base/error.h"
#include "vmm/boot/boot.h"
#include "vmm/ram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void load_elf(const struct image *image)
{
	struct elf_info info = { 0 };
	struct error err = { 0 };
	struct ram *ram;

	assert(ram_create(16 * MIB, &ram, NULL) == 0);
	if (elf_load(image, ram, &info, &err) == 0)
		assert(info.pvh_entry && info.end <= 16 * MIB);
	else
		assert(err.message[0]);
	ram_destroy(ram);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct image image = { -1, data, size };
	struct error err = { 0 };
	struct bzimage bz;

	load_elf(&image);
	if (bzimage_probe(&image) &&
	    bzimage_unpack(&image, &bz, &err) == 0) {
		load_elf(&bz.vmlinux);
		bzimage_finish(&bz);
	}
	return 0;
}

#ifndef LIBFUZZER
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "re");
		uint8_t *data = xmalloc(1 << 20);
		size_t n;

		assert(f);
		n = fread(data, 1, 1 << 20, f);
		fclose(f);
		LLVMFuzzerTestOneInput(data, n);
		free(data);
	}
	return 0;
}
#endif
