/*
 * tests/fuzz/guest.c -- guests of random and of mutated real code, translated,
 * in the sandbox: nothing may get out.
 *
 *	guest [GUESTS [SEED [jit|direct|lockstep]]]
 *
 * The machine is RAM in the middle of a mapping, pages with a pattern on both
 * sides and inaccessible ones around those.  Guest code is everywhere in RAM,
 * also behind every gate of its IDT, in ring 0 and ring 3; it is 64-bit code,
 * or 32-bit code with segments of any kind, in long mode or not, or 16-bit
 * code, in protected or real mode.  A guest runs for some milliseconds.  The
 * pattern and the memory of a bystander must stay as they were, and the process
 * must live: translated code that reaches for host memory that is not the
 * guest's dies of its signal (jit_signal.c).
 *
 * With direct, programs run in stubs of their own as well (direct.h): 64-bit
 * code in ring 3, whose registers often point at what a stub has of its own,
 * and which goes on somewhere else after each fault.
 *
 * With lockstep, the interpreter must agree with translated 16-bit and 32-bit
 * code.  They may differ where a branch depends on flags that an instruction
 * leaves undefined: IMUL's, mostly.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/emu/direct_stub.h"
#include "drivers/emu/jit.h"
#include "tests/unit/bare.h"
#include "tests/unit/emu/case.h"
#include "vmm/ram.h"
#include "vmm/sandbox.h"

enum {
	RAM = 4 << 20,
	GUARD = 1 << 20, /* inaccessible */
	EDGE = 64 << 10, /* with a pattern */
	BYSTANDER = 1 << 20,
	PML4 = 0x1000,
	GDT = 0x800,
	TSS = 0x3000,
	IDT = 0x4000,
	RESUME = 0xe000,
	CODE = 0x10000,
	STACK = 0x80000,
	CS_32 = 0x40, CS_16 = 0x48,
	REAL = 256 << 10, /* bytes of this program's own code */
	SKIP = 77,
};

enum mode { LONG64, COMPAT, PROTECTED32, PROTECTED16, REAL16, MODES };

struct fuzz {
	const char *variant;
	enum mode mode;
	bool direct;
	struct bare b;
	struct vcpu *cpu;
	uint8_t *ram, *edges[2], *bystander, *real;
	uint64_t seed;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct x86_state state;
};

/* The handler of all exceptions of programs that go on: at some address. */
/* clang-format off */
__asm__(
"	.pushsection .rodata\n"
"resume:\n"
"	push	%rax\n"
"	imul	$0x343fd, 0xf000, %rax\n"
"	add	$0x269ec3, %rax\n"
"	mov	%rax, 0xf000\n"
"	shr	$13, %rax\n"
"	and	$0x3fffff, %eax\n"
"	or	$0x10000, %eax\n"
"	mov	%rax, 0x7ffd8\n"		/* RIP, below STACK */
"	andl	$0xfffb8eff, 0x7ffe8\n"	/* RFLAGS: no AC, NT, IOPL, TF */
"	pop	%rax\n"
"	mov	$0x7ffd8, %esp\n"
"	iretq\n"
"resume_end:\n"
"	.popsection\n"
);
/* clang-format on */
extern const uint8_t resume[], resume_end[];

static uint64_t rnd(struct fuzz *f)
{
	return rng_next(&f->seed);
}

static void pattern(uint8_t *p, size_t size)
{
	uint64_t s = 42;

	for (size_t i = 0; i < size; i += 8) {
		uint64_t v = rng_next(&s);

		memcpy(p + i, &v, 8);
	}
}

static void check_pattern(const uint8_t *p, size_t size)
{
	uint64_t s = 42;

	for (size_t i = 0; i < size; i += 8) {
		uint64_t v = rng_next(&s);

		assert(memcmp(p + i, &v, 8) == 0);
	}
}

static uint8_t *map(size_t size)
{
	uint8_t *p = mmap(NULL, size + 2 * GUARD, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert(p != MAP_FAILED);
	assert(mprotect(p + GUARD, size, PROT_READ | PROT_WRITE) == 0);
	return p + GUARD;
}

/* Memory that a stub can map. */
static void share_ram(struct fuzz *f)
{
	const struct ram_options o = { .low_max = RAM_LOW_MAX,
				       .fd = -1, .shared = true };
	const struct ram_region *region;
	struct error err = { 0 };

	assert(ram_create_with(RAM, &o, &f->b.m.ram, &err) == 0);
	assert(ram_regions(f->b.m.ram, &region) == 1);
	f->ram = region->host;
}

static void map_all(struct fuzz *f)
{
	f->edges[0] = map(RAM + 2 * EDGE);
	f->ram = f->edges[0] + EDGE;
	f->edges[1] = f->ram + RAM;
	if (f->direct)
		share_ram(f);
	f->bystander = map(BYSTANDER);
	f->real = map(REAL);
	pattern(f->edges[0], EDGE);
	pattern(f->edges[1], EDGE);
	pattern(f->bystander, BYSTANDER);
	/* Code of a real compiler: the interpreter's. */
	memcpy(f->real, (void *)((uintptr_t)emu_run & EMU_PAGE_MASK), REAL);
}

static void poke(struct fuzz *f, uint64_t addr, uint64_t v)
{
	memcpy(f->ram + addr, &v, sizeof(v));
}

static uint64_t code_address(struct fuzz *f)
{
	return CODE + rnd(f) % (RAM - CODE);
}

static bool long_mode(const struct fuzz *f)
{
	return f->mode == LONG64 || f->mode == COMPAT;
}

/* An interrupt gate (SDM vol. 3, "64-Bit Mode IDT"), some open to ring 3. */
static void gate64(struct fuzz *f, unsigned int vector)
{
	uint64_t to = f->direct ? RESUME : code_address(f);

	poke(f, IDT + 16 * vector,
	      (to & 0xffff) | 8ull << 16 |
		      (vector & 1 ? 0xeeull : 0x8eull) << 40 |
		      (to >> 16 & 0xffff) << 48);
	poke(f, IDT + 16 * vector + 8, to >> 32);
}

/* The same out of long mode: to 32-bit or 16-bit code. */
static void gate32(struct fuzz *f, unsigned int vector)
{
	uint64_t to = code_address(f), cs = rnd(f) & 1 ? CS_32 : CS_16;

	poke(f, IDT + 8 * vector,
	     (to & 0xffff) | cs << 16 |
		     (vector & 1 ? 0xeeull : 0x8eull) << 40 |
		     (to >> 16 & 0xffff) << 48);
}

/* Real mode's vector table, at 0. */
static void vector16(struct fuzz *f, unsigned int vector)
{
	uint32_t to = code_address(f) % 0xf0000;
	uint32_t v = (to & 0xf) | to >> 4 << 16;

	memcpy(f->ram + 4 * vector, &v, sizeof(v));
}

static void gate(struct fuzz *f, unsigned int vector)
{
	if (long_mode(f))
		gate64(f, vector);
	else if (f->mode == REAL16)
		vector16(f, vector);
	else
		gate32(f, vector);
}

static void tables(struct fuzz *f)
{
	static const uint64_t gdt[] = {
		0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff,
		0x00cff3000000ffff, 0x00cff3000000ffff,
		0x00affb000000ffff, 0,
		0x00cf9b000000ffff, 0x00009b010000ffff,
		0x00008b0000000067 | (uint64_t)TSS << 16, 0,
	};

	memset(f->ram, 0, CODE);
	poke(f, PML4, (PML4 + 0x1000) | 7);
	poke(f, PML4 + 0x1000, 0x87); /* the first GiB, most of it no RAM */
	memcpy(f->ram + GDT, gdt, sizeof(gdt));
	memcpy(f->ram + RESUME, resume, resume_end - resume);
	poke(f, TSS + 4, STACK | (long_mode(f) ? 0 : 0x10ull << 32));
	for (unsigned int v = 0; v < 256; v++)
		gate(f, v);
}

static void fill(struct fuzz *f, bool real)
{
	for (size_t at = CODE; at < RAM; at += 8) {
		uint64_t v = rnd(f);

		if (real) {
			memcpy(&v, f->real + at % REAL, 8);
			if (rnd(f) % 16 == 0)
				v ^= 1ull << rnd(f) % 64;
		}
		memcpy(f->ram + at, &v, 8);
	}
}

/* With any base, limit and right that a descriptor may give. */
static void any_segment(struct fuzz *f, struct x86_segment *s)
{
	static const uint16_t attrs[] = { 0xc0f3, 0x00f3, 0x40f1, 0x40f7,
					  0x00f7, 0xc0fb, 0x40f9 };

	if (rnd(f) % 2)
		return;
	s->attr = attrs[rnd(f) % ARRAY_SIZE(attrs)];
	s->base = rnd(f) % 4 ? rnd(f) % RAM : 0;
	s->limit = rnd(f) % 3 ? 0xffff : rnd(f) % RAM;
	s->unusable = rnd(f) % 16 == 0;
}

/* Out of 64-bit mode, and of long mode perhaps. */
static void legacy_state(struct fuzz *f, bool user)
{
	static const uint16_t attrs[MODES] = { [COMPAT] = 0xc09b,
					       [PROTECTED32] = 0xc09b,
					       [PROTECTED16] = 0x009b,
					       [REAL16] = 0x009b };
	struct x86_state *s = &f->state;
	struct x86_segment *cs = &s->seg[X86_CS];

	for (unsigned int i = 0; i < X86_SEGS; i++)
		if (i != X86_CS && rnd(f) % 2)
			any_segment(f, &s->seg[i]);
	s->seg[X86_SS].attr = (s->seg[X86_SS].attr & ~0x68) |
			      (user ? 0x60 : 0);
	cs->attr = attrs[f->mode] | (user ? 0x60 : 0);
	cs->selector = user ? 0x1b : CS_32;
	if (f->mode == PROTECTED16 || f->mode == REAL16) {
		cs->base = s->rip & 0xff0000;
		cs->limit = 0xffff;
		s->rip &= 0xffff;
	}
	for (unsigned int i = 0; i < 8; i++) /* upper halves may get lost */
		s->gpr[i] = (uint32_t)s->gpr[i];
	if (!long_mode(f)) {
		s->cr0 &= ~0x80000000ull;
		s->efer = 0;
	}
	if (f->mode == REAL16) {
		s->cr0 &= ~1ull;
		s->idt = (struct x86_table){ 0, 0x3ff };
	}
}

/* Linux' programs look so. */
static void program_state(struct fuzz *f)
{
	struct x86_state *s = &f->state;

	s->cr4 |= 0x10000;
	s->rflags |= 0x200;
	s->seg[X86_DS].selector = s->seg[X86_ES].selector = 0;
	s->seg[X86_GS].base = rnd(f) % RAM;
	for (unsigned int i = 0; i < 16; i++)
		if (rnd(f) % 8 == 0)
			s->gpr[i] = STUB_BASE + rnd(f) % STUB_LEN;
}

static void start_state(struct fuzz *f)
{
	struct x86_state *s = &f->state;
	bool user = f->mode != REAL16 && (f->direct || rnd(f) & 1);

	x86_state_reset(s, true, 0);
	s->cr0 = 0x80010033;
	s->cr3 = PML4;
	s->cr4 = 0x40620 | (rnd(f) & 0x10000); /* PAE, OS*, FSGSBASE */
	s->efer = 0xd01;
	s->xcr0 = vec_xcr0_mask();
	s->rip = code_address(f);
	s->rflags = 2 | (rnd(f) & 0x4d5);
	for (unsigned int i = 0; i < 16; i++)
		s->gpr[i] = rnd(f) & 3 ? code_address(f) : rnd(f);
	s->gpr[X86_RSP] = STACK + (rnd(f) & 0xffff);
	for (unsigned int i = 0; i < X86_SEGS; i++)
		s->seg[i] = (struct x86_segment){ .selector = user ? 0x2b : 0x10,
						  .limit = 0xffffffff,
						  .attr = user ? 0xc0f3 :
								 0xc093 };
	s->seg[X86_GS].base = rnd(f) % RAM;
	s->seg[X86_CS].selector = user ? 0x33 : 0x08;
	s->seg[X86_CS].attr = user ? 0xa0fb : 0xa09b;
	s->tr = (struct x86_segment){ .selector = 0x50, .base = TSS,
				      .limit = 0x67, .attr = 0x8b };
	s->ldt = (struct x86_segment){ .unusable = true };
	s->gdt = (struct x86_table){ GDT, 0x5f };
	s->idt = (struct x86_table){ IDT, 0xfff };
	if (f->mode != LONG64)
		legacy_state(f, user);
	if (f->direct)
		program_state(f);
}

static void build(struct fuzz *f)
{
	struct error err = { 0 };

	f->b.slot = (struct ram_slot){ .size = RAM, .host = f->ram };
	assert(bare_create(&f->b, &emu_engine, -1, f->variant, &err) == 0);
	assert(bare_cpu(&f->b, 0, &f->cpu, &err) == 0);
	jit_of((struct emu_cpu *)f->cpu)->hot = 0;
}

/* Ends each guest's run after a while. */
static void *kicker(void *arg)
{
	struct fuzz *f = arg;
	struct timespec t;

	pthread_mutex_lock(&f->lock);
	for (;;) {
		clock_gettime(CLOCK_REALTIME, &t);
		t.tv_nsec += f->direct ? 20000000 : 5000000;
		t.tv_sec += t.tv_nsec / 1000000000;
		t.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&f->wake, &f->lock, &t);
		emu_engine.kick(f->cpu);
	}
	return NULL;
}

static void run_guest(struct fuzz *f, bool real)
{
	f->mode = rnd(f) % 3 ? rnd(f) % MODES : LONG64;
	/* 64-bit code that returns to no address faults there, translated. */
	if (str_eq(f->variant, "lockstep"))
		f->mode = PROTECTED32 + rnd(f) % (MODES - PROTECTED32);
	if (f->direct)
		f->mode = LONG64;
	fill(f, real);
	tables(f);
	start_state(f);
	assert(emu_engine.set_state(f->cpu, &f->state) == 0);
	errno = 0;
	if (emu_engine.run(f->cpu) == RUN_FAILED && errno == EILSEQ) {
		fprintf(stderr, "mode %d\n", f->mode);
		abort();
	}
	check_pattern(f->edges[0], EDGE);
	check_pattern(f->edges[1], EDGE);
	check_pattern(f->bystander, BYSTANDER);
}

static void print_counter(void *arg, const char *name, uint64_t value)
{
	if (str_startswith(name, "jit_") || str_startswith(name, "direct_"))
		printf(" %s %ju", name, (uintmax_t)value);
	if (str_eq(name, "jit_blocks"))
		*(uint64_t *)arg = value;
}

static int fuzz(const char *variant, unsigned long guests, uint64_t seed)
{
	static struct fuzz f = { .lock = PTHREAD_MUTEX_INITIALIZER,
				 .wake = PTHREAD_COND_INITIALIZER };
	struct error err = { 0 };
	uint64_t blocks = 0;
	pthread_t thread;

	f.seed = seed | 1;
	if (sandbox_isolate(&err) < 0) {
		printf("skip: %s\n", err.message);
		return SKIP;
	}
	f.variant = variant;
	f.direct = str_eq(variant, "direct");
	map_all(&f);
	build(&f);
	assert(pthread_create(&thread, NULL, kicker, &f) == 0);
	printf("%s: %lu guests\n", variant, guests);
	fflush(stdout);
	if (sandbox_enter(false, &err) < 0) {
		printf("%s\n", err.message);
		return 1;
	}
	for (unsigned long n = 0; n < guests; n++)
		run_guest(&f, n & 1);
	emu_engine.stats(f.b.m.vm, print_counter, &blocks);
	printf("\n");
	fflush(stdout);
	assert(blocks > (f.direct ? 0 : guests));
	return 0;
}

/* A process for each: its sandbox stays closed. */
static int fuzz_apart(const char *variant, unsigned long guests, uint64_t seed)
{
	int status;
	pid_t pid = fork();

	assert(pid >= 0);
	if (pid == 0)
		_exit(fuzz(variant, guests, seed));
	assert(waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status))
		fprintf(stderr, "%s: signal %d\n", variant, WTERMSIG(status));
	return WIFSIGNALED(status) ? 1 : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	unsigned long guests = argc > 1 ? strtoul(argv[1], NULL, 0) : 250;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	int r;

	if (!__builtin_cpu_supports("bmi2"))
		return SKIP;
	if (argc > 3)
		return fuzz_apart(argv[3], guests, seed);
	r = fuzz_apart("jit", guests, seed);
	return r ? r : fuzz_apart("direct", guests / 4, seed);
}
