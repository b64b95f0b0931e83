/*
 * vmm/boot/acpi.h -- the ACPI tables.
 */
#ifndef VMM_BOOT_ACPI_H
#define VMM_BOOT_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct error;
struct fwcfg;
struct machine;

enum { ACPI_RSDP_SIZE = 36, ACPI_POINTERS_MAX = 40, ACPI_TABLES_MAX = 16 };

/* Without firmware the FACS is there: behind the RSDP, aligned to itself. */
#define ACPI_FACS_AT (BOOT_ACPI_BASE + 64)

/* All tables but the RSDP, one behind the other, made for one address. */
struct acpi_tables {
	uint64_t base;
	struct buf blob; /* the caller frees it */
	uint64_t rsdt, xsdt; /* their addresses */
	/* Offsets in the blob: addresses of tables, and the tables. */
	unsigned int n_pointers, n_tables;
	struct acpi_pointer {
		size_t at;
		unsigned int bytes;
	} pointer[ACPI_POINTERS_MAX];
	struct acpi_extent {
		size_t start, len;
	} table[ACPI_TABLES_MAX];
};
void acpi_build(struct machine *m, uint64_t base, struct acpi_tables *ret_t);
void acpi_rsdp(uint8_t rsdp[ACPI_RSDP_SIZE], uint64_t rsdt, uint64_t xsdt);

/* Without firmware: puts all tables at BOOT_ACPI_BASE, the RSDP first. */
int acpi_write(struct machine *m, struct error *err);

/* For firmware: the files from which it loads the tables. */
void acpi_offer(struct machine *m, struct fwcfg *fw);

/* The DSDT alone: header and AML; also for tests. */
void acpi_dsdt(struct machine *m, struct buf *b);

/* acpi_numa.c, for machines with NUMA cells, the SRAT also where memory may
 * come */
void acpi_srat(struct machine *m, struct buf *b);
void acpi_slit(struct machine *m, struct buf *b);

/* dsdt_cpus.c: processors, and what happens when there are more or fewer. */
void acpi_dsdt_cpus(struct machine *m, struct buf *b);
/* dsdt_memory.c: the same of memory modules. */
void acpi_dsdt_memory(struct machine *m, struct buf *b);
/* The MADT's entry of a processor (acpi.c). */
void acpi_madt_cpu(struct machine *m, struct buf *b, unsigned int n,
		   bool enabled);

/* A table's header, and its length and checksum once it is complete. */
void acpi_begin(struct buf *b, const char *signature, uint8_t revision);
void acpi_end(struct buf *b, size_t start);

#endif
