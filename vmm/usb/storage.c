/*
 * vmm/usb/storage.c -- a USB disk or CD-ROM drive ("BOT": USB Mass Storage
 * Class Bulk-Only Transport 1.0), with the SCSI commands of vmm/scsi/.
 *
 * Theory of operation.  A command comes in a block (CBW) through the bulk-out
 * endpoint, its data through one of the two, and a status block (CSW) goes out
 * through bulk-in.  One command is under way at a time.  Its data is kept here
 * in between: what the host sends until all of it is there, what it reads from
 * when the command has ended.  Commands run on a thread of the device's own
 * with the USB controller's lock held, as vmm/drive.h wants it.
 *
 * Where the two sides disagree about a transfer's length or direction (BOT 6.7)
 * the endpoint stalls and the status block says how much was left.  Left out:
 * several logical units, transfers of more than a MiB.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/boot/bootorder.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/scsi/scsi.h"
#include "vmm/spec.h"
#include "vmm/state.h"
#include "vmm/usb/standard.h"
#include "vmm/usb/usb.h"
#include "vmm/virtio/iothread.h"

enum { EP_IN = 1, EP_OUT = 2, CBW_LEN = 31, CSW_LEN = 13,
       CBW_SIGNATURE = 0x43425355, CSW_SIGNATURE = 0x53425355,
       CDB_MAX = 16, DATA_MAX = 1 << 20 };
/* BOT 5.3, table 5.3 */
enum { CSW_PASSED, CSW_FAILED, CSW_PHASE_ERROR };

enum phase {
	PHASE_CBW,
	PHASE_OUT,     /* data comes */
	PHASE_RUN,     /* the command is with the drive */
	PHASE_DROPPED, /* ... and nobody wants to know any more */
	PHASE_IN,      /* data goes */
	PHASE_CSW,
	PHASE_BROKEN, /* 6.6.1: until it is reset */
};

struct storage {
	struct usb_dev dev;
	struct machine *m;
	char *serial; /* NULL: none */
	struct iothread *thread;
	struct loop *loop;
	struct drive *drive;
	struct scsi_dev scsi;

	/* The controller's lock guards the rest. */
	pthread_cond_t idle;
	uint8_t configuration;
	enum phase phase;
	uint32_t tag, length; /* as the CBW had them */
	bool in;
	uint32_t moved;	 /* of length: by the host or the drive */
	uint32_t at, len; /* of data: what has gone, what is there */
	uint8_t status;
	uint8_t cdb[CDB_MAX];
	struct scsi_cmd cmd;
	struct iovec iov;
	uint8_t data[DATA_MAX];
};

static struct storage *from_dev(struct usb_dev *dev)
{
	return container_of(dev, struct storage, dev);
}

/* ---- commands ---- */

static void command_done(struct scsi_cmd *c)
{
	struct storage *st = container_of(c, struct storage, cmd);
	bool dropped = st->phase == PHASE_DROPPED;

	st->status = c->overrun		      ? CSW_PHASE_ERROR :
		     c->status == SCSI_GOOD ? CSW_PASSED :
						CSW_FAILED;
	st->moved = c->moved;
	st->at = 0;
	st->len = st->in ? MIN(c->moved, st->length) : 0;
	st->phase = dropped ? PHASE_CBW :
		    st->in && st->length ? PHASE_IN : PHASE_CSW;
	pthread_cond_broadcast(&st->idle);
	usb_wake(&st->dev, dropped ? EP_OUT : EP_IN);
}

/* On the device's thread. */
static void run_command(void *arg)
{
	struct storage *st = arg;

	usb_lock(&st->dev);
	st->iov = (struct iovec){ st->data, st->length };
	st->cmd = (struct scsi_cmd){ .dev = &st->scsi, .done = command_done };
	memcpy(st->cmd.cdb, st->cdb, CDB_MAX);
	if (st->in) {
		st->cmd.in = &st->iov;
		st->cmd.n_in = 1;
		st->cmd.in_len = st->length;
	} else {
		st->cmd.out = &st->iov;
		st->cmd.n_out = 1;
		st->cmd.out_len = st->length;
	}
	scsi_run(&st->cmd);
	drive_kick(st->drive);
	usb_unlock(&st->dev);
}

static void start_command(struct storage *st)
{
	if (iothread_start(st->thread) < 0) {
		st->phase = PHASE_BROKEN;
		return;
	}
	st->phase = PHASE_RUN;
	loop_defer(st->loop, run_command, st);
}

static uint32_t get_le32(const uint8_t *p)
{
	return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put_le32(uint8_t *p, uint32_t v)
{
	for (unsigned int i = 0; i < 4; i++)
		p[i] = v >> 8 * i;
}

/* BOT 6.2: whether it is valid, and means something. */
static int take_cbw(struct storage *st, const uint8_t *cbw, size_t len)
{
	unsigned int n;

	if (len != CBW_LEN || get_le32(cbw) != CBW_SIGNATURE || cbw[13] ||
	    !cbw[14] || cbw[14] > CDB_MAX) {
		st->phase = PHASE_BROKEN;
		return USB_STALL;
	}
	n = cbw[14];
	st->tag = get_le32(cbw + 4);
	st->length = get_le32(cbw + 8);
	st->in = cbw[12] & 0x80;
	st->moved = st->at = st->len = 0;
	memset(st->cdb, 0, sizeof(st->cdb));
	memcpy(st->cdb, cbw + 15, n);
	if (st->length > DATA_MAX) { /* nothing of it is moved */
		st->status = CSW_FAILED;
		st->phase = st->in ? PHASE_IN : PHASE_OUT;
	} else if (st->length && !st->in) {
		st->phase = PHASE_OUT;
	} else {
		start_command(st);
	}
	return len;
}

static int take_data(struct storage *st, const uint8_t *data, size_t len)
{
	if (st->length > DATA_MAX || len > st->length - st->len) {
		st->status = CSW_PHASE_ERROR;
		st->phase = PHASE_CSW;
		return USB_STALL;
	}
	memcpy(st->data + st->len, data, len);
	st->len += len;
	if (st->len == st->length)
		start_command(st);
	return len;
}

static int storage_out(struct usb_dev *dev, unsigned int ep,
		       const uint8_t *data, size_t len)
{
	struct storage *st = from_dev(dev);

	if (ep != EP_OUT || st->phase == PHASE_BROKEN)
		return USB_STALL;
	if (st->phase == PHASE_CBW)
		return take_cbw(st, data, len);
	return st->phase == PHASE_OUT ? take_data(st, data, len) : USB_NAK;
}

/* A transfer that ends early does so with a short packet or by a stall. */
static int give_data(struct storage *st, uint8_t *data, size_t len)
{
	size_t n = MIN(len, (size_t)(st->len - st->at));

	if (!n) {
		st->phase = PHASE_CSW;
		return USB_STALL;
	}
	memcpy(data, st->data + st->at, n);
	st->at += n;
	if (st->at == st->length || n < len)
		st->phase = PHASE_CSW;
	return (int)n;
}

static int give_csw(struct storage *st, uint8_t *data, size_t len)
{
	uint8_t csw[CSW_LEN];

	put_le32(csw, CSW_SIGNATURE);
	put_le32(csw + 4, st->tag);
	put_le32(csw + 8, st->length - MIN(st->moved, st->length));
	csw[12] = st->status;
	len = MIN(len, (size_t)CSW_LEN);
	memcpy(data, csw, len);
	st->phase = PHASE_CBW;
	usb_wake(&st->dev, EP_OUT);
	return (int)len;
}

static int storage_in(struct usb_dev *dev, unsigned int ep, uint8_t *data,
		      size_t len)
{
	struct storage *st = from_dev(dev);

	if (ep != EP_IN || st->phase == PHASE_BROKEN)
		return USB_STALL;
	if (st->phase == PHASE_IN)
		return give_data(st, data, len);
	return st->phase == PHASE_CSW ? give_csw(st, data, len) : USB_NAK;
}

/* ---- requests on endpoint 0 (BOT 3, 4) ---- */

static void drop_command(struct storage *st)
{
	st->phase = st->phase == PHASE_RUN || st->phase == PHASE_DROPPED ?
			    PHASE_DROPPED :
			    PHASE_CBW;
}

static int standard(struct storage *st, const struct usb_setup *s,
		    uint8_t *data)
{
	/* Interface: mass storage, SCSI commands, bulk only; 512-byte
	 * packets. */
	static const uint8_t config[] = {
		9, USB_DESC_CONFIG, 32, 0, 1, 1, 0, 0x80, 50,
		9, USB_DESC_INTERFACE, 0, 0, 2, 8, 6, 0x50, 0,
		7, USB_DESC_ENDPOINT, 0x80 | EP_IN, 2, 0, 2, 0,
		7, USB_DESC_ENDPOINT, EP_OUT, 2, 0, 2, 0,
	};
	const struct usb_identity id = {
		.vendor = 0x46f4, /* as drivers know it */
		.product = 0x0001,
		.name = "Vireo USB Storage",
		.serial = st->serial,
		.config = config,
		.config_len = sizeof(config),
	};

	return usb_standard(&id, &st->configuration, s, data);
}

static int storage_control(struct usb_dev *dev, const struct usb_setup *s,
			   uint8_t *data)
{
	struct storage *st = from_dev(dev);
	static const uint8_t last_lun;

	switch (USB_REQ(s->request_type, s->request)) {
	case USB_REQ(0x21, 0xff): /* Bulk-Only Mass Storage Reset */
		drop_command(st);
		return 0;
	case USB_REQ(0xa1, 0xfe): /* Get Max LUN */
		return usb_put(s, data, &last_lun, 1);
	}
	return standard(st, s, data);
}

/* ---- life ---- */

static void storage_reset(struct usb_dev *dev)
{
	struct storage *st = from_dev(dev);

	st->configuration = 0;
	drop_command(st);
	scsi_reset(&st->scsi);
}

static void storage_settle(struct usb_dev *dev)
{
	struct storage *st = from_dev(dev);

	while (st->phase == PHASE_RUN || st->phase == PHASE_DROPPED)
		pthread_cond_wait(&st->idle, xhci_lock(dev->hc));
}

static const struct state_field storage_fields[] = {
	STATE_MAX(struct storage, configuration, 1),
	STATE_MAX(struct storage, phase, PHASE_BROKEN),
	STATE(struct storage, tag),
	STATE(struct storage, length),
	STATE_BOOL(struct storage, in),
	STATE(struct storage, moved),
	STATE_MAX(struct storage, at, DATA_MAX),
	STATE_MAX(struct storage, status, CSW_PHASE_ERROR),
	STATE_RAW(struct storage, cdb),
	STATE_STRUCT(struct storage, scsi, scsi_fields),
	{ .name = "data",
	  .kind = STATE_BYTES,
	  .offset = offsetof(struct storage, data),
	  .size = 1,
	  .count = DATA_MAX,
	  .counter = offsetof(struct storage, len) },
	STATE_END,
};

static int storage_loaded(void *obj, unsigned int version, struct error *err)
{
	const struct storage *st = obj;

	if (st->phase == PHASE_RUN || st->phase == PHASE_DROPPED ||
	    st->at > st->len || st->len > st->length)
		return error_set(err, -EINVAL,
				 "a USB disk's transfer is not right");
	return 0;
}

static const struct state_type storage_state = {
	.name = "usb-storage",
	.version = 1,
	.fields = storage_fields,
	.loaded = storage_loaded,
};

static void storage_states(struct usb_dev *dev, struct state_set *set)
{
	state_add(set, &storage_state, NULL, from_dev(dev));
}

static void storage_stats(struct usb_dev *dev, machine_stat_fn *emit,
			  void *arg)
{
	drive_stats(from_dev(dev)->drive, emit, arg);
}

static struct drive *storage_drive(struct usb_dev *dev)
{
	return from_dev(dev)->drive;
}

static int storage_insert(struct usb_dev *dev, const char *format, int fd,
			  bool force, struct error *err)
{
	struct storage *st = from_dev(dev);

	if (!st->scsi.cdrom)
		return -ENOENT;
	if (iothread_start(st->thread) < 0)
		return error_set(err, -EAGAIN, "no thread for drive '%s'",
				 dev->id);
	return scsi_insert(&st->scsi, xhci_lock(dev->hc), format, fd, force,
			   err);
}

static void medium_changed(void *arg)
{
	struct storage *st = arg;

	scsi_medium_changed(&st->scsi);
}

static void tray_moved(struct scsi_dev *scsi)
{
	struct storage *st = scsi->arg;

	machine_tell_tray(st->m, drive_id(st->drive), st->scsi.tray_open);
}

static void storage_destroy(struct usb_dev *dev)
{
	struct storage *st = from_dev(dev);

	iothread_stop(st->thread);
	drive_destroy(st->drive);
	iothread_destroy(st->thread);
	pthread_cond_destroy(&st->idle);
	free(st->serial);
	free(st);
}

static const struct usb_dev_ops storage_ops = {
	.name = "storage",
	.control = storage_control,
	.in = storage_in,
	.out = storage_out,
	.reset = storage_reset,
	.settle = storage_settle,
	.stats = storage_stats,
	.drive = storage_drive,
	.insert = storage_insert,
	.states = storage_states,
	.destroy = storage_destroy,
};

static int add_drive(struct storage *st, struct xhci *hc,
		     const struct spec_disk *spec, struct error *err)
{
	int r = iothread_create(spec->id, &st->thread, err);

	if (r < 0)
		return r;
	st->loop = iothread_loop(st->thread);
	r = drive_create(spec, st->loop, xhci_lock(hc), &st->drive, err);
	if (r < 0)
		return r;
	scsi_init(&st->scsi, spec, st->drive);
	st->scsi.atapi = true; /* no sense data comes with the status */
	st->scsi.tray_moved = tray_moved;
	st->scsi.arg = st;
	drive_on_change(st->drive, medium_changed, st);
	return 0;
}

int usb_storage_create(struct machine *m, struct xhci *hc,
		       const struct spec_disk *spec, struct error *err)
{
	struct storage *st = xcalloc(1, sizeof(*st));
	int r;

	st->dev.ops = &storage_ops;
	st->m = m;
	st->serial = xstrdup(spec->serial);
	pthread_cond_init(&st->idle, NULL);
	r = add_drive(st, hc, spec, err);
	if (r == 0)
		r = xhci_attach(hc, &st->dev, spec->id, spec->unit, err);
	if (r < 0) {
		storage_destroy(&st->dev);
		return r;
	}
	bootorder_add(m, spec->boot_index, xhci_pci(hc), "usb",
		      "/storage@%x/channel@0/disk@0,0", st->dev.port);
	return 0;
}
