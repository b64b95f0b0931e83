/*
 * vmm/dev/nvme_priv.h -- between the files of the NVM Express controller.
 *
 * Cited as "NVMe": NVM Express Base Specification, revision 1.4.
 *
 * Commands run on the controller's I/O thread with its lock held.
 */
#ifndef VMM_DEV_NVME_PRIV_H
#define VMM_DEV_NVME_PRIV_H

#include "vmm/dev/pci.h"
#include "vmm/drive.h"

struct msix;
struct nvme;
struct nvme_cmd;

enum {
	NVME_PAGE = 4096,	/* the one memory page size */
	NVME_QUEUES_MAX = 65,	/* the admin queue among them */
	NVME_ENTRIES_MAX = 1024,
	NVME_SQE_LEN = 64,
	NVME_CQE_LEN = 16,
	NVME_MDTS = 7,		/* 2^7 pages a command */
	NVME_PAGES_MAX = (1 << NVME_MDTS) + 1,
	NVME_EVENTS_MAX = 4,	/* Asynchronous Event Requests at a time */
	NVME_LBA = BLOCK_SECTOR,
};

/* 4.6.1: status code type << 8 | status code; DNR: it will not get better. */
enum nvme_status {
	NVME_OK = 0x000,
	NVME_INVALID_OPCODE = 0x001,
	NVME_INVALID_FIELD = 0x002,
	NVME_TRANSFER_ERROR = 0x004,
	NVME_INTERNAL_ERROR = 0x006,
	NVME_INVALID_NAMESPACE = 0x00b,
	NVME_INVALID_PRP_OFFSET = 0x013,
	NVME_LBA_OUT_OF_RANGE = 0x080,
	NVME_CQ_INVALID = 0x100,
	NVME_INVALID_QID = 0x101,
	NVME_INVALID_QUEUE_SIZE = 0x102,
	NVME_EVENT_LIMIT = 0x105,
	NVME_INVALID_VECTOR = 0x108,
	NVME_INVALID_LOG_PAGE = 0x109,
	NVME_INVALID_DELETION = 0x10c,
	NVME_READ_ONLY = 0x182,
	NVME_WRITE_FAULT = 0x280,
	NVME_READ_ERROR = 0x281,
	NVME_DNR = 1 << 14,
	/* No answer yet: the command's own completion brings it. */
	NVME_LATER = -1,
};

struct nvme_sq {
	uint64_t gpa;
	uint32_t size; /* 0: it does not exist */
	uint32_t head, tail;
	uint32_t cq;
	uint32_t in_flight;
	struct nvme_cmd *deleter; /* answered when nothing is in flight */
};

struct nvme_cq {
	uint64_t gpa;
	uint32_t size;
	uint32_t head, tail;
	uint32_t vector;
	uint32_t reserved; /* entries for what is in flight */
	bool phase, interrupts;
};

/* 4.2, figure 105: the fields that commands use. */
struct nvme_sqe {
	uint8_t opcode, flags;
	uint16_t cid;
	uint32_t nsid;
	uint32_t cdw2, cdw3;
	uint64_t mptr, prp1, prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
static_assert(sizeof(struct nvme_sqe) == NVME_SQE_LEN, "a submission entry");

struct nvme_cmd {
	struct nvme *ctl;
	uint32_t sq;
	struct nvme_sqe sqe;
	uint32_t result; /* the completion's first word */

	struct drive_req req;
	unsigned int n_iov;
	struct iovec iov[NVME_PAGES_MAX];
	uint64_t len; /* bytes that iov has */

	/* DATASET MANAGEMENT */
	unsigned int range, n_ranges;
	struct nvme_range {
		uint32_t attributes, blocks;
		uint64_t lba;
	} *ranges;
};

struct nvme {
	struct pci_dev pci;
	struct machine *m;
	struct msix *msix;
	struct iothread *thread;
	struct loop *loop;
	int kick_fd;
	struct drive *drive; /* NULL: no namespace */
	char serial[20], model[40];
	char subsystem[224];
	unsigned int max_queues; /* of each kind, the admin queue among them */

	pthread_mutex_t lock; /* the rest */
	pthread_cond_t idle;
	bool paused, gone;
	unsigned int in_flight;
	bool stopping;	 /* EN was cleared with commands out */
	uint32_t cc, csts, aqa;
	uint32_t masked; /* vectors, when there are no messages */
	uint64_t asq, acq;
	struct nvme_sq sq[NVME_QUEUES_MAX];
	struct nvme_cq cq[NVME_QUEUES_MAX];

	bool write_cache;
	uint32_t features[0x20];
	uint32_t n_events;
	uint16_t event_cid[NVME_EVENTS_MAX]; /* waiting for an event */
	bool changed;	    /* the namespace, not yet told */
	bool changed_log;   /* what the log page says */
};

/* nvme_admin.c, nvme_io.c: what a command's end is, or NVME_LATER. */
int nvme_admin(struct nvme_cmd *c);
int nvme_io(struct nvme_cmd *c);

/* nvme_admin.c */
void nvme_admin_reset(struct nvme *n);
void nvme_namespace_changed(struct nvme *n);

/* nvme_data.c: the guest's buffers of a command. */
int nvme_map(struct nvme_cmd *c, uint64_t len); /* NVME_OK or a status */

/* nvme.c */
void nvme_finish(struct nvme_cmd *c, int status); /* and frees it */
bool nvme_post(struct nvme *n, uint32_t sq, uint16_t cid, uint32_t result,
	       int status);
void nvme_update_wire(struct nvme *n); /* after a queue has changed */
bool nvme_cq_has_room(const struct nvme_cq *cq);

#endif
