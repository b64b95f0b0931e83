/*
 * vmm/dev/lpc.c -- LPC interface bridge of Intel's ICH9, 8086:2918 (ICH9
 * data sheet 316972, "LPC Interface Bridge Registers (D31:F0)").
 *
 * Each of the eight wires PIRQA# to PIRQH# goes to a pin of the I/O APIC from
 * 16 on, and to an interrupt of the 8259 pair if its routing register says
 * so.  Devices in slots below 25 rotate over PIRQE# to PIRQH#, the others use
 * PIRQA# to PIRQD# as the chip's own do after reset; firmware for q35 and our
 * tables expect it so.  The root complex registers (RCBA) can be placed but
 * do nothing.
 */
#include "vmm/dev/lpc.h"

#include <linux/pci_regs.h>
#include <pthread.h>
#include <string.h>

#include "base/util.h"
#include "vmm/dev/ich9_pm.h"
#include "vmm/dev/pci.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"

enum { LPC_SLOT = 0x1f, PIRQS = 8, IRQS = 16 };
enum { PMBASE = 0x40, ACPI_CNTL = 0x44, PIRQ_A = 0x60, PIRQ_E = 0x68,
       GEN_PMCON_1 = 0xa0, RCBA = 0xf0 };
enum { ACPI_EN = 0x80, PMBASE_DIRECT = 0x600 };
enum { PIRQ_NOT_ROUTED = 0x80 };
enum { SMI_LOCK = 0x10 };

struct lpc {
	struct pci_dev pci;
	struct machine *m;
	struct ich9_pm *pm;
	pthread_mutex_t lock; /* the rest */
	uint8_t route[PIRQS];
	uint8_t wires[PIRQS][PCI_SLOTS * PCI_FUNCTIONS / 8]; /* who pulls */
};

static unsigned int pirq_of(unsigned int slot, unsigned int pin)
{
	return slot < 25 ? 4 + ((slot + pin) & 3) : pin & 3;
}

unsigned int lpc_gsi(unsigned int slot, unsigned int pin)
{
	return GSI_PIRQ + pirq_of(slot, pin);
}

static bool pirq_level(const struct lpc *lpc, unsigned int pirq)
{
	static const uint8_t none[sizeof(lpc->wires[0])];

	return memcmp(lpc->wires[pirq], none, sizeof(none)) != 0;
}

/* Locked: an interrupt of the pair is all the wires routed to it. */
static void update_irq(struct lpc *lpc, unsigned int irq)
{
	bool level = false;

	for (unsigned int i = 0; i < PIRQS; i++)
		level |= lpc->route[i] == irq && pirq_level(lpc, i);
	machine_pic_irq(lpc->m, irq, level);
}

/* pin 1 is INTA#, 0 none; any thread. */
static void lpc_intx(void *arg, const struct pci_dev *dev, unsigned int pin,
		     bool level)
{
	struct lpc *lpc = arg;
	unsigned int devfn = dev->slot * PCI_FUNCTIONS + dev->function, pirq;
	uint8_t *byte;

	if (!pin)
		return;
	pirq = pirq_of(dev->slot, pin - 1);
	pthread_mutex_lock(&lpc->lock);
	byte = &lpc->wires[pirq][devfn / 8];
	*byte = level ? *byte | BIT(devfn % 8) : *byte & ~BIT(devfn % 8);
	machine_irq(lpc->m, GSI_PIRQ + pirq, pirq_level(lpc, pirq));
	if (lpc->route[pirq] < IRQS)
		update_irq(lpc, lpc->route[pirq]);
	pthread_mutex_unlock(&lpc->lock);
}

/* "PIRQ[n]_ROUT": bit 7 set, it goes to the I/O APIC only. */
static uint8_t route_of(const struct lpc *lpc, unsigned int i)
{
	uint8_t reg = lpc->pci.config[i < 4 ? PIRQ_A + i : PIRQ_E + i - 4];

	return reg & PIRQ_NOT_ROUTED ? 0xff : reg & 0x0f;
}

static void update_route(struct lpc *lpc, unsigned int pirq)
{
	uint8_t old = lpc->route[pirq];

	lpc->route[pirq] = route_of(lpc, pirq);
	if (old == lpc->route[pirq])
		return;
	if (old < IRQS)
		update_irq(lpc, old);
	if (lpc->route[pirq] < IRQS)
		update_irq(lpc, lpc->route[pirq]);
}

static void place_pm(struct lpc *lpc)
{
	uint8_t *c = lpc->pci.config;
	uint16_t base = 0;

	if (c[ACPI_CNTL] & ACPI_EN)
		base = pci_get16(c + PMBASE) & 0xff80;
	if (c[GEN_PMCON_1] & SMI_LOCK)
		lpc->pci.wmask[GEN_PMCON_1] &= ~SMI_LOCK;
	ich9_pm_place(lpc->pm, base, c[GEN_PMCON_1] & SMI_LOCK);
}

static void lpc_written(struct pci_dev *pci, unsigned int reg,
			unsigned int size)
{
	struct lpc *lpc = container_of(pci, struct lpc, pci);

	pthread_mutex_lock(&lpc->lock);
	for (unsigned int i = 0; i < PIRQS; i++)
		update_route(lpc, i);
	pthread_mutex_unlock(&lpc->lock);
	place_pm(lpc);
}

static void lpc_reset(struct pci_dev *pci)
{
	struct lpc *lpc = container_of(pci, struct lpc, pci);

	pci->wmask[GEN_PMCON_1] |= SMI_LOCK;
	pthread_mutex_lock(&lpc->lock);
	memset(lpc->wires, 0, sizeof(lpc->wires));
	pthread_mutex_unlock(&lpc->lock);
}

static void lpc_destroy(struct pci_dev *pci)
{
	struct lpc *lpc = container_of(pci, struct lpc, pci);

	pthread_mutex_destroy(&lpc->lock);
	free(lpc);
}

/* The rest follows from the configuration registers. */
static const struct state_field lpc_fields[] = {
	STATE_RAW(struct lpc, wires),
	STATE_END,
};

static void lpc_restored(void *obj)
{
	struct lpc *lpc = obj;

	for (unsigned int i = 0; i < PIRQS; i++)
		lpc->route[i] = route_of(lpc, i);
	place_pm(lpc);
}

static const struct state_type lpc_state = {
	.name = "ich9-lpc",
	.version = 1,
	.fields = lpc_fields,
	.restored = lpc_restored,
};

static void lpc_states(struct pci_dev *pci, const char *id,
		       struct state_set *set)
{
	state_add(set, &lpc_state, id, container_of(pci, struct lpc, pci));
}

static const struct pci_ops lpc_ops = {
	.states = lpc_states,
	.config_written = lpc_written,
	.reset = lpc_reset,
	.destroy = lpc_destroy,
};

/* direct: a kernel without firmware finds the PM ports in place. */
static void lpc_registers(struct pci_dev *pci, bool direct)
{
	uint8_t *c = pci->config, *w = pci->wmask;

	/* "PCICMD": what is behind it is always decoded. */
	pci_set16(c + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY |
					   PCI_COMMAND_MASTER);
	pci_set16(w + PCI_COMMAND, 0);
	pci_set32(c + PMBASE, 1); /* I/O space */
	pci_set32(w + PMBASE, 0xff80);
	w[ACPI_CNTL] = 0x87;
	for (unsigned int i = 0; i < 4; i++) {
		c[PIRQ_A + i] = c[PIRQ_E + i] = PIRQ_NOT_ROUTED;
		w[PIRQ_A + i] = w[PIRQ_E + i] = 0x8f;
	}
	w[GEN_PMCON_1] = SMI_LOCK;
	pci_set32(w + RCBA, 0xffffc001);
	if (!direct)
		return;
	pci_set16(c + PMBASE, PMBASE_DIRECT | 1);
	c[ACPI_CNTL] = ACPI_EN;
}

int lpc_create(struct machine *m, struct error *err)
{
	static const struct pci_id id = {
		.vendor = 0x8086,
		.device = 0x2918,
		.revision = 2,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class_code = 0x060100, /* PCI D.7: ISA bridge */
	};
	static const struct spec_place place = { .slot = LPC_SLOT };
	struct lpc *lpc = xcalloc(1, sizeof(*lpc));
	int r;

	lpc->m = m;
	pthread_mutex_init(&lpc->lock, NULL);
	memset(lpc->route, 0xff, sizeof(lpc->route));
	pci_dev_init(&lpc->pci, &lpc_ops, &id);
	lpc_registers(&lpc->pci, m->spec->firmware_fd < 0);
	r = pci_plug(m->pci, &lpc->pci, &place, err);
	if (r < 0) {
		lpc_destroy(&lpc->pci);
		return r;
	}
	lpc->pm = m->pm = ich9_pm_create(m);
	lpc_written(&lpc->pci, 0, PCI_CONFIG_SIZE);
	pci_route_intx(m->pci, lpc_intx, lpc);
	return 0;
}
