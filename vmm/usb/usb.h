/*
 * vmm/usb/usb.h -- a USB device, and the root port it is on.
 *
 * "USB" with a section number is the Universal Serial Bus Specification 2.0.
 * Everything of a device runs with its controller's lock held; what comes from
 * elsewhere takes it with usb_lock().
 */
#ifndef VMM_USB_USB_H
#define VMM_USB_USB_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/machine.h"

struct pci_dev;
struct spec_disk;
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
	/* All of it, 0, or one of the above.  NULL: it has no such endpoint. */
	int (*out)(struct usb_dev *dev, unsigned int ep, const uint8_t *data,
		   size_t len);
	void (*reset)(struct usb_dev *dev);
	/* Waits until nothing is under way.  NULL: nothing ever is. */
	void (*settle)(struct usb_dev *dev);
	/* Storage, not locked, main thread; else NULL. */
	void (*stats)(struct usb_dev *dev, machine_stat_fn *emit, void *arg);
	struct drive *(*drive)(struct usb_dev *dev);
	int (*insert)(struct usb_dev *dev, const char *format, int fd,
		      bool force, struct error *err);
	/* What it remembers, for saving. */
	void (*states)(struct usb_dev *dev, struct state_set *set);
	/* Not locked; nobody else can reach it any more. */
	void (*destroy)(struct usb_dev *dev);
};

struct usb_dev {
	const struct usb_dev_ops *ops;
	struct xhci *hc;
	char *id; /* the alias */
	unsigned int port; /* 1 and up */
};

void usb_lock(struct usb_dev *dev);
void usb_unlock(struct usb_dev *dev);
/* The lock itself, for who waits. */
pthread_mutex_t *xhci_lock(struct xhci *hc);
/* Locked: an endpoint (either direction) that answered USB_NAK may go on. */
void usb_wake(struct usb_dev *dev, unsigned int ep);

/* xhci.c.  port 0: the next free one.  A driver that runs is told. */
struct xhci *xhci_create(struct machine *m, const struct spec_place *place,
			 struct error *err);
int xhci_attach(struct xhci *hc, struct usb_dev *dev, const char *id,
		unsigned int port, struct error *err);
const struct pci_dev *xhci_pci(const struct xhci *hc);

/* xhci_plug.c: devices that come and go, and media. */
extern const struct machine_dev_ops xhci_machine_ops;

/* hid.c */
int usb_hid_create(struct machine *m, struct xhci *hc,
		   const struct spec_input *spec, struct error *err);

/* storage.c */
int usb_storage_create(struct machine *m, struct xhci *hc,
		       const struct spec_disk *spec, struct error *err);

#endif
