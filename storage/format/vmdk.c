/*
 * storage/format/vmdk.c -- VMware's images that are one file ("Virtual Disk
 * Format 5.0": hosted sparse and stream-optimised extents); little-endian,
 * places in sectors.
 *
 * Not here: extents in files of their own, which are opened as what they are;
 * images that are based on others.
 */
#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "base/error.h"
#include "storage/format/endian.h"
#include "storage/format/foreign.h"

enum {
	HEADER = 512,
	FLAG_ZERO_GRAIN = 1 << 2,
	FLAG_COMPRESSED = 1 << 16,
	DEFLATE = 1,
	DESCRIPTOR_MAX = 64 * 1024,
	ENTRIES_MAX = 1024 * 1024,
	GRAIN_HEADER = 12,
};

/* struct foreign's: table: the directory; step: entries of a grain table;
 * data: the flags. */

static int read_sector_number(struct foreign *f, uint64_t offset,
			      uint64_t *ret)
{
	uint8_t e[4];
	int r = foreign_read(f, e, sizeof(e), offset);

	*ret = r < 0 ? 0 : get_le32(e) * (uint64_t)BLOCK_SECTOR;
	return r;
}

static int place(struct foreign *f, uint64_t offset, struct foreign_place *p)
{
	uint64_t grain = offset / f->unit, inside = offset % f->unit;
	uint64_t table, host = 0;
	int r = read_sector_number(f, f->table + grain / f->step * 4, &table);

	if (r >= 0 && table)
		r = read_sector_number(f, table + grain % f->step * 4, &host);
	*p = (struct foreign_place){ .len = f->unit - inside };
	if (r < 0 || !host ||
	    (host == BLOCK_SECTOR && (f->data & FLAG_ZERO_GRAIN)))
		return r;
	p->where = f->unpack ? FOREIGN_PACKED : FOREIGN_DATA;
	p->host = f->unpack ? host : host + inside;
	return 0;
}

/* "Compressed Grains": number, size, then an RFC 1950 stream. */
static int unpack(struct foreign *f, uint64_t host, uint8_t *unit)
{
	_cleanup_free_ uint8_t *packed = NULL;
	uint8_t head[GRAIN_HEADER];
	uLongf len = f->unit;
	uint32_t n;
	int r = foreign_read(f, head, sizeof(head), host);

	if (r < 0)
		return r;
	n = get_le32(head + 8);
	if (!n || n > 2 * f->unit)
		return -EIO;
	packed = xmalloc(n);
	r = foreign_read(f, packed, n, host + GRAIN_HEADER);
	if (r < 0)
		return r;
	return uncompress(unit, &len, packed, n) == Z_OK ? 0 : -EIO;
}

/* A stream's directory is known at its end: there the header comes again. */
static int read_header(struct foreign *f, uint8_t *d)
{
	int r = foreign_read(f, d, HEADER, 0);

	if (r < 0 || memcmp(d, "KDMV", 4) || get_le64(d + 56) != UINT64_MAX)
		return r;
	return f->file_size < 2 * HEADER ?
		       -EIO :
		       foreign_read(f, d, HEADER, f->file_size - 2 * HEADER);
}

static int parse(struct block *blk, struct foreign *f, const uint8_t *d,
		 struct error *err)
{
	uint64_t capacity = get_le64(d + 12), grain = get_le64(d + 20);
	uint64_t directory = get_le64(d + 56);

	if (memcmp(d, "KDMV", 4) || !get_le32(d + 4) || get_le32(d + 4) > 3)
		return foreign_bad(err,
				   "header is not that of a sparse VMDK of one file");
	f->data = get_le32(d + 8);
	f->step = get_le32(d + 44);
	f->place = place;
	if (f->data & FLAG_COMPRESSED)
		f->unpack = unpack;
	if (f->unpack && get_le16(d + 77) != DEFLATE)
		return error_set(err, -ENOTSUP, "its compression is unknown");
	if (capacity > INT64_MAX / 2 / BLOCK_SECTOR ||
	    grain > FOREIGN_UNIT_MAX / BLOCK_SECTOR ||
	    directory > INT64_MAX / 2 / BLOCK_SECTOR)
		return foreign_bad(err, "header has impossible sizes");
	if (!f->step || f->step > ENTRIES_MAX)
		return foreign_bad(err, "tables cannot have that size");
	f->unit = grain * BLOCK_SECTOR;
	f->table = directory * BLOCK_SECTOR;
	blk->size = capacity * BLOCK_SECTOR;
	return foreign_check(f, blk->size, err);
}

/* The text says whether there is a parent: its "content ID". */
static int check_descriptor(struct foreign *f, const uint8_t *d,
			    struct error *err)
{
	uint64_t at = get_le64(d + 28), len = get_le64(d + 36);
	_cleanup_free_ char *text = NULL;
	const char *parent;

	if (!at)
		return 0;
	if (at > INT64_MAX / 2 / BLOCK_SECTOR ||
	    len > DESCRIPTOR_MAX / BLOCK_SECTOR)
		return foreign_bad(err, "description is too long");
	len *= BLOCK_SECTOR;
	text = xcalloc(1, len + 1);
	if (foreign_read(f, text, len, at * BLOCK_SECTOR) < 0)
		return foreign_bad(err, "description cannot be read");
	parent = strstr(text, "parentCID=");
	if (parent && strncasecmp(parent + 10, "ffffffff", 8))
		return error_set(err, -ENOTSUP,
				 "it is based on another image, which is not supported for VMDK");
	return 0;
}

static int vmdk_open(struct block *blk, struct error *err)
{
	uint8_t d[HEADER];
	struct foreign *f;
	int r = foreign_open(blk, &f, err);

	if (r < 0)
		return r;
	r = read_header(f, d);
	r = r < 0 ? foreign_bad(err, "header cannot be read") :
		    parse(blk, f, d, err);
	if (r >= 0)
		r = check_descriptor(f, d, err);
	if (r < 0)
		foreign_close(blk);
	return r;
}

FOREIGN_FORMAT(block_vmdk, "vmdk", vmdk_open);
