/*
 * vmm/scsi/cdrom.c -- what only a drive with removable media does: tray,
 * table of contents, features, events (MMC-6).
 *
 * A medium is one session of one data track.  Left out: audio, sub-channels,
 * raw sectors, the structures of a DVD, writing.
 */
#include "vmm/scsi/scsi_priv.h"

#include <string.h>

#include "base/util.h"

enum {
	LEAD_OUT = 0xaa,
	DATA_TRACK = 0x14, /* ADR 1, control 4 (MMC 6.25.3.2.3) */
	CD_BLOCKS_MAX = 450000, /* 100 minutes: more is a DVD */
	PROFILE_CD = 0x08,
	PROFILE_DVD = 0x10,
};

/* ---- the tray ---- */

static void move_tray(struct scsi_dev *dev, bool open)
{
	if (dev->tray_open == open)
		return;
	dev->tray_open = open;
	dev->event = open ? MEDIA_REMOVAL : MEDIA_NEW;
	if (!open && drive_loaded(dev->drive))
		scsi_attention(dev, SCSI_UA_MEDIUM);
	if (dev->tray_moved)
		dev->tray_moved(dev);
}

/* MMC 6.48: bits LoEj and Start; without LoEj it is about spinning. */
void scsi_start_stop(struct scsi_cmd *c)
{
	bool load_eject = c->cdb[4] & 0x02, start = c->cdb[4] & 0x01;

	if (!c->dev->cdrom || !load_eject) {
		scsi_good(c);
		return;
	}
	if (!start && c->dev->locked) {
		scsi_fail(c, SCSI_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
		return;
	}
	move_tray(c->dev, !start);
	scsi_good(c);
}

void scsi_prevent_removal(struct scsi_cmd *c)
{
	c->dev->locked = c->dev->cdrom && (c->cdb[4] & 0x01);
	scsi_good(c);
}

/* MMC 6.6.2: polled only, of the classes only media (class 4). */
void scsi_event_status(struct scsi_cmd *c)
{
	struct scsi_dev *dev = c->dev;
	uint8_t d[8] = { 0, 6, 4, BIT(4) };

	if (!(c->cdb[1] & 0x01)) {
		scsi_invalid_field(c);
		return;
	}
	if (!(c->cdb[4] & BIT(4))) {
		d[1] = 2;
		d[2] = 0x80; /* no event available */
		scsi_reply(c, d, 4, get_be16(c->cdb + 7));
		return;
	}
	d[4] = dev->event;
	if (dev->tray_open)
		d[5] |= 0x01;
	if (scsi_medium_there(dev))
		d[5] |= 0x02;
	dev->event = MEDIA_NO_CHANGE;
	scsi_reply(c, d, sizeof(d), get_be16(c->cdb + 7));
}

void scsi_mechanism_status(struct scsi_cmd *c)
{
	uint8_t d[8] = { 0 };

	if (c->dev->tray_open)
		d[1] = 0x10;
	scsi_reply(c, d, sizeof(d), get_be16(c->cdb + 8));
}

/* ---- the medium ---- */

/* MMC 6.25.3: an address as blocks, or as minute, second, frame. */
static void put_address(uint8_t *d, uint32_t lba, bool msf)
{
	if (!msf) {
		put_be32(d, lba);
		return;
	}
	lba += 150; /* two seconds of pre-gap */
	d[0] = 0;
	d[1] = MIN(lba / 75 / 60, 255u);
	d[2] = lba / 75 % 60;
	d[3] = lba % 75;
}

static void put_track(uint8_t *d, uint8_t track, uint32_t lba, bool msf)
{
	d[1] = DATA_TRACK;
	d[2] = track;
	put_address(d + 4, lba, msf);
}

void scsi_read_toc(struct scsi_cmd *c)
{
	unsigned int format = c->cdb[2] & 0x0f, from = c->cdb[6], n = 4;
	bool msf = c->cdb[1] & 0x02;
	uint32_t blocks = scsi_blocks(c->dev);
	uint8_t d[20] = { 0, 0, 1, 1 };

	/* MMC-1's drives have the format in the control byte's top bits. */
	if (!format)
		format = c->cdb[9] >> 6;
	if (format > 1 || (format == 0 && from > 1 && from != LEAD_OUT)) {
		scsi_invalid_field(c);
		return;
	}
	if (format == 1 || from <= 1) { /* format 1: the last session's */
		put_track(d + n, 1, 0, msf);
		n += 8;
	}
	if (format == 0) {
		put_track(d + n, LEAD_OUT, blocks, msf);
		n += 8;
	}
	put_be16(d, n - 2);
	scsi_reply(c, d, n, get_be16(c->cdb + 7));
}

/* MMC 6.22.3: complete, and one complete session of one track. */
void scsi_read_disc_info(struct scsi_cmd *c)
{
	uint8_t d[34] = { 0 };

	if (c->cdb[1] & 0x07) {
		scsi_invalid_field(c);
		return;
	}
	put_be16(d, sizeof(d) - 2);
	d[2] = 0x0e;
	d[3] = d[4] = d[5] = d[6] = 1;
	d[7] = 0x20; /* unrestricted use */
	memset(d + 16, 0xff, 8); /* not to be continued */
	scsi_reply(c, d, sizeof(d), get_be16(c->cdb + 7));
}

/* ---- features (MMC 5.3) ---- */

static unsigned int profile(const struct scsi_dev *dev)
{
	if (!scsi_medium_there(dev))
		return 0;
	return scsi_blocks(dev) > CD_BLOCKS_MAX ? PROFILE_DVD : PROFILE_CD;
}

static unsigned int feature_profiles(const struct scsi_dev *dev, uint8_t *d)
{
	put_be16(d, PROFILE_DVD);
	d[2] = profile(dev) == PROFILE_DVD;
	put_be16(d + 4, PROFILE_CD);
	d[6] = profile(dev) == PROFILE_CD;
	return 8;
}

static unsigned int feature_core(const struct scsi_dev *dev, uint8_t *d)
{
	put_be32(d, dev->atapi ? 2 : 1); /* physical interface */
	d[4] = 0x01;			 /* DBE */
	return 8;
}

/* 5.3.4: a tray that can be locked and moved. */
static unsigned int feature_removable(const struct scsi_dev *dev, uint8_t *d)
{
	d[0] = 0x29 | 0x10;
	return 4;
}

static unsigned int feature_random_read(const struct scsi_dev *dev,
					uint8_t *d)
{
	put_be32(d, CD_SECTOR);
	put_be16(d + 4, 1);
	return 8;
}

static unsigned int feature_empty(const struct scsi_dev *dev, uint8_t *d)
{
	return 4;
}

static const struct feature {
	uint16_t code;
	uint8_t version;
	unsigned int profile; /* current with this one only; 0: always */
	unsigned int (*fill)(const struct scsi_dev *dev, uint8_t *d);
} features[] = {
	{ 0x0000, 0, 0, feature_profiles },
	{ 0x0001, 2, 0, feature_core },
	{ 0x0003, 1, 0, feature_removable },
	{ 0x0010, 0, PROFILE_CD, feature_random_read },
	{ 0x001e, 2, PROFILE_CD, feature_empty },
	{ 0x001f, 0, PROFILE_DVD, feature_empty },
};

static bool is_current(const struct scsi_dev *dev, const struct feature *f)
{
	return !f->profile || f->profile == profile(dev) ||
	       (f->code == 0x0010 && profile(dev));
}

/* 6.5.2: RT 0 all, 1 the current ones, 2 the one that is named. */
static bool is_wanted(const struct scsi_cmd *c, const struct feature *f)
{
	unsigned int rt = c->cdb[1] & 3, start = get_be16(c->cdb + 2);

	if (rt == 2)
		return f->code == start;
	return f->code >= start && (rt == 0 || is_current(c->dev, f));
}

void scsi_get_configuration(struct scsi_cmd *c)
{
	uint8_t d[8 + 16 * ARRAY_SIZE(features)] = { 0 };
	unsigned int n = 8;

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature *f = &features[i];

		if (!is_wanted(c, f))
			continue;
		put_be16(d + n, f->code);
		/* Version, persistent, current. */
		d[n + 2] = f->version << 2 | (f->profile ? 0 : 2) |
			   is_current(c->dev, f);
		d[n + 3] = f->fill(c->dev, d + n + 4);
		n += 4 + d[n + 3];
	}
	put_be32(d, n - 4);
	put_be16(d + 6, profile(c->dev));
	scsi_reply(c, d, n, get_be16(c->cdb + 7));
}
