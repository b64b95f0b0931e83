/*
 * storage/format/qcow2_free.c -- clusters that are not used any more.
 *
 * One may be taken again when the file does not point to it either, and when
 * no request is out that looked up its place before: requests are counted by
 * the epoch in which they began, an epoch ends when those of the one before
 * are all done, and what was given back in epoch e is nobody's in e + 2.
 */
#include <errno.h>

#include "storage/format/qcow2.h"

void qcow2_free(struct qcow2 *q, uint64_t offset, uint64_t n)
{
	struct qcow2_free *f = xcalloc(1, sizeof(*f));

	f->offset = offset;
	f->n = n;
	f->epoch = q->epoch;
	if (q->partial && q->partial >= offset &&
	    q->partial - offset < n << q->cluster_bits)
		q->partial = 0;
	*q->last_free = f;
	q->last_free = &f->next;
}

void qcow2_free_entry(struct qcow2 *q, uint64_t entry)
{
	uint64_t offset = entry & QCOW2_OFFSET, len = 1, first, last;

	if (entry & QCOW2_COMPRESSED)
		qcow2_packed_place(q, entry, &offset, &len);
	else if (!offset)
		return;
	first = offset >> q->cluster_bits;
	last = (offset + len - 1) >> q->cluster_bits;
	qcow2_free(q, first << q->cluster_bits, last - first + 1);
}

unsigned int qcow2_enter(struct qcow2 *q)
{
	unsigned int parity = q->epoch & 1;

	q->users[parity]++;
	return parity;
}

void qcow2_leave(struct qcow2 *q, unsigned int parity)
{
	q->users[parity]--;
}

static void advance(struct qcow2 *q)
{
	for (unsigned int i = 0; i < 2 && !q->users[~q->epoch & 1]; i++)
		q->epoch++;
}

/* Only if nothing else uses them: the count is 1. */
static void punch(struct qcow2 *q, const struct qcow2_free *f)
{
	uint64_t count = 1;

	for (uint64_t i = 0; i < f->n && count == 1; i++)
		if (qcow2_refcount(q, (f->offset >> q->cluster_bits) + i,
				   &count) < 0)
			return;
	if (count != 1)
		return;
	pthread_mutex_unlock(&q->lock);
	qcow2_punch(q, f->offset, f->n << q->cluster_bits);
	pthread_mutex_lock(&q->lock);
}

/* What cannot be counted down is lost, no more. */
static void release(struct qcow2 *q, const struct qcow2_free *f)
{
	if (q->blk->options.discard)
		punch(q, f);
	for (uint64_t i = 0; i < f->n; i++) {
		uint64_t cluster = (f->offset >> q->cluster_bits) + i;

		qcow2_cache_forget(q, cluster << q->cluster_bits);
		qcow2_refcount_add(q, cluster, -1);
	}
}

static struct qcow2_free *first_ready(struct qcow2 *q)
{
	struct qcow2_free *f = q->frees;

	advance(q);
	if (!f || f->state != FREE_DURABLE || f->epoch + 2 > q->epoch)
		return NULL;
	q->frees = f->next;
	if (!q->frees)
		q->last_free = &q->frees;
	return f;
}

void qcow2_drain(struct qcow2 *q)
{
	struct qcow2_free *f;

	if (q->draining)
		return;
	q->draining = true;
	while ((f = first_ready(q))) {
		release(q, f);
		free(f);
	}
	q->draining = false;
}
