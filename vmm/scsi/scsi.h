/*
 * vmm/scsi/scsi.h -- SCSI disks and CD-ROM drives, whatever carries the
 * commands to them: virtio-scsi, or ATAPI's PACKET command.
 *
 * Cited as "SPC": SCSI Primary Commands - 4 (T10/1731-D); "SBC": SCSI Block
 * Commands - 3 (T10/BSR INCITS 514); "MMC": Multi-Media Commands - 6
 * (T10/1836-D); "SAM": SCSI Architecture Model - 5.
 *
 * Everything runs on the controller's I/O thread with its lock held, as
 * vmm/drive.h says.
 */
#ifndef VMM_SCSI_SCSI_H
#define VMM_SCSI_SCSI_H

#include "vmm/drive.h"
#include "vmm/state.h"

struct spec_disk;
struct scsi_cmd;

/* Of our own units (fixed format), and of any. */
enum { SCSI_CDB_MAX = 32, SCSI_SENSE_LEN = 18, SCSI_SENSE_MAX = 96 };

/* SAM 5.3.1 */
enum scsi_status { SCSI_GOOD = 0x00, SCSI_CHECK_CONDITION = 0x02 };

/* What a unit reports once, before the next command (SPC 5.14). */
enum scsi_attention { SCSI_UA_RESET, SCSI_UA_MEDIUM, SCSI_UA_CAPACITY,
		      SCSI_UA_LUNS, SCSI_UAS };

/* Sense keys (SPC 4.5.6), and additional codes: code << 8 | qualifier. */
enum scsi_key { SCSI_NO_SENSE, SCSI_NOT_READY = 2, SCSI_MEDIUM_ERROR,
		SCSI_HARDWARE_ERROR, SCSI_ILLEGAL_REQUEST, SCSI_UNIT_ATTENTION,
		SCSI_DATA_PROTECT, SCSI_ABORTED_COMMAND = 0xb };
enum scsi_asc {
	ASC_NONE = 0,
	ASC_COMMUNICATION_FAILURE = 0x0800,
	ASC_COMMUNICATION_TIMEOUT = 0x0801,
	ASC_WRITE_ERROR = 0x0c00,
	ASC_READ_ERROR = 0x1100,
	ASC_LIST_LENGTH = 0x1a00,
	ASC_INVALID_OPCODE = 0x2000,
	ASC_LBA_OUT_OF_RANGE = 0x2100,
	ASC_INVALID_FIELD = 0x2400,
	ASC_LUN_NOT_SUPPORTED = 0x2500,
	ASC_INVALID_PARAMETER = 0x2600,
	ASC_WRITE_PROTECTED = 0x2700,
	ASC_MEDIUM_CHANGED = 0x2800,
	ASC_POWER_ON = 0x2900,
	ASC_CAPACITY_CHANGED = 0x2a09,
	ASC_NO_SAVED_PAGES = 0x3900,
	ASC_NO_MEDIUM_CLOSED = 0x3a01,
	ASC_NO_MEDIUM_OPEN = 0x3a02,
	ASC_LUNS_CHANGED = 0x3f0e,
	ASC_INTERNAL_FAILURE = 0x4400,
	ASC_REMOVAL_PREVENTED = 0x5302,
};

/* MMC 6.6.2.5.2: what happened to the medium. */
enum scsi_media_event { MEDIA_NO_CHANGE, MEDIA_EJECT_REQUEST, MEDIA_NEW,
			MEDIA_REMOVAL };

struct scsi_dev {
	struct drive *drive;
	bool cdrom;
	/* Commands go to a unit of the host's, whose blocks are so large (lun.c);
	 * 0: they are carried out here. */
	unsigned int passed_block;
	bool atapi; /* sense data is kept for REQUEST SENSE */
	char vendor[8], product[16]; /* space-padded */
	uint32_t attentions;	     /* bits of enum scsi_attention */
	uint8_t sense[SCSI_SENSE_LEN]; /* kept; all zero: none */
	enum scsi_media_event event;
	bool locked, tray_open;
	void (*tray_moved)(struct scsi_dev *dev); /* by the guest; or NULL */
	void *arg;
};

struct scsi_cmd {
	struct scsi_dev *dev;
	uint8_t cdb[SCSI_CDB_MAX];
	const struct iovec *in; /* data for the guest goes here */
	const struct iovec *out;
	unsigned int n_in, n_out;
	uint64_t in_len, out_len;
	void (*done)(struct scsi_cmd *cmd); /* may free it */

	/* The answer. */
	uint8_t status;
	bool overrun; /* the guest's buffers are too short; nothing moved */
	unsigned int sense_len;
	uint8_t sense[SCSI_SENSE_MAX];
	uint64_t moved; /* bytes of in or out */

	/* scsi's while it runs. */
	struct drive_req req;
	void *buffer;
	struct iovec one;
	int (*next)(struct scsi_cmd *cmd); /* 0, -errno, or 1: all done */
	uint64_t at, left;
	unsigned int step, steps;
};

void scsi_init(struct scsi_dev *dev, const struct spec_disk *spec,
	       struct drive *drive);
/* A unit of the host's instead: spec's descriptor is a SCSI device's. */
int scsi_pass(struct scsi_dev *dev, const struct spec_disk *spec,
	      struct error *err);
/* Bytes of one command's data, at most, if a unit is the host's. */
enum { SCSI_PASSED_MAX = 128 * 1024 };
void scsi_attention(struct scsi_dev *dev, enum scsi_attention ua);
void scsi_reset(struct scsi_dev *dev); /* unlocked, tray as it is */

/* What a unit remembers, for its controller's state (vmm/state.h). */
extern const struct state_field scsi_fields[];

/* done() is called once, maybe before this returns. */
void scsi_run(struct scsi_cmd *cmd);

/* The host's: another medium is in (drive_on_change()); tell the guest. */
void scsi_medium_changed(struct scsi_dev *dev);

/*
 * The host wants to change the medium.  -EBUSY: the guest has locked the drive
 * and is asked for the medium; force: it is not asked.
 */
int scsi_release(struct scsi_dev *dev, bool force);

/* Main thread: both, for a controller's machine_dev_ops. */
int scsi_insert(struct scsi_dev *dev, pthread_mutex_t *lock,
		const char *format, int fd, bool force, struct error *err);

/* For carriers that answer a command themselves. */
void scsi_reply(struct scsi_cmd *cmd, const void *data, size_t len,
		uint64_t allocation_length);
void scsi_fail(struct scsi_cmd *cmd, enum scsi_key key, enum scsi_asc asc);

#endif
