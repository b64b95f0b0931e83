/*
 * storage/img/img.h -- vireo-img: the commands, and what they share.
 *
 * Command line, output and exit codes are those of qemu-img, so that scripts
 * can use either.
 */
#ifndef STORAGE_IMG_IMG_H
#define STORAGE_IMG_IMG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "storage/format/block.h"

struct json_object;

/* Each parses its own options and returns the exit code. */
typedef int img_command(int argc, char **argv);
img_command img_bench, img_bitmap, img_check, img_commit, img_compare, img_convert,
	img_create, img_dd, img_info, img_map, img_measure, img_rebase,
	img_resize, img_snapshot;

/* ---- secret.c ---- */

/*
 * --object secret,id=...,data=... or file=...: taken out of the arguments
 * before the commands see them.  1: it complained.
 */
int img_take_objects(int *argc, char **argv);
/* NULL: there is none of that name. */
const void *img_secret(const char *id, size_t *ret_len);
/* --image-opts was among the arguments: images are named by options. */
bool img_by_options(void);

/* ---- open.c ---- */

struct img_open {
	const char *format; /* NULL: guess that of the first */
	bool writable, share; /* share: whoever else writes it */
	bool alone, repair;
	bool direct, sync_writes, no_flush;
	const char *snapshot; /* as it was then */
	bool plain; /* a file's name, never options */
	const void *key; /* the image's passphrase */
	size_t key_len;
};

/* An image with all that it is based on; complains and returns NULL. */
struct block *img_open(const char *path, const struct img_open *how);
/* Layer by layer, the first is path; NULL: there is none. */
char *img_backing(const char *path, const char *format, char **ret_format,
		  struct error *err);
const char *img_format(const char *path, const char *format);
char *img_layer(const char *path, const char *format, unsigned int depth);

/* ---- bitmap.c ---- */

/* The persistent ones; broken ones are left out, or complained about: 1. */
int img_copy_bitmaps(struct block *from, struct block *to, bool skip_broken);

/* ---- create.c ---- */

/* A new image in place of whatever is there; 1: it complained. */
int img_make(const char *path, const struct block_create *c);

/* ---- snapshot.c ---- */

/* The table that info and snapshot -l print. */
void img_print_snapshots(const struct block_snapshot *list, unsigned int n);

/* ---- options.c ---- */

int img_fail(const char *fmt, ...) PRINTF(1, 2); /* 1 */
/* "10", "64k", "1.5G": 0 or -EINVAL. */
int img_size(const char *text, uint64_t *ret);
/* "8 GiB": the caller's. */
char *img_human(uint64_t bytes);
/* -o's name=value,...: qcow2's and raw's. */
int img_options(char *text, struct block_create *c);
void img_defaults(struct block_create *c);
/* "human" or "json". */
bool img_output(const char *text, bool *ret_json);
void img_print_json(struct json_object *o);
void img_progress(uint64_t done, uint64_t all, bool end);
/* One request, now. */
int img_io(struct block *blk, enum block_op op, void *buf, uint64_t length,
	   uint64_t offset);
bool img_is_zero(const void *data, uint64_t len);

#endif
