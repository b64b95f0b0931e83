/*
 * vmm/dev/pci.c -- PCI: configuration space, the host bridge, reset and state.
 *
 * Two ways lead to configuration space: the enhanced mechanism, one 4 KiB
 * page per function (PCIe 7.2.2), at ECAM_BASE or where q35's host bridge is
 * told to have it, and configuration mechanism #1 at ports 0xcf8 and 0xcfc
 * (PCI 3.2.2.3.2).  Absent functions and buses read as all ones.  Among the ports is the chip set's reset control, 0xcf9.
 *
 * Locks: bus->lock, held over one access and its hooks; device locks and the
 * address space's lock are taken inside it.
 */
#include "vmm/dev/pci_priv.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "vmm/bus.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"

enum { CF8_BASE = 0xcf8, CF8_SIZE = 8, CF8_DATA = 4, CF8_RESET = 1 };
/* ICH9 data sheet, "RST_CNT": a reset when bit 2 rises. */
enum { RESET_CPU = 4, RESET_WRITABLE = 0x0e };

void pci_set16(uint8_t *at, uint16_t value)
{
	at[0] = value;
	at[1] = value >> 8;
}

void pci_set32(uint8_t *at, uint32_t value)
{
	pci_set16(at, value);
	pci_set16(at + 2, value >> 16);
}

uint16_t pci_get16(const uint8_t *at)
{
	return at[0] | at[1] << 8;
}

uint32_t pci_get32(const uint8_t *at)
{
	return pci_get16(at) | (uint32_t)pci_get16(at + 2) << 16;
}

void pci_lock(struct pci_bus *bus)
{
	pthread_mutex_lock(&bus->lock);
}

void pci_unlock(struct pci_bus *bus)
{
	pthread_mutex_unlock(&bus->lock);
}

/* Configuration space */

static void show_intx(struct pci_dev *dev)
{
	uint8_t *status = &dev->config[PCI_STATUS];

	*status &= ~PCI_STATUS_INTERRUPT;
	if (__atomic_load_n(&dev->intx, __ATOMIC_RELAXED))
		*status |= PCI_STATUS_INTERRUPT;
}

/* Bus in bits 8 and up, device in 3 to 7, function in 0 to 2. */
static struct pci_dev *find_dev(struct pci_bus *bus, unsigned int bdf)
{
	struct pci_branch *b = pci_branch_numbered(bus, bdf >> 8);

	return b ? b->devs[bdf & 0xff] : NULL;
}

static uint32_t dev_read(struct pci_dev *dev, unsigned int reg,
			 unsigned int size)
{
	uint32_t value = 0;

	if (size > 4 || reg > PCI_CONFIG_SIZE - size)
		return 0; /* PCIe 7.9.1: no extended capabilities */
	if (dev->ops->config_read)
		dev->ops->config_read(dev, reg, size);
	show_intx(dev);
	memcpy(&value, dev->config + reg, size);
	return value;
}

uint32_t pci_config_read(struct pci_bus *bus, unsigned int bdf,
			 unsigned int reg, unsigned int size)
{
	struct pci_dev *dev;
	uint32_t value;

	pthread_mutex_lock(&bus->lock);
	dev = find_dev(bus, bdf);
	value = dev ? dev_read(dev, reg, size) : ~0u;
	pthread_mutex_unlock(&bus->lock);
	return value;
}

static bool touches(unsigned int reg, unsigned int size, unsigned int at,
		    unsigned int len)
{
	return reg < at + len && at < reg + size;
}

/* Registers that say what is decoded where. */
static bool moves(const struct pci_dev *dev, unsigned int reg,
		  unsigned int size)
{
	return touches(reg, size, PCI_COMMAND, 2) ||
	       touches(reg, size, PCI_BASE_ADDRESS_0, 4 * PCI_BARS) ||
	       touches(reg, size, PCI_ROM_ADDRESS, 4) ||
	       (dev->below && touches(reg, size, PCI_PRIMARY_BUS,
				      PCI_CAPABILITY_LIST - PCI_PRIMARY_BUS));
}

static void dev_write(struct pci_dev *dev, unsigned int reg, uint32_t value,
		      unsigned int size)
{
	for (unsigned int i = 0; i < size; i++, value >>= 8) {
		uint8_t mask = dev->wmask[reg + i];
		uint8_t *byte = &dev->config[reg + i];

		*byte = (*byte & ~mask) | (value & mask);
	}
	if (moves(dev, reg, size))
		pci_update_bars(dev->bus);
	if (touches(reg, size, PCI_COMMAND, 2))
		pci_update_intx(dev);
	if (dev->ops->config_written)
		dev->ops->config_written(dev, reg, size);
}

void pci_config_write(struct pci_bus *bus, unsigned int bdf, unsigned int reg,
		      uint32_t value, unsigned int size)
{
	struct pci_dev *dev;

	if (size > 4 || reg > PCI_CONFIG_SIZE - size)
		return;
	pthread_mutex_lock(&bus->lock);
	dev = find_dev(bus, bdf);
	if (dev)
		dev_write(dev, reg, value, size);
	pthread_mutex_unlock(&bus->lock);
}

/* PCIe 7.2.2: bus in bits 20 and up, device and function from bit 12. */
static uint64_t ecam_read(void *arg, uint64_t offset, unsigned int size)
{
	unsigned int bdf = offset / PCI_ECAM_SIZE;
	unsigned int reg = offset % PCI_ECAM_SIZE;
	uint64_t value;

	if (size < 8)
		return pci_config_read(arg, bdf, reg, size);
	value = pci_config_read(arg, bdf, reg, 4);
	return value | (uint64_t)pci_config_read(arg, bdf, reg + 4, 4) << 32;
}

static void ecam_write(void *arg, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	unsigned int bdf = offset / PCI_ECAM_SIZE;
	unsigned int reg = offset % PCI_ECAM_SIZE;

	pci_config_write(arg, bdf, reg, value, MIN(size, 4));
	if (size == 8)
		pci_config_write(arg, bdf, reg + 4, value >> 32, 4);
}

static const struct bus_ops ecam_ops = { ecam_read, ecam_write };

/*
 * PCI 3.2.2.3.2: only a double word access reaches the address register;
 * bit 31 enables, bits 16-23 are the bus, 8-15 device and function.
 */
static bool cf8_target(struct pci_bus *bus, uint64_t offset,
		       unsigned int *ret_bdf, unsigned int *ret_reg)
{
	uint32_t a = __atomic_load_n(&bus->address, __ATOMIC_RELAXED);

	*ret_bdf = a >> 8 & 0xffff;
	*ret_reg = (a & 0xfc) + (offset - CF8_DATA);
	return offset >= CF8_DATA && (a & BIT(31));
}

static uint64_t cf8_read(void *arg, uint64_t offset, unsigned int size)
{
	struct pci_bus *bus = arg;
	unsigned int bdf, reg;

	if (offset == 0 && size == 4)
		return __atomic_load_n(&bus->address, __ATOMIC_RELAXED);
	if (offset == CF8_RESET && size == 1 && bus->m->q35)
		return bus->reset_control;
	if (!cf8_target(bus, offset, &bdf, &reg))
		return ~0ull;
	return pci_config_read(bus, bdf, reg, size);
}

static void reset_control_write(struct pci_bus *bus, uint8_t value)
{
	uint8_t old = bus->reset_control;

	bus->reset_control = value & RESET_WRITABLE;
	if (value & RESET_CPU && !(old & RESET_CPU))
		machine_request_reset(bus->m);
}

static void cf8_write(void *arg, uint64_t offset, uint64_t value,
		      unsigned int size)
{
	struct pci_bus *bus = arg;
	unsigned int bdf, reg;

	if (offset == 0 && size == 4)
		__atomic_store_n(&bus->address, (uint32_t)value,
				 __ATOMIC_RELAXED);
	else if (offset == CF8_RESET && size == 1 && bus->m->q35)
		reset_control_write(bus, value);
	else if (cf8_target(bus, offset, &bdf, &reg))
		pci_config_write(bus, bdf, reg, value, size);
}

static const struct bus_ops cf8_ops = { cf8_read, cf8_write };

/* The bus */

/* Nothing but an identity and, read-only, where ECAM is (as PCIEXBAR). */
static void host_bridge_plug(struct pci_bus *bus)
{
	static const struct pci_ops host_ops = { .stateless = true };
	static const struct pci_id host_id = {
		.vendor = 0x8086,
		.device = 0x29c0,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class_code = 0x060000, /* PCI D.7: host bridge */
	};
	enum { PCIEXBAR = 0x60, PCIEXBAR_ENABLE = 1 };
	struct pci_dev *dev = &bus->host;

	pci_dev_init(dev, &host_ops, &host_id);
	pci_set32(dev->config + PCIEXBAR, ECAM_BASE | PCIEXBAR_ENABLE);
	pci_put(&bus->root, dev, 0, 0);
}

void pci_plug_host(struct pci_bus *bus, struct pci_dev *dev)
{
	pci_put(&bus->root, dev, 0, 0);
}

int pci_move_ecam(struct pci_bus *bus, uint64_t base, uint64_t size)
{
	int r = 0;

	if (base == bus->ecam)
		return 0;
	if (bus->ecam)
		bus_remove(bus->m->mmio, bus->ecam);
	bus->ecam = 0;
	if (base)
		r = bus_add(bus->m->mmio, base, size, &ecam_ops, bus);
	if (r == 0)
		bus->ecam = base;
	return r;
}

uint64_t pci_ecam(const struct pci_bus *bus)
{
	return bus->ecam;
}

enum { FIRST_IO = 0xc000 }; /* of BARs: above what a PC has */

int pci_bus_create(struct machine *m, struct pci_bus **ret_bus,
		   struct error *err)
{
	struct pci_bus *bus = xcalloc(1, sizeof(*bus));
	int r = 0;

	bus->m = m;
	bus->root.bus = bus;
	bus->next_bar = MMIO32_BASE;
	bus->next_io = FIRST_IO;
	pthread_mutex_init(&bus->lock, NULL);
	pthread_mutex_init(&bus->intx_lock, NULL);
	if (!m->q35) {
		host_bridge_plug(bus);
		pci_route_direct(bus);
		r = pci_move_ecam(bus, ECAM_BASE, ECAM_SIZE);
	}
	if (r < 0) {
		error_set(err, r, "cannot map PCI configuration space: %m");
		goto fail;
	}
	r = bus_add(m->ports, CF8_BASE, CF8_SIZE, &cf8_ops, bus);
	if (r < 0) {
		error_set(err, r, "cannot claim ports 0xcf8-0xcff: %m");
		goto fail_ecam;
	}
	*ret_bus = bus;
	return 0;

fail_ecam:
	pci_move_ecam(bus, 0, 0);
fail:
	pthread_mutex_destroy(&bus->lock);
	free(bus);
	return r;
}

static void dev_reset(struct pci_dev *dev, void *arg)
{
	if (dev->ops->reset)
		dev->ops->reset(dev);
	memcpy(dev->config, dev->reset_value, sizeof(dev->config));
	dev->intx = false;
	pci_update_intx(dev);
	pci_update_bars(dev->bus);
	if (dev->ops->config_written)
		dev->ops->config_written(dev, 0, PCI_CONFIG_SIZE);
}

void pci_branch_reset(struct pci_branch *b)
{
	pthread_mutex_lock(&b->bus->lock);
	pci_for_each_below(b, dev_reset, NULL);
	pthread_mutex_unlock(&b->bus->lock);
}

void pci_bus_reset(struct pci_bus *bus)
{
	pthread_mutex_lock(&bus->lock);
	pci_for_each(bus, dev_reset, NULL);
	bus->address = 0;
	bus->reset_control = 0;
	pthread_mutex_unlock(&bus->lock);
}

/* Pausing and saving */

static void dev_pause(struct pci_dev *dev, void *arg)
{
	if (dev->ops->pause)
		dev->ops->pause(dev, *(bool *)arg);
}

void pci_bus_pause(struct pci_bus *bus, bool paused)
{
	pci_for_each(bus, dev_pause, &paused);
}

static void dev_saving(void *obj)
{
	struct pci_dev *dev = obj;

	memcpy(dev->saved, dev->config, sizeof(dev->saved));
}

/* The same device, with the same BARs and capabilities. */
/* A guest keeps a device as it was before that got an INTx pin. */
static bool may_differ(const struct pci_dev *dev, unsigned int i)
{
	return i == PCI_STATUS || i == PCI_STATUS + 1 ||
	       (i == PCI_INTERRUPT_PIN && !dev->saved[i]);
}

static int dev_loaded(void *obj, unsigned int version, struct error *err)
{
	struct pci_dev *dev = obj;
	char name[PCI_NAME_MAX];

	pci_dev_name(dev, name);
	for (unsigned int i = 0; i < PCI_STD_HEADER_SIZEOF; i++) {
		uint8_t fixed = ~dev->wmask[i];

		if (!may_differ(dev, i) &&
		    (dev->config[i] ^ dev->saved[i]) & fixed)
			return error_set(err, -EINVAL,
					 "the saved state is of another PCI "
					 "device than %s",
					 name);
	}
	pthread_mutex_lock(&dev->bus->lock);
	memcpy(dev->config, dev->saved, sizeof(dev->config));
	pci_update_bars(dev->bus);
	pthread_mutex_unlock(&dev->bus->lock);
	return 0;
}

static const struct state_field dev_fields[] = {
	{ .name = "config",
	  .kind = STATE_BYTES,
	  .offset = offsetof(struct pci_dev, saved),
	  .size = PCI_CONFIG_SIZE,
	  .count = 1 },
	{ .name = "intx",
	  .kind = STATE_INT,
	  .since = 2,
	  .offset = offsetof(struct pci_dev, intx),
	  .size = sizeof(bool),
	  .count = 1,
	  .max = 1 },
	STATE_END,
};

static const struct state_type dev_state = {
	.name = "pci",
	.version = 2,
	.fields = dev_fields,
	.saving = dev_saving,
	.loaded = dev_loaded,
};

/* All bridges are as they were: what is below them is found. */
static void bus_restored(void *obj)
{
	pci_update_bars(obj);
}

static const struct state_field bus_fields[] = {
	STATE(struct pci_bus, address),
	STATE_SINCE(2, struct pci_bus, reset_control),
	STATE_END,
};

static const struct state_type bus_state = {
	.name = "pci-bus",
	.version = 2,
	.fields = bus_fields,
	.restored = bus_restored,
};

static void dev_states(struct pci_dev *dev, void *arg)
{
	char id[PCI_NAME_MAX];

	pci_dev_name(dev, id);
	state_add(arg, &dev_state, id, dev);
	if (dev->ops->states)
		dev->ops->states(dev, id, arg);
	else if (!dev->ops->stateless)
		state_lacks(arg, id);
}

void pci_bus_states(struct pci_bus *bus, struct state_set *set)
{
	state_add(set, &bus_state, NULL, bus);
	pci_for_each(bus, dev_states, set);
}

void pci_bus_destroy(struct pci_bus *bus)
{
	if (!bus)
		return;
	pci_tree_destroy(bus);
	pci_move_ecam(bus, 0, 0);
	bus_remove(bus->m->ports, CF8_BASE);
	pthread_mutex_destroy(&bus->lock);
	free(bus);
}
