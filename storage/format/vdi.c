/*
 * storage/format/vdi.c -- VirtualBox's images, dynamic and static: a table
 * of 32-bit block numbers, little-endian.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "storage/format/endian.h"
#include "storage/format/foreign.h"

enum {
	HEADER = 512,
	SIGNATURE = 0xbeda107f,
	TYPE_DYNAMIC = 1,
	TYPE_STATIC = 2,
	NO_BLOCK = 0xfffffffe, /* this and the next: none, or zeroes */
};

static int place(struct foreign *f, uint64_t offset, struct foreign_place *p)
{
	uint64_t inside = offset % f->unit;
	uint8_t e[4];
	int r = foreign_read(f, e, sizeof(e), f->table + offset / f->unit * 4);

	*p = (struct foreign_place){ .len = f->unit - inside };
	if (r < 0 || get_le32(e) >= (uint32_t)NO_BLOCK)
		return r;
	p->where = FOREIGN_DATA;
	p->host = f->data + get_le32(e) * f->unit + inside;
	return 0;
}

static bool is_zero(const uint8_t *p, size_t n)
{
	while (n && !*p++)
		n--;
	return !n;
}

static int parse(struct block *blk, struct foreign *f, const uint8_t *d,
		 struct error *err)
{
	uint32_t type = get_le32(d + 76);
	uint64_t size = get_le64(d + 368);
	int r;

	if (get_le32(d + 64) != (uint32_t)SIGNATURE || get_le16(d + 70) != 1)
		return foreign_bad(err, "header is not VDI's, version 1");
	if ((type != TYPE_DYNAMIC && type != TYPE_STATIC) ||
	    !is_zero(d + 424, 16))
		return error_set(err, -ENOTSUP,
				 "it is based on another image, which is not supported for VDI");
	if (get_le32(d + 360) != BLOCK_SECTOR || get_le32(d + 380))
		return error_set(err, -ENOTSUP,
				 "its sectors or blocks are of an unknown kind");
	f->table = get_le32(d + 340);
	f->data = get_le32(d + 344);
	f->unit = get_le32(d + 376);
	f->place = place;
	size = ALIGN_UP(size, (uint64_t)BLOCK_SECTOR);
	r = foreign_check(f, size, err);
	if (r >= 0 && (size + f->unit - 1) / f->unit > get_le32(d + 384))
		return foreign_bad(err, "table is too small for its disk");
	blk->size = size;
	return r;
}

static int vdi_open(struct block *blk, struct error *err)
{
	uint8_t d[HEADER];
	struct foreign *f;
	int r = foreign_open(blk, &f, err);

	if (r < 0)
		return r;
	r = foreign_read(f, d, sizeof(d), 0);
	r = r < 0 ? foreign_bad(err, "header cannot be read") :
		    parse(blk, f, d, err);
	if (r < 0)
		foreign_close(blk);
	return r;
}

FOREIGN_FORMAT(block_vdi, "vdi", vdi_open);
