/*
 * vmm/boot/dsdt_memory.c -- memory modules in the DSDT, and the methods by
 * which they come and go (ports: vmm/dev/memhp.h; ACPI 6.4, section 9.11).
 *
 * An event of the machine's runs SCAN, which asks the ports which modules
 * changed and notifies their objects (table 5.187: 1 device check, 3 ejection
 * is asked for).
 */
#include "vmm/boot/acpi.h"

#include <stdio.h>

#include "base/buf.h"
#include "vmm/boot/aml.h"
#include "vmm/dev/memhp.h"
#include "vmm/machine.h"

enum { DEVICE_CHECK = 1, EJECT_REQUEST = 3 };
enum { LOCAL1 = AML_LOCAL0 + 1 };

static void module_name(char name[5], unsigned int n)
{
	snprintf(name, 5, "M%03X", n & 0xfff);
}

static void ports(struct buf *b)
{
	static const char *const names[] = {
		"MNXT", "MFLO", "MFHI", "MLLO", "MLHI", "MNLO", "MNHI",
		"MPXM", "MOEV", "MOST",
	};
	size_t field;

	aml_io_region(b, "MHPP", MEMHP_PORT, MEMHP_SIZE);
	field = aml_dword_field(b, "MHPP");
	aml_field_unit(b, "MSEL", 32);
	aml_field_gap(b, 8 * (MEMHP_NEXT - MEMHP_STATUS));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		aml_field_unit(b, names[i], 32);
	aml_close(b, field);
	static_assert(MEMHP_NEXT + 4 * ARRAY_SIZE(names) == MEMHP_SIZE,
		      "ORDER of MEMHP_NEXT and what follows");
	field = aml_byte_field(b, "MHPP");
	aml_field_gap(b, 8 * MEMHP_STATUS);
	aml_field_unit(b, "MSTS", 8);
	aml_close(b, field);
}

/* STAT (n): what _STA of a module returns. */
static void method_stat(struct buf *b)
{
	size_t method = aml_method(b, "STAT", 1), branch;

	aml_store(b, AML_ARG0, "MSEL");
	aml_load(b, "MSTS", AML_LOCAL0);
	branch = aml_if_bits(b, AML_LOCAL0, MEMHP_ENABLED);
	aml_op(b, AML_RETURN);
	aml_int(b, 0x0f);
	aml_close(b, branch);
	aml_op(b, AML_RETURN);
	aml_int(b, 0);
	aml_close(b, method);
}

/* ADDR (n): a copy of the template with the module's addresses. */
static void method_addr(struct buf *b)
{
	static const struct {
		unsigned int at;
		const char *name, *port;
	} halves[] = {
		{ AML_MEM64_FIRST, "FLO_", "MFLO" },
		{ AML_MEM64_FIRST + 4, "FHI_", "MFHI" },
		{ AML_MEM64_LAST, "LLO_", "MLLO" },
		{ AML_MEM64_LAST + 4, "LHI_", "MLHI" },
		{ AML_MEM64_LENGTH, "NLO_", "MNLO" },
		{ AML_MEM64_LENGTH + 4, "NHI_", "MNHI" },
	};
	size_t res, method;

	aml_name(b, "TMPL");
	res = aml_resources(b);
	aml_res_mem64(b);
	aml_resources_end(b, res);
	method = aml_method(b, "ADDR", 1);
	aml_load(b, "TMPL", AML_LOCAL0);
	aml_store(b, AML_ARG0, "MSEL");
	for (size_t i = 0; i < ARRAY_SIZE(halves); i++) {
		aml_create_dword_field(b, AML_LOCAL0, halves[i].at,
				       halves[i].name);
		aml_op(b, AML_STORE);
		aml_path(b, halves[i].port);
		aml_path(b, halves[i].name);
	}
	aml_op(b, AML_RETURN);
	aml_op(b, AML_LOCAL0);
	aml_close(b, method);
}

static void method_node(struct buf *b)
{
	size_t method = aml_method(b, "NODE", 1);

	aml_store(b, AML_ARG0, "MSEL");
	aml_op(b, AML_RETURN);
	aml_path(b, "MPXM");
	aml_close(b, method);
}

static void method_eject(struct buf *b)
{
	size_t method = aml_method(b, "EJCT", 1);

	aml_store(b, AML_ARG0, "MSEL");
	aml_store_int(b, MEMHP_EJECT, "MSTS");
	aml_close(b, method);
}

/* 6.3.5: ANSW (n, event, status) */
static void method_answer(struct buf *b)
{
	size_t method = aml_method(b, "ANSW", 3);

	aml_store(b, AML_ARG0, "MSEL");
	aml_store(b, AML_ARG1, "MOEV");
	aml_store(b, AML_ARG2, "MOST");
	aml_close(b, method);
}

/* TELL (n, what) */
static void method_tell(struct machine *m, struct buf *b)
{
	size_t method = aml_method(b, "TELL", 2);
	char name[5];

	for (unsigned int i = 0; i < memhp_slots(m->memhp); i++) {
		size_t branch = aml_if(b);

		module_name(name, i);
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

	aml_load(b, "MNXT", AML_LOCAL0);
	loop = aml_while(b);
	aml_op(b, AML_LLESS);
	aml_op(b, AML_LOCAL0);
	aml_int(b, memhp_slots(m->memhp));
	aml_store(b, AML_LOCAL0, "MSEL");
	aml_load(b, "MSTS", LOCAL1);
	aml_store_int(b, MEMHP_INSERTED | MEMHP_REMOVE, "MSTS");
	tell_if(b, MEMHP_INSERTED, DEVICE_CHECK);
	tell_if(b, MEMHP_REMOVE, EJECT_REQUEST);
	aml_load(b, "MNXT", AML_LOCAL0);
	aml_close(b, loop);
	aml_close(b, method);
}

/* A method of a module's hands its number, and what it got, on. */
static void hand_on(struct buf *b, const char *name, unsigned int args,
		    bool returns, const char *to, unsigned int n,
		    unsigned int first, unsigned int n_args)
{
	size_t method = aml_method(b, name, args);

	if (returns)
		aml_op(b, AML_RETURN);
	aml_path(b, to);
	aml_int(b, n);
	for (unsigned int i = 0; i < n_args; i++)
		aml_op(b, AML_ARG0 + first + i);
	aml_close(b, method);
}

/* 9.11.1: a memory device. */
static void module(struct buf *b, unsigned int n)
{
	char name[5];
	size_t dev;

	module_name(name, n);
	dev = aml_device(b, name);
	aml_name(b, "_HID");
	aml_eisa_id(b, "PNP0C80");
	aml_name(b, "_UID");
	aml_int(b, n);
	hand_on(b, "_STA", 0, true, "STAT", n, 0, 0);
	hand_on(b, "_CRS", 0, true, "ADDR", n, 0, 0);
	hand_on(b, "_PXM", 0, true, "NODE", n, 0, 0);
	hand_on(b, "_EJ0", 1, false, "EJCT", n, 0, 0);
	hand_on(b, "_OST", 3, false, "ANSW", n, 0, 2);
	aml_close(b, dev);
}

/* The ports are the container's. */
static void container(struct buf *b)
{
	size_t res;

	aml_name(b, "_HID");
	aml_eisa_id(b, "PNP0A06"); /* generic container */
	aml_name(b, "_UID");
	aml_string(b, "memory");
	aml_name(b, "_CRS");
	res = aml_resources(b);
	aml_res_io(b, MEMHP_PORT, MEMHP_SIZE);
	aml_resources_end(b, res);
	ports(b);
}

void acpi_dsdt_memory(struct machine *m, struct buf *b)
{
	size_t dev = aml_device(b, "MEMS");

	container(b);
	method_stat(b);
	method_addr(b);
	method_node(b);
	method_eject(b);
	method_answer(b);
	for (unsigned int i = 0; i < memhp_slots(m->memhp); i++)
		module(b, i);
	method_tell(m, b);
	method_scan(m, b);
	aml_close(b, dev);
}
