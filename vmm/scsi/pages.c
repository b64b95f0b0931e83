/*
 * vmm/scsi/pages.c -- what a unit says of itself: INQUIRY with its vital
 * product data, mode pages (SPC-4 6.6, 6.11 ff., 7.5 and 7.8; SBC-3 6.4 and
 * 6.5; MMC-6 7).
 *
 * No mode page can be changed: MODE SELECT accepts what is so already.
 */
#include "vmm/scsi/scsi_priv.h"

#include <string.h>

#include "base/iov.h"
#include "base/util.h"

enum {
	VPD_MAX = 256,
	MODE_MAX = 256,
	/* SBC 6.5.3: what one command may do, in blocks. */
	UNMAP_BLOCKS_MAX = 1 << 22,
	UNMAP_DESCRIPTORS_MAX = 255,
	WRITE_SAME_MAX = 1 << 22,
};

/* ---- INQUIRY ---- */

static uint8_t device_type(const struct scsi_dev *dev)
{
	return dev->cdrom ? 5 : 0; /* SPC 6.6.2, table 175 */
}

static void standard_inquiry(struct scsi_cmd *c)
{
	const struct scsi_dev *dev = c->dev;
	uint8_t d[36] = { 0 };

	d[0] = device_type(dev);
	d[1] = dev->cdrom ? 0x80 : 0;	/* RMB: the medium is removable */
	d[2] = 0x05;			/* SPC-3, what drivers look for */
	d[3] = dev->atapi ? 0x32 : 0x02; /* response data format */
	d[4] = sizeof(d) - 5;
	d[7] = dev->atapi ? 0 : 0x02; /* CMDQUE */
	memcpy(d + 8, dev->vendor, sizeof(dev->vendor));
	memcpy(d + 16, dev->product, sizeof(dev->product));
	memcpy(d + 32, "1.0 ", 4);
	scsi_reply(c, d, sizeof(d), get_be16(c->cdb + 3));
}

static unsigned int vpd_serial(const struct scsi_dev *dev, uint8_t *d)
{
	unsigned int n = strnlen(drive_serial(dev->drive), DRIVE_SERIAL_MAX);

	memcpy(d, drive_serial(dev->drive), n);
	return n;
}

/* SPC 7.8.6: designators; the T10 one needs something of our own. */
static unsigned int vpd_ids(const struct scsi_dev *dev, uint8_t *d)
{
	const char *name = *drive_serial(dev->drive) ?
				   drive_serial(dev->drive) :
				   drive_id(dev->drive);
	unsigned int n = strnlen(name, DRIVE_SERIAL_MAX), at;
	uint64_t wwn;

	d[0] = 0x02; /* ASCII */
	d[1] = 0x01; /* T10 vendor ID */
	d[3] = sizeof(dev->vendor) + n;
	memcpy(d + 4, dev->vendor, sizeof(dev->vendor));
	memcpy(d + 4 + sizeof(dev->vendor), name, n);
	at = 4 + d[3];
	if (!drive_wwn(dev->drive) ||
	    parse_u64(drive_wwn(dev->drive), 16, UINT64_MAX, &wwn) < 0)
		return at;
	d[at] = 0x01;	  /* binary */
	d[at + 1] = 0x03; /* NAA */
	d[at + 3] = 8;
	put_be64(d + at + 4, wwn);
	return at + 12;
}

static unsigned int vpd_limits(const struct scsi_dev *dev, uint8_t *d)
{
	unsigned int best = drive_align(dev->drive) / scsi_block_size(dev);

	d[0] = 0x01; /* WSNZ */
	put_be16(d + 2, MAX(best, 1u));
	if (drive_discards(dev->drive)) {
		put_be32(d + 16, UNMAP_BLOCKS_MAX);
		put_be32(d + 20, UNMAP_DESCRIPTORS_MAX);
		put_be32(d + 24, MAX(best, 4096u / BLOCK_SECTOR));
	}
	put_be64(d + 32, WRITE_SAME_MAX);
	return 60;
}

static unsigned int vpd_characteristics(const struct scsi_dev *dev,
					uint8_t *d)
{
	put_be16(d, 1); /* it does not rotate */
	return 60;
}

/* SBC 6.5.4: LBPU, LBPWS, LBPWS10. */
static unsigned int vpd_provisioning(const struct scsi_dev *dev, uint8_t *d)
{
	if (!drive_discards(dev->drive))
		return 4;
	d[1] = 0xe0;
	d[2] = 0x02; /* thin */
	return 4;
}

static unsigned int vpd_list(const struct scsi_dev *dev, uint8_t *d);

static const struct vpd_page {
	uint8_t code;
	bool disk_only, needs_serial;
	unsigned int (*fill)(const struct scsi_dev *dev, uint8_t *d);
} vpd_pages[] = {
	{ 0x00, false, false, vpd_list },
	{ 0x80, false, true, vpd_serial },
	{ 0x83, false, false, vpd_ids },
	{ 0xb0, true, false, vpd_limits },
	{ 0xb1, true, false, vpd_characteristics },
	{ 0xb2, true, false, vpd_provisioning },
};

static bool has_page(const struct scsi_dev *dev, const struct vpd_page *p)
{
	return !(p->disk_only && dev->cdrom) &&
	       !(p->needs_serial && !*drive_serial(dev->drive));
}

static unsigned int vpd_list(const struct scsi_dev *dev, uint8_t *d)
{
	unsigned int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(vpd_pages); i++)
		if (has_page(dev, &vpd_pages[i]))
			d[n++] = vpd_pages[i].code;
	return n;
}

static void vital_data(struct scsi_cmd *c)
{
	uint8_t d[VPD_MAX] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(vpd_pages); i++) {
		unsigned int n;

		if (vpd_pages[i].code != c->cdb[2] ||
		    !has_page(c->dev, &vpd_pages[i]))
			continue;
		n = vpd_pages[i].fill(c->dev, d + 4);
		d[0] = device_type(c->dev);
		d[1] = c->cdb[2];
		put_be16(d + 2, n);
		scsi_reply(c, d, 4 + n, get_be16(c->cdb + 3));
		return;
	}
	scsi_invalid_field(c);
}

void scsi_inquiry(struct scsi_cmd *c)
{
	if (c->cdb[1] & 0x01)
		vital_data(c);
	else if (c->cdb[2])
		scsi_invalid_field(c);
	else
		standard_inquiry(c);
}

/* ---- mode pages ---- */

/* Each writes its body behind the two bytes of page code and length. */
static unsigned int page_error_recovery(const struct scsi_dev *dev,
					uint8_t *d)
{
	return 0x0a;
}

static unsigned int page_caching(const struct scsi_dev *dev, uint8_t *d)
{
	if (drive_caches(dev->drive))
		d[0] = 0x04; /* WCE */
	return 0x12;
}

static unsigned int page_control(const struct scsi_dev *dev, uint8_t *d)
{
	d[1] = 0x10; /* commands may be reordered */
	return 0x0a;
}

/* MMC-3 5.5.10: what old drivers find out a drive by. */
static unsigned int page_capabilities(const struct scsi_dev *dev, uint8_t *d)
{
	d[0] = 0x3b;		     /* reads CD-R, CD-RW, DVD-ROM, -R, -RAM */
	d[2] = 0x70;		     /* mode 2 forms, multi-session */
	d[4] = dev->locked ? 0x2b : 0x29; /* tray, ejects, lock, locked */
	put_be16(d + 6, 706);	     /* kB/s: four times */
	put_be16(d + 8, 2);	     /* volume levels */
	put_be16(d + 10, 512);	     /* KiB of buffer */
	put_be16(d + 12, 706);
	return 0x14;
}

static const struct mode_page {
	uint8_t code;
	bool disk, cd;
	unsigned int (*fill)(const struct scsi_dev *dev, uint8_t *d);
} mode_pages[] = {
	{ 0x01, true, true, page_error_recovery },
	{ 0x08, true, false, page_caching },
	{ 0x0a, true, false, page_control },
	{ 0x2a, false, true, page_capabilities },
};

enum page_control { CURRENT, CHANGEABLE, DEFAULTS, SAVED };

static const struct mode_page *find_page(const struct scsi_dev *dev,
					 uint8_t code)
{
	for (size_t i = 0; i < ARRAY_SIZE(mode_pages); i++) {
		const struct mode_page *p = &mode_pages[i];

		if (p->code == code && (dev->cdrom ? p->cd : p->disk))
			return p;
	}
	return NULL;
}

static unsigned int put_page(const struct scsi_dev *dev,
			     const struct mode_page *p, bool changeable,
			     uint8_t *d)
{
	unsigned int n = p->fill(dev, d + 2);

	if (changeable)
		memset(d + 2, 0, n);
	d[0] = p->code;
	d[1] = n;
	return n + 2;
}

/* 0: no such page. */
static unsigned int put_pages(const struct scsi_dev *dev, uint8_t code,
			      bool changeable, uint8_t *d)
{
	unsigned int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(mode_pages); i++) {
		const struct mode_page *p = &mode_pages[i];

		if ((code == 0x3f || code == p->code) &&
		    find_page(dev, p->code) == p)
			n += put_page(dev, p, changeable, d + n);
	}
	return n;
}

/* SBC 6.4.1: write-protected, and FUA is obeyed. */
static uint8_t device_specific(const struct scsi_dev *dev)
{
	if (dev->cdrom)
		return 0;
	return drive_readonly(dev->drive) ? 0x90 : 0x10;
}

/* SPC 7.5.5: the short block descriptor; none for CD-ROM drives. */
static unsigned int put_descriptor(const struct scsi_cmd *c, uint8_t *d)
{
	if (c->dev->cdrom || (c->cdb[1] & 0x08))
		return 0;
	put_be32(d, MIN(scsi_blocks(c->dev), (uint64_t)UINT32_MAX));
	put_be32(d + 4, scsi_block_size(c->dev));
	return 8;
}

static void mode_sense(struct scsi_cmd *c, unsigned int header, uint64_t max)
{
	enum page_control pc = c->cdb[2] >> 6;
	uint8_t d[MODE_MAX] = { 0 };
	unsigned int desc, pages;

	if (pc == SAVED) {
		scsi_fail(c, SCSI_ILLEGAL_REQUEST, ASC_NO_SAVED_PAGES);
		return;
	}
	desc = put_descriptor(c, d + header);
	pages = put_pages(c->dev, c->cdb[2] & 0x3f, pc == CHANGEABLE,
			  d + header + desc);
	if (!pages || (c->cdb[3] && c->cdb[3] != 0xff)) {
		scsi_invalid_field(c);
		return;
	}
	if (header == 4) {
		d[0] = header + desc + pages - 1;
		d[2] = device_specific(c->dev);
		d[3] = desc;
	} else {
		put_be16(d, header + desc + pages - 2);
		d[3] = device_specific(c->dev);
		d[7] = desc;
	}
	scsi_reply(c, d, header + desc + pages, max);
}

void scsi_mode_sense6(struct scsi_cmd *c)
{
	mode_sense(c, 4, c->cdb[4]);
}

void scsi_mode_sense10(struct scsi_cmd *c)
{
	mode_sense(c, 8, get_be16(c->cdb + 7));
}

/* Whether the len bytes are pages as they are now. */
static bool pages_unchanged(const struct scsi_dev *dev, const uint8_t *d,
			    unsigned int len)
{
	while (len >= 2) {
		const struct mode_page *p = find_page(dev, d[0] & 0x3f);
		uint8_t now[MODE_MAX] = { 0 };
		unsigned int n = d[1] + 2;

		if (!p || n > len || put_page(dev, p, false, now) != n ||
		    memcmp(d + 2, now + 2, n - 2))
			return false;
		d += n;
		len -= n;
	}
	return !len;
}

static void mode_select(struct scsi_cmd *c, unsigned int header,
			unsigned int len)
{
	uint8_t d[MODE_MAX] = { 0 };
	unsigned int skip;

	len = iov_read(c->out, c->n_out, 0, d, MIN(len, sizeof(d)));
	c->moved = len;
	if (!len) {
		scsi_good(c);
		return;
	}
	skip = header + (header == 4 ? d[3] : get_be16(d + 6));
	if (len < header || skip > len)
		scsi_fail(c, SCSI_ILLEGAL_REQUEST, ASC_LIST_LENGTH);
	else if (!pages_unchanged(c->dev, d + skip, len - skip))
		scsi_fail(c, SCSI_ILLEGAL_REQUEST, ASC_INVALID_PARAMETER);
	else
		scsi_good(c);
}

void scsi_mode_select6(struct scsi_cmd *c)
{
	mode_select(c, 4, c->cdb[4]);
}

void scsi_mode_select10(struct scsi_cmd *c)
{
	mode_select(c, 8, get_be16(c->cdb + 7));
}
