/*
 * tests/fuzz/e1000e.c -- a hostile driver for the 82574L: random registers,
 * descriptors and frames.
 *
 *	e1000e [ROUNDS [SEED]]
 *
 * Nothing may crash or hang, and after a reset an honest driver's frame is
 * sent.  Needs root for a tap.  Meant to be run for long with sanitizers on.
 */
#include "tests/unit/virtio/rig.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <linux/pci_regs.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/fuzz/random.h"
#include "vmm/dev/e1000e.h"
#include "vmm/spec.h"

enum {
	CTRL = 0x0000, ICR = 0x00c0, IMS = 0x00d0, IVAR = 0x00e4,
	RCTL = 0x0100, TCTL = 0x0400, PSRCTL = 0x2170, RX = 0x2800,
	TX = 0x3800, RFCTL = 0x5008,
	ENTRIES = 32,
	RX_RING = 0x10000, TX_RING = 0x20000, DATA = 0x100000,
};

static void out(struct rig *rig, uint64_t reg, uint32_t value)
{
	rig_out(rig, rig->regs + reg, value, 4);
}

static void probe(struct rig *rig)
{
	uint64_t table;

	rig_find(rig, 1);
	rig->regs = rig_cfg(rig, PCI_BASE_ADDRESS_0, 4) & ~0xfu;
	table = rig_cfg(rig, PCI_BASE_ADDRESS_3, 4) & ~0xfu;
	rig_cfg_out(rig, PCI_COMMAND,
		    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	if (chance(70))
		rig_cfg_out(rig, 0x42, PCI_MSIX_FLAGS_ENABLE, 2);
	for (unsigned int v = 0; v < 5; v++) {
		rig_out(rig, table + 16 * v, 0xfee00000, 4);
		rig_out(rig, table + 16 * v + 8, 90 + v, 4);
		rig_out(rig, table + 16 * v + 12, 0, 4);
	}
}

static void set_up(struct rig *rig, uint32_t rctl, uint32_t rfctl)
{
	out(rig, CTRL, 1u << 26);
	out(rig, IVAR, 0x000a0908);
	out(rig, IMS, 0x01500084);
	out(rig, RFCTL, rfctl);
	out(rig, RX, RX_RING);
	out(rig, RX + 8, ENTRIES * 16);
	out(rig, TX, TX_RING);
	out(rig, TX + 8, ENTRIES * 16);
	out(rig, RCTL, rctl);
	out(rig, TCTL, 2);
}

static void scramble_tx(struct rig *rig)
{
	for (unsigned int i = 0; i < ENTRIES; i++) {
		uint32_t *d = rig_ptr(rig, TX_RING + 16 * i);
		bool context = chance(30);

		d[0] = context ? (chance(80) ? 0x00210e18 : rnd()) :
		       chance(90) ? DATA + below(0x10000) :
				    rnd();
		d[1] = context ? (chance(80) ? 0x00003222 : rnd()) :
				 (chance(95) ? 0 : rnd());
		d[2] = (chance(95) ? below(3000) : rnd() & 0xfffff) |
		       (context ? 0 : 1u << 20) | (uint32_t)rnd() << 24;
		if (chance(80))
			d[2] |= 1u << 29; /* extended */
		d[3] = chance(70) ? (uint32_t)below(2000) << 16 | below(4) << 8 |
					    54 << 8 :
				    rnd();
	}
}

static void scramble_rx(struct rig *rig)
{
	for (unsigned int i = 0; i < ENTRIES * 2; i++) {
		uint64_t *d = rig_ptr(rig, RX_RING + 8 * i);

		*d = chance(90) ? DATA + below(0x10000) : rnd();
	}
}

/* To the tap's other side. */
static void send_frames(int wire)
{
	uint8_t frame[4000];

	for (unsigned int n = below(6); n; n--) {
		for (unsigned int i = 0; i < 32; i++)
			frame[i] = chance(50) ? 0xff : rnd();
		if (chance(30)) {
			frame[12] = 0x81;
			frame[13] = 0;
		}
		if (send(wire, frame, 14 + below(1500), MSG_DONTWAIT) < 0)
			return;
	}
}

static void random_register(struct rig *rig)
{
	static const uint16_t known[] = {
		0x0000, 0x0008, 0x0014, 0x0018, 0x0020, 0x00c0, 0x00c8, 0x00d0,
		0x00d8, 0x00dc, 0x00e0, 0x00e4, 0x0100, 0x0400, 0x2170, 0x2800,
		0x2804, 0x2808, 0x2810, 0x2818, 0x3800, 0x3804, 0x3808, 0x3810,
		0x3818, 0x5008, 0x5400, 0x5404, 0x4074, 0x5ffc,
	};
	uint64_t reg = chance(80) ? known[below(ARRAY_SIZE(known))] :
				    below(0x20000);

	if (chance(60))
		rig_out(rig, rig->regs + reg, rnd() >> below(64),
			1u << below(4));
	else
		rig_in(rig, rig->regs + reg, 1u << below(4));
}

static void hostile_round(struct rig *rig, int wire)
{
	probe(rig);
	set_up(rig, 2 | (rnd() & 0x0603fffc), chance(60) ? 1u << 15 : 0);
	if (chance(30))
		out(rig, PSRCTL, rnd());
	for (unsigned int n = 1 + below(10); n; n--) {
		scramble_tx(rig);
		scramble_rx(rig);
		send_frames(wire);
		out(rig, RX + 0x18, chance(95) ? below(ENTRIES) : rnd());
		out(rig, TX + 0x18, chance(95) ? below(ENTRIES) : rnd());
		if (chance(50))
			random_register(rig);
		if (chance(30))
			rig_in(rig, rig->regs + ICR, 4);
	}
	if (chance(20))
		pci_bus_reset(rig->m.pci);
}

/* A frame of 60 bytes, and the descriptor comes back. */
static void honest_round(struct rig *rig)
{
	uint32_t *d = rig_ptr(rig, TX_RING);

	pci_bus_reset(rig->m.pci);
	probe(rig);
	d[0] = DATA;
	d[1] = 0;
	d[2] = 60 | 0x0bu << 24; /* end of packet, CRC, report */
	d[3] = 0;
	set_up(rig, 0, 0);
	out(rig, TX + 0x18, 1);
	while (!(__atomic_load_n(&d[3], __ATOMIC_ACQUIRE) & 1))
		usleep(50);
	assert(rig_in(rig, rig->regs + TX + 0x10, 4) == 1);
	assert(rig_in(rig, rig->regs + 0x4080, 4) == 1); /* packets sent */
}

static int open_wire(void)
{
	struct sockaddr_ll ll = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(0x88b5),
				  .sll_ifindex = if_nametoindex(RIG_TAP) };
	int fd = socket(AF_PACKET, SOCK_RAW, htons(0x88b5));

	assert(fd >= 0 && !bind(fd, (struct sockaddr *)&ll, sizeof(ll)));
	return fd;
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? atoi(argv[1]) : 300;
	struct spec_nic nic = { .id = "net0", .mac = { 2 }, .rom_fd = -1,
				.model = NIC_E1000E };
	struct error err = { 0 };
	struct rig rig;
	int wire;

	random_arg(argc, argv, 2);
	nic.fd = rig_tap();
	if (nic.fd < 0) {
		printf("skipped: needs a tap\n");
		return 77;
	}
	wire = open_wire();
	rig_init(&rig);
	assert(!e1000e_add(&rig.m, &nic, &err));
	for (unsigned int i = 0; i < rounds; i++) {
		hostile_round(&rig, wire);
		if (i % 50 == 49)
			honest_round(&rig);
	}
	honest_round(&rig);
	rig_finish(&rig);
	printf("%u rounds\n", rounds);
	return 0;
}
