/*
 * vmm/boot/acpi.h -- the ACPI tables of the hardware-reduced machine.
 */
#ifndef VMM_BOOT_ACPI_H
#define VMM_BOOT_ACPI_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct error;
struct machine;

/* Builds all tables and puts them at BOOT_ACPI_BASE, the RSDP first. */
int acpi_write(struct machine *m, struct error *err);

/* The DSDT alone: header and AML; also for tests. */
void acpi_dsdt(struct machine *m, struct buf *b);

/* A table's header, and its length and checksum once it is complete. */
void acpi_begin(struct buf *b, const char *signature, uint8_t revision);
void acpi_end(struct buf *b, size_t start);

#endif
