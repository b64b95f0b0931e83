/*
 * tests/unit/emu/native.c -- runs a case on the host's own CPU.
 *
 * The complete register state goes in and comes out through signal frames: a
 * signal's handler replaces the interrupted context by the case's and
 * returns; INT3 or a fault delivers the next signal, whose frame is the
 * result, and whose handler puts the first context back.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

#include "base/util.h"
#include "tests/unit/emu/case.h"

/* Signal handlers have no argument of ours: one native CPU per process. */
static struct {
	struct case_mem mem;
	bool active;
	const struct test_case *c;
	struct case_result *result;
	gregset_t host;
	_Alignas(64) uint8_t host_fp[CASE_XSAVE];
	struct sigaction old[_NSIG];
} native;

/* ORDER: the registers' encoding. */
static const int greg_of[16] = {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8,	 REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

/* Linux' selectors of user segments. */
enum { CS_32 = 0x23, DATA = 0x2b };

enum { FP_LEGACY = 464, FP_BV = 512, FP_YMM = 576 };

static uint64_t frame_bv(const uint8_t *fp)
{
	uint64_t bv;

	memcpy(&bv, fp + FP_BV, sizeof(bv));
	return bv;
}

static bool all_zero(const uint8_t *p, size_t n)
{
	return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* Components that are not initial: the CPU keeps track of them. */
static uint64_t components(const uint8_t *xsave)
{
	static const uint8_t x87_init[24] = { 0x7f, 3 };
	uint64_t bv = 0;

	if (memcmp(xsave, x87_init, 24) != 0 || !all_zero(xsave + 32, 128))
		bv |= 1;
	if (!all_zero(xsave + 160, 256))
		bv |= 2;
	if (!all_zero(xsave + FP_YMM, CASE_XSAVE - FP_YMM))
		bv |= 4;
	return bv;
}

/* The bytes from 464 on are the kernel's: size and magic of the frame. */
static void frame_set(uint8_t *fp, const uint8_t *xsave)
{
	uint64_t bv = (frame_bv(fp) & ~7ull) | components(xsave);

	memcpy(fp, xsave, FP_LEGACY);
	memcpy(fp + FP_YMM, xsave + FP_YMM, CASE_XSAVE - FP_YMM);
	memcpy(fp + FP_BV, &bv, sizeof(bv));
}

static void frame_get(uint8_t *xsave, const uint8_t *fp)
{
	uint64_t bv = frame_bv(fp);

	memset(xsave, 0, CASE_XSAVE);
	memcpy(xsave, fp, 416);
	if (!(bv & 1)) {
		memset(xsave, 0, 24);
		memset(xsave + 32, 0, 128);
		xsave[0] = 0x7f;
		xsave[1] = 3;
	}
	if (!(bv & 2))
		memset(xsave + 160, 0, 256);
	if (bv & 4)
		memcpy(xsave + FP_YMM, fp + FP_YMM, CASE_XSAVE - FP_YMM);
}

static void enter(ucontext_t *uc)
{
	const struct case_cpu *cpu = &native.c->cpu;
	greg_t *r = uc->uc_mcontext.gregs;

	memcpy(native.host, r, sizeof(native.host));
	memcpy(native.host_fp, uc->uc_mcontext.fpregs, CASE_XSAVE);
	for (int i = 0; i < 16; i++)
		r[greg_of[i]] = cpu->gpr[i];
	r[REG_RIP] = cpu->rip;
	r[REG_EFL] = cpu->rflags;
	if (native.c->mode32)
		r[REG_CSGSFS] = (r[REG_CSGSFS] & ~0xffffll) | CS_32;
	frame_set((uint8_t *)uc->uc_mcontext.fpregs, cpu->xsave);
	native.active = true;
}

static void leave(ucontext_t *uc)
{
	struct case_cpu *cpu = &native.result->cpu;
	greg_t *r = uc->uc_mcontext.gregs;

	native.active = false;
	native.result->vector = r[REG_TRAPNO];
	native.result->error = r[REG_ERR];
	native.result->cr2 = r[REG_CR2] >> 12;
	for (int i = 0; i < 16; i++)
		cpu->gpr[i] = r[greg_of[i]];
	cpu->rip = r[REG_RIP];
	cpu->rflags = r[REG_EFL];
	frame_get(cpu->xsave, (const uint8_t *)uc->uc_mcontext.fpregs);
	memcpy(r, native.host, sizeof(native.host));
	memcpy(uc->uc_mcontext.fpregs, native.host_fp, CASE_XSAVE);
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	const struct sigaction *old = &native.old[sig];

	if (sig == SIGUSR1)
		enter(context);
	else if (native.active)
		leave(context);
	else if (old->sa_flags & SA_SIGINFO)
		old->sa_sigaction(sig, info, context);
	else
		signal(sig, SIG_DFL);
}

/* A case that runs for ever is a mistake of the generator's. */
static void on_alarm(int sig)
{
	case_print(native.c, stderr);
	_exit(99);
}

static void catch_signals(void)
{
	static const int sigs[] = { SIGUSR1, SIGTRAP, SIGSEGV,
				    SIGBUS,  SIGILL,  SIGFPE };
	static uint8_t stack[1 << 16];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = {
		.sa_sigaction = on_signal,
		.sa_flags = SA_SIGINFO | SA_ONSTACK,
	};

	assert(sigaltstack(&ss, NULL) == 0);
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
		assert(sigaction(sigs[i], &sa, &native.old[sigs[i]]) == 0);
	sa.sa_handler = on_alarm;
	sa.sa_flags = SA_ONSTACK;
	assert(sigaction(SIGVTALRM, &sa, NULL) == 0);
}

static uint8_t *map(uint64_t addr, size_t size)
{
	void *p = mmap((void *)addr, size, PROT_READ | PROT_WRITE | PROT_EXEC,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		       0);

	assert(p == (void *)addr);
	return p;
}

static void native_init(struct case_mem *mem)
{
	mem->code = map(CASE_CODE, 4096);
	mem->data = map(CASE_DATA, CASE_DATA_SIZE);
	mem->ro = map(CASE_RO, CASE_RO_SIZE);
	memset(mem->ro, 0x5a, CASE_RO_SIZE);
	assert(mprotect(mem->ro, CASE_RO_SIZE, PROT_READ) == 0);
	assert(mprotect(mem->data, CASE_DATA_SIZE, PROT_READ | PROT_WRITE) ==
	       0);
	native.mem = *mem;
	/* 64-bit code does not need them, 32-bit code does. */
	__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(DATA));
	catch_signals();
}

/* Of its own time: a busy host may keep a case waiting. */
static void limit(unsigned int seconds)
{
	struct itimerval it = { .it_value.tv_sec = seconds };

	setitimer(ITIMER_VIRTUAL, &it, NULL);
}

static void native_run(const struct test_case *c, struct case_result *ret)
{
	memset(ret, 0, sizeof(*ret));
	native.c = c;
	native.result = ret;
	case_fill(c, &native.mem);
	__asm__ volatile("wrgsbase %0" : : "r"(c->cpu.gs_base));
	limit(2);
	raise(SIGUSR1);
	limit(0);
	if (ret->vector == 3) { /* INT3 is a trap: RIP is behind it */
		ret->vector = CASE_END;
		ret->cpu.rip--;
	}
}

const struct executor exec_native = {
	.name = "native",
	.init = native_init,
	.run = native_run,
};
