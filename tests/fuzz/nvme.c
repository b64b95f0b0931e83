/*
 * tests/fuzz/nvme.c -- a hostile driver for the NVM Express controller: random
 * registers, queues, commands and region lists.
 *
 *	nvme [ROUNDS [SEED]]
 *
 * Nothing may crash or hang, and after a reset an honest driver must get what
 * it asks for.  Meant to be run for long with sanitizers on.
 */
#include "tests/unit/virtio/rig.h"

#include <linux/pci_regs.h>
#include <string.h>

#include "tests/fuzz/random.h"
#include "vmm/dev/nvme.h"
#include "vmm/spec.h"

enum {
	CC = 0x14, CSTS = 0x1c, AQA = 0x24, ASQ = 0x28, ACQ = 0x30,
	BELLS = 0x1000,
	QUEUES = 4, ENTRIES = 32,
	SQ0 = 0x10000, CQ0 = 0x20000, QUEUE_STEP = 0x1000,
	LISTS = 0x30000, DATA = 0x100000,
	DISK_BYTES = 1024 * 1024,
};

struct command {
	uint8_t opcode, flags;
	uint16_t cid;
	uint32_t nsid, cdw2, cdw3;
	uint64_t mptr, prp1, prp2;
	uint32_t cdw[6]; /* 10 to 15 */
};

static uint32_t tail[QUEUES];

static void probe(struct rig *rig)
{
	uint64_t table;

	rig_find(rig, 1);
	rig->regs = rig_cfg(rig, PCI_BASE_ADDRESS_0, 4) & ~0xfu;
	table = rig_cfg(rig, PCI_BASE_ADDRESS_4, 4) & ~0xfu;
	rig_cfg_out(rig, PCI_COMMAND,
		    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	rig_cfg_out(rig, 0x42, PCI_MSIX_FLAGS_ENABLE, 2);
	rig_out(rig, table, 0xfee00000, 4);
	rig_out(rig, table + 8, 78, 4);
	rig_out(rig, table + 12, 0, 4);
}

static void wait_ready(struct rig *rig, bool ready)
{
	while ((rig_in(rig, rig->regs + CSTS, 4) & 1) != ready &&
	       !(ready && rig_in(rig, rig->regs + CSTS, 4) & 2))
		usleep(50);
}

static void enable(struct rig *rig)
{
	memset(rig_ptr(rig, SQ0), 0, 2 * QUEUES * QUEUE_STEP);
	memset(rig_ptr(rig, CQ0), 0, 2 * QUEUES * QUEUE_STEP);
	memset(tail, 0, sizeof(tail));
	rig_out(rig, rig->regs + CC, 0, 4);
	wait_ready(rig, false);
	rig_out(rig, rig->regs + AQA, (ENTRIES - 1) << 16 | (ENTRIES - 1), 4);
	rig_out(rig, rig->regs + ASQ, SQ0, 8);
	rig_out(rig, rig->regs + ACQ, CQ0, 8);
	rig_out(rig, rig->regs + CC, 0x460001, 4);
	wait_ready(rig, true);
}

static void submit(struct rig *rig, unsigned int q, const struct command *c)
{
	memcpy(rig_ptr(rig, SQ0 + QUEUE_STEP * q + 64 * tail[q]), c, 64);
	tail[q] = (tail[q] + 1) % ENTRIES;
	rig_out(rig, rig->regs + BELLS + 8 * q, tail[q], 4);
}

static void create_queues(struct rig *rig)
{
	for (unsigned int q = 1; q < QUEUES; q++) {
		struct command c = { .opcode = 5,
				     .prp1 = CQ0 + QUEUE_STEP * q };

		c.cdw[0] = (ENTRIES - 1) << 16 | q;
		c.cdw[1] = 3;
		submit(rig, 0, &c);
		c.opcode = 1;
		c.prp1 = SQ0 + QUEUE_STEP * q;
		c.cdw[1] = q << 16 | 1;
		submit(rig, 0, &c);
	}
}

static void scramble_lists(struct rig *rig)
{
	for (unsigned int i = 0; i < 1024; i++) {
		uint64_t v = chance(95) ? DATA + 4096 * below(64) : rnd();

		memcpy(rig_ptr(rig, LISTS + 8 * i), &v, 8);
	}
}

static struct command some_command(bool admin)
{
	static const uint8_t io[] = { 0, 1, 2, 8, 9, 2, 1 };
	static const uint8_t adm[] = { 0, 1, 2, 4, 5, 6, 8, 9, 10, 12 };
	struct command c = { .cid = rnd(), .nsid = chance(90) ? 1 : rnd() };

	c.opcode = admin ? adm[below(sizeof(adm))] : io[below(sizeof(io))];
	if (chance(3))
		c.opcode = rnd();
	if (chance(3))
		c.flags = rnd();
	c.prp1 = chance(90) ? DATA + 4 * below(0x10000) : rnd();
	if (chance(50))
		c.prp1 &= ~0xfffull;
	c.prp2 = chance(50) ? LISTS + 8 * below(1024) :
		 chance(90) ? DATA + 4096 * below(64) :
			      rnd();
	for (unsigned int i = 0; i < 6; i++)
		c.cdw[i] = chance(70) ? below(12) : rnd();
	if (admin && chance(50))
		c.cdw[0] = below(16) << 16 | below(QUEUES + 2);
	else if (chance(70))
		c.cdw[0] = below(2100);
	if (!admin && chance(80))
		c.cdw[1] = c.opcode == 9 ? 4 : 0;
	if (!admin && chance(80))
		c.cdw[2] = below(1100);
	return c;
}

static void hostile_round(struct rig *rig)
{
	enable(rig);
	if (chance(90))
		create_queues(rig);
	for (unsigned int n = 1 + below(30); n; n--) {
		unsigned int q = below(QUEUES);
		struct command c = some_command(q == 0);

		scramble_lists(rig);
		submit(rig, q, &c);
		if (chance(50)) /* take answers */
			rig_out(rig, rig->regs + BELLS + 8 * q + 4,
				below(ENTRIES), 4);
		if (chance(5))
			rig_out(rig,
				rig->regs + (below(0x40) & ~3ull) +
					(chance(50) ? BELLS : 0),
				rnd(), chance(50) ? 4 : 8);
		if (chance(5))
			rig_in(rig, rig->regs + below(0x2000), 4);
		if (chance(30))
			usleep(below(200));
	}
}

/* What the completion says; entry i of the admin queue. */
static uint32_t honest(struct rig *rig, unsigned int i,
		       const struct command *c)
{
	uint32_t *e = rig_ptr(rig, CQ0 + 16 * i);

	submit(rig, 0, c);
	while (!(__atomic_load_n(&e[3], __ATOMIC_ACQUIRE) & 0x10000))
		usleep(50);
	rig_out(rig, rig->regs + BELLS + 4, i + 1, 4);
	return e[3] >> 17;
}

static void honest_round(struct rig *rig)
{
	struct command identify = { .opcode = 6, .prp1 = DATA, .cdw = { 1 } };
	unsigned int messages;

	pci_bus_reset(rig->m.pci);
	probe(rig);
	assert(!(rig_in(rig, rig->regs + CSTS, 4) & 3));
	enable(rig);
	messages = rig_msis(78);
	assert(honest(rig, 0, &identify) == 0);
	rig_wait_msi(rig, 78, messages + 1);
	assert(!memcmp(rig_ptr(rig, DATA + 4), "NV-1 ", 5));
	identify.nsid = 1;
	identify.cdw[0] = 0;
	assert(honest(rig, 1, &identify) == 0);
	assert(*(uint64_t *)rig_ptr(rig, DATA) == DISK_BYTES / 512);
	identify.cdw[0] = 0x77;
	assert(honest(rig, 2, &identify) != 0);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? atoi(argv[1]) : 300;
	struct spec_controller ctl = { .id = "nvme0", .bus = SPEC_NVME,
				       .serial = "NV-1", .queues = 4 };
	struct spec_disk disk = { .id = "disk0", .format = "raw",
				  .bus = SPEC_NVME, .discard = true };
	const struct spec_disk *disks[] = { &disk };
	struct error err = { 0 };
	struct rig rig;

	random_arg(argc, argv, 2);
	rig_init(&rig);
	disk.fd = rig_image(DISK_BYTES);
	assert(!nvme_add(&rig.m, &ctl, disks, 1, &err));
	close(disk.fd);
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
