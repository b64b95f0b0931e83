/*
 * drivers/emu/far.h -- transfers through gates and task state segments.
 */
#ifndef EMU_FAR_H
#define EMU_FAR_H

#include "drivers/emu/exec.h"

/*
 * Pushes n words of size bytes, the first one highest, and moves *sp.  view:
 * that of the stack's privilege level.
 */
void far_push(struct emu_cpu *cpu, unsigned int view,
	      const struct x86_segment *ss, uint64_t *sp, const uint64_t *words,
	      unsigned int n, unsigned int size);

/* The stack for an inner level from a 64-bit, or a 32-bit or 16-bit, TSS. */
uint64_t tss_stack64(struct emu_cpu *cpu, unsigned int offset, uint32_t ext);
void tss_stack32(struct emu_cpu *cpu, unsigned int cpl, uint32_t ext,
		 struct x86_segment *ss, uint64_t *sp);

/* Far JMP and CALL to a system descriptor: call gate, task gate or TSS. */
void far_system(struct emu_cpu *cpu, uint16_t selector, uint64_t desc,
		bool is_call);

/* ext: 1 in error codes of events from outside the program.  flags: RFLAGS
 * for the old task. */
enum task_reason { TASK_JMP, TASK_CALL, TASK_IRET, TASK_INT };
void task_switch(struct emu_cpu *cpu, uint16_t selector,
		 enum task_reason reason, uint32_t ext, uint64_t flags);

#endif
