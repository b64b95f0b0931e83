/*
 * tests/unit/vmm/pcie.c -- buses below bridges: numbers, windows, wires, I/O
 * BARs, and the slot of a root port from power-on to an empty slot.
 */
#include "tests/unit/vmm/fake.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/dev/pci.h"
#include "vmm/dev/pcie_port.h"
#include "vmm/hotplug.h"

/* Root ports at 00:02.0 and 00:02.1, a bridge to PCI below the first. */
enum { PORT_A = 2 << 3, PORT_B = PORT_A + 1, BUS_A = 5, BUS_PCI = 6,
       BUS_B = 9, WINDOW = 0xd8000000u, IO_WINDOW = 0x4000 };
enum { PIN_B = 23 }; /* slot 2, INTB# */

static struct fake f;
static struct hotplug *hp;

static uint32_t in(unsigned int bdf, unsigned int reg, unsigned int size)
{
	return pci_config_read(f.m->pci, bdf, reg, size) &
	       (~0u >> (32 - 8 * size));
}

static void out(unsigned int bdf, unsigned int reg, uint32_t value,
		unsigned int size)
{
	pci_config_write(f.m->pci, bdf, reg, value, size);
}

static unsigned int cap(unsigned int bdf, uint8_t id)
{
	unsigned int at = in(bdf, PCI_CAPABILITY_LIST, 1);

	while (at && in(bdf, at, 1) != id)
		at = in(bdf, at + 1, 1);
	assert(at);
	return at;
}

static void number(unsigned int bdf, unsigned int secondary,
		   unsigned int subordinate)
{
	out(bdf, PCI_SECONDARY_BUS, secondary, 1);
	out(bdf, PCI_SUBORDINATE_BUS, subordinate, 1);
}

static void open_window(unsigned int bdf)
{
	out(bdf, PCI_MEMORY_BASE, WINDOW >> 16, 2);
	out(bdf, PCI_MEMORY_LIMIT, WINDOW >> 16, 2);
	out(bdf, PCI_IO_BASE, IO_WINDOW >> 8, 1);
	out(bdf, PCI_IO_LIMIT, IO_WINDOW >> 8, 1);
	out(bdf, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
}

/* ---- a function of the test's own: memory and I/O ---- */

static uint64_t reg_read(void *arg, uint64_t offset, unsigned int size)
{
	return 0xa5;
}

static void reg_write(void *arg, uint64_t offset, uint64_t value,
		      unsigned int size)
{
}

static const struct bus_ops reg_ops = { reg_read, reg_write };
static const struct pci_ops probe_ops = { .stateless = true };

static void add_probe(struct pci_dev *dev, unsigned int bus)
{
	static const struct pci_id id = { .vendor = 0x1234, .device = 1 };
	struct spec_place place = { .bus = bus, .slot = bus == 2 };
	struct error err = { 0 };

	pci_dev_init(dev, &probe_ops, &id);
	dev->config[PCI_INTERRUPT_PIN] = 1;
	pci_set_bar(dev, 0, 4096, false, &reg_ops, dev);
	pci_set_io_bar(dev, 1, 16, &reg_ops, dev);
	assert(pci_plug(f.m->pci, dev, &place, &err) == 0);
}

/* ---- */

static void test_numbers(struct pci_dev *dev)
{
	unsigned int there = BUS_PCI << 8 | 1 << 3;

	assert(in(PORT_A, PCI_CLASS_REVISION + 2, 2) == 0x0604);
	assert(in(PORT_A, PCI_HEADER_TYPE, 1) == 0x81);
	assert(in(there, 0, 2) == 0xffff);
	number(PORT_A, BUS_A, BUS_A); /* not as far as what is below that */
	number(BUS_A << 8, BUS_PCI, BUS_PCI);
	assert(in(BUS_A << 8, 0, 4) == 0x000e1b36);
	assert(in(there, 0, 2) == 0xffff);
	number(PORT_A, BUS_A, BUS_PCI);
	assert(in(there, 0, 4) == 0x00011234);
	/* By the ports, as well. */
	mmio_out(f.m, ECAM_BASE + ((uint64_t)there << 12) + 0x3c, 0x07);
	assert(in(there, 0x3c, 1) == 7);
	assert(pci_last_bus(f.m->pci) == BUS_PCI);
	/* One slot on a link. */
	assert(in(BUS_A << 8 | 1 << 3, 0, 2) == 0xffff);
}

static void test_windows(struct pci_dev *dev)
{
	unsigned int there = BUS_PCI << 8 | 1 << 3;

	out(there, PCI_BASE_ADDRESS_0, ~0u, 4);
	assert(in(there, PCI_BASE_ADDRESS_0, 4) == 0xfffff000);
	out(there, PCI_BASE_ADDRESS_1, ~0u, 4);
	assert(in(there, PCI_BASE_ADDRESS_1, 4) == 0xfffffff1);
	out(there, PCI_BASE_ADDRESS_0, WINDOW + 0x3000, 4);
	out(there, PCI_BASE_ADDRESS_1, IO_WINDOW + 0x20, 4);
	out(there, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY, 2);
	assert(mmio_in(f.m, WINDOW + 0x3000) == ~0u);
	open_window(BUS_A << 8);
	assert(mmio_in(f.m, WINDOW + 0x3000) == ~0u);
	open_window(PORT_A);
	assert(mmio_in(f.m, WINDOW + 0x3000) == 0xa5);
	assert(port_in(f.m, IO_WINDOW + 0x2f) == 0xa5);
	assert(port_in(f.m, IO_WINDOW + 0x30) == 0xff);
	out(PORT_A, PCI_MEMORY_LIMIT, (WINDOW >> 16) - 0x10, 2);
	assert(mmio_in(f.m, WINDOW + 0x3000) == ~0u);
	/* The other window does as well, above 4 GiB and below. */
	out(PORT_A, PCI_PREF_MEMORY_BASE, WINDOW >> 16, 2);
	out(PORT_A, PCI_PREF_MEMORY_LIMIT, WINDOW >> 16, 2);
	assert(mmio_in(f.m, WINDOW + 0x3000) == 0xa5);
	out(PORT_A, PCI_PREF_LIMIT_UPPER32, 1, 4);
	out(PORT_A, PCI_PREF_BASE_UPPER32, 1, 4);
	assert(mmio_in(f.m, WINDOW + 0x3000) == ~0u);
	open_window(PORT_A);
	out(PORT_A, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	assert(port_in(f.m, IO_WINDOW + 0x2f) == 0xff);
	assert(mmio_in(f.m, WINDOW + 0x3000) == 0xa5);
}

/* INTA# of slot 1 is INTB# of the bridge, and so of the port in slot 2. */
static void test_wires(struct pci_dev *dev)
{
	struct fake_msi msi;
	unsigned int n = fake_msis(f.m, NULL);

	assert(pci_gsi(2, 1) == 19);
	mmio_out(f.m, IOAPIC_BASE, 0x10 + 2 * 19);
	mmio_out(f.m, IOAPIC_BASE + 0x10, 0x8051);
	pci_set_intx(dev, true);
	assert(fake_msis(f.m, &msi) == n + 1 && (msi.data & 0xff) == 0x51);
	assert(in(BUS_PCI << 8 | 1 << 3, PCI_STATUS, 2) & PCI_STATUS_INTERRUPT);
	machine_eoi(f.m, 0x51); /* still pulled: again */
	assert(fake_msis(f.m, NULL) == n + 2);
	out(BUS_PCI << 8 | 1 << 3, PCI_COMMAND, PCI_COMMAND_INTX_DISABLE, 2);
	machine_eoi(f.m, 0x51);
	assert(fake_msis(f.m, NULL) == n + 2);
	out(BUS_PCI << 8 | 1 << 3, PCI_COMMAND, 0, 2);
	assert(fake_msis(f.m, NULL) == n + 3);
	pci_set_intx(dev, false);
	machine_eoi(f.m, 0x51);
	assert(fake_msis(f.m, NULL) == n + 3);
}

/* ---- the slot ---- */

static void plug_rng(const char *id, unsigned int bus, int expected)
{
	struct error err = { 0 };
	struct vmm_spec spec;

	vmm_spec_init(&spec);
	vmm_spec_add_rng(&spec);
	free(spec.rngs[0].id);
	spec.rngs[0].id = xstrdup(id);
	spec.rngs[0].pci.bus = bus;
	assert(hotplug_plug(hp, &spec, &err) == expected);
}

static void set_msi(unsigned int bdf, uint32_t data)
{
	unsigned int at = cap(bdf, PCI_CAP_ID_MSI);

	out(bdf, at + PCI_MSI_ADDRESS_LO, 0xfee00000, 4);
	out(bdf, at + PCI_MSI_DATA_64, data, 2);
	out(bdf, at + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE, 2);
}

static uint16_t status(void)
{
	return in(PORT_B, cap(PORT_B, PCI_CAP_ID_EXP) + PCI_EXP_SLTSTA, 2);
}

static void clear(uint16_t bits)
{
	out(PORT_B, cap(PORT_B, PCI_CAP_ID_EXP) + PCI_EXP_SLTSTA, bits, 2);
}

/* A command is complete at once. */
static void command(uint16_t value)
{
	out(PORT_B, cap(PORT_B, PCI_CAP_ID_EXP) + PCI_EXP_SLTCTL, value, 2);
	assert(status() & PCI_EXP_SLTSTA_CC);
	clear(PCI_EXP_SLTSTA_CC);
	assert(!(status() & PCI_EXP_SLTSTA_CC));
}

enum { LISTEN = PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_ABPE |
		PCI_EXP_SLTCTL_PDCE | PCI_EXP_SLTCTL_DLLSCE |
		PCI_EXP_SLTCTL_ATTN_IND_OFF,
       POWER_OFF = PCI_EXP_SLTCTL_PWR_IND_OFF | PCI_EXP_SLTCTL_PWR_OFF };

static void test_plug(void)
{
	unsigned int n;

	number(PORT_B, BUS_B, BUS_B);
	assert(!(status() & PCI_EXP_SLTSTA_PDS));
	set_msi(PORT_B, 0x61);
	command(LISTEN | POWER_OFF);
	n = fake_msis(f.m, NULL);
	plug_rng("rng1", 3, 0);
	assert(fake_msis(f.m, NULL) == n + 1);
	assert(status() == (PCI_EXP_SLTSTA_PDS | PCI_EXP_SLTSTA_PDC |
			    PCI_EXP_SLTSTA_ABP));
	assert(in(BUS_B << 8, 0, 2) == 0xffff); /* no power yet */
	clear(PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_ABP);
	command(LISTEN | PCI_EXP_SLTCTL_PWR_IND_ON);
	assert(status() == (PCI_EXP_SLTSTA_PDS | PCI_EXP_SLTSTA_DLLSC));
	assert(fake_msis(f.m, NULL) == n + 2);
	clear(PCI_EXP_SLTSTA_DLLSC);
	assert(in(BUS_B << 8, 0, 4) == 0x10441af4);
	assert(cap(BUS_B << 8, PCI_CAP_ID_EXP));
	plug_rng("rng2", 3, -EBUSY);
	plug_rng("rng1", 1, -EEXIST);
	plug_rng("rng2", 2, -ENOTSUP); /* conventional PCI */
	plug_rng("rng2", 77, -ENOTSUP);
}

static unsigned int n_gone, n_kept;

static void unplugged(void *arg, unsigned int bus, bool gone)
{
	char *id = hotplug_on_bus(hp, bus, gone);

	assert(str_eq(id, "rng1") && bus == 3);
	n_gone += gone;
	n_kept += !gone;
	free(id);
}

static void unplug(int expected)
{
	struct error err = { 0 };
	bool gone;

	assert(hotplug_unplug(hp, "rng1", &gone, &err) == expected && !gone);
}

static void test_unplug(void)
{
	static const struct machine_listener l = { .unplugged = unplugged };

	machine_listen(f.m, &l, NULL);
	command(PCI_EXP_SLTCTL_PWR_IND_ON);
	unplug(-EHOSTDOWN);
	command(LISTEN | PCI_EXP_SLTCTL_PWR_IND_ON);
	unplug(0);
	assert(status() & PCI_EXP_SLTSTA_ABP);
	clear(PCI_EXP_SLTSTA_ABP);
	/* It was called off. */
	command(LISTEN | PCI_EXP_SLTCTL_PWR_IND_BLINK);
	unplug(0);
	assert(!(status() & PCI_EXP_SLTSTA_ABP)); /* not pressed again */
	command(LISTEN | PCI_EXP_SLTCTL_PWR_IND_ON);
	fake_settle(&f);
	assert(n_kept == 1 && n_gone == 0);
	/* Off and on again by the guest alone: it stays. */
	command(LISTEN | POWER_OFF);
	fake_settle(&f);
	assert(in(BUS_B << 8, 0, 2) == 0xffff);
	command(LISTEN | PCI_EXP_SLTCTL_PWR_IND_ON);
	assert(in(BUS_B << 8, 0, 2) == 0x1af4 && n_gone == 0);
	/* Asked and let go. */
	unplug(0);
	command(LISTEN | PCI_EXP_SLTCTL_PWR_IND_BLINK);
	command(LISTEN | PCI_EXP_SLTCTL_PWR_IND_BLINK |
		PCI_EXP_SLTCTL_PWR_OFF);
	fake_settle(&f);
	assert(n_gone == 0);
	command(LISTEN | POWER_OFF);
	fake_settle(&f);
	fake_settle(&f);
	assert(n_gone == 1 && !(status() & PCI_EXP_SLTSTA_PDS));
	assert(status() & PCI_EXP_SLTSTA_PDC);
	unplug(-ENOENT);
}

/* A guest that starts anew has let go. */
static void test_reset(void)
{
	plug_rng("rng1", 3, 0);
	command(LISTEN | PCI_EXP_SLTCTL_PWR_IND_ON);
	unplug(0);
	pci_bus_reset(f.m->pci);
	fake_settle(&f);
	fake_settle(&f);
	assert(n_gone == 2 && !(status() & PCI_EXP_SLTSTA_PDS));
	assert(in(PORT_B, PCI_SECONDARY_BUS, 1) == 0);
	plug_rng("rng1", 3, 0);
	pci_bus_reset(f.m->pci);
	assert(status() == PCI_EXP_SLTSTA_PDS);
	number(PORT_B, BUS_B, BUS_B);
	assert(in(BUS_B << 8, 0, 2) == 0x1af4);
}

static void add_ports(void)
{
	static const struct spec_port ports[] = {
		{ NULL, PORT_ROOT, 1, 0x10, 1, false, { 0, 2, 0 } },
		{ NULL, PORT_TO_PCI, 2, 0, 2, false, { 1, 0, 0 } },
		{ NULL, PORT_ROOT, 3, 0x11, 3, false, { 0, 2, 1 } },
	};

	f.spec.n_ports = ARRAY_SIZE(ports);
	f.spec.ports = xcalloc(ARRAY_SIZE(ports), sizeof(*ports));
	memcpy(f.spec.ports, ports, sizeof(ports));
	for (unsigned int i = 0; i < f.spec.n_ports; i++)
		f.spec.ports[i].id = xasprintf("pci.%u", i + 1);
}

int main(void)
{
	struct pci_dev dev;

	fake_init(&f);
	add_ports();
	fake_start(&f);
	add_probe(&dev, 2);
	hp = hotplug_create(f.m, &f.spec);
	test_numbers(&dev);
	test_windows(&dev);
	test_wires(&dev);
	test_plug();
	test_unplug();
	test_reset();
	fake_finish(&f);
	hotplug_destroy(hp);
	return 0;
}
