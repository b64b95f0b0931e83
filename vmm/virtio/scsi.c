/*
 * vmm/virtio/scsi.c -- virtio SCSI host (virtio 1.2, section 5.6).
 *
 * Disks and CD-ROM drives by target and logical unit, behind any number of
 * request queues; all of it runs on the device's thread.  Commands cannot be
 * taken back from the block layer: a task management function that aborts
 * some is answered once they have ended.
 *
 * Left out: bidirectional commands, protection information.
 */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_scsi.h>
#include <string.h>

#include "base/error.h"
#include "base/iov.h"
#include "vmm/boot/bootorder.h"
#include "vmm/machine.h"
#include "vmm/scsi/scsi.h"
#include "vmm/spec.h"
#include "vmm/state.h"
#include "vmm/virtio/devices.h"
#include "vmm/virtio/virtio.h"

enum { CONTROLQ, EVENTQ, REQUESTQ }; /* 5.6.2; request queues from 2 on */

enum {
	SEG_MAX = VQ_SIZE_MAX - 2,
	SECTORS_MAX = 0xffff,
	REQ_LEN = offsetof(struct virtio_scsi_cmd_req, cdb),
	RESP_LEN = offsetof(struct virtio_scsi_cmd_resp, sense),
	TARGET_MAX = 255,
	LUN_MAX = 16383,
	LUN_LEN = 8,
	UNITS_MAX = 1024,
	/* 5.6.6.3.1: why a unit's transport is reset */
	UNIT_CAME = VIRTIO_SCSI_EVT_RESET_RESCAN,
	UNIT_WENT = VIRTIO_SCSI_EVT_RESET_REMOVED,
	REPORT_LUNS = 0xa0,
	INQUIRY = 0x12,
};

struct unit {
	struct hba *hba;
	unsigned int target, lun;
	struct drive *drive;
	struct scsi_dev scsi;
	bool leaving; /* no new requests */
};

struct request {
	struct request *next; /* of those that are out */
	struct hba *hba;
	struct unit *unit; /* NULL: answered without one */
	struct virtqueue *vq;
	uint16_t head;
	uint64_t tag;
	struct scsi_cmd cmd;
	unsigned int n_resp; /* of iov: where the response goes */
	struct iovec iov[];
};

/* A task management function that waits for requests to end. */
struct task {
	struct task *next;
	uint16_t head;
	struct unit *unit;
	bool one; /* only the request with this tag */
	uint64_t tag;
	uint8_t *response;
};

struct hba {
	struct virtio_dev dev;
	unsigned int index; /* the controller's, which disks name */
	unsigned int n_units;
	struct unit **units;
	struct saved *saved; /* the units' state, while it is written or read */
	struct request *requests;
	struct task *tasks;
	bool missed; /* an event found no buffer */
	struct vq_buf buf;
};

static struct virtio_scsi_config *config(struct hba *hba)
{
	return (void *)hba->dev.config;
}

/* ---- addresses (5.6.6.1) ---- */

/* Byte 0 is 1; then the target, then a single-level LUN. */
static bool parse_lun(const uint8_t a[LUN_LEN], unsigned int *ret_target,
		      unsigned int *ret_lun)
{
	*ret_target = a[1];
	*ret_lun = (a[2] << 8 | a[3]) & LUN_MAX;
	return a[0] == 1;
}

/* SAM 4.7: peripheral addressing as long as that does. */
static void put_level(uint8_t a[2], unsigned int lun)
{
	a[0] = lun < 256 ? 0 : lun >> 8 | 0x40;
	a[1] = lun;
}

/* In events a unit has the number that REPORT LUNS gave it: Linux compares. */
static void put_lun(uint8_t a[LUN_LEN], const struct unit *u)
{
	memset(a, 0, LUN_LEN);
	a[0] = 1;
	a[1] = u->target;
	put_level(a + 2, u->lun);
}

static struct unit *find_unit(struct hba *hba, unsigned int target,
			      unsigned int lun)
{
	for (unsigned int i = 0; i < hba->n_units; i++)
		if (hba->units[i]->target == target &&
		    hba->units[i]->lun == lun)
			return hba->units[i];
	return NULL;
}

static bool has_target(const struct hba *hba, unsigned int target)
{
	for (unsigned int i = 0; i < hba->n_units; i++)
		if (hba->units[i]->target == target &&
		    !hba->units[i]->leaving)
			return true;
	return false;
}

/* ---- task management (5.6.6.2) ---- */

static bool task_waits(const struct hba *hba, const struct task *t)
{
	for (const struct request *r = hba->requests; r; r = r->next)
		if (r->unit == t->unit && (!t->one || r->tag == t->tag))
			return true;
	return false;
}

static void finish_task(struct hba *hba, struct task *t)
{
	struct virtqueue *vq = virtio_queue(&hba->dev, CONTROLQ);

	if (!hba->dev.resetting) {
		*t->response = VIRTIO_SCSI_S_OK; /* FUNCTION COMPLETE */
		vq_push(vq, t->head, 1);
		vq_signal(vq);
	}
	free(t);
}

static void finish_tasks(struct hba *hba)
{
	struct task **at = &hba->tasks, *t;

	while ((t = *at)) {
		if (task_waits(hba, t)) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		finish_task(hba, t);
	}
}

/* ---- requests ---- */

static void unlink_request(struct hba *hba, struct request *r)
{
	struct request **at = &hba->requests;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
}

static void respond(struct request *r, uint8_t response)
{
	const struct scsi_cmd *c = &r->cmd;
	uint64_t asked = c->in_len ? c->in_len : c->out_len;
	struct virtio_scsi_cmd_resp resp = {
		.sense_len = MIN(c->sense_len, config(r->hba)->sense_size),
		.resid = asked - MIN(c->moved, asked),
		.status = c->status,
		.response = response,
	};

	memcpy(resp.sense, c->sense, resp.sense_len);
	iov_write(r->iov, r->n_resp, 0, &resp,
		  RESP_LEN + config(r->hba)->sense_size);
	vq_push(r->vq, r->head,
		RESP_LEN + config(r->hba)->sense_size +
			(c->in_len ? c->moved : 0));
	vq_signal(r->vq);
}

static void request_done(struct scsi_cmd *c)
{
	struct request *r = container_of(c, struct request, cmd);
	struct hba *hba = r->hba;

	unlink_request(hba, r);
	if (!hba->dev.resetting)
		respond(r, c->overrun ? VIRTIO_SCSI_S_OVERRUN :
					VIRTIO_SCSI_S_OK);
	if (!hba->requests || (r->unit && r->unit->leaving))
		virtio_idle(&hba->dev);
	free(r);
	finish_tasks(hba);
	if (!hba->requests && hba->dev.resetting)
		virtio_reset_done(&hba->dev);
}

/* The response comes first in the writable part, data after it. */
static struct request *make_request(struct hba *hba, struct virtqueue *vq,
				    const struct virtio_scsi_cmd_req *req)
{
	const struct vq_buf *b = &hba->buf;
	unsigned int n = b->n_out + b->n_in, resp_len, cdb;
	struct request *r =
		xcalloc(1, sizeof(*r) + 3 * n * sizeof(r->iov[0]));
	struct iovec *in = r->iov + n, *out = in + n;
	struct scsi_cmd *c = &r->cmd;

	resp_len = RESP_LEN + config(hba)->sense_size;
	cdb = config(hba)->cdb_size;
	r->hba = hba;
	r->vq = vq;
	r->head = b->head;
	r->tag = req->tag;
	r->n_resp = iov_slice(b->iov + b->n_out, b->n_in, 0, resp_len, r->iov);
	memcpy(c->cdb, req->cdb, MIN(cdb, sizeof(c->cdb)));
	c->done = request_done;
	c->in = in;
	c->n_in = iov_slice(b->iov + b->n_out, b->n_in, resp_len, UINT64_MAX,
			    in);
	c->in_len = iov_length(in, c->n_in);
	c->out = out;
	c->n_out = iov_slice(b->iov, b->n_out, REQ_LEN + cdb, UINT64_MAX, out);
	c->out_len = iov_length(out, c->n_out);
	r->next = hba->requests;
	hba->requests = r;
	return r;
}

/* SPC-4 6.33: eight bytes of header, then eight for each unit. */
static void report_luns(struct request *r, unsigned int target)
{
	struct hba *hba = r->hba;
	uint32_t len = 0, alloc;
	_cleanup_free_ uint8_t *list =
		xcalloc(hba->n_units + 1, LUN_LEN);

	memcpy(&alloc, r->cmd.cdb + 6, sizeof(alloc));
	alloc = be32toh(alloc);
	for (unsigned int i = 0; i < hba->n_units; i++) {
		const struct unit *u = hba->units[i];

		if (u->target != target || u->leaving)
			continue;
		len += LUN_LEN;
		put_level(list + len, u->lun);
	}
	list[2] = len >> 8;
	list[3] = len;
	scsi_reply(&r->cmd, list, len + 8, alloc);
}

/* SPC-4 6.6.2: nothing is there, and nothing can be. */
static void inquiry_absent(struct request *r)
{
	uint8_t d[36] = { 0x7f, 0, 5, 2, 31 };

	scsi_reply(&r->cmd, d, sizeof(d), r->cmd.cdb[4]);
}

static void run_request(struct request *r, unsigned int target,
			unsigned int lun)
{
	struct scsi_cmd *c = &r->cmd;

	r->unit = find_unit(r->hba, target, lun);
	if (r->unit && r->unit->leaving)
		r->unit = NULL;
	if (c->cdb[0] == REPORT_LUNS) {
		report_luns(r, target);
	} else if (r->unit) {
		c->dev = &r->unit->scsi;
		scsi_run(c);
	} else if (c->cdb[0] == INQUIRY) {
		inquiry_absent(r);
	} else {
		scsi_fail(c, SCSI_ILLEGAL_REQUEST, ASC_LUN_NOT_SUPPORTED);
	}
}

/* 5.6.6.1: no such target is said in the response, not by SCSI. */
static void refuse_request(struct request *r, uint8_t response)
{
	unlink_request(r->hba, r);
	respond(r, response);
	free(r);
}

static bool take_request(struct hba *hba, struct virtqueue *vq)
{
	struct virtio_scsi_cmd_req req = { 0 };
	unsigned int target, lun;
	size_t len = REQ_LEN + config(hba)->cdb_size;
	struct request *r;

	if (vq_read(&hba->buf, 0, &req, len) < len ||
	    hba->buf.in_len < RESP_LEN + config(hba)->sense_size) {
		virtio_needs_reset(&hba->dev, "request without header or "
					      "response");
		return false;
	}
	r = make_request(hba, vq, &req);
	if (!parse_lun(req.lun, &target, &lun) || !has_target(hba, target))
		refuse_request(r, VIRTIO_SCSI_S_BAD_TARGET);
	else if (r->cmd.in_len && r->cmd.out_len)
		refuse_request(r, VIRTIO_SCSI_S_FAILURE);
	else
		run_request(r, target, lun);
	return true;
}

/* ---- control queue ---- */

static uint8_t *response_byte(struct hba *hba, unsigned int at)
{
	for (unsigned int i = 0; i < hba->buf.n_in; i++) {
		struct iovec *v = &hba->buf.iov[hba->buf.n_out + i];

		if (at < v->iov_len)
			return (uint8_t *)v->iov_base + at;
		at -= v->iov_len;
	}
	return NULL;
}

static void answer_control(struct hba *hba, uint8_t *at, uint8_t response,
			   uint32_t len)
{
	*at = response;
	vq_push(virtio_queue(&hba->dev, CONTROLQ), hba->buf.head, len);
}

static void wait_for(struct hba *hba, struct unit *u, bool one, uint64_t tag,
		     uint8_t *response)
{
	struct task *t = xcalloc(1, sizeof(*t));

	t->head = hba->buf.head;
	t->unit = u;
	t->one = one;
	t->tag = tag;
	t->response = response;
	t->next = hba->tasks;
	hba->tasks = t;
}

static uint8_t query(struct hba *hba, struct unit *u, bool one, uint64_t tag)
{
	struct task t = { .unit = u, .one = one, .tag = tag };

	return task_waits(hba, &t) ? VIRTIO_SCSI_S_FUNCTION_SUCCEEDED :
				     VIRTIO_SCSI_S_OK;
}

static void reset_target(struct hba *hba, unsigned int target)
{
	for (unsigned int i = 0; i < hba->n_units; i++)
		if (hba->units[i]->target == target)
			scsi_reset(&hba->units[i]->scsi);
}

static void manage(struct hba *hba, const struct virtio_scsi_ctrl_tmf_req *q,
		   uint8_t *response)
{
	unsigned int target, lun;
	bool ok = parse_lun(q->lun, &target, &lun) && has_target(hba, target);
	struct unit *u = ok ? find_unit(hba, target, lun) : NULL;
	uint8_t value = VIRTIO_SCSI_S_FUNCTION_REJECTED;

	switch (q->subtype) {
	case VIRTIO_SCSI_T_TMF_ABORT_TASK:
	case VIRTIO_SCSI_T_TMF_ABORT_TASK_SET:
	case VIRTIO_SCSI_T_TMF_CLEAR_TASK_SET:
	case VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET:
		if (!u)
			break;
		if (q->subtype == VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET)
			scsi_reset(&u->scsi);
		wait_for(hba, u, q->subtype == VIRTIO_SCSI_T_TMF_ABORT_TASK,
			 q->tag, response);
		finish_tasks(hba);
		return;
	case VIRTIO_SCSI_T_TMF_I_T_NEXUS_RESET:
		if (ok)
			reset_target(hba, target);
		if (ok)
			value = VIRTIO_SCSI_S_OK;
		break;
	case VIRTIO_SCSI_T_TMF_QUERY_TASK:
	case VIRTIO_SCSI_T_TMF_QUERY_TASK_SET:
		if (u)
			value = query(hba, u,
				      q->subtype ==
					      VIRTIO_SCSI_T_TMF_QUERY_TASK,
				      q->tag);
		break;
	}
	if (!ok)
		value = VIRTIO_SCSI_S_BAD_TARGET;
	else if (!u && value == VIRTIO_SCSI_S_FUNCTION_REJECTED)
		value = VIRTIO_SCSI_S_INCORRECT_LUN;
	answer_control(hba, response, value, 1);
}

/* 5.6.6.2.2: no unit sends asynchronous notifications. */
static void notifications(struct hba *hba, uint8_t *response)
{
	static const uint32_t none;

	vq_write(&hba->buf, 0, &none, sizeof(none));
	answer_control(hba, response, VIRTIO_SCSI_S_OK,
		       sizeof(struct virtio_scsi_ctrl_an_resp));
}

static bool take_control(struct hba *hba)
{
	struct virtio_scsi_ctrl_tmf_req q = { 0 };
	size_t n = vq_read(&hba->buf, 0, &q, sizeof(q));
	uint8_t *tmf = response_byte(hba, 0);
	uint8_t *an = response_byte(
		hba, offsetof(struct virtio_scsi_ctrl_an_resp, response));

	if (n == sizeof(q) && q.type == VIRTIO_SCSI_T_TMF && tmf) {
		manage(hba, &q, tmf);
	} else if (n >= sizeof(struct virtio_scsi_ctrl_an_req) && an &&
		   (q.type == VIRTIO_SCSI_T_AN_QUERY ||
		    q.type == VIRTIO_SCSI_T_AN_SUBSCRIBE)) {
		notifications(hba, an);
	} else if (n >= sizeof(q.type) && tmf) {
		answer_control(hba, tmf, VIRTIO_SCSI_S_FAILURE, 1);
	} else {
		virtio_needs_reset(&hba->dev, "unusable control request");
		return false;
	}
	return true;
}

/* ---- events (5.6.6.3) ---- */

static void send_event(struct hba *hba, uint32_t event, uint32_t reason,
		       const struct unit *u)
{
	struct virtqueue *vq = virtio_queue(&hba->dev, EVENTQ);
	struct virtio_scsi_event e = { .event = event, .reason = reason };

	if (!virtio_live(&hba->dev) || !vq->enabled)
		return;
	if (!vq_pop(vq, &hba->buf)) {
		hba->missed = true;
		return;
	}
	if (u)
		put_lun(e.lun, u);
	if (hba->missed)
		e.event |= VIRTIO_SCSI_T_EVENTS_MISSED;
	hba->missed = false;
	vq_push(vq, hba->buf.head, vq_write(&hba->buf, 0, &e, sizeof(e)));
	vq_signal(vq);
}

static void medium_changed(void *arg)
{
	struct unit *u = arg;
	uint32_t asc = u->scsi.cdrom ? ASC_MEDIUM_CHANGED :
				       ASC_CAPACITY_CHANGED;

	scsi_medium_changed(&u->scsi);
	if (virtio_has(&u->hba->dev, VIRTIO_SCSI_F_CHANGE))
		send_event(u->hba, VIRTIO_SCSI_T_PARAM_CHANGE,
			   asc >> 8 | (asc & 0xff) << 8, u);
}

/* Buffers arrived after an event was lost: say so. */
static void take_event_buffers(struct hba *hba)
{
	if (hba->missed)
		send_event(hba, VIRTIO_SCSI_T_NO_EVENT, 0, NULL);
}

/* ---- the device ---- */

static void scsi_notify(struct virtio_dev *dev, unsigned int queue)
{
	struct hba *hba = container_of(dev, struct hba, dev);
	struct virtqueue *vq = virtio_queue(dev, queue);

	if (queue == EVENTQ) {
		take_event_buffers(hba);
		return;
	}
	while (vq_pop(vq, &hba->buf)) {
		if (!(queue == CONTROLQ ? take_control(hba) :
					  take_request(hba, vq)))
			break;
	}
	for (unsigned int i = 0; i < hba->n_units; i++)
		if (drive_in_flight(hba->units[i]->drive))
			drive_kick(hba->units[i]->drive);
	vq_signal(vq);
}

/* 5.6.4: the driver may ask for other sizes, of at most what we have. */
static void scsi_config_write(struct virtio_dev *dev, unsigned int offset,
			      uint32_t value, unsigned int size)
{
	struct virtio_scsi_config *c =
		config(container_of(dev, struct hba, dev));

	if (size != 4)
		return;
	if (offset == offsetof(struct virtio_scsi_config, sense_size) &&
	    value <= VIRTIO_SCSI_SENSE_SIZE)
		c->sense_size = value;
	if (offset == offsetof(struct virtio_scsi_config, cdb_size) &&
	    value <= VIRTIO_SCSI_CDB_SIZE)
		c->cdb_size = value;
}

static void drop_tasks(struct hba *hba)
{
	struct task *t;

	while ((t = hba->tasks)) {
		hba->tasks = t->next;
		free(t);
	}
}

static bool scsi_reset_device(struct virtio_dev *dev)
{
	struct hba *hba = container_of(dev, struct hba, dev);

	config(hba)->sense_size = VIRTIO_SCSI_SENSE_SIZE;
	config(hba)->cdb_size = VIRTIO_SCSI_CDB_SIZE;
	hba->missed = false;
	drop_tasks(hba);
	for (unsigned int i = 0; i < hba->n_units; i++)
		scsi_reset(&hba->units[i]->scsi);
	return !hba->requests;
}

static bool scsi_busy(struct virtio_dev *dev)
{
	return container_of(dev, struct hba, dev)->requests != NULL;
}

/* A unit's state is a group of its own, of one member. */
struct saved {
	struct scsi_dev scsi;
};

static const struct state_field unit_fields[] = {
	STATE_STRUCT(struct saved, scsi, scsi_fields),
	STATE_END,
};

/* The device comes first in struct hba, which is what the type is given. */
static const struct state_field hba_fields[] = {
	{ .name = "units",
	  .kind = STATE_GROUP,
	  .pointer = true,
	  .offset = offsetof(struct hba, saved),
	  .size = sizeof(struct saved),
	  .count = UNITS_MAX,
	  .counter = offsetof(struct hba, n_units),
	  .fields = unit_fields },
	STATE_BOOL(struct hba, missed),
	{ .name = "sizes",
	  .kind = STATE_INT,
	  .offset = offsetof(struct hba, dev.config) +
		    offsetof(struct virtio_scsi_config, sense_size),
	  .size = 4,
	  .count = 2, /* sense_size, cdb_size */
	  .max = VIRTIO_SCSI_SENSE_SIZE },
	STATE_END,
};
static_assert(offsetof(struct hba, dev) == 0, "the state's object");

static void scsi_saving(void *obj)
{
	struct hba *hba = obj;

	for (unsigned int i = 0; i < hba->n_units; i++)
		hba->saved[i].scsi = hba->units[i]->scsi;
}

static int scsi_loaded(void *obj, unsigned int version, struct error *err)
{
	struct hba *hba = obj;

	for (unsigned int i = 0; i < hba->n_units; i++)
		hba->units[i]->scsi = hba->saved[i].scsi;
	return config(obj)->cdb_size > VIRTIO_SCSI_CDB_SIZE ? -EINVAL : 0;
}

static const struct state_type scsi_state = {
	.name = "virtio-scsi",
	.version = 1,
	.fields = hba_fields,
	.saving = scsi_saving,
	.loaded = scsi_loaded,
};

static void scsi_destroy(struct virtio_dev *dev)
{
	struct hba *hba = container_of(dev, struct hba, dev);

	virtio_stop(dev);
	dev->resetting = true; /* nobody is there to be answered */
	for (unsigned int i = 0; i < hba->n_units; i++) {
		drive_destroy(hba->units[i]->drive);
		free(hba->units[i]);
	}
	drop_tasks(hba);
	free(hba->units);
	free(hba->saved);
	virtio_finish(dev);
	free(hba);
}

static const struct virtio_type virtio_scsi = {
	.name = "scsi",
	.id = VIRTIO_ID_SCSI,
	.class_code = 0x010000, /* PCI D.2: mass storage, SCSI */
	.own_thread = true,
	.notify = scsi_notify,
	.config_write = scsi_config_write,
	.reset = scsi_reset_device,
	.busy = scsi_busy,
	.state = &scsi_state,
	.destroy = scsi_destroy,
};

static void scsi_stats(void *arg, machine_stat_fn *emit, void *emit_arg)
{
	struct hba *hba = arg;

	for (unsigned int i = 0; i < hba->n_units; i++)
		drive_stats(hba->units[i]->drive, emit, emit_arg);
}

static struct unit *unit_of(struct hba *hba, const char *id)
{
	for (unsigned int i = 0; i < hba->n_units; i++)
		if (str_eq(drive_id(hba->units[i]->drive), id))
			return hba->units[i];
	return NULL;
}

static void scsi_drives(void *arg, machine_drive_fn *fn, void *fn_arg)
{
	struct hba *hba = arg;

	for (unsigned int i = 0; i < hba->n_units; i++)
		fn(fn_arg, hba->units[i]->drive);
}

static int scsi_insert_medium(void *arg, const char *id, const char *format,
			      int fd, bool force, struct error *err)
{
	struct hba *hba = arg;
	struct unit *u = unit_of(hba, id);

	return u && u->scsi.cdrom ? scsi_insert(&u->scsi, &hba->dev.lock,
						format, fd, force, err) :
				    -ENOENT;
}

static void tray_moved(struct scsi_dev *dev)
{
	struct unit *u = dev->arg;

	machine_tell_tray(u->hba->dev.m, drive_id(u->drive), dev->tray_open);
}

static int make_unit(struct hba *hba, const struct spec_disk *d,
		     struct unit **ret_unit, struct error *err)
{
	struct unit *u;
	int r;

	if (d->target > TARGET_MAX || d->unit > LUN_MAX ||
	    hba->n_units == UNITS_MAX || find_unit(hba, d->target, d->unit))
		return error_set(err, -EINVAL,
				 "disk '%s': target %u, unit %u is taken or does not exist",
				 d->id, d->target, d->unit);
	u = xcalloc(1, sizeof(*u));
	r = drive_create(d, hba->dev.loop, &hba->dev.lock, &u->drive, err);
	if (r < 0) {
		free(u);
		return r;
	}
	u->hba = hba;
	u->target = d->target;
	u->lun = d->unit;
	scsi_init(&u->scsi, d, u->drive);
	if (d->kind == SPEC_LUN)
		r = scsi_pass(&u->scsi, d, err);
	if (r < 0) {
		drive_destroy(u->drive);
		free(u);
		return r;
	}
	drive_set_ram(u->drive, hba->dev.m->ram);
	u->scsi.tray_moved = tray_moved;
	u->scsi.arg = u;
	drive_on_change(u->drive, medium_changed, u);
	*ret_unit = u;
	return 0;
}

static void enlist(struct hba *hba, struct unit *u)
{
	hba->units = xrealloc(hba->units, hba->n_units + 1,
			      sizeof(*hba->units));
	hba->saved = xrealloc(hba->saved, hba->n_units + 1,
			      sizeof(*hba->saved));
	hba->saved[hba->n_units].scsi = u->scsi;
	hba->units[hba->n_units++] = u;
}

static void delist(struct hba *hba, const struct unit *u)
{
	unsigned int i = 0;

	while (hba->units[i] != u)
		i++;
	hba->n_units--;
	for (; i < hba->n_units; i++)
		hba->units[i] = hba->units[i + 1];
}

static int add_unit(struct hba *hba, const struct spec_disk *d,
		    struct error *err)
{
	struct unit *u;
	int r = make_unit(hba, d, &u, err);

	if (r == 0)
		enlist(hba, u);
	return r;
}

/* ---- units that come and go ---- */

/* Drives belong to the loop of the device's thread. */
struct plug {
	struct hba *hba;
	const struct spec_disk *disk;
	struct unit *unit;
	struct error *err;
	int result;
};

/* The driver is told; it looks for the unit, or lets go of it. */
static void announce(struct unit *u, uint32_t reason)
{
	struct hba *hba = u->hba;

	for (unsigned int i = 0; i < hba->n_units; i++)
		if (hba->units[i] != u && hba->units[i]->target == u->target)
			scsi_attention(&hba->units[i]->scsi, SCSI_UA_LUNS);
	if (virtio_has(&hba->dev, VIRTIO_SCSI_F_HOTPLUG))
		send_event(hba, VIRTIO_SCSI_T_TRANSPORT_RESET, reason, u);
}

static void plug_unit(void *arg)
{
	struct plug *p = arg;

	p->result = make_unit(p->hba, p->disk, &p->unit, p->err);
	if (p->result < 0)
		return;
	pthread_mutex_lock(&p->hba->dev.lock);
	enlist(p->hba, p->unit);
	announce(p->unit, UNIT_CAME);
	pthread_mutex_unlock(&p->hba->dev.lock);
}

static int scsi_plug(void *arg, const struct vmm_spec *one, struct error *err)
{
	struct hba *hba = arg;
	struct plug p = { .hba = hba, .disk = one->disks, .err = err };
	int r;

	if (!one->n_disks || one->disks[0].bus != SPEC_SCSI ||
	    one->disks[0].controller != hba->index)
		return -ENOENT;
	r = virtio_call(&hba->dev, plug_unit, &p);
	return r < 0 ? r : p.result;
}

static void unplug_unit(void *arg)
{
	struct plug *p = arg;

	drive_destroy(p->unit->drive);
	free(p->unit);
}

static bool has_requests(const struct unit *u)
{
	for (const struct request *r = u->hba->requests; r; r = r->next)
		if (r->unit == u)
			return true;
	return false;
}

/* What is under way ends first, and what waits for that is answered. */
static int scsi_unplug(void *arg, const char *id)
{
	struct hba *hba = arg;
	struct plug p = { .hba = hba, .unit = unit_of(hba, id) };

	if (!p.unit)
		return -ENOENT;
	pthread_mutex_lock(&hba->dev.lock);
	p.unit->leaving = true;
	announce(p.unit, UNIT_WENT);
	while (has_requests(p.unit))
		pthread_cond_wait(&hba->dev.idle, &hba->dev.lock);
	finish_tasks(hba);
	delist(hba, p.unit);
	pthread_mutex_unlock(&hba->dev.lock);
	return virtio_call(&hba->dev, unplug_unit, &p);
}

static const struct machine_dev_ops scsi_machine_ops = {
	.name = "virtio-scsi",
	.insert = scsi_insert_medium,
	.drives = scsi_drives,
	.plug = scsi_plug,
	.unplug = scsi_unplug,
	.stateless = true, /* its PCI function saves it */
	.stats = scsi_stats,
};

/* A unit of the host's does not take more at once. */
static unsigned int max_sectors(const struct hba *hba)
{
	for (unsigned int i = 0; i < hba->n_units; i++)
		if (hba->units[i]->scsi.passed_block)
			return SCSI_PASSED_MAX / BLOCK_SECTOR;
	return SECTORS_MAX;
}

static void set_config(struct hba *hba, unsigned int queues)
{
	*config(hba) = (struct virtio_scsi_config){
		.num_queues = queues,
		.seg_max = SEG_MAX,
		.max_sectors = max_sectors(hba),
		.cmd_per_lun = VQ_SIZE_MAX / 2,
		.event_info_size = sizeof(struct virtio_scsi_event),
		.sense_size = VIRTIO_SCSI_SENSE_SIZE,
		.cdb_size = VIRTIO_SCSI_CDB_SIZE,
		.max_target = TARGET_MAX,
		.max_lun = LUN_MAX,
	};
	hba->dev.config_size = sizeof(struct virtio_scsi_config);
}

int virtio_scsi_add(struct machine *m, const struct spec_controller *spec,
		    const struct spec_disk *const *disks, unsigned int n,
		    struct error *err)
{
	struct hba *hba = xcalloc(1, sizeof(*hba));
	unsigned int queues = spec->queues ? spec->queues : 1;
	int r = virtio_init(&hba->dev, &virtio_scsi, m, spec->id,
			    REQUESTQ + queues,
			    BIT64(VIRTIO_SCSI_F_HOTPLUG) |
				    BIT64(VIRTIO_SCSI_F_CHANGE),
			    err);

	hba->index = spec->index;
	for (unsigned int i = 0; i < n && r >= 0; i++)
		r = add_unit(hba, disks[i], err);
	set_config(hba, queues);
	if (r >= 0)
		r = virtio_pci_plug(&hba->dev, &spec->pci, err);
	if (r < 0) {
		scsi_destroy(&hba->dev);
		return r;
	}
	for (unsigned int i = 0; i < n; i++)
		bootorder_add(m, disks[i]->boot_index, &hba->dev.pci, "scsi",
			      "/channel@0/disk@%x,%x", disks[i]->target,
			      disks[i]->unit);
	machine_add_device(m, &scsi_machine_ops, hba);
	return 0;
}
