/*
 * storage/format/qcow2_bitdir.h -- the directory of an image's bitmaps
 * (section "Bitmaps"), as it is in the file.
 */
#ifndef STORAGE_FORMAT_QCOW2_BITDIR_H
#define STORAGE_FORMAT_QCOW2_BITDIR_H

#include "storage/format/qcow2.h"

/* "Structure of a bitmap directory entry", flags. */
enum { QCOW2_BITMAP_IN_USE = 1, QCOW2_BITMAP_AUTO = 2 };

enum { QCOW2_BITMAP_FLAGS_AT = 12 };

struct qcow2_bitdir_entry {
	uint64_t place; /* of the entry, in the file */
	uint64_t table; /* likewise */
	uint32_t n_table;
	uint32_t flags;
	unsigned int granularity;
	char *name;
};

struct qcow2_bitdir {
	struct qcow2_bitdir_entry *entry;
	uint32_t n;
};

/* What is not as the specification says is -EINVAL, or -ENOTSUP. */
int qcow2_bitdir_load(struct qcow2 *q, struct qcow2_bitdir *ret);
void qcow2_bitdir_free(struct qcow2_bitdir *d);
/* The bytes that go into the file; place: relative to them. */
uint8_t *qcow2_bitdir_format(struct qcow2_bitdir *d, size_t *ret_len);
size_t qcow2_bitdir_entry_size(size_t name_len);

#endif
