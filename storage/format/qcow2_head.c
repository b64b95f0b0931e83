/*
 * storage/format/qcow2_head.c -- the header of an open image is written
 * anew.
 */
#include <errno.h>
#include <string.h>

#include "storage/format/qcow2.h"

/* Sectors that stay the same are left alone: as a rule it is one. */
static int write_changes(struct qcow2 *q, const uint8_t *old,
			 const uint8_t *now)
{
	int r = 0;

	for (size_t at = 0; at < q->cluster_size && r >= 0;
	     at += BLOCK_SECTOR)
		if (memcmp(old + at, now + at, BLOCK_SECTOR))
			r = qcow2_pwrite(q, now + at, BLOCK_SECTOR, at);
	return r;
}

int qcow2_header_write(struct qcow2 *q)
{
	_cleanup_free_ uint8_t *old = xcalloc(1, q->cluster_size);
	_cleanup_free_ uint8_t *now = xcalloc(1, q->cluster_size);
	int r = qcow2_header_format(&q->h, now, q->cluster_size);

	if (r >= 0)
		r = qcow2_pread(q, old, q->cluster_size, 0);
	if (r >= 0)
		r = write_changes(q, old, now);
	return r < 0 ? r : qcow2_sync(q);
}
