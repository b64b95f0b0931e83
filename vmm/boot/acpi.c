/*
 * vmm/boot/acpi.c -- the ACPI tables of the hardware-reduced machine (ACPI
 * 6.4, chapter 5): RSDP, XSDT, FADT, MADT, MCFG.  The DSDT is in dsdt.c.
 */
#include "vmm/boot/acpi.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "vmm/boot/boot.h"
#include "vmm/dev/acpi_pm.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"

enum { RSDP_SIZE = 36, HEADER_SIZE = 36, TABLES_MAX = 8 };

static void put(struct buf *b, uint64_t value, unsigned int bytes)
{
	buf_add(b, &value, bytes);
}

static void patch(struct buf *b, size_t at, uint64_t value, unsigned int bytes)
{
	memcpy(b->data + at, &value, bytes);
}

static uint8_t checksum(const void *data, size_t len)
{
	const uint8_t *p = data;
	uint8_t sum = 0;

	while (len--)
		sum -= *p++;
	return sum;
}

/* 5.2.6: system description table header. */
void acpi_begin(struct buf *b, const char *signature, uint8_t revision)
{
	buf_add(b, signature, 4);
	put(b, 0, 4); /* length */
	put(b, revision, 1);
	put(b, 0, 1); /* checksum */
	buf_add(b, "VIREO ", 6);
	buf_add(b, "MICROVM ", 8);
	put(b, 1, 4);
	buf_add(b, "VREO", 4);
	put(b, 1, 4);
}

void acpi_end(struct buf *b, size_t start)
{
	patch(b, start + 4, b->len - start, 4);
	patch(b, start + 9, checksum(b->data + start, b->len - start), 1);
}

/* 5.2.3.2: generic address structure, one byte in I/O space. */
static void patch_gas_io(struct buf *b, size_t at, uint16_t port)
{
	patch(b, at, 1, 1);	/* system I/O */
	patch(b, at + 1, 8, 1); /* bit width */
	patch(b, at + 3, 1, 1); /* byte access */
	patch(b, at + 4, port, 8);
}

/* 5.2.9; offsets from table 5.9. */
static void acpi_fadt(struct machine *m, struct buf *b, uint64_t dsdt)
{
	const uint32_t flags = BIT(0) |	 /* WBINVD works */
			       BIT(4) |	 /* power button: a device */
			       BIT(5) |	 /* no fixed sleep button */
			       BIT(6) |	 /* no fixed RTC wake-up */
			       BIT(10) | /* RESET_REG_SUP */
			       BIT(20);	 /* HW_REDUCED_ACPI */
	size_t start = b->len;

	acpi_begin(b, "FACP", 6);
	memset(buf_grow(b, 276 - HEADER_SIZE), 0, 276 - HEADER_SIZE);
	patch(b, start + 40, dsdt, 4);
	/* ISA devices, a keyboard controller or not, no VGA. */
	patch(b, start + 109,
	      BIT(0) | (machine_has_i8042(m) ? BIT(1) : 0) | BIT(2), 2);
	patch(b, start + 112, flags, 4);
	patch_gas_io(b, start + 116, ACPI_PM_RESET);
	patch(b, start + 128, ACPI_PM_RESET_VALUE, 1);
	patch(b, start + 131, 4, 1); /* minor version */
	patch(b, start + 140, dsdt, 8);
	patch_gas_io(b, start + 244, ACPI_PM_SLEEP_CONTROL);
	patch_gas_io(b, start + 256, ACPI_PM_SLEEP_STATUS);
	memcpy(b->data + start + 268, "VIREO", 5);
	acpi_end(b, start);
}

/* 5.2.12.2 and 5.2.12.12: IDs above 254 need the x2APIC structure. */
static void madt_cpu(struct buf *b, unsigned int uid, uint32_t apic_id)
{
	if (apic_id < 255 && uid < 255) {
		put(b, 0, 1);
		put(b, 8, 1);
		put(b, uid, 1);
		put(b, apic_id, 1);
		put(b, 1, 4); /* enabled */
		return;
	}
	put(b, 9, 1);
	put(b, 16, 1);
	put(b, 0, 2);
	put(b, apic_id, 4);
	put(b, 1, 4);
	put(b, uid, 4);
}

static void acpi_madt(struct machine *m, struct buf *b)
{
	size_t start = b->len;

	acpi_begin(b, "APIC", 5);
	put(b, LAPIC_BASE, 4);
	put(b, 1, 4); /* PCAT_COMPAT: there is a pair of 8259s */
	for (unsigned int i = 0; i < m->spec->vcpus; i++)
		madt_cpu(b, i, machine_apic_id(m, i));
	put(b, 1, 1); /* 5.2.12.3: I/O APIC */
	put(b, 12, 1);
	put(b, 0, 2);
	put(b, IOAPIC_BASE, 4);
	put(b, 0, 4);
	put(b, 4, 1); /* 5.2.12.7: LINT1 of all processors is NMI */
	put(b, 6, 1);
	put(b, 0xff, 1);
	put(b, 0, 2);
	put(b, 1, 1);
	acpi_end(b, start);
}

/* PCI Firmware Specification 3.2, section 4.1.2. */
static void acpi_mcfg(struct buf *b)
{
	size_t start = b->len;

	acpi_begin(b, "MCFG", 1);
	put(b, 0, 8);
	put(b, ECAM_BASE, 8);
	put(b, 0, 2);			  /* segment */
	put(b, 0, 1);			  /* first bus */
	put(b, PCI_LAST_BUS, 1);
	put(b, 0, 4);
	acpi_end(b, start);
}

static void acpi_xsdt(struct buf *b, const uint64_t *tables, unsigned int n)
{
	size_t start = b->len;

	acpi_begin(b, "XSDT", 1);
	buf_add(b, tables, n * sizeof(*tables));
	acpi_end(b, start);
}

/* 5.2.5.3 */
static void acpi_rsdp(struct buf *b, uint64_t xsdt)
{
	memcpy(b->data, "RSD PTR ", 8);
	memcpy(b->data + 9, "VIREO ", 6);
	patch(b, 15, 2, 1); /* revision */
	patch(b, 20, RSDP_SIZE, 4);
	patch(b, 24, xsdt, 8);
	patch(b, 8, checksum(b->data, 20), 1);
	patch(b, 32, checksum(b->data, RSDP_SIZE), 1);
}

/* The guest address of the next table: they start on 16 bytes. */
static uint64_t next_table(struct buf *b)
{
	size_t pad = ALIGN_UP(b->len, 16) - b->len;

	if (pad)
		memset(buf_grow(b, pad), 0, pad);
	return BOOT_ACPI_BASE + b->len;
}

int acpi_write(struct machine *m, struct error *err)
{
	_cleanup_buf_ struct buf b = { 0 };
	uint64_t dsdt, xsdt, tables[TABLES_MAX];
	unsigned int n = 0;

	memset(buf_grow(&b, RSDP_SIZE), 0, RSDP_SIZE);
	dsdt = next_table(&b);
	acpi_dsdt(m, &b);
	tables[n++] = next_table(&b);
	acpi_fadt(m, &b, dsdt);
	tables[n++] = next_table(&b);
	acpi_madt(m, &b);
	tables[n++] = next_table(&b);
	acpi_mcfg(&b);
	xsdt = next_table(&b);
	acpi_xsdt(&b, tables, n);
	acpi_rsdp(&b, xsdt);
	if (b.len > BOOT_ACPI_MAX)
		return error_set(err, -E2BIG,
				 "the ACPI tables of %u vCPUs do not fit",
				 m->spec->vcpus);
	return ram_write(m->ram, BOOT_ACPI_BASE, b.data, b.len);
}
