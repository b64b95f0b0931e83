/*
 * tests/unit/emu/case.c -- a case's memory, and its form as text.
 *
 * Text is one item a line: name, mode 32, loops 1, code (bytes), fill, gpr (16
 * numbers), rflags, gs, mem OFFSET BYTES, x OFFSET BYTES (of the XSAVE area, all else zero); an
 * empty line ends a case.  A line that starts with # is a comment.
 */
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "tests/unit/emu/case.h"

void case_fill(const struct test_case *c, struct case_mem *mem)
{
	uint64_t s = c->fill | 1;

	memset(mem->code, 0xcc, 4096);
	memcpy(mem->code + CASE_START - CASE_CODE, c->code, c->code_len);
	for (size_t i = 0; i < CASE_DATA_SIZE; i += 8) {
		uint64_t v = rng_next(&s);

		memcpy(mem->data + i, &v, 8);
	}
	for (unsigned int i = 0; i < c->n_patches; i++)
		memcpy(mem->data + c->patch[i].offset, c->patch[i].bytes,
		       c->patch[i].len);
}

void case_decoder(bool mode32, ZydisDecoder *decoder)
{
	if (mode32)
		ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
				 ZYDIS_STACK_WIDTH_32);
	else
		ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LONG_64,
				 ZYDIS_STACK_WIDTH_64);
}

/*
 * With an address-size prefix, Zydis 4.0 takes SIB base 5 with REX.B for R13D
 * where ModRM.mod 0 means that there is no base.
 */
void case_fix_operands(const ZydisDecodedInstruction *insn,
		       ZydisDecodedOperand *operands)
{
	if (!(insn->attributes & ZYDIS_ATTRIB_HAS_SIB) ||
	    insn->raw.modrm.mod != 0 || insn->raw.sib.base != 5)
		return;
	for (int i = 0; i < insn->operand_count_visible; i++) {
		if (operands[i].type != ZYDIS_OPERAND_TYPE_MEMORY)
			continue;
		operands[i].mem.base = ZYDIS_REGISTER_NONE;
		operands[i].mem.disp.has_displacement = ZYAN_TRUE;
		operands[i].mem.disp.value = insn->raw.disp.value;
	}
}

static void print_bytes(FILE *f, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(f, " %02x", p[i]);
	fputc('\n', f);
}

void case_print(const struct test_case *c, FILE *f)
{
	static const uint8_t zero[16];

	fprintf(f, "name %s\n%s%scode", c->name, c->mode32 ? "mode 32\n" : "",
		c->loops ? "loops 1\n" : "");
	print_bytes(f, c->code, c->code_len);
	fprintf(f, "fill %#jx\ngpr", (uintmax_t)c->fill);
	for (int i = 0; i < 16; i++)
		fprintf(f, " %#jx", (uintmax_t)c->cpu.gpr[i]);
	fprintf(f, "\nrflags %#jx\ngs %#jx\n", (uintmax_t)c->cpu.rflags,
		(uintmax_t)c->cpu.gs_base);
	for (unsigned int i = 0; i < c->n_patches; i++) {
		fprintf(f, "mem %u", c->patch[i].offset);
		print_bytes(f, c->patch[i].bytes, c->patch[i].len);
	}
	for (unsigned int i = 0; i < CASE_XSAVE; i += 16) {
		if (memcmp(c->cpu.xsave + i, zero, 16) == 0)
			continue;
		fprintf(f, "x %u", i);
		print_bytes(f, c->cpu.xsave + i, 16);
	}
	fputc('\n', f);
}

static unsigned int read_bytes(char *s, uint8_t *p, unsigned int max)
{
	unsigned int n = 0;
	char *end;

	for (;; s = end) {
		unsigned long v = strtoul(s, &end, 16);

		if (end == s || n == max)
			return n;
		p[n++] = v;
	}
}

static void read_gprs(char *s, uint64_t *gpr)
{
	for (int i = 0; i < 16; i++)
		gpr[i] = strtoull(s, &s, 16);
}

static void read_at(char *s, struct test_case *c, bool xsave)
{
	unsigned int offset = strtoul(s, &s, 10);
	struct case_patch *p = &c->patch[c->n_patches];

	if (xsave && offset <= CASE_XSAVE - 16) {
		read_bytes(s, c->cpu.xsave + offset, 16);
	} else if (!xsave && c->n_patches < CASE_PATCHES &&
		   offset <= CASE_DATA_SIZE - sizeof(p->bytes)) {
		p->offset = offset;
		p->len = read_bytes(s, p->bytes, sizeof(p->bytes));
		c->n_patches++;
	}
}

static bool read_line(struct test_case *c, char *line)
{
	char *arg = strchr(line, ' ');

	if (!arg)
		return false;
	*arg++ = 0;
	if (str_eq(line, "name"))
		snprintf(c->name, sizeof(c->name), "%s", arg);
	else if (str_eq(line, "code"))
		c->code_len = read_bytes(arg, c->code, sizeof(c->code));
	else if (str_eq(line, "mode"))
		c->mode32 = str_eq(arg, "32");
	else if (str_eq(line, "loops"))
		c->loops = str_eq(arg, "1");
	else if (str_eq(line, "fill"))
		c->fill = strtoull(arg, NULL, 16);
	else if (str_eq(line, "gpr"))
		read_gprs(arg, c->cpu.gpr);
	else if (str_eq(line, "rflags"))
		c->cpu.rflags = strtoull(arg, NULL, 16);
	else if (str_eq(line, "gs"))
		c->cpu.gs_base = strtoull(arg, NULL, 16);
	else if (str_eq(line, "mem") || str_eq(line, "x"))
		read_at(arg, c, line[0] == 'x');
	else
		return false;
	return true;
}

bool case_read(struct test_case *c, FILE *f, const char *path)
{
	char line[1024];

	memset(c, 0, sizeof(*c));
	c->cpu.rip = CASE_START;
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (line[0] == '#')
			continue;
		if (line[0] == 0 && c->code_len)
			return true;
		if (line[0] == 0 || read_line(c, line))
			continue;
		fprintf(stderr, "%s: unknown line '%s'\n", path, line);
		exit(1);
	}
	return c->code_len != 0;
}
