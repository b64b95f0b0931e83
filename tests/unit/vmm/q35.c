/*
 * tests/unit/vmm/q35.c -- what firmware finds in the large machine: its
 * registers, fw_cfg, tables, flash, and who sees which memory.
 */
#include "tests/unit/vmm/fake.h"

#include <endian.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/dev/ich9_pm.h"
#include "vmm/dev/lpc.h"
#include "vmm/dev/pci.h"
#include "vmm/machine_priv.h"
#include "vmm/ram.h"

enum { FIRMWARE_SIZE = 256 * 1024, NVRAM_SIZE = 64 * 1024, MEMORY = 64 };
#define FLASH_AT (0x100000000ull - FIRMWARE_SIZE - NVRAM_SIZE)

static struct fake f;
static int nvram_fd;

static int pattern_file(size_t size, uint8_t first)
{
	uint8_t *data = xmalloc(size);
	int fd;

	for (size_t i = 0; i < size; i++)
		data[i] = first + i / 4096;
	fd = fake_file(data, size);
	free(data);
	return fd;
}

static void start(void)
{
	fake_init_q35(&f, pattern_file(FIRMWARE_SIZE, 1),
		      pattern_file(NVRAM_SIZE, 0x80));
	f.spec.memory = MEMORY * MIB;
	nvram_fd = dup(f.spec.nvram_fd);
	f.spec.boot_strict = true;
	fake_start(&f);
}

static uint32_t port_in32(uint16_t port)
{
	uint32_t v;

	bus_io(f.m->ports, port, &v, 4, false);
	return v;
}

static void port_out32(uint16_t port, uint32_t value)
{
	bus_io(f.m->ports, port, &value, 4, true);
}

static uint32_t config_in(unsigned int slot, unsigned int reg)
{
	port_out32(0xcf8, 0x80000000 | slot << 11 | reg);
	return port_in32(0xcfc);
}

static void config_out(unsigned int slot, unsigned int reg, uint8_t value)
{
	port_out32(0xcf8, 0x80000000 | slot << 11 | (reg & ~3));
	bus_io(f.m->ports, 0xcfc + (reg & 3), &value, 1, true);
	fake_settle(&f);
}

static void config_out32(unsigned int slot, unsigned int reg, uint32_t value)
{
	port_out32(0xcf8, 0x80000000 | slot << 11 | reg);
	port_out32(0xcfc, value);
}

/* What the engine was told is at an address, or NULL. */
static const struct ram_slot *seen(uint64_t gpa)
{
	for (unsigned int i = 0; i < MEMMAP_SLOTS; i++) {
		const struct ram_slot *s = &f.m->priv->memmap.slot[i];

		if (s->host && gpa - s->gpa < s->size)
			return s;
	}
	return NULL;
}

static uint8_t seen_byte(uint64_t gpa)
{
	const struct ram_slot *s = seen(gpa);

	return ((uint8_t *)s->host)[gpa - s->gpa];
}

static void test_identity(void)
{
	assert(config_in(0, 0) == 0x29c08086);
	assert(config_in(0, 0x2c) == 0x11001af4);
	assert(config_in(0x1f, 0) == 0x29188086);
	assert(config_in(0x1f, 8) >> 16 == 0x0601);
	/* What is behind the LPC bridge is always decoded. */
	assert((config_in(0x1f, 4) & 7) == 7);
	assert(config_in(2, 0) == 0xffffffff);
}

static void test_ecam(void)
{
	assert(mmio_in(f.m, 0xb0000000) == 0xffffffff);
	config_out32(0, 0x60, 0xb0000001);
	assert(mmio_in(f.m, 0xb0000000) == 0x29c08086);
	assert(mmio_in(f.m, 0xb0000000 + (0x1f << 15)) == 0x29188086);
	config_out32(0, 0x60, 0xe0000001);
	assert(mmio_in(f.m, 0xb0000000) == 0xffffffff);
	assert(mmio_in(f.m, 0xe0000000) == 0x29c08086);
	assert(pci_ecam(f.m->pci) == 0xe0000000);
	config_out32(0, 0x60, 0x00000001); /* over RAM: nowhere */
	assert(pci_ecam(f.m->pci) == 0);
	config_out32(0, 0x60, 0xe0000001);
}

/* The last 128 KiB of firmware below 1 MiB, until RAM is there. */
static void test_pam(void)
{
	uint8_t last = 1 + FIRMWARE_SIZE / 4096 - 1;

	assert(seen_byte(0xfffffff0) == last && seen(0xfffffff0)->readonly);
	assert(seen_byte(0xffff0) == last && seen(0xffff0)->readonly);
	assert(seen_byte(0xe0000) == last - 31);
	assert(!seen(0xc0000) && !seen(0xa0000));
	config_out(0, 0x90, 0x30); /* read and write RAM */
	assert(seen(0xffff0)->host == ram_ptr(f.m->ram, 0xf0000, 1));
	assert(!seen(0xffff0)->readonly);
	assert(seen_byte(0xe0000) == last - 31);
	config_out(0, 0x91, 0x13); /* C0000 both, C4000 read */
	assert(!seen(0xc0000)->readonly && seen(0xc4000)->readonly);
	assert(!seen(0xc8000));
	config_out(0, 0x90, 0x10);
	assert(seen(0xffff0)->readonly);
}

static void test_smram(void)
{
	uint64_t top = MEMORY * MIB, tseg = top - 8 * MIB;

	assert(!seen(top - 1)->smm && ram_ptr(f.m->ram, tseg, 1));
	config_out(0, 0x9d, 0x4a); /* open, on */
	assert(seen(0xa0000) && !seen(0xa0000)->smm);
	config_out(0, 0x9d, 0x0a); /* closed, on */
	assert(!seen(0xa0000)); /* the engine has no such mode */
	config_out(0, 0x9e, 0x05); /* TSEG of 8 MiB */
	assert(!seen(tseg) && seen(tseg - 1));
	assert(!ram_ptr(f.m->ram, tseg, 1));
	assert(!ram_ptr(f.m->ram, tseg - 1, 2));
	assert(ram_ptr(f.m->ram, tseg - 1, 1));
	config_out32(0, 0xac, 0x03800000); /* firmware's note of it */
	config_out(0, 0x9d, 0x1a); /* locked */
	config_out32(0, 0xac, 0);
	assert(config_in(0, 0xac) == 0x03800000);
	config_out(0, 0x9d, 0x4a);
	config_out(0, 0x9e, 0x00);
	assert(!seen(0xa0000) && !seen(tseg));
	/* OVMF asks how large TSEG may be. */
	config_out32(0, 0x50, 0xffff);
	assert((config_in(0, 0x50) & 0xffff) == 0);
}

static void test_pm(void)
{
	uint32_t a, b;

	assert(port_in32(0x600) == 0xffffffff);
	config_out32(0x1f, 0x40, 0x601);
	config_out(0x1f, 0x44, 0x80);
	assert(ich9_pm_base(f.m->pm) == 0x600);
	assert(port_in(f.m, 0x604) & 1); /* ACPI mode */
	a = port_in32(0x608);
	usleep(1000);
	b = port_in32(0x608);
	assert(a != b && b < 1 << 24);

	/* The power button: status, and an interrupt once it is enabled. */
	machine_power_button(f.m, false);
	assert(port_in32(0x600) == 0x100);
	port_out32(0x600, 0x01000000);
	port_out32(0x600, 0x01000100);
	assert(port_in32(0x600) == 0x01000000);
	/* No system management mode here: SMIs seem set up. */
	assert(port_in32(0x630) & 0x20);
}

static void test_intx(void)
{
	struct pci_dev dev = { .bus = f.m->pci, .slot = 3 };
	struct fake_msi msi;
	unsigned int n;

	dev.config[0x3d] = 1;
	assert(lpc_gsi(3, 0) == 23 && lpc_gsi(0x1f, 0) == 16);
	mmio_out(f.m, IOAPIC_BASE, 0x10 + 2 * 23);
	mmio_out(f.m, IOAPIC_BASE + 0x10, 0x8051);
	n = fake_msis(f.m, NULL);
	pci_set_intx(&dev, true);
	assert(fake_msis(f.m, &msi) == n + 1 && (msi.data & 0xff) == 0x51);
	pci_set_intx(&dev, false);
	machine_eoi(f.m, 0x51);
	assert(fake_msis(f.m, NULL) == n + 1);
	mmio_out(f.m, IOAPIC_BASE + 0x10, 0x10000);
}

/* ---- fw_cfg ---- */

static void fw_select(uint16_t key)
{
	bus_io(f.m->ports, 0x510, &key, 2, true);
}

static void fw_read(void *data, size_t len)
{
	uint8_t *p = data;

	while (len--)
		*p++ = port_in(f.m, 0x511);
}

/* By DMA, at guest address 0x1000; the data go to 0x2000. */
static uint32_t fw_dma(uint32_t control, uint32_t len)
{
	struct {
		uint32_t control, len;
		uint64_t addr;
	} req = { htobe32(control), htobe32(len), htobe64(0x2000) };
	uint32_t result;

	assert(ram_write(f.m->ram, 0x1000, &req, sizeof(req)) == 0);
	port_out32(0x514, 0);
	port_out32(0x518, htobe32(0x1000));
	ram_read(f.m->ram, 0x1000, &result, 4);
	return be32toh(result);
}

struct entry {
	uint32_t size;
	uint16_t key, reserved;
	char name[56];
};

static int fw_find(const char *name, struct entry *ret_entry)
{
	uint32_t n;

	fw_select(0x19);
	fw_read(&n, 4);
	for (n = be32toh(n); n; n--) {
		fw_read(ret_entry, sizeof(*ret_entry));
		ret_entry->size = be32toh(ret_entry->size);
		ret_entry->key = be16toh(ret_entry->key);
		if (strcmp(ret_entry->name, name) == 0)
			return ret_entry->key;
	}
	return -1;
}

static void test_fwcfg(void)
{
	char text[16] = "";
	struct entry e;
	uint64_t map[3];

	fw_select(0);
	fw_read(text, 4);
	assert(strcmp(text, "QEMU") == 0);
	assert(port_in32(0x514) == le32toh(0x554d4551)); /* "QEMU" */
	fw_select(5);
	fw_read(text, 2);
	assert(text[0] == 1 && text[1] == 0);
	assert(fw_find("bootorder", &e) >= 0 && e.size == 5);
	assert(fw_find("no such file", &e) == -1);

	assert(fw_find("etc/e820", &e) > 0 && e.size == 20);
	assert(fw_dma(e.key << 16 | 8 | 2, 20) == 0); /* select, read */
	ram_read(f.m->ram, 0x2000, map, 20);
	assert(map[0] == 0 && map[1] == MEMORY * MIB && (map[2] & 0xff) == 1);
	/* Behind the end: zeroes; into what is not RAM: an error. */
	assert(fw_dma(2, 8) == 0);
	ram_read(f.m->ram, 0x2000, map, 8);
	assert(map[0] == 0);
	assert(fw_dma(2, 0xf0000000) & 1);
	assert(fw_dma(e.key << 16 | 8 | 16, 4) & 1); /* not writable */
	fw_select(0xffff);
	assert(port_in(f.m, 0x511) == 0);
}

/* Runs the loader's script as firmware does, and checks the sums. */
static void test_loader(void)
{
	struct entry tables, script, rsdp;
	static uint8_t blob[65536], root[64], cmd[128];
	uint64_t sum = 0;

	assert(fw_find("etc/acpi/tables", &tables) > 0);
	assert(fw_find("etc/acpi/rsdp", &rsdp) > 0 && rsdp.size == 36);
	assert(fw_find("etc/table-loader", &script) > 0);
	assert(tables.size <= sizeof(blob) && script.size % 128 == 0);
	fw_select(tables.key);
	fw_read(blob, tables.size);
	fw_select(rsdp.key);
	fw_read(root, rsdp.size);
	fw_select(script.key);
	for (uint32_t i = 0; i < script.size / 128; i++) {
		uint8_t *in = blob;
		uint32_t v[3];

		fw_read(cmd, 128);
		if (strcmp((char *)cmd + 4, "etc/acpi/rsdp") == 0)
			in = root;
		if (cmd[0] == 2) {
			memcpy(v, cmd + 116, 4);
			memcpy(&sum, in + v[0], cmd[120]);
			assert(sum < tables.size);
			sum = 0;
		} else if (cmd[0] == 3) {
			uint8_t s = 0;

			memcpy(v, cmd + 60, 12);
			for (uint32_t n = 0; n < v[2]; n++)
				s += in[v[1] + n];
			in[v[0]] -= s;
		}
	}
	for (unsigned int i = 0; i < 36; i++)
		sum += root[i];
	assert((sum & 0xff) == 0 && memcmp(root, "RSD PTR ", 8) == 0);
	memcpy(&sum, root + 24, 8);
	assert(memcmp(blob + sum, "XSDT", 4) == 0);
	memcpy(&sum, blob + sum + 36, 8);
	assert(memcmp(blob + sum, "FACP", 4) == 0);
	assert(blob[sum + 56] == 0 && blob[sum + 57] == 6); /* port 0x600 */
}

/* ---- flash ---- */

static uint8_t flash_in(uint32_t at)
{
	uint8_t v;

	bus_io(f.m->mmio, FLASH_AT + at, &v, 1, false);
	return v;
}

static void flash_out(uint32_t at, uint8_t value)
{
	bus_io(f.m->mmio, FLASH_AT + at, &value, 1, true);
}

static uint8_t file_byte(uint32_t at)
{
	uint8_t v;

	assert(pread(nvram_fd, &v, 1, at) == 1);
	return v;
}

static void test_flash(void)
{
	assert(flash_in(0x2000) == 0x82);
	/* How OVMF tells flash from RAM and ROM. */
	flash_out(0x2000, 0x50);
	assert(flash_in(0x2000) == 0x82);
	flash_out(0x2000, 0x70);
	assert(flash_in(0x2000) == 0);
	flash_out(0x2000, 0xff);
	fake_settle(&f);
	assert(seen_byte(FLASH_AT + 0x2000) == 0x82);

	flash_out(0x2010, 0x10); /* clears bits, sets none */
	fake_settle(&f);
	assert(!seen(FLASH_AT));
	flash_out(0x2010, 0x03);
	assert(flash_in(0) == 0x80);
	flash_out(0x2010, 0xff);
	assert(flash_in(0x2010) == 0x02 && file_byte(0x2010) == 0x02);

	flash_out(0x2345, 0x20);
	flash_out(0x2345, 0xd0);
	flash_out(0, 0xff);
	assert(flash_in(0x2000) == 0xff && flash_in(0x2fff) == 0xff);
	assert(flash_in(0x1fff) == 0x81 && flash_in(0x3000) == 0x83);
	assert(file_byte(0x2fff) == 0xff);

	flash_out(0x2040, 0xe8);
	assert(flash_in(0x2040) == 0x80);
	flash_out(0x2040, 3); /* four bytes */
	for (unsigned int i = 0; i < 4; i++)
		flash_out(0x2041 + i, i);
	flash_out(0x2040, 0xd0);
	flash_out(0x2040, 0xff);
	assert(flash_in(0x2040) == 0xff && flash_in(0x2041) == 0);
	assert(flash_in(0x2044) == 3 && flash_in(0x2045) == 0xff);
	flash_out(0, 0x20); /* not confirmed */
	flash_out(0, 0x12);
	assert((flash_in(0) & 0x30) == 0x30);
	flash_out(0, 0x98);
	assert(flash_in(0x10) == 'Q' && flash_in(0x27) == 16);
	flash_out(0, 0xff);
	fake_settle(&f);
}

/* A reset: firmware below 1 MiB again, everything unlocked. */
static void test_reset(void)
{
	machine_request_reset(f.m);
	fake_settle(&f);
	assert(seen(0xffff0)->readonly && !seen(0xc0000));
	assert(seen(MEMORY * MIB - 1) && ram_ptr(f.m->ram, MEMORY * MIB - 1, 1));
	assert(pci_ecam(f.m->pci) == 0 && ich9_pm_base(f.m->pm) == 0);
	config_out(0, 0x9d, 0x4a);
	assert(seen(0xa0000));
}

int main(void)
{
	start();
	test_identity();
	test_ecam();
	test_pam();
	test_smram();
	test_pm();
	test_intx();
	test_fwcfg();
	test_loader();
	test_flash();
	f.spec.on_reboot = SPEC_RESTART;
	test_reset();
	fake_finish(&f);
	close(nvram_fd);
	return 0;
}
