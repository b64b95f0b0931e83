/*
 * vmm/dev/pic.c -- two cascaded 8259A interrupt controllers (Intel 8259A data
 * sheet, order number 231468; ICH9 data sheet section 13.4 for the ports and
 * the edge/level registers).
 *
 * Left out: special mask mode's use with priorities other than the fixed
 * order, buffered mode, and the 8080's CALL sequence.
 */
#include "vmm/dev/pic.h"

#include <pthread.h>
#include <string.h>

#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/machine.h"
#include "vmm/state.h"

enum { PRIMARY_PORT = 0x20, SECONDARY_PORT = 0xa0, ELCR_PORT = 0x4d0,
       CASCADE = 2 };
enum { ICW1 = 0x10, ICW1_ICW4 = 1, ICW1_SINGLE = 2, ICW4_AUTO_EOI = 2 };
enum { OCW2_EOI = 0x20, OCW3 = 0x08, OCW3_READ = 2, OCW3_ISR = 1, OCW3_POLL = 4 };

struct pic_chip {
	uint8_t irr, isr, imr, wires;
	uint8_t elcr; /* level-triggered inputs */
	uint8_t elcr_mask;
	uint8_t base;	/* vector of input 0 */
	uint8_t lowest; /* input of the lowest priority */
	uint8_t init;	/* next of ICW2 to ICW4, 0: initialised */
	bool want_icw4, auto_eoi, rotate_auto, read_isr, poll;
};

struct pic {
	struct machine *m;
	pthread_mutex_t lock; /* the rest */
	struct pic_chip chip[2];
	bool out;
};

/* The input to serve: its priority must beat every one in service. */
static int chip_pending(const struct pic_chip *c)
{
	uint8_t want = c->irr & ~c->imr;

	for (unsigned int i = 1; i <= 8; i++) {
		unsigned int n = (c->lowest + i) & 7;

		if (c->isr & BIT(n))
			return -1;
		if (want & BIT(n))
			return n;
	}
	return -1;
}

static void chip_set(struct pic_chip *c, unsigned int n, bool level)
{
	uint8_t bit = BIT(n);

	if (c->elcr & bit)
		c->irr = level ? c->irr | bit : c->irr & ~bit;
	else if (level && !(c->wires & bit))
		c->irr |= bit;
	else if (!level) /* an edge must stay until acknowledged */
		c->irr &= ~bit;
	c->wires = level ? c->wires | bit : c->wires & ~bit;
}

/* Locked: the secondary feeds the primary, which drives the wire. */
static void pic_update(struct pic *pic)
{
	struct pic_chip *first = &pic->chip[0];
	bool out;

	chip_set(first, CASCADE, false);
	chip_set(first, CASCADE, chip_pending(&pic->chip[1]) >= 0);
	out = chip_pending(first) >= 0;
	if (out == pic->out)
		return;
	pic->out = out;
	pic->m->engine->extint(pic->m->vm, out);
}

void pic_set(struct pic *pic, unsigned int irq, bool level)
{
	if (irq >= 16 || irq == CASCADE)
		return;
	pthread_mutex_lock(&pic->lock);
	chip_set(&pic->chip[irq / 8], irq % 8, level);
	pic_update(pic);
	pthread_mutex_unlock(&pic->lock);
}

static void chip_ack(struct pic_chip *c, unsigned int n)
{
	if (!(c->elcr & BIT(n)))
		c->irr &= ~BIT(n);
	if (!c->auto_eoi)
		c->isr |= BIT(n);
	else if (c->rotate_auto)
		c->lowest = n;
}

/* "Interrupt Sequence": a request that went away is spurious, input 7. */
static int pic_take(struct pic *pic)
{
	struct pic_chip *c = &pic->chip[0];
	int n = chip_pending(c);

	if (n < 0)
		return -1;
	chip_ack(c, n);
	if (n != CASCADE)
		return c->base + n;
	c = &pic->chip[1];
	n = chip_pending(c);
	if (n < 0)
		return c->base + 7;
	chip_ack(c, n);
	return c->base + n;
}

int pic_ack(struct pic *pic)
{
	int vector;

	pthread_mutex_lock(&pic->lock);
	vector = pic_take(pic);
	pic_update(pic);
	pthread_mutex_unlock(&pic->lock);
	return vector;
}

/* ---- registers ---- */

static void chip_icw1(struct pic_chip *c, uint8_t value)
{
	uint8_t elcr = c->elcr, mask = c->elcr_mask, wires = c->wires;

	*c = (struct pic_chip){
		.elcr = elcr,
		.elcr_mask = mask,
		.wires = wires,
		.lowest = 7,
		.init = 2,
		.want_icw4 = value & ICW1_ICW4,
	};
}

/* OCW2: end of interrupt and rotation. */
static void chip_ocw2(struct pic_chip *c, uint8_t value)
{
	bool rotate = value & 0x80, specific = value & 0x40,
	     eoi = value & OCW2_EOI;
	unsigned int n = value & 7;

	if (!eoi && !specific) {
		c->rotate_auto = rotate;
		return;
	}
	if (eoi && !specific) { /* the highest in service */
		unsigned int i = 1;

		while (i <= 8 && !(c->isr & BIT((c->lowest + i) & 7)))
			i++;
		if (i > 8)
			return;
		n = (c->lowest + i) & 7;
	}
	if (eoi)
		c->isr &= ~BIT(n);
	if (rotate)
		c->lowest = n;
}

static void chip_ocw3(struct pic_chip *c, uint8_t value)
{
	if (value & OCW3_READ)
		c->read_isr = value & OCW3_ISR;
	c->poll = value & OCW3_POLL;
}

static void chip_write_data(struct pic_chip *c, uint8_t value)
{
	switch (c->init) {
	case 0:
		c->imr = value;
		break;
	case 2:
		c->base = value & 0xf8;
		c->init = 3;
		break;
	case 3: /* where the cascade is: fixed on a PC */
		c->init = c->want_icw4 ? 4 : 0;
		break;
	case 4:
		c->auto_eoi = value & ICW4_AUTO_EOI;
		c->init = 0;
		break;
	}
}

static uint8_t chip_poll(struct pic_chip *c)
{
	int n = chip_pending(c);

	c->poll = false;
	if (n < 0)
		return 0;
	chip_ack(c, n);
	return 0x80 | n;
}

static uint8_t chip_read(struct pic_chip *c, bool data)
{
	if (c->poll)
		return chip_poll(c);
	if (data)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

static void chip_write(struct pic_chip *c, bool data, uint8_t value)
{
	if (data)
		chip_write_data(c, value);
	else if (value & ICW1)
		chip_icw1(c, value);
	else if (value & OCW3)
		chip_ocw3(c, value);
	else
		chip_ocw2(c, value);
}

static uint64_t pic_read(struct pic *pic, unsigned int chip, uint64_t offset)
{
	uint8_t value;

	pthread_mutex_lock(&pic->lock);
	value = chip_read(&pic->chip[chip], offset & 1);
	pic_update(pic);
	pthread_mutex_unlock(&pic->lock);
	return value;
}

static bool is_eoi(bool data, uint8_t value)
{
	return !data && !(value & (ICW1 | OCW3)) && (value & OCW2_EOI);
}

static void pic_write(struct pic *pic, unsigned int chip, uint64_t offset,
		      uint8_t value)
{
	bool eoi = is_eoi(offset & 1, value);

	pthread_mutex_lock(&pic->lock);
	chip_write(&pic->chip[chip], offset & 1, value);
	pic_update(pic);
	pthread_mutex_unlock(&pic->lock);
	if (eoi)
		machine_pic_eoi(pic->m);
}

static uint64_t primary_read(void *dev, uint64_t offset, unsigned int size)
{
	return pic_read(dev, 0, offset);
}

static void primary_write(void *dev, uint64_t offset, uint64_t value,
			  unsigned int size)
{
	pic_write(dev, 0, offset, value);
}

static uint64_t secondary_read(void *dev, uint64_t offset, unsigned int size)
{
	return pic_read(dev, 1, offset);
}

static void secondary_write(void *dev, uint64_t offset, uint64_t value,
			    unsigned int size)
{
	pic_write(dev, 1, offset, value);
}

static uint64_t elcr_read(void *dev, uint64_t offset, unsigned int size)
{
	struct pic *pic = dev;

	return pic->chip[offset & 1].elcr;
}

static void elcr_write(void *dev, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	struct pic *pic = dev;
	struct pic_chip *c = &pic->chip[offset & 1];

	pthread_mutex_lock(&pic->lock);
	c->elcr = value & c->elcr_mask;
	pthread_mutex_unlock(&pic->lock);
}

static const struct bus_ops primary_ops = { primary_read, primary_write };
static const struct bus_ops secondary_ops = { secondary_read,
					      secondary_write };
static const struct bus_ops elcr_ops = { elcr_read, elcr_write };

/* Masked until initialised, so that nothing arrives by accident. */
static void pic_reset(void *dev)
{
	struct pic *pic = dev;

	pthread_mutex_lock(&pic->lock);
	memset(pic->chip, 0, sizeof(pic->chip));
	for (unsigned int i = 0; i < 2; i++) {
		pic->chip[i].imr = 0xff;
		pic->chip[i].lowest = 7;
	}
	/* Timer, keyboard, cascade; RTC, FPU: always edge-triggered. */
	pic->chip[0].elcr_mask = 0xf8;
	pic->chip[1].elcr_mask = 0xde;
	pic_update(pic);
	pthread_mutex_unlock(&pic->lock);
}

static void pic_destroy(void *dev)
{
	struct pic *pic = dev;

	pthread_mutex_destroy(&pic->lock);
	free(pic);
}

static const struct state_field chip_fields[] = {
	STATE(struct pic_chip, irr),
	STATE(struct pic_chip, isr),
	STATE(struct pic_chip, imr),
	STATE(struct pic_chip, wires),
	STATE(struct pic_chip, elcr),
	STATE(struct pic_chip, base),
	STATE_MAX(struct pic_chip, lowest, 7),
	STATE_MAX(struct pic_chip, init, 4),
	STATE_BOOL(struct pic_chip, want_icw4),
	STATE_BOOL(struct pic_chip, auto_eoi),
	STATE_BOOL(struct pic_chip, rotate_auto),
	STATE_BOOL(struct pic_chip, read_isr),
	STATE_BOOL(struct pic_chip, poll),
	STATE_END,
};

static const struct state_field pic_fields[] = {
	STATE_STRUCTS(struct pic, chip, chip_fields),
	STATE_BOOL(struct pic, out),
	STATE_END,
};

static void pic_restored(void *dev)
{
	struct pic *pic = dev;

	pic->m->engine->extint(pic->m->vm, pic->out);
}

static const struct state_type pic_state = {
	.name = "pic",
	.version = 1,
	.fields = pic_fields,
	.restored = pic_restored,
};

static const struct machine_dev_ops pic_dev_ops = {
	.name = "pic",
	.reset = pic_reset,
	.destroy = pic_destroy,
	.state = &pic_state,
};

struct pic *pic_create(struct machine *m)
{
	struct pic *pic = xcalloc(1, sizeof(*pic));

	pic->m = m;
	pthread_mutex_init(&pic->lock, NULL);
	pic_reset(pic);
	bus_add(m->ports, PRIMARY_PORT, 2, &primary_ops, pic);
	bus_add(m->ports, SECONDARY_PORT, 2, &secondary_ops, pic);
	bus_add(m->ports, ELCR_PORT, 2, &elcr_ops, pic);
	machine_add_device(m, &pic_dev_ops, pic);
	return pic;
}
