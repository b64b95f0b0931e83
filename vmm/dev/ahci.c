/*
 * vmm/dev/ahci.c -- a Serial ATA host controller (Serial ATA AHCI 1.3.1,
 * cited as "AHCI"; "SATA": Serial ATA Revision 3.2).
 *
 * Theory of operation.  vCPUs reach registers under hba->lock.  Setting bits
 * in PxCI wakes the controller's I/O thread, which takes commands from the
 * list in guest memory in the order of their slots, makes the physical region
 * table into a list of host addresses and hands both to the device (ata.c).
 * The device completes on the same thread; then the FIS is written to guest
 * memory and the port's registers follow it.
 *
 * A command that needs the link alone waits until queued ones are done, and
 * the other way round.  After an error a port takes no more commands until
 * software has cleared PxCMD.ST (6.2.2).  Where software stops or resets a
 * port with commands out, PxCMD.CR (or GHC.HR) stays 1 until they have ended:
 * software waits for that, so no request of before reaches memory after.
 *
 * Left out: port multipliers, command completion coalescing, enclosure
 * management, aggressive power states, hot plug.
 */
#include "vmm/dev/ahci.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/boot/bootorder.h"
#include "vmm/bus.h"
#include "vmm/dev/ata.h"
#include "vmm/dev/msi.h"
#include "vmm/dev/pci.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"
#include "vmm/state.h"
#include "vmm/virtio/iothread.h"

/* #syscalls:vmm eventfd2 read write */

enum {
	ABAR = 5,
	ABAR_SIZE = 4096,
	PORTS_AT = 0x100,
	PORT_STEP = 0x80,
	SLOTS = 32,
	HEADER_LEN = 32,	/* 4.2.2 */
	LIST_LEN = SLOTS * HEADER_LEN,
	TABLE_PACKET = 0x40,	/* 4.2.3: where ACMD and the PRDT are */
	TABLE_PRDT = 0x80,
	PRD_LEN = 16,
	FIS_AREA = 256,		/* 4.2.1 */
	FIS_PIO_SETUP = 0x20,
	FIS_REGISTERS = 0x40,
	FIS_DEVICE_BITS = 0x58,
	DATA_MAX = 65536 * BLOCK_SECTOR, /* what one command can move */
};

/* 3.1, generic host control */
enum { REG_CAP = 0x00, REG_GHC = 0x04, REG_IS = 0x08, REG_PI = 0x0c,
       REG_VS = 0x10 };
enum { GHC_HR = BIT(0), GHC_IE = BIT(1) };
#define GHC_AE BIT(31)
#define AHCI_VERSION 0x00010301

/* 3.3, a port */
enum { PORT_CLB = 0x00, PORT_CLBU = 0x04, PORT_FB = 0x08, PORT_FBU = 0x0c,
       PORT_IS = 0x10, PORT_IE = 0x14, PORT_CMD = 0x18, PORT_TFD = 0x20,
       PORT_SIG = 0x24, PORT_SSTS = 0x28, PORT_SCTL = 0x2c, PORT_SERR = 0x30,
       PORT_SACT = 0x34, PORT_CI = 0x38 };

enum { IS_DHRS = BIT(0), IS_PSS = BIT(1), IS_SDBS = BIT(3), IS_PCS = BIT(6),
       IS_HBFS = BIT(29), IS_TFES = BIT(30) };

enum { CMD_ST = BIT(0), CMD_SUD = BIT(1), CMD_POD = BIT(2), CMD_CLO = BIT(3),
       CMD_FRE = BIT(4), CMD_FR = BIT(14), CMD_CR = BIT(15),
       CMD_ATAPI = BIT(24), CMD_DLAE = BIT(25), CMD_ALPE = BIT(26),
       CMD_ASP = BIT(27) };
enum { CMD_WRITABLE = CMD_ST | CMD_FRE | CMD_ATAPI | CMD_DLAE | CMD_ALPE |
		      CMD_ASP };

enum { SERR_X = BIT(26) }; /* exchanged: a device appeared */
enum { SSTS_UP = 0x133 };  /* present, 6 Gb/s, active */
enum { TFD_NONE = 0x7f };
#define SIG_NONE 0xffffffffu

/* 4.2.2, the first word of a command header */
enum { HEADER_WRITE = BIT(6) };

struct port {
	struct hba *hba;
	unsigned int index;
	struct drive *drive; /* NULL: nothing is attached */
	struct ata_dev ata;

	uint64_t clb, fb;
	uint32_t is, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci;
	uint32_t running; /* slots whose command is out */
	bool alone;	  /* the one that is out is no queued one */
	bool stopping;	  /* what is out is dropped when it ends */
	bool halted;	  /* after an error, until ST is cleared */
	bool linking;	  /* the link comes up when nothing is out */
	bool srst;	  /* in the middle of a software reset */
	bool signature;	  /* to be sent when there is a place for it */
	unsigned int last; /* the slot that was taken last */
};

struct hba {
	struct pci_dev pci;
	struct machine *m;
	struct msi msi;
	struct iothread *thread;
	struct loop *loop;
	int kick_fd;

	pthread_mutex_t lock; /* the rest */
	pthread_cond_t idle;  /* nothing is out any more */
	bool paused, gone;
	uint32_t ghc, is, pi;
	struct port port[AHCI_PORTS_MAX];
};

struct slot {
	struct ata_cmd cmd;
	struct port *port;
	unsigned int index;
	struct iovec iov[];
};

/* ---- interrupts (10.7.2) ---- */

/* A message, or the wire where the driver wants no messages. */
static void set_line(struct hba *hba, bool raised)
{
	if (!raised || !msi_send(&hba->msi))
		pci_set_intx(&hba->pci, raised);
}

/* PCS is a view of the error register (3.3.5). */
static uint32_t port_is(const struct port *p)
{
	return p->is | (p->serr & SERR_X ? IS_PCS : 0);
}

/* A message goes out when a port's bit is set that was not. */
static void port_irq(struct port *p)
{
	struct hba *hba = p->hba;
	uint32_t before = hba->is;

	if (port_is(p) & p->ie)
		hba->is |= BIT(p->index);
	if (hba->is & ~before && (hba->ghc & GHC_IE))
		set_line(hba, true);
}

/* What is still pending after software cleared the summary is set anew. */
static void clear_summary(struct hba *hba, uint32_t bits)
{
	hba->is &= ~bits;
	if (!hba->is)
		set_line(hba, false);
	for (unsigned int i = 0; i < AHCI_PORTS_MAX; i++)
		port_irq(&hba->port[i]);
}

/* ---- what a device sends (SATA 10.5) ---- */

static uint8_t *fis_area(struct port *p, unsigned int at)
{
	uint8_t *area = ram_ptr(p->hba->m->ram, p->fb, FIS_AREA);

	return area && (p->cmd & CMD_FRE) ? area + at : NULL;
}

static void put_regs(uint8_t *f, uint8_t type, const struct ata_regs *r)
{
	f[0] = type;
	f[1] = 0x40; /* I: it interrupts */
	f[2] = r->status;
	f[3] = r->error;
	for (unsigned int i = 0; i < 3; i++) {
		f[4 + i] = r->lba >> 8 * i;
		f[8 + i] = r->lba >> (24 + 8 * i);
	}
	f[7] = r->device;
	f[12] = r->count;
	f[13] = r->count >> 8;
}

static void set_tfd(struct port *p, uint8_t status, uint8_t error)
{
	p->tfd = status | error << 8;
}

static void send_registers(struct port *p, const struct ata_regs *r)
{
	uint8_t fis[ATA_FIS_LEN] = { 0 };
	uint8_t *to = fis_area(p, FIS_REGISTERS);

	put_regs(fis, 0x34, r);
	if (to)
		memcpy(to, fis, sizeof(fis));
	set_tfd(p, r->status, r->error);
	p->is |= IS_DHRS;
}

/* SATA 10.5.11: for the data of one command, with its last status. */
static void send_pio_setup(struct port *p, const struct ata_regs *r, bool in,
			   uint64_t moved)
{
	uint8_t fis[ATA_FIS_LEN] = { 0 };
	uint8_t *to = fis_area(p, FIS_PIO_SETUP);

	put_regs(fis, 0x5f, r);
	fis[1] |= in ? 0x20 : 0;
	fis[2] = r->status | ATA_DRQ;
	fis[15] = r->status;
	fis[16] = moved;
	fis[17] = moved >> 8;
	if (to)
		memcpy(to, fis, sizeof(fis));
	set_tfd(p, r->status, r->error);
	p->is |= IS_PSS;
}

static void send_device_bits(struct port *p, const struct ata_regs *r,
			     uint32_t tags)
{
	uint8_t fis[8] = { 0xa1, 0x40, r->status & 0x77, r->error };
	uint8_t *to = fis_area(p, FIS_DEVICE_BITS);

	pci_set32(fis + 4, tags);
	if (to)
		memcpy(to, fis, sizeof(fis));
	/* 5.5.2: BSY and DRQ are not the device's to change here. */
	set_tfd(p, (p->tfd & 0x88) | (r->status & 0x77), r->error);
	p->sact &= ~tags;
	p->is |= IS_SDBS;
}

static void send_signature(struct port *p)
{
	struct ata_regs r;

	p->signature = true;
	if (!(p->cmd & CMD_FRE)) /* 5.3.2, P:NotRunning: it waits */
		return;
	p->signature = false;
	ata_signature(&p->ata, &r);
	p->sig = r.lba << 8 | r.count;
	send_registers(p, &r);
}

/* ---- stopping ---- */

static bool hba_idle(const struct hba *hba)
{
	for (unsigned int i = 0; i < AHCI_PORTS_MAX; i++)
		if (hba->port[i].running)
			return false;
	return true;
}

static void link_up(struct port *p)
{
	p->linking = false;
	if (!p->drive)
		return;
	ata_reset(&p->ata);
	p->ssts = SSTS_UP;
	p->serr |= SERR_X;
	p->srst = false;
	send_signature(p);
	port_irq(p);
}

/* 10.4.2 COMRESET: 1 in DET holds the link down. */
static void link_reset(struct port *p)
{
	p->stopping = p->running != 0;
	p->ssts = 0;
	p->sig = SIG_NONE;
	p->tfd = TFD_NONE;
	p->linking = false;
}

static void link_release(struct port *p)
{
	p->linking = true;
	if (!p->running)
		link_up(p);
}

static void port_reset(struct port *p)
{
	p->clb = p->fb = 0;
	p->is = p->ie = p->serr = p->sact = p->ci = p->sctl = 0;
	p->cmd = CMD_SUD | CMD_POD;
	p->tfd = TFD_NONE;
	p->sig = SIG_NONE;
	p->ssts = 0;
	p->last = SLOTS - 1;
	p->halted = p->stopping = p->srst = p->signature = false;
	link_up(p);
	p->serr = 0;
}

/* 10.4.3: everything but the addresses of PCI. */
static void hba_reset_now(struct hba *hba)
{
	hba->ghc = GHC_AE;
	hba->is = 0;
	set_line(hba, false);
	for (unsigned int i = 0; i < AHCI_PORTS_MAX; i++)
		port_reset(&hba->port[i]);
}

static void hba_reset(struct hba *hba)
{
	hba->ghc |= GHC_HR;
	for (unsigned int i = 0; i < AHCI_PORTS_MAX; i++)
		hba->port[i].stopping = hba->port[i].running != 0;
	if (hba_idle(hba))
		hba_reset_now(hba);
}

/* ST was cleared (10.3.1): the lists of commands are empty. */
static void port_stop(struct port *p)
{
	p->ci = p->sact = 0;
	p->halted = false;
	p->last = SLOTS - 1;
	if (p->running)
		p->stopping = true;
	else
		p->cmd &= ~CMD_CR;
}

/* The last command that software did not want any more has ended. */
static void port_stopped(struct port *p)
{
	struct hba *hba = p->hba;

	p->stopping = false;
	if (!(p->cmd & CMD_ST))
		p->cmd &= ~CMD_CR;
	if (p->linking)
		link_up(p);
	if ((hba->ghc & GHC_HR) && hba_idle(hba))
		hba_reset_now(hba);
}

/* ---- commands ---- */

static void fatal(struct port *p, uint32_t why)
{
	p->is |= why;
	p->halted = true;
}

static uint8_t *command_header(struct port *p, unsigned int slot)
{
	uint8_t *list = ram_ptr(p->hba->m->ram, p->clb, LIST_LEN);

	return list ? list + slot * HEADER_LEN : NULL;
}

/* 5.5.2 and 6.2.2: an error leaves the command in the list. */
static void complete(struct slot *s)
{
	struct port *p = s->port;
	struct ata_cmd *c = &s->cmd;
	uint8_t *header = command_header(p, s->index);

	if (c->protocol == ATA_QUEUED) {
		send_device_bits(p, &c->regs,
				 c->regs.error ? 0 : BIT(s->index));
	} else {
		if (header)
			pci_set32(header + 4, c->moved);
		if (c->protocol == ATA_PIO_IN && !c->regs.error)
			send_pio_setup(p, &c->regs, true, c->moved);
		else
			send_registers(p, &c->regs);
		if (!(c->regs.status & ATA_ERR))
			p->ci &= ~BIT(s->index);
	}
	if (c->regs.status & ATA_ERR)
		fatal(p, IS_TFES);
	port_irq(p);
}

static void slot_done(struct ata_cmd *c)
{
	struct slot *s = container_of(c, struct slot, cmd);
	struct port *p = s->port;
	struct hba *hba = p->hba;

	p->running &= ~BIT(s->index);
	p->alone = false;
	/* After an error, other queued commands are not heard of (5.5.2). */
	if (!p->stopping && !p->halted && !hba->gone)
		complete(s);
	else if (p->stopping && !p->running && !hba->gone)
		port_stopped(p);
	free(s);
	if (hba_idle(hba))
		pthread_cond_broadcast(&hba->idle);
	/* There may be commands that waited for this one. */
	if (p->ci && !hba->gone)
		eventfd_write(hba->kick_fd, 1);
}

/*
 * 4.2.3.3: regions of an even number of bytes; bit 31 of the last word asks
 * for an interrupt, which the command's own end makes superfluous.
 */
static bool map_regions(struct slot *s, const uint8_t *prdt, unsigned int n)
{
	struct ata_cmd *c = &s->cmd;

	for (unsigned int i = 0; i < n && c->iov_len < DATA_MAX; i++) {
		const uint8_t *prd = prdt + i * PRD_LEN;
		uint64_t gpa = pci_get32(prd) |
			       (uint64_t)pci_get32(prd + 4) << 32;
		uint32_t len = (pci_get32(prd + 12) & 0x3fffff) + 1;
		void *host = ram_ptr(s->port->hba->m->ram, gpa, len);

		if (!host || (gpa & 1) || (len & 1))
			return false;
		c->iov[c->n_iov++] = (struct iovec){ host, len };
		c->iov_len += len;
	}
	return true;
}

/* 10.4.1: SRST is set and then cleared, by two FISes without the C bit. */
static void software_reset(struct port *p, unsigned int slot, uint8_t control)
{
	p->ci &= ~BIT(slot);
	if (control & 0x04) {
		p->srst = true;
		return;
	}
	if (!p->srst)
		return;
	p->srst = false;
	ata_reset(&p->ata);
	send_signature(p);
	port_irq(p);
}

static struct slot *make_slot(struct port *p, unsigned int index,
			      unsigned int n_regions)
{
	struct slot *s =
		xcalloc(1, sizeof(*s) + n_regions * sizeof(s->iov[0]));

	s->port = p;
	s->index = index;
	s->cmd.dev = &p->ata;
	s->cmd.iov = s->iov;
	s->cmd.done = slot_done;
	return s;
}

static void start(struct slot *s, bool queued)
{
	struct port *p = s->port;

	p->running |= BIT(s->index);
	p->last = s->index;
	p->cmd = (p->cmd & ~(0x1fu << 8)) | s->index << 8; /* CCS */
	if (queued) {
		p->ci &= ~BIT(s->index); /* accepted (5.4.1) */
	} else {
		p->alone = true;
		set_tfd(p, ATA_DRDY | ATA_BSY, 0);
	}
	ata_run(&s->cmd);
}

/* A command's header, FIS and table are where software says. */
struct fetched {
	const uint8_t *table;
	uint32_t flags, n_regions;
	struct ata_regs regs;
	uint8_t fis[ATA_FIS_LEN];
};

static bool fetch(struct port *p, unsigned int slot, struct fetched *f)
{
	const uint8_t *header = command_header(p, slot);
	uint64_t table;

	if (!header)
		return false;
	f->flags = pci_get32(header);
	f->n_regions = f->flags >> 16;
	table = (pci_get32(header + 8) & ~0x7fu) |
		(uint64_t)pci_get32(header + 12) << 32;
	f->table = ram_ptr(p->hba->m->ram, table,
			   TABLE_PRDT + f->n_regions * PRD_LEN);
	if (!f->table)
		return false;
	memcpy(f->fis, f->table, sizeof(f->fis));
	ata_parse_fis(f->fis, &f->regs);
	return f->fis[0] == 0x27;
}

static void issue(struct port *p, unsigned int slot, const struct fetched *f,
		  bool queued)
{
	struct slot *s = make_slot(p, slot, f->n_regions);

	s->cmd.regs = f->regs;
	s->cmd.write = f->flags & HEADER_WRITE;
	memcpy(s->cmd.packet, f->table + TABLE_PACKET, ATA_PACKET_LEN);
	if (!map_regions(s, f->table + TABLE_PRDT, f->n_regions)) {
		free(s);
		fatal(p, IS_HBFS);
		port_irq(p);
		return;
	}
	start(s, queued);
}

/* 5.3.2: the slots in turn, from the one after the last. */
static int next_slot(const struct port *p)
{
	uint32_t waiting = p->ci & ~p->running;

	for (unsigned int i = 1; i <= SLOTS; i++) {
		unsigned int slot = (p->last + i) % SLOTS;

		if (waiting & BIT(slot))
			return slot;
	}
	return -1;
}

/* False: nothing more can be started now. */
static bool run_next(struct port *p)
{
	int slot = next_slot(p);
	struct fetched f;
	bool queued;

	if (slot < 0 || p->alone)
		return false;
	if (!fetch(p, slot, &f)) {
		fatal(p, IS_HBFS);
		port_irq(p);
		return false;
	}
	if (!(f.fis[1] & 0x80)) {
		software_reset(p, slot, f.fis[15]);
		return true;
	}
	queued = ata_is_queued(&p->ata, f.regs.command);
	if (!queued && p->running)
		return false;
	if (queued && ata_queued_tag(&f.regs) != (unsigned int)slot) {
		fatal(p, IS_HBFS);
		port_irq(p);
		return false;
	}
	issue(p, slot, &f, queued);
	return true;
}

static void run_port(struct port *p)
{
	unsigned int budget = SLOTS;

	if (!p->drive || (p->hba->ghc & GHC_HR))
		return;
	while (!p->hba->paused && (p->cmd & CMD_ST) && !p->halted &&
	       !p->stopping && p->ssts && budget-- && run_next(p))
		;
	if (drive_in_flight(p->drive))
		drive_kick(p->drive);
}

static void run_ports(struct hba *hba)
{
	for (unsigned int i = 0; i < AHCI_PORTS_MAX; i++)
		run_port(&hba->port[i]);
}

/* On the I/O thread. */
static void kicked(void *arg, uint32_t events)
{
	struct hba *hba = arg;
	uint64_t count;
	ssize_t n = read(hba->kick_fd, &count, sizeof(count));

	if (n < 0)
		return;
	pthread_mutex_lock(&hba->lock);
	run_ports(hba);
	pthread_mutex_unlock(&hba->lock);
}

/* ---- registers ---- */

static uint32_t capabilities(const struct hba *hba)
{
	/* S64A, NCQ, CLO, 6 Gb/s, AHCI only, PIO multiple DRQ, 32 slots. */
	return BIT(31) | BIT(30) | BIT(24) | 3 << 20 | BIT(18) | BIT(15) |
	       (SLOTS - 1) << 8 | (AHCI_PORTS_MAX - 1);
}

static uint32_t port_read(const struct port *p, unsigned int reg)
{
	switch (reg) {
	case PORT_CLB:
		return p->clb;
	case PORT_CLBU:
		return p->clb >> 32;
	case PORT_FB:
		return p->fb;
	case PORT_FBU:
		return p->fb >> 32;
	case PORT_IS:
		return port_is(p);
	case PORT_IE:
		return p->ie;
	case PORT_CMD:
		return p->cmd;
	case PORT_TFD:
		return p->tfd;
	case PORT_SIG:
		return p->sig;
	case PORT_SSTS:
		return p->ssts;
	case PORT_SCTL:
		return p->sctl;
	case PORT_SERR:
		return p->serr;
	case PORT_SACT:
		return p->sact;
	case PORT_CI:
		return p->ci;
	}
	return 0;
}

static uint32_t hba_read(const struct hba *hba, unsigned int reg)
{
	switch (reg) {
	case REG_CAP:
		return capabilities(hba);
	case REG_GHC:
		return hba->ghc;
	case REG_IS:
		return hba->is;
	case REG_PI:
		return hba->pi;
	case REG_VS:
		return AHCI_VERSION;
	}
	return 0;
}

/* A thread is born at the first command, inside the sandbox. */
static void port_start(struct port *p)
{
	if (iothread_start(p->hba->thread) < 0) {
		p->cmd &= ~CMD_ST;
		fatal(p, IS_HBFS);
		return;
	}
	p->cmd |= CMD_CR;
}

static void write_cmd(struct port *p, uint32_t v)
{
	uint32_t old = p->cmd;

	if (p->stopping && !(old & CMD_ST)) /* 10.3.1: while CR is still 1 */
		v &= ~CMD_ST;
	p->cmd = (old & ~CMD_WRITABLE) | (v & CMD_WRITABLE);
	if (v & CMD_CLO)
		p->tfd &= ~(ATA_BSY | ATA_DRQ);
	if (p->cmd & CMD_FRE)
		p->cmd |= CMD_FR;
	else
		p->cmd &= ~CMD_FR;
	if (p->signature && (p->cmd & CMD_FRE))
		send_signature(p);
	if (!(old & CMD_ST) && (v & CMD_ST))
		port_start(p);
	else if ((old & CMD_ST) && !(v & CMD_ST))
		port_stop(p);
}

static void write_sctl(struct port *p, uint32_t v)
{
	uint32_t old = p->sctl & 0xf;

	p->sctl = v & 0xfff;
	if ((v & 0xf) == 1 && old != 1)
		link_reset(p);
	else if ((v & 0xf) == 4)
		link_reset(p); /* offline */
	else if (!(v & 0xf) && old)
		link_release(p);
}

static void write_ci(struct port *p, uint32_t v)
{
	if (!(p->cmd & CMD_ST))
		return;
	p->ci |= v;
	eventfd_write(p->hba->kick_fd, 1);
}

static void set_low(uint64_t *reg, uint32_t v)
{
	*reg = (*reg & ~0xffffffffull) | v;
}

static void set_high(uint64_t *reg, uint32_t v)
{
	*reg = (uint32_t)*reg | (uint64_t)v << 32;
}

static void port_write(struct port *p, unsigned int reg, uint32_t v)
{
	switch (reg) {
	case PORT_CLB:
		set_low(&p->clb, v & ~(LIST_LEN - 1u));
		break;
	case PORT_CLBU:
		set_high(&p->clb, v);
		break;
	case PORT_FB:
		set_low(&p->fb, v & ~(FIS_AREA - 1u));
		break;
	case PORT_FBU:
		set_high(&p->fb, v);
		break;
	case PORT_IS:
		p->is &= ~v;
		break;
	case PORT_IE:
		p->ie = v & 0xfdc000ff;
		break;
	case PORT_CMD:
		write_cmd(p, v);
		break;
	case PORT_SCTL:
		write_sctl(p, v);
		break;
	case PORT_SERR:
		p->serr &= ~v;
		break;
	case PORT_SACT:
		if (p->cmd & CMD_ST)
			p->sact |= v;
		break;
	case PORT_CI:
		write_ci(p, v);
		break;
	}
	port_irq(p);
}

static void write_ghc(struct hba *hba, uint32_t v)
{
	if (hba->ghc & GHC_HR)
		return;
	if (v & GHC_HR) {
		hba_reset(hba);
		return;
	}
	hba->ghc = (v & GHC_IE) | GHC_AE;
	if ((v & GHC_IE) && hba->is)
		set_line(hba, true);
	else if (!(v & GHC_IE))
		set_line(hba, false);
}

/* Registers are 32 bits wide (3); narrower reads see their part. */
static uint64_t abar_read32(struct hba *hba, uint64_t offset)
{
	unsigned int port = (offset - PORTS_AT) / PORT_STEP;

	if (offset < PORTS_AT)
		return hba_read(hba, offset);
	if (port >= AHCI_PORTS_MAX)
		return 0;
	return port_read(&hba->port[port], (offset - PORTS_AT) % PORT_STEP);
}

static uint64_t abar_read(void *arg, uint64_t offset, unsigned int size)
{
	struct hba *hba = arg;
	uint64_t v;

	pthread_mutex_lock(&hba->lock);
	v = abar_read32(hba, offset & ~3ull) >> 8 * (offset & 3);
	if (size == 8)
		v |= abar_read32(hba, (offset & ~3ull) + 4) << 32;
	pthread_mutex_unlock(&hba->lock);
	return v;
}

static void abar_write32(struct hba *hba, uint64_t offset, uint32_t v)
{
	unsigned int port = (offset - PORTS_AT) / PORT_STEP;

	if (offset == REG_GHC)
		write_ghc(hba, v);
	else if (offset == REG_IS)
		clear_summary(hba, v);
	else if (offset >= PORTS_AT && port < AHCI_PORTS_MAX &&
		 hba->port[port].drive)
		port_write(&hba->port[port], (offset - PORTS_AT) % PORT_STEP,
			   v);
}

static void abar_write(void *arg, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	struct hba *hba = arg;

	if (size < 4 || (offset & 3))
		return;
	pthread_mutex_lock(&hba->lock);
	abar_write32(hba, offset, value);
	if (size == 8)
		abar_write32(hba, offset + 4, value >> 32);
	pthread_mutex_unlock(&hba->lock);
}

static const struct bus_ops abar_ops = { abar_read, abar_write };

/* ---- the machine ---- */

static void wait_idle(struct hba *hba)
{
	while (!hba_idle(hba))
		pthread_cond_wait(&hba->idle, &hba->lock);
}

static void ahci_pci_reset(struct pci_dev *pci)
{
	struct hba *hba = container_of(pci, struct hba, pci);

	pthread_mutex_lock(&hba->lock);
	hba_reset(hba);
	wait_idle(hba);
	pthread_mutex_unlock(&hba->lock);
}

static void ahci_config_written(struct pci_dev *pci, unsigned int reg,
				unsigned int size)
{
	struct hba *hba = container_of(pci, struct hba, pci);

	msi_config_written(&hba->msi, reg, size);
	pthread_mutex_lock(&hba->lock);
	pci_set_intx(pci, !hba->msi.enabled && (hba->ghc & GHC_IE) && hba->is);
	pthread_mutex_unlock(&hba->lock);
}

static void ahci_destroy(struct pci_dev *pci)
{
	struct hba *hba = container_of(pci, struct hba, pci);

	machine_remove_device(hba->m, hba);
	iothread_stop(hba->thread);
	hba->gone = true;
	for (unsigned int i = 0; i < AHCI_PORTS_MAX; i++)
		drive_destroy(hba->port[i].drive);
	if (hba->thread)
		loop_remove(hba->loop, hba->kick_fd);
	fd_close(hba->kick_fd);
	iothread_destroy(hba->thread);
	msi_finish(&hba->msi);
	pthread_cond_destroy(&hba->idle);
	pthread_mutex_destroy(&hba->lock);
	free(hba);
}

/* Commands that are not started yet stay in their list. */
static void ahci_pause(struct pci_dev *pci, bool paused)
{
	struct hba *hba = container_of(pci, struct hba, pci);

	pthread_mutex_lock(&hba->lock);
	hba->paused = paused;
	if (paused)
		wait_idle(hba);
	else
		eventfd_write(hba->kick_fd, 1);
	pthread_mutex_unlock(&hba->lock);
}

static const struct state_field port_fields[] = {
	STATE_STRUCT(struct port, ata, ata_fields),
	STATE(struct port, clb),
	STATE(struct port, fb),
	STATE(struct port, is),
	STATE(struct port, ie),
	STATE(struct port, cmd),
	STATE(struct port, tfd),
	STATE(struct port, sig),
	STATE(struct port, ssts),
	STATE(struct port, sctl),
	STATE(struct port, serr),
	STATE(struct port, sact),
	STATE(struct port, ci),
	STATE_BOOL(struct port, halted),
	STATE_BOOL(struct port, linking),
	STATE_BOOL(struct port, srst),
	STATE_BOOL(struct port, signature),
	STATE_MAX(struct port, last, SLOTS - 1),
	STATE_END,
};

static const struct state_field hba_fields[] = {
	STATE(struct hba, ghc),
	STATE(struct hba, is),
	STATE(struct hba, pi),
	STATE_STRUCTS(struct hba, port, port_fields),
	STATE_END,
};

static int hba_loaded(void *obj, unsigned int version, struct error *err)
{
	struct hba *hba = obj;
	uint32_t attached = 0;
	int r = 0;

	for (unsigned int i = 0; i < AHCI_PORTS_MAX; i++) {
		attached |= hba->port[i].drive ? BIT(i) : 0;
		if ((hba->port[i].cmd & CMD_ST) && r == 0)
			r = iothread_start(hba->thread);
	}
	if (hba->pi != attached)
		return error_set(err, -EINVAL,
				 "the saved state has other SATA drives");
	return r;
}

static const struct state_type hba_state = {
	.name = "ahci",
	.version = 1,
	.fields = hba_fields,
	.loaded = hba_loaded,
};

static void ahci_states(struct pci_dev *pci, const char *id,
			struct state_set *set)
{
	struct hba *hba = container_of(pci, struct hba, pci);

	msi_add_state(&hba->msi, id, set);
	state_add(set, &hba_state, id, hba);
}

static const struct pci_ops ahci_pci_ops = {
	.config_written = ahci_config_written,
	.reset = ahci_pci_reset,
	.pause = ahci_pause,
	.states = ahci_states,
	.destroy = ahci_destroy,
};

static void ahci_stats(void *arg, machine_stat_fn *emit, void *emit_arg)
{
	struct hba *hba = arg;

	for (unsigned int i = 0; i < AHCI_PORTS_MAX; i++)
		if (hba->port[i].drive)
			drive_stats(hba->port[i].drive, emit, emit_arg);
}

static void ahci_drives(void *arg, machine_drive_fn *fn, void *fn_arg)
{
	struct hba *hba = arg;

	for (unsigned int i = 0; i < AHCI_PORTS_MAX; i++)
		if (hba->port[i].drive)
			fn(fn_arg, hba->port[i].drive);
}

static int ahci_insert(void *arg, const char *id, const char *format, int fd,
		       bool force, struct error *err)
{
	struct hba *hba = arg;

	for (unsigned int i = 0; i < AHCI_PORTS_MAX; i++) {
		struct port *p = &hba->port[i];

		if (p->drive && p->ata.packet && str_eq(drive_id(p->drive), id))
			return scsi_insert(&p->ata.scsi, &hba->lock, format,
					   fd, force, err);
	}
	return -ENOENT;
}

static const struct machine_dev_ops ahci_machine_ops = {
	.name = "ahci",
	.insert = ahci_insert,
	.drives = ahci_drives,
	.stateless = true, /* its PCI function saves it */
	.stats = ahci_stats,
};

/* ---- making one ---- */

static void medium_changed(void *arg)
{
	struct port *p = arg;

	scsi_medium_changed(&p->ata.scsi);
}

static void tray_moved(struct scsi_dev *dev)
{
	struct port *p = dev->arg;

	machine_tell_tray(p->hba->m, drive_id(p->drive), dev->tray_open);
}

static int attach(struct hba *hba, const struct spec_disk *disk,
		  struct error *err)
{
	struct port *p;
	int r;

	if (disk->unit >= AHCI_PORTS_MAX || hba->port[disk->unit].drive)
		return error_set(err, -EINVAL,
				 "disk '%s': SATA has units 0 to %d, once each",
				 disk->id, AHCI_PORTS_MAX - 1);
	p = &hba->port[disk->unit];
	r = drive_create(disk, hba->loop, &hba->lock, &p->drive, err);
	if (r < 0)
		return r;
	ata_init(&p->ata, disk, p->drive);
	drive_set_ram(p->drive, hba->m->ram);
	p->ata.scsi.tray_moved = tray_moved;
	p->ata.scsi.arg = p;
	drive_on_change(p->drive, medium_changed, p);
	hba->pi |= BIT(disk->unit);
	return 0;
}

static int set_up(struct hba *hba, const struct spec_controller *spec,
		  struct error *err)
{
	int r = iothread_create(spec->id, &hba->thread, err);

	if (r < 0)
		return r;
	hba->loop = iothread_loop(hba->thread);
	hba->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (hba->kick_fd < 0)
		return error_set(err, -errno, "cannot create an eventfd: %m");
	r = loop_add(hba->loop, hba->kick_fd, EPOLLIN, kicked, hba);
	return r < 0 ? error_set(err, r, "cannot watch an eventfd: %m") : 0;
}

/* ICH9's 82801IR in AHCI mode: class 1, subclass 6, interface 1. */
static void set_up_pci(struct hba *hba)
{
	static const struct pci_id id = {
		.vendor = 0x8086,
		.device = 0x2922,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class_code = 0x010601,
		.revision = 2,
	};

	pci_dev_init(&hba->pci, &ahci_pci_ops, &id);
	hba->pci.config[PCI_INTERRUPT_PIN] = 1;
	msi_init(&hba->msi, &hba->pci);
	pci_set_bar(&hba->pci, ABAR, ABAR_SIZE, false, &abar_ops, hba);
}

int ahci_add(struct machine *m, const struct spec_controller *spec,
	     const struct spec_disk *const *disks, unsigned int n,
	     struct error *err)
{
	struct hba *hba = xcalloc(1, sizeof(*hba));
	int r;

	hba->m = m;
	hba->kick_fd = -1;
	pthread_mutex_init(&hba->lock, NULL);
	pthread_cond_init(&hba->idle, NULL);
	for (unsigned int i = 0; i < AHCI_PORTS_MAX; i++) {
		hba->port[i].hba = hba;
		hba->port[i].index = i;
	}
	set_up_pci(hba);
	r = set_up(hba, spec, err);
	for (unsigned int i = 0; i < n && r >= 0; i++)
		r = attach(hba, disks[i], err);
	hba_reset_now(hba);
	if (r >= 0)
		r = pci_plug(m->pci, &hba->pci, &spec->pci, err);
	if (r < 0) {
		ahci_destroy(&hba->pci);
		return error_prefix(err, "controller '%s'", spec->id), r;
	}
	for (unsigned int i = 0; i < n; i++)
		bootorder_add(m, disks[i]->boot_index, &hba->pci,
			      "pci8086,2922", "/drive@%x/disk@0",
			      disks[i]->unit);
	machine_add_device(m, &ahci_machine_ops, hba);
	return 0;
}
