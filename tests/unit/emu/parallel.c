/*
 * tests/unit/emu/parallel.c -- vCPUs on threads of their own: what one does
 * to memory that another has translated, logs or is told about.
 *
 * A machine of two vCPUs in ring 3, RAM mapped one to one.  Guest code is in
 * this file, copied to CODE; it never ends by itself.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/emu/cpu.h"
#include "tests/unit/bare.h"

enum {
	RAM_SIZE = 16 << 20,
	PML4 = 0x1000,
	CODE = 0x10000,
	PATCHED = 0x20000,
	STACK = 0x40000,
	VARS = 0x200000,
	TIMEOUT = 600, /* seconds; a test that hangs is a failed test */
	ENOUGH = 5,    /* seconds, where a busy host makes many rounds long */
};

/* What the guests tell, each in a cache line of its own. */
struct vars {
	_Alignas(64) volatile uint32_t said;
	_Alignas(64) volatile uint32_t done;
	_Alignas(64) volatile uint32_t wrong;
};

/* clang-format off */
__asm__(
"	.pushsection .rodata\n"
"guest:\n"
/* Stores that share one check of the address; no page is come back to. */
"guest_write:\n"
"	mov	$0x400000, %edi\n"
"3:	mov	$2000, %ecx\n"
"1:	incq	(%rdi)\n"
"	mov	%rax, 8(%rdi)\n"
"	addq	$3, 16(%rdi)\n"
"	mov	%rcx, 24(%rdi)\n"
"	incq	32(%rdi)\n"
"	mov	%rax, 40(%rdi)\n"
"	incq	48(%rdi)\n"
"	dec	%ecx\n"
"	jnz	1b\n"
"	inc	%rax\n"
"	add	$4096, %rdi\n"
"	cmp	$0xc00000, %edi\n"
"	jb	3b\n"
"	movl	$1, 0x200000\n"
"2:	pause\n"
"	jmp	2b\n"
/* A new constant into the other's code, then the word, then its answer. */
"guest_patch:\n"
"	mov	$0x200000, %ebx\n"
"	xor	%eax, %eax\n"
"1:	inc	%eax\n"
"	mov	%eax, 0x20004\n"
"	mov	%eax, (%rbx)\n"
"2:	cmp	%eax, 64(%rbx)\n"
"	je	1b\n"
"	pause\n"
"	jmp	2b\n"
/* SDM vol. 3, \"Handling Self- and Cross-Modifying Code\": serialize. */
"guest_call:\n"
"	mov	$0x200000, %r9d\n"
"1:	mov	(%r9), %r8d\n"
"	cmp	%r8d, 64(%r9)\n"
"	je	1b\n"
"	xor	%eax, %eax\n"
"	cpuid\n"
"	mov	$0x20003, %eax\n"
"	call	*%rax\n"
"	cmp	%eax, %r8d\n"
"	je	2f\n"
"	incl	128(%r9)\n"
"2:	mov	%r8d, 64(%r9)\n"
"	jmp	1b\n"
"guest_spin:\n"
"	jmp	guest_spin\n"
/* Like guest_spin, by way of an indirect jump and the interpreter. */
"guest_roam:\n"
"	lea	1f(%rip), %r10\n"
"1:	xor	%eax, %eax\n"
"	cpuid\n"
"	jmp	*%r10\n"
"guest_end:\n"
"	.popsection\n"
);
/* clang-format on */
extern const uint8_t guest[], guest_write[], guest_patch[], guest_call[],
	guest_spin[], guest_roam[], guest_end[];

/* mov $0, %eax; ret, its constant at PATCHED + 4. */
static const uint8_t patched[] = { 0x90, 0x90, 0x90, 0xb8, 0, 0, 0, 0, 0xc3 };

struct test {
	struct bare b;
	uint8_t *ram;
	struct vcpu *cpus[2];
	_Atomic bool stop;
};

struct runner {
	struct test *t;
	struct vcpu *cpu;
	pthread_t thread;
	_Atomic unsigned int runs; /* that ended */
};

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "FAIL: %s\n", what);
	exit(1);
}

static void begin(struct test *t, const char *variant)
{
	struct error err = { 0 };
	uint64_t *tables;

	memset(t, 0, sizeof(*t));
	t->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	require(t->ram != MAP_FAILED, "no memory");
	t->b.slot = (struct ram_slot){ .size = RAM_SIZE,
				       .host = t->ram,
				       .log_dirty = true };
	require(bare_create(&t->b, &emu_engine, -1, variant, &err) == 0,
		"no machine");
	tables = (uint64_t *)(t->ram + PML4);
	tables[0] = (PML4 + 0x1000) | 7;
	tables[512] = 0xe7; /* 1 GiB: accessed, dirty, user, writable */
	memcpy(t->ram + CODE, guest, guest_end - guest);
	memcpy(t->ram + PATCHED, patched, sizeof(patched));
}

static void end(struct test *t)
{
	for (unsigned int id = 0; id < ARRAY_SIZE(t->cpus); id++)
		emu_engine.vcpu_destroy(t->cpus[id]);
	bare_destroy(&t->b);
	munmap(t->ram, RAM_SIZE);
}

static void *run_main(void *arg)
{
	struct runner *r = arg;

	while (!atomic_load(&r->t->stop)) {
		require(emu_engine.run(r->cpu) == RUN_KICKED, "a run failed");
		atomic_fetch_add(&r->runs, 1);
	}
	return NULL;
}

static void start(struct test *t, struct runner *r, unsigned int id,
		  const uint8_t *code)
{
	static struct x86_state s;
	struct error err = { 0 };

	*r = (struct runner){ .t = t };
	require(bare_cpu(&t->b, id, &r->cpu, &err) == 0, "no vCPU");
	t->cpus[id] = r->cpu;
	emu_test_state64(&s);
	s.cr3 = PML4;
	s.rip = CODE + (code - guest);
	s.gpr[X86_RSP] = STACK - 0x1000 * id;
	s.run_state = X86_RUNNING;
	require(emu_engine.set_state(r->cpu, &s) == 0, "no state");
	require(pthread_create(&r->thread, NULL, run_main, r) == 0,
		"no thread");
}

static void finish(struct test *t, struct runner *r)
{
	atomic_store(&t->stop, true);
	emu_engine.kick(r->cpu);
	pthread_join(r->thread, NULL);
}

/* Takes over what was written since the last time; how many pages? */
static unsigned int copy_dirty(struct test *t, uint8_t *copy)
{
	static uint64_t bitmap[RAM_SIZE / EMU_PAGE / 64 + 1];
	unsigned int n = 0;

	require(emu_engine.dirty_pages(t->b.m.vm, &t->b.slot, bitmap) == 0,
		"no bitmap");
	for (size_t p = 0; p < RAM_SIZE / EMU_PAGE; p++) {
		if (!(bitmap[p / 64] >> (p % 64) & 1))
			continue;
		memcpy(copy + p * EMU_PAGE, t->ram + p * EMU_PAGE, EMU_PAGE);
		n++;
	}
	return n;
}

/* As a migration does: at the end the copy must be what the guest has. */
static void test_dirty(const char *variant)
{
	uint8_t *copy = xcalloc(1, RAM_SIZE);
	const struct vars *v;
	struct test t;
	struct runner r;

	begin(&t, variant);
	v = (const struct vars *)(t.ram + VARS);
	memcpy(copy, t.ram, RAM_SIZE);
	start(&t, &r, 0, guest_write);
	while (!v->said)
		copy_dirty(&t, copy);
	finish(&t, &r);
	copy_dirty(&t, copy);
	require(!memcmp(copy, t.ram, RAM_SIZE), "a write was not logged");
	require(copy_dirty(&t, copy) == 0, "logged without a write");
	end(&t);
	free(copy);
}

static void test_patch(const char *variant)
{
	uint64_t enough = now_ns() + ENOUGH * 1000000000ull;
	struct runner patch, call;
	const struct vars *v;
	struct test t;

	begin(&t, variant);
	v = (const struct vars *)(t.ram + VARS);
	start(&t, &call, 0, guest_call);
	start(&t, &patch, 1, guest_patch);
	while (v->done < 10 || (v->done < 2000 && now_ns() < enough))
		usleep(1000);
	finish(&t, &patch);
	finish(&t, &call);
	require(!v->wrong, "code from before another vCPU's write ran");
	end(&t);
}

/* None may be lost, wherever it finds the vCPU. */
static void test_kick(const char *variant, const uint8_t *code)
{
	uint64_t enough = now_ns() + ENOUGH * 1000000000ull;
	struct test t;
	struct runner r;

	begin(&t, variant);
	start(&t, &r, 0, code);
	for (unsigned int n = 0; n < 3000 && now_ns() < enough; n++) {
		unsigned int runs = atomic_load(&r.runs);

		for (volatile unsigned int k = 0; k < n % 64 * 16; k++)
			continue;
		emu_engine.kick(r.cpu);
		while (atomic_load(&r.runs) == runs)
			usleep(1);
	}
	finish(&t, &r);
	end(&t);
}

/* Its HLT was ended, without an interrupt, when the guest was saved. */
static void test_unhalted(const char *variant)
{
	static struct x86_state s;
	const struct vars *v;
	struct test t;
	struct runner r;

	begin(&t, variant);
	v = (const struct vars *)(t.ram + VARS);
	start(&t, &r, 0, guest_spin);
	finish(&t, &r);
	require(emu_engine.get_state(r.cpu, &s) == 0, "no state");
	s.rip = CODE + (guest_write - guest);
	s.run_state = X86_HALTED;
	s.unhalted = true;
	require(emu_engine.set_state(r.cpu, &s) == 0 &&
			emu_engine.get_state(r.cpu, &s) == 0,
		"no state");
	require(s.run_state == X86_HALTED && s.unhalted, "it is forgotten");
	atomic_store(&t.stop, false);
	require(pthread_create(&r.thread, NULL, run_main, &r) == 0,
		"no thread");
	while (!v->said)
		usleep(1000);
	finish(&t, &r);
	end(&t);
}

int main(void)
{
	static const char *const variants[] = { "interp", "jit" };

	for (unsigned int i = 0; i < ARRAY_SIZE(variants); i++) {
		alarm(TIMEOUT);
		test_dirty(variants[i]);
		test_patch(variants[i]);
		test_kick(variants[i], guest_spin);
		test_kick(variants[i], guest_roam);
		test_unhalted(variants[i]);
		printf("%s: ok\n", variants[i]);
		fflush(stdout);
	}
	return 0;
}
