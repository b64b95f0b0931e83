/*
 * vmm/virtio/input.c -- virtio input device (virtio 1.2, section 5.8):
 * keyboard, mouse or tablet, with Linux's events.
 *
 * Events for which the driver left no buffer are lost; the status queue
 * (lights) is emptied and not looked at.
 */
#include <linux/input-event-codes.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_input.h>
#include <string.h>

#include "base/keycodes.h"
#include "vmm/input.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/virtio.h"

/* 5.8.2 */
enum { EVENTQ, STATUSQ, INPUT_QUEUES };
enum { BUS_VIRTIO = 0x06, PRODUCT = 1 };

struct input_kind {
	const char *name;
	struct input_ops ops;
};

struct vinput {
	struct virtio_dev dev;
	const struct input_kind *kind;
	enum spec_input_kind what;
	unsigned int buttons; /* as told to the driver */
};

static const struct {
	unsigned int bit;
	uint16_t code;
} button_codes[] = {
	{ INPUT_LEFT, BTN_LEFT },   { INPUT_RIGHT, BTN_RIGHT },
	{ INPUT_MIDDLE, BTN_MIDDLE }, { INPUT_SIDE, BTN_SIDE },
	{ INPUT_EXTRA, BTN_EXTRA },
};

static struct vinput *from_dev(struct virtio_dev *dev)
{
	return container_of(dev, struct vinput, dev);
}

/* ---- configuration (5.8.4) ---- */

static void set_bit(uint8_t *bitmap, unsigned int bit)
{
	bitmap[bit / 8] |= BIT(bit % 8);
}

static void key_bits(const struct vinput *v, uint8_t *bitmap)
{
	if (v->what == INPUT_KIND_KEYBOARD) {
		for (unsigned int key = 1; key <= KEY_CODE_MAX; key++)
			if (key_from_linux(KEY_SET_LINUX, key) >= 0)
				set_bit(bitmap, key);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(button_codes); i++)
		set_bit(bitmap, button_codes[i].code);
}

static void event_bits(const struct vinput *v, uint8_t type, uint8_t *bitmap)
{
	bool mouse = v->what == INPUT_KIND_MOUSE;
	bool tablet = v->what == INPUT_KIND_TABLET;

	if (type == EV_KEY) {
		key_bits(v, bitmap);
	} else if (type == EV_REL && (mouse || tablet)) {
		set_bit(bitmap, REL_WHEEL);
		if (mouse) {
			set_bit(bitmap, REL_X);
			set_bit(bitmap, REL_Y);
		}
	} else if (type == EV_ABS && tablet) {
		set_bit(bitmap, ABS_X);
		set_bit(bitmap, ABS_Y);
	} else if (type == EV_REP && v->what == INPUT_KIND_KEYBOARD) {
		set_bit(bitmap, REP_DELAY);
		set_bit(bitmap, REP_PERIOD);
	}
}

/* What counts is up to the last byte that is not zero. */
static uint8_t used_size(const uint8_t *bitmap, size_t n)
{
	while (n && !bitmap[n - 1])
		n--;
	return n;
}

static void fill_config(struct vinput *v, struct virtio_input_config *c)
{
	memset(&c->u, 0, sizeof(c->u));
	c->size = 0;
	switch (c->select) {
	case VIRTIO_INPUT_CFG_ID_NAME:
		c->size = strlen(v->kind->name);
		memcpy(c->u.string, v->kind->name, c->size);
		break;
	case VIRTIO_INPUT_CFG_ID_DEVIDS:
		c->size = sizeof(c->u.ids);
		c->u.ids = (struct virtio_input_devids){
			.bustype = BUS_VIRTIO,
			.vendor = 0x1af4,
			.product = PRODUCT + v->what,
			.version = 1,
		};
		break;
	case VIRTIO_INPUT_CFG_EV_BITS:
		event_bits(v, c->subsel, c->u.bitmap);
		c->size = used_size(c->u.bitmap, sizeof(c->u.bitmap));
		break;
	case VIRTIO_INPUT_CFG_ABS_INFO:
		if (v->what != INPUT_KIND_TABLET || c->subsel > ABS_Y)
			break;
		c->size = sizeof(c->u.abs);
		c->u.abs.max = INPUT_ABS_MAX;
		break;
	}
}

static void vinput_config_write(struct virtio_dev *dev, unsigned int offset,
				uint32_t value, unsigned int size)
{
	struct virtio_input_config *c = (void *)dev->config;

	for (unsigned int i = 0; i < size; i++, value >>= 8) {
		if (offset + i == 0)
			c->select = value;
		else if (offset + i == 1)
			c->subsel = value;
	}
	fill_config(from_dev(dev), c);
}

/* ---- events (5.8.6) ---- */

static void send_event(struct vinput *v, uint16_t type, uint16_t code,
		       int32_t value)
{
	struct virtqueue *vq = virtio_queue(&v->dev, EVENTQ);
	struct virtio_input_event e = { type, code, (uint32_t)value };
	struct vq_buf buf;

	if (virtio_running(&v->dev) && vq_pop(vq, &buf))
		vq_push(vq, buf.head, vq_write(&buf, 0, &e, sizeof(e)));
}

static void send_sync(struct vinput *v)
{
	send_event(v, EV_SYN, SYN_REPORT, 0);
	if (virtio_running(&v->dev))
		vq_signal(virtio_queue(&v->dev, EVENTQ));
}

static bool vinput_listening(void *dev)
{
	struct vinput *v = dev;
	bool yes;

	pthread_mutex_lock(&v->dev.lock);
	yes = virtio_live(&v->dev);
	pthread_mutex_unlock(&v->dev.lock);
	return yes;
}

static void vinput_key(void *dev, unsigned int code, bool down)
{
	struct vinput *v = dev;

	pthread_mutex_lock(&v->dev.lock);
	send_event(v, EV_KEY, code, down);
	send_sync(v);
	pthread_mutex_unlock(&v->dev.lock);
}

static void send_buttons(struct vinput *v, unsigned int buttons)
{
	for (size_t i = 0; i < ARRAY_SIZE(button_codes); i++)
		if ((buttons ^ v->buttons) & button_codes[i].bit)
			send_event(v, EV_KEY, button_codes[i].code,
				   (buttons & button_codes[i].bit) != 0);
	v->buttons = buttons;
}

static void vinput_pointer(void *dev, const struct input_pointer *p)
{
	struct vinput *v = dev;

	pthread_mutex_lock(&v->dev.lock);
	if (v->what == INPUT_KIND_TABLET) {
		send_event(v, EV_ABS, ABS_X, (int)p->x);
		send_event(v, EV_ABS, ABS_Y, (int)p->y);
	} else {
		send_event(v, EV_REL, REL_X, p->dx);
		send_event(v, EV_REL, REL_Y, p->dy);
	}
	if (p->wheel)
		send_event(v, EV_REL, REL_WHEEL, p->wheel);
	send_buttons(v, p->buttons);
	send_sync(v);
	pthread_mutex_unlock(&v->dev.lock);
}

static void vinput_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct virtqueue *vq = virtio_queue(dev, queue);
	struct vq_buf buf;

	if (queue != STATUSQ)
		return;
	while (vq_pop(vq, &buf))
		vq_push(vq, buf.head, 0);
	vq_signal(vq);
}

static bool vinput_reset(struct virtio_dev *dev)
{
	struct vinput *v = from_dev(dev);

	v->buttons = 0;
	memset(dev->config, 0, sizeof(struct virtio_input_config));
	return true;
}

/* ---- life ---- */

static const struct input_kind kinds[] = {
	[INPUT_KIND_KEYBOARD] = { "Vireo Virtio Keyboard",
				  { .listening = vinput_listening,
				    .key = vinput_key } },
	[INPUT_KIND_MOUSE] = { "Vireo Virtio Mouse",
			       { .listening = vinput_listening,
				 .pointer = vinput_pointer } },
	[INPUT_KIND_TABLET] = { "Vireo Virtio Tablet",
				{ .listening = vinput_listening,
				  .pointer = vinput_pointer,
				  .absolute = true } },
};

static void vinput_destroy(struct virtio_dev *dev)
{
	input_remove(dev->m->input, from_dev(dev));
	virtio_finish(dev);
	free(from_dev(dev));
}

static const struct virtio_type virtio_input = {
	.name = "input",
	.id = VIRTIO_ID_INPUT,
	.class_code = 0x098000, /* input device */
	.notify = vinput_notify,
	.config_write = vinput_config_write,
	.reset = vinput_reset,
	.stateless = true, /* a button that is held goes up with the next event */
	.destroy = vinput_destroy,
};

int virtio_input_add(struct machine *m, const struct spec_input *spec,
		     struct error *err)
{
	struct vinput *v = xcalloc(1, sizeof(*v));
	int r;

	v->what = spec->kind;
	v->kind = &kinds[spec->kind];
	r = virtio_init(&v->dev, &virtio_input, m, spec->id, INPUT_QUEUES, 0,
			err);
	if (r >= 0) {
		v->dev.config_size = sizeof(struct virtio_input_config);
		r = virtio_pci_plug(&v->dev, &spec->pci, err);
	}
	if (r < 0) {
		vinput_destroy(&v->dev);
		return r;
	}
	input_add(m->input, &v->kind->ops, v);
	return 0;
}
