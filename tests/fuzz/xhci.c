/*
 * tests/fuzz/xhci.c -- a hostile USB driver: rings, contexts and registers of
 * an xHCI at random, most of them nearly right.
 *
 *	xhci [ROUNDS [SEED]]
 */
#include "tests/unit/vmm/fake.h"

#include <linux/input-event-codes.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "tests/fuzz/random.h"
#include "vmm/bus.h"
#include "vmm/dev/pci.h"
#include "vmm/input.h"
#include "vmm/ram.h"

enum { SLOT = 4, DEVFN = SLOT << 3, AREA = 0x200000, AREA_SIZE = 0x10000 };

static struct fake f;
static uint64_t regs;

static uint64_t place(void)
{
	return chance(95) ? AREA + (rnd() % AREA_SIZE & ~0xfull) : rnd();
}

/* A TRB somewhere in the area: of any type, pointing into it. */
static void add_trb(uint8_t *area)
{
	struct {
		uint64_t param;
		uint32_t status, control;
	} t = {
		.param = chance(80) ? place() : rnd(),
		.status = chance(80) ? rnd() & 0xff : rnd(),
		.control = (rnd() & 0x3f) << 10 | (rnd() & 0x1ff) |
			   (rnd() % 10) << 16 | (rnd() % 4) << 24,
	};

	if (chance(20)) /* GET_DESCRIPTOR */
		t.param = 0x80 | 6 << 8 | (rnd() % 0x23) << 24 |
			  (rnd() & 0xff) << 48;
	memcpy(area + (rnd() % AREA_SIZE & ~0xfull), &t, sizeof(t));
}

static void add_context(uint8_t *area)
{
	uint32_t *dw = (void *)(area + (rnd() % (AREA_SIZE - 2048) & ~0x3full));

	dw[0] = 0;
	dw[1] = chance(80) ? 3 | BIT(3) : rnd();
	dw[8] = 1 << 27;
	dw[9] = (rnd() % 6) << 16;
	for (unsigned int ep = 1; ep < 5; ep++) {
		dw[8 + 8 * ep] = 0;
		dw[8 + 8 * ep + 1] = (rnd() & 7) << 3 | 64 << 16;
		dw[8 + 8 * ep + 2] = place() | (rnd() & 1);
		dw[8 + 8 * ep + 3] = 0;
	}
}

/* A storage device's command, which TRBs may find. */
static void add_command(uint8_t *area)
{
	uint8_t *cbw = area + (rnd() % (AREA_SIZE - 64) & ~0xfull);
	static const uint8_t ops[] = { 0x00, 0x03, 0x12, 0x1a, 0x1b, 0x1e,
				       0x25, 0x28, 0x2a, 0x35, 0x42, 0x43,
				       0x46, 0x4a, 0x5a, 0x9e, 0xa0, 0xbe };

	memset(cbw, 0, 31);
	memcpy(cbw, "USBC", 4);
	if (chance(90)) {
		cbw[8] = rnd();
		cbw[9] = rnd() % 8;
	} else {
		*(uint32_t *)(cbw + 8) = rnd();
	}
	cbw[12] = chance(50) ? 0x80 : 0;
	cbw[14] = chance(90) ? 16 : rnd();
	cbw[15] = chance(90) ? ops[rnd() % sizeof(ops)] : rnd();
	cbw[15 + 8] = rnd() % 4;
	if (chance(30))
		cbw[15 + 2 + rnd() % 8] = rnd();
}

/* It comes and goes while the driver is at it. */
static void pull(void)
{
	const char *id = chance(50) ? "input1" : "stick";
	struct error err = { 0 };
	struct spec_disk disk = f.spec.disks[0];
	struct spec_input input = f.spec.inputs[1];
	struct vmm_spec one = { 0 };

	if (machine_unplug(f.m, id) == 0)
		return;
	if (str_eq(id, "stick")) {
		one.disks = &disk;
		one.n_disks = 1;
	} else {
		one.inputs = &input;
		one.n_inputs = 1;
	}
	assert(!machine_plug(f.m, &one, &err));
}

static void setup(uint8_t *area)
{
	uint64_t *dcbaa = (void *)area;

	for (unsigned int i = 0; i < 33; i++)
		dcbaa[i] = place() & ~0x3full;
	*(uint64_t *)(area + 0x400) = AREA + 0x800;
	*(uint32_t *)(area + 0x408) = 64;
	mmio_out(f.m, regs + 0x1028, 1);
	mmio_out(f.m, regs + 0x1030, AREA + 0x400);
	mmio_out(f.m, regs + 0x1034, 0);
	mmio_out(f.m, regs + 0x1038, AREA + 0x800);
	mmio_out(f.m, regs + 0x103c, 0);
	mmio_out(f.m, regs + 0x40 + 0x30, AREA);
	mmio_out(f.m, regs + 0x40 + 0x34, 0);
	mmio_out(f.m, regs + 0x40 + 0x38, 32);
	mmio_out(f.m, regs + 0x40 + 0x18, (uint32_t)place() | (rnd() & 1));
	mmio_out(f.m, regs + 0x40 + 0x1c, 0);
	mmio_out(f.m, regs + 0x1020, 2);
	mmio_out(f.m, regs + 0x40, 5);
}

static void step(uint8_t *area)
{
	if (chance(3))
		pull();
	switch (rnd() % 8) {
	case 0:
		mmio_out(f.m, regs + 0x2000, 0);
		break;
	case 1:
	case 2:
		mmio_out(f.m, regs + 0x2000 + 4 * (rnd() % 5), rnd() % 7);
		break;
	case 3:
		mmio_out(f.m, regs + 0x440 + 16 * (rnd() % 18),
			 chance(50) ? 0x10 : rnd());
		break;
	case 4:
		input_key(f.m->input, rnd() & 0xff, rnd() & 1);
		input_pointer(f.m->input, &(struct input_pointer){
						  .x = rnd() & 0x7fff,
						  .dx = (int)rnd(),
						  .buttons = rnd() & 31 });
		break;
	case 5:
		mmio_in(f.m, regs + (rnd() & 0x3ffc));
		if (chance(20))
			mmio_out(f.m, regs + (rnd() & 0x3ffc), rnd());
		break;
	default:
		add_trb(area);
	}
}

/* After a reset a driver finds the device. */
static void expect_alive(void)
{
	mmio_out(f.m, regs + 0x40, 2);
	assert(mmio_in(f.m, regs + 0x44) == 1);
	assert(mmio_in(f.m, regs + 0x440) & 1);
	mmio_out(f.m, regs + 0x440, 0x10 | 0x200);
	assert(mmio_in(f.m, regs + 0x440) & 2);
}

static void add_input(unsigned int i, enum spec_input_kind kind)
{
	f.spec.inputs[i] = (struct spec_input){ .id = xasprintf("input%u", i),
						.kind = kind,
						.bus = INPUT_BUS_USB };
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 300;
	uint8_t *area;

	random_arg(argc, argv, 2);
	fake_init(&f);
	f.spec.usbs = xcalloc(1, sizeof(*f.spec.usbs));
	f.spec.n_usbs = 1;
	f.spec.usbs[0] = (struct spec_usb){ xstrdup("usb"), { .slot = SLOT } };
	f.spec.inputs = xcalloc(3, sizeof(*f.spec.inputs));
	f.spec.n_inputs = 3;
	add_input(0, INPUT_KIND_KEYBOARD);
	add_input(1, INPUT_KIND_MOUSE);
	add_input(2, INPUT_KIND_TABLET);
	fake_add_stick(&f, 4);
	fake_start(&f);
	pci_config_write(f.m->pci, DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	regs = pci_config_read(f.m->pci, DEVFN, PCI_BASE_ADDRESS_0, 4) & ~0xfu;
	area = ram_ptr(f.m->ram, AREA, AREA_SIZE);
	assert(area && regs);
	while (rounds--) {
		memset(area, 0, AREA_SIZE);
		for (unsigned int i = 0; i < 3000; i++)
			add_trb(area);
		for (unsigned int i = 0; i < 100; i++)
			add_context(area);
		for (unsigned int i = 0; i < 300; i++)
			add_command(area);
		setup(area);
		for (unsigned int i = 0; i < 400; i++)
			step(area);
		expect_alive();
	}
	fake_finish(&f);
	return 0;
}
