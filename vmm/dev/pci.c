/*
 * vmm/dev/pci.c -- PCI bus 0: configuration space, BARs, slots.
 *
 * Two ways lead to configuration space: the enhanced mechanism, one 4 KiB
 * page per function (PCIe 7.2.2), at ECAM_BASE or where q35's host bridge is
 * told to have it, and configuration mechanism #1 at ports 0xcf8 and 0xcfc
 * (PCI 3.2.2.3.2).  Only bus 0 exists; all other buses and absent functions
 * read as all ones.  Among the ports is the chip set's reset control, 0xcf9.
 *
 * Locks: bus->lock, held over one access and its hooks; device locks and the
 * address space's lock are taken inside it.
 */
#include "vmm/dev/pci.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "vmm/bus.h"
#include "vmm/dev/pci_rom.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"

struct pci_bus {
	struct machine *m;
	pthread_mutex_t lock;
	struct pci_dev *devs[PCI_SLOTS * PCI_FUNCTIONS];
	struct pci_dev host;
	uint64_t next_bar; /* first free address of the window */
	uint64_t ecam;	   /* where it is; 0: nowhere */
	uint32_t address;  /* the register at port 0xcf8 */
	uint8_t reset_control;
	pci_intx_fn *intx; /* where the wires go; NULL: nowhere */
	void *intx_arg;
	pthread_mutex_t intx_lock; /* inside devices' locks */
};

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

struct machine *pci_bus_machine(const struct pci_bus *bus)
{
	return bus->m;
}

/* BARs */

static uint8_t *bar_reg(struct pci_dev *dev, unsigned int bar)
{
	return dev->config + PCI_BASE_ADDRESS_0 + 4 * bar;
}

static uint64_t bar_address(struct pci_dev *dev, unsigned int bar)
{
	uint64_t addr = pci_get32(bar_reg(dev, bar)) & ~0xfull;

	if (dev->bar[bar].is_64)
		addr |= (uint64_t)pci_get32(bar_reg(dev, bar + 1)) << 32;
	return addr;
}

static void bar_set_address(struct pci_dev *dev, unsigned int bar,
			    uint64_t addr)
{
	uint8_t *reg = bar_reg(dev, bar);

	pci_set32(reg, (pci_get32(reg) & 0xf) | (uint32_t)addr);
	if (dev->bar[bar].is_64)
		pci_set32(bar_reg(dev, bar + 1), addr >> 32);
}

static bool bar_decodes(struct pci_dev *dev, unsigned int bar)
{
	return dev->bar[bar].size &&
	       (pci_get16(dev->config + PCI_COMMAND) & PCI_COMMAND_MEMORY);
}

static void bar_unmap(struct pci_dev *dev, unsigned int bar)
{
	struct pci_bar *b = &dev->bar[bar];

	if (!b->mapped)
		return;
	if (dev->ops->bar_mapped)
		dev->ops->bar_mapped(dev, bar, b->addr, false);
	bus_remove(dev->bus->m->mmio, b->addr);
	b->mapped = false;
}

/*
 * A BAR that the guest put over RAM, over another region or past the end of
 * the address space decodes nothing until it is moved.
 */
static void bar_map(struct pci_dev *dev, unsigned int bar)
{
	struct pci_bar *b = &dev->bar[bar];
	uint64_t addr = bar_address(dev, bar);

	if (b->mapped || !bar_decodes(dev, bar))
		return;
	if (addr < dev->bus->m->mmio32_base || addr + b->size < addr)
		return;
	if (bus_add(dev->bus->m->mmio, addr, b->size, b->ops, b->arg) < 0)
		return;
	b->addr = addr;
	b->mapped = true;
	if (dev->ops->bar_mapped)
		dev->ops->bar_mapped(dev, bar, addr, true);
}

static void unmap_stale(struct pci_dev *dev)
{
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		if (!bar_decodes(dev, i) ||
		    bar_address(dev, i) != dev->bar[i].addr)
			bar_unmap(dev, i);
	}
}

static void map_all(struct pci_dev *dev)
{
	for (unsigned int i = 0; i < PCI_BARS; i++)
		bar_map(dev, i);
}

/* One device left a range that another one may have been waiting for. */
static void update_bars(struct pci_dev *dev)
{
	struct pci_bus *bus = dev->bus;

	unmap_stale(dev);
	pci_rom_update(dev, dev->bus->m);
	map_all(dev);
	for (unsigned int i = 0; i < ARRAY_SIZE(bus->devs); i++) {
		if (bus->devs[i] && bus->devs[i] != dev)
			map_all(bus->devs[i]);
	}
}

/* INTx (PCI 6.2.3: status bit 3; 6.2.2: command bit 10) */

/* Wire or command register have changed. */
static void update_intx(struct pci_dev *dev)
{
	struct pci_bus *bus = dev->bus;
	bool off;

	if (!bus->intx)
		return;
	pthread_mutex_lock(&bus->intx_lock);
	off = pci_get16(dev->config + PCI_COMMAND) & PCI_COMMAND_INTX_DISABLE;
	bus->intx(bus->intx_arg, dev, dev->config[PCI_INTERRUPT_PIN],
		  dev->intx && !off);
	pthread_mutex_unlock(&bus->intx_lock);
}

void pci_set_intx(struct pci_dev *dev, bool level)
{
	bool old = __atomic_exchange_n(&dev->intx, level, __ATOMIC_SEQ_CST);

	if (dev->bus && old != level)
		update_intx(dev);
}

static void show_intx(struct pci_dev *dev)
{
	uint8_t *status = &dev->config[PCI_STATUS];

	*status &= ~PCI_STATUS_INTERRUPT;
	if (__atomic_load_n(&dev->intx, __ATOMIC_RELAXED))
		*status |= PCI_STATUS_INTERRUPT;
}

/* Configuration space */

uint32_t pci_config_read(struct pci_bus *bus, unsigned int devfn,
			 unsigned int reg, unsigned int size)
{
	struct pci_dev *dev = NULL;
	uint32_t value = 0;

	if (devfn < ARRAY_SIZE(bus->devs))
		dev = bus->devs[devfn];
	if (!dev)
		return ~0u;
	if (size > 4 || reg > PCI_CONFIG_SIZE - size)
		return 0; /* PCIe 7.9.1: no extended capabilities */

	pthread_mutex_lock(&bus->lock);
	if (dev->ops->config_read)
		dev->ops->config_read(dev, reg, size);
	show_intx(dev);
	memcpy(&value, dev->config + reg, size);
	pthread_mutex_unlock(&bus->lock);
	return value;
}

static bool touches(unsigned int reg, unsigned int size, unsigned int at,
		    unsigned int len)
{
	return reg < at + len && at < reg + size;
}

void pci_config_write(struct pci_bus *bus, unsigned int devfn,
		      unsigned int reg, uint32_t value, unsigned int size)
{
	struct pci_dev *dev = NULL;

	if (devfn < ARRAY_SIZE(bus->devs))
		dev = bus->devs[devfn];
	if (!dev || size > 4 || reg > PCI_CONFIG_SIZE - size)
		return;

	pthread_mutex_lock(&bus->lock);
	for (unsigned int i = 0; i < size; i++, value >>= 8) {
		uint8_t mask = dev->wmask[reg + i];
		uint8_t *byte = &dev->config[reg + i];

		*byte = (*byte & ~mask) | (value & mask);
	}
	if (touches(reg, size, PCI_COMMAND, 2) ||
	    touches(reg, size, PCI_BASE_ADDRESS_0, 4 * PCI_BARS) ||
	    touches(reg, size, PCI_ROM_ADDRESS, 4))
		update_bars(dev);
	if (touches(reg, size, PCI_COMMAND, 2))
		update_intx(dev);
	if (dev->ops->config_written)
		dev->ops->config_written(dev, reg, size);
	pthread_mutex_unlock(&bus->lock);
}

/* PCIe 7.2.2: bus in bits 20 and up, device and function from bit 12. */
static uint64_t ecam_read(void *arg, uint64_t offset, unsigned int size)
{
	unsigned int devfn = offset / PCI_ECAM_SIZE;
	unsigned int reg = offset % PCI_ECAM_SIZE;
	uint64_t value;

	if (size < 8)
		return pci_config_read(arg, devfn, reg, size);
	value = pci_config_read(arg, devfn, reg, 4);
	return value | (uint64_t)pci_config_read(arg, devfn, reg + 4, 4) << 32;
}

static void ecam_write(void *arg, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	unsigned int devfn = offset / PCI_ECAM_SIZE;
	unsigned int reg = offset % PCI_ECAM_SIZE;

	pci_config_write(arg, devfn, reg, value, MIN(size, 4));
	if (size == 8)
		pci_config_write(arg, devfn, reg + 4, value >> 32, 4);
}

static const struct bus_ops ecam_ops = { ecam_read, ecam_write };

/*
 * PCI 3.2.2.3.2: only a double word access reaches the address register;
 * bit 31 enables, bits 16-23 are the bus, 8-15 device and function.
 */
static bool cf8_target(struct pci_bus *bus, uint64_t offset,
		       unsigned int *ret_devfn, unsigned int *ret_reg)
{
	uint32_t a = __atomic_load_n(&bus->address, __ATOMIC_RELAXED);

	*ret_devfn = a >> 8 & 0xff;
	*ret_reg = (a & 0xfc) + (offset - CF8_DATA);
	return offset >= CF8_DATA && (a & BIT(31)) && !(a >> 16 & 0xff);
}

static uint64_t cf8_read(void *arg, uint64_t offset, unsigned int size)
{
	struct pci_bus *bus = arg;
	unsigned int devfn, reg;

	if (offset == 0 && size == 4)
		return __atomic_load_n(&bus->address, __ATOMIC_RELAXED);
	if (offset == CF8_RESET && size == 1 && bus->m->q35)
		return bus->reset_control;
	if (!cf8_target(bus, offset, &devfn, &reg))
		return ~0ull;
	return pci_config_read(bus, devfn, reg, size);
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
	unsigned int devfn, reg;

	if (offset == 0 && size == 4)
		__atomic_store_n(&bus->address, (uint32_t)value,
				 __ATOMIC_RELAXED);
	else if (offset == CF8_RESET && size == 1 && bus->m->q35)
		reset_control_write(bus, value);
	else if (cf8_target(bus, offset, &devfn, &reg))
		pci_config_write(bus, devfn, reg, value, size);
}

static const struct bus_ops cf8_ops = { cf8_read, cf8_write };

/* Devices */

void pci_dev_init(struct pci_dev *dev, const struct pci_ops *ops,
		  const struct pci_id *id)
{
	uint8_t *c = dev->config;

	*dev = (struct pci_dev){ .ops = ops, .cap_end = 0x40 };
	pci_set16(c + PCI_VENDOR_ID, id->vendor);
	pci_set16(c + PCI_DEVICE_ID, id->device);
	pci_set32(c + PCI_CLASS_REVISION, id->class_code << 8 | id->revision);
	pci_set16(c + PCI_SUBSYSTEM_VENDOR_ID, id->subsystem_vendor);
	pci_set16(c + PCI_SUBSYSTEM_ID, id->subsystem);
	/* PCI 6.2.2 and 6.2.4: what software must be able to change. */
	pci_set16(dev->wmask + PCI_COMMAND,
		  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
			  PCI_COMMAND_INTX_DISABLE);
	dev->wmask[PCI_CACHE_LINE_SIZE] = 0xff;
	dev->wmask[PCI_INTERRUPT_LINE] = 0xff;
}

/* PCI 6.7: a list from the pointer at 0x34, each entry on a double word. */
unsigned int pci_add_cap(struct pci_dev *dev, uint8_t id, unsigned int len)
{
	unsigned int at = dev->cap_end;

	assert(at + len <= PCI_CONFIG_SIZE);
	dev->config[at] = id;
	if (dev->last_cap)
		dev->config[dev->last_cap + PCI_CAP_LIST_NEXT] = at;
	else
		dev->config[PCI_CAPABILITY_LIST] = at;
	dev->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	dev->last_cap = at;
	dev->cap_end = ALIGN_UP(at + len, 4);
	return at;
}

/*
 * PCI 6.2.5.1: the bits below the size are hard-wired to zero, which is how
 * software finds the size.
 */
void pci_set_bar(struct pci_dev *dev, unsigned int bar, uint64_t size,
		 bool is_64, const struct bus_ops *ops, void *arg)
{
	uint8_t *mask = dev->wmask + PCI_BASE_ADDRESS_0 + 4 * bar;

	assert(bar + is_64 < PCI_BARS && size >= 16 && !(size & (size - 1)));
	dev->bar[bar] = (struct pci_bar){
		.size = size,
		.is_64 = is_64,
		.ops = ops,
		.arg = arg,
	};
	pci_set32(bar_reg(dev, bar), is_64 ? PCI_BASE_ADDRESS_MEM_TYPE_64 : 0);
	pci_set32(mask, ~(uint32_t)(size - 1));
	if (is_64)
		pci_set32(mask + 4, ~(size - 1) >> 32);
}

static int assign_bars(struct pci_bus *bus, struct pci_dev *dev,
		       struct error *err)
{
	uint64_t next = bus->next_bar;

	if (bus->m->q35 && bus->m->spec->firmware_fd >= 0)
		return 0; /* firmware assigns them */
	for (unsigned int i = 0; i < PCI_BARS; i++) {
		struct pci_bar *b = &dev->bar[i];

		if (!b->size)
			continue;
		/* Pages of their own: an engine maps and traps whole pages. */
		b->home = ALIGN_UP(next, MAX(b->size, 4 * KIB));
		next = b->home + b->size;
		if (next > MMIO32_END)
			return error_set(err, -ENOSPC,
					 "PCI memory window is full");
		bar_set_address(dev, i, b->home);
	}
	bus->next_bar = next;
	return 0;
}

static int find_slot(struct pci_bus *bus)
{
	for (unsigned int slot = 1; slot < PCI_SLOTS; slot++) {
		unsigned int fn = 0;

		while (fn < PCI_FUNCTIONS &&
		       !bus->devs[slot * PCI_FUNCTIONS + fn])
			fn++;
		if (fn == PCI_FUNCTIONS)
			return slot;
	}
	return -ENOSPC;
}

/* PCI 6.2.1: bit 7 of the header type in every function of such a device. */
static void mark_multifunction(struct pci_bus *bus, unsigned int slot)
{
	struct pci_dev **fns = &bus->devs[slot * PCI_FUNCTIONS];
	unsigned int n = 0;

	for (unsigned int i = 0; i < PCI_FUNCTIONS; i++)
		n += fns[i] != NULL;
	for (unsigned int i = 0; i < PCI_FUNCTIONS && n > 1; i++) {
		if (fns[i]) {
			fns[i]->config[PCI_HEADER_TYPE] |= 0x80;
			fns[i]->reset_value[PCI_HEADER_TYPE] |= 0x80;
		}
	}
}

/* At a free address; the rest of pci_plug(). */
static void put_dev(struct pci_bus *bus, struct pci_dev *dev,
		    unsigned int slot, unsigned int function)
{
	dev->bus = bus;
	dev->slot = slot;
	dev->function = function;
	memcpy(dev->reset_value, dev->config, sizeof(dev->config));
	bus->devs[slot * PCI_FUNCTIONS + function] = dev;
	mark_multifunction(bus, slot);
}

int pci_plug(struct pci_bus *bus, struct pci_dev *dev,
	     const struct spec_place *place, struct error *err)
{
	unsigned int function = place ? place->function : 0;
	int r = place && place->slot ? (int)place->slot : find_slot(bus);
	unsigned int slot = r;

	if (r < 0)
		return error_set(err, r, "no free PCI slot");
	if (r >= PCI_SLOTS || function >= PCI_FUNCTIONS)
		return error_set(err, -EINVAL, "no PCI address %02x.%x", r,
				 function);
	if (bus->devs[slot * PCI_FUNCTIONS + function])
		return error_set(err, -EEXIST,
				 "PCI address %02x.%x is taken", slot,
				 function);
	r = assign_bars(bus, dev, err);
	if (r < 0)
		return r;

	put_dev(bus, dev, slot, function);
	return 0;
}

void pci_for_each(struct pci_bus *bus,
		  void (*fn)(struct pci_dev *dev, void *arg), void *arg)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(bus->devs); i++) {
		if (bus->devs[i])
			fn(bus->devs[i], arg);
	}
}

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
	put_dev(bus, dev, 0, 0);
}

void pci_plug_host(struct pci_bus *bus, struct pci_dev *dev)
{
	put_dev(bus, dev, 0, 0);
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

void pci_route_intx(struct pci_bus *bus, pci_intx_fn *fn, void *arg)
{
	bus->intx = fn;
	bus->intx_arg = arg;
}

int pci_bus_create(struct machine *m, struct pci_bus **ret_bus,
		   struct error *err)
{
	struct pci_bus *bus = xcalloc(1, sizeof(*bus));
	int r = 0;

	bus->m = m;
	bus->next_bar = MMIO32_BASE;
	pthread_mutex_init(&bus->lock, NULL);
	pthread_mutex_init(&bus->intx_lock, NULL);
	if (!m->q35) {
		host_bridge_plug(bus);
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
	update_intx(dev);
	update_bars(dev);
	if (dev->ops->config_written)
		dev->ops->config_written(dev, 0, PCI_CONFIG_SIZE);
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
static int dev_loaded(void *obj, unsigned int version, struct error *err)
{
	struct pci_dev *dev = obj;

	for (unsigned int i = 0; i < PCI_STD_HEADER_SIZEOF; i++) {
		uint8_t fixed = ~dev->wmask[i];

		if (i != PCI_STATUS && i != PCI_STATUS + 1 &&
		    (dev->config[i] ^ dev->saved[i]) & fixed)
			return error_set(err, -EINVAL,
					 "the saved state is of another PCI "
					 "device than %02x.%x",
					 dev->slot, dev->function);
	}
	pthread_mutex_lock(&dev->bus->lock);
	memcpy(dev->config, dev->saved, sizeof(dev->config));
	update_bars(dev);
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

static const struct state_field bus_fields[] = {
	STATE(struct pci_bus, address),
	STATE_SINCE(2, struct pci_bus, reset_control),
	STATE_END,
};

static const struct state_type bus_state = {
	.name = "pci-bus",
	.version = 2,
	.fields = bus_fields,
};

static void dev_states(struct pci_dev *dev, void *arg)
{
	char id[16];

	snprintf(id, sizeof(id), "00:%02x.%x", dev->slot, dev->function);
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

static void dev_destroy(struct pci_dev *dev, void *arg)
{
	for (unsigned int i = 0; i < PCI_BARS; i++)
		bar_unmap(dev, i);
	pci_rom_destroy(dev);
	if (dev->ops->destroy)
		dev->ops->destroy(dev);
}

void pci_bus_destroy(struct pci_bus *bus)
{
	if (!bus)
		return;
	pci_for_each(bus, dev_destroy, NULL);
	pci_move_ecam(bus, 0, 0);
	bus_remove(bus->m->ports, CF8_BASE);
	pthread_mutex_destroy(&bus->lock);
	free(bus);
}
