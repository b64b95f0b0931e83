/*
 * vmm/dev/pcie_port.c -- PCI Express root ports with a slot, and a bridge to
 * conventional PCI.
 *
 * Theory of operation (PCIe 6.7 and 7.5.3).  A port's slot has a power
 * controller, an attention button and two indicators.  Software hears of
 * events (button, presence, link, command completed) by an interrupt.
 *
 * - Plugging: the function is put below the port while the slot has no power,
 *   so that nobody sees it; then presence is shown and the button is pressed
 *   at the same moment.  The guest switches the slot on, the link comes up.
 * - Unplugging: the button is pressed.  The guest's power indicator blinks for
 *   some seconds, in which it could be called off; then the guest stops using
 *   the function, switches power off, and when it has put the indicator out
 *   the function is taken away (6.7.1.1.2: it may be removed now).
 *
 * What the guest switches off by itself stays where it is.
 *
 * Left out: surprise removal, electromechanical interlock, MRL sensors, power
 * faults, ARI, AER, ACS.
 */
#include "vmm/dev/pcie_port.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "base/error.h"
#include "vmm/dev/msi.h"
#include "vmm/dev/pci.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"

enum { BRIDGE_CONTROL_WRITABLE = PCI_BRIDGE_CTL_PARITY |
				 PCI_BRIDGE_CTL_SERR | PCI_BRIDGE_CTL_ISA |
				 PCI_BRIDGE_CTL_VGA |
				 PCI_BRIDGE_CTL_BUS_RESET };
enum { SLOT_ENABLES = PCI_EXP_SLTCTL_ABPE | PCI_EXP_SLTCTL_PDCE |
		      PCI_EXP_SLTCTL_CCIE | PCI_EXP_SLTCTL_HPIE |
		      PCI_EXP_SLTCTL_DLLSCE,
       SLOT_WRITABLE = SLOT_ENABLES | PCI_EXP_SLTCTL_AIC |
		       PCI_EXP_SLTCTL_PIC | PCI_EXP_SLTCTL_PCC,
       SLOT_CLEARED = PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PDC |
		      PCI_EXP_SLTSTA_CC | PCI_EXP_SLTSTA_DLLSC };

struct port {
	struct pci_dev pci;
	struct machine *m;
	const struct spec_port *spec;
	struct pci_branch *below;
	struct msi msi;
	unsigned int exp; /* where the capability is */
	bool hotplug;

	/* The bus locked. */
	uint16_t control, status; /* of the slot */
	bool interrupting;
	bool ejecting;	/* the guest was asked */
	bool let_go;	/* ... and has done so: to be taken away */
	bool resetting; /* all below, once vCPUs are stopped */
};

static const struct pci_ops port_ops;

static struct port *port_of(struct pci_dev *dev)
{
	return container_of(dev, struct port, pci);
}

/* ---- the slot: bus locked ---- */

static bool has_power(const struct port *p)
{
	return !(p->control & PCI_EXP_SLTCTL_PCC);
}

/* 6.7.3.4: an interrupt when the first enabled event comes. */
static void update_interrupt(struct port *p)
{
	uint16_t events = p->control & p->status &
			  (PCI_EXP_SLTSTA_ABP | PCI_EXP_SLTSTA_PDC |
			   PCI_EXP_SLTSTA_CC);
	bool link = (p->control & PCI_EXP_SLTCTL_DLLSCE) &&
		    (p->status & PCI_EXP_SLTSTA_DLLSC);
	bool now = (p->control & PCI_EXP_SLTCTL_HPIE) && (events || link);

	if (now && !p->interrupting)
		msi_send(&p->msi);
	p->interrupting = now;
	pci_set_intx(&p->pci, now && !p->msi.enabled);
}

static void show(struct port *p)
{
	uint8_t *c = p->pci.config + p->exp;

	pci_set16(c + PCI_EXP_SLTCTL, p->control);
	pci_set16(c + PCI_EXP_SLTSTA, p->status);
	update_interrupt(p);
}

static bool link_is_up(const struct port *p)
{
	return pci_get16(p->pci.config + p->exp + PCI_EXP_LNKSTA) &
	       PCI_EXP_LNKSTA_DLLLA;
}

/* The link follows power and presence (7.5.3.8, 7.5.3.11). */
static void update_link(struct port *p)
{
	uint8_t *status = p->pci.config + p->exp + PCI_EXP_LNKSTA;
	bool up = (p->status & PCI_EXP_SLTSTA_PDS) && has_power(p);
	uint16_t value = pci_get16(status) & ~PCI_EXP_LNKSTA_DLLLA;

	if (up != link_is_up(p))
		p->status |= PCI_EXP_SLTSTA_DLLSC;
	pci_set16(status, value | (up ? PCI_EXP_LNKSTA_DLLLA : 0));
	pci_branch_dark(p->below, !up);
}

/* As after power-on: with something in it, it has power. */
static void slot_reset(struct port *p)
{
	bool present = pci_branch_used(p->below);

	p->status = present ? PCI_EXP_SLTSTA_PDS : 0;
	p->control = PCI_EXP_SLTCTL_ATTN_IND_OFF;
	p->control |= present ? PCI_EXP_SLTCTL_PWR_IND_ON :
				PCI_EXP_SLTCTL_PWR_IND_OFF |
					PCI_EXP_SLTCTL_PWR_OFF;
	p->ejecting = false;
	update_link(p);
	p->status &= ~PCI_EXP_SLTSTA_DLLSC;
	show(p);
}

static void start_over(struct port *p)
{
	struct pci_dev *dev = &p->pci;

	p->interrupting = p->resetting = false;
	slot_reset(p);
	memcpy(dev->reset_value + p->exp, dev->config + p->exp,
	       PCI_EXP_SLTSTA + 2);
	pci_set16(dev->reset_value + p->exp + PCI_EXP_DEVCTL, 0);
	pci_set16(dev->reset_value + p->exp + PCI_EXP_LNKCTL, 0);
}

/* With vCPUs stopped, on the main thread: what the guest asked for. */
static void act(struct pci_dev *dev, void *arg)
{
	struct port *p = port_of(dev);

	if (dev->ops != &port_ops)
		return;
	if (p->resetting)
		pci_branch_reset(p->below);
	p->resetting = false;
	if (!p->let_go)
		return;
	p->let_go = p->ejecting = false;
	pci_branch_clear(p->below);
	pci_lock(dev->bus);
	if (has_power(p))
		start_over(p);
	p->status &= ~PCI_EXP_SLTSTA_PDS;
	p->status |= PCI_EXP_SLTSTA_PDC;
	update_link(p);
	show(p);
	pci_unlock(dev->bus);
	machine_tell_unplugged(p->m, p->spec->index, true);
}

static void act_all(void *machine)
{
	pci_for_each(((struct machine *)machine)->pci, act, NULL);
}

static void let_go(struct port *p)
{
	p->let_go = true;
	machine_remap(p->m, act_all, p->m);
}

static bool is_released(uint16_t control)
{
	return (control & PCI_EXP_SLTCTL_PCC) &&
	       (control & PCI_EXP_SLTCTL_PIC) == PCI_EXP_SLTCTL_PWR_IND_OFF;
}

/* The answer to the button: 6.7.1.1.2. */
static void heed_indicator(struct port *p, uint16_t old)
{
	bool blinked = (old & PCI_EXP_SLTCTL_PIC) ==
		       PCI_EXP_SLTCTL_PWR_IND_BLINK;
	bool on = (p->control & PCI_EXP_SLTCTL_PIC) ==
		  PCI_EXP_SLTCTL_PWR_IND_ON;

	if (!p->ejecting)
		return;
	if (is_released(p->control)) {
		let_go(p);
	} else if (blinked && on && has_power(p)) {
		p->ejecting = false;
		machine_tell_unplugged(p->m, p->spec->index, false);
	}
}

/* 6.7.3.2: any write to slot control is a command, done at once. */
static void control_written(struct port *p)
{
	uint16_t old = p->control;

	p->control = pci_get16(p->pci.config + p->exp + PCI_EXP_SLTCTL);
	p->status |= PCI_EXP_SLTSTA_CC;
	update_link(p);
	heed_indicator(p, old);
}

/* Which bits of the 16-bit register at 'at' an access reached. */
static uint16_t reached(unsigned int reg, unsigned int size, unsigned int at)
{
	uint16_t bits = 0;

	for (unsigned int i = 0; i < 2; i++)
		if (at + i >= reg && at + i < reg + size)
			bits |= 0xff << 8 * i;
	return bits;
}

static void slot_written(struct port *p, unsigned int reg, unsigned int size)
{
	unsigned int status = p->exp + PCI_EXP_SLTSTA;
	uint16_t ones = pci_get16(p->pci.config + status);

	/* Its bits are cleared by ones (7.5.3.11). */
	p->status &= ~(ones & reached(reg, size, status) & SLOT_CLEARED);
	if (reached(reg, size, p->exp + PCI_EXP_SLTCTL))
		control_written(p);
	show(p);
}

/* ---- the function ---- */

static void bridge_written(struct port *p, unsigned int reg, unsigned int size)
{
	uint16_t control = pci_get16(p->pci.config + PCI_BRIDGE_CONTROL);

	if (!reached(reg, size, PCI_BRIDGE_CONTROL) ||
	    !(control & PCI_BRIDGE_CTL_BUS_RESET) || p->resetting)
		return;
	p->resetting = true; /* Bridge 3.2.5.18, bit 6 */
	machine_remap(p->m, act_all, p->m);
}

static void port_written(struct pci_dev *dev, unsigned int reg,
			 unsigned int size)
{
	struct port *p = port_of(dev);

	bridge_written(p, reg, size);
	if (!p->hotplug)
		return;
	msi_config_written(&p->msi, reg, size);
	if (size < PCI_CONFIG_SIZE) /* else a reset, which has done it */
		slot_written(p, reg, size);
}

/* A guest that was asked to let go and starts anew has done so. */
static void port_reset(struct pci_dev *dev)
{
	struct port *p = port_of(dev);
	bool asked = p->ejecting;

	if (!p->hotplug)
		return;
	start_over(p);
	if (asked)
		let_go(p);
}

static void port_destroy(struct pci_dev *dev)
{
	struct port *p = port_of(dev);

	if (p->hotplug)
		msi_finish(&p->msi);
	free(p);
}

static const struct state_field port_fields[] = {
	STATE(struct port, control),
	STATE(struct port, status),
	STATE_BOOL(struct port, interrupting),
	STATE_BOOL(struct port, ejecting),
	STATE_END,
};

/* Presence is what the description says, not the saved state. */
static int port_loaded(void *obj, unsigned int version, struct error *err)
{
	struct port *p = obj;
	bool present = p->status & PCI_EXP_SLTSTA_PDS;

	if (present != pci_branch_used(p->below))
		return error_set(err, -EINVAL,
				 "slot '%s' was %s when the machine was saved",
				 p->spec->id, present ? "in use" : "empty");
	p->control &= SLOT_WRITABLE;
	p->status &= SLOT_CLEARED | PCI_EXP_SLTSTA_PDS;
	pci_branch_dark(p->below, !present || !has_power(p));
	return 0;
}

static const struct state_type port_state = {
	.name = "pcie-port",
	.version = 1,
	.fields = port_fields,
	.loaded = port_loaded,
};

static void port_states(struct pci_dev *dev, const char *id,
			struct state_set *set)
{
	struct port *p = port_of(dev);

	if (!p->hotplug)
		return;
	msi_add_state(&p->msi, id, set);
	state_add(set, &port_state, id, p);
}

static const struct pci_ops port_ops = {
	.config_written = port_written,
	.reset = port_reset,
	.states = port_states,
	.destroy = port_destroy,
};

/* ---- making ---- */

/* Bridge 3.2: the header of type 1. */
static void init_bridge(struct pci_dev *dev)
{
	uint8_t *c = dev->config, *w = dev->wmask;

	c[PCI_HEADER_TYPE] = PCI_HEADER_TYPE_BRIDGE;
	w[PCI_COMMAND] |= PCI_COMMAND_IO;
	w[PCI_PRIMARY_BUS] = w[PCI_SECONDARY_BUS] = 0xff;
	w[PCI_SUBORDINATE_BUS] = 0xff;
	w[PCI_IO_BASE] = w[PCI_IO_LIMIT] = 0xf0;
	pci_set16(w + PCI_MEMORY_BASE, 0xfff0);
	pci_set16(w + PCI_MEMORY_LIMIT, 0xfff0);
	pci_set16(c + PCI_PREF_MEMORY_BASE, PCI_PREF_RANGE_TYPE_64);
	pci_set16(c + PCI_PREF_MEMORY_LIMIT, PCI_PREF_RANGE_TYPE_64);
	pci_set16(w + PCI_PREF_MEMORY_BASE, 0xfff0);
	pci_set16(w + PCI_PREF_MEMORY_LIMIT, 0xfff0);
	pci_set32(w + PCI_PREF_BASE_UPPER32, ~0u);
	pci_set32(w + PCI_PREF_LIMIT_UPPER32, ~0u);
	pci_set16(w + PCI_BRIDGE_CONTROL, BRIDGE_CONTROL_WRITABLE);
}

/* The subsystem of a header of type 1 (Bridge 3.2.5.13). */
static void add_subsystem(struct pci_dev *dev)
{
	unsigned int at = pci_add_cap(dev, PCI_CAP_ID_SSVID, 8);

	pci_set16(dev->config + at + PCI_SSVID_VENDOR_ID, 0x1af4);
	pci_set16(dev->config + at + PCI_SSVID_DEVICE_ID, 0x1100);
}

static void init_slot(struct port *p)
{
	uint8_t *c = p->pci.config + p->exp, *w = p->pci.wmask + p->exp;
	uint32_t link = pci_get32(c + PCI_EXP_LNKCAP);

	pci_set16(c + PCI_EXP_FLAGS,
		  pci_get16(c + PCI_EXP_FLAGS) | PCI_EXP_FLAGS_SLOT);
	pci_set32(c + PCI_EXP_LNKCAP, link | PCI_EXP_LNKCAP_DLLLARC |
					      p->spec->number << 24);
	pci_set32(c + PCI_EXP_SLTCAP,
		  PCI_EXP_SLTCAP_ABP | PCI_EXP_SLTCAP_PCP |
			  PCI_EXP_SLTCAP_AIP | PCI_EXP_SLTCAP_PIP |
			  PCI_EXP_SLTCAP_HPC |
			  (uint32_t)p->spec->chassis << 19);
	pci_set16(w + PCI_EXP_SLTCTL, SLOT_WRITABLE);
	pci_set16(w + PCI_EXP_SLTSTA, SLOT_CLEARED);
	pci_set16(w + PCI_EXP_RTCTL, PCI_EXP_RTCTL_SECEE |
		  PCI_EXP_RTCTL_SENFEE | PCI_EXP_RTCTL_SEFEE |
		  PCI_EXP_RTCTL_PMEIE);
}

/* The numbers that QEMU's bridges have, which guests know. */
static void init_pci(struct port *p)
{
	bool root = p->spec->kind == PORT_ROOT;
	const struct pci_id id = {
		.vendor = 0x1b36,
		.device = root ? 0x000c : 0x000e,
		.class_code = 0x060400, /* PCI D.7: PCI-to-PCI bridge */
	};

	pci_dev_init(&p->pci, &port_ops, &id);
	init_bridge(&p->pci);
	p->exp = pci_add_express(&p->pci, root ? PCI_EXP_TYPE_ROOT_PORT :
						 PCI_EXP_TYPE_PCI_BRIDGE);
	add_subsystem(&p->pci);
	if (!p->hotplug)
		return;
	p->pci.config[PCI_INTERRUPT_PIN] = 1;
	init_slot(p);
	msi_init(&p->msi, &p->pci);
}

int pcie_port_add(struct machine *m, const struct spec_port *spec,
		  struct error *err)
{
	struct port *p = xcalloc(1, sizeof(*p));
	int r;

	p->m = m;
	p->spec = spec;
	p->hotplug = spec->kind == PORT_ROOT && !spec->no_hotplug;
	init_pci(p);
	r = pci_plug(m->pci, &p->pci, &spec->pci, err);
	if (r < 0) {
		port_destroy(&p->pci);
		return error_prefix(err, "controller '%s'", spec->id), r;
	}
	/* From here on the bus owns it. */
	return pci_add_branch(&p->pci, spec->index, spec->kind == PORT_ROOT,
			      &p->below, err);
}

static void settle(struct pci_dev *dev, void *arg)
{
	if (dev->ops != &port_ops || !port_of(dev)->hotplug)
		return;
	start_over(port_of(dev));
}

void pcie_ports_settle(struct machine *m)
{
	pci_for_each(m->pci, settle, NULL);
}

/* ---- hot plug ---- */

struct search {
	unsigned int bus;
	struct port *port;
};

static void match(struct pci_dev *dev, void *arg)
{
	struct search *s = arg;

	if (dev->ops == &port_ops && port_of(dev)->spec->index == s->bus)
		s->port = port_of(dev);
}

static struct port *port_find(struct machine *m, unsigned int bus)
{
	struct search s = { .bus = bus };

	pci_for_each(m->pci, match, &s);
	return s.port && s.port->hotplug ? s.port : NULL;
}

static int no_port(unsigned int bus, struct error *err)
{
	return error_set(err, -ENOTSUP,
			 "nothing can be plugged or unplugged on PCI bus %u: it is not below a pcie-root-port",
			 bus);
}

int pcie_port_free(struct machine *m, unsigned int bus, struct error *err)
{
	struct port *p = port_find(m, bus);

	if (!p)
		return no_port(bus, err);
	if (pci_branch_used(p->below))
		return error_set(err, -EBUSY,
				 "there is a device on PCI bus %u", bus);
	return 0;
}

void pcie_port_inserted(struct machine *m, unsigned int bus)
{
	struct port *p = port_find(m, bus);

	pci_lock(p->pci.bus);
	p->status |= PCI_EXP_SLTSTA_PDS | PCI_EXP_SLTSTA_PDC |
		     PCI_EXP_SLTSTA_ABP;
	update_link(p);
	show(p);
	pci_unlock(p->pci.bus);
}

/* Pressing it twice would call it off. */
static int press(struct port *p, struct error *err)
{
	bool blinks = (p->control & PCI_EXP_SLTCTL_PIC) ==
		      PCI_EXP_SLTCTL_PWR_IND_BLINK;
	uint16_t needed = PCI_EXP_SLTCTL_HPIE | PCI_EXP_SLTCTL_ABPE;

	if ((p->control & needed) != needed)
		return error_set(err, -EHOSTDOWN,
				 "the guest does not answer: it runs no operating system that can unplug devices");
	if (p->ejecting && (blinks || !has_power(p)))
		return 0;
	p->ejecting = true;
	if (is_released(p->control)) {
		let_go(p);
		return 0;
	}
	p->status |= PCI_EXP_SLTSTA_ABP;
	show(p);
	return 0;
}

int pcie_port_eject(struct machine *m, unsigned int bus, struct error *err)
{
	struct port *p = port_find(m, bus);
	int r;

	if (!p)
		return no_port(bus, err);
	pci_lock(p->pci.bus);
	r = pci_branch_used(p->below) ?
		    press(p, err) :
		    error_set(err, -ENODEV, "PCI bus %u is empty", bus);
	pci_unlock(p->pci.bus);
	return r;
}
