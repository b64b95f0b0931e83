/*
 * vmm/image.c -- a saved machine in a file: header, device state, memory.
 *
 * The header is one page; all offsets in it count from the image's beginning.
 * It is written last, so that an image cut short is not one.
 */
#include "vmm/image.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/error.h"
#include "vmm/machine.h"
#include "vmm/ram.h"

/* #syscalls:vmm pread64 pwrite64 ftruncate lseek fstat newfstatat fdatasync */
/* #syscalls:vmm mmap munmap */

enum {
	PAGE = 4096,
	CHUNK = 1 << 20, /* of memory: one write, or one compressed part */
	BLOCKS_MAX = 16,
	NAME_LEN = 32,
	VERSION = 1,
	STATE_MAX = 64 << 20,
	ZSTD_LEVEL = 1,
	/* Holes smaller than this are mapped with the data around them. */
	HOLE_MIN = 1 << 20,
	EXTENTS_MAX = 8192,
};

static const char magic[8] = "VIREOVM";

struct image_block {
	char name[NAME_LEN];
	uint64_t size;
	uint64_t offset; /* raw */
};

struct image_header {
	char magic[8];
	uint32_t version, format;
	uint64_t state_offset, state_len;
	uint32_t state_crc, n_blocks;
	uint64_t data_offset; /* zstd */
	struct image_block block[BLOCKS_MAX];
	uint32_t unused, crc; /* of all before */
};
static_assert(sizeof(struct image_header) <= PAGE, "the header is a page");

/* Ahead of each compressed part; block ~0 is the end. */
struct image_part {
	uint32_t block, len, compressed, unused;
	uint64_t at;
};

static const char *const format_names[] = {
	[IMAGE_RAW] = "raw",
	[IMAGE_ZSTD] = "zstd",
};

int image_format_find(const char *name, enum image_format *ret_format)
{
	for (size_t i = 0; i < ARRAY_SIZE(format_names); i++) {
		if (str_eq(name, format_names[i])) {
			*ret_format = i;
			return 0;
		}
	}
	return -EINVAL;
}

static uint32_t header_crc(const struct image_header *h)
{
	return crc32(0, (const void *)h, offsetof(struct image_header, crc));
}

/* ---- saving ---- */

struct saver {
	const struct ram_block *block;
	int fd;
	uint64_t base; /* of the image in the file */
	uint64_t next; /* zstd: where the stream goes on */
	struct image_header header;
	struct progress *p;
	ZSTD_CCtx *zstd;
	void *out; /* one compressed part */
	struct error *err;
};

static int pwrite_full(struct saver *s, const void *data, size_t len,
		       uint64_t at)
{
	while (len) {
		ssize_t n = pwrite(s->fd, data, len, (off_t)(s->base + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(s->err, n < 0 ? -errno : -EIO,
					 "cannot write the saved machine: %m");
		atomic_fetch_add(&s->p->written, (uint64_t)n);
		data = (const uint8_t *)data + n;
		at += n;
		len -= n;
	}
	return 0;
}

static bool page_is_zero(const void *page)
{
	const uint64_t *p = page;

	return !p[0] && !memcmp(p, p + 1, PAGE - sizeof(*p));
}

static int save_part(struct saver *s, unsigned int block, uint64_t at,
		     size_t len)
{
	const uint8_t *data = s->block[block].host + at;
	struct image_part part = { .block = block, .len = len, .at = at };
	size_t n;
	int r;

	if (s->header.format == IMAGE_RAW)
		return pwrite_full(s, data, len,
				   s->header.block[block].offset + at);
	n = ZSTD_compressCCtx(s->zstd, s->out, ZSTD_compressBound(CHUNK), data,
			      len, ZSTD_LEVEL);
	if (ZSTD_isError(n))
		return error_set(s->err, -EIO, "cannot compress memory: %s",
				 ZSTD_getErrorName(n));
	part.compressed = n;
	r = pwrite_full(s, &part, sizeof(part), s->next);
	if (r == 0)
		r = pwrite_full(s, s->out, n, s->next + sizeof(part));
	s->next += sizeof(part) + n;
	return r;
}

/* One chunk: runs of pages that are not zero. */
static int save_chunk(struct saver *s, unsigned int block, uint64_t at,
		      uint64_t end)
{
	const uint8_t *host = s->block[block].host;
	uint64_t start;
	int r = 0;

	while (at < end && r == 0) {
		for (start = at; at < end && page_is_zero(host + at);)
			at += PAGE;
		atomic_fetch_add(&s->p->zero, (at - start) / PAGE);
		for (start = at; at < end && !page_is_zero(host + at);)
			at += PAGE;
		atomic_fetch_add(&s->p->normal, (at - start) / PAGE);
		if (at > start)
			r = save_part(s, block, start, at - start);
	}
	return r;
}

static int save_block(struct saver *s, unsigned int block)
{
	uint64_t size = s->block[block].size;
	int r = 0;

	for (uint64_t at = 0; at < size && r == 0; at += CHUNK) {
		uint64_t end = MIN(at + CHUNK, size);

		if (!ram_block_has(&s->block[block], at))
			continue;
		if (atomic_load(&s->p->cancel))
			return error_set(s->err, -ECANCELED,
					 "saving was cancelled");
		r = save_chunk(s, block, at, end);
		atomic_fetch_add(&s->p->done, end - at);
	}
	return r;
}

static void plan(struct saver *s, unsigned int n, const struct buf *state,
		 enum image_format format)
{
	struct image_header *h = &s->header;
	uint64_t at = PAGE;

	memcpy(h->magic, magic, sizeof(magic));
	h->version = VERSION;
	h->format = format;
	h->state_offset = at;
	h->state_len = state->len;
	h->state_crc = crc32(0, (const void *)state->data, state->len);
	h->n_blocks = n;
	at = ALIGN_UP(at + state->len, (uint64_t)PAGE);
	s->next = h->data_offset = at;
	for (unsigned int i = 0; i < n; i++) {
		snprintf(h->block[i].name, NAME_LEN, "%s", s->block[i].name);
		h->block[i].size = s->block[i].size;
		h->block[i].offset = at;
		at += s->block[i].size;
		atomic_fetch_add(&s->p->total, s->block[i].size);
	}
	h->crc = header_crc(h);
}

static int save_memory(struct saver *s)
{
	struct image_part last = { .block = UINT32_MAX };
	int r = 0;

	for (unsigned int i = 0; i < s->header.n_blocks && r == 0; i++)
		r = save_block(s, i);
	if (r == 0 && s->header.format == IMAGE_ZSTD)
		r = pwrite_full(s, &last, sizeof(last), s->next);
	return r;
}

/* A raw image ends with its last block, also when that is all zeros. */
static int set_size(struct saver *s)
{
	const struct image_block *b = s->header.block;
	unsigned int n = s->header.n_blocks;
	uint64_t end = s->header.data_offset;

	if (s->header.format == IMAGE_RAW && n)
		end = b[n - 1].offset + b[n - 1].size;
	if (ftruncate(s->fd, (off_t)(s->base + s->header.data_offset)) < 0 ||
	    ftruncate(s->fd, (off_t)(s->base + end)) < 0)
		return error_set(s->err, -errno,
				 "cannot write the saved machine: %m");
	return 0;
}

int image_save(struct ram *ram, const struct buf *state, int fd,
	       uint64_t offset, enum image_format format, struct progress *p,
	       struct error *err)
{
	struct saver s = { .fd = fd, .base = offset, .p = p, .err = err };
	unsigned int n = ram_blocks(ram, &s.block);
	int r;

	if (offset % IMAGE_ALIGN || offset > INT64_MAX / 2)
		return error_set(err, -EINVAL,
				 "a saved machine begins on a page");
	if (n > BLOCKS_MAX)
		return error_set(err, -E2BIG,
				 "a machine with so many memory devices cannot be saved");
	atomic_store(&p->started, now_ns());
	plan(&s, n, state, format);
	if (format == IMAGE_ZSTD) {
		s.zstd = ZSTD_createCCtx();
		s.out = xmalloc(ZSTD_compressBound(CHUNK));
	}
	r = set_size(&s);
	if (r == 0)
		r = pwrite_full(&s, state->data, state->len, PAGE);
	if (r == 0)
		r = save_memory(&s);
	if (r == 0)
		r = pwrite_full(&s, &s.header, sizeof(s.header), 0);
	if (r == 0 && fdatasync(fd) < 0)
		r = error_set(err, -errno,
			      "cannot write the saved machine: %m");
	ZSTD_freeCCtx(s.zstd);
	free(s.out);
	atomic_store(&p->finished, now_ns());
	return r;
}

/* ---- restoring ---- */

struct restorer {
	struct ram *ram;
	const struct ram_block *block;
	int fd;
	uint64_t base, size; /* of the image */
	struct image_header header;
	struct error *err;
};

static int damaged(struct restorer *r, const char *what)
{
	return error_set(r->err, -EINVAL, "the saved machine is damaged: %s",
			 what);
}

static int pread_full(struct restorer *r, void *to, size_t len, uint64_t at)
{
	if (at > r->size || len > r->size - at)
		return damaged(r, "it ends too soon");
	while (len) {
		ssize_t n = pread(r->fd, to, len, (off_t)(r->base + at));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_set(r->err, n < 0 ? -errno : -EIO,
					 "cannot read the saved machine: %m");
		to = (uint8_t *)to + n;
		at += n;
		len -= n;
	}
	return 0;
}

static int find_size(struct restorer *r)
{
	struct stat st;

	if (fstat(r->fd, &st) < 0)
		return error_set(r->err, -errno,
				 "cannot examine the saved machine: %m");
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size <= r->base)
		return damaged(r, "it is not there");
	r->size = st.st_size - r->base;
	return 0;
}

/* Memory has to be the machine's, block by block. */
static int check_blocks(struct restorer *r)
{
	const struct image_header *h = &r->header;
	unsigned int n = ram_blocks(r->ram, &r->block);

	if (h->n_blocks != n)
		return error_set(r->err, -EINVAL,
				 "the saved machine has other memory");
	for (unsigned int i = 0; i < n; i++) {
		const struct image_block *b = &h->block[i];

		if (strncmp(b->name, r->block[i].name, NAME_LEN) ||
		    b->size != r->block[i].size)
			return error_set(r->err, -EINVAL,
					 "the saved machine's memory '%.31s' is "
					 "of another size here",
					 b->name);
		if (h->format == IMAGE_RAW &&
		    (b->offset % PAGE || b->offset > r->size ||
		     b->size > r->size - b->offset))
			return damaged(r, "memory is missing");
	}
	return 0;
}

static int read_header(struct restorer *r)
{
	struct image_header *h = &r->header;
	int ret = pread_full(r, h, sizeof(*h), 0);

	if (ret < 0)
		return ret;
	if (memcmp(h->magic, magic, sizeof(magic)))
		return error_set(r->err, -EINVAL,
				 "this is no saved machine, or it was not "
				 "saved completely");
	if (h->version != VERSION || h->format > IMAGE_ZSTD)
		return error_set(r->err, -ENOTSUP,
				 "the machine was saved by a later version of "
				 "Vireo (format %u.%u)",
				 h->version, h->format);
	if (h->crc != header_crc(h) || h->n_blocks > BLOCKS_MAX ||
	    h->state_len > STATE_MAX)
		return damaged(r, "its header");
	return check_blocks(r);
}

/* ---- raw: mapped where possible ---- */

static int read_range(struct restorer *r, unsigned int block, uint64_t at,
		      uint64_t len)
{
	return pread_full(r, r->block[block].host + at, len,
			  r->header.block[block].offset + at);
}

static int load_range(struct restorer *r, unsigned int block, uint64_t at,
		      uint64_t len, unsigned int *extents)
{
	uint64_t from = r->base + r->header.block[block].offset + at;
	int ret;

	if (!r->block[block].anonymous || r->block[block].huge ||
	    ++*extents > EXTENTS_MAX ||
	    from % PAGE)
		return read_range(r, block, at, len);
	ret = ram_map_file(r->ram, block, at, len, r->fd, from);
	return ret < 0 ? error_set(r->err, ret,
				   "cannot map the saved machine: %m") :
			 0;
}

/* Where the next data is, and where a hole worth it begins; in the block. */
static bool next_data(struct restorer *r, const struct image_block *b,
		      uint64_t *at, uint64_t *ret_end)
{
	off_t start = (off_t)(r->base + b->offset), last, data, hole;

	last = start + (off_t)b->size;
	data = lseek(r->fd, start + (off_t)*at, SEEK_DATA);
	if (data < 0 && errno != ENXIO) { /* no holes here: all is data */
		*ret_end = b->size;
		return *at < b->size;
	}
	if (data < 0 || data >= last)
		return false;
	hole = data;
	for (;;) {
		off_t more;

		hole = lseek(r->fd, hole, SEEK_HOLE);
		if (hole < 0 || hole >= last)
			break;
		more = lseek(r->fd, hole, SEEK_DATA);
		if (more < 0 || more >= last || more - hole >= HOLE_MIN)
			break;
		hole = more;
	}
	if (hole < 0 || hole > last)
		hole = last;
	*at = ALIGN_DOWN((uint64_t)(data - start), (uint64_t)PAGE);
	*ret_end = MIN(ALIGN_UP((uint64_t)(hole - start), (uint64_t)PAGE),
		       b->size);
	return true;
}

static int restore_raw(struct restorer *r)
{
	unsigned int extents = 0;
	int ret = 0;

	for (unsigned int i = 0; i < r->header.n_blocks; i++) {
		uint64_t at = 0, end;

		if (!r->block[i].anonymous)
			memset(r->block[i].host, 0, r->block[i].size);
		while (ret == 0 &&
		       next_data(r, &r->header.block[i], &at, &end)) {
			ret = load_range(r, i, at, end - at, &extents);
			at = end;
		}
	}
	return ret;
}

/* ---- zstd ---- */

static int check_part(struct restorer *r, const struct image_part *part)
{
	if (part->block >= r->header.n_blocks || !part->len ||
	    part->len > CHUNK || part->compressed > ZSTD_compressBound(CHUNK) ||
	    part->at > r->block[part->block].size ||
	    part->len > r->block[part->block].size - part->at)
		return damaged(r, "a part of its memory");
	return 0;
}

static int restore_part(struct restorer *r, const struct image_part *part,
			ZSTD_DCtx *zstd, void *in, uint64_t at)
{
	int ret = check_part(r, part);
	size_t n;

	if (ret == 0)
		ret = pread_full(r, in, part->compressed, at);
	if (ret < 0)
		return ret;
	n = ZSTD_decompressDCtx(zstd, r->block[part->block].host + part->at,
				part->len, in, part->compressed);
	return n == part->len ? 0 : damaged(r, "a part of its memory");
}

static int restore_zstd(struct restorer *r)
{
	void *in = xmalloc(ZSTD_compressBound(CHUNK));
	ZSTD_DCtx *zstd = ZSTD_createDCtx();
	uint64_t at = r->header.data_offset;
	struct image_part part;
	int ret;

	for (unsigned int i = 0; i < r->header.n_blocks; i++) {
		if (!r->block[i].anonymous)
			memset(r->block[i].host, 0, r->block[i].size);
	}
	for (;;) {
		ret = pread_full(r, &part, sizeof(part), at);
		if (ret < 0 || part.block == UINT32_MAX)
			break;
		at += sizeof(part);
		ret = restore_part(r, &part, zstd, in, at);
		if (ret < 0)
			break;
		at += part.compressed;
	}
	ZSTD_freeDCtx(zstd);
	free(in);
	return ret;
}

static int restore_state(struct restorer *r, struct machine *m)
{
	size_t len = r->header.state_len;
	_cleanup_free_ uint8_t *state = xmalloc(len + 1);
	int ret = pread_full(r, state, len, r->header.state_offset);

	if (ret == 0 && crc32(0, state, len) != r->header.state_crc)
		ret = damaged(r, "its devices' state");
	return ret < 0 ? ret : machine_set_state(m, state, len, r->err);
}

int image_restore(struct machine *m, int fd, uint64_t offset,
		  struct error *err)
{
	struct restorer r = { .ram = m->ram, .fd = fd, .base = offset,
			      .err = err };
	int ret;

	if (offset % IMAGE_ALIGN || offset > INT64_MAX / 2)
		return damaged(&r, "it does not begin on a page");
	ret = find_size(&r);
	if (ret == 0)
		ret = read_header(&r);
	if (ret == 0)
		ret = r.header.format == IMAGE_RAW ? restore_raw(&r) :
						     restore_zstd(&r);
	return ret < 0 ? ret : restore_state(&r, m);
}
