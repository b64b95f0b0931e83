/*
 * vmm/dev/ioapic.c -- the I/O APIC (Intel 82093AA data sheet 290566-001,
 * section 3, "Register Description").
 *
 * Two registers in memory, an index and a window, lead to the ID, the version
 * and one 64-bit redirection entry per pin.  A pin sends its entry as an MSI
 * through the engine (SDM vol. 3, "Message Signalled Interrupts": the entry's
 * fields have their places in the address and the data).  Version 0x20 adds
 * the EOI register of later parts (ICH9 data sheet, section 13.5.5), which
 * Linux uses when the local APIC suppresses EOI broadcasts.
 */
#include "vmm/dev/ioapic.h"

#include <pthread.h>

#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/machine.h"
#include "vmm/state.h"

enum { IOREGSEL = 0x00, IOWIN = 0x10, IOEOI = 0x40, IOAPIC_WINDOW = 0x1000 };
enum { IOAPICID = 0, IOAPICVER = 1, IOAPICARB = 2, IOREDTBL = 0x10 };

/* 3.2.4: I/O redirection table registers. */
#define RTE_VECTOR	  0xffull
#define RTE_DELIVERY(rte) ((rte) >> 8 & 7)
#define RTE_LOGICAL	  BIT64(11)
#define RTE_PENDING	  BIT64(12) /* read-only */
#define RTE_LOW		  BIT64(13)
#define RTE_REMOTE_IRR	  BIT64(14) /* read-only */
#define RTE_LEVEL	  BIT64(15)
#define RTE_MASKED	  BIT64(16)
#define RTE_DEST_SHIFT	  56
#define RTE_WRITABLE	  (0xff0000000001afffull & ~RTE_PENDING)

struct ioapic {
	struct machine *m;
	pthread_mutex_t lock; /* the rest */
	uint8_t index;
	uint8_t id;
	uint32_t irr;	/* edge: waiting to be sent; level: the wire */
	uint32_t wires;
	uint64_t rte[IOAPIC_PINS];
};

static uint64_t msi_addr(uint64_t rte)
{
	uint64_t addr = LAPIC_BASE | (rte >> RTE_DEST_SHIFT) << 12;

	if (rte & RTE_LOGICAL)
		addr |= BIT(2);
	if (RTE_DELIVERY(rte) == 1) /* lowest priority: redirection hint */
		addr |= BIT(3);
	return addr;
}

static uint32_t msi_data(uint64_t rte)
{
	uint32_t data = (rte & RTE_VECTOR) | (rte & 0x700);

	if (rte & RTE_LEVEL)
		data |= BIT(15) | BIT(14); /* level, assert */
	return data;
}

/* Locked: sends the pin's message if there is something to send. */
static void ioapic_service(struct ioapic *io, unsigned int pin)
{
	uint64_t *rte = &io->rte[pin];

	if (!(io->irr & BIT(pin)) || (*rte & RTE_MASKED))
		return;
	if (*rte & RTE_LEVEL) {
		if (*rte & RTE_REMOTE_IRR)
			return;
		*rte |= RTE_REMOTE_IRR;
	} else {
		io->irr &= ~BIT(pin);
	}
	if (RTE_DELIVERY(*rte) == 7) /* ExtINT: the PIC's own wire does it */
		return;
	io->m->engine->msi(io->m->vm, msi_addr(*rte), msi_data(*rte));
}

void ioapic_set(struct ioapic *io, unsigned int pin, bool level)
{
	bool rose;

	if (pin >= IOAPIC_PINS)
		return;
	pthread_mutex_lock(&io->lock);
	rose = level && !(io->wires & BIT(pin));
	io->wires = level ? io->wires | BIT(pin) : io->wires & ~BIT(pin);
	if (io->rte[pin] & RTE_LEVEL)
		io->irr = (io->irr & ~BIT(pin)) | (io->wires & BIT(pin));
	else if (rose && !(io->rte[pin] & RTE_MASKED)) /* or it is lost */
		io->irr |= BIT(pin);
	if (rose)
		ioapic_service(io, pin);
	pthread_mutex_unlock(&io->lock);
}

void ioapic_eoi(struct ioapic *io, uint8_t vector)
{
	pthread_mutex_lock(&io->lock);
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t rte = io->rte[pin];

		if ((rte & RTE_LEVEL) && (rte & RTE_VECTOR) == vector) {
			io->rte[pin] &= ~RTE_REMOTE_IRR;
			ioapic_service(io, pin); /* still high: again */
		}
	}
	pthread_mutex_unlock(&io->lock);
}

static void ioapic_tell_route(struct ioapic *io, unsigned int pin)
{
	uint64_t rte = io->rte[pin];

	if (io->m->engine->ioapic_route)
		io->m->engine->ioapic_route(io->m->vm, pin, msi_addr(rte),
					    msi_data(rte), rte & RTE_LEVEL,
					    rte & RTE_MASKED);
}

/*
 * Remote IRR belongs to level mode: leaving it clears the bit, which is how
 * software without the EOI register acknowledges a pin.
 */
static void ioapic_write_rte(struct ioapic *io, unsigned int pin,
			     unsigned int half, uint32_t value)
{
	uint64_t old = io->rte[pin], rte = old;

	if (half)
		rte = (rte & 0xffffffff) | (uint64_t)value << 32;
	else
		rte = (rte & ~0xffffffffull) | value;
	rte = (rte & RTE_WRITABLE) | (old & RTE_REMOTE_IRR);
	if (!(rte & RTE_LEVEL))
		rte &= ~RTE_REMOTE_IRR;
	io->rte[pin] = rte;
	if (rte & RTE_LEVEL)
		io->irr = (io->irr & ~BIT(pin)) | (io->wires & BIT(pin));
	else if (old & RTE_LEVEL)
		io->irr &= ~BIT(pin);
	ioapic_tell_route(io, pin);
	ioapic_service(io, pin);
}

static uint32_t ioapic_read_reg(struct ioapic *io)
{
	unsigned int pin = (io->index - IOREDTBL) / 2;

	switch (io->index) {
	case IOAPICID:
	case IOAPICARB:
		return (uint32_t)io->id << 24;
	case IOAPICVER:
		return (IOAPIC_PINS - 1) << 16 | 0x20;
	}
	if (io->index < IOREDTBL || pin >= IOAPIC_PINS)
		return 0;
	return io->rte[pin] >> (io->index & 1 ? 32 : 0);
}

static void ioapic_write_reg(struct ioapic *io, uint32_t value)
{
	unsigned int pin = (io->index - IOREDTBL) / 2;

	if (io->index == IOAPICID)
		io->id = value >> 24 & 0x0f;
	else if (io->index >= IOREDTBL && pin < IOAPIC_PINS)
		ioapic_write_rte(io, pin, io->index & 1, value);
}

static uint64_t ioapic_read(void *dev, uint64_t offset, unsigned int size)
{
	struct ioapic *io = dev;
	uint64_t value = 0;

	pthread_mutex_lock(&io->lock);
	if (offset == IOREGSEL)
		value = io->index;
	else if (offset == IOWIN)
		value = ioapic_read_reg(io);
	pthread_mutex_unlock(&io->lock);
	return value;
}

static void ioapic_write(void *dev, uint64_t offset, uint64_t value,
			 unsigned int size)
{
	struct ioapic *io = dev;

	if (offset == IOEOI) {
		ioapic_eoi(io, value);
		return;
	}
	pthread_mutex_lock(&io->lock);
	if (offset == IOREGSEL)
		io->index = value;
	else if (offset == IOWIN)
		ioapic_write_reg(io, value);
	pthread_mutex_unlock(&io->lock);
}

static const struct bus_ops ioapic_ops = {
	.read = ioapic_read,
	.write = ioapic_write,
};

void ioapic_reset(struct ioapic *io)
{
	pthread_mutex_lock(&io->lock);
	io->index = 0;
	io->id = 0;
	io->irr = 0;
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++) {
		io->rte[pin] = RTE_MASKED;
		ioapic_tell_route(io, pin);
	}
	pthread_mutex_unlock(&io->lock);
}

static const struct state_field ioapic_fields[] = {
	STATE(struct ioapic, index),
	STATE_MAX(struct ioapic, id, 15),
	STATE(struct ioapic, irr),
	STATE(struct ioapic, wires),
	STATE_INTS(struct ioapic, rte),
	STATE_END,
};

static void ioapic_restored(void *dev)
{
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		ioapic_tell_route(dev, pin);
}

static const struct state_type ioapic_state = {
	.name = "ioapic",
	.version = 1,
	.fields = ioapic_fields,
	.restored = ioapic_restored,
};

void ioapic_add_state(struct ioapic *io, struct state_set *set)
{
	state_add(set, &ioapic_state, NULL, io);
}

struct ioapic *ioapic_create(struct machine *m)
{
	struct ioapic *io = xcalloc(1, sizeof(*io));

	io->m = m;
	pthread_mutex_init(&io->lock, NULL);
	ioapic_reset(io);
	bus_add(m->mmio, IOAPIC_BASE, IOAPIC_WINDOW, &ioapic_ops, io);
	return io;
}

void ioapic_destroy(struct ioapic *io)
{
	if (!io)
		return;
	pthread_mutex_destroy(&io->lock);
	free(io);
}
