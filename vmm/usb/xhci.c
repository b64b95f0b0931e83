/*
 * vmm/usb/xhci.c -- a USB host controller (xHCI: eXtensible Host Controller
 * Interface for Universal Serial Bus 1.2), 1b36:000d on PCI.
 *
 * Theory of operation.  The driver queues transfer request blocks (TRBs) on
 * rings in its memory and rings doorbells; everything is then done at once on
 * the vCPU's thread.  An endpoint that has nothing to say leaves its ring as
 * it is, and usb_wake() looks at it again.  Each TRB is copied before it is
 * looked at, a pass over a ring has an end, and what a driver does wrong gets
 * a completion code or is ignored.
 *
 * What runs rings and commands is here, the registers are in xhci_regs.c.
 *
 * Eight ports of USB 2, which devices are on and come to and go from
 * (xhci_plug.c), and as many of USB 3, which nothing is on.  Left out:
 * streams, isochronous transfers, hubs, bandwidth, suspended ports, more than
 * one interrupter or event ring segment.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/dev/msix.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/state.h"
#include "vmm/usb/xhci_priv.h"

enum { BAR_REGS = 0, BAR_MSIX = 2, REGS_SIZE = 0x4000 };

/* 6.4.6 */
enum trb_type {
	TRB_NORMAL = 1, TRB_SETUP, TRB_DATA, TRB_STATUS, TRB_ISOCH, TRB_LINK,
	TRB_EVENT_DATA, TRB_NOOP, TRB_ENABLE_SLOT, TRB_DISABLE_SLOT,
	TRB_ADDRESS, TRB_CONFIGURE, TRB_EVALUATE, TRB_RESET_EP, TRB_STOP_EP,
	TRB_SET_DEQUEUE, TRB_RESET_DEVICE, TRB_CMD_NOOP = 23,
	TRB_TRANSFER_EVENT = 32, TRB_COMMAND_EVENT, TRB_PORT_EVENT,
};
/* 6.4.5 */
enum code { CC_SUCCESS = 1, CC_TRB = 5, CC_STALL = 6, CC_NO_SLOTS = 9,
	    CC_SLOT_OFF = 11, CC_EP_OFF = 12, CC_SHORT = 13, CC_PARAMETER = 17,
	    CC_CONTEXT = 19, CC_TRANSACTION = 4 };
enum { C_CYCLE = 1, C_TOGGLE = 2, C_ISP = 4, C_CHAIN = 16, C_IOC = 32,
       C_IMMEDIATE = 64, C_DIR_IN = 1 << 16, C_BSR = 1 << 9, C_DC = 1 << 9 };
/* 6.2.3 and 6.2.2 */
enum ep_state { EP_DISABLED, EP_RUNNING, EP_HALTED, EP_STOPPED };
enum { SLOT_DEFAULT = 1, SLOT_ADDRESSED = 2, SLOT_CONFIGURED = 3 };
enum { EP_TYPE_BULK_OUT = 2, EP_TYPE_CONTROL = 4, EP_TYPE_BULK_IN = 6,
       EP_TYPE_INTR_IN = 7 };
enum { CONTEXT = 32, TD_TRBS = 256, TD_MAX = 8 << 20, PASS_TRBS = 512, COMMANDS = 256 };

struct trb {
	uint64_t param;
	uint32_t status, control;
};

static unsigned int trb_type(const struct trb *t)
{
	return t->control >> 10 & 0x3f;
}

static bool read_mem(struct xhci *x, uint64_t gpa, void *to, size_t len)
{
	return ram_read(x->m->ram, gpa, to, len) == 0;
}

static bool write_mem(struct xhci *x, uint64_t gpa, const void *from,
		      size_t len)
{
	return ram_write(x->m->ram, gpa, from, len) == 0;
}

/* ---- events (4.9.4, 4.17) ---- */

/* The interrupt is pending and wanted. */
void xhci_update_intx(struct xhci *x)
{
	pci_set_intx(&x->pci, !msix_enabled(x->msix) &&
				      (x->iman & IMAN_IP) &&
				      (x->iman & IMAN_IE) &&
				      (x->usbcmd & CMD_INTE));
}

static void interrupt(struct xhci *x)
{
	x->usbsts |= STS_EINT;
	x->iman |= IMAN_IP;
	x->erdp |= ERDP_BUSY;
	if (!(x->iman & IMAN_IE) || !(x->usbcmd & CMD_INTE))
		return;
	if (msix_enabled(x->msix)) {
		x->iman &= ~IMAN_IP; /* 4.17.5: a message clears it */
		msix_notify(x->msix, 0);
	}
	xhci_update_intx(x);
}

/* 6.5: the table's one entry. */
static bool load_segment(struct xhci *x)
{
	struct {
		uint64_t base;
		uint32_t size, reserved;
	} entry;

	if (x->erst_valid)
		return true;
	if (!x->erstsz || !read_mem(x, x->erstba, &entry, sizeof(entry)))
		return false;
	x->event_base = entry.base & ~0x3full;
	x->event_size = entry.size & 0xffff;
	if (x->event_size < 16 || x->event_size > 4096)
		return false;
	x->event_next = 0;
	x->event_cycle = true;
	x->erst_valid = true;
	return true;
}

/* A ring that the driver does not empty loses what comes next. */
static void post(struct xhci *x, struct trb *t)
{
	uint64_t at, deq;

	if (!(x->usbcmd & CMD_RUN) || !load_segment(x))
		return;
	deq = ((x->erdp & ~0xfull) - x->event_base) / sizeof(*t);
	if ((x->event_next + 1) % x->event_size == deq)
		return;
	t->control |= x->event_cycle;
	at = x->event_base + x->event_next * sizeof(*t);
	/* The cycle bit is what the driver waits for: last. */
	if (!write_mem(x, at, t, 12))
		return;
	__atomic_thread_fence(__ATOMIC_RELEASE);
	write_mem(x, at + 12, &t->control, 4);
	if (++x->event_next == x->event_size) {
		x->event_next = 0;
		x->event_cycle = !x->event_cycle;
	}
	interrupt(x);
}

static void post_transfer(struct xhci *x, unsigned int slot, unsigned int ep,
			  uint64_t trb, uint32_t residue, enum code code)
{
	struct trb t = {
		.param = trb,
		.status = (residue & 0xffffff) | (uint32_t)code << 24,
		.control = TRB_TRANSFER_EVENT << 10 | ep << 16 | slot << 24,
	};

	post(x, &t);
}

static void post_command(struct xhci *x, uint64_t trb, unsigned int slot,
			 enum code code)
{
	struct trb t = {
		.param = trb,
		.status = (uint32_t)code << 24,
		.control = TRB_COMMAND_EVENT << 10 | slot << 24,
	};

	post(x, &t);
}

void xhci_post_port(struct xhci *x, unsigned int port)
{
	struct trb t = {
		.param = (uint64_t)port << 24,
		.status = (uint32_t)CC_SUCCESS << 24,
		.control = TRB_PORT_EVENT << 10,
	};

	if (!(x->usbcmd & CMD_RUN))
		return; /* told when it starts */
	x->usbsts |= STS_PCD;
	post(x, &t);
}

/* ---- rings (4.9.2) ---- */

/* The next TRB that the driver has given us, links followed. */
static bool ring_next(struct xhci *x, struct ring *r, struct trb *ret_t,
		      uint64_t *ret_at)
{
	for (unsigned int links = 0; links < 4; links++) {
		if (!read_mem(x, r->dequeue, ret_t, sizeof(*ret_t)) ||
		    (ret_t->control & C_CYCLE) != r->cycle)
			return false;
		*ret_at = r->dequeue;
		if (trb_type(ret_t) != TRB_LINK) {
			r->dequeue += sizeof(*ret_t);
			return true;
		}
		r->dequeue = ret_t->param & ~0xfull;
		if (ret_t->control & C_TOGGLE)
			r->cycle = !r->cycle;
	}
	return false;
}

/* ---- contexts (6.2) ---- */

static uint64_t ep_context(const struct slot *s, unsigned int ep)
{
	return s->context + CONTEXT * ep;
}

/* The state and the dequeue pointer are ours to tell. */
static void store_ep(struct xhci *x, struct slot *s, unsigned int n)
{
	struct ep *ep = &s->ep[n];
	uint64_t deq = ep->ring.dequeue | ep->ring.cycle;
	uint32_t dw0;

	if (!s->context || !read_mem(x, ep_context(s, n), &dw0, 4))
		return;
	dw0 = (dw0 & ~7u) | ep->state;
	write_mem(x, ep_context(s, n), &dw0, 4);
	write_mem(x, ep_context(s, n) + 8, &deq, 8);
}

static void drop_ep(struct ep *ep)
{
	free(ep->data);
	*ep = (struct ep){ .answer = -1 };
}

void xhci_drop_slot(struct slot *s)
{
	for (unsigned int i = 0; i < EPS; i++)
		drop_ep(&s->ep[i]);
	s->enabled = false;
	s->context = 0;
	s->port = 0;
}

/* Copies an endpoint's context from the input to the device's, and starts. */
static bool setup_ep(struct xhci *x, struct slot *s, unsigned int n,
		     uint64_t input)
{
	struct ep *ep = &s->ep[n];
	uint32_t dw[8];
	uint64_t deq;

	if (!read_mem(x, input + CONTEXT * (n + 1), dw, sizeof(dw)))
		return false;
	dw[0] = (dw[0] & ~7u) | EP_RUNNING;
	if (!write_mem(x, ep_context(s, n), dw, sizeof(dw)))
		return false;
	drop_ep(ep);
	deq = dw[2] | (uint64_t)dw[3] << 32;
	ep->state = EP_RUNNING;
	ep->type = dw[1] >> 3 & 7;
	ep->ring.dequeue = deq & ~0xfull;
	ep->ring.cycle = deq & 1;
	return true;
}

/* dword 3, bits 31-27: state; dword 0, the same: last context. */
static void set_slot_state(struct xhci *x, struct slot *s, uint32_t state,
			   uint32_t address)
{
	uint32_t dw3 = state << 27 | address;

	write_mem(x, s->context + 12, &dw3, 4);
}

/* ---- transfers ---- */

static struct usb_dev *slot_dev(struct xhci *x, const struct slot *s)
{
	return s->port <= PORTS_2 ? x->devs[s->port] : NULL;
}

static unsigned int slot_number(const struct xhci *x, const struct slot *s)
{
	return s - x->slot;
}

static void halt_ep(struct xhci *x, struct slot *s, unsigned int n,
		    uint64_t trb, uint32_t residue, enum code code)
{
	s->ep[n].state = EP_HALTED;
	s->ep[n].answer = -1;
	store_ep(x, s, n);
	post_transfer(x, slot_number(x, s), n, trb, residue, code);
}

static void take_setup(struct ep *ep, const struct trb *t)
{
	ep->setup = (struct usb_setup){
		.request_type = t->param,
		.request = t->param >> 8,
		.value = t->param >> 16,
		.index = t->param >> 32,
		.length = MIN(t->param >> 48, (uint64_t)USB_CONTROL_MAX),
	};
	ep->answer = -1;
	ep->done = 0;
	if (!ep->data)
		ep->data = xcalloc(1, USB_CONTROL_MAX);
}

/* Asks the device once a transfer. */
static int control_answer(struct usb_dev *dev, struct ep *ep)
{
	if (ep->answer < 0)
		ep->answer = dev ? dev->ops->control(dev, &ep->setup,
						     ep->data) :
				   USB_STALL;
	return ep->answer;
}

/* 4.11.2.2: a stretch of the data stage. */
static bool control_data(struct xhci *x, struct slot *s, const struct trb *t,
			 uint64_t at)
{
	struct ep *ep = &s->ep[1];
	uint32_t len = t->status & 0x1ffff, there, n;
	bool in = ep->setup.request_type & 0x80;

	if (!ep->data)
		return true; /* no setup came first */
	if (in && control_answer(slot_dev(x, s), ep) < 0) {
		halt_ep(x, s, 1, at, len, CC_STALL);
		return false;
	}
	/* Asked anew, another device on the port may have less to say. */
	there = in ? (uint32_t)ep->answer : USB_CONTROL_MAX;
	n = MIN(len, there - MIN(there, ep->done));
	if (in ? !write_mem(x, t->param, ep->data + ep->done, n) :
		 !read_mem(x, t->param, ep->data + ep->done, n)) {
		halt_ep(x, s, 1, at, len, CC_TRANSACTION);
		return false;
	}
	ep->done += n;
	if ((n < len && (t->control & C_ISP)) || (t->control & C_IOC))
		post_transfer(x, slot_number(x, s), 1, at, len - n,
			      n < len ? CC_SHORT : CC_SUCCESS);
	return true;
}

static bool control_status(struct xhci *x, struct slot *s,
			   const struct trb *t, uint64_t at)
{
	struct ep *ep = &s->ep[1];

	if (!ep->data)
		return true;
	if (control_answer(slot_dev(x, s), ep) < 0) {
		halt_ep(x, s, 1, at, 0, CC_STALL);
		return false;
	}
	ep->answer = -1;
	if (t->control & C_IOC)
		post_transfer(x, slot_number(x, s), 1, at, 0, CC_SUCCESS);
	return true;
}

static void run_control(struct xhci *x, struct slot *s)
{
	struct ep *ep = &s->ep[1];
	struct trb t;
	uint64_t at;

	for (unsigned int i = 0; i < PASS_TRBS && ep->state == EP_RUNNING;
	     i++) {
		if (!ring_next(x, &ep->ring, &t, &at))
			break;
		if (trb_type(&t) == TRB_SETUP)
			take_setup(ep, &t);
		else if (trb_type(&t) == TRB_DATA || trb_type(&t) == TRB_NORMAL)
			control_data(x, s, &t, at);
		else if (trb_type(&t) == TRB_STATUS)
			control_status(x, s, &t, at);
		else if (t.control & C_IOC)
			post_transfer(x, slot_number(x, s), 1, at, 0,
				      CC_SUCCESS);
	}
	if (ep->state == EP_RUNNING)
		store_ep(x, s, 1);
}

/* A transfer descriptor: TRBs that are chained (3.2.8). */
struct td {
	unsigned int n;
	struct trb trb[TD_TRBS];
	uint64_t at[TD_TRBS];
	uint32_t len; /* of all of its data */
};

static bool has_data(const struct trb *t)
{
	return trb_type(t) == TRB_NORMAL;
}

/* The ring moves on only if all of it is there. */
static bool td_next(struct xhci *x, struct ring *r, struct td *td)
{
	td->n = td->len = 0;
	do {
		struct trb *t = &td->trb[td->n];

		if (!ring_next(x, r, t, &td->at[td->n]))
			return false;
		if (has_data(t))
			td->len += t->status & 0x1ffff;
		td->n++;
	} while ((td->trb[td->n - 1].control & C_CHAIN) && td->n < TD_TRBS);
	return true;
}

/*
 * 6.4.1.1: up to eight bytes may be in the TRB itself; one that says it has
 * more fails, as all of data must come from the driver.
 */
static bool gather(struct xhci *x, const struct td *td, uint8_t *data)
{
	for (unsigned int i = 0; i < td->n; i++) {
		const struct trb *t = &td->trb[i];
		uint32_t len = t->status & 0x1ffff;

		if (!has_data(t))
			continue;
		if (t->control & C_IMMEDIATE) {
			if (len > sizeof(t->param))
				return false;
			memcpy(data, &t->param, len);
		} else if (!read_mem(x, t->param, data, len)) {
			return false;
		}
		data += len;
	}
	return true;
}

/* Scatters what the device gave (NULL: it took some) and tells what the driver
 * wants to know. */
static bool td_complete(struct xhci *x, struct slot *s, unsigned int n,
			const struct td *td, const uint8_t *data, uint32_t got)
{
	uint32_t done = 0;

	for (unsigned int i = 0; i < td->n; i++) {
		const struct trb *t = &td->trb[i];
		uint32_t len = t->status & 0x1ffff, part;

		if (!has_data(t)) {
			if (t->control & C_IOC)
				post_transfer(x, slot_number(x, s), n,
					      td->at[i], 0, CC_SUCCESS);
			continue;
		}
		part = MIN(len, got - done);
		if (data && !write_mem(x, t->param, data + done, part)) {
			halt_ep(x, s, n, td->at[i], len, CC_TRANSACTION);
			return false;
		}
		done += part;
		if (part < len && (t->control & (C_ISP | C_IOC))) {
			/* 4.10.1.1: the rest of it is not looked at. */
			post_transfer(x, slot_number(x, s), n, td->at[i],
				      len - part, CC_SHORT);
			return true;
		}
		if (t->control & C_IOC)
			post_transfer(x, slot_number(x, s), n, td->at[i],
				      len - part, CC_SUCCESS);
	}
	return true;
}

/* One transfer, with a buffer of its size: what came of it. */
static int move_in(struct xhci *x, struct slot *s, unsigned int n,
		   const struct td *td)
{
	struct usb_dev *dev = slot_dev(x, s);
	uint32_t len = MIN(td->len, (uint32_t)TD_MAX);
	_cleanup_free_ uint8_t *data = xmalloc(len + 1);
	int got = dev->ops->in(dev, n / 2, data, len);

	if (got >= 0)
		td_complete(x, s, n, td, data, got);
	return got;
}

static int move_out(struct xhci *x, struct slot *s, unsigned int n,
		    const struct td *td)
{
	struct usb_dev *dev = slot_dev(x, s);
	_cleanup_free_ uint8_t *data = xmalloc(MIN(td->len, TD_MAX + 0u) + 8);
	int r = USB_STALL;

	if (dev->ops->out && td->len <= TD_MAX && gather(x, td, data))
		r = dev->ops->out(dev, n / 2, data, td->len);
	if (r >= 0)
		td_complete(x, s, n, td, NULL, td->len);
	return r;
}

static void run_data(struct xhci *x, struct slot *s, unsigned int n)
{
	struct td *td = xmalloc(sizeof(*td));
	struct ep *ep = &s->ep[n];

	for (unsigned int i = 0; i < PASS_TRBS && ep->state == EP_RUNNING;
	     i++) {
		struct ring old = ep->ring;
		int got;

		if (!slot_dev(x, s) || !td_next(x, &ep->ring, td)) {
			ep->ring = old;
			break;
		}
		got = n & 1 ? move_in(x, s, n, td) : move_out(x, s, n, td);
		if (got == USB_NAK) {
			ep->ring = old;
			break;
		}
		if (got < 0)
			halt_ep(x, s, n, td->at[0], td->len, CC_STALL);
	}
	free(td);
	if (ep->state == EP_RUNNING)
		store_ep(x, s, n);
}

static void run_ep(struct xhci *x, struct slot *s, unsigned int n)
{
	struct ep *ep = &s->ep[n];

	if (ep->state == EP_STOPPED)
		ep->state = EP_RUNNING;
	if (ep->state != EP_RUNNING || !(x->usbcmd & CMD_RUN))
		return;
	if (ep->type == EP_TYPE_CONTROL && n == 1)
		run_control(x, s);
	else if (n & 1 ? ep->type == EP_TYPE_INTR_IN ||
				 ep->type == EP_TYPE_BULK_IN :
			 ep->type == EP_TYPE_BULK_OUT)
		run_data(x, s, n);
}

/* ---- commands (4.6) ---- */

static enum code cmd_enable(struct xhci *x, unsigned int *slot)
{
	for (unsigned int i = 1; i <= SLOTS && i <= (x->config & 0xff); i++) {
		if (x->slot[i].enabled)
			continue;
		x->slot[i].enabled = true;
		*slot = i;
		return CC_SUCCESS;
	}
	return CC_NO_SLOTS;
}

/* 4.6.5; the address is the slot's number. */
static enum code cmd_address(struct xhci *x, struct slot *s,
			     const struct trb *t)
{
	unsigned int n = slot_number(x, s);
	uint64_t input = t->param & ~0xfull, context;
	uint32_t flags, dw[8];
	unsigned int port;

	if (!read_mem(x, input + 4, &flags, 4) ||
	    !read_mem(x, input + CONTEXT, dw, sizeof(dw)) ||
	    !read_mem(x, x->dcbaap + 8 * n, &context, 8))
		return CC_PARAMETER;
	port = dw[1] >> 16 & 0xff;
	if ((flags & 3) != 3 || !port || port > PORTS_2 || !x->devs[port])
		return CC_PARAMETER;
	s->context = context & ~0x3full;
	s->port = port;
	if (!s->context || !write_mem(x, s->context, dw, sizeof(dw)) ||
	    !setup_ep(x, s, 1, input)) {
		s->context = 0;
		return CC_PARAMETER;
	}
	if (t->control & C_BSR)
		set_slot_state(x, s, SLOT_DEFAULT, 0);
	else
		set_slot_state(x, s, SLOT_ADDRESSED, n);
	return CC_SUCCESS;
}

static void stop_all(struct xhci *x, struct slot *s)
{
	for (unsigned int i = 2; i < EPS; i++) {
		drop_ep(&s->ep[i]);
		if (s->context)
			store_ep(x, s, i);
	}
}

/* 4.6.6 */
static enum code cmd_configure(struct xhci *x, struct slot *s,
			       const struct trb *t)
{
	uint64_t input = t->param & ~0xfull;
	unsigned int n = slot_number(x, s);
	uint32_t flags[2], dw0;

	if (!s->context)
		return CC_CONTEXT;
	if (t->control & C_DC) {
		stop_all(x, s);
		set_slot_state(x, s, SLOT_ADDRESSED, n);
		return CC_SUCCESS;
	}
	if (!read_mem(x, input, flags, sizeof(flags)) ||
	    !read_mem(x, input + CONTEXT, &dw0, 4))
		return CC_PARAMETER;
	for (unsigned int i = 2; i < EPS; i++) {
		if (flags[0] & BIT(i)) {
			drop_ep(&s->ep[i]);
			store_ep(x, s, i);
		}
		if ((flags[1] & BIT(i)) && !setup_ep(x, s, i, input))
			return CC_PARAMETER;
	}
	write_mem(x, s->context, &dw0, 4);
	set_slot_state(x, s, SLOT_CONFIGURED, n);
	return CC_SUCCESS;
}

/* 4.6.7: the packet size of endpoint 0. */
static enum code cmd_evaluate(struct xhci *x, struct slot *s,
			      const struct trb *t)
{
	uint64_t input = t->param & ~0xfull;
	uint32_t flags, from, to;

	if (!s->context || !read_mem(x, input + 4, &flags, 4))
		return CC_PARAMETER;
	if (!(flags & 2))
		return CC_SUCCESS;
	if (!read_mem(x, input + 2 * CONTEXT + 4, &from, 4) ||
	    !read_mem(x, ep_context(s, 1) + 4, &to, 4))
		return CC_PARAMETER;
	to = (to & 0xffff) | (from & 0xffff0000);
	write_mem(x, ep_context(s, 1) + 4, &to, 4);
	return CC_SUCCESS;
}

static enum code cmd_endpoint(struct xhci *x, struct slot *s,
			      const struct trb *t)
{
	unsigned int n = t->control >> 16 & 0x1f;
	struct ep *ep = &s->ep[n];
	unsigned int type = trb_type(t);

	if (!n || ep->state == EP_DISABLED)
		return CC_EP_OFF;
	if (type == TRB_RESET_EP && ep->state != EP_HALTED)
		return CC_CONTEXT;
	if (type == TRB_STOP_EP && ep->state != EP_RUNNING)
		return CC_CONTEXT;
	if (type == TRB_SET_DEQUEUE) {
		if (ep->state != EP_STOPPED)
			return CC_CONTEXT;
		ep->ring.dequeue = t->param & ~0xfull;
		ep->ring.cycle = t->param & 1;
	}
	ep->state = EP_STOPPED;
	ep->answer = -1;
	store_ep(x, s, n);
	return CC_SUCCESS;
}

/* 4.6.11 */
static enum code cmd_reset_device(struct xhci *x, struct slot *s)
{
	if (!s->context)
		return CC_CONTEXT;
	stop_all(x, s);
	set_slot_state(x, s, SLOT_DEFAULT, 0);
	return CC_SUCCESS;
}

static enum code slot_command(struct xhci *x, struct slot *s,
			      const struct trb *t)
{
	switch (trb_type(t)) {
	case TRB_DISABLE_SLOT:
		xhci_drop_slot(s);
		return CC_SUCCESS;
	case TRB_ADDRESS:
		return cmd_address(x, s, t);
	case TRB_CONFIGURE:
		return cmd_configure(x, s, t);
	case TRB_EVALUATE:
		return cmd_evaluate(x, s, t);
	case TRB_RESET_EP:
	case TRB_STOP_EP:
	case TRB_SET_DEQUEUE:
		return cmd_endpoint(x, s, t);
	case TRB_RESET_DEVICE:
		return cmd_reset_device(x, s);
	default:
		return CC_TRB;
	}
}

static enum code run_command(struct xhci *x, const struct trb *t,
			     unsigned int *slot)
{
	*slot = t->control >> 24;
	if (trb_type(t) == TRB_CMD_NOOP)
		return CC_SUCCESS;
	if (trb_type(t) == TRB_ENABLE_SLOT)
		return cmd_enable(x, slot);
	if (!*slot || *slot > SLOTS || !x->slot[*slot].enabled)
		return CC_SLOT_OFF;
	return slot_command(x, &x->slot[*slot], t);
}

static void run_commands(struct xhci *x)
{
	struct trb t;
	uint64_t at;

	for (unsigned int i = 0; i < COMMANDS; i++) {
		unsigned int slot;
		enum code code;

		if (!ring_next(x, &x->command, &t, &at))
			break;
		code = run_command(x, &t, &slot);
		post_command(x, at, slot, code);
	}
}

void xhci_doorbell(struct xhci *x, unsigned int slot, uint32_t value)
{
	unsigned int ep = value & 0xff;

	if (!(x->usbcmd & CMD_RUN) || slot > SLOTS)
		return;
	if (slot == 0)
		run_commands(x);
	else if (x->slot[slot].enabled && ep && ep < EPS)
		run_ep(x, &x->slot[slot], ep);
}

/* ---- devices' side ---- */

void usb_lock(struct usb_dev *dev)
{
	pthread_mutex_lock(&dev->hc->lock);
}

void usb_unlock(struct usb_dev *dev)
{
	pthread_mutex_unlock(&dev->hc->lock);
}

void usb_wake(struct usb_dev *dev, unsigned int ep)
{
	struct xhci *x = dev->hc;

	for (unsigned int i = 1; i <= SLOTS; i++) {
		struct slot *s = &x->slot[i];

		if (!s->enabled || s->port != dev->port)
			continue;
		for (unsigned int n = 2 * ep; n <= 2 * ep + 1; n++)
			if (s->ep[n].state == EP_RUNNING)
				run_ep(x, s, n);
	}
}

pthread_mutex_t *xhci_lock(struct xhci *x)
{
	return &x->lock;
}

const struct pci_dev *xhci_pci(const struct xhci *x)
{
	return &x->pci;
}

int xhci_attach(struct xhci *x, struct usb_dev *dev, const char *id,
		unsigned int port, struct error *err)
{
	for (unsigned int i = 1; !port && i <= PORTS_2; i++)
		if (!x->devs[i])
			port = i;
	if (!port || port > PORTS_2 || x->devs[port])
		return error_set(err, -ENOSPC, "USB port %u is not free", port);
	dev->hc = x;
	dev->id = xstrdup(id);
	dev->port = port;
	pthread_mutex_lock(&x->lock);
	x->devs[port] = dev;
	xhci_port_changed(x, port);
	pthread_mutex_unlock(&x->lock);
	return 0;
}

/* ---- life ---- */

static struct xhci *from_pci(struct pci_dev *pci)
{
	return container_of(pci, struct xhci, pci);
}

static void xhci_reset(struct pci_dev *pci)
{
	struct xhci *x = from_pci(pci);

	pthread_mutex_lock(&x->lock);
	xhci_reset_regs(x);
	for (unsigned int i = 1; i <= PORTS_2; i++)
		if (x->devs[i])
			x->devs[i]->ops->reset(x->devs[i]);
	pthread_mutex_unlock(&x->lock);
	msix_reset(x->msix);
}

static void xhci_config_written(struct pci_dev *pci, unsigned int reg,
				unsigned int size)
{
	msix_config_written(from_pci(pci)->msix, reg, size);
}

/* ---- state ---- */

static const struct state_field setup_fields[] = {
	STATE(struct usb_setup, request_type),
	STATE(struct usb_setup, request),
	STATE(struct usb_setup, value),
	STATE(struct usb_setup, index),
	STATE_MAX(struct usb_setup, length, USB_CONTROL_MAX),
	STATE_END,
};
static const struct state_field ring_fields[] = {
	STATE(struct ring, dequeue),
	STATE_BOOL(struct ring, cycle),
	STATE_END,
};
static const struct state_field ep_fields[] = {
	STATE_MAX(struct ep, state, EP_STOPPED),
	STATE_MAX(struct ep, type, 7),
	STATE_STRUCT(struct ep, ring, ring_fields),
	STATE_STRUCT(struct ep, setup, setup_fields),
	STATE_END,
};
static const struct state_field slot_fields[] = {
	STATE_BOOL(struct slot, enabled),
	STATE(struct slot, context),
	STATE_MAX(struct slot, port, PORTS_2),
	STATE_STRUCTS(struct slot, ep, ep_fields),
	STATE_END,
};
static const struct state_field xhci_fields[] = {
	STATE(struct xhci, usbcmd),
	STATE(struct xhci, usbsts),
	STATE(struct xhci, dnctrl),
	STATE(struct xhci, config),
	STATE(struct xhci, iman),
	STATE(struct xhci, imod),
	STATE(struct xhci, erstsz),
	STATE(struct xhci, crcr),
	STATE(struct xhci, dcbaap),
	STATE(struct xhci, erstba),
	STATE(struct xhci, erdp),
	STATE_INTS(struct xhci, portsc),
	STATE_STRUCT(struct xhci, command, ring_fields),
	STATE_BOOL(struct xhci, erst_valid),
	STATE_BOOL(struct xhci, event_cycle),
	STATE(struct xhci, event_base),
	STATE_MAX(struct xhci, event_size, 4096),
	STATE(struct xhci, event_next),
	STATE_STRUCTS(struct xhci, slot, slot_fields),
	STATE_END,
};

/*
 * A control transfer between two of its stages is begun anew by the driver;
 * which ports something is on is the machine's.
 */
static int xhci_loaded(void *obj, unsigned int version, struct error *err)
{
	struct xhci *x = obj;

	for (unsigned int i = 1; i <= PORTS; i++) {
		bool there = i <= PORTS_2 && x->devs[i];

		if (there != !!(x->portsc[i] & PORT_CCS))
			return error_set(err, -EINVAL,
					 "other ports are in use");
	}
	if (x->erst_valid && x->event_next >= x->event_size)
		return error_set(err, -EINVAL, "the event ring is too short");
	for (unsigned int i = 1; i <= SLOTS; i++)
		for (unsigned int n = 0; n < EPS; n++)
			x->slot[i].ep[n].answer = -1;
	return 0;
}

static const struct state_type xhci_state = {
	.name = "xhci",
	.version = 1,
	.fields = xhci_fields,
	.loaded = xhci_loaded,
};

static void xhci_states(struct pci_dev *pci, const char *id,
			struct state_set *set)
{
	struct xhci *x = from_pci(pci);

	state_add(set, &xhci_state, id, x);
	msix_add_state(x->msix, id, set);
	for (unsigned int i = 1; i <= PORTS_2; i++)
		if (x->devs[i])
			x->devs[i]->ops->states(x->devs[i], set);
}

static void xhci_destroy(struct pci_dev *pci)
{
	struct xhci *x = from_pci(pci);

	for (unsigned int i = 1; i <= SLOTS; i++)
		xhci_drop_slot(&x->slot[i]);
	for (unsigned int i = 1; i <= PORTS_2; i++)
		xhci_destroy_dev(x->devs[i]);
	msix_destroy(x->msix);
	pthread_mutex_destroy(&x->lock);
	free(x);
}

/* vCPUs are stopped: what devices do ends. */
static void xhci_pause(struct pci_dev *pci, bool paused)
{
	struct xhci *x = from_pci(pci);

	pthread_mutex_lock(&x->lock);
	for (unsigned int i = 1; i <= PORTS_2 && paused; i++)
		if (x->devs[i] && x->devs[i]->ops->settle)
			x->devs[i]->ops->settle(x->devs[i]);
	pthread_mutex_unlock(&x->lock);
}

static const struct pci_ops xhci_ops = {
	.config_written = xhci_config_written,
	.reset = xhci_reset,
	.pause = xhci_pause,
	.states = xhci_states,
	.destroy = xhci_destroy,
};

struct xhci *xhci_create(struct machine *m, const struct spec_place *place,
			 struct error *err)
{
	static const struct pci_id id = {
		.vendor = 0x1b36,
		.device = 0x000d,
		.subsystem_vendor = 0x1af4,
		.subsystem = 0x1100,
		.class_code = 0x0c0330, /* PCI code and ID assignment: xHCI */
		.revision = 1,
	};
	enum { SBRN = 0x60 };
	struct xhci *x = xcalloc(1, sizeof(*x));

	x->m = m;
	pthread_mutex_init(&x->lock, NULL);
	pci_dev_init(&x->pci, &xhci_ops, &id);
	x->pci.config[PCI_INTERRUPT_PIN] = 1;
	x->pci.config[SBRN] = 0x30; /* 5.2.3 */
	x->pci.cap_end = 0x70;	    /* behind the registers of 5.2 */
	pci_set_bar(&x->pci, BAR_REGS, REGS_SIZE, true, &xhci_regs_ops, x);
	x->msix = msix_create(&x->pci, BAR_MSIX, 1);
	xhci_reset_regs(x);
	if (pci_plug(m->pci, &x->pci, place, err) < 0) {
		xhci_destroy(&x->pci);
		return NULL;
	}
	machine_add_device(m, &xhci_machine_ops, x);
	return x;
}
