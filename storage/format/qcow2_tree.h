/*
 * storage/format/qcow2_tree.h -- all clusters that an L1 table leads to.
 */
#ifndef STORAGE_FORMAT_QCOW2_TREE_H
#define STORAGE_FORMAT_QCOW2_TREE_H

#include "storage/format/qcow2.h"

/* A table as it is in the file: the caller's, also on failure. */
int qcow2_tree_read(struct qcow2 *q, uint64_t offset, uint32_t n,
		    uint64_t **ret_l1);
/*
 * Reference counts of L2 tables and data, up or down by one for each time
 * that they are named.  Nothing else is going on, and all is committed.
 * Locked; waits.
 */
int qcow2_tree_count(struct qcow2 *q, const uint64_t *l1, uint32_t n, int by);
/* The "copied" flags of the disk's own tables follow the counts. */
int qcow2_tree_flags(struct qcow2 *q);

#endif
