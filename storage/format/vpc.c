/*
 * storage/format/vpc.c -- Virtual PC's images (Microsoft's "Virtual Hard Disk
 * Image Format Specification"), fixed and dynamic; big-endian.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "storage/format/endian.h"
#include "storage/format/foreign.h"

enum { FOOTER = 512, HEADER = 1024, FIXED = 2, DYNAMIC = 3 };

static const uint32_t no_block = UINT32_MAX;

/* Whose "current size" is the disk's; others mean the geometry. */
static const char *const exact[] = { "win ", "qem2", "d2v ", "tap", "CTXS" };

#define SECTORS_MAX (65535ull * 16 * 255)

static int place_fixed(struct foreign *f, uint64_t offset,
		       struct foreign_place *p)
{
	*p = (struct foreign_place){
		.where = FOREIGN_DATA,
		.host = offset,
		.len = f->unit - offset % f->unit,
	};
	return 0;
}

/* A block's data follow a bitmap of its sectors. */
static int place(struct foreign *f, uint64_t offset, struct foreign_place *p)
{
	uint64_t inside = offset % f->unit;
	uint8_t e[4];
	int r = foreign_read(f, e, sizeof(e), f->table + offset / f->unit * 4);

	*p = (struct foreign_place){ .len = f->unit - inside };
	if (r < 0 || get_be32(e) == no_block)
		return r;
	p->where = FOREIGN_DATA;
	p->host = get_be32(e) * (uint64_t)BLOCK_SECTOR + f->data + inside;
	return 0;
}

static uint64_t disk_size(const uint8_t *d)
{
	uint64_t sectors = get_be16(d + 56) * (uint64_t)d[58] * d[59];

	if (sectors >= SECTORS_MAX)
		return get_be64(d + 48);
	for (unsigned int i = 0; i < ARRAY_SIZE(exact); i++)
		if (!strncmp((const char *)d + 28, exact[i], 4))
			return get_be64(d + 48);
	return sectors * BLOCK_SECTOR;
}

/* "Dynamic Disk Header Format". */
static int open_dynamic(struct foreign *f, uint64_t at, uint64_t size,
			struct error *err)
{
	uint8_t h[HEADER];
	int r = foreign_read(f, h, sizeof(h), at);

	if (r < 0 || memcmp(h, "cxsparse", 8))
		return foreign_bad(err, "dynamic header is not there");
	f->table = get_be64(h + 16);
	f->unit = get_be32(h + 32);
	f->place = place;
	r = foreign_check(f, size, err);
	if (r < 0)
		return r;
	if (f->table > INT64_MAX / 2 ||
	    (size + f->unit - 1) / f->unit > get_be32(h + 28))
		return foreign_bad(err, "table is too small for its disk");
	f->data = ALIGN_UP((f->unit / BLOCK_SECTOR + 7) / 8,
			   (uint64_t)BLOCK_SECTOR);
	return 0;
}

static int open_fixed(struct foreign *f, uint64_t size, struct error *err)
{
	f->unit = MIB;
	f->place = place_fixed;
	return foreign_check(f, size, err);
}

/* It is the end of the file; a dynamic one's beginning has a copy. */
static int read_footer(struct foreign *f, uint8_t *d)
{
	if (foreign_read(f, d, FOOTER, 0) >= 0 && !memcmp(d, "conectix", 8))
		return 0;
	return f->file_size < FOOTER ?
		       -EIO :
		       foreign_read(f, d, FOOTER, f->file_size - FOOTER);
}

static int parse(struct block *blk, struct foreign *f, struct error *err)
{
	uint8_t d[FOOTER];
	uint32_t type;

	if (read_footer(f, d) < 0 || memcmp(d, "conectix", 8))
		return foreign_bad(err, "footer is not VPC's");
	type = get_be32(d + 60);
	blk->size = disk_size(d);
	if (type == DYNAMIC)
		return open_dynamic(f, get_be64(d + 16), blk->size, err);
	if (type == FIXED)
		return open_fixed(f, blk->size, err);
	return error_set(err, -ENOTSUP,
			 "it is based on another image, which is not supported for VPC");
}

static int vpc_open(struct block *blk, struct error *err)
{
	struct foreign *f;
	int r = foreign_open(blk, &f, err);

	if (r < 0)
		return r;
	r = parse(blk, f, err);
	if (r < 0)
		foreign_close(blk);
	return r;
}

FOREIGN_FORMAT(block_vpc, "vpc", vpc_open);
