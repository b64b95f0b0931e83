/*
 * vmm/usb/xhci_regs.c -- registers and ports of the USB host controller (xHCI
 * 1.2, section 5); what they start is in xhci.c.
 */
#include "base/util.h"
#include "vmm/usb/xhci_priv.h"

enum { OPER = 0x40, RUNTIME = 0x1000, DOORBELLS = 0x2000, EXT_CAPS = 0x3000 };
/* 5.4, 5.4.8 and 5.5.2, from the beginning of each part. */
enum { USBCMD = 0x00, USBSTS = 0x04, PAGESIZE = 0x08, DNCTRL = 0x14,
       CRCR = 0x18, DCBAAP = 0x30, CONFIG = 0x38, PORTSC = 0x400 };
enum { IMAN = 0x20, IMOD = 0x24, ERSTSZ = 0x28, ERSTBA = 0x30, ERDP = 0x38 };

/* ---- ports (5.4.8) ---- */

void xhci_port_init(struct xhci *x, unsigned int port)
{
	uint32_t v = PORT_PP | PORT_PLS_RXDETECT;

	if (port <= PORTS_2 && x->devs[port])
		v = PORT_PP | PORT_CCS | PORT_CSC | PORT_PLS_POLLING |
		    PORT_SPEED_HIGH;
	x->portsc[port] = v;
}

/* 4.19.2: what changed is kept until the driver clears it. */
void xhci_port_changed(struct xhci *x, unsigned int port)
{
	uint32_t kept = x->portsc[port] & (PORT_CHANGES | PORT_WAKES);

	xhci_port_init(x, port);
	x->portsc[port] |= kept | PORT_CSC;
	xhci_post_port(x, port);
}

static void port_reset(struct xhci *x, unsigned int port)
{
	uint32_t *v = &x->portsc[port];

	if (!(*v & PORT_CCS))
		return;
	x->devs[port]->ops->reset(x->devs[port]);
	*v = (*v & ~PORT_PLS) | PORT_PED | PORT_PRC;
	xhci_post_port(x, port);
}

static void port_write(struct xhci *x, unsigned int port, uint32_t value)
{
	uint32_t *v = &x->portsc[port];

	*v &= ~(value & PORT_CHANGES);
	if (value & PORT_PED)
		*v &= ~PORT_PED;
	*v = (*v & ~(PORT_WAKES | PORT_PP)) | (value & (PORT_WAKES | PORT_PP));
	if (value & PORT_LWS && (*v & PORT_PED))
		*v = (*v & ~PORT_PLS) | (value & PORT_PLS);
	if (value & PORT_PR)
		port_reset(x, port);
}

/* ---- registers (5.3 to 5.6) ---- */

void xhci_reset_regs(struct xhci *x)
{
	for (unsigned int i = 1; i <= SLOTS; i++)
		xhci_drop_slot(&x->slot[i]);
	x->usbcmd = x->dnctrl = x->config = x->iman = x->erstsz = 0;
	x->usbsts = STS_HALTED;
	x->imod = 4000;
	x->crcr = x->dcbaap = x->erstba = x->erdp = 0;
	x->erst_valid = false;
	for (unsigned int i = 1; i <= PORTS; i++)
		xhci_port_init(x, i);
	xhci_update_intx(x);
}

static void usbcmd_write(struct xhci *x, uint32_t value)
{
	bool was = x->usbcmd & CMD_RUN;

	if (value & CMD_RESET) {
		xhci_reset_regs(x);
		return;
	}
	x->usbcmd = value & (CMD_RUN | CMD_INTE | 8);
	if (value & CMD_RUN)
		x->usbsts &= ~STS_HALTED;
	else
		x->usbsts |= STS_HALTED;
	for (unsigned int i = 1; i <= PORTS_2 && !was; i++)
		if ((value & CMD_RUN) && (x->portsc[i] & PORT_CSC))
			xhci_post_port(x, i);
	xhci_update_intx(x);
}

/* A capability of 7.2: which ports have which version. */
static uint32_t ext_read(unsigned int reg)
{
	static const uint32_t caps[] = {
		2 | 4 << 8 | 0x02000000, 0x20425355, /* "USB " 2.0 */
		1 | PORTS_2 << 8, 0,
		2 | 0x03000000, 0x20425355, /* 3.0, the last */
		(PORTS_2 + 1) | PORTS_2 << 8, 0,
	};

	return reg / 4 < ARRAY_SIZE(caps) ? caps[reg / 4] : 0;
}

static uint32_t cap_read(unsigned int reg)
{
	switch (reg) {
	case 0x00:
		return OPER | 0x0100 << 16;
	case 0x04: /* HCSPARAMS1: slots, interrupters, ports */
		return SLOTS | 1 << 8 | PORTS << 24;
	case 0x08:
		return 0xf; /* HCSPARAMS2: schedule ahead by 15 */
	case 0x10: /* HCCPARAMS1: 64 bits, where the capabilities are */
		return 1 | (EXT_CAPS / 4) << 16;
	case 0x14:
		return DOORBELLS;
	case 0x18:
		return RUNTIME;
	}
	return 0;
}

static uint32_t half(uint64_t value, unsigned int reg)
{
	return reg & 4 ? value >> 32 : value;
}

static void set_half(uint64_t *value, unsigned int reg, uint32_t v)
{
	if (reg & 4)
		*value = (uint32_t)*value | (uint64_t)v << 32;
	else
		*value = (*value & ~0xffffffffull) | v;
}

static uint32_t oper_read(struct xhci *x, unsigned int reg)
{
	unsigned int port = (reg - PORTSC) / 16 + 1;

	if (reg >= PORTSC && port <= PORTS)
		return reg % 16 == 0 ? x->portsc[port] : 0;
	switch (reg) {
	case USBCMD:
		return x->usbcmd;
	case USBSTS:
		return x->usbsts;
	case PAGESIZE:
		return 1; /* 4 KiB */
	case DNCTRL:
		return x->dnctrl;
	case CRCR:
	case CRCR + 4:
		return 0; /* reads as zero */
	case DCBAAP:
	case DCBAAP + 4:
		return half(x->dcbaap, reg);
	case CONFIG:
		return x->config;
	}
	return 0;
}

static void oper_write(struct xhci *x, unsigned int reg, uint32_t v)
{
	unsigned int port = (reg - PORTSC) / 16 + 1;

	if (reg >= PORTSC && port <= PORTS) {
		if (reg % 16 == 0)
			port_write(x, port, v);
		return;
	}
	switch (reg) {
	case USBCMD:
		usbcmd_write(x, v);
		break;
	case USBSTS:
		x->usbsts &= ~(v & (STS_EINT | STS_PCD));
		break;
	case DNCTRL:
		x->dnctrl = v & 0xffff;
		break;
	case CRCR:
	case CRCR + 4:
		set_half(&x->crcr, reg, v);
		x->command.dequeue = x->crcr & ~0x3full;
		x->command.cycle = x->crcr & 1;
		break;
	case DCBAAP:
	case DCBAAP + 4:
		set_half(&x->dcbaap, reg, v);
		x->dcbaap &= ~0x3full;
		break;
	case CONFIG:
		x->config = v & 0x3ff;
		break;
	}
}

/* 5.5.1: microframes of 125 microseconds. */
static uint32_t runtime_read(struct xhci *x, unsigned int reg)
{
	switch (reg) {
	case 0:
		return now_ns() / 125000 & 0x3fff;
	case IMAN:
		return x->iman;
	case IMOD:
		return x->imod;
	case ERSTSZ:
		return x->erstsz;
	case ERSTBA:
	case ERSTBA + 4:
		return half(x->erstba, reg);
	case ERDP:
	case ERDP + 4:
		return half(x->erdp, reg);
	}
	return 0;
}

static void erdp_write(struct xhci *x, unsigned int reg, uint32_t v)
{
	uint64_t busy = x->erdp & ERDP_BUSY;

	if (reg == ERDP && (v & ERDP_BUSY))
		busy = 0;
	set_half(&x->erdp, reg, v);
	x->erdp = (x->erdp & ~(uint64_t)ERDP_BUSY) | busy;
}

static void runtime_write(struct xhci *x, unsigned int reg, uint32_t v)
{
	switch (reg) {
	case IMAN:
		x->iman = (x->iman & ~(v & IMAN_IP) & ~IMAN_IE) | (v & IMAN_IE);
		xhci_update_intx(x);
		break;
	case IMOD:
		x->imod = v;
		break;
	case ERSTSZ:
		x->erstsz = v & 0xffff;
		x->erst_valid = false;
		break;
	case ERSTBA:
	case ERSTBA + 4:
		set_half(&x->erstba, reg, v);
		x->erstba &= ~0x3full;
		x->erst_valid = false;
		break;
	case ERDP:
	case ERDP + 4:
		erdp_write(x, reg, v);
		break;
	}
}

static uint32_t read_reg(struct xhci *x, unsigned int reg)
{
	if (reg < OPER)
		return cap_read(reg);
	if (reg < RUNTIME)
		return oper_read(x, reg - OPER);
	if (reg < DOORBELLS)
		return runtime_read(x, reg - RUNTIME);
	return reg >= EXT_CAPS ? ext_read(reg - EXT_CAPS) : 0;
}

static void write_reg(struct xhci *x, unsigned int reg, uint32_t v)
{
	if (reg >= DOORBELLS && reg < EXT_CAPS)
		xhci_doorbell(x, (reg - DOORBELLS) / 4, v);
	else if (reg >= RUNTIME && reg < DOORBELLS)
		runtime_write(x, reg - RUNTIME, v);
	else if (reg >= OPER && reg < RUNTIME)
		oper_write(x, reg - OPER, v);
}

static uint64_t regs_read(void *dev, uint64_t offset, unsigned int size)
{
	struct xhci *x = dev;
	unsigned int reg = offset & ~3u;
	uint64_t value;

	pthread_mutex_lock(&x->lock);
	value = read_reg(x, reg);
	if (size == 8)
		value |= (uint64_t)read_reg(x, reg + 4) << 32;
	pthread_mutex_unlock(&x->lock);
	return value >> 8 * (offset & 3);
}

/* Double words, or two of them; nothing smaller is written (5.1). */
static void regs_write(void *dev, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	struct xhci *x = dev;

	if (size < 4 || (offset & 3))
		return;
	pthread_mutex_lock(&x->lock);
	write_reg(x, offset, value);
	if (size == 8)
		write_reg(x, offset + 4, value >> 32);
	pthread_mutex_unlock(&x->lock);
}

const struct bus_ops xhci_regs_ops = { regs_read, regs_write };
