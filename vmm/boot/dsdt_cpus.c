/*
 * vmm/boot/dsdt_cpus.c -- the processors in the DSDT, and the methods by which
 * some come and go (ports: vmm/dev/cpuhp.h).
 *
 * An event of the machine's runs SCAN, which asks the ports which processors
 * changed and notifies their objects (ACPI 6.4, table 5.187: 1 device check, 3
 * ejection is asked for).
 */
#include "vmm/boot/acpi.h"

#include <stdio.h>

#include "base/buf.h"
#include "vmm/boot/aml.h"
#include "vmm/dev/cpuhp.h"
#include "vmm/machine.h"
#include "vmm/numa.h"
#include "vmm/spec.h"

enum { DEVICE_CHECK = 1, EJECT_REQUEST = 3 };
enum { LOCAL1 = AML_LOCAL0 + 1 };

static void cpu_name(char name[5], unsigned int n)
{
	snprintf(name, 5, "C%03X", n & 0xfff);
}

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

/* STAT (n): what _STA of a processor returns. */
static void method_stat(struct buf *b)
{
	size_t method = aml_method(b, "STAT", 1), branch;

	aml_store(b, AML_ARG0, "CSEL");
	aml_load(b, "CSTS", AML_LOCAL0);
	branch = aml_if_bits(b, AML_LOCAL0, CPUHP_ENABLED);
	aml_op(b, AML_RETURN);
	aml_int(b, 0x0f);
	aml_close(b, branch);
	aml_op(b, AML_RETURN);
	aml_int(b, 0);
	aml_close(b, method);
}

static void method_eject(struct buf *b)
{
	size_t method = aml_method(b, "EJCT", 1);

	aml_store(b, AML_ARG0, "CSEL");
	aml_store_int(b, CPUHP_EJECT, "CSTS");
	aml_close(b, method);
}

/* TELL (n, what) */
static void method_tell(struct machine *m, struct buf *b)
{
	size_t method = aml_method(b, "TELL", 2);
	char name[5];

	for (unsigned int i = 0; i < machine_max_vcpus(m); i++) {
		size_t branch = aml_if(b);

		cpu_name(name, i);
		aml_op(b, AML_LEQUAL);
		aml_op(b, AML_ARG0);
		aml_int(b, i);
		aml_op(b, AML_NOTIFY);
		aml_path(b, name);
		aml_op(b, AML_ARG1);
		aml_close(b, branch);
	}
	aml_close(b, method);
}

static void tell_if(struct buf *b, unsigned int status, unsigned int what)
{
	size_t branch = aml_if_bits(b, LOCAL1, status);

	aml_path(b, "TELL");
	aml_op(b, AML_LOCAL0);
	aml_int(b, what);
	aml_close(b, branch);
}

static void method_scan(struct machine *m, struct buf *b)
{
	size_t method = aml_method(b, "SCAN", 0), loop;

	aml_load(b, "CNXT", AML_LOCAL0);
	loop = aml_while(b);
	aml_op(b, AML_LLESS);
	aml_op(b, AML_LOCAL0);
	aml_int(b, machine_max_vcpus(m));
	aml_store(b, AML_LOCAL0, "CSEL");
	aml_load(b, "CSTS", LOCAL1);
	aml_store_int(b, CPUHP_INSERTED | CPUHP_REMOVE, "CSTS");
	tell_if(b, CPUHP_INSERTED, DEVICE_CHECK);
	tell_if(b, CPUHP_REMOVE, EJECT_REQUEST);
	aml_load(b, "CNXT", AML_LOCAL0);
	aml_close(b, loop);
	aml_close(b, method);
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

static void processor(struct machine *m, struct buf *b, unsigned int n)
{
	char name[5];
	size_t dev;

	cpu_name(name, n);
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
	size_t dev = m->cpuhp ? aml_device(b, "CPUS") : 0;

	if (m->cpuhp)
		container(b);
	for (unsigned int i = 0; i < machine_max_vcpus(m); i++)
		processor(m, b, i);
	if (!m->cpuhp)
		return;
	method_stat(b);
	method_eject(b);
	method_tell(m, b);
	method_scan(m, b);
	aml_close(b, dev);
}
