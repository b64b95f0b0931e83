/*
 * storage/format/qcow2_header.h -- the first cluster of a qcow2 image: the
 * header, its extensions and the backing file's name.
 *
 * Sections cited in qcow2*.c are those of QEMU's docs/interop/qcow2.txt.
 */
#ifndef STORAGE_FORMAT_QCOW2_HEADER_H
#define STORAGE_FORMAT_QCOW2_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

enum {
	QCOW2_V2_LENGTH = 72,
	QCOW2_V3_LENGTH = 104,
	QCOW2_NAME_MAX = 1023,
	QCOW2_CLUSTER_BITS_MIN = 9,
	QCOW2_CLUSTER_BITS_MAX = 21,
	QCOW2_HEADER_MIN = 512, /* what is read to know how long it is */
	QCOW2_SNAPSHOTS_MAX = 65536,
	QCOW2_BITMAPS_MAX = 65535,
};

/* An image names how large its tables are; larger ones are refused. */
#define QCOW2_L1_BYTES_MAX	 (32 * MIB)
#define QCOW2_REFTABLE_BYTES_MAX (8 * MIB)
#define QCOW2_SNAPSHOT_BYTES_MAX (64 * MIB)
#define QCOW2_BITMAP_BYTES_MAX	 (64 * MIB)

/* Byte 72, incompatible_features. */
#define QCOW2_DIRTY	  BIT64(0)
#define QCOW2_CORRUPT	  BIT64(1)
#define QCOW2_DATA_FILE	  BIT64(2)
#define QCOW2_COMPRESSION BIT64(3)
#define QCOW2_EXTENDED_L2 BIT64(4)
#define QCOW2_KNOWN	  (BIT64(5) - 1)

/* Byte 80, compatible_features, and byte 88, autoclear_features. */
#define QCOW2_LAZY_REFCOUNTS BIT64(0)
#define QCOW2_BITMAPS	     BIT64(0)
#define QCOW2_DATA_FILE_RAW  BIT64(1)

enum qcow2_compression { QCOW2_ZLIB, QCOW2_ZSTD };

struct qcow2_header {
	unsigned int version; /* 2 or 3 */
	unsigned int cluster_bits;
	uint64_t size;
	uint32_t crypt_method;
	uint32_t l1_size; /* entries */
	uint64_t l1_offset;
	uint64_t reftable_offset;
	uint32_t reftable_clusters;
	uint32_t n_snapshots;
	uint64_t snapshots_offset;
	uint64_t incompatible, compatible, autoclear;
	unsigned int refcount_order;
	unsigned int length;
	enum qcow2_compression compression;

	char *backing, *backing_format, *data_file; /* NULL: none */
	uint32_t n_bitmaps; /* 0: no such extension */
	uint64_t bitmaps_bytes, bitmaps_offset;
	uint64_t crypt_offset, crypt_length;
	uint8_t *others; /* extensions that we do not know, as they are */
	size_t others_len;
};

/* data: the first cluster, or all there is of it. */
int qcow2_header_parse(const uint8_t *data, size_t len,
		       struct qcow2_header *ret, struct error *err);
/* From the first QCOW2_HEADER_MIN bytes: 0 if there is no such header. */
size_t qcow2_header_cluster(const uint8_t *data, size_t len);
void qcow2_header_free(struct qcow2_header *h);

/*
 * Writes header, extensions and name into a zeroed first cluster: -E2BIG
 * when they do not fit.
 */
int qcow2_header_format(const struct qcow2_header *h, uint8_t *data,
			size_t len);

/* How many L1 entries a disk of that size takes. */
uint64_t qcow2_l1_entries(const struct qcow2_header *h, uint64_t size);

#endif
