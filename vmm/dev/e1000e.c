/*
 * vmm/dev/e1000e.c -- Intel's 82574L network controller on a tap: registers,
 * interrupts, PCI (82574 datasheet, sections 7.4, 9 and 10); e1000e_tx.c,
 * e1000e_rx.c and e1000e_phy.c have the rest.
 *
 * MSI-X, MSI and the interrupt wire; one queue each way.  Left out: a second
 * queue, interrupt throttling, time stamps, wake-up, management, flash, and
 * the I/O BAR.
 */
#include "vmm/dev/e1000e.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "vmm/boot/bootorder.h"
#include "vmm/bus.h"
#include "vmm/dev/e1000e_priv.h"
#include "vmm/dev/msix.h"
#include "vmm/dev/pci_rom.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"
#include "vmm/virtio/iothread.h"

/* #syscalls:vmm read write */

enum { REGS_BAR = 0, MSIX_BAR = 3, VECTORS = 5 };

/* Causes that are not a queue's (10.2.4.1): "other" to IVAR. */
enum { CAUSES_OTHER = ICR_LSC | ICR_RXO | 0x01039208 };

/* ---- interrupts (7.4) ---- */

struct cause {
	uint32_t bits;
	unsigned int ivar; /* where its four bits are */
};

static const struct cause causes[] = {
	{ ICR_RXQ0, 0 }, { ICR_TXQ0, 8 }, { CAUSES_OTHER | ICR_OTHER, 16 },
};

/* 10.2.4.8 and 10.2.2.5: a message acknowledges and masks by itself. */
static void acknowledge(struct e1000e *e, uint32_t bits)
{
	uint32_t ext = *e1000e_reg(e, REG_CTRL_EXT);
	uint32_t automatic = *e1000e_reg(e, REG_EIAC) & bits;

	*e1000e_reg(e, REG_ICR) &= ~automatic;
	if (!(ext & CTRL_EXT_IAME))
		*e1000e_reg(e, REG_IMS) &= ~automatic;
	if (ext & CTRL_EXT_EIAME)
		*e1000e_reg(e, REG_IMS) &= ~(*e1000e_reg(e, REG_IAM) & bits);
}

static void send_messages(struct e1000e *e, uint32_t fresh)
{
	uint32_t ivar = *e1000e_reg(e, REG_IVAR);

	for (size_t i = 0; i < ARRAY_SIZE(causes); i++) {
		uint32_t bits = causes[i].bits & fresh;
		unsigned int entry = ivar >> causes[i].ivar & 15;

		if (!(bits & *e1000e_reg(e, REG_ICR) &
		      *e1000e_reg(e, REG_IMS)) ||
		    !(entry & 8))
			continue;
		acknowledge(e, bits);
		msix_notify(e->msix, entry & 7);
	}
}

/* Level on the wire; a message when it rises. */
static void update_wire(struct e1000e *e)
{
	bool on = *e1000e_reg(e, REG_ICR) & *e1000e_reg(e, REG_IMS);

	if (on == e->asserted)
		return;
	e->asserted = on;
	if (!on || !msi_send(&e->msi))
		pci_set_intx(&e->pci, on);
}

/* fresh: causes that are new, or that were let through just now. */
static void update(struct e1000e *e, uint32_t fresh)
{
	if (msix_enabled(e->msix))
		send_messages(e, fresh);
	else
		update_wire(e);
}

void e1000e_raise(struct e1000e *e, uint32_t bits)
{
	if (bits & CAUSES_OTHER)
		bits |= ICR_OTHER;
	*e1000e_reg(e, REG_ICR) |= bits;
	update(e, bits);
}

/* 10.2.4.1: read to clear, unless some are enabled and none of them is set. */
static uint32_t read_icr(struct e1000e *e)
{
	uint32_t icr = *e1000e_reg(e, REG_ICR), ims = *e1000e_reg(e, REG_IMS);
	bool asserted = icr & ims;

	if (*e1000e_reg(e, REG_CTRL_EXT) & CTRL_EXT_IAME)
		*e1000e_reg(e, REG_IMS) &= ~*e1000e_reg(e, REG_IAM);
	if (!ims || asserted || msix_enabled(e->msix))
		*e1000e_reg(e, REG_ICR) = 0;
	update(e, 0);
	return asserted ? icr | BIT(31) : icr;
}

/* ---- the thread ---- */

static void listen_to_tap(struct e1000e *e, bool yes)
{
	uint32_t events = yes ? EPOLLIN : 0;

	if (e->gone || e->events == events)
		return;
	e->events = events;
	loop_mod(iothread_loop(e->thread), e->tap, events);
}

static void tap_ready(void *arg, uint32_t events)
{
	struct e1000e *e = arg;

	pthread_mutex_lock(&e->lock);
	if (events & (EPOLLERR | EPOLLHUP)) {
		loop_remove(iothread_loop(e->thread), e->tap);
		e->gone = true;
	} else {
		listen_to_tap(e, !e->paused && e1000e_receive(e));
	}
	pthread_mutex_unlock(&e->lock);
}

static void kicked(void *arg, uint32_t events)
{
	struct e1000e *e = arg;
	uint64_t count;

	if (read(e->kick_fd, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&e->lock);
	if (!e->paused) {
		e1000e_transmit(e);
		listen_to_tap(e, e1000e_receive(e));
	}
	pthread_mutex_unlock(&e->lock);
}

/* It is born inside the sandbox, when there is something to do. */
static void kick(struct e1000e *e)
{
	uint64_t one = 1;

	if (iothread_start(e->thread) < 0 ||
	    write(e->kick_fd, &one, sizeof(one)) < 0)
		e->tx.drops++;
}

/* ---- registers ---- */

/* 4.6.1 and 10.2: what a reset leaves. */
static void reset_regs(struct e1000e *e)
{
	static const struct {
		uint32_t at, value;
	} defaults[] = {
		{ REG_CTRL, 0x00000201 },     { REG_STATUS, 0x00080281 },
		{ REG_EECD, 0x00000300 },     { REG_CTRL_EXT, 0x00000000 },
		{ REG_VET, 0x00008100 },      { REG_PBA, 0x00140014 },
		{ REG_PSRCTL, 0x00040402 },
	};

	memset(e->reg, 0, sizeof(e->reg));
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		*e1000e_reg(e, defaults[i].at) = defaults[i].value;
	memcpy(e1000e_reg(e, REG_RAL), e->mac, 6);
	*e1000e_reg(e, REG_RAL + 4) |= BIT(31);
	e->context = (struct e1000e_context){ 0 };
	e->tx_len = 0;
	e->tx_options = 0;
	e->tx_segment = e->tx_tag = e->tx_too_long = false;
	e->rx_len = 0;
	e1000e_phy_link(e);
	update(e, 0);
}

/* 10.2.2.1 */
static void write_ctrl(struct e1000e *e, uint32_t value)
{
	if (value & CTRL_RST) {
		reset_regs(e);
		return;
	}
	*e1000e_reg(e, REG_CTRL) = value & ~BIT(31); /* the PHY's reset */
	if (value & BIT(31))
		e1000e_phy_reset(e);
	*e1000e_reg(e, REG_STATUS) &= ~STATUS_MASTER;
	if (!(value & CTRL_MASTER_DISABLE))
		*e1000e_reg(e, REG_STATUS) |= STATUS_MASTER;
}

static bool is_stat(uint64_t at)
{
	return at >= REG_STATS && at < REG_STATS_END;
}

static void write_reg(struct e1000e *e, uint64_t at, uint32_t value)
{
	switch (at) {
	case REG_CTRL:
		write_ctrl(e, value);
		return;
	case REG_STATUS:
	case REG_EECD:
		return; /* read only, as far as it goes */
	case REG_EERD:
		value = e1000e_eerd(e, value);
		break;
	case REG_MDIC:
		value = e1000e_mdic(e, value);
		break;
	case REG_ICR:
		*e1000e_reg(e, REG_ICR) &= ~value;
		update(e, 0);
		return;
	case REG_ICS:
		e1000e_raise(e, value & ~BIT(31));
		return;
	case REG_IMS:
		*e1000e_reg(e, REG_IMS) |= value & ~BIT(31);
		update(e, value);
		return;
	case REG_IMC:
		*e1000e_reg(e, REG_IMS) &= ~value;
		update(e, 0);
		return;
	case REG_RDLEN:
	case REG_TDLEN:
		value &= 0xfff80; /* 128 bytes at least, below 1 MiB */
		break;
	case REG_RDH:
	case REG_RDT:
	case REG_TDH:
	case REG_TDT:
		value &= 0xffff;
		break;
	}
	if (!is_stat(at))
		*e1000e_reg(e, at) = value;
	if (at == REG_TDT || at == REG_RDT || at == REG_RCTL || at == REG_TCTL)
		kick(e);
}

static uint32_t read_reg(struct e1000e *e, uint64_t at)
{
	uint32_t value = *e1000e_reg(e, at);

	if (at == REG_ICR)
		return read_icr(e);
	if (at == REG_ICS || at == REG_IMC)
		return 0;
	if (is_stat(at))
		*e1000e_reg(e, at) = 0;
	return value;
}

/* 10.1: double words. */
static uint64_t regs_read(void *arg, uint64_t offset, unsigned int size)
{
	struct e1000e *e = arg;
	uint32_t value = 0;

	pthread_mutex_lock(&e->lock);
	if (offset < REGS_END)
		value = read_reg(e, offset & ~3ull);
	pthread_mutex_unlock(&e->lock);
	return value >> 8 * (offset & 3);
}

static void regs_write(void *arg, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	struct e1000e *e = arg;

	if (offset >= REGS_END || (offset & 3) || size < 4)
		return;
	pthread_mutex_lock(&e->lock);
	write_reg(e, offset, value);
	if (size == 8 && offset + 4 < REGS_END)
		write_reg(e, offset + 4, value >> 32);
	pthread_mutex_unlock(&e->lock);
}

static const struct bus_ops regs_ops = { regs_read, regs_write };

/* ---- PCI ---- */

static struct e1000e *from_pci(struct pci_dev *pci)
{
	return container_of(pci, struct e1000e, pci);
}

static void config_written(struct pci_dev *pci, unsigned int reg,
			   unsigned int size)
{
	msix_config_written(from_pci(pci)->msix, reg, size);
	msi_config_written(&from_pci(pci)->msi, reg, size);
}

static void reset(struct pci_dev *pci)
{
	struct e1000e *e = from_pci(pci);

	pthread_mutex_lock(&e->lock);
	reset_regs(e);
	e1000e_phy_reset(e);
	pthread_mutex_unlock(&e->lock);
	msix_reset(e->msix);
}

/* Frames move with the lock held: nothing is in flight without it. */
static void pause_it(struct pci_dev *pci, bool paused)
{
	struct e1000e *e = from_pci(pci);

	pthread_mutex_lock(&e->lock);
	e->paused = paused;
	if (!paused && (*e1000e_reg(e, REG_RCTL) & RCTL_EN))
		kick(e);
	pthread_mutex_unlock(&e->lock);
}

static const struct state_field context_fields[] = {
	STATE(struct e1000e_context, ip_start),
	STATE(struct e1000e_context, ip_offset),
	STATE(struct e1000e_context, tcp_start),
	STATE(struct e1000e_context, tcp_offset),
	STATE(struct e1000e_context, header_len),
	STATE(struct e1000e_context, ip_end),
	STATE(struct e1000e_context, tcp_end),
	STATE(struct e1000e_context, mss),
	STATE_MAX(struct e1000e_context, ip, 1),
	STATE_MAX(struct e1000e_context, tcp, 1),
	STATE_END,
};

/* A frame that was not complete begins anew: its parts are in memory, but
 * the driver gave them away.  It is as if the wire had lost it. */
static const struct state_field fields[] = {
	STATE_BOOL(struct e1000e, asserted),
	STATE_INTS(struct e1000e, reg),
	STATE_INTS(struct e1000e, phy),
	STATE_STRUCT(struct e1000e, context, context_fields),
	STATE_END,
};

static void restored(void *obj)
{
	struct e1000e *e = obj;

	pthread_mutex_lock(&e->lock);
	e1000e_phy_link(e);
	pthread_mutex_unlock(&e->lock);
}

static const struct state_type state = {
	.name = "e1000e",
	.version = 1,
	.fields = fields,
	.restored = restored,
};

static void states(struct pci_dev *pci, const char *id, struct state_set *set)
{
	struct e1000e *e = from_pci(pci);

	msix_add_state(e->msix, id, set);
	msi_add_state(&e->msi, id, set);
	state_add(set, &state, id, e);
}

static void destroy(struct pci_dev *pci)
{
	struct e1000e *e = from_pci(pci);

	machine_remove_device(e->m, e);
	iothread_stop(e->thread);
	if (e->thread && e->tap >= 0 && !e->gone)
		loop_remove(iothread_loop(e->thread), e->tap);
	if (e->thread && e->kick_fd >= 0)
		loop_remove(iothread_loop(e->thread), e->kick_fd);
	iothread_destroy(e->thread);
	fd_close(e->kick_fd);
	msix_destroy(e->msix);
	msi_finish(&e->msi);
	pthread_mutex_destroy(&e->lock);
	free(e->id);
	free(e);
}

static const struct pci_ops pci_ops = {
	.config_written = config_written,
	.reset = reset,
	.pause = pause_it,
	.states = states,
	.destroy = destroy,
};

/* ---- outside ---- */

static void stats(void *arg, machine_stat_fn *emit, void *emit_arg)
{
	struct e1000e *e = arg;
	struct e1000e_counter rx, tx;

	pthread_mutex_lock(&e->lock);
	rx = e->rx;
	tx = e->tx;
	pthread_mutex_unlock(&e->lock);
	emit(emit_arg, "nics", e->id, "rx_bytes", rx.bytes);
	emit(emit_arg, "nics", e->id, "rx_packets", rx.packets);
	emit(emit_arg, "nics", e->id, "rx_drop", rx.drops);
	emit(emit_arg, "nics", e->id, "tx_bytes", tx.bytes);
	emit(emit_arg, "nics", e->id, "tx_packets", tx.packets);
	emit(emit_arg, "nics", e->id, "tx_drop", tx.drops);
}

static int set_link(void *arg, const char *id, bool up)
{
	struct e1000e *e = arg;

	if (!str_eq(id, e->id))
		return -ENOENT;
	pthread_mutex_lock(&e->lock);
	e->link_down = !up;
	e1000e_phy_link(e);
	e1000e_raise(e, ICR_LSC);
	pthread_mutex_unlock(&e->lock);
	return 0;
}

static const struct machine_dev_ops machine_ops = {
	.name = "e1000e",
	.stateless = true, /* its PCI function saves it */
	.stats = stats,
	.set_link = set_link,
};

static int attach(struct e1000e *e, int tap, struct error *err)
{
	int r = tap_attach(tap, err);

	if (r == 0)
		r = iothread_create(e->id, &e->thread, err);
	if (r < 0) {
		error_prefix(err, "network card '%s'", e->id);
		return r;
	}
	e->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = e->kick_fd < 0 ? -errno :
			     loop_add(iothread_loop(e->thread), e->kick_fd,
				      EPOLLIN, kicked, e);
	if (r == 0)
		r = loop_add(iothread_loop(e->thread), tap, 0, tap_ready, e);
	if (r < 0)
		return error_set(err, r, "network card '%s': %m", e->id);
	e->tap = tap;
	return 0;
}

static int plug(struct e1000e *e, const struct spec_nic *spec,
		struct error *err)
{
	int r = 0;

	e->pci.config[PCI_INTERRUPT_PIN] = 1;
	pci_set_bar(&e->pci, REGS_BAR, REGS_BAR_SIZE, false, &regs_ops, e);
	if (spec->rom_fd >= 0)
		r = pci_load_rom(&e->pci, spec->rom_fd, err);
	if (r == 0)
		r = pci_plug(e->m->pci, &e->pci, &spec->pci, err);
	return r;
}

int e1000e_add(struct machine *m, const struct spec_nic *spec,
	       struct error *err)
{
	static const struct pci_id id = {
		.vendor = 0x8086, .device = 0x10d3,
		.subsystem_vendor = 0x8086, .subsystem = 0x0000,
		.class_code = 0x020000,
	};
	struct e1000e *e = xcalloc(1, sizeof(*e));
	int r;

	e->m = m;
	e->id = xstrdup(spec->id);
	e->tap = e->kick_fd = -1;
	e->link_down = spec->link_down;
	memcpy(e->mac, spec->mac, sizeof(e->mac));
	pthread_mutex_init(&e->lock, NULL);
	pci_dev_init(&e->pci, &pci_ops, &id);
	e->msix = msix_create(&e->pci, MSIX_BAR, VECTORS);
	msi_init(&e->msi, &e->pci);
	e1000e_phy_reset(e);
	r = attach(e, spec->fd, err);
	if (r == 0)
		r = plug(e, spec, err);
	if (r < 0) {
		pci_rom_destroy(&e->pci);
		destroy(&e->pci);
		return r;
	}
	reset_regs(e);
	bootorder_add(m, spec->boot_index, &e->pci, "ethernet",
		      "/ethernet-phy@0");
	machine_add_device(m, &machine_ops, e);
	return 0;
}
