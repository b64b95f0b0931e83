/*
 * vmm/dev/pci.h -- PCI: configuration space, BARs, slots, and the buses below
 * bridges.
 *
 * Cited as "PCI": PCI Local Bus Specification 3.0; "PCIe": PCI Express Base
 * Specification 4.0.
 *
 * A device fills struct pci_dev with pci_dev_init(), pci_add_cap() and
 * pci_set_bar(), then plugs it.  On bus 0 every BAR gets an address in the
 * window below 4 GiB, so that a kernel without firmware finds them assigned;
 * the guest may move them.
 */
#ifndef VMM_DEV_PCI_H
#define VMM_DEV_PCI_H

#include <stdbool.h>
#include <stdint.h>

struct bus_ops;
struct machine;
struct pci_branch;
struct pci_bus;
struct pci_dev;
struct spec_place;
struct state_set;
struct error;

enum {
	PCI_BARS = 6,
	PCI_CONFIG_SIZE = 256, /* conventional part, where our devices live */
	PCI_ECAM_SIZE = 4096,
	PCI_SLOTS = 32,
	PCI_FUNCTIONS = 8,
	PCI_NAME_MAX = 40,
};

/* Hooks run on the vCPU's thread with the bus locked; each may be NULL. */
struct pci_ops {
	/* Before the guest reads: bring these bytes of config up to date. */
	void (*config_read)(struct pci_dev *dev, unsigned int reg,
			    unsigned int size);
	/* After a write went through the masks. */
	void (*config_written)(struct pci_dev *dev, unsigned int reg,
			       unsigned int size);
	/* A BAR appeared at addr in the memory map, or left it. */
	void (*bar_mapped)(struct pci_dev *dev, unsigned int bar,
			   uint64_t addr, bool mapped);
	/* The machine resets (vCPUs are stopped). */
	void (*reset)(struct pci_dev *dev);
	/* Main thread, vCPUs are stopped: finish what is under way and start
	 * nothing new; false: go on. */
	void (*pause)(struct pci_dev *dev, bool paused);
	/* Adds what the device saves beyond configuration space; id: the
	 * device's address, for state_add() and msix_add_state(). */
	void (*states)(struct pci_dev *dev, const char *id,
		       struct state_set *set);
	/* There is nothing but configuration space.  Without one of the two
	 * the machine cannot be saved. */
	bool stateless;
	/* The bus goes away: free the device. */
	void (*destroy)(struct pci_dev *dev);
};

struct pci_bar {
	uint64_t size; /* 0: none; a power of two */
	bool is_64, is_io;
	const struct bus_ops *ops;
	void *arg;
	uint64_t home; /* what the VMM assigned */
	uint64_t addr; /* where it is mapped now */
	bool mapped;
};

struct pci_dev {
	const struct pci_ops *ops;
	struct pci_bus *bus; /* NULL: not plugged */
	struct pci_branch *branch; /* what it is on */
	struct pci_branch *below;  /* of a bridge: what is behind it */
	unsigned int slot, function;
	uint8_t config[PCI_CONFIG_SIZE];
	uint8_t wmask[PCI_CONFIG_SIZE];	 /* bits the guest may change */
	uint8_t reset_value[PCI_CONFIG_SIZE];
	uint8_t saved[PCI_CONFIG_SIZE]; /* config on its way to a file */
	unsigned int cap_end; /* first free byte for capabilities */
	unsigned int last_cap;
	struct pci_bar bar[PCI_BARS];
	struct pci_bar rom; /* the expansion ROM; its size 0: none */
	uint8_t *rom_data;
	bool intx; /* the wire, as the device drives it */
};

struct pci_id {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint32_t class_code; /* 24 bits: class, subclass, interface */
	uint8_t revision;
};

/* Host bridge in slot 0; ECAM on m->mmio, ports 0xcf8-0xcff on m->ports. */
int pci_bus_create(struct machine *m, struct pci_bus **ret_bus,
		   struct error *err);
void pci_bus_destroy(struct pci_bus *bus); /* and every device on it */
void pci_bus_reset(struct pci_bus *bus);
void pci_bus_pause(struct pci_bus *bus, bool paused);
void pci_bus_states(struct pci_bus *bus, struct state_set *set);
struct machine *pci_bus_machine(const struct pci_bus *bus);

void pci_dev_init(struct pci_dev *dev, const struct pci_ops *ops,
		  const struct pci_id *id);

/*
 * Reserves len bytes (header included) and links the capability into the
 * list; returns its offset.  The body is zero and read-only until the caller
 * fills config and wmask.
 */
unsigned int pci_add_cap(struct pci_dev *dev, uint8_t id, unsigned int len);

unsigned int pci_find_cap(const struct pci_dev *dev, uint8_t id); /* or 0 */

/* PCIe 7.5.3, of this type; every function below a port gets one. */
unsigned int pci_add_express(struct pci_dev *dev, unsigned int type);

/* A memory BAR; a 64-bit one takes bar + 1 as well. */
void pci_set_bar(struct pci_dev *dev, unsigned int bar, uint64_t size,
		 bool is_64, const struct bus_ops *ops, void *arg);

void pci_set_io_bar(struct pci_dev *dev, unsigned int bar, unsigned int size,
		    const struct bus_ops *ops, void *arg);

/* NULL, or all 0: the next free slot.  The device stays the caller's on
 * failure. */
int pci_plug(struct pci_bus *bus, struct pci_dev *dev,
	     const struct spec_place *place, struct error *err);

/*
 * What is below a bridge that was plugged: the bus that places name by index.
 * port: one slot, on a link.
 */
int pci_add_branch(struct pci_dev *bridge, unsigned int index, bool port,
		   struct pci_branch **ret_branch, struct error *err);
bool pci_branch_used(const struct pci_branch *branch);
/* Bus locked, or before the guest runs: nothing below answers. */
void pci_branch_dark(struct pci_branch *branch, bool dark);
/* vCPUs stopped: resets, or unplugs and destroys, all that is there. */
void pci_branch_reset(struct pci_branch *branch);
void pci_branch_clear(struct pci_branch *branch);
/* The last bus there is: guests look at every slot of all up to it. */
unsigned int pci_last_bus(const struct pci_bus *bus);

/* For what is not the guest's access: excludes those. */
void pci_lock(struct pci_bus *bus);
void pci_unlock(struct pci_bus *bus);

/*
 * q35's host bridge, in slot 0; and where its PCIEXBAR says that the ECAM is
 * (0: nowhere).  Both with the bus locked or before the guest runs.
 */
void pci_plug_host(struct pci_bus *bus, struct pci_dev *dev);
int pci_move_ecam(struct pci_bus *bus, uint64_t base, uint64_t size);
uint64_t pci_ecam(const struct pci_bus *bus);

/*
 * The device's interrupt wire, for drivers without MSI; the device sets
 * PCI_INTERRUPT_PIN (1: INTA#).  Any thread.
 */
void pci_set_intx(struct pci_dev *dev, bool level);
typedef void pci_intx_fn(void *arg, const struct pci_dev *dev,
			 unsigned int pin, bool level);
void pci_route_intx(struct pci_bus *bus, pci_intx_fn *fn, void *arg);
void pci_route_direct(struct pci_bus *bus); /* to the I/O APIC, by pci_gsi() */
unsigned int pci_gsi(unsigned int slot, unsigned int pin); /* pin 0: INTA# */

/*
 * An expansion ROM from an image, made out to this function's vendor and
 * device: pci_rom.c.  Between pci_dev_init() and pci_plug().
 */
int pci_load_rom(struct pci_dev *dev, int fd, struct error *err);
/* The same as it is: size is a power of two from 2 KiB up; rom is taken over. */
void pci_set_rom(struct pci_dev *dev, uint8_t *rom, uint64_t size);

/* "00:02.0/00.0": stays the same however the guest numbers its buses. */
void pci_dev_name(const struct pci_dev *dev, char name[PCI_NAME_MAX]);

/* The bridge that it is below; NULL: it is on bus 0. */
struct pci_dev *pci_above(const struct pci_dev *dev);

/* Visits every device, in slot order, bridges before what is below. */
void pci_for_each(struct pci_bus *bus,
		  void (*fn)(struct pci_dev *dev, void *arg), void *arg);

void pci_for_each_below(struct pci_branch *branch,
			void (*fn)(struct pci_dev *dev, void *arg), void *arg);

/* Little-endian fields of config and wmask. */
void pci_set16(uint8_t *at, uint16_t value);
void pci_set32(uint8_t *at, uint32_t value);
uint16_t pci_get16(const uint8_t *at);
uint32_t pci_get32(const uint8_t *at);

/* One guest access to configuration space; any reg and size.  bdf: bus in
 * bits 8 to 15, device and function. */
uint32_t pci_config_read(struct pci_bus *bus, unsigned int bdf,
			 unsigned int reg, unsigned int size);
void pci_config_write(struct pci_bus *bus, unsigned int bdf,
		      unsigned int reg, uint32_t value, unsigned int size);

#endif
