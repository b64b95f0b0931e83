/*
 * storage/format/qcow2_snaptable.h -- the table of an image's internal
 * snapshots (section "Snapshots").
 */
#ifndef STORAGE_FORMAT_QCOW2_SNAPTABLE_H
#define STORAGE_FORMAT_QCOW2_SNAPTABLE_H

#include "storage/format/qcow2.h"

enum { QCOW2_SNAPSHOT_NAME_MAX = 255 };

struct qcow2_snapshot {
	struct block_snapshot s;
	uint64_t l1_offset;
	uint32_t l1_size;
	uint8_t *raw; /* the entry, padded */
	size_t raw_len;
};

struct qcow2_snapshots {
	struct qcow2_snapshot *list;
	uint32_t n;
};

int qcow2_snapshots_load(struct qcow2 *q, struct qcow2_snapshots *ret);
void qcow2_snapshots_free(struct qcow2_snapshots *s);
/* Fills raw from the rest. */
void qcow2_snapshot_encode(struct qcow2_snapshot *s);
void qcow2_snapshot_free(struct qcow2_snapshot *s);
/*
 * The table in a new place, then the header; skip: one that is left out,
 * more: one that is added, or NULL.  Locked; waits.
 */
int qcow2_snapshots_store(struct qcow2 *q, const struct qcow2_snapshots *s,
			  const struct qcow2_snapshot *skip,
			  const struct qcow2_snapshot *more);
/* By ID or by name; NULL: there is none. */
struct qcow2_snapshot *qcow2_snapshot_find(const struct qcow2_snapshots *s,
					   const char *what);

#endif
