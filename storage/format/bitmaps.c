/*
 * storage/format/bitmaps.c -- a disk's dirty bitmaps: made, changed, marked.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "storage/format/bitmaps_format.h"
#include "storage/format/format.h"

enum { GRANULARITY = 16, GRANULARITY_LEAST = 12 };

/* ---- the list ---- */

struct block_bitmaps *block_bitmaps_create(void)
{
	struct block_bitmaps *b = xcalloc(1, sizeof(*b));

	pthread_rwlock_init(&b->lock, NULL);
	return b;
}

void block_bitmap_free(struct block_bitmap *b)
{
	dirty_bitmap_destroy(b->bits);
	free(b->name);
	free(b);
}

void block_bitmaps_destroy(struct block_bitmaps *b)
{
	while (b->list) {
		struct block_bitmap *one = b->list;

		b->list = one->next;
		block_bitmap_free(one);
	}
	pthread_rwlock_destroy(&b->lock);
	free(b);
}

void block_bitmaps_append(struct block_bitmaps *b, struct block_bitmap *one)
{
	struct block_bitmap **at = &b->list;

	while (*at)
		at = &(*at)->next;
	__atomic_store_n(at, one, __ATOMIC_RELEASE);
}

static struct block_bitmap *find(const struct block *blk, const char *name)
{
	struct block_bitmap *b = blk->bitmaps->list;

	while (b && !str_eq(b->name, name))
		b = b->next;
	return b;
}

/* NULL: there is none that has bits. */
static struct block_bitmap *get(const struct block *blk, const char *name,
				struct error *err)
{
	struct block_bitmap *b = find(blk, name);

	if (!b)
		error_set(err, -ENOENT, "Dirty bitmap '%s' not found", name);
	else if (!b->bits)
		error_set(err, -EINVAL,
			  "Bitmap '%s' is inconsistent and cannot be used",
			  name);
	return b && b->bits ? b : NULL;
}

/* Persistent ones change in the file, too, sooner or later. */
static void changed(struct block *blk, struct block_bitmap *b)
{
	b->changed = true;
	if (b->persistent && blk->format->bitmaps_changed)
		blk->format->bitmaps_changed(blk);
}

/* ---- marking ---- */

void block_mark_dirty(struct block *blk, uint64_t offset, uint64_t length)
{
	struct block_bitmaps *all = blk->bitmaps;

	if (!all || !__atomic_load_n(&all->list, __ATOMIC_ACQUIRE))
		return;
	pthread_rwlock_rdlock(&all->lock);
	for (struct block_bitmap *b = all->list; b; b = b->next)
		if (b->bits && b->enabled)
			dirty_bitmap_mark(b->bits, offset, length);
	pthread_rwlock_unlock(&all->lock);
}

int block_bitmaps_can_resize(struct block *blk, uint64_t size,
			     struct error *err)
{
	const struct block_bitmap *b = blk->bitmaps ? blk->bitmaps->list :
						      NULL;

	for (; b; b = b->next) {
		if (!b->bits)
			return error_set(err, -ENOTSUP,
					 "Cannot resize qcow2 files with inconsistent bitmap '%s'",
					 b->name);
		if (dirty_bitmap_bytes(size, b->granularity) >
		    DIRTY_BITMAP_MAX)
			return error_set(err, -EFBIG,
					 "bitmap '%s' would be too large",
					 b->name);
	}
	return 0;
}

void block_bitmaps_resize(struct block *blk, uint64_t size)
{
	if (!blk->bitmaps)
		return;
	pthread_rwlock_wrlock(&blk->bitmaps->lock);
	for (struct block_bitmap *b = blk->bitmaps->list; b; b = b->next) {
		if (!b->bits || dirty_bitmap_size(b->bits) == size)
			continue;
		dirty_bitmap_resize(b->bits, size);
		changed(blk, b);
	}
	pthread_rwlock_unlock(&blk->bitmaps->lock);
}

/* ---- by name ---- */

int block_bitmaps_load(struct block *blk, struct error *err)
{
	int r = 0;

	if (blk->bitmaps->loaded)
		return 0;
	if (blk->format->bitmaps_load)
		r = blk->format->bitmaps_load(blk, err);
	blk->bitmaps->loaded = r >= 0;
	return r;
}

int block_bitmaps(struct block *blk, struct block_bitmap_info **ret,
		  unsigned int *ret_n, struct error *err)
{
	unsigned int n = 0;
	int r = block_bitmaps_load(blk, err);

	*ret = NULL;
	*ret_n = 0;
	if (r < 0)
		return r;
	for (struct block_bitmap *b = blk->bitmaps->list; b; b = b->next)
		n++;
	*ret = xcalloc(n + 1, sizeof(**ret));
	for (struct block_bitmap *b = blk->bitmaps->list; b; b = b->next)
		(*ret)[(*ret_n)++] = (struct block_bitmap_info){
			.name = b->name,
			.granularity = b->granularity,
			.enabled = b->enabled,
			.persistent = b->persistent,
			.inconsistent = !b->bits,
			.in_use = b->in_use,
			.dirty = b->bits ? dirty_bitmap_count(b->bits) : 0,
		};
	return 0;
}

static unsigned int default_granularity(const struct block *blk)
{
	struct block_info info;
	unsigned int bits;

	block_info(blk, &info);
	if (!info.cluster_size)
		return GRANULARITY;
	bits = __builtin_ctzll(info.cluster_size);
	return MIN(MAX(bits, (unsigned int)GRANULARITY_LEAST),
		   (unsigned int)GRANULARITY);
}

static int check_new(struct block *blk, const struct block_bitmap_add *add,
		     struct error *err)
{
	size_t n = add->name ? strlen(add->name) : 0;

	if (!n || n > BLOCK_BITMAP_NAME_MAX)
		return error_set(err, -EINVAL,
				 "a bitmap's name has 1 to %d bytes",
				 BLOCK_BITMAP_NAME_MAX);
	if (find(blk, add->name))
		return error_set(err, -EEXIST, "Bitmap already exists: %s",
				 add->name);
	if (!add->persistent)
		return 0;
	if (blk->options.readonly || blk->options.inactive)
		return error_set(err, -EROFS, "it is read-only");
	if (!blk->format->bitmaps_allowed)
		return error_set(err, -ENOTSUP,
				 "images of format '%s' keep no bitmaps",
				 blk->format->name);
	return blk->format->bitmaps_allowed(blk, err);
}

int block_bitmap_add(struct block *blk, const struct block_bitmap_add *add,
		     struct error *err)
{
	struct block_bitmap *b;
	int r = check_new(blk, add, err);

	if (r < 0)
		return r;
	b = xcalloc(1, sizeof(*b));
	b->granularity = add->granularity ? add->granularity :
					    default_granularity(blk);
	b->bits = dirty_bitmap_create(blk->size, b->granularity);
	if (!b->bits) {
		free(b);
		return error_set(err, -EINVAL,
				 "a bitmap of this disk cannot have that granularity");
	}
	b->name = xstrdup(add->name);
	b->enabled = !add->disabled;
	b->persistent = add->persistent;
	pthread_rwlock_wrlock(&blk->bitmaps->lock);
	block_bitmaps_append(blk->bitmaps, b);
	pthread_rwlock_unlock(&blk->bitmaps->lock);
	changed(blk, b);
	return 0;
}

static void unlink_bitmap(struct block_bitmaps *all, struct block_bitmap *b)
{
	struct block_bitmap **at = &all->list;

	pthread_rwlock_wrlock(&all->lock);
	while (*at != b)
		at = &(*at)->next;
	__atomic_store_n(at, b->next, __ATOMIC_RELEASE);
	all->changed = all->changed || b->entry;
	pthread_rwlock_unlock(&all->lock);
}

int block_bitmap_remove(struct block *blk, const char *name,
			struct error *err)
{
	struct block_bitmap *b = find(blk, name);

	if (!b)
		return error_set(err, -ENOENT, "Dirty bitmap '%s' not found",
				 name);
	if (b->persistent && blk->options.readonly)
		return error_set(err, -EROFS, "it is read-only");
	unlink_bitmap(blk->bitmaps, b);
	changed(blk, b);
	block_bitmap_free(b);
	return 0;
}

int block_bitmap_clear(struct block *blk, const char *name,
		       struct error *err)
{
	struct block_bitmap *b = get(blk, name, err);

	if (!b)
		return -ENOENT;
	dirty_bitmap_clear(b->bits, 0, blk->size);
	changed(blk, b);
	return 0;
}

int block_bitmap_enable(struct block *blk, const char *name, bool enabled,
			struct error *err)
{
	struct block_bitmap *b = get(blk, name, err);

	if (!b)
		return -ENOENT;
	pthread_rwlock_wrlock(&blk->bitmaps->lock);
	b->enabled = enabled;
	pthread_rwlock_unlock(&blk->bitmaps->lock);
	changed(blk, b);
	return 0;
}

int block_bitmap_merge_bits(struct block *blk, const char *name,
			    const struct dirty_bitmap *from,
			    struct error *err)
{
	struct block_bitmap *b = get(blk, name, err);

	if (!b)
		return -ENOENT;
	if (dirty_bitmap_size(from) != dirty_bitmap_size(b->bits))
		return error_set(err, -EINVAL,
				 "Bitmaps are of different sizes (destination size is %llu, source size is %llu) and can't be merged",
				 (unsigned long long)dirty_bitmap_size(b->bits),
				 (unsigned long long)dirty_bitmap_size(from));
	dirty_bitmap_merge(b->bits, from);
	changed(blk, b);
	return 0;
}

int block_bitmap_merge(struct block *blk, const char *name,
		       struct block *from, const char *from_name,
		       struct error *err)
{
	const struct block_bitmap *b;
	int r = block_bitmaps_load(from, err);

	if (r < 0)
		return r;
	b = get(from, from_name, err);
	return b ? block_bitmap_merge_bits(blk, name, b->bits, err) : -ENOENT;
}

int block_bitmap_copy(struct block *blk, const char *name,
		      struct dirty_bitmap **ret, struct error *err)
{
	const struct block_bitmap *b;
	int r = block_bitmaps_load(blk, err);

	if (r < 0)
		return r;
	b = get(blk, name, err);
	if (!b)
		return -ENOENT;
	*ret = dirty_bitmap_copy(b->bits);
	return 0;
}
