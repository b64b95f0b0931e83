/*
 * vmm/boot/dsdt_cpus.c -- the processors in the DSDT, and the methods by which
 * some come and go (ports: vmm/dev/cpuhp.h).
 *
 * An event of the machine's runs SCAN (dsdt_slots.h), which asks the ports which
 * processors changed and notifies their objects.
 */
#include "vmm/boot/acpi.h"

#include "base/buf.h"
#include "vmm/boot/aml.h"
#include "vmm/boot/dsdt_slots.h"
#include "vmm/dev/cpuhp.h"
#include "vmm/machine.h"
#include "vmm/numa.h"
#include "vmm/spec.h"

static void ports(struct buf *b)
{
	size_t field;

	aml_io_region(b, "CPHP", CPUHP_PORT, CPUHP_SIZE);
	field = aml_dword_field(b, "CPHP");
	aml_field_unit(b, "CSEL", 32);
	aml_field_gap(b, 8 * (CPUHP_NEXT - CPUHP_STATUS));
	aml_field_unit(b, "CNXT", 32);
	aml_close(b, field);
	field = aml_byte_field(b, "CPHP");
	aml_field_gap(b, 8 * CPUHP_STATUS);
	aml_field_unit(b, "CSTS", 8);
	aml_close(b, field);
}

/* 6.2.10: the entry it would have in the MADT. */
static void name_mat(struct machine *m, struct buf *b, unsigned int n)
{
	_cleanup_buf_ struct buf entry = { 0 };

	acpi_madt_cpu(m, &entry, n, true);
	aml_name(b, "_MAT");
	aml_bytes(b, entry.data, entry.len);
}

static void pluggable(struct machine *m, struct buf *b, unsigned int n)
{
	size_t method = aml_method(b, "_STA", 0);

	aml_op(b, AML_RETURN);
	aml_path(b, "STAT");
	aml_int(b, n);
	aml_close(b, method);
	name_mat(m, b, n);
	if (!n)
		return; /* the boot processor stays */
	method = aml_method(b, "_EJ0", 1);
	aml_path(b, "EJCT");
	aml_int(b, n);
	aml_close(b, method);
}

static void processor(struct machine *m, const struct dsdt_slots *slots,
		      struct buf *b, unsigned int n)
{
	char name[5];
	size_t dev;

	dsdt_slot_name(slots, n, name);
	dev = aml_device(b, name);
	aml_name(b, "_HID");
	aml_string(b, "ACPI0007");
	aml_name(b, "_UID");
	aml_int(b, n);
	if (m->cpuhp)
		pluggable(m, b, n);
	if (m->spec->n_cells) {
		aml_name(b, "_PXM");
		aml_int(b, numa_cell_of(m->spec, n));
	}
	aml_close(b, dev);
}

/* The ports are the container's. */
static void container(struct buf *b)
{
	size_t res;

	aml_name(b, "_HID");
	aml_string(b, "ACPI0010");
	aml_name(b, "_CRS");
	res = aml_resources(b);
	aml_res_io(b, CPUHP_PORT, CPUHP_SIZE);
	aml_resources_end(b, res);
	ports(b);
}

void acpi_dsdt_cpus(struct machine *m, struct buf *b)
{
	const struct dsdt_slots slots = {
		'C', machine_max_vcpus(m), "CSEL", "CSTS", "CNXT"
	};
	size_t dev = m->cpuhp ? aml_device(b, "CPUS") : 0;

	if (m->cpuhp)
		container(b);
	for (unsigned int i = 0; i < slots.n; i++)
		processor(m, &slots, b, i);
	if (!m->cpuhp)
		return;
	dsdt_slots_stat(&slots, b);
	dsdt_slots_eject(&slots, b);
	dsdt_slots_scan(&slots, b);
	aml_close(b, dev);
}
