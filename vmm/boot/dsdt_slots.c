/*
 * vmm/boot/dsdt_slots.c -- methods of devices that come and go.
 */
#include "vmm/boot/dsdt_slots.h"

#include <stdio.h>

#include "base/buf.h"
#include "vmm/boot/aml.h"
#include "vmm/dev/slot_status.h"

/* ACPI 6.4, table 5.187. */
enum { DEVICE_CHECK = 1, EJECT_REQUEST = 3 };
enum { LOCAL1 = AML_LOCAL0 + 1 };

void dsdt_slot_name(const struct dsdt_slots *s, unsigned int n, char ret[5])
{
	snprintf(ret, 5, "%c%03X", s->letter, n & 0xfff);
}

void dsdt_slots_stat(const struct dsdt_slots *s, struct buf *b)
{
	size_t method = aml_method(b, "STAT", 1), branch;

	aml_store(b, AML_ARG0, s->select);
	aml_load(b, s->status, AML_LOCAL0);
	branch = aml_if_bits(b, AML_LOCAL0, SLOT_ENABLED);
	aml_op(b, AML_RETURN);
	aml_int(b, 0x0f);
	aml_close(b, branch);
	aml_op(b, AML_RETURN);
	aml_int(b, 0);
	aml_close(b, method);
}

void dsdt_slots_eject(const struct dsdt_slots *s, struct buf *b)
{
	size_t method = aml_method(b, "EJCT", 1);

	aml_store(b, AML_ARG0, s->select);
	aml_store_int(b, SLOT_EJECT, s->status);
	aml_close(b, method);
}

/* TELL (n, what) */
static void method_tell(const struct dsdt_slots *s, struct buf *b)
{
	size_t method = aml_method(b, "TELL", 2);
	char name[5];

	for (unsigned int i = 0; i < s->n; i++) {
		size_t branch = aml_if(b);

		dsdt_slot_name(s, i, name);
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

void dsdt_slots_scan(const struct dsdt_slots *s, struct buf *b)
{
	size_t method, loop;

	method_tell(s, b);
	method = aml_method(b, "SCAN", 0);
	aml_load(b, s->next, AML_LOCAL0);
	loop = aml_while(b);
	aml_op(b, AML_LLESS);
	aml_op(b, AML_LOCAL0);
	aml_int(b, s->n);
	aml_store(b, AML_LOCAL0, s->select);
	aml_load(b, s->status, LOCAL1);
	aml_store_int(b, SLOT_INSERTED | SLOT_REMOVE, s->status);
	tell_if(b, SLOT_INSERTED, DEVICE_CHECK);
	tell_if(b, SLOT_REMOVE, EJECT_REQUEST);
	aml_load(b, s->next, AML_LOCAL0);
	aml_close(b, loop);
	aml_close(b, method);
}
