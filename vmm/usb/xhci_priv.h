/*
 * vmm/usb/xhci_priv.h -- the USB host controller's insides, shared by xhci.c
 * (transfers and commands) and xhci_regs.c (registers and ports).
 */
#ifndef VMM_USB_XHCI_PRIV_H
#define VMM_USB_XHCI_PRIV_H

#include <pthread.h>

#include "vmm/bus.h"
#include "vmm/dev/pci.h"
#include "vmm/usb/usb.h"

enum { PORTS_2 = 8, PORTS = 16, SLOTS = 32, EPS = 32 };
/* 5.4.1, 5.4.2, 5.4.8, 5.5.2.1 and 5.5.2.3.3 */
enum { CMD_RUN = 1, CMD_RESET = 2, CMD_INTE = 4 };
enum { STS_HALTED = 1, STS_EINT = 8, STS_PCD = 0x10 };
enum { PORT_CCS = 1, PORT_PED = 2, PORT_PR = 0x10, PORT_PLS = 0x1e0,
       PORT_PLS_POLLING = 7 << 5, PORT_PLS_RXDETECT = 5 << 5, PORT_PP = 0x200,
       PORT_SPEED_HIGH = 3 << 10, PORT_CSC = 1 << 17, PORT_PRC = 1 << 21,
       PORT_CHANGES = 0xfe0000, PORT_WAKES = 0xe000000,
       PORT_LWS = 1 << 16 };
enum { IMAN_IP = 1, IMAN_IE = 2, ERDP_BUSY = 8 };

struct ring {
	uint64_t dequeue;
	bool cycle;
};

struct ep {
	uint8_t state, type;
	struct ring ring;
	/* A control transfer under way. */
	struct usb_setup setup;
	int answer; /* bytes in data; negative: not asked yet */
	uint32_t done;
	uint8_t *data;
};

struct slot {
	bool enabled;
	uint64_t context; /* the device context; 0: not addressed */
	unsigned int port;
	struct ep ep[EPS];
};

struct xhci {
	struct pci_dev pci;
	struct machine *m;
	struct msix *msix;
	struct usb_dev *devs[PORTS_2 + 1];

	pthread_mutex_t lock; /* the rest, and the devices' state */
	uint32_t usbcmd, usbsts, dnctrl, config, iman, imod, erstsz;
	uint64_t crcr, dcbaap, erstba, erdp;
	uint32_t portsc[PORTS + 1];
	struct ring command;
	bool erst_valid, event_cycle;
	uint64_t event_base;
	uint32_t event_size, event_next;
	struct slot slot[SLOTS + 1];
};

/* xhci.c */
void xhci_update_intx(struct xhci *x);
void xhci_post_port(struct xhci *x, unsigned int port);
void xhci_drop_slot(struct slot *s);
/* Slot 0's is that of the command ring. */
void xhci_doorbell(struct xhci *x, unsigned int slot, uint32_t value);

/* xhci_regs.c */
extern const struct bus_ops xhci_regs_ops;
void xhci_reset_regs(struct xhci *x);
void xhci_port_init(struct xhci *x, unsigned int port);
/* A device came to a port or went from it: tells the driver. */
void xhci_port_changed(struct xhci *x, unsigned int port);

/* xhci_plug.c */
void xhci_destroy_dev(struct usb_dev *dev); /* NULL: nothing */

#endif
