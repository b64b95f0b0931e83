/*
 * tests/guest/program.c -- what user programs do that is hard to emulate:
 * signals at any moment, faults of all kinds, code that changes, mappings that
 * change, debuggers, the time stamp counter.  One line for each that is right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define REQUIRE(ok)                                                           \
	do {                                                                  \
		if (!(ok)) {                                                  \
			printf("FAIL: line %d: %s\n", __LINE__, #ok);         \
			exit(1);                                              \
		}                                                             \
	} while (0)

/* ---- the time stamp counter ---- */

static uint64_t tsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static uint64_t tscp(void)
{
	uint32_t low, high, cpu;

	__asm__ volatile("rdtscp" : "=a"(low), "=d"(high), "=c"(cpu));
	return (uint64_t)high << 32 | low;
}

static void test_tsc(void)
{
	uint64_t last = tsc();

	for (int i = 0; i < 5000; i++) {
		uint64_t now = i % 3 ? tsc() : tscp();

		REQUIRE(now > last);
		last = now;
	}
}

/* ---- signals while everything is in use ---- */

static volatile sig_atomic_t ticks;

static void on_tick(int sig)
{
	/* Whatever the handler leaves in registers must not show. */
	__asm__ volatile("fninit; fldpi; fldz; pcmpeqd %%xmm0, %%xmm0;"
			 "pcmpeqd %%xmm7, %%xmm7; pcmpeqd %%xmm15, %%xmm15;"
			 "std; cld"
			 ::: "xmm0", "xmm7", "xmm15");
	ticks++;
}

static uint64_t compute(void)
{
	uint64_t x = 88172645463325252ull, sum = 0;
	long double l = 1.0L;
	double d = 1.0;
	float f[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

	for (int i = 0; i < 20000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		l = l * 1.0000001L + 1.0L / (i + 1);
		d = d / 1.0000001 + (double)(x & 0xff);
		for (int k = 0; k < 8; k++)
			f[k] = f[k] * 1.0001f + k;
		sum += x + (uint64_t)(l * 1000) + (uint64_t)d;
	}
	for (int k = 0; k < 8; k++)
		sum += (uint64_t)f[k];
	return sum;
}

static void test_signals(void)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, off = { 0 };
	struct sigaction sa = { .sa_handler = on_tick };
	uint64_t right = compute();

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	while (ticks < 100)
		REQUIRE(compute() == right);
	setitimer(ITIMER_REAL, &off, NULL);
}

/* ---- faults ---- */

struct fault {
	int sig, code, trap;
	uint64_t error, addr, rip;
};

static struct fault seen;
static uint64_t go_on; /* where, after a fault */

static void on_fault(int sig, siginfo_t *info, void *context)
{
	greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
	fpregset_t fp = ((ucontext_t *)context)->uc_mcontext.fpregs;

	seen = (struct fault){ sig, info->si_code, r[REG_TRAPNO], r[REG_ERR],
			       (uintptr_t)info->si_addr, r[REG_RIP] };
	r[REG_RIP] = go_on;
	r[REG_EFL] &= ~0x40100;
	fp->cwd = 0x37f;
	fp->swd = 0;
	fp->mxcsr = 0x1f80;
}

/* Runs an instruction; where it faulted is counted from it. */
#define FAULTS(insn, ...)                                                     \
	do {                                                                  \
		uint64_t from;                                                \
		memset(&seen, 0, sizeof(seen));                               \
		__asm__ volatile("lea 2f(%%rip), %%rax; mov %%rax, %1;"       \
				 "lea 1f(%%rip), %0;"                         \
				 "1: " insn "; 2:"                            \
				 : "=&r"(from), "=m"(go_on)                   \
				 : __VA_ARGS__                                \
				 : "rax", "rcx", "rdx", "r11", "memory");     \
		seen.rip -= from;                                             \
	} while (0)

#define EXPECT(s, c, t, e)                                                    \
	do {                                                                  \
		if (seen.sig != (s) || seen.code != (c) || seen.trap != (t) ||\
		    seen.error != (uint64_t)(e))                              \
			printf("line %d: signal %d code %d trap %d error %ju\n",\
			       __LINE__, seen.sig, seen.code, seen.trap,      \
			       (uintmax_t)seen.error);                        \
		REQUIRE(seen.sig == (s) && seen.code == (c) &&                \
			seen.trap == (t) && seen.error == (uint64_t)(e));     \
	} while (0)

static void catch_faults(void)
{
	static const int sigs[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	struct sigaction sa = { .sa_sigaction = on_fault,
				.sa_flags = SA_SIGINFO };

	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &sa, NULL);
}

static void memory_faults(void)
{
	uint8_t *p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	REQUIRE(p != MAP_FAILED);
	memset(p, 0xc3, 4 * 4096);
	munmap(p + 4096, 4096);
	mprotect(p + 2 * 4096, 4096, PROT_READ);
	FAULTS("movb (%2), %%cl", "r"(p + 4096));
	EXPECT(SIGSEGV, SEGV_MAPERR, 14, 4);
	REQUIRE(seen.addr == (uintptr_t)(p + 4096) && seen.rip == 0);
	FAULTS("movq %%rcx, (%2)", "r"(p + 4096 - 4));
	EXPECT(SIGSEGV, SEGV_MAPERR, 14, 6);
	REQUIRE(seen.addr == (uintptr_t)(p + 4096));
	REQUIRE(p[4095] == 0xc3); /* nothing of it was written */
	FAULTS("lock incl (%2)", "r"(p + 2 * 4096));
	EXPECT(SIGSEGV, SEGV_ACCERR, 14, 7);
	FAULTS("call *%2", "r"(p));
	EXPECT(SIGSEGV, SEGV_ACCERR, 14, 0x15);
	__asm__ volatile("add $8, %%rsp" ::: "memory"); /* what CALL pushed */
	FAULTS("movb (%2), %%cl", "r"(0x8000000000000000));
	EXPECT(SIGSEGV, SI_KERNEL, 13, 0);
	munmap(p, 4 * 4096);
}

static void other_faults(void)
{
	uint32_t cw = 0x37b, mx = 0x1d80, zero = 0; /* division by zero */

	FAULTS("xor %%ecx, %%ecx; xor %%edx, %%edx; div %%ecx", "r"(0));
	EXPECT(SIGFPE, FPE_INTDIV, 0, 0);
	REQUIRE(seen.rip == 4);
	FAULTS("fldcw %2; fld1; fdivs %3; fwait", "m"(cw), "m"(zero));
	EXPECT(SIGFPE, FPE_FLTDIV, 16, 0);
	__asm__ volatile("fninit");
	FAULTS("mov $1, %%ecx; cvtsi2ss %%ecx, %%xmm1; ldmxcsr %2;"
	       "divss %3, %%xmm1", "m"(mx), "m"(zero));
	EXPECT(SIGFPE, FPE_FLTDIV, 19, 0);
	FAULTS("ud2", "r"(0));
	EXPECT(SIGILL, ILL_ILLOPN, 6, 0);
	FAULTS("int3", "r"(0));
	EXPECT(SIGTRAP, SI_KERNEL, 3, 0);
	REQUIRE(seen.rip == 1);
	FAULTS("hlt", "r"(0));
	EXPECT(SIGSEGV, SI_KERNEL, 13, 0);
	FAULTS("int $0x55", "r"(0));
	EXPECT(SIGSEGV, SI_KERNEL, 13, 0x55 * 8 + 2);
	FAULTS("inb $0x80, %%al", "r"(0));
	EXPECT(SIGSEGV, SI_KERNEL, 13, 0);
	FAULTS("pushfq; orl $0x100, (%%rsp); popfq; nop; nop", "r"(0));
	EXPECT(SIGTRAP, TRAP_TRACE, 1, 0);
	FAULTS("movaps (%2), %%xmm0", "r"((uintptr_t)&cw | 1));
	EXPECT(SIGSEGV, SI_KERNEL, 13, 0);
}

static void test_faults(void)
{
	catch_faults();
	for (int i = 0; i < 20; i++) {
		memory_faults();
		other_faults();
		compute(); /* long enough to be run as it is */
	}
}

/* ---- code that changes ---- */

typedef uint32_t function(void);

static void emit(uint8_t *p, uint32_t value)
{
	p[0] = 0xb8; /* mov $value, %eax; ret */
	memcpy(p + 1, &value, 4);
	p[5] = 0xc3;
}

static void change(uint8_t *write, uint8_t *run, unsigned int rounds)
{
	for (uint32_t i = 0; i < rounds; i++) {
		uint32_t at = i * 37 % 4000;

		/* Some look like CPUID and XGETBV, or like SLDT. */
		uint32_t value = i % 3 == 0 ? i << 16 | 0xa20f :
				 i % 3 == 1 ? i << 24 | 0xd0010f : i;

		emit(write + at, value);
		REQUIRE(((function *)(run + at))() == value);
		REQUIRE(((function *)(run + at))() == value);
	}
}

/* A loop that changes the constant which it adds: 1 + 2 + ... + 1000. */
static uint32_t change_itself(uint8_t *p)
{
	static const uint8_t code[] = {
		0x31, 0xc0,			     /*    xor %eax, %eax */
		0xb9, 0xe8, 0x03, 0x00, 0x00,	     /*    mov $1000, %ecx */
		0x05, 0x01, 0x00, 0x00, 0x00,	     /* 1: add $1, %eax */
		0xff, 0x05, 0xf6, 0xff, 0xff, 0xff,  /*    incl 1b+1(%rip) */
		0xff, 0xc9,			     /*    dec %ecx */
		0x75, 0xf1,			     /*    jnz 1b */
		0xc3,
	};

	memcpy(p, code, sizeof(code));
	return ((function *)p)();
}

static void test_code(void)
{
	int fd = memfd_create("code", 0);
	uint8_t *w, *x, *rwx;

	REQUIRE(fd >= 0 && ftruncate(fd, 4096) == 0);
	w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	x = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	rwx = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(w != MAP_FAILED && x != MAP_FAILED && rwx != MAP_FAILED);
	for (int i = 0; i < 10; i++) {
		change(w, x, 200);
		compute();
		change(rwx, rwx, 200);
		compute();
		REQUIRE(change_itself(rwx) == 500500);
	}
}

/* Another thread's code, which serializes before it runs it. */
struct cross {
	uint8_t *code;
	volatile uint32_t said, done;
};

static void *run_changed(void *arg)
{
	struct cross *c = arg;

	for (uint32_t n = 1; n <= 500; n++) {
		uint32_t leaf = 0, a, b, d;

		while (c->said != n)
			sched_yield();
		__asm__ volatile("cpuid"
				 : "=a"(a), "=b"(b), "=c"(leaf), "=d"(d)
				 : "a"(0), "c"(0));
		REQUIRE(((function *)c->code)() == n);
		c->done = n;
	}
	return NULL;
}

static void test_threads(void)
{
	struct cross c = { mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) };
	pthread_t thread;

	REQUIRE(pthread_create(&thread, NULL, run_changed, &c) == 0);
	for (uint32_t n = 1; n <= 500; n++) {
		emit(c.code, n);
		c.said = n;
		while (c.done != n)
			sched_yield();
	}
	pthread_join(thread, NULL);
}

/* ---- mappings that change ---- */

static void test_mappings(void)
{
	uint32_t *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int status;

	for (uint32_t i = 1; i < 300; i++) {
		p[0] = p[1024] = i;
		if (i % 3 == 0) {
			REQUIRE(mmap(p, 4096, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				     -1, 0) == p);
			REQUIRE(p[0] == 0 && p[1024] == i);
		} else if (i % 3 == 1) {
			madvise(p, 8192, MADV_DONTNEED);
			REQUIRE(p[0] == 0 && p[1024] == 0);
		} else {
			REQUIRE(mremap(p + 1024, 4096, 4096,
				       MREMAP_MAYMOVE | MREMAP_FIXED, p) == p);
			REQUIRE(p[0] == i);
			REQUIRE(mmap(p + 1024, 4096, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
				     -1, 0) == p + 1024);
		}
		if (i % 30)
			continue;
		p[0] = i;
		compute();
		pid = fork();
		if (pid == 0) {
			p[0] = 1;
			_exit(compute() == compute() && p[0] == 1 ? 7 : 8);
		}
		REQUIRE(waitpid(pid, &status, 0) == pid);
		REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 7);
		REQUIRE(p[0] == i);
	}
}

/* ---- a debugger ---- */

static volatile uint64_t watched;

/* Stops, is stepped through: 1 + 2 * 100 + 64 + 3 instructions, and stops. */
static void debuggee(void)
{
	static uint8_t buffer[64];

	ptrace(PTRACE_TRACEME, 0, 0, 0);
	__asm__ volatile("int3\n\t"
			 "mov	$100, %%ecx\n"
			 "1:	dec	%%ecx\n\t"
			 "jnz	1b\n\t"
			 "lea	%0, %%rdi\n\t"
			 "mov	$64, %%ecx\n\t"
			 "rep stosb\n\t"
			 "nop\n\t"
			 "int3"
			 : "=m"(buffer)
			 :
			 : "rcx", "rdi", "memory");
	for (int i = 0; i < 200; i++) {
		watched += i;
		if (i % 20 == 0)
			compute();
	}
	_exit(9);
}

static int await_stop(pid_t pid)
{
	int status;

	REQUIRE(waitpid(pid, &status, 0) == pid);
	return WIFSTOPPED(status) ? WSTOPSIG(status) : -WEXITSTATUS(status);
}

static uint64_t dr_offset(unsigned int n)
{
	return offsetof(struct user, u_debugreg) + 8 * n;
}

static uint64_t step_over(pid_t pid)
{
	struct user_regs_struct r;
	uint64_t steps = 0;

	for (;;) {
		REQUIRE(ptrace(PTRACE_GETREGS, pid, 0, &r) == 0);
		if ((ptrace(PTRACE_PEEKTEXT, pid, r.rip, 0) & 0xff) == 0xcc)
			break;
		REQUIRE(ptrace(PTRACE_SINGLESTEP, pid, 0, 0) == 0);
		REQUIRE(await_stop(pid) == SIGTRAP);
		steps++;
	}
	r.rip++;
	REQUIRE(ptrace(PTRACE_SETREGS, pid, 0, &r) == 0);
	return steps;
}

static void test_debugger(void)
{
	unsigned int hits = 0;
	uint64_t dr6, value;
	pid_t pid = fork();
	int stop;

	if (pid == 0)
		debuggee();
	REQUIRE(await_stop(pid) == SIGTRAP);
	REQUIRE(step_over(pid) == 1 + 2 * 100 + 2 + 64 + 1);
	/* 8 bytes that are written to. */
	REQUIRE(ptrace(PTRACE_POKEUSER, pid, dr_offset(0), &watched) == 0);
	REQUIRE(ptrace(PTRACE_POKEUSER, pid, dr_offset(7), 0x90001) == 0);
	REQUIRE(ptrace(PTRACE_CONT, pid, 0, 0) == 0);
	while ((stop = await_stop(pid)) == SIGTRAP) {
		dr6 = ptrace(PTRACE_PEEKUSER, pid, dr_offset(6), 0);
		value = ptrace(PTRACE_PEEKDATA, pid, &watched, 0);
		REQUIRE((dr6 & 0xf) == 1 && value == hits * (hits + 1) / 2);
		hits++;
		REQUIRE(ptrace(PTRACE_CONT, pid, 0, 0) == 0);
	}
	REQUIRE(stop == -9 && hits == 200);
}

int main(void)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} tests[] = {
		{ "tsc", test_tsc },
		{ "signals", test_signals },
		{ "faults", test_faults },
		{ "code", test_code },
		{ "threads", test_threads },
		{ "mappings", test_mappings },
		{ "debugger", test_debugger },
	};

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		tests[i].run();
		printf("%s\n", tests[i].name);
		fflush(stdout);
	}
	return 0;
}
