/*
 * vmm/dev/ata.c -- ATA disks and ATAPI drives: their commands (ACS-3).
 *
 * A CD-ROM drive knows the few commands that lead to its SCSI half, PACKET
 * above all.  Left out: SMART, security, power management beyond saying yes,
 * sectors that are not of 512 bytes.
 */
#include "vmm/dev/ata.h"

#include <errno.h>
#include <string.h>

#include "base/iov.h"
#include "base/util.h"
#include "vmm/spec.h"
#include "vmm/state.h"

enum {
	SECTOR = BLOCK_SECTOR,
	MULTIPLE_MAX = 16,
	TRIM_BLOCKS_MAX = 8, /* of 64 ranges each */
	RANGES_PER_BLOCK = SECTOR / 8,
	LOG_DIRECTORY = 0x00,
	LOG_QUEUED_ERROR = 0x10,
};

/* ---- registers ---- */

void ata_parse_fis(const uint8_t fis[ATA_FIS_LEN], struct ata_regs *ret)
{
	*ret = (struct ata_regs){
		.command = fis[2],
		.features = fis[3] | fis[11] << 8,
		.device = fis[7],
		.count = fis[12] | fis[13] << 8,
		.lba = fis[4] | fis[5] << 8 | fis[6] << 16 |
		       (uint64_t)fis[8] << 24 | (uint64_t)fis[9] << 32 |
		       (uint64_t)fis[10] << 40,
	};
}

/* ACS 7.1.7.2: bits 24 to 27 of a short address are in the device field. */
static uint64_t lba28(const struct ata_regs *r)
{
	return (r->lba & 0xffffff) | (uint64_t)(r->device & 0x0f) << 24;
}

static uint32_t count28(const struct ata_regs *r)
{
	return r->count & 0xff ? r->count & 0xff : 256;
}

static uint32_t count48(uint16_t count)
{
	return count ? count : 65536;
}

static void answer(struct ata_cmd *c, uint8_t error)
{
	c->regs.status = ATA_DRDY | ATA_DSC | (error ? ATA_ERR : 0);
	c->regs.error = error;
	if (error)
		c->moved = 0;
	free(steal_ptr(&c->ranges));
	c->done(c);
}

static void good(struct ata_cmd *c)
{
	answer(c, 0);
}

static void aborted(struct ata_cmd *c)
{
	answer(c, ATA_ABRT);
}

/* ACS 9.13.3: which queued command failed, for READ LOG EXT. */
static void keep_error(struct ata_cmd *c, uint8_t error)
{
	uint8_t *log = c->dev->error_log, sum = 0;

	memset(log, 0, ATA_LOG_LEN);
	log[0] = ata_queued_tag(&c->regs);
	log[2] = ATA_DRDY | ATA_ERR;
	log[3] = error;
	for (unsigned int i = 0; i < 3; i++) {
		log[4 + i] = c->regs.lba >> 8 * i;
		log[8 + i] = c->regs.lba >> (24 + 8 * i);
	}
	log[7] = c->regs.device;
	log[12] = c->regs.count;
	log[13] = c->regs.count >> 8;
	for (unsigned int i = 0; i < ATA_LOG_LEN - 1; i++)
		sum += log[i];
	log[ATA_LOG_LEN - 1] = -sum;
}

static void failed(struct ata_cmd *c, uint8_t error)
{
	if (c->protocol == ATA_QUEUED)
		keep_error(c, error);
	answer(c, error);
}

/* ---- blocks ---- */

static void request_done(struct drive_req *req, int result)
{
	struct ata_cmd *c = container_of(req, struct ata_cmd, req);

	if (result < 0)
		failed(c, req->op == BLOCK_READ ? ATA_UNC : ATA_ABRT);
	else
		good(c);
}

static void transfer(struct ata_cmd *c, enum block_op op, uint64_t lba,
		     uint32_t sectors, bool fua)
{
	uint64_t total = drive_size(c->dev->drive) / SECTOR;
	uint64_t bytes = (uint64_t)sectors * SECTOR;
	struct block_req *b = &c->req.block;
	int r;

	if (lba > total || sectors > total - lba) {
		failed(c, ATA_IDNF);
		return;
	}
	if (bytes > c->iov_len ||
	    (op == BLOCK_WRITE && drive_readonly(c->dev->drive))) {
		failed(c, ATA_ABRT);
		return;
	}
	*b = (struct block_req){ .op = op,
				 .offset = lba * SECTOR,
				 .length = bytes,
				 .iov = c->iov };
	b->n_iov = iov_slice(c->iov, c->n_iov, 0, bytes, c->iov);
	c->req.done = request_done;
	c->req.fua = op == BLOCK_WRITE && (fua || !c->dev->write_cache);
	c->moved = bytes;
	r = drive_submit(c->dev->drive, &c->req);
	if (r < 0)
		failed(c, ATA_ABRT);
}

static void read28(struct ata_cmd *c)
{
	transfer(c, BLOCK_READ, lba28(&c->regs), count28(&c->regs), false);
}

static void read48(struct ata_cmd *c)
{
	transfer(c, BLOCK_READ, c->regs.lba, count48(c->regs.count), false);
}

static void write28(struct ata_cmd *c)
{
	transfer(c, BLOCK_WRITE, lba28(&c->regs), count28(&c->regs), false);
}

static void write48(struct ata_cmd *c)
{
	transfer(c, BLOCK_WRITE, c->regs.lba, count48(c->regs.count), false);
}

static void write48_fua(struct ata_cmd *c)
{
	transfer(c, BLOCK_WRITE, c->regs.lba, count48(c->regs.count), true);
}

/* ACS 7.16: the count is in the features field, FUA in the device field. */
static void read_queued(struct ata_cmd *c)
{
	transfer(c, BLOCK_READ, c->regs.lba, count48(c->regs.features),
		 false);
}

static void write_queued(struct ata_cmd *c)
{
	transfer(c, BLOCK_WRITE, c->regs.lba, count48(c->regs.features),
		 c->regs.device & 0x80);
}

static void verify(struct ata_cmd *c, uint64_t lba, uint32_t sectors)
{
	uint64_t total = drive_size(c->dev->drive) / SECTOR;

	answer(c, lba > total || sectors > total - lba ? ATA_IDNF : 0);
}

static void verify28(struct ata_cmd *c)
{
	verify(c, lba28(&c->regs), count28(&c->regs));
}

static void verify48(struct ata_cmd *c)
{
	verify(c, c->regs.lba, count48(c->regs.count));
}

static void flush(struct ata_cmd *c)
{
	c->req.block = (struct block_req){ .op = BLOCK_FLUSH };
	c->req.done = request_done;
	c->req.fua = false;
	if (drive_submit(c->dev->drive, &c->req) < 0)
		aborted(c);
}

/* ---- DATA SET MANAGEMENT (ACS 7.5) ---- */

static void trim_next(struct ata_cmd *c);

static void range_done(struct drive_req *req, int result)
{
	struct ata_cmd *c = container_of(req, struct ata_cmd, req);

	if (result < 0)
		aborted(c);
	else
		trim_next(c);
}

/* An entry: 48 bits of address, 16 bits of length; length 0 is no entry. */
static void trim_next(struct ata_cmd *c)
{
	while (c->range < c->n_ranges && !(c->ranges[c->range] >> 48))
		c->range++;
	if (c->range == c->n_ranges) {
		good(c);
		return;
	}
	c->req.block = (struct block_req){
		.op = BLOCK_DISCARD,
		.offset = (c->ranges[c->range] & (BIT64(48) - 1)) * SECTOR,
		.length = (c->ranges[c->range] >> 48) * SECTOR,
	};
	c->range++;
	c->req.done = range_done;
	c->req.fua = false;
	if (drive_submit(c->dev->drive, &c->req) < 0)
		answer(c, ATA_IDNF);
}

static void data_set_management(struct ata_cmd *c)
{
	uint64_t len = (uint64_t)c->regs.count * SECTOR;

	if (c->regs.features != 1 || !drive_discards(c->dev->drive) ||
	    !c->regs.count || c->regs.count > TRIM_BLOCKS_MAX ||
	    len > c->iov_len) {
		aborted(c);
		return;
	}
	c->range = 0;
	c->n_ranges = c->regs.count * RANGES_PER_BLOCK;
	c->ranges = xcalloc(c->n_ranges, sizeof(*c->ranges));
	c->moved = iov_read(c->iov, c->n_iov, 0, c->ranges, len);
	trim_next(c);
}

/* ---- what a device says of itself ---- */

static void reply(struct ata_cmd *c, const void *data, size_t len)
{
	c->moved = iov_write(c->iov, c->n_iov, 0, data, len);
	good(c);
}

/* ACS 3.3.10: two characters a word, the first in the high byte. */
static void put_string(uint16_t *words, unsigned int n, const char *s)
{
	size_t len = strnlen(s, 2 * n);

	for (unsigned int i = 0; i < 2 * n; i++) {
		uint8_t ch = i < len ? s[i] : ' ';

		words[i / 2] |= i % 2 ? ch : ch << 8;
	}
}

static int trimmed(const char *s, int n)
{
	while (n && s[n - 1] == ' ')
		n--;
	return n;
}

static void put_names(uint16_t *w, const struct ata_dev *dev)
{
	const char *serial = drive_serial(dev->drive);
	const struct scsi_dev *s = &dev->scsi;
	char model[41];

	snprintf(model, sizeof(model), "%.*s %.*s",
		 trimmed(s->vendor, sizeof(s->vendor)), s->vendor,
		 trimmed(s->product, sizeof(s->product)), s->product);
	put_string(w + 10, 10, *serial ? serial : drive_id(dev->drive));
	put_string(w + 23, 4, "1.0");
	put_string(w + 27, 20, model);
}

static void put_common(uint16_t *w)
{
	w[49] = 0x0f00; /* LBA, DMA, IORDY */
	w[50] = 0x4000;
	w[53] = 0x0006; /* words 64-70 and 88 are valid */
	w[63] = 0x0007; /* multiword DMA */
	w[64] = 0x0003; /* PIO */
	w[65] = w[66] = w[67] = w[68] = 120; /* ns */
	w[80] = 0x03f0; /* up to ACS-2 */
	w[83] = w[84] = w[87] = 0x4000;
	w[88] = 0x203f; /* Ultra DMA 0 to 5; 5 is set */
	w[222] = 0x107f; /* a serial transport */
}

static void put_checksum(uint16_t *w)
{
	const uint8_t *p = (const uint8_t *)w;
	uint8_t sum = 0;

	w[255] = 0xa5;
	for (unsigned int i = 0; i < 511; i++)
		sum += p[i];
	w[255] |= (uint8_t)-sum << 8;
}

static void put_capacity(uint16_t *w, uint64_t sectors)
{
	uint64_t short_count = MIN(sectors, 0x0fffffffull);

	w[1] = MIN(sectors / (16 * 63), 16383ull);
	w[3] = 16;
	w[6] = 63;
	w[60] = short_count;
	w[61] = short_count >> 16;
	for (unsigned int i = 0; i < 3; i++)
		w[100 + i] = sectors >> 16 * i;
}

static void put_wwn(uint16_t *w, const char *wwn)
{
	uint64_t v;

	if (!wwn || parse_u64(wwn, 16, UINT64_MAX, &v) < 0)
		return;
	for (unsigned int i = 0; i < 4; i++)
		w[108 + i] = v >> (48 - 16 * i);
	w[84] |= 0x0100;
	w[87] |= 0x0100;
}

static void put_disk_features(uint16_t *w, const struct ata_dev *dev)
{
	unsigned int per_physical = drive_align(dev->drive) / SECTOR;

	w[47] = 0x8000 | MULTIPLE_MAX;
	if (dev->multiple)
		w[59] = 0x0100 | dev->multiple;
	w[75] = ATA_QUEUE_DEPTH - 1;
	w[76] = 0x010e;		 /* queueing; 1.5, 3 and 6 Gb/s */
	w[82] = 0x4068;		 /* NOP, look-ahead, write cache, power */
	w[83] |= 0x3400;	 /* FLUSH CACHE (EXT), 48-bit addresses */
	w[84] |= 0x0060;	 /* WRITE DMA FUA EXT, logs */
	w[85] = 0x4048 | (dev->write_cache ? 0x20 : 0);
	w[86] = 0xb400;
	w[87] |= 0x0060;
	if (per_physical > 1)
		w[106] = 0x6000 | (31 - __builtin_clz(per_physical));
	w[217] = 1; /* it does not rotate */
	if (!drive_discards(dev->drive))
		return;
	w[105] = TRIM_BLOCKS_MAX;
	w[169] = 1;
}

static void identify(struct ata_cmd *c)
{
	uint16_t w[256] = { 0 };

	w[0] = 0x0040;
	put_names(w, c->dev);
	put_common(w);
	put_capacity(w, drive_size(c->dev->drive) / SECTOR);
	put_disk_features(w, c->dev);
	put_wwn(w, drive_wwn(c->dev->drive));
	put_checksum(w);
	reply(c, w, sizeof(w));
}

static void identify_packet(struct ata_cmd *c)
{
	uint16_t w[256] = { 0 };

	w[0] = 0x85c0; /* CD-ROM, removable, packets of 12 bytes */
	put_names(w, c->dev);
	put_common(w);
	w[76] = 0x000e;
	w[82] = w[85] = 0x4210; /* NOP, DEVICE RESET, PACKET */
	put_wwn(w, drive_wwn(c->dev->drive));
	put_checksum(w);
	reply(c, w, sizeof(w));
}

/* ACS 7.24: the log in bits 0-7 of the address, its page in 8-15, 32-39. */
static void read_log(struct ata_cmd *c)
{
	unsigned int page = (c->regs.lba >> 8 & 0xff) |
			    (c->regs.lba >> 32 & 0xff) << 8;
	uint16_t directory[ATA_LOG_LEN / 2] = { [0] = 1,
						[LOG_QUEUED_ERROR] = 1 };
	uint8_t log = c->regs.lba;

	if (page || c->regs.count != 1 || c->iov_len < ATA_LOG_LEN)
		aborted(c);
	else if (log == LOG_DIRECTORY)
		reply(c, directory, sizeof(directory));
	else if (log == LOG_QUEUED_ERROR)
		reply(c, c->dev->error_log, ATA_LOG_LEN);
	else
		aborted(c);
}

/* ---- the rest ---- */

/* ACS 7.45: what drivers set as a matter of course. */
static void set_features(struct ata_cmd *c)
{
	switch (c->regs.features & 0xff) {
	case 0x02:
		c->dev->write_cache = true;
		break;
	case 0x82:
		c->dev->write_cache = false;
		break;
	case 0x03: /* transfer mode */
	case 0x55: /* look-ahead off, on */
	case 0xaa:
	case 0x66: /* defaults kept over a reset, or not */
	case 0xcc:
		break;
	default:
		aborted(c);
		return;
	}
	good(c);
}

static void set_multiple(struct ata_cmd *c)
{
	unsigned int n = c->regs.count & 0xff;

	if (n > MULTIPLE_MAX || (n & (n - 1))) {
		aborted(c);
		return;
	}
	c->dev->multiple = n;
	good(c);
}

/* ACS 7.3: 0xff is "active or idle". */
static void check_power(struct ata_cmd *c)
{
	c->regs.count = 0xff;
	good(c);
}

/* ACS 9.2: no fault; the signature is part of the answer. */
static void diagnostic(struct ata_cmd *c)
{
	c->moved = 0;
	ata_signature(c->dev, &c->regs);
	c->done(c);
}

/* ACS 7.8: nothing is aborted, as nothing else runs on an idle link. */
static void device_reset(struct ata_cmd *c)
{
	ata_reset(c->dev);
	diagnostic(c);
}

/* A packet device answers so that it is found out to be one. */
static void identify_not(struct ata_cmd *c)
{
	uint8_t command = c->regs.command;

	ata_signature(c->dev, &c->regs);
	c->regs.command = command;
	aborted(c);
}

/* ---- PACKET (ACS 7.18) ---- */

static void packet_done(struct scsi_cmd *s)
{
	struct ata_cmd *c = container_of(s, struct ata_cmd, scsi);
	bool ok = s->status == SCSI_GOOD && !s->overrun;

	c->moved = s->moved;
	c->regs.count = 0x03; /* interrupt reason: a command is complete */
	c->regs.status = ATA_DRDY | ATA_DSC | (ok ? 0 : ATA_ERR);
	c->regs.error = ok ? 0 : (s->sense[2] << 4 | ATA_ABRT);
	c->done(c);
}

static void packet(struct ata_cmd *c)
{
	struct scsi_cmd *s = &c->scsi;

	*s = (struct scsi_cmd){ .dev = &c->dev->scsi, .done = packet_done };
	memcpy(s->cdb, c->packet, ATA_PACKET_LEN);
	if (c->write) {
		s->out = c->iov;
		s->n_out = c->n_iov;
		s->out_len = c->iov_len;
	} else {
		s->in = c->iov;
		s->n_in = c->n_iov;
		s->in_len = c->iov_len;
	}
	scsi_run(s);
}

/* ---- which command is which (ACS annex A) ---- */

enum { DISK = 1, CD = 2, BOTH = 3 };

static const struct command {
	void (*run)(struct ata_cmd *cmd);
	uint8_t who;
	enum ata_protocol protocol;
} commands[256] = {
	[0x00] = { aborted, BOTH, ATA_NON_DATA }, /* NOP always aborts */
	[0x06] = { data_set_management, DISK, ATA_DMA },
	[0x08] = { device_reset, CD, ATA_NON_DATA },
	[0x20] = { read28, DISK, ATA_PIO_IN },
	[0x24] = { read48, DISK, ATA_PIO_IN },
	[0x25] = { read48, DISK, ATA_DMA },
	[0x29] = { read48, DISK, ATA_PIO_IN },
	[0x2f] = { read_log, DISK, ATA_PIO_IN },
	[0x30] = { write28, DISK, ATA_PIO_OUT },
	[0x34] = { write48, DISK, ATA_PIO_OUT },
	[0x35] = { write48, DISK, ATA_DMA },
	[0x39] = { write48, DISK, ATA_PIO_OUT },
	[0x3d] = { write48_fua, DISK, ATA_DMA },
	[0x40] = { verify28, DISK, ATA_NON_DATA },
	[0x42] = { verify48, DISK, ATA_NON_DATA },
	[0x47] = { read_log, DISK, ATA_DMA },
	[0x60] = { read_queued, DISK, ATA_QUEUED },
	[0x61] = { write_queued, DISK, ATA_QUEUED },
	[0x90] = { diagnostic, BOTH, ATA_NON_DATA },
	[0x91] = { good, DISK, ATA_NON_DATA }, /* INITIALIZE DEVICE PARAMS */
	[0xa0] = { packet, CD, ATA_PACKET },
	[0xa1] = { identify_packet, CD, ATA_PIO_IN },
	[0xc4] = { read28, DISK, ATA_PIO_IN },
	[0xc5] = { write28, DISK, ATA_PIO_OUT },
	[0xc6] = { set_multiple, DISK, ATA_NON_DATA },
	[0xc8] = { read28, DISK, ATA_DMA },
	[0xca] = { write28, DISK, ATA_DMA },
	[0xe0] = { good, BOTH, ATA_NON_DATA }, /* STANDBY IMMEDIATE */
	[0xe1] = { good, BOTH, ATA_NON_DATA }, /* IDLE IMMEDIATE */
	[0xe2] = { good, DISK, ATA_NON_DATA }, /* STANDBY */
	[0xe3] = { good, DISK, ATA_NON_DATA }, /* IDLE */
	[0xe5] = { check_power, BOTH, ATA_NON_DATA },
	[0xe6] = { good, BOTH, ATA_NON_DATA }, /* SLEEP */
	[0xe7] = { flush, DISK, ATA_NON_DATA },
	[0xea] = { flush, DISK, ATA_NON_DATA },
	[0xec] = { identify, DISK, ATA_PIO_IN },
	[0xef] = { set_features, BOTH, ATA_NON_DATA },
};

static const struct command *find(const struct ata_dev *dev, uint8_t command)
{
	const struct command *c = &commands[command];

	return c->who & (dev->packet ? CD : DISK) ? c : NULL;
}

bool ata_is_queued(const struct ata_dev *dev, uint8_t command)
{
	const struct command *c = find(dev, command);

	return c && c->protocol == ATA_QUEUED;
}

unsigned int ata_queued_tag(const struct ata_regs *regs)
{
	return regs->count >> 3 & 0x1f;
}

void ata_run(struct ata_cmd *c)
{
	const struct command *command = find(c->dev, c->regs.command);

	c->moved = 0;
	c->protocol = command ? command->protocol : ATA_NON_DATA;
	if (command)
		command->run(c);
	else if (c->dev->packet && c->regs.command == 0xec)
		identify_not(c);
	else
		aborted(c);
}

/* ---- the device ---- */

void ata_signature(const struct ata_dev *dev, struct ata_regs *ret)
{
	*ret = (struct ata_regs){
		.status = dev->packet ? 0 : ATA_DRDY | ATA_DSC,
		.error = 0x01, /* device 0 passed */
		.count = 1,
		.lba = dev->packet ? 0xeb1401 : 0x000001,
	};
}

const struct state_field ata_fields[] = {
	STATE_STRUCT(struct ata_dev, scsi, scsi_fields),
	STATE_BOOL(struct ata_dev, write_cache),
	STATE_MAX(struct ata_dev, multiple, MULTIPLE_MAX),
	STATE_RAW(struct ata_dev, error_log),
	STATE_END,
};

void ata_reset(struct ata_dev *dev)
{
	dev->write_cache = drive_caches(dev->drive);
	dev->multiple = MULTIPLE_MAX;
	memset(dev->error_log, 0, sizeof(dev->error_log));
	if (dev->packet)
		scsi_reset(&dev->scsi);
}

void ata_init(struct ata_dev *dev, const struct spec_disk *spec,
	      struct drive *drive)
{
	*dev = (struct ata_dev){ .drive = drive,
				 .packet = spec->kind == SPEC_CDROM };
	scsi_init(&dev->scsi, spec, drive);
	dev->scsi.atapi = true;
	ata_reset(dev);
}
