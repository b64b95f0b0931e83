/*
 * vmm/blockjob_since.c -- backups of what has changed since a dirty bitmap of
 * the disk's was begun: its bits as they are when the job begins.
 *
 * The bitmap goes on being marked.  A write that is out at that moment is in
 * it later, and so in the next backup, if it is not in this one.
 */
#include <errno.h>

#include "storage/format/bitmaps.h"
#include "storage/format/dirty_bitmap.h"
#include "vmm/blockjob_priv.h"
#include "vmm/nbd/nbd.h"

int blockjob_since_read(struct blockjob *j, struct error *err)
{
	struct block *blk = drive_block(j->drive);
	int r;

	if (!j->plan.bitmap)
		return 0;
	if (j->plan.kind == BLOCKJOB_EXPORT && !j->plan.context)
		return error_set(err, -EINVAL,
				 "disk '%s': the bitmap has no name for clients",
				 j->id);
	r = block_bitmap_copy(blk, j->plan.bitmap, &j->since, err);
	if (r < 0)
		error_prefix(err, "disk '%s'", j->id);
	return r;
}

void blockjob_since_free(struct blockjob *j)
{
	dirty_bitmap_destroy(j->since);
}

/* What a write to the target replaces as a whole. */
static uint64_t step_of(const struct blockjob *j)
{
	uint64_t piece = BIT64(drive_gate(j->drive)->piece_bits);
	struct block_info info;

	block_info(j->target, &info);
	return MAX(info.cluster_size, piece);
}

static void leave_out(struct blockjob *j, uint64_t first, uint64_t end)
{
	const struct gate_range range = { first, end };

	if (first < end)
		gate_saved(drive_gate(j->drive), &range);
}

/*
 * Whole clusters of the target are saved: what is in one beside what has
 * changed would hide what is behind it.
 */
void blockjob_since_leave_out(struct blockjob *j)
{
	uint64_t size = drive_size(j->drive), step = step_of(j);
	uint64_t known = MIN(size, dirty_bitmap_size(j->since));
	uint64_t at = 0, dirty, length;

	while (at < known &&
	       dirty_bitmap_next(j->since, at, &dirty, &length)) {
		leave_out(j, at, MIN(ALIGN_DOWN(dirty, step), size));
		at = ALIGN_UP(dirty + length, step);
	}
	leave_out(j, at, size);
	j->end = gate_dirty_bytes(drive_gate(j->drive));
}

void blockjob_since_extent(const struct blockjob *j, uint64_t offset,
			   uint64_t length, struct nbd_extent *ret)
{
	*ret = (struct nbd_extent){ .length = length };
	if (offset < dirty_bitmap_size(j->since) &&
	    dirty_bitmap_get(j->since, offset, length, &ret->length))
		ret->flags = NBD_DIRTY;
}
