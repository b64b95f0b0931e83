/*
 * vmm/numa.h -- the guest's NUMA nodes, and where on the host their memory is.
 *
 * The cells of a specification divide guest memory from its first byte on, in
 * their order; the hole below 4 GiB is not counted.
 */
#ifndef VMM_NUMA_H
#define VMM_NUMA_H

#include <stdint.h>

#include "vmm/spec.h"

struct error;
struct machine;

/* Cells that are not the memory, or sets that are none, are refused. */
int numa_check(const struct vmm_spec *spec, struct error *err);

/* The cell of vCPU n; 0 where it is in none. */
unsigned int numa_cell_of(const struct vmm_spec *spec, unsigned int n);
unsigned int numa_distance(const struct vmm_spec *spec, unsigned int from,
			   unsigned int to);

/* A cell's pieces of guest memory. */
struct numa_piece {
	uint64_t gpa, size;
};
enum { NUMA_PIECES = 2 };
unsigned int numa_pieces(const struct machine *m, unsigned int cell,
			 struct numa_piece ret_pieces[NUMA_PIECES]);

/* The same of a memory device that comes: its own nodes, else the machine's. */
struct ram_region;
struct spec_memory;
int numa_place_device(struct machine *m, const struct spec_memory *spec,
		      const struct ram_region *region, struct error *err);

/* Before the guest touches it: RAM comes from the host's nodes asked for. */
int numa_place(struct machine *m, struct error *err);

/* Memory of this process; flags: mbind(2)'s. */
int numa_bind(uint8_t *host, uint64_t size, enum spec_numa policy,
	      const char *nodes, unsigned int flags, struct error *err);

/*
 * While it runs, what has no nodes of its own is to be in these and no others:
 * new pages at once, the others by and by (numa_move.c).  Main thread;
 * destroying ends it.
 */
struct numa_move;
int numa_move_begin(struct machine *m, const char *nodes,
		    struct numa_move **ret_move, struct error *err);
void numa_move_destroy(struct numa_move *move);

#endif
