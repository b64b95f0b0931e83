/*
 * daemon/index.h -- a growing hash table of nodes embedded in objects.
 *
 * Keys stay in the objects: walk the nodes of one hash and compare.  Not
 * thread-safe.
 */
#ifndef DAEMON_INDEX_H
#define DAEMON_INDEX_H

#include <stddef.h>
#include <stdint.h>

struct index_node {
	struct index_node *next;
	uint64_t hash;
};

struct index {
	struct index_node **buckets; /* a power of two of them, or NULL */
	size_t n_buckets, n_nodes;
};

uint64_t index_hash(const void *key, size_t len);
void index_insert(struct index *ix, struct index_node *node, uint64_t hash);
void index_remove(struct index *ix, struct index_node *node);
/* The first node of a hash, and the one after it; NULL: no more. */
struct index_node *index_first(const struct index *ix, uint64_t hash);
struct index_node *index_next(const struct index_node *node);
void index_finish(struct index *ix); /* the nodes are the caller's */

#endif
