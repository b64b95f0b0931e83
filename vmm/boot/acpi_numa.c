/*
 * vmm/boot/acpi_numa.c -- the tables of NUMA nodes: who is near to what (SRAT;
 * ACPI 6.4, 5.2.16) and how near the nodes are to each other (SLIT; 5.2.17).
 */
#include "vmm/boot/acpi.h"

#include "base/buf.h"
#include "vmm/machine.h"
#include "vmm/numa.h"
#include "vmm/ram.h"
#include "vmm/spec.h"

static void put(struct buf *b, uint64_t value, unsigned int bytes)
{
	buf_add(b, &value, bytes);
}

/* 5.2.16.3 serves all IDs, but 5.2.16.1 is what old guests know. */
static void srat_cpu(struct buf *b, uint32_t apic_id, uint32_t cell)
{
	bool small = apic_id < 255;

	put(b, small ? 0 : 2, 1);
	put(b, small ? 16 : 24, 1);
	if (small) {
		put(b, cell & 0xff, 1);
		put(b, apic_id, 1);
		put(b, 1, 4); /* enabled */
		put(b, 0, 1);
		put(b, cell >> 8, 3);
		put(b, 0, 4);
		return;
	}
	put(b, 0, 2);
	put(b, cell, 4);
	put(b, apic_id, 4);
	put(b, 1, 4);
	put(b, 0, 8);
}

/* 5.2.16.2 */
enum { ENABLED = 1, HOT_PLUGGABLE = 2 };
static void srat_memory(struct buf *b, const struct numa_piece *p,
			uint32_t cell, uint32_t flags)
{
	put(b, 1, 1);
	put(b, 40, 1);
	put(b, cell, 4);
	put(b, 0, 2);
	put(b, p->gpa, 8);
	put(b, p->size, 8);
	put(b, 0, 4);
	put(b, flags, 4);
	put(b, 0, 8);
}

/* Without cells all is one node. */
static void srat_ram(struct machine *m, struct buf *b)
{
	const struct ram_region *r;
	unsigned int n = ram_regions(m->ram, &r);

	for (unsigned int i = 0; i < n; i++)
		srat_memory(b, &(struct numa_piece){ r[i].gpa, r[i].size }, 0,
			    ENABLED);
}

static void srat_cells(struct machine *m, struct buf *b)
{
	struct numa_piece piece[NUMA_PIECES];

	for (unsigned int i = 0; i < m->spec->n_cells; i++) {
		unsigned int n = numa_pieces(m, i, piece);

		for (unsigned int k = 0; k < n; k++)
			srat_memory(b, &piece[k], i, ENABLED);
	}
}

/* Of which node memory to come is, it says itself; until then it is the last
 * one's. */
static void srat_hot(struct machine *m, struct buf *b)
{
	const struct numa_piece all = { vmm_spec_hot_base(m->spec),
					vmm_spec_hot_size(m->spec) };

	if (m->memhp && all.size)
		srat_memory(b, &all, MAX(m->spec->n_cells, 1u) - 1,
			    ENABLED | HOT_PLUGGABLE);
}

void acpi_srat(struct machine *m, struct buf *b)
{
	size_t start = b->len;

	acpi_begin(b, "SRAT", 3);
	put(b, 1, 4);
	put(b, 0, 8);
	for (unsigned int i = 0; i < machine_max_vcpus(m); i++)
		srat_cpu(b, machine_apic_id(m, i), numa_cell_of(m->spec, i));
	if (m->spec->n_cells)
		srat_cells(m, b);
	else
		srat_ram(m, b);
	srat_hot(m, b);
	acpi_end(b, start);
}

void acpi_slit(struct machine *m, struct buf *b)
{
	unsigned int n = m->spec->n_cells;
	size_t start = b->len;

	acpi_begin(b, "SLIT", 1);
	put(b, n, 8);
	for (unsigned int i = 0; i < n; i++)
		for (unsigned int k = 0; k < n; k++)
			put(b, numa_distance(m->spec, i, k), 1);
	acpi_end(b, start);
}
