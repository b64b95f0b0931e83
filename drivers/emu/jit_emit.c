/*
 * drivers/emu/jit_emit.c -- from scanned instructions to host code.
 */
#include "drivers/emu/jit_emit.h"

#include "drivers/emu/jit_rewrite.h"

const int8_t jit_map[16] = {
	[X86_RAX] = H_R9,   [X86_RCX] = H_R10,	[X86_RDX] = H_R11,
	[X86_RBX] = H_RBX,  [X86_RSP] = H_R15,	[X86_RBP] = H_RBP,
	[X86_RSI] = H_RSI,  [X86_RDI] = H_RDI,	[8] = H_NONE,
	[9] = H_NONE,	    [10] = H_NONE,	[11] = H_NONE,
	[12] = H_R12,	    [13] = H_R13,	[14] = H_R14,
	[15] = H_R8,
};

enum { SP_MAX = 1024 };

static int32_t gpr_off(int reg)
{
	return OFF(gpr) + 8 * reg;
}

bool spilled(int reg)
{
	return jit_map[reg] == H_NONE;
}

static void save_flags(struct emitter *e)
{
	ASM(&e->b, 0x9f, 0x0f, 0x90, 0xc0); /* lahf; seto al */
	e->fl = JF_AX;
}

/* CMP sets OF if AL is 1; AX stays what it is. */
void flags_from_ax(struct jit_buf *b)
{
	ASM(b, 0x3c, 0x81, 0x9e); /* cmp al, -127; sahf */
}

void host_flags(struct emitter *e)
{
	if (e->fl == JF_AX) {
		flags_from_ax(&e->b);
		e->fl = JF_BOTH;
	} else if (e->fl == JF_DEAD) {
		e->fl = JF_HOST;
	}
}

void ax_flags(struct emitter *e)
{
	if (e->fl == JF_HOST)
		save_flags(e);
	e->fl = JF_AX;
}

uint16_t wanted(const struct emitter *e, const struct scan_insn *i)
{
	if (e->jit->strict && i->may_fault)
		return FLAGS_ARITH;
	return (i->live & ~i->kills) | i->reads;
}

void flags_aside(struct emitter *e, const struct scan_insn *i)
{
	if (!wanted(e, i))
		e->fl = JF_DEAD;
	else
		ax_flags(e);
}

/* Before and after an instruction that uses them as i says. */
static void flags_before(struct emitter *e, const struct scan_insn *i)
{
	if (i->reads || (i->writes && i->live & ~i->kills))
		host_flags(e);
}

static void flags_after(struct emitter *e, const struct scan_insn *i)
{
	if (i->writes)
		e->fl = JF_HOST;
}

void add_stub(struct emitter *e, uint8_t *jump, unsigned int n,
		     unsigned int mem, enum stub_kind kind)
{
	assert(e->n_stubs < STUBS_MAX);
	e->stubs[e->n_stubs++] = (struct stub){
		.jump = jump, .n = n, .mem = mem, .kind = kind
	};
}

int load_spilled(struct emitter *e, int scratch, int reg)
{
	if (!spilled(reg))
		return jit_map[reg];
	if (scratch == H_RCX && e->rcx == reg)
		return scratch;
	asm_load(&e->b, W1, scratch, mem_gs(gpr_off(reg)));
	if (scratch == H_RDX)
		e->rdx = -1;
	else
		e->rcx = reg;
	return scratch;
}

bool checks_memory(const struct scan_insn *i)
{
	for (unsigned int k = 0; k < i->n_mem; k++)
		if (i->mem[k].group < 0 || i->mem[k].first)
			return true;
	return false;
}

/* The memory operand in a form that leaves RDX free, RCX holding it all. */
static struct host_mem collapse(struct emitter *e, struct host_mem h)
{
	asm_lea(&e->b, W1, H_RCX, h);
	e->rdx = e->rcx = -1;
	return mem_at(H_RCX, 0);
}

bool uses(const struct host_mem *h, int reg)
{
	return h->base == reg || h->index == reg;
}

/* A visible general register and the host's that stands for it. */
struct operand {
	const ZydisDecodedOperand *o;
	int guest, host;
	bool high, own; /* AH to BH; a scratch register */
};

static void operand_in(struct emitter *e, const struct scan_insn *i,
		       struct operand *p, int scratch)
{
	bool whole = p->o->size >= 32 &&
		     p->o->actions == ZYDIS_OPERAND_ACTION_WRITE &&
		     i->d.z.mnemonic != ZYDIS_MNEMONIC_BSF &&
		     i->d.z.mnemonic != ZYDIS_MNEMONIC_BSR;

	p->host = jit_map[p->guest];
	p->own = p->high || spilled(p->guest);
	if (!p->own)
		return;
	if (!whole && spilled(p->guest))
		load_spilled(e, scratch, p->guest);
	if (p->high)
		asm_rorx(&e->b, W1, scratch,
			 spilled(p->guest) ? scratch : p->host, 8);
	if (scratch == H_RDX)
		e->rdx = -1;
	else if (whole || p->high)
		e->rcx = -1;
	p->host = scratch;
}

void store_spilled(struct emitter *e, int host, int reg)
{
	asm_store(&e->b, W1, host, mem_gs(gpr_off(reg)));
	if (host == H_RCX)
		e->rcx = reg;
	else if (e->rcx == reg)
		e->rcx = -1;
}

static void operand_out(struct emitter *e, const struct operand *p)
{
	if (!p->own || !(p->o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
		return;
	if (p->high)
		asm_rorx(&e->b, W1, jit_map[p->guest], p->host, 56);
	else
		store_spilled(e, p->host, p->guest);
}

/* Memory instead of a register: operations whose two forms do the same. */
static bool takes_memory(const struct scan_insn *i)
{
	switch (i->d.z.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
	case ZYDIS_MNEMONIC_MOVZX:
	case ZYDIS_MNEMONIC_MOVSX:
	case ZYDIS_MNEMONIC_MOVSXD:
	case ZYDIS_MNEMONIC_ADD:
	case ZYDIS_MNEMONIC_ADC:
	case ZYDIS_MNEMONIC_SUB:
	case ZYDIS_MNEMONIC_SBB:
	case ZYDIS_MNEMONIC_AND:
	case ZYDIS_MNEMONIC_OR:
	case ZYDIS_MNEMONIC_XOR:
	case ZYDIS_MNEMONIC_CMP:
	case ZYDIS_MNEMONIC_TEST:
	case ZYDIS_MNEMONIC_IMUL:
		return i->d.z.encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
	default:
		return false;
	}
}

/* A register that is only read, and lies in the vCPU: read there. */
static bool read_in_place(const struct emitter *e, const struct scan_insn *i,
			  const struct operand *p)
{
	return spilled(p->guest) && !p->high && !i->n_mem &&
	       e->rcx != p->guest &&
	       p->o->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM &&
	       p->o->actions == ZYDIS_OPERAND_ACTION_READ && takes_memory(i);
}

static unsigned int list_operands(const struct scan_insn *i, struct operand *p)
{
	unsigned int n = 0;

	for (unsigned int k = 0; k < i->d.z.operand_count_visible; k++) {
		const ZydisDecodedOperand *o = &i->d.op[k];

		if (!jit_is_gpr(o) || o->encoding == ZYDIS_OPERAND_ENCODING_NONE)
			continue;
		p[n++] = (struct operand){
			.o = o,
			.guest = jit_gpr_id(o->reg.value),
			.high = o->reg.value >= ZYDIS_REGISTER_AH &&
				o->reg.value <= ZYDIS_REGISTER_BH,
		};
	}
	return n;
}

static void set_rewrite(struct rewrite *rw, const struct operand *p)
{
	rw->byte_regs = rw->byte_regs || p->o->size == 8;
	switch (p->o->encoding) {
	case ZYDIS_OPERAND_ENCODING_MODRM_REG:
		rw->reg = p->host;
		break;
	case ZYDIS_OPERAND_ENCODING_MODRM_RM:
		rw->rm = p->host;
		break;
	case ZYDIS_OPERAND_ENCODING_NDSNDD:
		rw->vvvv = p->host;
		break;
	default:
		rw->opcode = p->host;
		break;
	}
}

/* BH lives in RBX, which is itself: the result must not meet AH's way. */
static void body(struct emitter *e, const struct scan_insn *i,
		 struct host_mem *h, int first, int second)
{
	struct rewrite rw = { H_NONE, H_NONE, H_NONE, H_NONE };
	struct operand p[4];
	unsigned int n = list_operands(i, p), own = 0;

	for (unsigned int k = 0; k < n; k++) {
		bool same = k && p[k].guest == p[0].guest &&
			    p[k].high == p[0].high && p[0].own;

		if (!same && read_in_place(e, i, &p[k])) {
			rw.in_place = true;
			rw.mem = mem_gs(gpr_off(p[k].guest));
			continue;
		}
		operand_in(e, i, &p[k], same ? p[0].host
					: own ? second
					      : first);
		if (same)
			p[k].host = p[0].host;
		own += p[k].own && !same;
		set_rewrite(&rw, &p[k]);
	}
	if (h)
		rw.mem = *h;
	jit_rewrite(&e->b, &i->d.z, i->bytes, &rw);
	for (unsigned int k = n; k-- > 0;)
		operand_out(e, &p[k]);
}

static bool needs_scratch(const struct scan_insn *i)
{
	struct operand p[4];
	unsigned int n = list_operands(i, p);

	for (unsigned int k = 0; k < n; k++)
		if (p[k].high || spilled(p[k].guest))
			return true;
	return false;
}

/* RCX or RDX, whichever the operand is not made of. */
int scratch_beside(struct emitter *e, struct host_mem *h)
{
	if (!uses(h, H_RCX))
		return H_RCX;
	*h = collapse(e, *h);
	return H_RDX;
}

static struct jit_insn *kept(struct emitter *e, unsigned int n)
{
	return &e->blk->insn[n];
}

/* Memory operand of a plain instruction, with RCX or RDX left over. */
static struct host_mem plain_mem(struct emitter *e, unsigned int n,
				 int *scratch)
{
	struct scan_insn *i = &e->s->insn[n];
	struct host_mem h = emit_mem(e, n, &i->mem[0]);

	*scratch = H_RCX;
	if (needs_scratch(i) && uses(&h, H_RCX)) {
		h = collapse(e, h);
		*scratch = H_RDX;
	}
	return h;
}

static void emit_plain(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	struct host_mem h;
	int scratch = H_RCX;

	if (i->n_mem)
		h = plain_mem(e, n, &scratch);
	flags_before(e, i);
	kept(e, n)->flags_body = e->fl;
	body(e, i, i->n_mem ? &h : NULL, scratch, H_RDX);
	flags_after(e, i);
}

void put_meta_jump(struct jit_buf *b, const uint8_t *tramp,
		   struct jit_block *blk, unsigned int n, unsigned int mem)
{
	struct jit_meta m = { blk, n, mem };

	ASM(b, 0x48, 0x8d, 0x0d, 5, 0, 0, 0); /* lea rcx, [behind the jmp] */
	asm_jmp(b, tramp);
	asm_bytes(b, &m, sizeof(m));
}

void emit_helper(struct emitter *e, unsigned int n)
{
	put_meta_jump(&e->b,
		      e->fl == JF_AX ? e->jit->helper_ax : e->jit->helper,
		      e->blk, n, 0);
	e->rdx = -1;
	e->fl = JF_BOTH;
}

void emit_helper_if(struct emitter *e, unsigned int n, uint8_t *jump)
{
	add_stub(e, jump, n, 0,
		 e->fl == JF_AX ? STUB_HELPER_AX : STUB_HELPER);
}

void emit_rip(struct emitter *e, int reg, int32_t offset)
{
	asm_load(&e->b, W1, reg, mem_gs(OFF(jit.page)));
	asm_lea(&e->b, e->w, reg, mem_at(reg, offset));
}

void flush_sp(struct emitter *e)
{
	if (e->sp && e->key & JIT_KEY_SP16)
		put8(&e->b, 0x66);
	if (e->sp)
		asm_lea(&e->b, e->w, G_RSP, mem_at(G_RSP, e->sp));
	e->sp = 0;
}

void add_sp(struct emitter *e, int32_t add)
{
	e->sp += add;
	if (e->key & JIT_KEY_SP16) /* it wraps where the register does not */
		flush_sp(e);
}

static void push_imm(struct emitter *e, unsigned int size, struct host_mem h,
		     int32_t imm)
{
	if (size == 2)
		put8(&e->b, 0x66);
	asm_rm(&e->b, size == 8 ? W1 : W0, 0xc7, 0, h);
	asm_bytes(&e->b, &imm, MIN(size, sizeof(imm)));
}

static void emit_push(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	const ZydisDecodedOperand *o = &i->d.op[0];
	unsigned int size = i->mem[i->n_mem - 1].size;
	struct host_mem h;
	int src;

	if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
		h = emit_mem(e, n, &i->mem[0]);
		e->rcx = -1;
		asm_load_zero(&e->b, size, H_RCX, h);
		asm_store(&e->b, W1, H_RCX, mem_gs(OFF(jit.tmp)));
	}
	h = emit_mem(e, n, &i->mem[i->n_mem - 1]);
	if (o->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		push_imm(e, size, h, o->imm.value.s);
	} else if (o->type == ZYDIS_OPERAND_TYPE_MEMORY) {
		src = scratch_beside(e, &h);
		asm_load(&e->b, W1, src, mem_gs(OFF(jit.tmp)));
		asm_store_size(&e->b, size, src, h);
	} else {
		src = load_spilled(e, H_RCX, jit_gpr_id(o->reg.value));
		asm_store_size(&e->b, size, src, h);
	}
	add_sp(e, -(int32_t)size);
}

static void emit_pop(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	struct host_mem h = emit_mem(e, n, &i->mem[0]);
	int reg = jit_gpr_id(i->d.op[0].reg.value);
	unsigned int size = i->mem[0].size;

	if (spilled(reg)) {
		asm_load(&e->b, W1, H_RCX, h);
		store_spilled(e, H_RCX, reg);
	} else {
		asm_load_size(&e->b, size, jit_map[reg], h);
	}
	if (reg != X86_RSP)
		add_sp(e, size);
}

static void emit_leave_frame(struct emitter *e, unsigned int n)
{
	struct host_mem h = emit_mem(e, n, &e->s->insn[n].mem[0]);
	unsigned int size = e->s->insn[n].mem[0].size;

	e->rcx = -1;
	asm_load_zero(&e->b, size, H_RCX, h);
	asm_lea(&e->b, e->w, G_RSP, mem_at(H_RBP, size));
	asm_mov_rr(&e->b, W1, H_RBP, H_RCX);
}

static void emit_lea(struct emitter *e, unsigned int n)
{
	const struct scan_insn *i = &e->s->insn[n];
	int reg = jit_gpr_id(i->d.op[0].reg.value);
	bool w16 = i->d.op[0].size == 16;
	int dst = spilled(reg) || w16 ? H_RCX : jit_map[reg];
	struct jit_mem m;

	jit_scan_address(i, &i->d.op[1], &m);
	/* In the narrower of operand and address size. */
	m.addr32 = m.addr32 || i->d.op[0].size == 32;
	emit_offset(e, dst, &m, 0);
	if (w16) { /* 32-bit code: none is spilled */
		put8(&e->b, 0x66);
		asm_mov_rr(&e->b, W0, jit_map[reg], H_RCX);
	} else if (dst == H_RCX) {
		store_spilled(e, H_RCX, reg);
	}
}

static void emit_muldiv(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	struct rewrite rw = { H_NONE, H_NONE, H_NONE, H_NONE };
	unsigned int size = i->d.op[0].size;

	rw.byte_regs = size == 8;
	if (i->n_mem)
		rw.mem = collapse(e, emit_mem(e, n, &i->mem[0]));
	else
		rw.rm = load_spilled(e, H_RCX, jit_gpr_id(i->d.op[0].reg.value));
	if (wanted(e, i))
		host_flags(e);
	kept(e, n)->flags_body = e->fl;
	e->rdx = -1;
	asm_mov_rr(&e->b, W1, H_RAX, G_RAX);
	asm_mov_rr(&e->b, W1, H_RDX, G_RDX);
	jit_rewrite(&e->b, &i->d.z, i->bytes, &rw);
	asm_mov_rr(&e->b, W1, G_RAX, H_RAX);
	asm_mov_rr(&e->b, W1, G_RDX, H_RDX);
	e->fl = JF_HOST;
}

static void emit_shift_cl(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	struct host_mem h;

	if (i->n_mem) {
		h = emit_mem(e, n, &i->mem[0]);
		if (uses(&h, H_RCX)) {
			asm_lea(&e->b, W1, H_RDX, h);
			h = mem_at(H_RDX, 0);
			e->rdx = -1;
		}
	}
	flags_before(e, i);
	kept(e, n)->flags_body = e->fl;
	asm_mov_rr(&e->b, W0, H_RCX, G_RCX);
	body(e, i, i->n_mem ? &h : NULL, H_RDX, H_RDX);
	flags_after(e, i);
}

static void emit_cmpxchg(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	struct host_mem h;
	int scratch = H_RCX;

	if (i->n_mem)
		h = plain_mem(e, n, &scratch);
	if (wanted(e, i))
		host_flags(e);
	kept(e, n)->flags_body = e->fl;
	asm_mov_rr(&e->b, W1, H_RAX, G_RAX);
	body(e, i, i->n_mem ? &h : NULL, scratch, scratch);
	asm_mov_rr(&e->b, W1, G_RAX, H_RAX);
	e->fl = JF_HOST;
}

static void emit_convert(struct emitter *e, const struct scan_insn *i)
{
	host_flags(e);
	asm_mov_rr(&e->b, W1, H_RAX, G_RAX);
	asm_mov_rr(&e->b, W1, H_RDX, G_RDX);
	e->rdx = -1;
	if (i->d.z.operand_width == 16)
		put8(&e->b, 0x66);
	if (i->d.z.operand_width == 64)
		put8(&e->b, 0x48);
	put8(&e->b, i->d.z.opcode);
	asm_mov_rr(&e->b, W1, G_RAX, H_RAX);
	asm_mov_rr(&e->b, W1, G_RDX, H_RDX);
	e->fl = JF_HOST;
}

static void put_imm(struct jit_buf *b, const struct scan_insn *i)
{
	unsigned int off = i->d.z.raw.imm[0].offset;

	asm_bytes(b, i->bytes + off, i->i.len - off);
}

/* OP AL/AX/EAX/RAX, imm as OP r/m, imm. */
static void emit_acc_alu(struct emitter *e, const struct scan_insn *i)
{
	bool test = (i->d.z.opcode & 0xfe) == 0xa8;
	uint8_t op = test ? 0xf6 : 0x80, ext = test ? 0 : i->d.z.opcode >> 3;

	if (i->d.op[0].size == 16)
		put8(&e->b, 0x66);
	put8(&e->b, 0x41 | (i->d.op[0].size == 64 ? 8 : 0));
	put8(&e->b, op | (i->d.z.opcode & 1));
	put8(&e->b, 0xc0 | (ext & 7) << 3 | (G_RAX & 7));
	put_imm(&e->b, i);
}

static void emit_acc_xchg(struct emitter *e, const struct scan_insn *i)
{
	int a = jit_gpr_id(i->d.op[0].reg.value);
	int b = jit_gpr_id(i->d.op[1].reg.value);
	int other = a == X86_RAX ? b : a;
	int reg = load_spilled(e, H_RCX, other);

	if (i->d.op[0].size == 16)
		put8(&e->b, 0x66);
	asm_rr(&e->b, i->d.op[0].size == 64 ? W1 : W0, 0x87, G_RAX, reg);
	if (reg == H_RCX)
		asm_store(&e->b, W1, H_RCX, mem_gs(gpr_off(other)));
}

static void emit_acc(struct emitter *e, const struct scan_insn *i)
{
	flags_before(e, i);
	if (i->d.z.mnemonic == ZYDIS_MNEMONIC_XCHG)
		emit_acc_xchg(e, i);
	else
		emit_acc_alu(e, i);
	flags_after(e, i);
}

/* MOV of AL, AX or EAX: the opcode's second bit is the direction. */
static void emit_moffs(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	struct host_mem h = emit_mem(e, n, &i->mem[0]);

	if (i->d.z.operand_width == 16)
		put8(&e->b, 0x66);
	asm_rm(&e->b, W0, (i->d.z.opcode & 1) | (i->d.z.opcode & 2 ? 0x88 : 0x8a),
	       G_RAX, h);
}

/* MULX takes RDX without naming it. */
static void emit_mulx(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	struct host_mem h;
	int scratch = H_RCX;

	if (i->n_mem) {
		h = emit_mem(e, n, &i->mem[0]);
		if (uses(&h, H_RDX))
			h = collapse(e, h);
	}
	kept(e, n)->flags_body = e->fl;
	e->rdx = -1;
	asm_mov_rr(&e->b, W1, H_RDX, G_RDX);
	if (i->n_mem && needs_scratch(i)) {
		/* RDX is read before it is written. */
		scratch = H_RDX;
	}
	body(e, i, i->n_mem ? &h : NULL, scratch, H_RDX);
}

static void emit_fnstsw(struct emitter *e)
{
	host_flags(e);
	ASM(&e->b, 0xdf, 0xe0, 0x66); /* fnstsw ax; mov r9w, ax */
	asm_rr(&e->b, W0, 0x8b, G_RAX, H_RAX);
	e->fl = JF_HOST;
}

static void emit_pcmpistri(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	struct host_mem h;

	if (i->n_mem)
		h = emit_mem(e, n, &i->mem[0]);
	kept(e, n)->flags_body = e->fl;
	body(e, i, i->n_mem ? &h : NULL, H_RCX, H_RDX);
	asm_mov_rr(&e->b, W0, G_RCX, H_RCX);
	e->fl = JF_HOST;
}

static void emit_insn(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];

	switch (i->kind) {
	case JK_PLAIN:
		emit_plain(e, n);
		break;
	case JK_NOP:
		break;
	case JK_HELPER:
	case JK_LEAVE:
		emit_helper(e, n);
		break;
	case JK_JCC:
	case JK_JMP:
	case JK_CALL:
	case JK_RET:
	case JK_JMP_IND:
	case JK_CALL_IND:
		emit_branch(e, n);
		break;
	case JK_PUSH:
		emit_push(e, n);
		break;
	case JK_POP:
		emit_pop(e, n);
		break;
	case JK_LEAVE_FRAME:
		emit_leave_frame(e, n);
		break;
	case JK_LEA:
		emit_lea(e, n);
		break;
	case JK_MULDIV:
		emit_muldiv(e, n);
		break;
	case JK_SHIFT_CL:
		emit_shift_cl(e, n);
		break;
	case JK_CMPXCHG:
		emit_cmpxchg(e, n);
		break;
	case JK_CONVERT:
		emit_convert(e, i);
		break;
	case JK_ACC:
		emit_acc(e, i);
		break;
	case JK_MOFFS:
		emit_moffs(e, n);
		break;
	case JK_MULX:
		emit_mulx(e, n);
		break;
	case JK_FNSTSW:
		emit_fnstsw(e);
		break;
	case JK_PCMPISTRI:
		emit_pcmpistri(e, n);
		break;
	case JK_SYS:
	case JK_SYS_END:
		emit_sys(e, n);
		break;
	}
}

/* Is e->rcx right behind such an instruction? */
static bool keeps_rcx(enum jit_kind kind)
{
	switch (kind) {
	case JK_PLAIN:
	case JK_NOP:
	case JK_JCC:
	case JK_LEA:
	case JK_PUSH:
	case JK_POP:
	case JK_ACC:
	case JK_CONVERT:
		return true;
	default:
		return false;
	}
}

/* Has the instruction to find RSP itself in its register? */
static bool wants_sp(const struct emitter *e, const struct scan_insn *i)
{
	struct operand p[4];
	unsigned int n;

	switch (i->kind) {
	case JK_PLAIN:
	case JK_LEA:
	case JK_PUSH:
	case JK_POP:
		break;
	default:
		return i->kind != JK_NOP && i->kind != JK_CALL &&
		       i->kind != JK_RET;
	}
	n = list_operands(i, p);
	while (n-- > 0)
		if (p[n].guest == X86_RSP)
			return true;
	return e->sp < -SP_MAX || e->sp > SP_MAX;
}

void emit_one(struct emitter *e, unsigned int n)
{
	struct scan_insn *i = &e->s->insn[n];
	struct jit_insn *k = kept(e, n);

	/* What the host fuses with a branch stays next to it. */
	if (wants_sp(e, i) || (n + 1 < e->s->n && i[1].kind == JK_JCC))
		flush_sp(e);
	*k = (struct jit_insn){
		.guest = i->guest,
		.host = e->b.w + e->b.to_exec - e->blk->code,
		.flags_entry = e->fl,
		.rdx = e->rdx < 0 ? 0xff : e->rdx,
		.rcx = e->rcx < 0 ? 0xff : e->rcx,
		.until = i->until,
		.sp = e->sp,
		.insn = i->i,
	};
	if (checks_memory(i))
		flags_aside(e, i);
	k->flags_inside = k->flags_body = e->fl;
	emit_insn(e, n);
	if (!keeps_rcx(i->kind))
		e->rcx = -1;
}
