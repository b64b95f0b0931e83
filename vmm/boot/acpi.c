/*
 * vmm/boot/acpi.c -- the ACPI tables (ACPI 6.4, chapter 5): RSDP, RSDT, XSDT,
 * FACS, FADT, MADT, MCFG.  The DSDT is in dsdt.c.
 *
 * The small machine is hardware-reduced; q35 has the fixed hardware of its
 * ICH9.  Tables that firmware places (acpi_loader.c) are made for address 0,
 * with a note of each pointer and checksum in them.
 */
#include "vmm/boot/acpi.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "vmm/boot/boot.h"
#include "vmm/dev/acpi_pm.h"
#include "vmm/dev/hpet.h"
#include "vmm/dev/ich9_pm.h"
#include "vmm/dev/pci.h"
#include "vmm/dev/tpm.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"

enum { HEADER_SIZE = 36, FACS_SIZE = 64, FADT_SIZE = 276, TABLES_MAX = 16 };

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
	buf_add(b, "VIREOVM ", 8);
	put(b, 1, 4);
	buf_add(b, "VREO", 4);
	put(b, 1, 4);
}

void acpi_end(struct buf *b, size_t start)
{
	patch(b, start + 4, b->len - start, 4);
	patch(b, start + 9, checksum(b->data + start, b->len - start), 1);
}

/* 5.2.3.2: generic address structure in I/O space; access 1: bytes ... */
static void patch_gas_io(struct buf *b, size_t at, uint16_t port,
			 uint8_t bits, uint8_t access)
{
	patch(b, at, 1, 1); /* system I/O */
	patch(b, at + 1, bits, 1);
	patch(b, at + 3, access, 1);
	patch(b, at + 4, port, 8);
}

#define FADT_WBINVD	     BIT(0)
#define FADT_PROC_C1	     BIT(2)
#define FADT_POWER_DEVICE    BIT(4)
#define FADT_NO_SLEEP_BUTTON BIT(5)
#define FADT_NO_FIXED_RTC    BIT(6)
#define FADT_RESET_REG	     BIT(10)
#define FADT_HW_REDUCED	     BIT(20)

/* 5.2.9; offsets from table 5.9. */
static void fadt_reduced(struct buf *b, size_t start)
{
	patch(b, start + 112,
	      FADT_WBINVD | FADT_POWER_DEVICE | FADT_NO_SLEEP_BUTTON |
		      FADT_NO_FIXED_RTC | FADT_RESET_REG | FADT_HW_REDUCED,
	      4);
	patch_gas_io(b, start + 116, ACPI_PM_RESET, 8, 1);
	patch(b, start + 128, ACPI_PM_RESET_VALUE, 1);
	patch_gas_io(b, start + 244, ACPI_PM_SLEEP_CONTROL, 8, 1);
	patch_gas_io(b, start + 256, ACPI_PM_SLEEP_STATUS, 8, 1);
}

/* The power button and the RTC's alarm are fixed events; ACPI mode is always on. */
static void fadt_ich9(struct buf *b, size_t start, uint16_t pm)
{
	patch(b, start + 46, GSI_SCI, 2);
	patch(b, start + 56, pm + ICH9_PM1_STATUS, 4);
	patch(b, start + 64, pm + ICH9_PM1_CONTROL, 4);
	patch(b, start + 76, pm + ICH9_PM_TIMER, 4);
	patch(b, start + 80, pm + ICH9_GPE0, 4);
	patch(b, start + 88, 4, 1); /* lengths, in this order */
	patch(b, start + 89, 2, 1);
	patch(b, start + 91, 4, 1);
	patch(b, start + 92, ICH9_GPE0_LEN, 1);
	patch(b, start + 96, 0xfff, 2); /* no C2 */
	patch(b, start + 98, 0xfff, 2); /* no C3 */
	patch(b, start + 108, 0x32, 1); /* the RTC's century */
	patch(b, start + 112,
	      FADT_WBINVD | FADT_PROC_C1 | FADT_NO_SLEEP_BUTTON |
		      FADT_RESET_REG,
	      4);
	patch_gas_io(b, start + 116, ICH9_RESET_PORT, 8, 1);
	patch(b, start + 128, ICH9_RESET_VALUE, 1);
	patch_gas_io(b, start + 148, pm + ICH9_PM1_STATUS, 32, 2);
	patch_gas_io(b, start + 172, pm + ICH9_PM1_CONTROL, 16, 2);
	patch_gas_io(b, start + 208, pm + ICH9_PM_TIMER, 32, 3);
	patch_gas_io(b, start + 220, pm + ICH9_GPE0, 8 * ICH9_GPE0_LEN, 1);
}

static void note_pointer(struct acpi_tables *t, size_t at, unsigned int bytes)
{
	assert(t->n_pointers < ACPI_POINTERS_MAX);
	t->pointer[t->n_pointers++] = (struct acpi_pointer){ at, bytes };
}

static void note_table(struct acpi_tables *t, size_t start)
{
	assert(t->n_tables < ACPI_TABLES_MAX);
	t->table[t->n_tables++] =
		(struct acpi_extent){ start, t->blob.len - start };
}

/* The guest address of the next table: they start on 16 bytes. */
static uint64_t next_table(struct acpi_tables *t)
{
	size_t pad = ALIGN_UP(t->blob.len, 16) - t->blob.len;

	if (pad)
		memset(buf_grow(&t->blob, pad), 0, pad);
	return t->base + t->blob.len;
}

/*
 * 5.2.10: what firmware and the OS share, with the global lock, which drivers
 * may take although nobody contends for it here.  It has no checksum.
 */
static uint64_t acpi_facs(struct acpi_tables *t)
{
	uint64_t at = next_table(t);
	uint8_t facs[FACS_SIZE] = "FACS";

	assert(!(at % FACS_SIZE));
	facs[4] = FACS_SIZE;
	facs[32] = 2; /* version */
	buf_add(&t->blob, facs, sizeof(facs));
	return at;
}

static void acpi_fadt(struct machine *m, struct acpi_tables *t, uint64_t facs,
		      uint64_t dsdt)
{
	struct buf *b = &t->blob;
	size_t start = b->len;

	acpi_begin(b, "FACP", 6);
	memset(buf_grow(b, FADT_SIZE - HEADER_SIZE), 0,
	       FADT_SIZE - HEADER_SIZE);
	patch(b, start + 36, facs, 4);
	patch(b, start + 40, dsdt, 4);
	/* ISA devices, a keyboard controller or not, no VGA. */
	patch(b, start + 109,
	      BIT(0) | (machine_has_i8042(m) ? BIT(1) : 0) |
		      (m->q35 ? 0 : BIT(2)), 2);
	patch(b, start + 131, 4, 1); /* minor version */
	patch(b, start + 140, dsdt, 8);
	memcpy(b->data + start + 268, "VIREO", 5);
	if (m->q35)
		fadt_ich9(b, start, ich9_pm_base(m->pm));
	else
		fadt_reduced(b, start);
	if (m->q35)
		note_pointer(t, start + 36, 4);
	note_pointer(t, start + 40, 4);
	note_pointer(t, start + 140, 8);
	acpi_end(b, start);
}

/*
 * 5.2.12.2 and 5.2.12.12: IDs above 254 need the x2APIC structure.  One that is
 * not there may come later.
 */
void acpi_madt_cpu(struct machine *m, struct buf *b, unsigned int n,
		   bool enabled)
{
	uint32_t apic_id = machine_apic_id(m, n);
	uint32_t flags = enabled ? 1 : 2;

	if (apic_id < 255 && n < 255) {
		put(b, 0, 1);
		put(b, 8, 1);
		put(b, n, 1);
		put(b, apic_id, 1);
		put(b, flags, 4);
		return;
	}
	put(b, 9, 1);
	put(b, 16, 1);
	put(b, 0, 2);
	put(b, apic_id, 4);
	put(b, flags, 4);
	put(b, n, 4);
}

/* 5.2.12.5: interrupt source override: level, active high. */
static void madt_sci(struct buf *b)
{
	put(b, 2, 1);
	put(b, 10, 1);
	put(b, 0, 1); /* ISA */
	put(b, GSI_SCI, 1);
	put(b, GSI_SCI, 4);
	put(b, 0x0d, 2);
}

static void acpi_madt(struct machine *m, struct buf *b)
{
	size_t start = b->len;

	acpi_begin(b, "APIC", 5);
	put(b, LAPIC_BASE, 4);
	put(b, 1, 4); /* PCAT_COMPAT: there is a pair of 8259s */
	for (unsigned int i = 0; i < machine_max_vcpus(m); i++)
		acpi_madt_cpu(m, b, i, machine_vcpu_there(m, i));
	put(b, 1, 1); /* 5.2.12.3: I/O APIC */
	put(b, 12, 1);
	put(b, 0, 2);
	put(b, IOAPIC_BASE, 4);
	put(b, 0, 4);
	if (m->q35)
		madt_sci(b);
	put(b, 4, 1); /* 5.2.12.7: LINT1 of all processors is NMI */
	put(b, 6, 1);
	put(b, 0xff, 1);
	put(b, 0, 2);
	put(b, 1, 1);
	acpi_end(b, start);
}

/* PCI Firmware Specification 3.2, section 4.1.2. */
static void acpi_mcfg(struct machine *m, struct buf *b)
{
	size_t start = b->len;

	acpi_begin(b, "MCFG", 1);
	put(b, 0, 8);
	put(b, pci_ecam(m->pci), 8);
	put(b, 0, 2);			  /* segment */
	put(b, 0, 1);			  /* first bus */
	put(b, pci_last_bus(m->pci), 1);
	put(b, 0, 4);
	acpi_end(b, start);
}

/*
 * TCG ACPI Specification 1.2, section 8: a client's TPM, where its control area
 * is, and how it is started.  Without a log: firmware has none to share.
 */
static void acpi_tpm2(struct machine *m, struct buf *b)
{
	enum { START_MMIO = 6, START_CRB = 7, CONTROL_AREA = 0x40 };
	bool crb = m->spec->tpm == TPM_CRB;
	size_t start = b->len;

	acpi_begin(b, "TPM2", 4);
	put(b, 0, 4);
	put(b, crb ? TPM_BASE + CONTROL_AREA : 0, 8);
	put(b, crb ? START_CRB : START_MMIO, 4);
	acpi_end(b, start);
}

/* IA-PC HPET specification 1.0a, section 3.2.4 */
static void acpi_hpet(struct buf *b)
{
	size_t start = b->len;

	acpi_begin(b, "HPET", 1);
	put(b, HPET_ID | HPET_ID_VENDOR, 4);
	put(b, 0, 1); /* in memory */
	put(b, 64, 1);
	put(b, 0, 2);
	put(b, HPET_BASE, 8);
	put(b, 0, 1); /* the first */
	put(b, 0, 2);
	put(b, 0, 1);
	acpi_end(b, start);
}

/* 5.2.7 and 5.2.8: addresses of four or eight bytes. */
static uint64_t acpi_root(struct acpi_tables *t, const char *signature,
			  const uint64_t *tables, unsigned int n,
			  unsigned int bytes)
{
	uint64_t at = next_table(t);
	size_t start = t->blob.len;

	acpi_begin(&t->blob, signature, 1);
	for (unsigned int i = 0; i < n; i++) {
		note_pointer(t, t->blob.len, bytes);
		put(&t->blob, tables[i], bytes);
	}
	acpi_end(&t->blob, start);
	note_table(t, start);
	return at;
}

/* 5.2.5.3 */
void acpi_rsdp(uint8_t rsdp[ACPI_RSDP_SIZE], uint64_t rsdt, uint64_t xsdt)
{
	memset(rsdp, 0, ACPI_RSDP_SIZE);
	memcpy(rsdp, "RSD PTR ", 8);
	memcpy(rsdp + 9, "VIREO ", 6);
	rsdp[15] = 2; /* revision */
	memcpy(rsdp + 16, &rsdt, 4);
	rsdp[20] = ACPI_RSDP_SIZE;
	memcpy(rsdp + 24, &xsdt, 8);
	rsdp[8] = checksum(rsdp, 20);
	rsdp[32] = checksum(rsdp, ACPI_RSDP_SIZE);
}

typedef void table_fn(struct machine *m, struct buf *b);

/* Those that point at no others. */
static unsigned int plain_tables(const struct machine *m, table_fn **ret_fns)
{
	unsigned int n = 0;

	ret_fns[n++] = acpi_madt;
	ret_fns[n++] = acpi_mcfg;
	if (m->spec->n_cells || m->memhp)
		ret_fns[n++] = acpi_srat;
	if (m->spec->n_cells)
		ret_fns[n++] = acpi_slit;
	if (m->spec->tpm != TPM_NONE)
		ret_fns[n++] = acpi_tpm2;
	return n;
}

void acpi_build(struct machine *m, uint64_t base, struct acpi_tables *t)
{
	uint64_t facs = 0, dsdt, tables[TABLES_MAX];
	table_fn *fns[TABLES_MAX];
	unsigned int n = 0, n_plain = plain_tables(m, fns);

	*t = (struct acpi_tables){ .base = base };
	if (m->q35) /* first: it is aligned as the whole is */
		facs = acpi_facs(t);
	dsdt = next_table(t);
	acpi_dsdt(m, &t->blob);
	note_table(t, dsdt - base);
	tables[n++] = next_table(t);
	acpi_fadt(m, t, facs, dsdt);
	note_table(t, tables[0] - base);
	for (unsigned int i = 0; i < n_plain; i++) {
		tables[n] = next_table(t);
		fns[i](m, &t->blob);
		note_table(t, tables[n++] - base);
	}
	if (m->spec->hpet) {
		tables[n++] = next_table(t);
		acpi_hpet(&t->blob);
		note_table(t, tables[n - 1] - base);
	}
	t->rsdt = acpi_root(t, "RSDT", tables, n, 4);
	t->xsdt = acpi_root(t, "XSDT", tables, n, 8);
}

int acpi_write(struct machine *m, struct error *err)
{
	const uint64_t base = ACPI_FACS_AT;
	uint8_t rsdp[ACPI_RSDP_SIZE];
	struct acpi_tables t;
	int r;

	static_assert(ACPI_FACS_AT % FACS_SIZE == 0 &&
		      ACPI_FACS_AT >= BOOT_ACPI_BASE + ACPI_RSDP_SIZE, "place");
	acpi_build(m, base, &t);
	acpi_rsdp(rsdp, t.rsdt, t.xsdt);
	if (base + t.blob.len > BOOT_ACPI_BASE + BOOT_ACPI_MAX)
		r = error_set(err, -E2BIG,
			      "the ACPI tables of %u vCPUs do not fit",
			      m->spec->vcpus);
	else
		r = ram_write(m->ram, BOOT_ACPI_BASE, rsdp, sizeof(rsdp));
	if (r == 0)
		r = ram_write(m->ram, base, t.blob.data, t.blob.len);
	buf_free(&t.blob);
	return r;
}
