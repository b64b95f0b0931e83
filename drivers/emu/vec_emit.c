/*
 * drivers/emu/vec_emit.c -- thunks: small functions around one instruction.
 *
 * A thunk loads the registers that its instruction reads from the guest's
 * XSAVE area, executes the instruction, and stores those that it writes.  It
 * is a vec_thunk_fn: RDI points to the bounce buffer, RSI to the XSAVE area,
 * RDX and RCX hold the guest's, R8 points to struct vec_io.  All vector
 * registers are the callee's to destroy in the C calling convention, and the
 * stack pointer is that of the entry while the instruction executes, so that
 * a fault can return from there (vec_fault.c).
 *
 * x87 and MMX instructions have the whole FXSAVE image loaded and stored.
 *
 * The memory is one memfd mapped twice, writable and executable at different
 * addresses: nothing is ever both.  Thunks are shared by content and never
 * freed.  When the memory is full, an instruction without a thunk is emitted
 * into a slot of the running thread each time: slow, and bounded.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "base/util.h"
#include "drivers/emu/jit_asm.h"
#include "drivers/emu/vec_int.h"

enum {
	CODE_MAX = 1024,     /* of a thunk with every register, twice */
	THUNK_MAX = 512,     /* longest that there is */
	ARENA_SIZE = 16 << 20,
	EXIT_X87 = 64,
	ARENA_EXITS = 4096, /* at the start; then slots of threads */
	ARENA_SLOTS = 512,
	ARENA_FIRST = ARENA_EXITS + ARENA_SLOTS * THUNK_MAX,
	HASH_SIZE = 1 << 18, /* more than thunks fit */
};

struct thunk { /* in the arena, before the code */
	uint8_t insn[16];
	uint8_t insn_len, insn_off;
	uint8_t pad[14];
	uint8_t code[];
};
static_assert(sizeof(struct thunk) == 32, "code is aligned");

/* One per process: instructions of the same bytes share a thunk. */
static struct arena {
	pthread_mutex_t lock; /* used, hash */
	uint8_t *write, *exec;
	size_t used, limit;
	uint32_t *hash; /* offset of a struct thunk, or 0 */
	bool avx;
	_Atomic unsigned int slots;
} arena = { .lock = PTHREAD_MUTEX_INITIALIZER };

static __thread unsigned int own_slot; /* 1 + index */

static struct host_mem xmm_at(unsigned int n)
{
	return mem_at(H_RSI, XA_XMM + 16 * n);
}

static struct host_mem ymmh_at(unsigned int n)
{
	return mem_at(H_RSI, XA_YMMH + 16 * n);
}

static void emit_vectors_in(struct jit_buf *b, const struct vec_op *op)
{
	bool vex = op->traits & VT_VEX;

	for (unsigned int n = 0; n < 16; n++) {
		if (op->xmm_in & BIT(n))
			asm_xmm(b, vex, 0x10, n, xmm_at(n));
		if (op->ymm_in & BIT(n))
			asm_ymmh(b, 0x18, n, ymmh_at(n));
	}
}

/* VEX-coded instructions clear what they do not write: all of it is stored. */
static void emit_vectors_out(struct jit_buf *b, const struct vec_op *op)
{
	bool vex = op->traits & VT_VEX;

	for (unsigned int n = 0; n < 16; n++) {
		if (!(op->xmm_out & BIT(n)))
			continue;
		asm_xmm(b, vex, 0x11, n, xmm_at(n));
		if (vex)
			asm_ymmh(b, 0x19, n, ymmh_at(n));
	}
	if (vex)
		ASM(b, 0xc5, 0xf8, 0x77); /* vzeroupper */
}

static void emit_before(struct jit_buf *b, const struct vec_op *op)
{
	if (op->traits & VT_X87)
		ASM(b, 0x48, 0x0f, 0xae, 0x0e); /* fxrstor64 [rsi] */
	else
		emit_vectors_in(b, op);
	if (op->traits & VT_FLAGS_IN)
		ASM(b, 0x41, 0xff, 0x70, 0x18, 0x9d); /* push [r8+24]; popfq */
	if (op->traits & VT_GPR)
		ASM(b, 0x49, 0x8b, 0x00); /* mov rax, [r8] */
	if ((op->traits & (VT_MXCSR | VT_X87)) == VT_MXCSR)
		ASM(b, 0x0f, 0xae, 0x56, XA_MXCSR); /* ldmxcsr [rsi+24] */
}

static void emit_after(struct jit_buf *b, const struct vec_op *op)
{
	if (op->traits & VT_FLAGS_OUT)
		ASM(b, 0x9c, 0x41, 0x8f, 0x40, 0x18); /* pushfq; pop [r8+24] */
	if (op->traits & VT_GPR)
		ASM(b, 0x49, 0x89, 0x00); /* mov [r8], rax */
	if (op->traits & VT_RCX_OUT)
		ASM(b, 0x49, 0x89, 0x48, 0x08); /* mov [r8+8], rcx */
	if (op->traits & VT_X87) {
		ASM(b, 0x48, 0x0f, 0xae, 0x06); /* fxsave64 [rsi] */
		ASM(b, 0xdb, 0xe3);		 /* fninit */
		ASM(b, 0x41, 0x0f, 0xae, 0x50, 0x20); /* ldmxcsr [r8+32] */
		return;
	}
	if (op->traits & VT_MXCSR) {
		ASM(b, 0x0f, 0xae, 0x5e, XA_MXCSR); /* stmxcsr [rsi+24] */
		ASM(b, 0x41, 0x0f, 0xae, 0x50, 0x20);
	}
	emit_vectors_out(b, op);
}

/* Returns the instruction's offset in the code. */
static unsigned int emit_thunk(struct jit_buf *b, const struct vec_op *op)
{
	const uint8_t *start = b->w;
	unsigned int off;

	emit_before(b, op);
	off = b->w - start;
	asm_bytes(b, op->insn, op->insn_len);
	emit_after(b, op);
	ASM(b, 0xc3);
	return off;
}

/*
 * Where a faulting thunk continues.  MXCSR has the new flags.  The x87 state
 * is stored too, since an instruction with an MMX operand has made its
 * registers valid before #XM.
 */
static void emit_exit(struct jit_buf *b, bool x87)
{
	if (x87)
		ASM(b, 0x48, 0x0f, 0xae, 0x06);
	else
		ASM(b, 0x0f, 0xae, 0x5e, XA_MXCSR);
	ASM(b, 0xdb, 0xe3);
	ASM(b, 0x41, 0x0f, 0xae, 0x50, 0x20);
	if (arena.avx)
		ASM(b, 0xc5, 0xf8, 0x77);
	ASM(b, 0xc3);
}

/* #syscalls:vmm-init memfd_create ftruncate mmap */
int vec_arena_init(void)
{
	_cleanup_close_ int fd = memfd_create("vec-thunks", MFD_CLOEXEC);
	struct jit_buf b;

	if (arena.exec)
		return 0;
	if (fd < 0 || ftruncate(fd, ARENA_SIZE) < 0)
		return -errno;
	arena.hash = calloc(HASH_SIZE, sizeof(*arena.hash));
	if (!arena.hash)
		return -ENOMEM;
	arena.write = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
			   fd, 0);
	if (arena.write == MAP_FAILED)
		return -errno;
	arena.exec = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED,
			  fd, 0);
	if (arena.exec == MAP_FAILED)
		return -errno;
	arena.avx = vec_host_avx();
	b = (struct jit_buf){ .w = arena.write };
	emit_exit(&b, false);
	b.w = arena.write + EXIT_X87;
	emit_exit(&b, true);
	arena.used = ARENA_FIRST;
	arena.limit = ARENA_SIZE;
	return 0;
}

bool vec_arena_has(uintptr_t rip)
{
	uintptr_t start = (uintptr_t)arena.exec;

	return start && rip >= start + ARENA_EXITS && rip < start + ARENA_SIZE;
}

uintptr_t vec_arena_exit(bool x87)
{
	return (uintptr_t)arena.exec + (x87 ? EXIT_X87 : 0);
}

static uint32_t hash_insn(const struct vec_op *op)
{
	uint32_t h = 2166136261u; /* FNV-1a */

	for (unsigned int i = 0; i < op->insn_len; i++)
		h = (h ^ op->insn[i]) * 16777619u;
	return h ^ h >> 15;
}

static struct thunk *find(const struct vec_op *op, uint32_t **ret_slot)
{
	uint32_t i = hash_insn(op) & (HASH_SIZE - 1);

	for (; arena.hash[i]; i = (i + 1) & (HASH_SIZE - 1)) {
		struct thunk *t = (void *)(arena.write + arena.hash[i]);

		if (t->insn_len == op->insn_len &&
		    memcmp(t->insn, op->insn, op->insn_len) == 0)
			return t;
	}
	*ret_slot = &arena.hash[i];
	return NULL;
}

static struct thunk *add(const struct vec_op *op, uint32_t *slot)
{
	uint8_t code[CODE_MAX];
	struct jit_buf b = { code, code + CODE_MAX };
	unsigned int off = emit_thunk(&b, op);
	size_t len = b.w - code;
	size_t size = ALIGN_UP(sizeof(struct thunk) + len, 32);
	struct thunk *t = (void *)(arena.write + arena.used);

	if (size > arena.limit - arena.used)
		return NULL;
	memcpy(t->insn, op->insn, sizeof(t->insn));
	t->insn_len = op->insn_len;
	t->insn_off = off;
	memcpy(t->code, code, len);
	*slot = arena.used;
	arena.used += size;
	return t;
}

void vec_arena_get(struct vec_op *op)
{
	struct thunk *t;
	uint32_t *slot;

	pthread_mutex_lock(&arena.lock);
	t = find(op, &slot);
	if (!t)
		t = add(op, slot);
	op->thunk = NULL;
	if (t) {
		op->thunk = arena.exec + (t->code - arena.write);
		op->insn_off = t->insn_off;
	}
	pthread_mutex_unlock(&arena.lock);
}

/* SDM vol. 3, "Handling Self- and Cross-Modifying Code": code written at
 * another linear address needs a serializing instruction. */
static void serialize(void)
{
	uint32_t a = 0, b, c = 0, d;

	__asm__ volatile("cpuid"
			 : "+a"(a), "=b"(b), "+c"(c), "=d"(d)
			 :
			 : "memory");
}

const uint8_t *vec_arena_once(const struct vec_op *op)
{
	uint8_t code[CODE_MAX];
	struct jit_buf b = { code, code + CODE_MAX };
	size_t at;

	if (!own_slot)
		own_slot = 1 + atomic_fetch_add(&arena.slots, 1);
	if (own_slot > ARENA_SLOTS)
		return NULL;
	emit_thunk(&b, op);
	assert(b.w - code <= THUNK_MAX);
	at = ARENA_EXITS + (own_slot - 1) * THUNK_MAX;
	memcpy(arena.write + at, code, b.w - code);
	serialize();
	return arena.exec + at;
}
