/*
 * vmm/usb/standard.h -- what every USB device answers (USB 9.4 and 9.6).
 */
#ifndef VMM_USB_STANDARD_H
#define VMM_USB_STANDARD_H

#include "vmm/usb/usb.h"

enum { USB_DESC_DEVICE = 1, USB_DESC_CONFIG, USB_DESC_STRING,
       USB_DESC_INTERFACE, USB_DESC_ENDPOINT };

/* Request type and request. */
#define USB_REQ(type, request) ((type) << 8 | (request))

/* A device of one configuration; its strings 1 to 3 are the maker's, the
 * product's, and the device's own name (NULL: it has none). */
struct usb_identity {
	uint16_t vendor, product;
	const char *name, *serial;
	const uint8_t *config; /* the descriptor and all that follow it */
	uint16_t config_len;
};

/* As much of an answer as there is room for. */
int usb_put(const struct usb_setup *s, uint8_t *data, const void *from,
	    size_t len);

/* The standard requests: as usb_dev_ops.control.  *configuration: the one
 * that is set, 0 or 1. */
int usb_standard(const struct usb_identity *id, uint8_t *configuration,
		 const struct usb_setup *s, uint8_t *data);

#endif
