/*
 * vmm/dev/serial.c -- 16550A UART (National Semiconductor PC16550D data
 * sheet, June 1995, section 8, "Registers").
 *
 * There is no line, so there is no bit rate: a byte written is sent at once,
 * and a byte that arrives below the trigger level counts as timed out.  Modem
 * lines are always asserted, except in loopback mode.  Left out: parity and
 * framing errors, and the non-FIFO mode's overruns.
 */
#include "vmm/dev/serial.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "vmm/bus.h"
#include "vmm/chardev.h"
#include "vmm/spec.h"
#include "vmm/state.h"

enum { RBR = 0, IER = 1, IIR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };
enum { IER_RDA = 1, IER_THRE = 2, IER_RLS = 4, IER_MSR = 8 };
enum { IIR_NONE = 1, IIR_MSR = 0, IIR_THRE = 2, IIR_RDA = 4, IIR_RLS = 6,
       IIR_TIMEOUT = 0x0c, IIR_FIFO = 0xc0 };
enum { FCR_ENABLE = 1, FCR_CLEAR_RX = 2 };
enum { LCR_DLAB = 0x80 };
enum { MCR_DTR = 1, MCR_RTS = 2, MCR_OUT1 = 4, MCR_OUT2 = 8, MCR_LOOP = 16 };
enum { LSR_DR = 1, LSR_OE = 2, LSR_THRE = 0x20, LSR_TEMT = 0x40 };
enum { MSR_CTS = 0x10, MSR_DSR = 0x20, MSR_RI = 0x40, MSR_DCD = 0x80 };
enum { FIFO_SIZE = 16 };

struct serial {
	struct machine *m;
	struct chardev *chr;
	unsigned int gsi;

	pthread_mutex_t lock; /* the rest */
	uint8_t ier, fcr, lcr, mcr, scr;
	uint8_t divisor[2];
	bool overrun;
	bool thre_pending; /* the "THR empty" interrupt was not yet seen */
	uint8_t msr_deltas;
	unsigned int rx_start, rx_len;
	uint8_t rx[FIFO_SIZE];
	bool irq;
};

/* 8.6.1: the highest of the pending interrupts. */
static uint8_t serial_cause(const struct serial *s)
{
	static const uint8_t trigger[] = { 1, 4, 8, 14 };

	if ((s->ier & IER_RLS) && s->overrun)
		return IIR_RLS;
	if ((s->ier & IER_RDA) && s->rx_len)
		return !(s->fcr & FCR_ENABLE) ||
				       s->rx_len >= trigger[s->fcr >> 6] ?
			       IIR_RDA :
			       IIR_TIMEOUT;
	if ((s->ier & IER_THRE) && s->thre_pending)
		return IIR_THRE;
	if ((s->ier & IER_MSR) && s->msr_deltas)
		return IIR_MSR;
	return IIR_NONE;
}

/* Locked.  On a PC, OUT2 gates the interrupt; software always sets it, so
 * like most models this one does not look. */
static void serial_update(struct serial *s)
{
	bool irq = serial_cause(s) != IIR_NONE;

	if (irq != s->irq) {
		s->irq = irq;
		machine_irq(s->m, s->gsi, irq);
	}
}

static unsigned int serial_rx_room(const struct serial *s)
{
	return (s->fcr & FCR_ENABLE ? FIFO_SIZE : 1) - s->rx_len;
}

static void serial_rx_put(struct serial *s, uint8_t byte)
{
	s->rx[(s->rx_start + s->rx_len++) % FIFO_SIZE] = byte;
}

static size_t serial_input(void *arg, const uint8_t *data, size_t len)
{
	struct serial *s = arg;
	size_t n = 0;

	pthread_mutex_lock(&s->lock);
	while (n < len && s->rx_len < FIFO_SIZE && serial_rx_room(s) > 0)
		serial_rx_put(s, data[n++]);
	serial_update(s);
	pthread_mutex_unlock(&s->lock);
	return n;
}

static uint8_t serial_take(struct serial *s)
{
	uint8_t byte = s->rx[s->rx_start];

	if (!s->rx_len)
		return 0;
	s->rx_start = (s->rx_start + 1) % FIFO_SIZE;
	s->rx_len--;
	if (s->chr && !s->rx_len)
		chardev_resume(s->chr);
	return byte;
}

static void serial_send(struct serial *s, uint8_t byte)
{
	if (s->mcr & MCR_LOOP) {
		if (serial_rx_room(s) > 0 && s->rx_len < FIFO_SIZE)
			serial_rx_put(s, byte);
		else
			s->overrun = true;
	} else if (s->chr) {
		chardev_write(s->chr, &byte, 1);
	}
	s->thre_pending = true;
}

/* 8.7: in loopback the modem outputs are the inputs. */
static uint8_t serial_modem(const struct serial *s)
{
	if (!(s->mcr & MCR_LOOP))
		return MSR_CTS | MSR_DSR | MSR_DCD;
	return (s->mcr & MCR_RTS ? MSR_CTS : 0) |
	       (s->mcr & MCR_DTR ? MSR_DSR : 0) |
	       (s->mcr & MCR_OUT1 ? MSR_RI : 0) |
	       (s->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static uint8_t serial_read_iir(struct serial *s)
{
	uint8_t cause = serial_cause(s);

	if (cause == IIR_THRE)
		s->thre_pending = false;
	return cause | (s->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t serial_read_lsr(struct serial *s)
{
	uint8_t lsr = LSR_THRE | LSR_TEMT | (s->rx_len ? LSR_DR : 0) |
		      (s->overrun ? LSR_OE : 0);

	s->overrun = false;
	return lsr;
}

static uint8_t serial_read_msr(struct serial *s)
{
	uint8_t msr = serial_modem(s) | s->msr_deltas;

	s->msr_deltas = 0;
	return msr;
}

static uint8_t serial_read_reg(struct serial *s, uint64_t reg)
{
	switch (reg) {
	case RBR:
		return s->lcr & LCR_DLAB ? s->divisor[0] : serial_take(s);
	case IER:
		return s->lcr & LCR_DLAB ? s->divisor[1] : s->ier;
	case IIR:
		return serial_read_iir(s);
	case LCR:
		return s->lcr;
	case MCR:
		return s->mcr;
	case LSR:
		return serial_read_lsr(s);
	case MSR:
		return serial_read_msr(s);
	default:
		return s->scr;
	}
}

/* Setting the enable bit while the THR is empty (always) interrupts. */
static void serial_write_ier(struct serial *s, uint8_t value)
{
	if ((value & IER_THRE) && !(s->ier & IER_THRE))
		s->thre_pending = true;
	s->ier = value & 0x0f;
}

static void serial_write_fcr(struct serial *s, uint8_t value)
{
	bool toggled = (s->fcr ^ value) & FCR_ENABLE;

	s->fcr = value & (FCR_ENABLE | 0xc0);
	if (toggled || (value & FCR_CLEAR_RX)) {
		s->rx_len = 0;
		if (s->chr)
			chardev_resume(s->chr);
	}
}

/* A change of the (looped) modem lines sets their delta bits. */
static void serial_write_mcr(struct serial *s, uint8_t value)
{
	uint8_t old = serial_modem(s), change;

	s->mcr = value & 0x1f;
	change = (old ^ serial_modem(s)) & ~MSR_RI;
	if (old & ~serial_modem(s) & MSR_RI) /* trailing edge only */
		change |= MSR_RI;
	s->msr_deltas |= change >> 4;
}

static void serial_write_reg(struct serial *s, uint64_t reg, uint8_t value)
{
	switch (reg) {
	case RBR:
		if (s->lcr & LCR_DLAB)
			s->divisor[0] = value;
		else
			serial_send(s, value);
		break;
	case IER:
		if (s->lcr & LCR_DLAB)
			s->divisor[1] = value;
		else
			serial_write_ier(s, value);
		break;
	case IIR:
		serial_write_fcr(s, value);
		break;
	case LCR:
		s->lcr = value;
		break;
	case MCR:
		serial_write_mcr(s, value);
		break;
	case SCR:
		s->scr = value;
		break;
	}
}

/* Wider accesses act as one byte access per register, as on the ISA bus. */
static uint64_t serial_read(void *dev, uint64_t offset, unsigned int size)
{
	struct serial *s = dev;
	uint64_t value = 0;

	pthread_mutex_lock(&s->lock);
	for (unsigned int i = 0; i < size; i++)
		value |= (uint64_t)serial_read_reg(s, offset + i) << (8 * i);
	serial_update(s);
	pthread_mutex_unlock(&s->lock);
	return value;
}

static void serial_write(void *dev, uint64_t offset, uint64_t value,
			 unsigned int size)
{
	struct serial *s = dev;

	pthread_mutex_lock(&s->lock);
	for (unsigned int i = 0; i < size; i++)
		serial_write_reg(s, offset + i, value >> (8 * i));
	serial_update(s);
	pthread_mutex_unlock(&s->lock);
}

static const struct bus_ops serial_ops = {
	.read = serial_read,
	.write = serial_write,
};

static void serial_reset(void *dev)
{
	struct serial *s = dev;

	pthread_mutex_lock(&s->lock);
	s->ier = s->fcr = s->lcr = s->scr = s->msr_deltas = 0;
	s->mcr = MCR_OUT2;
	s->divisor[0] = 12;
	s->divisor[1] = 0;
	s->overrun = s->thre_pending = false;
	s->rx_start = s->rx_len = 0;
	serial_update(s);
	pthread_mutex_unlock(&s->lock);
	if (s->chr)
		chardev_resume(s->chr);
}

static void serial_destroy(void *dev)
{
	struct serial *s = dev;

	chardev_destroy(s->chr);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static const struct state_field serial_fields[] = {
	STATE(struct serial, ier),
	STATE(struct serial, fcr),
	STATE(struct serial, lcr),
	STATE(struct serial, mcr),
	STATE(struct serial, scr),
	STATE_INTS(struct serial, divisor),
	STATE_BOOL(struct serial, overrun),
	STATE_BOOL(struct serial, thre_pending),
	STATE(struct serial, msr_deltas),
	STATE_MAX(struct serial, rx_start, FIFO_SIZE - 1),
	STATE_MAX(struct serial, rx_len, FIFO_SIZE),
	STATE_RAW(struct serial, rx),
	STATE_BOOL(struct serial, irq),
	STATE_END,
};

static void serial_restored(void *dev)
{
	struct serial *s = dev;

	if (s->chr)
		chardev_resume(s->chr);
}

static const struct state_type serial_state = {
	.name = "serial",
	.version = 1,
	.fields = serial_fields,
	.restored = serial_restored,
};

static const struct machine_dev_ops serial_dev_ops = {
	.name = "serial",
	.reset = serial_reset,
	.destroy = serial_destroy,
	.state = &serial_state,
};

static const struct chardev_ops serial_chardev_ops = {
	.input = serial_input,
};

int serial_create(struct machine *m, const struct spec_char *spec,
		  struct error *err)
{
	struct serial *s;
	int r;

	if (spec->index >= SERIALS_MAX)
		return error_set(err, -EINVAL,
				 "serial port %u: there are only %d",
				 spec->index, SERIALS_MAX);
	s = xcalloc(1, sizeof(*s));
	s->m = m;
	s->gsi = serial_gsi(spec->index);
	pthread_mutex_init(&s->lock, NULL);
	serial_reset(s);
	r = chardev_create(m->loop, spec, &serial_chardev_ops, s, &s->chr,
			   err);
	if (r == 0)
		r = bus_add(m->ports, serial_port(spec->index), 8, &serial_ops,
			    s);
	if (r < 0) {
		serial_destroy(s);
		return error_set(err, r, "cannot make serial port %u: %m",
				 spec->index);
	}
	machine_add_device(m, &serial_dev_ops, s);
	return 0;
}
