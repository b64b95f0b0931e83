/*
 * tests/fuzz/pcie.c -- a hostile guest at the registers of bridges, and devices
 * that come and go meanwhile.
 *
 *	pcie [ROUNDS [SEED]]
 */
#include "tests/unit/vmm/fake.h"

#include <linux/pci_regs.h>

#include "base/error.h"
#include "base/util.h"
#include "tests/fuzz/random.h"
#include "vmm/dev/pci.h"
#include "vmm/hotplug.h"

enum { PORTS = 4, FIRST = 2 << 3 };

static struct fake f;
static struct hotplug *hp;

static unsigned int any_bdf(void)
{
	if (chance(60))
		return FIRST + below(PORTS);
	return chance(90) ? below(8) << 8 | below(16) : below(0x10000);
}

/* Often of the capability, which is the first. */
static unsigned int any_reg(void)
{
	if (chance(50))
		return 0x40 + below(0x60);
	return chance(90) ? below(0x40) : below(0x1000);
}

static uint32_t any_value(void)
{
	static const uint16_t often[] = {
		0, 0xffff, PCI_EXP_SLTCTL_PWR_OFF | PCI_EXP_SLTCTL_PWR_IND_OFF,
		PCI_EXP_SLTCTL_PWR_IND_ON | 0x3f, PCI_EXP_SLTCTL_PWR_IND_BLINK,
		0x0201, 0x0007, 0xd800, PCI_BRIDGE_CTL_BUS_RESET,
	};

	return chance(70) ? often[below(ARRAY_SIZE(often))] : rnd();
}

static void plug(void)
{
	struct error err = { 0 };
	struct vmm_spec spec;

	vmm_spec_init(&spec);
	vmm_spec_add_rng(&spec);
	free(spec.rngs[0].id);
	spec.rngs[0].pci.bus = below(PORTS + 1);
	spec.rngs[0].id = xasprintf("rng%u", spec.rngs[0].pci.bus);
	hotplug_plug(hp, &spec, &err);
}

static void unplug(void)
{
	_cleanup_free_ char *id = xasprintf("rng%u", (unsigned)below(PORTS + 1));
	struct error err = { 0 };
	bool gone;

	hotplug_unplug(hp, id, &gone, &err);
}

static void unplugged(void *arg, unsigned int bus, bool gone)
{
	free(hotplug_on_bus(hp, bus, gone));
}

static void step(void)
{
	static const unsigned int sizes[] = { 1, 2, 4, 3, 8 };
	unsigned int size = sizes[below(chance(95) ? 3 : 5)];

	switch (below(40)) {
	case 0:
		plug();
		break;
	case 1:
		unplug();
		break;
	case 2:
		fake_settle(&f);
		break;
	case 3:
		pci_config_read(f.m->pci, any_bdf(), any_reg(), size);
		break;
	default:
		pci_config_write(f.m->pci, any_bdf(), any_reg(), any_value(),
				 size);
	}
}

/* After a reset a port works as ever. */
static void expect_alive(void)
{
	fake_settle(&f);
	pci_bus_reset(f.m->pci);
	fake_settle(&f);
	fake_settle(&f);
	for (unsigned int i = 0; i < PORTS; i++) {
		uint32_t slot = pci_config_read(f.m->pci, FIRST + i,
						0x40 + PCI_EXP_SLTCTL, 4);
		bool present = slot >> 16 & PCI_EXP_SLTSTA_PDS;
		uint32_t id;

		pci_config_write(f.m->pci, FIRST + i, PCI_SECONDARY_BUS,
				 0x0101 * (i + 1), 2);
		id = pci_config_read(f.m->pci, (i + 1) << 8, 0, 4);
		assert(id == (present ? 0x10441af4 : ~0u));
		assert(!(slot & PCI_EXP_SLTCTL_PWR_OFF) == present);
	}
}

static void add_ports(void)
{
	f.spec.ports = xcalloc(PORTS, sizeof(*f.spec.ports));
	for (f.spec.n_ports = 0; f.spec.n_ports < PORTS; f.spec.n_ports++)
		f.spec.ports[f.spec.n_ports] = (struct spec_port){
			.id = xasprintf("pci.%u", f.spec.n_ports + 1),
			.index = f.spec.n_ports + 1,
			.pci = { .slot = 2, .function = f.spec.n_ports },
		};
}

int main(int argc, char **argv)
{
	static const struct machine_listener l = { .unplugged = unplugged };
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 200;

	random_arg(argc, argv, 2);
	fake_init(&f);
	add_ports();
	fake_start(&f);
	hp = hotplug_create(f.m, &f.spec);
	machine_listen(f.m, &l, NULL);
	while (rounds--) {
		for (unsigned int i = 0; i < 2000; i++)
			step();
		expect_alive();
	}
	fake_finish(&f);
	hotplug_destroy(hp);
	return 0;
}
