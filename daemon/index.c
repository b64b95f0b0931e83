/*
 * daemon/index.c -- a growing hash table of embedded nodes.
 */
#include "daemon/index.h"

#include "base/util.h"

enum { INDEX_MIN = 64 };

/* FNV-1a, 64 bits (Fowler, Noll and Vo; draft-eastlake-fnv, section 2). */
uint64_t index_hash(const void *key, size_t len)
{
	const uint8_t *p = key;
	uint64_t h = 0xcbf29ce484222325ull;

	while (len--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}

static struct index_node **bucket(const struct index *ix, uint64_t hash)
{
	return &ix->buckets[hash & (ix->n_buckets - 1)];
}

static void link_node(struct index *ix, struct index_node *node)
{
	struct index_node **head = bucket(ix, node->hash);

	node->next = *head;
	*head = node;
}

static void grow(struct index *ix)
{
	struct index_node **old = ix->buckets;
	size_t n = ix->n_buckets;

	ix->n_buckets = n ? n * 2 : INDEX_MIN;
	ix->buckets = xcalloc(ix->n_buckets, sizeof(*ix->buckets));
	for (size_t i = 0; i < n; i++) {
		struct index_node *node = old[i], *next;

		for (; node; node = next) {
			next = node->next;
			link_node(ix, node);
		}
	}
	free(old);
}

void index_insert(struct index *ix, struct index_node *node, uint64_t hash)
{
	if (ix->n_nodes >= ix->n_buckets)
		grow(ix);
	node->hash = hash;
	link_node(ix, node);
	ix->n_nodes++;
}

void index_remove(struct index *ix, struct index_node *node)
{
	struct index_node **at = bucket(ix, node->hash);

	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	ix->n_nodes--;
}

static struct index_node *skip_others(struct index_node *node, uint64_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct index_node *index_first(const struct index *ix, uint64_t hash)
{
	return ix->n_buckets ? skip_others(*bucket(ix, hash), hash) : NULL;
}

struct index_node *index_next(const struct index_node *node)
{
	return skip_others(node->next, node->hash);
}

void index_finish(struct index *ix)
{
	free(ix->buckets);
	*ix = (struct index){ 0 };
}
