/*
 * vmm/usb/hid.c -- keyboard, mouse and tablet (Device Class Definition for
 * Human Interface Devices 1.11; HID Usage Tables 1.21).
 *
 * Keyboard and mouse speak the boot protocol's reports always, so there is
 * nothing to switch.  Left out: GET_REPORT on demand beyond the last report,
 * idle rates.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/keycodes.h"
#include "base/util.h"
#include "vmm/input.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"
#include "vmm/usb/standard.h"
#include "vmm/usb/usb.h"

enum { REPORT_MAX = 8, QUEUE = 64, EP_IN = 1 };

/* What differs between the three. */
struct hid_kind {
	const char *product;
	uint8_t protocol; /* HID 4.3: 1 keyboard, 2 mouse, 0 neither */
	uint8_t report_len;
	const uint8_t *descriptor;
	uint16_t descriptor_len;
	struct input_ops input;
};

struct hid {
	struct usb_dev dev;
	struct machine *m;
	const struct hid_kind *kind;
	uint8_t configuration, idle, protocol;
	bool polled; /* a driver has asked for reports */
	unsigned int start, len;
	uint8_t queue[QUEUE][REPORT_MAX];
	uint8_t last[REPORT_MAX]; /* the state that was queued last */
};

/* HID 6.2.2, appendix E.6 with the lights. */
static const uint8_t keyboard_report[] = {
	0x05, 0x01, 0x09, 0x06, 0xa1, 0x01, /* keyboard { */
	0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25, 0x01,
	0x75, 0x01, 0x95, 0x08, 0x81, 0x02, /* eight modifiers */
	0x95, 0x01, 0x75, 0x08, 0x81, 0x01, /* a byte */
	0x95, 0x05, 0x75, 0x01, 0x05, 0x08, 0x19, 0x01, 0x29, 0x05,
	0x91, 0x02, 0x95, 0x01, 0x75, 0x03, 0x91, 0x01, /* lights */
	0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x25, 0xff, 0x05, 0x07,
	0x19, 0x00, 0x29, 0xff, 0x81, 0x00, /* six keys */
	0xc0,
};
/* Appendix E.10, with five buttons and a wheel. */
static const uint8_t mouse_report[] = {
	0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00,
	0x05, 0x09, 0x19, 0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01,
	0x95, 0x05, 0x75, 0x01, 0x81, 0x02, 0x95, 0x01, 0x75, 0x03,
	0x81, 0x01, /* buttons */
	0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x09, 0x38, 0x15, 0x81,
	0x25, 0x7f, 0x75, 0x08, 0x95, 0x03, 0x81, 0x06, /* x, y, wheel */
	0xc0, 0xc0,
};
/* The same with a position instead of a movement. */
static const uint8_t tablet_report[] = {
	0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00,
	0x05, 0x09, 0x19, 0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01,
	0x95, 0x05, 0x75, 0x01, 0x81, 0x02, 0x95, 0x01, 0x75, 0x03,
	0x81, 0x01, /* buttons */
	0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x00, 0x26, 0xff,
	0x7f, 0x35, 0x00, 0x46, 0xff, 0x7f, 0x75, 0x10, 0x95, 0x02,
	0x81, 0x02, /* x, y */
	0x05, 0x01, 0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x35, 0x00,
	0x45, 0x00, 0x75, 0x08, 0x95, 0x01, 0x81, 0x06, /* wheel */
	0xc0, 0xc0,
};

static struct hid *from_dev(struct usb_dev *dev)
{
	return container_of(dev, struct hid, dev);
}

/* ---- reports ---- */

static void hid_queue(struct hid *h, const uint8_t *report)
{
	memcpy(h->last, report, REPORT_MAX);
	if (h->len == QUEUE)
		return; /* the state is right again with the next one */
	memcpy(h->queue[(h->start + h->len++) % QUEUE], report, REPORT_MAX);
	usb_wake(&h->dev, EP_IN);
}

static int hid_in(struct usb_dev *dev, unsigned int ep, uint8_t *data,
		  size_t len)
{
	struct hid *h = from_dev(dev);

	if (ep != EP_IN)
		return USB_STALL;
	h->polled = true;
	if (!h->len)
		return USB_NAK;
	len = MIN(len, (size_t)h->kind->report_len);
	memcpy(data, h->queue[h->start], len);
	h->start = (h->start + 1) % QUEUE;
	h->len--;
	return (int)len;
}

static bool hid_listening(void *dev)
{
	struct hid *h = dev;
	bool yes;

	usb_lock(&h->dev);
	yes = h->configuration && h->polled;
	usb_unlock(&h->dev);
	return yes;
}

/* HID appendix B.1: modifiers, a zero, up to six keys. */
static bool set_key(uint8_t *report, int usage, bool down)
{
	uint8_t *keys = report + 2, *at;

	if (usage >= 0xe0) {
		report[0] = down ? report[0] | BIT(usage - 0xe0) :
				   report[0] & ~BIT(usage - 0xe0);
		return true;
	}
	at = memchr(keys, usage, 6);
	if (down && !at)
		at = memchr(keys, 0, 6);
	else if (down || !at)
		return false;
	if (!at)
		return false; /* a seventh key */
	*at = down ? usage : 0;
	return true;
}

static void hid_key(void *dev, unsigned int code, bool down)
{
	struct hid *h = dev;
	int usage = key_from_linux(KEY_SET_USB, code);
	uint8_t report[REPORT_MAX];

	if (usage <= 0 || usage > 0xe7)
		return;
	usb_lock(&h->dev);
	memcpy(report, h->last, sizeof(report));
	if (set_key(report, usage, down))
		hid_queue(h, report);
	usb_unlock(&h->dev);
}

static int8_t clamp8(int v)
{
	return MAX(MIN(v, 127), -127);
}

static void mouse_pointer(void *dev, const struct input_pointer *p)
{
	struct hid *h = dev;
	int dx = MAX(MIN(p->dx, 4096), -4096);
	int dy = MAX(MIN(p->dy, 4096), -4096);
	int wheel = p->wheel;

	usb_lock(&h->dev);
	do {
		uint8_t report[REPORT_MAX] = { p->buttons & 0x1f, clamp8(dx),
					       clamp8(dy), clamp8(wheel) };

		dx -= clamp8(dx);
		dy -= clamp8(dy);
		wheel = 0;
		hid_queue(h, report);
	} while (dx || dy);
	usb_unlock(&h->dev);
}

static void tablet_pointer(void *dev, const struct input_pointer *p)
{
	struct hid *h = dev;
	uint8_t report[REPORT_MAX] = {
		p->buttons & 0x1f, p->x, p->x >> 8, p->y, p->y >> 8,
		clamp8(p->wheel),
	};

	usb_lock(&h->dev);
	hid_queue(h, report);
	usb_unlock(&h->dev);
}

static const struct hid_kind kinds[] = {
	[INPUT_KIND_KEYBOARD] = {
		.product = "Vireo USB Keyboard",
		.protocol = 1,
		.report_len = 8,
		.descriptor = keyboard_report,
		.descriptor_len = sizeof(keyboard_report),
		.input = { .listening = hid_listening, .key = hid_key },
	},
	[INPUT_KIND_MOUSE] = {
		.product = "Vireo USB Mouse",
		.protocol = 2,
		.report_len = 4,
		.descriptor = mouse_report,
		.descriptor_len = sizeof(mouse_report),
		.input = { .listening = hid_listening,
			   .pointer = mouse_pointer },
	},
	[INPUT_KIND_TABLET] = {
		.product = "Vireo USB Tablet",
		.report_len = 6,
		.descriptor = tablet_report,
		.descriptor_len = sizeof(tablet_report),
		.input = { .listening = hid_listening,
			   .pointer = tablet_pointer,
			   .absolute = true },
	},
};

/* ---- descriptors and requests (HID 7.1, 7.2) ---- */

enum { DESC_HID = 0x21, DESC_REPORT };

static const uint8_t *hid_descriptor(const struct hid *h, uint8_t desc[9])
{
	const uint8_t d[9] = { 9,    DESC_HID,	  0x11, 0x01, 0, 1,
			       DESC_REPORT, h->kind->descriptor_len,
			       h->kind->descriptor_len >> 8 };

	memcpy(desc, d, sizeof(d));
	return desc;
}

static int standard(struct hid *h, const struct usb_setup *s, uint8_t *data)
{
	uint8_t config[34] = {
		9, USB_DESC_CONFIG, 34, 0, 1, 1, 0, 0xa0, 50, /* wakes up */
		9, USB_DESC_INTERFACE, 0, 0, 1, 3, h->kind->protocol != 0,
		h->kind->protocol, 0,
	};
	static const uint8_t endpoint[7] = { 7, USB_DESC_ENDPOINT,
					     0x80 | EP_IN, 3, 8, 0,
					     4 /* every 1 ms */ };
	const struct usb_identity id = {
		.vendor = 0x0627, /* 0627:0001, as drivers know it */
		.product = 0x0001,
		.name = h->kind->product,
		.config = config,
		.config_len = sizeof(config),
	};

	hid_descriptor(h, config + 18);
	memcpy(config + 27, endpoint, sizeof(endpoint));
	if (USB_REQ(s->request_type, s->request) == USB_REQ(0x00, 9))
		h->polled = false;
	return usb_standard(&id, &h->configuration, s, data);
}

static int get_descriptor(struct hid *h, const struct usb_setup *s,
			  uint8_t *data)
{
	uint8_t desc[9];

	switch (s->value >> 8) {
	case DESC_HID:
		return usb_put(s, data, hid_descriptor(h, desc), sizeof(desc));
	case DESC_REPORT:
		return usb_put(s, data, h->kind->descriptor,
			       h->kind->descriptor_len);
	}
	return USB_STALL;
}

static int hid_control(struct usb_dev *dev, const struct usb_setup *s,
		       uint8_t *data)
{
	struct hid *h = from_dev(dev);

	switch (USB_REQ(s->request_type, s->request)) {
	case USB_REQ(0x81, 6): /* GET_DESCRIPTOR, of the interface */
		return get_descriptor(h, s, data);
	case USB_REQ(0x21, 9): /* SET_REPORT: lights that nobody sees */
		return 0;
	case USB_REQ(0xa1, 1): /* GET_REPORT */
		return usb_put(s, data, h->last, h->kind->report_len);
	case USB_REQ(0xa1, 2): /* GET_IDLE */
		return usb_put(s, data, &h->idle, 1);
	case USB_REQ(0x21, 10): /* SET_IDLE */
		h->idle = s->value >> 8;
		return 0;
	case USB_REQ(0xa1, 3): /* GET_PROTOCOL */
		return usb_put(s, data, &h->protocol, 1);
	case USB_REQ(0x21, 11): /* SET_PROTOCOL */
		h->protocol = s->value & 1;
		return 0;
	}
	return standard(h, s, data);
}

/* ---- life ---- */

static void hid_reset(struct usb_dev *dev)
{
	struct hid *h = from_dev(dev);

	h->configuration = h->idle = 0;
	h->protocol = 1;
	h->polled = false;
	h->start = h->len = 0;
	memset(h->last, 0, sizeof(h->last));
}

static const struct state_field hid_fields[] = {
	STATE_MAX(struct hid, configuration, 1),
	STATE(struct hid, idle),
	STATE_MAX(struct hid, protocol, 1),
	STATE_BOOL(struct hid, polled),
	STATE_RAW(struct hid, last),
	STATE_END,
};

/* Reports that nobody has fetched are lost, as with a cable pulled. */
static const struct state_type hid_state = {
	.name = "usb-hid",
	.version = 1,
	.fields = hid_fields,
};

static void hid_states(struct usb_dev *dev, struct state_set *set)
{
	state_add(set, &hid_state, NULL, from_dev(dev));
}

static void hid_destroy(struct usb_dev *dev)
{
	struct hid *h = from_dev(dev);

	input_remove(h->m->input, h);
	free(h);
}

static const struct usb_dev_ops hid_ops = {
	.name = "hid",
	.control = hid_control,
	.in = hid_in,
	.reset = hid_reset,
	.states = hid_states,
	.destroy = hid_destroy,
};

int usb_hid_create(struct machine *m, struct xhci *hc,
		   const struct spec_input *spec, struct error *err)
{
	struct hid *h = xcalloc(1, sizeof(*h));
	int r;

	h->dev.ops = &hid_ops;
	h->m = m;
	h->kind = &kinds[spec->kind];
	hid_reset(&h->dev);
	r = xhci_attach(hc, &h->dev, spec->id, spec->port, err);
	if (r < 0) {
		free(h);
		return r;
	}
	input_add(m->input, &h->kind->input, h);
	return 0;
}
