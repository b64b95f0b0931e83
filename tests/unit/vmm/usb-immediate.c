/*
 * tests/unit/vmm/usb-immediate.c -- a transfer's data may be in its TRB, up to
 * eight bytes (xHCI 1.2, 6.4.1.1).  One that said it had more was filled up
 * with what the VMM's memory had, and a guest could read that back.
 */
#include "tests/unit/vmm/fake.h"

#include <linux/pci_regs.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "vmm/dev/pci.h"
#include "vmm/ram.h"

enum { SLOT = 4, DEVFN = SLOT << 3, AREA = 0x200000, AREA_SIZE = 0x10000 };
/* In the area. */
enum { DCBAA = 0, ERST = 0x400, EVENTS = 0x800, COMMANDS = 0x1000,
       INPUT = 0x2000, DEVICE = 0x3000, DATA = 0x4000, CBW = 0x5000 };
enum { NORMAL = 1, ENABLE_SLOT = 9, ADDRESS = 11, CONFIGURE = 12,
       RESET_EP = 14, SET_DEQUEUE = 16 };
enum { SUCCESS = 1, STALL = 6, IMMEDIATE = 64, BULK_OUT = 4 /* endpoint 2, out */ };

struct trb {
	uint64_t param;
	uint32_t status, control;
};

static struct fake f;
static uint64_t regs;
static uint8_t *area;
static unsigned int n_events;

static void start_controller(void)
{
	*(uint64_t *)(area + DCBAA + 8) = AREA + DEVICE;
	*(uint64_t *)(area + ERST) = AREA + EVENTS;
	*(uint32_t *)(area + ERST + 8) = 64;
	mmio_out(f.m, regs + 0x1028, 1);
	mmio_out(f.m, regs + 0x1030, AREA + ERST);
	mmio_out(f.m, regs + 0x1038, AREA + EVENTS);
	mmio_out(f.m, regs + 0x70, AREA + DCBAA);
	mmio_out(f.m, regs + 0x78, 32);
	mmio_out(f.m, regs + 0x58, (AREA + COMMANDS) | 1);
	mmio_out(f.m, regs + 0x40, 1);
}

/* The completion code of the next event that is no port's. */
static unsigned int next_event(void)
{
	struct trb t;

	do {
		memcpy(&t, area + EVENTS + n_events++ * sizeof(t), sizeof(t));
		assert(t.control & 1);
	} while ((t.control >> 10 & 0x3f) == 34);
	return t.status >> 24;
}

static void command(unsigned int type, unsigned int ep, uint64_t param)
{
	static unsigned int n;
	struct trb t = { param, 0, type << 10 | ep << 16 | 1u << 24 | 1 };

	memcpy(area + COMMANDS + n++ * sizeof(t), &t, sizeof(t));
	mmio_out(f.m, regs + 0x2000, 0);
	assert(next_event() == SUCCESS);
}

static void input_context(uint32_t add, unsigned int ep, unsigned int type)
{
	uint32_t *dw = (void *)(area + INPUT);

	dw[1] = add;
	dw[8] = 4u << 27;
	dw[9] = 1 << 16; /* the port */
	dw[8 + 8 * ep + 1] = type << 3 | 512 << 16;
	dw[8 + 8 * ep + 2] = (AREA + DATA) | 1;
	dw[8 + 8 * ep + 3] = 0;
}

static void set_up_device(void)
{
	mmio_out(f.m, regs + 0x440, 0x210); /* reset the port */
	command(ENABLE_SLOT, 0, 0);
	input_context(3, 1, 4);
	command(ADDRESS, 0, AREA + INPUT);
	input_context(1 | 1 << BULK_OUT, BULK_OUT, 2);
	command(CONFIGURE, 0, AREA + INPUT);
}

/* One TRB on the bulk endpoint; its event's code. */
static unsigned int send(uint64_t param, uint32_t len, uint32_t flags)
{
	/* Tell when it is done. */
	struct trb t = { param, len, NORMAL << 10 | flags | 32 | 1 };

	memcpy(area + DATA, &t, sizeof(t));
	mmio_out(f.m, regs + 0x2004, BULK_OUT);
	return next_event();
}

int main(void)
{
	fake_init(&f);
	f.spec.usbs = xcalloc(1, sizeof(*f.spec.usbs));
	f.spec.n_usbs = 1;
	f.spec.usbs[0] = (struct spec_usb){ xstrdup("usb"), { .slot = SLOT } };
	fake_add_stick(&f, 1);
	fake_start(&f);
	pci_config_write(f.m->pci, DEVFN, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	regs = pci_config_read(f.m->pci, DEVFN, PCI_BASE_ADDRESS_0, 4) & ~0xfu;
	area = ram_ptr(f.m->ram, AREA, AREA_SIZE);
	assert(area && regs);
	start_controller();
	set_up_device();
	/* As long as a command block, which the device would refuse for ever. */
	assert(send(0x43425355, 31, IMMEDIATE) == STALL);
	/* It never saw that: a real one is taken (TEST UNIT READY). */
	command(RESET_EP, BULK_OUT, 0);
	command(SET_DEQUEUE, BULK_OUT, (AREA + DATA) | 1);
	memcpy(area + CBW, "USBC", 4);
	area[CBW + 14] = 6;
	assert(send(AREA + CBW, 31, 0) == SUCCESS);
	fake_finish(&f);
	return 0;
}
