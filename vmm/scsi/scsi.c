/*
 * vmm/scsi/scsi.c -- one SCSI command: is it known, may it run now, and what
 * sense data an error makes (SPC-4; SAM-5 for the order of the checks).
 *
 * Left out: persistent reservations (one initiator has each unit), task
 * attributes (commands run as they come), descriptor format sense data.
 */
#include "vmm/scsi/scsi_priv.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/iov.h"
#include "base/util.h"
#include "vmm/spec.h"
#include "vmm/state.h"

/* ---- answers ---- */

void scsi_end(struct scsi_cmd *c, uint8_t status)
{
	c->status = status;
	free(steal_ptr(&c->buffer));
	c->done(c);
}

void scsi_good(struct scsi_cmd *c)
{
	scsi_end(c, SCSI_GOOD);
}

/* SPC 4.5.3: fixed format, current. */
static void make_sense(uint8_t *s, enum scsi_key key, enum scsi_asc asc)
{
	memset(s, 0, SCSI_SENSE_LEN);
	s[0] = 0x70;
	s[2] = key;
	s[7] = SCSI_SENSE_LEN - 8;
	s[12] = asc >> 8;
	s[13] = asc;
}

void scsi_fail(struct scsi_cmd *c, enum scsi_key key, enum scsi_asc asc)
{
	make_sense(c->sense, key, asc);
	c->sense_len = SCSI_SENSE_LEN;
	c->moved = 0;
	if (c->dev && c->dev->atapi)
		memcpy(c->dev->sense, c->sense, SCSI_SENSE_LEN);
	scsi_end(c, SCSI_CHECK_CONDITION);
}

void scsi_invalid_field(struct scsi_cmd *c)
{
	scsi_fail(c, SCSI_ILLEGAL_REQUEST, ASC_INVALID_FIELD);
}

/* SPC 4.2.5.6: truncation to the allocation length is no error. */
void scsi_reply(struct scsi_cmd *c, const void *data, size_t len,
		uint64_t allocation_length)
{
	len = MIN(len, allocation_length);
	c->moved = iov_write(c->in, c->n_in, 0, data, MIN(len, c->in_len));
	scsi_good(c);
}

/* ---- units ---- */

unsigned int scsi_block_size(const struct scsi_dev *dev)
{
	return dev->cdrom ? CD_SECTOR : BLOCK_SECTOR;
}

uint64_t scsi_blocks(const struct scsi_dev *dev)
{
	return drive_size(dev->drive) / scsi_block_size(dev);
}

bool scsi_medium_there(const struct scsi_dev *dev)
{
	return drive_loaded(dev->drive) && !dev->tray_open;
}

static void pad(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size);

	memset(to, ' ', size);
	memcpy(to, from, n);
}

void scsi_init(struct scsi_dev *dev, const struct spec_disk *spec,
	       struct drive *drive)
{
	const char *product = spec->kind == SPEC_CDROM ? "CD-ROM" : "DISK";

	*dev = (struct scsi_dev){ .drive = drive,
				  .cdrom = spec->kind == SPEC_CDROM };
	pad(dev->vendor, sizeof(dev->vendor),
	    spec->vendor ? spec->vendor : "VIREO");
	pad(dev->product, sizeof(dev->product),
	    spec->product ? spec->product : product);
	scsi_attention(dev, SCSI_UA_RESET);
}

const struct state_field scsi_fields[] = {
	STATE_MAX(struct scsi_dev, attentions, BIT(SCSI_UAS) - 1),
	STATE_RAW(struct scsi_dev, sense),
	STATE_MAX(struct scsi_dev, event, MEDIA_REMOVAL),
	STATE_BOOL(struct scsi_dev, locked),
	STATE_BOOL(struct scsi_dev, tray_open),
	STATE_END,
};

void scsi_attention(struct scsi_dev *dev, enum scsi_attention ua)
{
	dev->attentions |= BIT(ua);
}

/* SPC 5.14: a reset's own attention replaces the older ones. */
void scsi_reset(struct scsi_dev *dev)
{
	dev->attentions = BIT(SCSI_UA_RESET);
	dev->locked = false;
	memset(dev->sense, 0, sizeof(dev->sense));
}

void scsi_medium_changed(struct scsi_dev *dev)
{
	if (!dev->cdrom) {
		scsi_attention(dev, SCSI_UA_CAPACITY);
		return;
	}
	dev->tray_open = !drive_loaded(dev->drive);
	dev->event = dev->tray_open ? MEDIA_REMOVAL : MEDIA_NEW;
	if (dev->tray_moved)
		dev->tray_moved(dev);
	if (!dev->tray_open)
		scsi_attention(dev, SCSI_UA_MEDIUM);
}

int scsi_release(struct scsi_dev *dev, bool force)
{
	if (dev->locked && !force) {
		dev->event = MEDIA_EJECT_REQUEST;
		return -EBUSY;
	}
	dev->locked = false;
	return 0;
}

int scsi_insert(struct scsi_dev *dev, pthread_mutex_t *lock,
		const char *format, int fd, bool force, struct error *err)
{
	int r;

	pthread_mutex_lock(lock);
	r = scsi_release(dev, force);
	pthread_mutex_unlock(lock);
	if (r < 0)
		return error_set(err, r, "the tray of device '%s' is locked",
				 drive_id(dev->drive));
	return drive_insert(dev->drive, format, fd, err);
}

/* ---- commands about the unit ---- */

static void test_unit_ready(struct scsi_cmd *c)
{
	scsi_good(c);
}

static void accept_and_ignore(struct scsi_cmd *c)
{
	scsi_good(c);
}

static const enum scsi_asc attention_asc[SCSI_UAS] = {
	[SCSI_UA_RESET] = ASC_POWER_ON,
	[SCSI_UA_MEDIUM] = ASC_MEDIUM_CHANGED,
	[SCSI_UA_CAPACITY] = ASC_CAPACITY_CHANGED,
	[SCSI_UA_LUNS] = ASC_LUNS_CHANGED,
};

/* The oldest kind first; it is reported once. */
static enum scsi_asc take_attention(struct scsi_dev *dev)
{
	unsigned int ua = __builtin_ctz(dev->attentions);

	dev->attentions &= ~BIT(ua);
	return attention_asc[ua];
}

/* SPC 6.39: what is kept, else a unit attention, else nothing. */
static void request_sense(struct scsi_cmd *c)
{
	struct scsi_dev *dev = c->dev;
	uint8_t sense[SCSI_SENSE_LEN];

	if (dev->sense[0])
		memcpy(sense, dev->sense, sizeof(sense));
	else if (dev->attentions)
		make_sense(sense, SCSI_UNIT_ATTENTION, take_attention(dev));
	else
		make_sense(sense, SCSI_NO_SENSE, ASC_NONE);
	memset(dev->sense, 0, sizeof(dev->sense));
	scsi_reply(c, sense, sizeof(sense), c->cdb[4]);
}

static const struct scsi_op ops[256] = {
	[0x00] = { test_unit_ready, OP_BOTH | OP_MEDIUM },
	[0x03] = { request_sense, OP_BOTH | OP_ALWAYS },
	[0x08] = { scsi_read6, OP_BOTH | OP_MEDIUM },
	[0x0a] = { scsi_write6, OP_DISK | OP_MEDIUM | OP_WRITES },
	[0x12] = { scsi_inquiry, OP_BOTH | OP_ALWAYS },
	[0x15] = { scsi_mode_select6, OP_BOTH },
	[0x16] = { accept_and_ignore, OP_BOTH }, /* RESERVE(6) */
	[0x17] = { accept_and_ignore, OP_BOTH }, /* RELEASE(6) */
	[0x1a] = { scsi_mode_sense6, OP_BOTH },
	[0x1b] = { scsi_start_stop, OP_BOTH },
	[0x1e] = { scsi_prevent_removal, OP_BOTH },
	[0x25] = { scsi_read_capacity10, OP_BOTH | OP_MEDIUM },
	[0x28] = { scsi_read10, OP_BOTH | OP_MEDIUM },
	[0x2a] = { scsi_write10, OP_DISK | OP_MEDIUM | OP_WRITES },
	[0x2b] = { accept_and_ignore, OP_CD | OP_MEDIUM }, /* SEEK(10) */
	[0x2e] = { scsi_write_verify10, OP_DISK | OP_MEDIUM | OP_WRITES },
	[0x2f] = { scsi_verify10, OP_BOTH | OP_MEDIUM },
	[0x35] = { scsi_flush, OP_BOTH },
	[0x41] = { scsi_write_same10, OP_DISK | OP_MEDIUM | OP_WRITES },
	[0x42] = { scsi_unmap,
		   OP_DISK | OP_MEDIUM | OP_WRITES | OP_DISCARDS },
	[0x43] = { scsi_read_toc, OP_CD | OP_MEDIUM },
	[0x46] = { scsi_get_configuration, OP_CD | OP_ALWAYS },
	[0x4a] = { scsi_event_status, OP_CD | OP_ALWAYS },
	[0x51] = { scsi_read_disc_info, OP_CD | OP_MEDIUM },
	[0x55] = { scsi_mode_select10, OP_BOTH },
	[0x5a] = { scsi_mode_sense10, OP_BOTH },
	[0x88] = { scsi_read16, OP_DISK | OP_MEDIUM },
	[0x8a] = { scsi_write16, OP_DISK | OP_MEDIUM | OP_WRITES },
	[0x8f] = { scsi_verify16, OP_DISK | OP_MEDIUM },
	[0x91] = { scsi_flush, OP_DISK },
	[0x93] = { scsi_write_same16, OP_DISK | OP_MEDIUM | OP_WRITES },
	[0x9e] = { scsi_service_in16, OP_DISK | OP_MEDIUM },
	[0xa8] = { scsi_read12, OP_BOTH | OP_MEDIUM },
	[0xaa] = { scsi_write12, OP_DISK | OP_MEDIUM | OP_WRITES },
	[0xbb] = { accept_and_ignore, OP_CD }, /* SET CD SPEED */
	[0xbd] = { scsi_mechanism_status, OP_CD },
	[0xbe] = { scsi_read_cd, OP_CD | OP_MEDIUM },
};

static bool knows(const struct scsi_dev *dev, const struct scsi_op *op)
{
	if ((op->flags & OP_DISCARDS) && !drive_discards(dev->drive))
		return false;
	return op->flags & (dev->cdrom ? OP_CD : OP_DISK);
}

void scsi_run(struct scsi_cmd *c)
{
	struct scsi_dev *dev = c->dev;
	const struct scsi_op *op = &ops[c->cdb[0]];

	c->moved = 0;
	c->sense_len = 0;
	c->overrun = false;
	if (dev->passed_block) {
		scsi_run_passed(c);
		return;
	}
	if (c->cdb[0] != 0x03)
		memset(dev->sense, 0, sizeof(dev->sense));
	if (!knows(dev, op))
		scsi_fail(c, SCSI_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
	else if (dev->attentions && !(op->flags & OP_ALWAYS))
		scsi_fail(c, SCSI_UNIT_ATTENTION, take_attention(dev));
	else if ((op->flags & OP_MEDIUM) && !scsi_medium_there(dev))
		scsi_fail(c, SCSI_NOT_READY,
			  dev->tray_open ? ASC_NO_MEDIUM_OPEN :
					   ASC_NO_MEDIUM_CLOSED);
	else if ((op->flags & OP_WRITES) && drive_readonly(dev->drive))
		scsi_fail(c, SCSI_DATA_PROTECT, ASC_WRITE_PROTECTED);
	else
		op->run(c);
}
