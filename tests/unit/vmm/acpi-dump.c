/*
 * tests/unit/vmm/acpi-dump.c -- writes a machine's ACPI tables to files, after
 * walking them from the RSDP as an operating system does.
 */
#include "tests/unit/vmm/fake.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "vmm/boot/boot.h"
#include "vmm/ram.h"

static void check_sum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum += *p++;
	assert(sum == 0);
}

static const uint8_t *table(struct machine *m, uint64_t addr)
{
	const uint8_t *t = ram_ptr(m->ram, addr, 36);
	uint32_t len;

	assert(t);
	memcpy(&len, t + 4, 4);
	assert(len >= 36 && ram_ptr(m->ram, addr, len));
	check_sum(t, len);
	return t;
}

static void dump(const char *dir, const uint8_t *t)
{
	_cleanup_free_ char *path = xasprintf("%s/%.4s.dat", dir, t);
	uint32_t len;
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	memcpy(&len, t + 4, 4);
	assert(fd >= 0 && write_full(fd, t, len) == 0);
	close(fd);
}

int main(int argc, char **argv)
{
	struct spec_char *serials = xcalloc(2, sizeof(*serials));
	const uint8_t *rsdp, *xsdt, *t;
	uint64_t addr;
	uint32_t len;
	struct fake f;

	assert(argc == 3);
	fake_init(&f);
	f.spec.vcpus = f.spec.max_vcpus = atoi(argv[2]);
	f.spec.pvpanic = true;
	f.spec.serials = serials;
	f.spec.n_serials = 2;
	for (unsigned int i = 0; i < 2; i++)
		serials[i] = (struct spec_char){ .id = xstrdup("serial"),
						 .fd = -1,
						 .log_fd = -1,
						 .index = i * 3 };
	fake_start(&f);
	rsdp = ram_ptr(f.m->ram, BOOT_ACPI_BASE, 36);
	check_sum(rsdp, 20);
	check_sum(rsdp, 36);
	memcpy(&addr, rsdp + 24, 8);
	xsdt = table(f.m, addr);
	memcpy(&len, xsdt + 4, 4);
	for (uint32_t i = 36; i < len; i += 8) {
		memcpy(&addr, xsdt + i, 8);
		t = table(f.m, addr);
		dump(argv[1], t);
		if (memcmp(t, "FACP", 4) == 0) {
			memcpy(&addr, t + 140, 8);
			dump(argv[1], table(f.m, addr));
		}
	}
	fake_finish(&f);
	return 0;
}
