/*
 * vmm/boot/aml.h -- writing AML (ACPI 6.4, chapter 20, "AML Specification").
 *
 * Each function appends one piece of the grammar.  What has a PkgLength is
 * opened, filled and closed:
 *
 *	size_t dev = aml_device(b, "COM1");
 *	aml_name(b, "_UID"); aml_int(b, 1);
 *	aml_close(b, dev);
 */
#ifndef VMM_BOOT_AML_H
#define VMM_BOOT_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* 20.2.5, 20.2.6: opcodes without operands of their own in the encoding. */
enum {
	AML_LOCAL0 = 0x60,
	AML_ARG0 = 0x68,
	AML_ARG1,
	AML_ARG2,
	AML_ARG3,
	AML_STORE = 0x70,  /* source, target */
	AML_AND = 0x7b,	   /* a, b, target */
	AML_OR = 0x7d,	   /* a, b, target */
	AML_NOTIFY = 0x86, /* object, value */
	AML_LEQUAL = 0x93, /* a, b */
	AML_LLESS = 0x95,  /* a, b */
	AML_RETURN = 0xa4, /* value */
};

void aml_op(struct buf *b, uint8_t op);
void aml_path(struct buf *b, const char *path); /* "\\_SB.PCI0", "_UID" */
void aml_int(struct buf *b, uint64_t value);
void aml_string(struct buf *b, const char *s);
void aml_eisa_id(struct buf *b, const char *id); /* "PNP0A08" */
void aml_uuid(struct buf *b, const char *uuid);	 /* a buffer: ToUUID() */

/* Name (path, ...): the object follows. */
void aml_name(struct buf *b, const char *path);
void aml_create_dword_field(struct buf *b, uint8_t source, unsigned int index,
			    const char *name);
void aml_io_region(struct buf *b, const char *name, uint16_t port,
		   uint8_t len);

size_t aml_scope(struct buf *b, const char *path);
size_t aml_device(struct buf *b, const char *name);
size_t aml_method(struct buf *b, const char *name, unsigned int args);
size_t aml_package(struct buf *b, uint8_t elements);
size_t aml_dword_field(struct buf *b, const char *region);
void aml_field_unit(struct buf *b, const char *name, unsigned int bits);
/* A field of bytes, whose units may be of any size. */
size_t aml_byte_field(struct buf *b, const char *region);
void aml_field_gap(struct buf *b, unsigned int bits);
size_t aml_while(struct buf *b);
/* A buffer of these bytes, up to 63. */
void aml_bytes(struct buf *b, const void *bytes, unsigned int n);
size_t aml_if(struct buf *b);
/* If (And (value, bits)) */
size_t aml_if_bits(struct buf *b, uint8_t value, unsigned int bits);
/* Store (number or argument or local, name); Store (name, local). */
void aml_store_int(struct buf *b, uint64_t value, const char *to);
void aml_store(struct buf *b, uint8_t from, const char *to);
void aml_load(struct buf *b, const char *from, uint8_t to);
size_t aml_else(struct buf *b);
void aml_close(struct buf *b, size_t opened);

/* Resource templates (6.4): a buffer of descriptors and an end tag. */
size_t aml_resources(struct buf *b);
void aml_resources_end(struct buf *b, size_t opened);
void aml_res_io(struct buf *b, uint16_t port, uint8_t len);
void aml_res_irq(struct buf *b, uint32_t gsi, bool edge);
void aml_res_mem32(struct buf *b, uint32_t base, uint32_t len);
/* Address windows that a bridge hands on. */
void aml_res_bus_window(struct buf *b, uint16_t first, uint16_t last);
void aml_res_io_window(struct buf *b, uint16_t first, uint16_t last);
void aml_res_mem_window(struct buf *b, uint64_t base, uint64_t size);
/* Memory that a device is, cacheable; where, a method fills in: offsets of its
 * first address, last address and length. */
enum { AML_MEM64_FIRST = 14, AML_MEM64_LAST = 22, AML_MEM64_LENGTH = 38 };
void aml_res_mem64(struct buf *b);

#endif
