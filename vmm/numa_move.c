/*
 * vmm/numa_move.c -- other nodes of the host for the memory of a guest that
 * runs.
 *
 * Pages that are touched from now on come from the new nodes at once.  Those
 * that are there follow on a thread of its own, some at a time, as moving a
 * GiB takes a second.  What another process maps too stays where it is
 * (mbind(2), MPOL_MF_MOVE), and so does what has nodes of its own: cells with a
 * policy, memory devices.
 */
#define LOG_MODULE "memory"
#include "vmm/numa.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "vmm/job.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"

#define STEP (64 * MIB)

struct numa_move {
	struct job *job;
	struct progress progress;
	char *nodes;
	unsigned int n;
	struct range {
		uint8_t *host;
		uint64_t size;
	} *range;
};

static void add_range(struct numa_move *mv, uint8_t *host, uint64_t size)
{
	mv->range = xrealloc(mv->range, mv->n + 1, sizeof(*mv->range));
	mv->range[mv->n++] = (struct range){ host, size };
}

static void add_cell(struct numa_move *mv, struct machine *m, unsigned int cell)
{
	struct numa_piece piece[NUMA_PIECES];
	unsigned int n = numa_pieces(m, cell, piece);

	for (unsigned int i = 0; i < n; i++)
		add_range(mv, ram_host(m->ram, piece[i].gpa), piece[i].size);
}

static void find_ranges(struct numa_move *mv, struct machine *m)
{
	const struct ram_region *region;
	unsigned int n = ram_regions(m->ram, &region);

	for (unsigned int i = 0; i < m->spec->n_cells; i++)
		if (m->spec->cells[i].policy == SPEC_NUMA_NONE)
			add_cell(mv, m, i);
	for (unsigned int i = 0; !m->spec->n_cells && i < n; i++)
		add_range(mv, region[i].host, region[i].size);
}

static int bind_all(const struct numa_move *mv, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < mv->n && r == 0; i++)
		r = numa_bind(mv->range[i].host, mv->range[i].size,
			      SPEC_NUMA_STRICT, mv->nodes, 0, err);
	return r;
}

/* ---- what is there already ---- */

static int pull_range(const struct numa_move *mv, const struct range *range,
		      const struct progress *p, struct error *err)
{
	int r = 0;

	for (uint64_t at = 0; at < range->size && r == 0; at += STEP) {
		if (atomic_load(&p->cancel))
			return -ECANCELED;
		r = numa_bind(range->host + at, MIN(STEP, range->size - at),
			      SPEC_NUMA_STRICT, mv->nodes, MPOL_MF_MOVE, err);
	}
	return r;
}

static int pull(void *arg, struct progress *p, struct error *err)
{
	struct numa_move *mv = arg;
	int r = 0;

	for (unsigned int i = 0; i < mv->n && r == 0; i++)
		r = pull_range(mv, &mv->range[i], p, err);
	return r;
}

static void pulled(void *arg, int result, const struct error *err)
{
	struct numa_move *mv = arg;

	mv->job = NULL;
	if (result < 0)
		log_warn("%s", err->message);
}

/* ---- from outside ---- */

int numa_move_begin(struct machine *m, const char *nodes,
		    struct numa_move **ret_move, struct error *err)
{
	struct numa_move *mv = xcalloc(1, sizeof(*mv));
	int r;

	mv->nodes = xstrdup(nodes);
	find_ranges(mv, m);
	r = bind_all(mv, err);
	if (r == 0)
		r = job_start(m->loop, "move the guest's memory", pull, pulled,
			      mv, &mv->progress, &mv->job, err);
	if (r < 0)
		numa_move_destroy(mv);
	else
		*ret_move = mv;
	return r;
}

void numa_move_destroy(struct numa_move *mv)
{
	if (!mv)
		return;
	job_destroy(mv->job);
	free(mv->nodes);
	free(mv->range);
	free(mv);
}
