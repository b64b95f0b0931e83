/*
 * tests/unit/emu/differ.c -- the same bytes on the host's CPU and in an
 * emulator: registers, flags, memory and faults must be the same.
 *
 * Without arguments it replays the corpus and runs a fixed number of random
 * cases.  A difference is printed as a case that can be added to the corpus.
 */
#include <getopt.h>
#include <glob.h>
#include <string.h>
#include <time.h>

#include <Zydis/Zydis.h>

#include "base/util.h"
#include "tests/unit/emu/case.h"

struct options {
	uint64_t count, seed;
	unsigned int minutes, insns, max_failures;
	enum gen_scope scope;
	const struct executor *subject;
	const char *print; /* cases of this mnemonic, instead of running */
	bool mode32;
	bool loops; /* make a loop of each case */
	bool strict; /* compare undefined flags too */
	bool quiet; /* do not print cases */
};

struct differ {
	struct options opt;
	struct case_mem native_mem, subject_mem;
	struct case_result native, subject;
	uint64_t done, failed, skipped;
	uint32_t by_mnemonic[ZYDIS_MNEMONIC_MAX_VALUE + 1];
};

enum { FLAGS_COMPARED = 0xcd5 };

/* What an instruction does to flags that others left undefined. */
static uint64_t still_undefined(const ZydisDecodedInstruction *insn,
				uint64_t undefined)
{
	const ZydisAccessedFlags *f = insn->cpu_flags;
	bool shifts = insn->meta.category == ZYDIS_CATEGORY_SHIFT ||
		      insn->meta.category == ZYDIS_CATEGORY_ROTATE;

	/* A shift by 0 leaves all as they are. */
	return (shifts ? undefined :
			 undefined & ~(f->modified | f->set_0 | f->set_1)) |
	       f->undefined;
}

/* One time through the case; now: what is undefined at its beginning. */
static uint64_t undefined_pass(const struct test_case *c, uint64_t now,
			       uint64_t *ret_mask, bool *ret_used)
{
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;

	case_decoder(c->mode32, &decoder);
	for (unsigned int at = 0; at < c->code_len; at += insn.length) {
		if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(
			    &decoder, NULL, c->code + at, c->code_len - at,
			    &insn)))
			break;
		if (insn.meta.category == ZYDIS_CATEGORY_FLAGOP ||
		    insn.meta.category == ZYDIS_CATEGORY_PUSH)
			*ret_used |= now != 0;
		if (!insn.cpu_flags)
			continue;
		*ret_used |= (insn.cpu_flags->tested & now) != 0;
		now = still_undefined(&insn, now);
		*ret_mask |= insn.cpu_flags->undefined;
	}
	return now;
}

/*
 * Flags that any instruction of the case leaves undefined; *ret_used: one
 * that follows, in memory or by way of the loop, looks at such a flag or
 * stores it.
 */
static uint64_t undefined_flags(const struct test_case *c, bool *ret_used)
{
	uint64_t mask = 0, now;

	*ret_used = false;
	now = undefined_pass(c, 0, &mask, ret_used);
	if (c->loops)
		undefined_pass(c, now, &mask, ret_used);
	return mask;
}

/* Does an instruction whose name begins so stand in the case? */
static bool has_insn(const struct test_case *c, const char *prefix)
{
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;

	case_decoder(c->mode32, &decoder);
	for (unsigned int at = 0; at < c->code_len; at += insn.length) {
		if (ZYAN_FAILED(ZydisDecoderDecodeInstruction(
			    &decoder, NULL, c->code + at, c->code_len - at,
			    &insn)))
			return false;
		if (str_startswith(ZydisMnemonicGetString(insn.mnemonic),
				   prefix))
			return true;
	}
	return false;
}

/*
 * The emulator's x87 pointers are the host's, which FXSAVE and FXRSTOR keep
 * only while an unmasked exception is pending (APM vol. 2, "FXSAVE and FXRSTOR
 * Instructions"): they may be lost, but not wrong.
 */
static bool lost_pointer(const struct differ *d, unsigned int i)
{
	static const struct { uint8_t start, len; } fields[] = {
		{ 6, 2 }, { 8, 8 }, { 16, 8 },
	};

	for (size_t k = 0; k < ARRAY_SIZE(fields); k++)
		if (i >= fields[k].start && i < fields[k].start + fields[k].len)
			return d->subject.cpu.xsave[i] == 0;
	return false;
}

/*
 * AMD's processors forget the last x87 instruction when FNSTENV masks its
 * pending exception.
 */
static bool forgot_pointers(const struct differ *d, const struct test_case *c,
			    unsigned int i)
{
	static const uint8_t zero[18];

	return i >= 6 && i < 24 && c->cpu.xsave[2] & 0x80 &&
	       memcmp(d->native.cpu.xsave + 6, zero, sizeof(zero)) == 0;
}

/*
 * Of a 16-byte operand of these half is used, so half may be read; it shows
 * where MXCSR.MM lets one lie across two pages.
 */
static bool reads_half(const struct test_case *c)
{
	static const char *const names[] = { "psll", "psrl", "psra",
					     "punpckl", "unpckl" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (has_insn(c, names[i]))
			return c->cpu.xsave[26] & 2;
	}
	return false;
}

/*
 * Where the architecture leaves room: a masked store may fault where it
 * stores nothing, and may make the MMX registers valid before it faults; of
 * two pages that an XSAVE would fault on, any may be first, and it may fault
 * on parts of its area that it does not write; POPA may have loaded some
 * registers.
 */
static bool tolerated(const struct differ *d, const struct test_case *c)
{
	const struct case_result *a = &d->native, *b = &d->subject;

	if (str_eq(c->name, "maskmovq") || str_eq(c->name, "maskmovdqu") ||
	    str_eq(c->name, "vmaskmovdqu"))
		return a->vector == 14 || (a->vector == 13 && b->vector == 13);
	/* Of a stack that wraps, all may be checked first. */
	if (has_insn(c, "pusha") && a->vector == 14 && b->vector == 12)
		return true;
	/* What wraps at 4 GiB may be beyond the limit, or paged there. */
	if (c->mode32 && a->vector == 14 && a->cr2 == 0xfffff &&
	    (b->vector == 12 || b->vector == 13))
		return true;
	if (reads_half(c) && b->vector == 14 && a->cpu.rip != b->cpu.rip)
		return true;
	/* A test CPU has no NX: CALL RSP executes data. */
	if (a->vector == 14 && (a->error & 0x11) == 0x11)
		return true;
	/* Neither aligned nor canonical: either may be found first. */
	if ((has_insn(c, "fx") || has_insn(c, "pop")) && a->vector == 12 &&
	    b->vector == 13)
		return true;
	if (has_insn(c, "popa"))
		return a->vector == 14 && b->vector == 14;
	if (str_startswith(c->name, "xsave") ||
	    str_startswith(c->name, "fxsave"))
		return a->vector == 14 &&
		       (b->vector == CASE_END || (a->error ^ b->error) == 1);
	return false;
}

/*
 * What the translator does otherwise: a branch to an address that is not
 * canonical faults there, not at the branch; and FXSAVE in its 32-bit form does
 * not tell the selectors of the last x87 instruction.
 */
static bool translator_differs(const struct differ *d,
			       const struct test_case *c)
{
	const struct case_result *a = &d->native, *b = &d->subject;

	if (d->opt.subject != &exec_jit)
		return false;
	if (a->vector == 13 && b->vector == 13 &&
	    (uint64_t)((int64_t)(b->cpu.rip << 16) >> 16) != b->cpu.rip)
		return true;
	return has_insn(c, "fxsave") && a->vector == b->vector &&
	       a->cpu.rip == b->cpu.rip;
}

/* Whether what the case does is not defined. */
static bool unfounded(const struct differ *d, const struct test_case *c)
{
	bool used;

	undefined_flags(c, &used);
	return used && !d->opt.strict;
}

/* Name of the first difference, or NULL. */
static const char *difference(struct differ *d, const struct test_case *c)
{
	static char name[32];
	const struct case_result *a = &d->native, *b = &d->subject;
	uint64_t flags = FLAGS_COMPARED;

	bool used;

	if (!d->opt.strict)
		flags &= ~undefined_flags(c, &used);
	if (a->vector != b->vector)
		return "vector";
	/* Of two pages any may be the first to fault. */
	if (a->vector == 14 && a->error != b->error && a->cr2 == b->cr2)
		return "error code";
	if (a->cpu.rip != b->cpu.rip)
		return "rip";
	for (int i = 0; i < 16; i++)
		if (a->cpu.gpr[i] != b->cpu.gpr[i]) {
			snprintf(name, sizeof(name), "gpr %d", i);
			return name;
		}
	if ((a->cpu.rflags ^ b->cpu.rflags) & flags)
		return "rflags";
	for (unsigned int i = 0; i < CASE_XSAVE; i++) {
		if ((i >= 28 && i < 32) || forgot_pointers(d, c, i) ||
		    lost_pointer(d, i))
			continue; /* the former: MXCSR_MASK */
		if (a->cpu.xsave[i] != b->cpu.xsave[i]) {
			snprintf(name, sizeof(name), "xsave byte %u", i);
			return name;
		}
	}
	for (unsigned int i = 0; i < CASE_DATA_SIZE; i++)
		if (d->native_mem.data[i] != d->subject_mem.data[i]) {
			snprintf(name, sizeof(name), "memory byte %u", i);
			return name;
		}
	return NULL;
}

static void print_bytes(const char *what, const uint8_t *p, unsigned int at)
{
	fprintf(stderr, "# %s", what);
	at &= ~15u;
	for (unsigned int i = at; i < at + 16; i++)
		fprintf(stderr, " %02x", p[i]);
	fputc('\n', stderr);
}

static void explain(const struct differ *d, const char *what)
{
	const struct case_result *r[2] = { &d->native, &d->subject };
	const struct case_mem *m[2] = { &d->native_mem, &d->subject_mem };
	unsigned int at;

	for (int i = 0; i < 2; i++) {
		fprintf(stderr, "# %-7s vector %d error %#x rip %#jx flags %#jx\n",
			i ? "subject" : "native", r[i]->vector, r[i]->error,
			(uintmax_t)r[i]->cpu.rip, (uintmax_t)r[i]->cpu.rflags);
		if (sscanf(what, "gpr %u", &at) == 1)
			fprintf(stderr, "#   %#jx\n",
				(uintmax_t)r[i]->cpu.gpr[at]);
		if (sscanf(what, "xsave byte %u", &at) == 1)
			print_bytes("  ", r[i]->cpu.xsave, at);
		if (sscanf(what, "memory byte %u", &at) == 1)
			print_bytes("  ", m[i]->data, at);
	}
}

static void disassemble(const struct test_case *c)
{
	ZydisDisassembledInstruction insn;
	unsigned int at = 0;

	while (at < c->code_len) {
		if (ZYAN_FAILED(ZydisDisassembleIntel(
			    c->mode32 ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32 :
					ZYDIS_MACHINE_MODE_LONG_64,
			    c->cpu.rip + at,
			    c->code + at, c->code_len - at, &insn)))
			break;
		fprintf(stderr, "# %s\n", insn.text);
		at += insn.info.length;
	}
}

static bool check(struct differ *d, const struct test_case *c)
{
	const char *what;

	d->opt.subject->run(c, &d->subject);
	if (d->subject.skipped) {
		d->skipped++;
		return true;
	}
	exec_native.run(c, &d->native);
	d->done++;
	what = difference(d, c);
	if (!what || tolerated(d, c) || unfounded(d, c) ||
	    translator_differs(d, c))
		return true;
	d->failed++;
	if (d->failed <= d->opt.max_failures) {
		fprintf(stderr, "# %s: %s differs\n", d->opt.subject->name,
			what);
		disassemble(c);
		explain(d, what);
		if (!d->opt.quiet)
			case_print(c, stderr);
	}
	return false;
}

static void count_failure(struct differ *d, const struct test_case *c)
{
	for (int i = 0; i <= ZYDIS_MNEMONIC_MAX_VALUE; i++)
		if (str_eq(ZydisMnemonicGetString(i), c->name))
			d->by_mnemonic[i]++;
}

/* A loop's rounds, and the register that counts them in 64-bit code. */
enum { ROUNDS = 5, COUNTER = 15 };

static void use(ZydisRegister reg, uint32_t *used)
{
	ZydisRegister whole = ZydisRegisterGetLargestEnclosing(
		ZYDIS_MACHINE_MODE_LONG_64, reg);

	if (ZydisRegisterGetClass(whole) == ZYDIS_REGCLASS_GPR64)
		*used |= 1u << ZydisRegisterGetId(whole);
}

/* Can the instruction be part of a loop that is certain to end? */
static bool may_loop(const ZydisDecodedInstruction *insn,
		     const ZydisDecodedOperand *op, uint32_t *used)
{
	for (int i = 0; i < insn->operand_count; i++) {
		if (op[i].type == ZYDIS_OPERAND_TYPE_MEMORY) {
			use(op[i].mem.base, used);
			use(op[i].mem.index, used);
		}
		if (op[i].type != ZYDIS_OPERAND_TYPE_REGISTER)
			continue;
		use(op[i].reg.value, used);
		if (ZydisRegisterGetClass(op[i].reg.value) ==
			    ZYDIS_REGCLASS_IP &&
		    op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			return false;
	}
	/* POPA and PUSHA name none of their registers. */
	return insn->mnemonic != ZYDIS_MNEMONIC_POPA &&
	       insn->mnemonic != ZYDIS_MNEMONIC_POPAD;
}

/* A register that the case leaves alone, or -1. */
static int free_register(const struct test_case *c)
{
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction insn;
	ZydisDecoder decoder;
	uint32_t used = 1u << 4; /* SP */

	case_decoder(c->mode32, &decoder);
	for (unsigned int at = 0; at < c->code_len; at += insn.length)
		if (ZYAN_FAILED(ZydisDecoderDecodeFull(
			    &decoder, c->code + at, c->code_len - at, &insn,
			    op)) ||
		    !may_loop(&insn, op, &used))
			return -1;
	if (!c->mode32)
		return used >> COUNTER & 1 ? -1 : COUNTER;
	for (int reg = 7; reg >= 0; reg--)
		if (!(used >> reg & 1))
			return reg;
	return -1;
}

/* DEC and JNZ to the beginning; false: not with these instructions. */
static bool make_loop(struct test_case *c)
{
	uint8_t tail[5] = { 0x41, 0xff, 0xcf };
	unsigned int len = c->mode32 ? 3 : sizeof(tail);
	int reg = free_register(c);

	if (reg < 0 || c->code_len + len > CASE_CODE_MAX)
		return false;
	if (c->mode32)
		tail[0] = 0x48 | reg;
	tail[len - 2] = 0x75;
	tail[len - 1] = -(int)(c->code_len + len);
	memcpy(c->code + c->code_len, tail, len);
	c->code_len += len;
	c->cpu.gpr[reg] = ROUNDS;
	c->loops = true;
	return true;
}

static void run_random(struct differ *d)
{
	struct gen *g = gen_create(d->opt.seed, d->opt.scope, d->opt.mode32);
	time_t end = time(NULL) + 60 * d->opt.minutes;

	for (uint64_t i = 0; d->opt.minutes ? time(NULL) < end :
					      i < d->opt.count;
	     i++) {
		struct test_case c;

		gen_case(g, d->opt.insns, &c);
		if (d->opt.loops && !make_loop(&c))
			continue;
		if (d->opt.print) {
			if (str_eq(c.name, d->opt.print))
				case_print(&c, stdout);
			continue;
		}
		if (!check(d, &c))
			count_failure(d, &c);
	}
	if (!d->opt.print)
		gen_report(g, stdout);
	gen_destroy(g);
}

static void run_file(struct differ *d, const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "r");
	struct test_case c;

	if (!f) {
		perror(path);
		exit(1);
	}
	while (case_read(&c, f, path))
		check(d, &c);
}

/* Cases that once failed. */
static void run_corpus(struct differ *d)
{
	const char *srcdir = getenv("srcdir");
	char *pattern = xasprintf("%s/tests/unit/emu/corpus/*.txt",
				  srcdir ? srcdir : "..");
	glob_t found;

	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			run_file(d, found.gl_pathv[i]);
	globfree(&found);
	free(pattern);
}

static const struct executor *subject_named(const char *name)
{
	if (str_eq(name, exec_vec.name))
		return &exec_vec;
	if (str_eq(name, exec_emu.name))
		return &exec_emu;
	if (str_eq(name, exec_jit.name))
		return &exec_jit;
	return NULL;
}

static void usage(void)
{
	fprintf(stderr,
		"usage: differ [-n COUNT] [-s SEED] [-m MINUTES] [-i INSNS]\n"
		"              [-f FAILURES] [-e vec|emu|jit] [-l] [-v | -g] [-p MNEMONIC]"
		" [-u] [-q] [-3]"
		" [FILE...]\n"
		"-l make a loop of each case, -3 32-bit code, -v vector instructions only, -g others only, -u compare\n"
		"undefined flags, -p print cases of a mnemonic, -q do not print cases; FILE: replay\n"
		"these instead\n");
	exit(2);
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "count", required_argument, NULL, 'n' },
		{ "seed", required_argument, NULL, 's' },
		{ "minutes", required_argument, NULL, 'm' },
		{ "insns", required_argument, NULL, 'i' },
		{ "failures", required_argument, NULL, 'f' },
		{ "executor", required_argument, NULL, 'e' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "n:s:m:i:f:e:p:lvguq3", longs, NULL)) >=
	       0)
		switch (c) {
		case 'n':
			o->count = strtoull(optarg, NULL, 0);
			break;
		case 's':
			o->seed = strtoull(optarg, NULL, 0);
			break;
		case 'm':
			o->minutes = strtoul(optarg, NULL, 0);
			break;
		case 'i':
			o->insns = strtoul(optarg, NULL, 0);
			break;
		case 'f':
			o->max_failures = strtoul(optarg, NULL, 0);
			break;
		case 'e':
			o->subject = subject_named(optarg);
			if (!o->subject)
				usage();
			break;
		case 'v':
			o->scope = GEN_VECTOR;
			break;
		case 'g':
			o->scope = GEN_INTEGER;
			break;
		case 'u':
			o->strict = true;
			break;
		case 'l':
			o->loops = true;
			break;
		case '3':
			o->mode32 = true;
			break;
		case 'p':
			o->print = optarg;
			break;
		case 'q':
			o->quiet = true;
			break;
		default:
			usage();
		}
}

static void summary(const struct differ *d)
{
	printf("%s: %ju cases, %ju skipped, %ju differ\n",
	       d->opt.subject->name, (uintmax_t)d->done, (uintmax_t)d->skipped,
	       (uintmax_t)d->failed);
	for (int i = 0; i <= ZYDIS_MNEMONIC_MAX_VALUE; i++)
		if (d->by_mnemonic[i])
			printf("  %6u %s\n", d->by_mnemonic[i],
			       ZydisMnemonicGetString(i));
}

int main(int argc, char **argv)
{
	static struct differ d = {
		.opt = { .count = 20000, .insns = 1, .max_failures = 5,
			 .scope = GEN_ALL, .subject = &exec_emu },
	};

	parse(&d.opt, argc, argv);
	/* Native last: its handlers pass on what is not theirs. */
	d.opt.subject->init(&d.subject_mem);
	exec_native.init(&d.native_mem);
	if (argc == 1)
		run_corpus(&d);
	if (optind == argc)
		run_random(&d);
	for (int i = optind; i < argc; i++)
		run_file(&d, argv[i]);
	if (!d.opt.print)
		summary(&d);
	return d.failed != 0;
}
