/*
 * vmm/scsi/scsi_priv.h -- between the files that carry out SCSI commands.
 */
#ifndef VMM_SCSI_SCSI_PRIV_H
#define VMM_SCSI_SCSI_PRIV_H

#include "vmm/scsi/scsi.h"

enum { CD_SECTOR = 2048 };

/* Which units a command is for, and what it needs first. */
enum scsi_op_flags {
	OP_DISK = 1 << 0,
	OP_CD = 1 << 1,
	OP_BOTH = OP_DISK | OP_CD,
	OP_MEDIUM = 1 << 2,  /* a medium, and the tray closed */
	OP_WRITES = 1 << 3,  /* a medium that can be written to */
	OP_ALWAYS = 1 << 4,  /* also with a unit attention pending */
	OP_DISCARDS = 1 << 5, /* an image that discards */
};

struct scsi_op {
	void (*run)(struct scsi_cmd *cmd);
	unsigned int flags;
};

typedef void scsi_fn(struct scsi_cmd *cmd);

/* pages.c (SPC): what a unit says of itself. */
scsi_fn scsi_inquiry, scsi_mode_sense6, scsi_mode_sense10, scsi_mode_select6,
	scsi_mode_select10;

/* transfer.c (SBC): blocks. */
scsi_fn scsi_read6, scsi_read10, scsi_read12, scsi_read16, scsi_write6,
	scsi_write10, scsi_write12, scsi_write16, scsi_write_verify10,
	scsi_verify10, scsi_verify16, scsi_flush, scsi_unmap,
	scsi_write_same10, scsi_write_same16, scsi_read_capacity10,
	scsi_service_in16, scsi_read_cd;

/* cdrom.c (MMC) */
scsi_fn scsi_start_stop, scsi_prevent_removal, scsi_read_toc,
	scsi_get_configuration, scsi_event_status, scsi_read_disc_info,
	scsi_mechanism_status;

/* lun.c: to the host's unit */
scsi_fn scsi_run_passed;

/* scsi.c */
void scsi_end(struct scsi_cmd *cmd, uint8_t status);
void scsi_good(struct scsi_cmd *cmd);
void scsi_invalid_field(struct scsi_cmd *cmd);

unsigned int scsi_block_size(const struct scsi_dev *dev);
uint64_t scsi_blocks(const struct scsi_dev *dev);
bool scsi_medium_there(const struct scsi_dev *dev);

static inline uint16_t get_be16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)get_be16(p) << 16 | get_be16(p + 2);
}

static inline uint64_t get_be64(const uint8_t *p)
{
	return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

static inline void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, v >> 16);
	put_be16(p + 2, v);
}

static inline void put_be64(uint8_t *p, uint64_t v)
{
	put_be32(p, v >> 32);
	put_be32(p + 4, v);
}

#endif
