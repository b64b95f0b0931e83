/*
 * vmm/boot/smbios.c -- SMBIOS structures (DMTF DSP0134, version 2.8): system,
 * boards, chassis, processors, memory, OEM strings.  Firmware adds its own
 * (type 0) unless the definition has one, and places them.
 */
#include "vmm/boot/smbios.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "vmm/boot/boot.h"
#include "vmm/dev/fwcfg.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"

enum { BIOS = 0, SYSTEM = 1, BOARD = 2, CHASSIS = 3, PROCESSOR = 4,
       OEM_STRINGS = 11, MEMORY_ARRAY = 16,
       MEMORY_DEVICE = 17, MEMORY_MAPPED = 19, BOOT_INFO = 32, END = 127 };
enum { NO_ERROR_INFO = 0xfffe, ENTRY_SIZE = 31 };

struct smbios {
	struct buf b;
	size_t start, longest;
	unsigned int count;
	unsigned int n_strings;
	struct buf strings;
};

static void put(struct smbios *s, uint64_t value, unsigned int bytes)
{
	buf_add(&s->b, &value, bytes);
}

/* 6.1.2: type, length, handle: the type's number times 256 and a count. */
static void begin(struct smbios *s, uint8_t type, unsigned int n)
{
	s->start = s->b.len;
	s->n_strings = 0;
	put(s, type, 1);
	put(s, 0, 1);
	put(s, type << 8 | n, 2);
}

/* 6.1.3: strings stand behind the structure, which has their numbers. */
static void put_string(struct smbios *s, const char *text)
{
	if (!text || !*text) {
		put(s, 0, 1);
		return;
	}
	buf_add(&s->strings, text, strlen(text) + 1);
	put(s, ++s->n_strings, 1);
}

static void end(struct smbios *s)
{
	s->b.data[s->start + 1] = s->b.len - s->start;
	buf_add(&s->b, s->strings.data, s->strings.len);
	put(s, 0, s->n_strings ? 1 : 2);
	s->strings.len = 0;
	s->longest = MAX(s->longest, s->b.len - s->start);
	s->count++;
}

/* 7.2.1: the UUID's first three fields are little endian. */
static void put_uuid(struct smbios *s, const uint8_t u[16])
{
	const uint8_t swapped[] = { u[3], u[2], u[1], u[0], u[5], u[4], u[7],
				    u[6] };

	buf_add(&s->b, swapped, sizeof(swapped));
	buf_add(&s->b, u + 8, 8);
}

static const char *or_else(const char *text, const char *other)
{
	return text ? text : other;
}

static const char *product(const struct vmm_spec *spec)
{
	return str_eq(spec->machine, "q35") ? "Virtual machine (Q35)" :
					      "Virtual machine (microvm)";
}

static void system_info(struct smbios *s, const struct vmm_spec *spec)
{
	begin(s, SYSTEM, 0);
	put_string(s, or_else(spec->smbios_manufacturer, "Vireo"));
	put_string(s, or_else(spec->smbios_product, product(spec)));
	put_string(s, spec->smbios_version);
	put_string(s, spec->smbios_serial);
	put_uuid(s, spec->uuid);
	put(s, 6, 1); /* power switch */
	put_string(s, spec->smbios_sku);
	put_string(s, spec->smbios_family);
	end(s);
}

/* ---- what the definition says ---- */

static unsigned int count(const struct vmm_spec *spec, enum spec_smbios_of of)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < spec->n_smbios; i++)
		if (spec->smbios[i].of == of)
			n = MAX(n, spec->smbios[i].n + 1);
	return n;
}

static const char *text(const struct vmm_spec *spec, enum spec_smbios_of of,
			unsigned int n, const char *name)
{
	const char *value = NULL;

	for (unsigned int i = 0; i < spec->n_smbios; i++) {
		const struct spec_smbios *t = &spec->smbios[i];

		if (t->of == of && t->n == n && str_eq(t->name, name))
			value = t->value;
	}
	return value;
}

/* 7.1 */
static void bios(struct smbios *s, const struct vmm_spec *spec)
{
	const char *release = text(spec, SMBIOS_BIOS, 0, "release");
	unsigned int major = 0, minor = 0;

	if (!count(spec, SMBIOS_BIOS))
		return;
	if (release)
		sscanf(release, "%3u.%3u", &major, &minor);
	begin(s, BIOS, 0);
	put_string(s, text(spec, SMBIOS_BIOS, 0, "vendor"));
	put_string(s, text(spec, SMBIOS_BIOS, 0, "version"));
	put(s, 0xe800, 2); /* 96 KiB below 1 MiB */
	put_string(s, text(spec, SMBIOS_BIOS, 0, "date"));
	put(s, 0, 1);
	put(s, BIT(3), 8); /* characteristics: not supported */
	put(s, 0x1400, 2); /* a virtual machine; content as is usual */
	put(s, major, 1);
	put(s, minor, 1);
	put(s, 0xffff, 2); /* no embedded controller */
	end(s);
}

/* 7.3 */
static void board(struct smbios *s, const struct vmm_spec *spec,
		  unsigned int n)
{
	static const char *const names[] = { "manufacturer", "product",
					     "version", "serial", "asset" };

	begin(s, BOARD, n);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		put_string(s, text(spec, SMBIOS_BOARD, n, names[i]));
	put(s, 1, 1); /* it hosts the others */
	put_string(s, text(spec, SMBIOS_BOARD, n, "location"));
	put(s, CHASSIS << 8, 2);
	put(s, 0x0a, 1); /* motherboard */
	put(s, 0, 1);
	end(s);
}

/* 7.12 */
static void oem_strings(struct smbios *s, const struct vmm_spec *spec)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < spec->n_smbios; i++)
		n += spec->smbios[i].of == SMBIOS_OEM && *spec->smbios[i].value;
	if (!n)
		return;
	begin(s, OEM_STRINGS, 0);
	put(s, n, 1);
	for (unsigned int i = 0; i < spec->n_smbios; i++) {
		const struct spec_smbios *t = &spec->smbios[i];

		if (t->of != SMBIOS_OEM || !*t->value)
			continue;
		buf_add(&s->strings, t->value, strlen(t->value) + 1);
		s->n_strings++;
	}
	end(s);
}

static void chassis(struct smbios *s, const struct vmm_spec *spec)
{
	begin(s, CHASSIS, 0);
	put_string(s, or_else(text(spec, SMBIOS_CHASSIS, 0, "manufacturer"),
			      "Vireo"));
	put(s, 1, 1); /* other */
	put_string(s, text(spec, SMBIOS_CHASSIS, 0, "version"));
	put_string(s, text(spec, SMBIOS_CHASSIS, 0, "serial"));
	put_string(s, text(spec, SMBIOS_CHASSIS, 0, "asset"));
	put(s, 0x02030303, 4); /* states: safe; security: unknown */
	put(s, 0, 4);
	put(s, 0, 1); /* height */
	put(s, 0, 1); /* power cords */
	put(s, 0, 2); /* no contained elements */
	put_string(s, text(spec, SMBIOS_CHASSIS, 0, "sku"));
	end(s);
}

/* 7.5 */
static void processor(struct smbios *s, unsigned int n, unsigned int cores,
		      unsigned int threads)
{
	char name[16];

	snprintf(name, sizeof(name), "CPU %u", n);
	begin(s, PROCESSOR, n);
	put_string(s, name);
	put(s, 3, 1); /* central processor */
	put(s, 1, 1); /* family: other */
	put_string(s, "Vireo");
	put(s, 0, 8); /* identifier */
	put_string(s, NULL);
	put(s, 0, 1);	   /* voltage */
	put(s, 0, 2);	   /* clock */
	put(s, 2000, 2);   /* MHz, as good as any */
	put(s, 2000, 2);
	put(s, 0x41, 1);   /* enabled */
	put(s, 1, 1);	   /* upgrade: other */
	put(s, ~0u, 2);	   /* no caches told of */
	put(s, ~0u, 2);
	put(s, ~0u, 2);
	put_string(s, NULL);
	put_string(s, NULL);
	put_string(s, NULL);
	put(s, MIN(cores, 255u), 1);
	put(s, MIN(cores, 255u), 1);
	put(s, MIN(cores * threads, 255u), 1);
	put(s, 2, 2); /* characteristics: unknown */
	put(s, 1, 2);
	put(s, cores, 2);
	put(s, cores, 2);
	put(s, cores * threads, 2);
	end(s);
}

static void processors(struct smbios *s, const struct vmm_spec *spec)
{
	unsigned int cores = MAX(spec->cores, 1u) * MAX(spec->dies, 1u);
	unsigned int threads = MAX(spec->threads, 1u);
	unsigned int sockets = spec->sockets ? spec->sockets : spec->vcpus;

	for (unsigned int i = 0; i < sockets; i++)
		processor(s, i, cores, threads);
}

/* 7.17 and 7.18: one module of all the memory. */
static void memory(struct smbios *s, uint64_t bytes)
{
	uint64_t mib = bytes / MIB;

	begin(s, MEMORY_ARRAY, 0);
	put(s, 1, 1); /* location: other */
	put(s, 3, 1); /* use: system memory */
	put(s, 6, 1); /* multi-bit ECC */
	put(s, 0x80000000, 4); /* capacity: in the last field */
	put(s, NO_ERROR_INFO, 2);
	put(s, 1, 2);
	put(s, bytes, 8);
	end(s);

	begin(s, MEMORY_DEVICE, 0);
	put(s, MEMORY_ARRAY << 8, 2);
	put(s, NO_ERROR_INFO, 2);
	put(s, ~0u, 2); /* widths: unknown */
	put(s, ~0u, 2);
	put(s, mib < 0x7fff ? mib : 0x7fff, 2);
	put(s, 9, 1); /* DIMM */
	put(s, 0, 1);
	put_string(s, "DIMM 0");
	put_string(s, NULL);
	put(s, 7, 1); /* RAM */
	put(s, 2, 2); /* other */
	put(s, 0, 2); /* speed: unknown */
	put_string(s, "Vireo");
	put_string(s, NULL);
	put_string(s, NULL);
	put_string(s, NULL);
	put(s, 0, 1);
	put(s, mib, 4);
	put(s, 0, 2);
	put(s, 0, 6); /* voltages */
	end(s);
}

/* 7.20, in bytes. */
static void mapped(struct smbios *s, const struct ram *ram)
{
	const struct ram_region *r;
	unsigned int n = ram_regions(ram, &r);

	for (unsigned int i = 0; i < n; i++) {
		begin(s, MEMORY_MAPPED, i);
		put(s, ~0u, 4);
		put(s, ~0u, 4);
		put(s, MEMORY_ARRAY << 8, 2);
		put(s, 1, 1);
		put(s, r[i].gpa, 8);
		put(s, r[i].gpa + r[i].size - 1, 8);
		end(s);
	}
}

static uint8_t checksum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum -= *p++;
	return sum;
}

/* 5.2.1: the entry point; addr: of the tables, 0: firmware fills it in. */
static void entry_point(const struct smbios *s, uint32_t addr,
			uint8_t e[ENTRY_SIZE])
{
	memset(e, 0, ENTRY_SIZE);
	memcpy(e, "_SM_", 4);
	e[5] = ENTRY_SIZE;
	e[6] = 2; /* version 2.8 */
	e[7] = 8;
	e[8] = s->longest;
	e[9] = s->longest >> 8;
	memcpy(e + 16, "_DMI_", 5);
	e[22] = s->b.len;
	e[23] = s->b.len >> 8;
	memcpy(e + 24, &addr, sizeof(addr));
	e[28] = s->count;
	e[29] = s->count >> 8;
	e[30] = 0x28;
	e[21] = checksum(e + 16, 15);
	e[4] = checksum(e, ENTRY_SIZE);
}

static void build(struct smbios *s, const struct machine *m)
{
	bios(s, m->spec);
	system_info(s, m->spec);
	for (unsigned int i = 0; i < count(m->spec, SMBIOS_BOARD); i++)
		board(s, m->spec, i);
	chassis(s, m->spec);
	oem_strings(s, m->spec);
	processors(s, m->spec);
	memory(s, ram_size(m->ram));
	mapped(s, m->ram);
	begin(s, BOOT_INFO, 0);
	put(s, 0, 7); /* reserved, and: no errors */
	end(s);
	begin(s, END, 0);
	end(s);
}

static void finish(struct smbios *s)
{
	buf_free(&s->b);
	buf_free(&s->strings);
}

void smbios_offer(struct machine *m, struct fwcfg *fw)
{
	struct smbios s = { 0 };
	uint8_t entry[ENTRY_SIZE];

	build(&s, m);
	entry_point(&s, 0, entry);
	fwcfg_add_file(fw, "etc/smbios/smbios-tables", s.b.data, s.b.len);
	fwcfg_add_file(fw, "etc/smbios/smbios-anchor", entry, sizeof(entry));
	finish(&s);
}

int smbios_write(struct machine *m, struct error *err)
{
	uint32_t tables = ALIGN_UP(BOOT_SMBIOS_BASE + ENTRY_SIZE, 16);
	struct smbios s = { 0 };
	uint8_t entry[ENTRY_SIZE];
	int r;

	build(&s, m);
	entry_point(&s, tables, entry);
	if (s.b.len > BOOT_SMBIOS_END - tables)
		r = error_set(err, -E2BIG, "the SMBIOS tables are too large");
	else
		r = ram_write(m->ram, tables, s.b.data, s.b.len);
	if (r == 0)
		r = ram_write(m->ram, BOOT_SMBIOS_BASE, entry, sizeof(entry));
	finish(&s);
	return r;
}
