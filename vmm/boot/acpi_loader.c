/*
 * vmm/boot/acpi_loader.c -- handing the ACPI tables to firmware (QEMU,
 * hw/acpi/bios-linker-loader.c describes the interface; edk2,
 * OvmfPkg/AcpiPlatformDxe/QemuLoader.h): a script of fixed-size commands that
 * allocate the files, add their addresses to pointers, and sum tables up.
 *
 * Tables depend on what firmware has set up, such as where the configuration
 * window is.  So they are made when firmware selects them, by which time it
 * is done with PCI, and only their length is fixed before, with room to spare.
 */
#include "vmm/boot/acpi.h"

#include <string.h>

#include "base/util.h"
#include "vmm/dev/fwcfg.h"
#include "vmm/machine.h"

#define TABLES_FILE "etc/acpi/tables"
#define RSDP_FILE   "etc/acpi/rsdp"
#define LOADER_FILE "etc/table-loader"

enum { CMD_ALLOCATE = 1, CMD_ADD_POINTER, CMD_ADD_CHECKSUM };
enum { ZONE_HIGH = 1, ZONE_FSEG };
enum { NAME_SIZE = 56, COMMAND_SIZE = 128, SPARE = 1024 };

struct command {
	uint32_t command;
	union {
		struct {
			char file[NAME_SIZE];
			uint32_t align;
			uint8_t zone;
		} __attribute__((packed)) allocate;
		struct {
			char in[NAME_SIZE], to[NAME_SIZE];
			uint32_t at;
			uint8_t bytes;
		} __attribute__((packed)) pointer;
		struct {
			char file[NAME_SIZE];
			uint32_t at, start, len;
		} __attribute__((packed)) checksum;
		uint8_t all[COMMAND_SIZE - 4];
	};
} __attribute__((packed));
static_assert(sizeof(struct command) == COMMAND_SIZE, "ORDER loader");

static void allocate(struct buf *b, const char *file, uint32_t align,
		     uint8_t zone)
{
	struct command c = { .command = CMD_ALLOCATE };

	strcpy(c.allocate.file, file);
	c.allocate.align = align;
	c.allocate.zone = zone;
	buf_add(b, &c, sizeof(c));
}

static void add_pointer(struct buf *b, const char *in, uint32_t at,
			uint8_t bytes)
{
	struct command c = { .command = CMD_ADD_POINTER };

	strcpy(c.pointer.in, in);
	strcpy(c.pointer.to, TABLES_FILE);
	c.pointer.at = at;
	c.pointer.bytes = bytes;
	buf_add(b, &c, sizeof(c));
}

static void add_checksum(struct buf *b, const char *file, uint32_t at,
			 uint32_t start, uint32_t len)
{
	struct command c = { .command = CMD_ADD_CHECKSUM };

	strcpy(c.checksum.file, file);
	c.checksum.at = at;
	c.checksum.start = start;
	c.checksum.len = len;
	buf_add(b, &c, sizeof(c));
}

/* ACPI 6.4, 5.2.5.3: two checksums; 5.2.6: byte 9 of a table's header. */
static void make_script(const struct acpi_tables *t, struct buf *b)
{
	allocate(b, TABLES_FILE, 64, ZONE_HIGH);
	allocate(b, RSDP_FILE, 16, ZONE_FSEG);
	for (unsigned int i = 0; i < t->n_pointers; i++)
		add_pointer(b, TABLES_FILE, t->pointer[i].at,
			    t->pointer[i].bytes);
	for (unsigned int i = 0; i < t->n_tables; i++)
		add_checksum(b, TABLES_FILE, t->table[i].start + 9,
			     t->table[i].start, t->table[i].len);
	add_pointer(b, RSDP_FILE, 16, 4);
	add_pointer(b, RSDP_FILE, 24, 8);
	add_checksum(b, RSDP_FILE, 8, 0, 20);
	add_checksum(b, RSDP_FILE, 32, 0, ACPI_RSDP_SIZE);
}

/* Firmware adds to what stands where a checksum will be. */
static void clear_checksums(struct acpi_tables *t)
{
	for (unsigned int i = 0; i < t->n_tables; i++)
		t->blob.data[t->table[i].start + 9] = 0;
}

static void copy_out(const struct buf *b, uint8_t *data, size_t len)
{
	assert(b->len <= len);
	memcpy(data, b->data, b->len);
	memset(data + b->len, 0, len - b->len);
}

static void fill_tables(void *arg, uint8_t *data, size_t len)
{
	struct acpi_tables t;

	acpi_build(arg, 0, &t);
	clear_checksums(&t);
	copy_out(&t.blob, data, len);
	buf_free(&t.blob);
}

static void fill_script(void *arg, uint8_t *data, size_t len)
{
	_cleanup_buf_ struct buf script = { 0 };
	struct acpi_tables t;

	acpi_build(arg, 0, &t);
	make_script(&t, &script);
	copy_out(&script, data, len);
	buf_free(&t.blob);
}

static void fill_rsdp(void *arg, uint8_t *data, size_t len)
{
	struct acpi_tables t;

	acpi_build(arg, 0, &t);
	acpi_rsdp(data, t.rsdt, t.xsdt);
	data[8] = data[32] = 0;
	buf_free(&t.blob);
}

void acpi_offer(struct machine *m, struct fwcfg *fw)
{
	_cleanup_buf_ struct buf script = { 0 };
	struct acpi_tables t;

	acpi_build(m, 0, &t);
	make_script(&t, &script);
	fwcfg_add_made(fw, RSDP_FILE, ACPI_RSDP_SIZE, fill_rsdp, m);
	fwcfg_add_made(fw, TABLES_FILE, ALIGN_UP(t.blob.len + SPARE, 4096),
		       fill_tables, m);
	fwcfg_add_made(fw, LOADER_FILE, ALIGN_UP(script.len, COMMAND_SIZE),
		       fill_script, m);
	buf_free(&t.blob);
}
