/*
 * vmm/dev/nvme_admin.c -- admin commands (NVMe 5): queues, what the controller
 * and its namespace are, features, logs, events.
 *
 * Left out: firmware, formatting, namespace management, security, device
 * self-tests; features that are not mandatory, but the write cache.
 */
#include <string.h>

#include "base/iov.h"
#include "base/util.h"
#include "vmm/dev/msix.h"
#include "vmm/dev/nvme_priv.h"

enum {
	OP_DELETE_SQ = 0x00, OP_CREATE_SQ = 0x01, OP_GET_LOG = 0x02,
	OP_DELETE_CQ = 0x04, OP_CREATE_CQ = 0x05, OP_IDENTIFY = 0x06,
	OP_ABORT = 0x08, OP_SET_FEATURES = 0x09, OP_GET_FEATURES = 0x0a,
	OP_EVENT_REQUEST = 0x0c,
};

enum { FEAT_ARBITRATION = 1, FEAT_POWER = 2, FEAT_TEMPERATURE = 4,
       FEAT_RECOVERY = 5, FEAT_WRITE_CACHE = 6, FEAT_QUEUES = 7,
       FEAT_COALESCING = 8, FEAT_VECTOR = 9, FEAT_ATOMICITY = 0x0a,
       FEAT_EVENTS = 0x0b };

enum { LOG_ERRORS = 1, LOG_HEALTH = 2, LOG_FIRMWARE = 3, LOG_CHANGED = 4 };

enum { EVENT_NAMESPACE = BIT(8), /* 5.21.1.11: attributes changed */
       EVENT_NOTICE = 2, LOG_LEN = 4096 };

#define FIRMWARE "1.0     "

/* ---- replies ---- */

static int reply(struct nvme_cmd *c, const void *data, uint64_t len)
{
	int r = nvme_map(c, len);

	if (r == NVME_OK)
		iov_write(c->iov, c->n_iov, 0, data, len);
	return r;
}

static void put16(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static void put64(uint8_t *p, uint64_t v)
{
	memcpy(p, &v, sizeof(v));
}

/* ---- queues (5.3 to 5.6) ---- */

static bool bad_size(uint32_t size, uint64_t gpa)
{
	return size < 2 || size > NVME_ENTRIES_MAX || gpa % NVME_PAGE;
}

static int create_cq(struct nvme_cmd *c)
{
	uint32_t id = c->sqe.cdw10 & 0xffff, size = (c->sqe.cdw10 >> 16) + 1;
	uint32_t vector = c->sqe.cdw11 >> 16;
	struct nvme *n = c->ctl;

	if (!id || id >= n->max_queues || n->cq[id].size)
		return NVME_INVALID_QID | NVME_DNR;
	if (bad_size(size, c->sqe.prp1))
		return NVME_INVALID_QUEUE_SIZE | NVME_DNR;
	if (!(c->sqe.cdw11 & 1)) /* physically contiguous: CAP.CQR */
		return NVME_INVALID_FIELD | NVME_DNR;
	if (vector >= msix_vectors(n->msix))
		return NVME_INVALID_VECTOR | NVME_DNR;
	n->cq[id] = (struct nvme_cq){
		.gpa = c->sqe.prp1,
		.size = size,
		.vector = vector,
		.phase = true,
		.interrupts = c->sqe.cdw11 & 2,
	};
	return NVME_OK;
}

static int create_sq(struct nvme_cmd *c)
{
	uint32_t id = c->sqe.cdw10 & 0xffff, size = (c->sqe.cdw10 >> 16) + 1;
	uint32_t cq = c->sqe.cdw11 >> 16;
	struct nvme *n = c->ctl;

	if (!cq || cq >= n->max_queues || !n->cq[cq].size)
		return NVME_CQ_INVALID | NVME_DNR;
	if (!id || id >= n->max_queues || n->sq[id].size)
		return NVME_INVALID_QID | NVME_DNR;
	if (bad_size(size, c->sqe.prp1))
		return NVME_INVALID_QUEUE_SIZE | NVME_DNR;
	if (!(c->sqe.cdw11 & 1))
		return NVME_INVALID_FIELD | NVME_DNR;
	n->sq[id] = (struct nvme_sq){ .gpa = c->sqe.prp1,
				      .size = size,
				      .cq = cq };
	return NVME_OK;
}

static int delete_cq(struct nvme_cmd *c)
{
	uint32_t id = c->sqe.cdw10 & 0xffff;
	struct nvme *n = c->ctl;

	if (!id || id >= n->max_queues || !n->cq[id].size)
		return NVME_INVALID_QID | NVME_DNR;
	for (unsigned int i = 1; i < n->max_queues; i++)
		if (n->sq[i].size && n->sq[i].cq == id)
			return NVME_INVALID_DELETION | NVME_DNR;
	n->cq[id] = (struct nvme_cq){ 0 };
	nvme_update_wire(n);
	return NVME_OK;
}

/* 5.6: complete when all commands of the queue are. */
static int delete_sq(struct nvme_cmd *c)
{
	uint32_t id = c->sqe.cdw10 & 0xffff;
	struct nvme *n = c->ctl;

	if (!id || id >= n->max_queues || !n->sq[id].size ||
	    n->sq[id].deleter)
		return NVME_INVALID_QID | NVME_DNR;
	if (n->sq[id].in_flight) {
		n->sq[id].deleter = c;
		return NVME_LATER;
	}
	n->sq[id] = (struct nvme_sq){ 0 };
	return NVME_OK;
}

/* ---- Identify (5.15) ---- */

static void identify_controller(const struct nvme *n, uint8_t *d)
{
	put16(d, 0x1b36);
	put16(d + 2, 0x1af4);
	memcpy(d + 4, n->serial, sizeof(n->serial));
	memcpy(d + 24, n->model, sizeof(n->model));
	memcpy(d + 64, FIRMWARE, 8);
	d[77] = NVME_MDTS;
	put32(d + 80, 0x00010400);	 /* VER */
	put32(d + 92, EVENT_NAMESPACE);	 /* OAES */
	d[258] = 3;			 /* ACL */
	d[259] = NVME_EVENTS_MAX - 1;	 /* AERL */
	d[260] = 0x03;			 /* FRMW: one slot, read-only */
	d[261] = 0x04;			 /* LPA: offsets into logs */
	put16(d + 266, 343);		 /* WCTEMP, K */
	put16(d + 268, 373);		 /* CCTEMP */
	d[512] = 0x66;			 /* SQES */
	d[513] = 0x44;			 /* CQES */
	put32(d + 516, 1);		 /* NN */
	put16(d + 520, n->drive && drive_discards(n->drive) ?
			       0x0c : /* ONCS: dataset, write zeroes */
			       0x08);
	d[525] = 0x06 | (n->drive && drive_caches(n->drive)); /* VWC */
	memcpy(d + 768, n->subsystem, sizeof(n->subsystem));
}

static void identify_namespace(const struct nvme *n, uint8_t *d)
{
	uint64_t blocks = drive_size(n->drive) / NVME_LBA, eui;
	unsigned int best = drive_align(n->drive) / NVME_LBA;
	const char *wwn = drive_wwn(n->drive);

	put64(d, blocks);
	put64(d + 8, blocks);
	put64(d + 16, blocks);
	d[24] = (drive_discards(n->drive) ? 0x01 : 0) | 0x10; /* OPTPERF */
	if (drive_discards(n->drive))
		d[33] = 0x08; /* DLFEAT: Write Zeroes may deallocate */
	if (best > 1) { /* preferred granularity and alignment, 0's based */
		put16(d + 64, best - 1);
		put16(d + 66, best - 1);
	}
	if (wwn && parse_u64(wwn, 16, UINT64_MAX, &eui) == 0)
		put64(d + 120, __builtin_bswap64(eui));
	d[130] = 9; /* LBAF0: blocks of 512 bytes, no metadata */
}

/* 5.15.2.3: a list of names; ours has the EUI64, if any. */
static void identify_names(const struct nvme *n, uint8_t *d)
{
	const char *wwn = drive_wwn(n->drive);
	uint64_t eui;

	if (!wwn || parse_u64(wwn, 16, UINT64_MAX, &eui) < 0)
		return;
	d[0] = 1; /* NIDT */
	d[1] = 8;
	put64(d + 4, __builtin_bswap64(eui));
}

static int identify(struct nvme_cmd *c)
{
	const struct nvme *n = c->ctl;
	uint8_t d[LOG_LEN] = { 0 };
	bool ours = c->sqe.nsid == 1 && n->drive;

	switch (c->sqe.cdw10 & 0xff) {
	case 0x00:
		if (!c->sqe.nsid || c->sqe.nsid > 1)
			return NVME_INVALID_NAMESPACE | NVME_DNR;
		if (ours)
			identify_namespace(n, d);
		break;
	case 0x01:
		identify_controller(n, d);
		break;
	case 0x02: /* active namespaces above the one named */
		if (c->sqe.nsid >= 0xfffffffe)
			return NVME_INVALID_NAMESPACE | NVME_DNR;
		if (!c->sqe.nsid && n->drive)
			put32(d, 1);
		break;
	case 0x03:
		if (!ours)
			return NVME_INVALID_NAMESPACE | NVME_DNR;
		identify_names(n, d);
		break;
	default:
		return NVME_INVALID_FIELD | NVME_DNR;
	}
	return reply(c, d, sizeof(d));
}

/* ---- features (5.13, 5.21) ---- */

static bool has_feature(uint8_t id)
{
	return (id >= FEAT_ARBITRATION && id <= FEAT_EVENTS && id != 3);
}

static uint32_t queue_counts(const struct nvme *n)
{
	return (n->max_queues - 2) | (n->max_queues - 2) << 16;
}

static uint32_t feature(const struct nvme *n, uint8_t id, uint32_t cdw11)
{
	switch (id) {
	case FEAT_QUEUES:
		return queue_counts(n);
	case FEAT_WRITE_CACHE:
		return n->write_cache;
	case FEAT_VECTOR:
		return cdw11 & 0xffff;
	}
	return n->features[id];
}

/* Bits 8-10 select current, default, saved (none) or the capabilities. */
static int get_features(struct nvme_cmd *c)
{
	uint8_t id = c->sqe.cdw10;
	unsigned int select = c->sqe.cdw10 >> 8 & 7;

	if (!has_feature(id) || select > 3)
		return NVME_INVALID_FIELD | NVME_DNR;
	if (select == 3)
		c->result = 0x04; /* changeable */
	else
		c->result = feature(c->ctl, id, c->sqe.cdw11);
	return NVME_OK;
}

static int set_features(struct nvme_cmd *c)
{
	uint8_t id = c->sqe.cdw10;
	struct nvme *n = c->ctl;

	if (!has_feature(id) || (c->sqe.cdw10 & BIT(31)))
		return NVME_INVALID_FIELD | NVME_DNR;
	if (id == FEAT_QUEUES) {
		if ((c->sqe.cdw11 & 0xffff) == 0xffff ||
		    c->sqe.cdw11 >> 16 == 0xffff)
			return NVME_INVALID_FIELD | NVME_DNR;
		c->result = queue_counts(n);
	} else if (id == FEAT_WRITE_CACHE) {
		n->write_cache = c->sqe.cdw11 & 1;
	} else {
		n->features[id] = c->sqe.cdw11;
	}
	return NVME_OK;
}

/* ---- logs (5.14) ---- */

/* 5.14.1.2: healthy, and not hot. */
static void health_log(uint8_t *d)
{
	put16(d + 1, 313);
	d[3] = 100;
	d[4] = 10;
}

static int get_log(struct nvme_cmd *c)
{
	uint64_t len = ((uint64_t)(c->sqe.cdw10 >> 16) |
			(uint64_t)(c->sqe.cdw11 & 0xffff) << 16) * 4 + 4;
	uint64_t offset = c->sqe.cdw12 | (uint64_t)c->sqe.cdw13 << 32;
	uint8_t d[LOG_LEN] = { 0 };

	switch (c->sqe.cdw10 & 0xff) {
	case LOG_ERRORS:
		break;
	case LOG_HEALTH:
		health_log(d);
		break;
	case LOG_FIRMWARE:
		d[0] = 1;
		memcpy(d + 8, FIRMWARE, 8);
		break;
	case LOG_CHANGED:
		if (c->ctl->changed_log)
			put32(d, 1);
		c->ctl->changed_log = false;
		break;
	default:
		return NVME_INVALID_LOG_PAGE | NVME_DNR;
	}
	if (offset >= LOG_LEN || offset % 4)
		return NVME_INVALID_FIELD | NVME_DNR;
	return reply(c, d + offset, MIN(len, LOG_LEN - offset));
}

/* ---- events (5.2) ---- */

static void tell_change(struct nvme *n)
{
	if (!n->changed || !n->n_events || !nvme_cq_has_room(&n->cq[0]))
		return;
	n->changed = false;
	nvme_post(n, 0, n->event_cid[--n->n_events],
		  EVENT_NOTICE | LOG_CHANGED << 16, NVME_OK);
}

void nvme_namespace_changed(struct nvme *n)
{
	if (!(n->features[FEAT_EVENTS] & EVENT_NAMESPACE))
		return;
	n->changed = n->changed_log = true;
	tell_change(n);
}

static int event_request(struct nvme_cmd *c)
{
	struct nvme *n = c->ctl;

	if (n->n_events == NVME_EVENTS_MAX)
		return NVME_EVENT_LIMIT | NVME_DNR;
	n->event_cid[n->n_events++] = c->sqe.cid;
	nvme_finish(c, NVME_LATER);
	tell_change(n);
	return NVME_LATER;
}

/* 5.1: nothing can be taken back; bit 0 says so. */
static int abort_command(struct nvme_cmd *c)
{
	c->result = 1;
	return NVME_OK;
}

void nvme_admin_reset(struct nvme *n)
{
	n->write_cache = n->drive && drive_caches(n->drive);
	memset(n->features, 0, sizeof(n->features));
	n->features[FEAT_TEMPERATURE] = 343;
	n->n_events = 0;
	n->changed = n->changed_log = false;
}

int nvme_admin(struct nvme_cmd *c)
{
	switch (c->sqe.opcode) {
	case OP_DELETE_SQ:
		return delete_sq(c);
	case OP_CREATE_SQ:
		return create_sq(c);
	case OP_GET_LOG:
		return get_log(c);
	case OP_DELETE_CQ:
		return delete_cq(c);
	case OP_CREATE_CQ:
		return create_cq(c);
	case OP_IDENTIFY:
		return identify(c);
	case OP_ABORT:
		return abort_command(c);
	case OP_SET_FEATURES:
		return set_features(c);
	case OP_GET_FEATURES:
		return get_features(c);
	case OP_EVENT_REQUEST:
		return event_request(c);
	}
	return NVME_INVALID_OPCODE | NVME_DNR;
}
