/*
 * vmm/boot/aml.c -- writing AML (ACPI 6.4, chapter 20 and section 6.4).
 */
#include "vmm/boot/aml.h"

#include <string.h>

#include "base/buf.h"

enum { NAME_OP = 0x08, EXT_OP = 0x5b, BUFFER_OP = 0x11 };

static void put(struct buf *b, uint64_t value, unsigned int bytes)
{
	buf_add(b, &value, bytes); /* little endian, like the host */
}

void aml_op(struct buf *b, uint8_t op)
{
	put(b, op, 1);
}

/* 20.2.2: segments are padded with underscores to four characters. */
static void put_seg(struct buf *b, const char *seg, size_t len)
{
	char four[4] = { '_', '_', '_', '_' };

	memcpy(four, seg, MIN(len, 4));
	buf_add(b, four, 4);
}

void aml_path(struct buf *b, const char *path)
{
	unsigned int segs = 1;

	if (*path == '\\')
		put(b, *path++, 1);
	for (const char *p = path; *p; p++)
		segs += *p == '.';
	if (segs == 2) {
		put(b, 0x2e, 1); /* DualNamePrefix */
	} else if (segs > 2) {
		put(b, 0x2f, 1); /* MultiNamePrefix */
		put(b, segs, 1);
	}
	for (; segs; segs--) {
		size_t len = strcspn(path, ".");

		put_seg(b, path, len);
		path += len + 1;
	}
}

void aml_int(struct buf *b, uint64_t value)
{
	if (value <= 1) {
		put(b, value, 1); /* ZeroOp, OneOp */
	} else if (value <= UINT8_MAX) {
		put(b, 0x0a, 1);
		put(b, value, 1);
	} else if (value <= UINT16_MAX) {
		put(b, 0x0b, 1);
		put(b, value, 2);
	} else if (value <= UINT32_MAX) {
		put(b, 0x0c, 1);
		put(b, value, 4);
	} else {
		put(b, 0x0e, 1);
		put(b, value, 8);
	}
}

void aml_string(struct buf *b, const char *s)
{
	put(b, 0x0d, 1);
	buf_add(b, s, strlen(s) + 1);
}

static unsigned int hex(char c)
{
	return c <= '9' ? c - '0' : (c & ~0x20) - 'A' + 10;
}

/* 19.6.37: three letters of five bits, four hexadecimal digits, big endian. */
void aml_eisa_id(struct buf *b, const char *id)
{
	uint32_t v = 0;

	for (unsigned int i = 0; i < 3; i++)
		v = v << 5 | (id[i] & 0x1f);
	for (unsigned int i = 3; i < 7; i++)
		v = v << 4 | hex(id[i]);
	v = __builtin_bswap32(v);
	put(b, 0x0c, 1);
	put(b, v, 4);
}

/* 19.6.142: the first three groups are little endian. */
void aml_uuid(struct buf *b, const char *uuid)
{
	static const uint8_t place[16] = { 3, 2, 1, 0, 5,  4,  7,  6,
					   8, 9, 10, 11, 12, 13, 14, 15 };
	size_t start = b->len + 1;
	uint8_t raw[16];

	for (unsigned int i = 0; i < 16; i++) {
		uuid += *uuid == '-';
		raw[place[i]] = hex(uuid[0]) << 4 | hex(uuid[1]);
		uuid += 2;
	}
	put(b, BUFFER_OP, 1);
	aml_int(b, sizeof(raw));
	buf_add(b, raw, sizeof(raw));
	aml_close(b, start);
}

void aml_name(struct buf *b, const char *path)
{
	put(b, NAME_OP, 1);
	aml_path(b, path);
}

void aml_create_dword_field(struct buf *b, uint8_t source, unsigned int index,
			    const char *name)
{
	put(b, 0x8a, 1);
	put(b, source, 1);
	aml_int(b, index);
	aml_path(b, name);
}

void aml_io_region(struct buf *b, const char *name, uint16_t port, uint8_t len)
{
	put(b, EXT_OP, 1);
	put(b, 0x80, 1);
	aml_path(b, name);
	put(b, 1, 1); /* SystemIO */
	aml_int(b, port);
	aml_int(b, len);
}

/* ---- what has a length ---- */

static size_t aml_open(struct buf *b, uint8_t op)
{
	put(b, op, 1);
	return b->len;
}

static size_t aml_open_ext(struct buf *b, uint8_t op)
{
	put(b, EXT_OP, 1);
	return aml_open(b, op);
}

size_t aml_scope(struct buf *b, const char *path)
{
	size_t start = aml_open(b, 0x10);

	aml_path(b, path);
	return start;
}

size_t aml_device(struct buf *b, const char *name)
{
	size_t start = aml_open_ext(b, 0x82);

	aml_path(b, name);
	return start;
}

/* All are serialized: some create named fields. */
size_t aml_method(struct buf *b, const char *name, unsigned int args)
{
	size_t start = aml_open(b, 0x14);

	aml_path(b, name);
	put(b, args | BIT(3), 1);
	return start;
}

size_t aml_package(struct buf *b, uint8_t elements)
{
	size_t start = aml_open(b, 0x12);

	put(b, elements, 1);
	return start;
}

static size_t open_field(struct buf *b, const char *region, uint8_t access)
{
	size_t start = aml_open_ext(b, 0x81);

	aml_path(b, region);
	put(b, access, 1); /* NoLock, Preserve */
	return start;
}

size_t aml_dword_field(struct buf *b, const char *region)
{
	return open_field(b, region, 3);
}

size_t aml_byte_field(struct buf *b, const char *region)
{
	return open_field(b, region, 1);
}

/* 20.2.4: the length counts itself, and takes one to four bytes. */
static unsigned int pkg_length(uint8_t *out, size_t len, bool counts_itself)
{
	unsigned int bytes = 1;

	while (bytes < 4) {
		size_t all = len + (counts_itself ? bytes : 0);

		if (bytes == 1 ? all < 0x40 : all < 1ul << (8 * bytes - 4))
			break;
		bytes++;
	}
	if (counts_itself)
		len += bytes;
	out[0] = bytes == 1 ? len : (bytes - 1) << 6 | (len & 0x0f);
	for (unsigned int i = 1; i < bytes; i++)
		out[i] = len >> (8 * i - 4);
	return bytes;
}

void aml_field_unit(struct buf *b, const char *name, unsigned int bits)
{
	uint8_t length[4];

	put_seg(b, name, strlen(name));
	buf_add(b, length, pkg_length(length, bits, false));
}

/* 20.2.5.2: ReservedField */
void aml_field_gap(struct buf *b, unsigned int bits)
{
	uint8_t length[4];

	put(b, 0, 1);
	buf_add(b, length, pkg_length(length, bits, false));
}

void aml_bytes(struct buf *b, const void *bytes, unsigned int n)
{
	size_t start = aml_open(b, BUFFER_OP);

	aml_int(b, n);
	buf_add(b, bytes, n);
	aml_close(b, start);
}

size_t aml_while(struct buf *b)
{
	return aml_open(b, 0xa2);
}

size_t aml_if(struct buf *b)
{
	return aml_open(b, 0xa0);
}

size_t aml_if_bits(struct buf *b, uint8_t value, unsigned int bits)
{
	size_t branch = aml_if(b);

	aml_op(b, AML_AND);
	aml_op(b, value);
	aml_int(b, bits);
	aml_op(b, 0); /* no target */
	return branch;
}

void aml_store_int(struct buf *b, uint64_t value, const char *to)
{
	aml_op(b, AML_STORE);
	aml_int(b, value);
	aml_path(b, to);
}

void aml_store(struct buf *b, uint8_t from, const char *to)
{
	aml_op(b, AML_STORE);
	aml_op(b, from);
	aml_path(b, to);
}

void aml_load(struct buf *b, const char *from, uint8_t to)
{
	aml_op(b, AML_STORE);
	aml_path(b, from);
	aml_op(b, to);
}

size_t aml_else(struct buf *b)
{
	return aml_open(b, 0xa1);
}

void aml_close(struct buf *b, size_t opened)
{
	size_t len = b->len - opened;
	uint8_t length[4];
	unsigned int n = pkg_length(length, len, true);

	buf_grow(b, n);
	memmove(b->data + opened + n, b->data + opened, len);
	memcpy(b->data + opened, length, n);
}

/* ---- resources ---- */

/*
 * The buffer's size stands before its bytes, so the descriptors are closed
 * twice: first the size, then the package.
 */
size_t aml_resources(struct buf *b)
{
	return aml_open(b, BUFFER_OP);
}

void aml_resources_end(struct buf *b, size_t opened)
{
	_cleanup_buf_ struct buf size = { 0 };
	size_t len;

	put(b, 0x0079, 2); /* 6.4.2.9: end tag, checksum not used */
	len = b->len - opened;
	aml_int(&size, len);
	buf_grow(b, size.len);
	memmove(b->data + opened + size.len, b->data + opened, len);
	memcpy(b->data + opened, size.data, size.len);
	aml_close(b, opened);
}

/* 6.4.2.5 */
void aml_res_io(struct buf *b, uint16_t port, uint8_t len)
{
	put(b, 0x47, 1);
	put(b, 1, 1); /* 16-bit decode */
	put(b, port, 2);
	put(b, port, 2);
	put(b, 1, 1);
	put(b, len, 1);
}

/* 6.4.3.6: consumer, active high, exclusive */
void aml_res_irq(struct buf *b, uint32_t gsi, bool edge)
{
	put(b, 0x89, 1);
	put(b, 6, 2);
	put(b, edge ? 3 : 1, 1);
	put(b, 1, 1);
	put(b, gsi, 4);
}

/* 6.4.3.4 */
void aml_res_mem32(struct buf *b, uint32_t base, uint32_t len)
{
	put(b, 0x86, 1);
	put(b, 9, 2);
	put(b, 1, 1); /* writeable */
	put(b, base, 4);
	put(b, len, 4);
}

/* 6.4.3.5: granularity, minimum, maximum, translation, length. */
static void put_window(struct buf *b, uint8_t tag, uint8_t type,
		       uint8_t type_flags, uint64_t first, uint64_t last,
		       unsigned int width)
{
	put(b, tag, 1);
	put(b, 3 + 5 * width, 2);
	put(b, type, 1);
	put(b, 0x0c, 1); /* producer, minimum and maximum fixed */
	put(b, type_flags, 1);
	put(b, 0, width);
	put(b, first, width);
	put(b, last, width);
	put(b, 0, width);
	put(b, last - first + 1, width);
}

void aml_res_bus_window(struct buf *b, uint16_t first, uint16_t last)
{
	put_window(b, 0x88, 2, 0, first, last, 2);
}

void aml_res_io_window(struct buf *b, uint16_t first, uint16_t last)
{
	put_window(b, 0x88, 1, 3, first, last, 2); /* entire range */
}

/* 6.4.3.5.1: consumer, minimum and maximum fixed; cacheable, can be written. */
void aml_res_mem64(struct buf *b)
{
	put(b, 0x8a, 1);
	put(b, 43, 2);
	put(b, 0, 1);
	put(b, 0x0d, 1);
	put(b, 0x03, 1);
	for (unsigned int i = 0; i < 5; i++)
		put(b, 0, 8);
}

void aml_res_mem_window(struct buf *b, uint64_t base, uint64_t size)
{
	uint64_t last = base + size - 1;
	bool wide = last > UINT32_MAX;

	put_window(b, wide ? 0x8a : 0x87, 0, 1, base, last, wide ? 8 : 4);
}
