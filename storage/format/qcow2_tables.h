/*
 * storage/format/qcow2_tables.h -- what an image uses, cluster by cluster,
 * from everything that it names.
 */
#ifndef STORAGE_FORMAT_QCOW2_TABLES_H
#define STORAGE_FORMAT_QCOW2_TABLES_H

#include "storage/format/qcow2.h"

struct qcow2_use {
	struct qcow2 *q;
	uint32_t *counts; /* by cluster */
	uint64_t n;	  /* clusters that there can be */
	uint64_t last;	  /* one past the last that is used */
	uint64_t previous; /* place of the last data cluster seen */
	struct block_verdict *verdict;
	bool broken_blocks; /* refcount blocks that cannot be */
};

int qcow2_use_create(struct qcow2 *q, struct block_verdict *verdict,
		     struct qcow2_use *ret, struct error *err);
void qcow2_use_finish(struct qcow2_use *u);
/* -EIO and the like: a table could not be read. */
int qcow2_use_count(struct qcow2_use *u);

#endif
