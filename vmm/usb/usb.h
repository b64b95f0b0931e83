/*
 * vmm/usb/usb.h -- a USB device, and the root port it is on.
 *
 * "USB" with a section number is the Universal Serial Bus Specification 2.0.
 * Everything of a device runs with its controller's lock held; what comes from
 * elsewhere takes it with usb_lock().
 */
#ifndef VMM_USB_USB_H
#define VMM_USB_USB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine;
struct spec_input;
struct spec_place;
struct state_set;
struct usb_dev;
struct xhci;
struct error;

/* USB 9.3 */
struct usb_setup {
	uint8_t request_type, request;
	uint16_t value, index, length;
};

/* Instead of a count of bytes. */
enum { USB_NAK = -1, USB_STALL = -2 };
enum { USB_CONTROL_MAX = 4096 };

struct usb_dev_ops {
	const char *name;
	/* Bytes of an answer in data, which has room for setup->length; what
	 * the host sent is there. */
	int (*control)(struct usb_dev *dev, const struct usb_setup *setup,
		       uint8_t *data);
	/* Endpoint number, not address.  At most len bytes. */
	int (*in)(struct usb_dev *dev, unsigned int ep, uint8_t *data,
		  size_t len);
	void (*reset)(struct usb_dev *dev);
	/* What it remembers, for saving. */
	void (*states)(struct usb_dev *dev, struct state_set *set);
	void (*destroy)(struct usb_dev *dev);
};

struct usb_dev {
	const struct usb_dev_ops *ops;
	struct xhci *hc;
	unsigned int port; /* 1 and up */
};

void usb_lock(struct usb_dev *dev);
void usb_unlock(struct usb_dev *dev);
/* Locked: an endpoint that answered USB_NAK has something now. */
void usb_wake(struct usb_dev *dev, unsigned int ep);

/* xhci.c.  port 0: the next free one. */
struct xhci *xhci_create(struct machine *m, const struct spec_place *place,
			 struct error *err);
int xhci_attach(struct xhci *hc, struct usb_dev *dev, unsigned int port,
		struct error *err);

/* hid.c */
int usb_hid_create(struct machine *m, struct xhci *hc,
		   const struct spec_input *spec, struct error *err);

#endif
