/*
 * drivers/emu/jit_dump.c -- what the translator made, for people and for perf.
 *
 * --jit-dump: each block's guest instructions, and below each one the host
 * code it became.  --perf-map: a line "START SIZE NAME" for each block, as
 * perf reads it (Linux, tools/perf/Documentation/jit-interface.txt).  Both
 * files were opened before the sandbox; all vCPUs write to them.
 */
#include <inttypes.h>

#include "drivers/emu/jit.h"

enum { TEXT_MAX = 256 };

struct dump {
	FILE *f;
	const struct jit *jit;
	ZydisDecoder decoder; /* of host code */
	ZydisDecoder guest;
	ZydisFormatter formatter;
};

static void guest_decoder(ZydisDecoder *d, enum emu_mode mode)
{
	if (mode == MODE_64)
		ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LONG_64,
				 ZYDIS_STACK_WIDTH_64);
	else if (mode == MODE_32)
		ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LEGACY_32,
				 ZYDIS_STACK_WIDTH_32);
	else
		ZydisDecoderInit(d, ZYDIS_MACHINE_MODE_LEGACY_16,
				 ZYDIS_STACK_WIDTH_16);
}

static void dump_init(struct dump *d, FILE *f, const struct jit *jit,
		      enum emu_mode mode)
{
	d->f = f;
	d->jit = jit;
	ZydisDecoderInit(&d->decoder, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
	guest_decoder(&d->guest, mode);
	ZydisFormatterInit(&d->formatter, ZYDIS_FORMATTER_STYLE_INTEL);
}

static void print_bytes(FILE *f, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%02x", p[i]);
}

/* One instruction; its length, 1 for what is none. */
static unsigned int print_insn(const struct dump *d,
			       const ZydisDecoder *decoder,
			       const char *indent, const uint8_t *p, size_t max,
			       uint64_t rip,
			       ZydisDecodedInstruction *ret_z,
			       ZydisDecodedOperand *op)
{
	char text[TEXT_MAX] = "(bad)";

	if (ZYAN_FAILED(ZydisDecoderDecodeFull(decoder, p, max, ret_z, op)))
		*ret_z = (ZydisDecodedInstruction){ .length = 1 };
	else
		ZydisFormatterFormatInstruction(&d->formatter, ret_z, op,
						ret_z->operand_count_visible,
						text, sizeof(text), rip, NULL);
	fprintf(d->f, "%s%" PRIx64 ":\t%s\t; ", indent, rip, text);
	print_bytes(d->f, p, ret_z->length);
	fputc('\n', d->f);
	return ret_z->length;
}

/* A jump to one of these has a struct jit_meta behind it. */
static bool has_meta(const struct jit *jit, const ZydisDecodedInstruction *z,
		     const ZydisDecodedOperand *op, const uint8_t *next)
{
	const uint8_t *to;

	if (z->mnemonic != ZYDIS_MNEMONIC_JMP ||
	    op[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return false;
	to = next + op[0].imm.value.s;
	return to == jit->slow || to == jit->helper || to == jit->helper_ax ||
	       to == jit->link || to == jit->link_ax;
}

static const uint8_t *print_meta(const struct dump *d, const uint8_t *p)
{
	struct jit_meta m;

	memcpy(&m, p, sizeof(m));
	fprintf(d->f, "\t\t%p:\t(%u, %u)\n", (const void *)p, m.n, m.mem);
	return p + sizeof(m);
}

static void print_host(const struct dump *d, const uint8_t *p,
		       const uint8_t *end)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;

	while (p < end) {
		p += print_insn(d, &d->decoder, "\t\t", p, end - p,
				(uintptr_t)p, &z, op);
		if (has_meta(d->jit, &z, op, p) &&
		    end - p >= (ptrdiff_t)sizeof(struct jit_meta))
			p = print_meta(d, p);
	}
}

void jit_dump_block(FILE *f, const struct jit *jit, const struct jit_block *b,
		    uint64_t rip, const uint8_t *guest)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction z;
	struct dump d;

	dump_init(&d, f, jit, jit_key_mode(b->key));
	fprintf(f,
		"block %" PRIx64 " phys %" PRIx64 " key %u: %u instructions, "
		"%u bytes, %td of host code\n",
		rip, b->phys, b->key, b->n, b->len, b->code_end - b->entry);
	print_host(&d, b->entry, b->code + b->insn[0].host);
	for (unsigned int n = 0; n < b->n; n++) {
		unsigned int at = b->insn[n].guest;
		const uint8_t *end = n + 1 < b->n
					     ? b->code + b->insn[n + 1].host
					     : b->code_end;

		print_insn(&d, &d.guest, "\t", guest + at, b->len - at,
			   rip + at, &z, op);
		print_host(&d, b->code + b->insn[n].host, end);
	}
	fputc('\n', f);
	fflush(f);
}

static void tell_perf(FILE *f, const uint8_t *start, const uint8_t *end,
		      const char *name, uint64_t rip)
{
	fprintf(f, "%" PRIxPTR " %tx %s%" PRIx64 "\n", (uintptr_t)start,
		end - start, name, rip);
	fflush(f);
}

void jit_tell_block(struct emu_cpu *cpu, const struct jit_block *b,
		    const uint8_t *page)
{
	const struct vm *vm = cpu->vm;

	if (vm->jit_dump && !b->page2) { /* its bytes lie apart */
		flockfile(vm->jit_dump);
		jit_dump_block(vm->jit_dump, jit_of(cpu), b, b->rip,
			       page + (b->phys & ~EMU_PAGE_MASK));
		funlockfile(vm->jit_dump);
	}
	if (vm->perf_map)
		tell_perf(vm->perf_map, b->entry, b->code_end,
			  (b->key & JIT_KEY_VIEW) == MMU_USER ? "guest_user_"
							      : "guest_kernel_",
			  b->rip);
}

/* Also makes stdio allocate its buffers, before the sandbox. */
void jit_tell_trampolines(struct emu_cpu *cpu)
{
	const struct vm *vm = cpu->vm;
	const struct jit *j = jit_of(cpu);

	if (vm->jit_dump) {
		fprintf(vm->jit_dump, "vCPU %u: host code at %p\n\n", cpu->id,
			(const void *)j->exec);
		fflush(vm->jit_dump);
	}
	if (vm->perf_map)
		tell_perf(vm->perf_map, j->exec, j->buf.w + j->buf.to_exec,
			  "vireo_trampolines_", cpu->id);
}

uint64_t jit_code_used(const struct jit *jit)
{
	return jit->buf.w - jit->write;
}
