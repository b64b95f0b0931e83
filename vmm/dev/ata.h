/*
 * vmm/dev/ata.h -- ATA disks and ATAPI drives on a Serial ATA link.
 *
 * Cited as "ACS": ATA/ATAPI Command Set - 3 (T13/2161-D); "SATA": Serial ATA
 * Revision 3.2.
 *
 * Everything runs on the controller's I/O thread with its lock held.
 */
#ifndef VMM_DEV_ATA_H
#define VMM_DEV_ATA_H

#include "vmm/drive.h"
#include "vmm/state.h"
#include "vmm/scsi/scsi.h"

struct ata_cmd;
struct spec_disk;

enum {
	ATA_FIS_LEN = 20,     /* SATA 10.5.5: register, host to device */
	ATA_PACKET_LEN = 16,
	ATA_QUEUE_DEPTH = 32,
	ATA_LOG_LEN = 512,
};

/* ACS 6.2, 6.3: bits of the status and error fields. */
enum { ATA_ERR = 0x01, ATA_DRQ = 0x08, ATA_DSC = 0x10, ATA_DF = 0x20,
       ATA_DRDY = 0x40, ATA_BSY = 0x80 };
enum { ATA_ABRT = 0x04, ATA_IDNF = 0x10, ATA_UNC = 0x40 };

/* Which FIS tells of the end (SATA 11). */
enum ata_protocol { ATA_NON_DATA, ATA_PIO_IN, ATA_PIO_OUT, ATA_DMA,
		    ATA_PACKET, ATA_QUEUED };

struct ata_dev {
	struct drive *drive;
	bool packet; /* a CD-ROM drive */
	struct scsi_dev scsi; /* which then does the work */
	bool write_cache;
	uint8_t multiple; /* sectors, for READ and WRITE MULTIPLE */
	uint8_t error_log[ATA_LOG_LEN]; /* ACS 9.13: queued command error */
};

/* The fields of a register FIS, either way. */
struct ata_regs {
	uint8_t command, status, error, device;
	uint16_t features, count;
	uint64_t lba; /* 48 bits */
};

struct ata_cmd {
	struct ata_dev *dev;
	struct ata_regs regs; /* in, and out */
	enum ata_protocol protocol;
	uint8_t packet[ATA_PACKET_LEN];
	bool write; /* as the command list says: host to device */
	struct iovec *iov;
	unsigned int n_iov;
	uint64_t iov_len;
	void (*done)(struct ata_cmd *cmd); /* may free it */
	uint64_t moved; /* bytes */

	/* ata's while it runs. */
	struct drive_req req;
	struct scsi_cmd scsi;
	uint64_t *ranges; /* what is still to be discarded */
	unsigned int range, n_ranges;
};

void ata_init(struct ata_dev *dev, const struct spec_disk *spec,
	      struct drive *drive);
void ata_reset(struct ata_dev *dev);

/* What a device answers a reset with (ACS 9.1). */
void ata_signature(const struct ata_dev *dev, struct ata_regs *ret_regs);

void ata_parse_fis(const uint8_t fis[ATA_FIS_LEN], struct ata_regs *ret_regs);
bool ata_is_queued(const struct ata_dev *dev, uint8_t command);
unsigned int ata_queued_tag(const struct ata_regs *regs);

/* What a device remembers, for its port's state (vmm/state.h). */
extern const struct state_field ata_fields[];

/* done() is called once, maybe before this returns. */
void ata_run(struct ata_cmd *cmd);

#endif
