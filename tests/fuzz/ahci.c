/*
 * tests/fuzz/ahci.c -- a hostile driver for the Serial ATA controller: random
 * registers, command lists and FISes, for a disk and a CD-ROM drive.
 *
 *	ahci [ROUNDS [SEED]]
 *
 * Nothing may crash or hang, and after a reset an honest driver must get what
 * it asks for.  Meant to be run for long with sanitizers on.
 */
#include "tests/unit/virtio/rig.h"

#include <linux/pci_regs.h>
#include <string.h>

#include "tests/fuzz/random.h"
#include "vmm/dev/ahci.h"
#include "vmm/spec.h"

enum {
	PORT0 = 0x100, PORT_STEP = 0x80, PORTS = 6,
	LIST = 0x10000, FIS = 0x14000, TABLES = 0x20000, TABLE_STEP = 0x400,
	DATA = 0x100000,
	DISK_BYTES = 1024 * 1024,
};

static uint64_t port_reg(struct rig *rig, unsigned int port, unsigned int reg)
{
	return rig->regs + PORT0 + PORT_STEP * port + reg;
}

static void probe(struct rig *rig)
{
	rig_find(rig, 1);
	rig->regs = rig_cfg(rig, PCI_BASE_ADDRESS_5, 4) & ~0xfu;
	rig_cfg_out(rig, PCI_COMMAND,
		    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	rig_cfg_out(rig, 0x44, 0xfee00000, 4); /* MSI: the first capability */
	rig_cfg_out(rig, 0x4c, 77, 2);
	rig_cfg_out(rig, 0x42, PCI_MSI_FLAGS_ENABLE, 2);
}

static void start_port(struct rig *rig, unsigned int port)
{
	rig_out(rig, port_reg(rig, port, 0x00), LIST + 0x400 * port, 4);
	rig_out(rig, port_reg(rig, port, 0x04), 0, 4);
	rig_out(rig, port_reg(rig, port, 0x08), FIS + 0x100 * port, 4);
	rig_out(rig, port_reg(rig, port, 0x0c), 0, 4);
	rig_out(rig, port_reg(rig, port, 0x14), 0xfdc000ff, 4);
	rig_out(rig, port_reg(rig, port, 0x18), 0x11, 4); /* ST, FRE */
	rig_out(rig, rig->regs + 4, 2, 4);		  /* IE */
}

static void put32(struct rig *rig, uint64_t gpa, uint32_t v)
{
	memcpy(rig_ptr(rig, gpa), &v, 4);
}

static uint64_t table_of(unsigned int port, unsigned int slot)
{
	return TABLES + (port * 32 + slot) * TABLE_STEP;
}

static void header(struct rig *rig, unsigned int port, unsigned int slot,
		   uint32_t flags, uint64_t table)
{
	uint64_t at = LIST + 0x400 * port + 32 * slot;

	put32(rig, at, flags);
	put32(rig, at + 4, 0);
	put32(rig, at + 8, table);
	put32(rig, at + 12, table >> 32);
}

static void region(struct rig *rig, uint64_t table, unsigned int i,
		   uint64_t gpa, uint32_t len)
{
	put32(rig, table + 0x80 + 16 * i, gpa);
	put32(rig, table + 0x84 + 16 * i, gpa >> 32);
	put32(rig, table + 0x8c + 16 * i, len - 1);
}

/* Commands that exist, more often than others. */
static uint8_t some_command(void)
{
	static const uint8_t known[] = {
		0x06, 0x20, 0x24, 0x25, 0x2f, 0x30, 0x34, 0x35, 0x3d, 0x40,
		0x42, 0x47, 0x60, 0x61, 0x60, 0x61, 0x90, 0xa0, 0xa0, 0xa0,
		0xa1, 0xc6, 0xc8, 0xca, 0xe5, 0xe7, 0xea, 0xec, 0xef, 0x08,
	};

	return chance(95) ? known[below(sizeof(known))] : rnd();
}

static uint8_t some_packet(void)
{
	static const uint8_t known[] = {
		0x00, 0x03, 0x08, 0x12, 0x15, 0x1a, 0x1b, 0x1e, 0x25, 0x28,
		0x2b, 0x2f, 0x35, 0x43, 0x46, 0x4a, 0x51, 0x55, 0x5a, 0xa8,
		0xbb, 0xbd, 0xbe,
	};

	return chance(95) ? known[below(sizeof(known))] : rnd();
}

static void scramble_slot(struct rig *rig, unsigned int port,
			  unsigned int slot)
{
	uint64_t table = table_of(port, slot);
	uint8_t *fis = rig_ptr(rig, table);
	unsigned int n = below(6);

	for (unsigned int i = 0; i < 0x60; i++)
		fis[i] = chance(60) ? 0 : rnd();
	fis[0] = chance(97) ? 0x27 : rnd();
	fis[1] = chance(93) ? 0x80 : rnd();
	fis[2] = some_command();
	if (fis[2] == 0x06)
		fis[3] = 1;
	if (chance(80))
		fis[5] = below(10), fis[6] = fis[8] = fis[9] = fis[10] = 0;
	if (chance(80))
		fis[13] = 0;
	if ((fis[2] & 0xfe) == 0x60)
		fis[12] = slot << 3, fis[3] = below(8), fis[11] = 0;
	fis[0x40] = some_packet();
	for (unsigned int i = 0; i < n; i++)
		region(rig, table, i,
		       chance(95) ? DATA + (below(0x80000) & ~1ull) : rnd(),
		       chance(90) ? 512 * (1 + below(16)) : rnd());
	header(rig, port, slot,
	       (chance(97) ? n : below(65536)) << 16 |
		       (chance(40) ? 0x40 : 0) | 5,
	       chance(97) ? table : rnd());
}

static void random_register(struct rig *rig)
{
	uint64_t offset = chance(80) ? PORT0 + PORT_STEP * below(2) +
					       4 * below(16) :
				       below(0x1000);
	unsigned int size = 1u << below(4);

	offset &= ~(uint64_t)(size - 1);
	if (chance(60))
		rig_out(rig, rig->regs + offset,
			chance(50) ? rnd() : 1u << below(32), size);
	else
		rig_in(rig, rig->regs + offset, size);
}

static void hostile_round(struct rig *rig)
{
	for (unsigned int port = 0; port < 2; port++)
		start_port(rig, port);
	for (unsigned int n = 1 + below(12); n; n--) {
		unsigned int port = below(2);
		uint32_t slots = 0;

		for (unsigned int k = 1 + below(4); k; k--) {
			unsigned int slot = below(32);

			scramble_slot(rig, port, slot);
			slots |= 1u << slot;
		}
		rig_out(rig, port_reg(rig, port, 0x34), slots, 4);
		rig_out(rig, port_reg(rig, port, 0x38), slots, 4);
		if (chance(20))
			random_register(rig);
		if (chance(40))
			usleep(below(300));
		if (chance(60)) { /* an error stops a port: begin anew */
			rig_out(rig, port_reg(rig, port, 0x18), 0x10, 4);
			start_port(rig, port);
		}
	}
}

static void wait_clear(struct rig *rig, uint64_t reg, uint32_t bits)
{
	while (rig_in(rig, reg, 4) & bits)
		usleep(50);
}

/* One command in slot 0 of a fresh controller. */
static void honest(struct rig *rig, unsigned int port, uint8_t command,
		   uint16_t count, const uint8_t *packet)
{
	uint64_t table = table_of(port, 0);
	uint8_t *fis = rig_ptr(rig, table);

	memset(fis, 0, 0x80);
	fis[0] = 0x27;
	fis[1] = 0x80;
	fis[2] = command;
	fis[3] = packet != NULL;
	fis[7] = 0x40;
	fis[12] = count;
	if (packet)
		memcpy(fis + 0x40, packet, 12);
	region(rig, table, 0, DATA, 4096);
	header(rig, port, 0, 1 << 16 | 5, table);
	memset(rig_ptr(rig, DATA), 0x5a, 4096);
	rig_out(rig, port_reg(rig, port, 0x38), 1, 4);
	wait_clear(rig, port_reg(rig, port, 0x38), 1);
	assert(!(rig_in(rig, port_reg(rig, port, 0x20), 4) & 0x89));
}

static void honest_round(struct rig *rig)
{
	static const uint8_t inquiry[12] = { 0x12, 0, 0, 0, 36 };
	const uint8_t *data = rig_ptr(rig, DATA);
	unsigned int messages;

	pci_bus_reset(rig->m.pci);
	probe(rig);
	assert(rig_in(rig, rig->regs + 0x0c, 4) == 3);
	assert(rig_in(rig, port_reg(rig, 0, 0x24), 4) == 0xffffffff ||
	       rig_in(rig, port_reg(rig, 0, 0x24), 4) == 0x101);
	start_port(rig, 0);
	start_port(rig, 1);
	assert(rig_in(rig, port_reg(rig, 0, 0x24), 4) == 0x101);
	assert(rig_in(rig, port_reg(rig, 1, 0x24), 4) == 0xeb140101);

	rig_out(rig, port_reg(rig, 0, 0x30), ~0u, 4);
	rig_out(rig, port_reg(rig, 0, 0x10), ~0u, 4);
	rig_out(rig, rig->regs + 8, ~0u, 4);
	messages = rig_msis(77);
	honest(rig, 0, 0xec, 0, NULL); /* IDENTIFY DEVICE */
	rig_wait_msi(rig, 77, messages + 1);
	assert(data[0] == 0x40 && !memcmp(data + 20, "es", 2));
	assert(*(uint32_t *)(data + 200) == DISK_BYTES / 512);
	honest(rig, 0, 0x25, 8, NULL); /* READ DMA EXT */
	honest(rig, 1, 0xa0, 0, inquiry);
	assert(data[0] == 5 && data[1] == 0x80 && !memcmp(data + 8, "VIREO", 5));
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? atoi(argv[1]) : 300;
	struct spec_controller c = { .id = "sata0", .bus = SPEC_SATA };
	struct spec_disk disk = { .id = "disk0", .format = "raw",
				  .bus = SPEC_SATA, .discard = true,
				  .serial = "serial" };
	struct spec_disk cd = { .id = "cd0", .format = "raw", .unit = 1,
				.bus = SPEC_SATA, .kind = SPEC_CDROM };
	const struct spec_disk *disks[] = { &disk, &cd };
	struct error err = { 0 };
	struct rig rig;

	random_arg(argc, argv, 2);
	rig_init(&rig);
	disk.fd = rig_image(DISK_BYTES);
	cd.fd = rig_image(DISK_BYTES);
	assert(!ahci_add(&rig.m, &c, disks, 2, &err));
	close(disk.fd);
	close(cd.fd);
	honest_round(&rig);
	for (unsigned int i = 0; i < rounds; i++) {
		pci_bus_reset(rig.m.pci);
		probe(&rig);
		hostile_round(&rig);
		if (i % 20 == 19)
			honest_round(&rig);
	}
	honest_round(&rig);
	rig_finish(&rig);
	printf("%u rounds\n", rounds);
	return 0;
}
