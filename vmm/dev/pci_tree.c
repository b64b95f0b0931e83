/*
 * vmm/dev/pci_tree.c -- functions, and who is plugged in where.
 *
 * The tree changes on the main thread only: before the guest runs, by adding
 * to a branch that the guest cannot see (hot plug), or with vCPUs stopped.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "base/error.h"
#include "vmm/dev/pci_priv.h"
#include "vmm/dev/pci_rom.h"
#include "vmm/spec.h"

/* ---- a function ---- */

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

unsigned int pci_find_cap(const struct pci_dev *dev, uint8_t id)
{
	unsigned int at = dev->config[PCI_CAPABILITY_LIST];

	while (at && dev->config[at] != id)
		at = dev->config[at + PCI_CAP_LIST_NEXT];
	return at;
}

enum { EXPRESS_LEN = 0x3c, LINK_X1_GEN1 = 0x11 }; /* PCIe 7.5.3 */

unsigned int pci_add_express(struct pci_dev *dev, unsigned int type)
{
	unsigned int at = pci_add_cap(dev, PCI_CAP_ID_EXP, EXPRESS_LEN);
	uint8_t *c = dev->config + at, *w = dev->wmask + at;

	pci_set16(c + PCI_EXP_FLAGS, 2 | type << 4);
	pci_set32(c + PCI_EXP_DEVCAP, PCI_EXP_DEVCAP_RBER);
	pci_set16(w + PCI_EXP_DEVCTL,
		  PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE |
			  PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE |
			  PCI_EXP_DEVCTL_READRQ);
	pci_set32(c + PCI_EXP_LNKCAP, LINK_X1_GEN1);
	pci_set16(w + PCI_EXP_LNKCTL,
		  PCI_EXP_LNKCTL_ASPMC | PCI_EXP_LNKCTL_CCC);
	pci_set16(c + PCI_EXP_LNKSTA, LINK_X1_GEN1);
	return at;
}

/* ---- branches ---- */

struct machine *pci_bus_machine(const struct pci_bus *bus)
{
	return bus->m;
}

static struct pci_branch *branch_indexed(struct pci_bus *bus,
					 unsigned int index)
{
	struct pci_branch *b = &bus->root;

	while (b && b->index != index)
		b = b->next;
	return b;
}

/* Bridge 3.2.5.3 to 3.2.5.5: each bridge above takes the number for below. */
static bool reachable(const struct pci_branch *b, unsigned int number)
{
	for (; b->bridge; b = b->bridge->branch) {
		const uint8_t *c = b->bridge->config;

		if (b->dark || number < c[PCI_SECONDARY_BUS] ||
		    number > c[PCI_SUBORDINATE_BUS])
			return false;
	}
	return true;
}

struct pci_branch *pci_branch_numbered(struct pci_bus *bus,
				       unsigned int number)
{
	struct pci_branch *b = &bus->root;

	if (!number)
		return b;
	while ((b = b->next))
		if (b->bridge->config[PCI_SECONDARY_BUS] == number &&
		    reachable(b, number))
			return b;
	return NULL;
}

unsigned int pci_last_bus(const struct pci_bus *bus)
{
	const struct pci_branch *b = &bus->root;
	unsigned int bridges = 0, last = 0;

	while ((b = b->next)) {
		bridges++;
		last = MAX(last, b->bridge->config[PCI_SUBORDINATE_BUS]);
	}
	return MAX(bridges, last);
}

int pci_add_branch(struct pci_dev *bridge, unsigned int index, bool port,
		   struct pci_branch **ret_branch, struct error *err)
{
	struct pci_branch *b = &bridge->bus->root;

	if (branch_indexed(bridge->bus, index))
		return error_set(err, -EEXIST, "there are two PCI buses %u",
				 index);
	while (b->next)
		b = b->next;
	b->next = xcalloc(1, sizeof(*b));
	*b->next = (struct pci_branch){
		.bus = bridge->bus,
		.bridge = bridge,
		.index = index,
		.port = port,
	};
	*ret_branch = bridge->below = b->next;
	return 0;
}

static void each_on(const struct pci_branch *b,
		    void (*fn)(struct pci_dev *dev, void *arg), void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(b->devs); i++) {
		struct pci_dev *dev = b->devs[i];

		if (!dev)
			continue;
		fn(dev, arg);
		if (b->devs[i] == dev && dev->below)
			each_on(dev->below, fn, arg);
	}
}

void pci_for_each(struct pci_bus *bus,
		  void (*fn)(struct pci_dev *dev, void *arg), void *arg)
{
	each_on(&bus->root, fn, arg);
}

void pci_for_each_below(struct pci_branch *branch,
			void (*fn)(struct pci_dev *dev, void *arg), void *arg)
{
	each_on(branch, fn, arg);
}

bool pci_branch_used(const struct pci_branch *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(b->devs); i++)
		if (b->devs[i])
			return true;
	return false;
}

void pci_branch_dark(struct pci_branch *b, bool dark)
{
	if (b->dark == dark)
		return;
	b->dark = dark;
	pci_update_bars(b->bus);
	pci_update_intx(b->bridge);
}

struct pci_dev *pci_above(const struct pci_dev *dev)
{
	return dev->branch->bridge;
}

/* "00:02.0", and below that "00:02.0/00.0": bus numbers are the guest's. */
void pci_dev_name(const struct pci_dev *dev, char name[PCI_NAME_MAX])
{
	char above[PCI_NAME_MAX] = "00:";

	if (dev->branch->bridge) {
		pci_dev_name(dev->branch->bridge, above);
		strncat(above, "/", sizeof(above) - strlen(above) - 1);
	}
	snprintf(name, PCI_NAME_MAX, "%.*s%02x.%x", PCI_NAME_MAX - 8, above,
		 dev->slot, dev->function);
}

/* ---- plugging ---- */

static int find_slot(const struct pci_branch *b)
{
	static struct pci_dev *const none[PCI_FUNCTIONS];

	for (unsigned int slot = b->port ? 0 : 1; slot < PCI_SLOTS; slot++)
		if (!memcmp(&b->devs[slot * PCI_FUNCTIONS], none,
			    sizeof(none)))
			return slot;
	return -ENOSPC;
}

/* PCI 6.2.1: bit 7 of the header type in every function of such a device. */
static void mark_multifunction(struct pci_branch *b, unsigned int slot)
{
	struct pci_dev **fns = &b->devs[slot * PCI_FUNCTIONS];
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

void pci_put(struct pci_branch *b, struct pci_dev *dev, unsigned int slot,
	     unsigned int function)
{
	pthread_mutex_lock(&b->bus->lock);
	pthread_mutex_lock(&b->bus->intx_lock);
	dev->bus = b->bus;
	dev->branch = b;
	dev->slot = slot;
	dev->function = function;
	memcpy(dev->reset_value, dev->config, sizeof(dev->config));
	b->devs[slot * PCI_FUNCTIONS + function] = dev;
	mark_multifunction(b, slot);
	pthread_mutex_unlock(&b->bus->intx_lock);
	pthread_mutex_unlock(&b->bus->lock);
}

static int find_place(struct pci_bus *bus, const struct spec_place *place,
		      struct pci_branch **ret_branch, struct error *err)
{
	struct pci_branch *b = branch_indexed(bus, place->bus);
	bool given = place->slot || place->function ||
		     (place->bus && b && b->port);
	int slot;

	if (!b)
		return error_set(err, -ENODEV, "there is no PCI bus %u",
				 place->bus);
	*ret_branch = b;
	slot = given ? (int)place->slot : find_slot(b);
	if (slot < 0)
		return error_set(err, slot, "no free PCI slot");
	if (slot >= PCI_SLOTS || place->function >= PCI_FUNCTIONS ||
	    (b->port && slot))
		return error_set(err, -EINVAL, "no PCI address %02x:%02x.%x",
				 place->bus, slot, place->function);
	if (b->devs[slot * PCI_FUNCTIONS + place->function])
		return error_set(err, -EEXIST,
				 "PCI address %02x:%02x.%x is taken",
				 place->bus, slot, place->function);
	return slot;
}

/* PCIe 1.3.2: what is on a link has the capability. */
static void make_express(struct pci_dev *dev)
{
	if (!pci_find_cap(dev, PCI_CAP_ID_EXP) &&
	    dev->cap_end + EXPRESS_LEN <= PCI_CONFIG_SIZE)
		pci_add_express(dev, PCI_EXP_TYPE_ENDPOINT);
}

int pci_plug(struct pci_bus *bus, struct pci_dev *dev,
	     const struct spec_place *place, struct error *err)
{
	static const struct spec_place anywhere;
	struct pci_branch *b = NULL;
	int slot, r;

	if (!place)
		place = &anywhere;
	slot = find_place(bus, place, &b, err);
	if (slot < 0)
		return slot;
	dev->branch = b;
	r = pci_assign_bars(bus, dev, err);
	if (r < 0)
		return r;
	if (b->port)
		make_express(dev);
	pci_put(b, dev, slot, place->function);
	return 0;
}

static void destroy(struct pci_dev *dev)
{
	pci_unmap_bars(dev);
	pci_rom_destroy(dev);
	if (dev->ops->destroy)
		dev->ops->destroy(dev);
}

static void branch_destroy(struct pci_branch *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(b->devs); i++) {
		struct pci_dev *dev = b->devs[i];

		if (dev && dev->below)
			branch_destroy(dev->below);
		if (dev)
			destroy(dev);
		b->devs[i] = NULL;
	}
}

void pci_tree_destroy(struct pci_bus *bus)
{
	struct pci_branch *b = bus->root.next, *next;

	branch_destroy(&bus->root);
	for (; b; b = next) {
		next = b->next;
		free(b);
	}
}

/* What is under way ends, then it is out of reach, then it goes. */
static void unplug(struct pci_branch *b, size_t i)
{
	struct pci_dev *dev = b->devs[i];

	if (dev->ops->reset)
		dev->ops->reset(dev);
	pci_set_intx(dev, false);
	pthread_mutex_lock(&b->bus->lock);
	pthread_mutex_lock(&b->bus->intx_lock);
	b->devs[i] = NULL;
	pthread_mutex_unlock(&b->bus->intx_lock);
	pthread_mutex_unlock(&b->bus->lock);
	destroy(dev);
}

void pci_branch_clear(struct pci_branch *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(b->devs); i++)
		if (b->devs[i])
			unplug(b, i);
	pthread_mutex_lock(&b->bus->lock);
	pci_update_bars(b->bus);
	pthread_mutex_unlock(&b->bus->lock);
}
