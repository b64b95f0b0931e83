/*
 * vmm/boot/dsdt_memory.c -- memory modules in the DSDT, and the methods by
 * which they come and go (ports: vmm/dev/memhp.h; ACPI 6.4, section 9.11).
 *
 * An event of the machine's runs SCAN (dsdt_slots.h), which asks the ports which
 * modules changed and notifies their objects.
 */
#include "vmm/boot/acpi.h"

#include "base/buf.h"
#include "vmm/boot/aml.h"
#include "vmm/boot/dsdt_slots.h"
#include "vmm/dev/memhp.h"
#include "vmm/machine.h"

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

/* 6.3.5: ANSW (n, event, status) */
static void method_answer(struct buf *b)
{
	size_t method = aml_method(b, "ANSW", 3);

	aml_store(b, AML_ARG0, "MSEL");
	aml_store(b, AML_ARG1, "MOEV");
	aml_store(b, AML_ARG2, "MOST");
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
static void module(const struct dsdt_slots *slots, struct buf *b,
		   unsigned int n)
{
	char name[5];
	size_t dev;

	dsdt_slot_name(slots, n, name);
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
	const struct dsdt_slots slots = {
		'M', memhp_slots(m->memhp), "MSEL", "MSTS", "MNXT"
	};
	size_t dev = aml_device(b, "MEMS");

	container(b);
	dsdt_slots_stat(&slots, b);
	method_addr(b);
	method_node(b);
	dsdt_slots_eject(&slots, b);
	method_answer(b);
	for (unsigned int i = 0; i < slots.n; i++)
		module(&slots, b, i);
	dsdt_slots_scan(&slots, b);
	aml_close(b, dev);
}
