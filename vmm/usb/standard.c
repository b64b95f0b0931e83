/*
 * vmm/usb/standard.c -- what every USB device answers (USB 9.4 and 9.6).
 */
#include "vmm/usb/standard.h"

#include <string.h>

#include "base/util.h"

enum { STRING_MAX = 32 };

int usb_put(const struct usb_setup *s, uint8_t *data, const void *from,
	    size_t len)
{
	len = MIN(len, (size_t)s->length);
	memcpy(data, from, len);
	return (int)len;
}

/* ---- descriptors ---- */

static int device_descriptor(const struct usb_identity *id,
			     const struct usb_setup *s, uint8_t *data)
{
	const uint8_t desc[18] = {
		18, USB_DESC_DEVICE, 0x00, 0x02, /* USB 2.0 */
		0, 0, 0, 64, /* class by interface; packets */
		id->vendor, id->vendor >> 8, id->product, id->product >> 8,
		0x00, 0x01, 1, 2, id->serial ? 3 : 0, 1, /* strings; 1 config */
	};

	return usb_put(s, data, desc, sizeof(desc));
}

static int string_descriptor(const struct usb_identity *id,
			     const struct usb_setup *s, uint8_t *data)
{
	static const uint8_t languages[] = { 4, USB_DESC_STRING, 0x09, 0x04 };
	const char *const texts[] = { NULL, "Vireo", id->name, id->serial };
	unsigned int index = s->value & 0xff;
	uint8_t desc[2 + 2 * STRING_MAX] = { 0, USB_DESC_STRING };
	size_t n;

	if (index == 0)
		return usb_put(s, data, languages, sizeof(languages));
	if (index >= ARRAY_SIZE(texts) || !texts[index])
		return USB_STALL;
	n = strnlen(texts[index], STRING_MAX);
	desc[0] = 2 + 2 * n;
	for (size_t i = 0; i < n; i++)
		desc[2 + 2 * i] = texts[index][i];
	return usb_put(s, data, desc, desc[0]);
}

static int get_descriptor(const struct usb_identity *id,
			  const struct usb_setup *s, uint8_t *data)
{
	switch (s->value >> 8) {
	case USB_DESC_DEVICE:
		return device_descriptor(id, s, data);
	case USB_DESC_CONFIG:
		return usb_put(s, data, id->config, id->config_len);
	case USB_DESC_STRING:
		return string_descriptor(id, s, data);
	}
	return USB_STALL;
}

/* ---- requests ---- */

int usb_standard(const struct usb_identity *id, uint8_t *configuration,
		 const struct usb_setup *s, uint8_t *data)
{
	static const uint8_t zeroes[2];

	switch (USB_REQ(s->request_type, s->request)) {
	case USB_REQ(0x80, 6): /* GET_DESCRIPTOR */
		return get_descriptor(id, s, data);
	case USB_REQ(0x80, 0): /* GET_STATUS of device, interface, endpoint */
	case USB_REQ(0x81, 0):
	case USB_REQ(0x82, 0):
		return usb_put(s, data, zeroes, 2);
	case USB_REQ(0x80, 8): /* GET_CONFIGURATION */
		return usb_put(s, data, configuration, 1);
	case USB_REQ(0x00, 9): /* SET_CONFIGURATION */
		if (s->value > 1)
			return USB_STALL;
		*configuration = s->value;
		return 0;
	case USB_REQ(0x81, 10): /* GET_INTERFACE */
		return usb_put(s, data, zeroes, 1);
	case USB_REQ(0x00, 1): /* features: the controller keeps halts */
	case USB_REQ(0x00, 3):
	case USB_REQ(0x02, 1):
	case USB_REQ(0x02, 3):
	case USB_REQ(0x01, 11): /* SET_INTERFACE */
		return 0;
	}
	return USB_STALL;
}
