/*
 * drivers/emu/control.h -- transfers of control, near and far.
 */
#ifndef EMU_CONTROL_H
#define EMU_CONTROL_H

#include "drivers/emu/exec.h"

extern emu_fn *const jcc64_fns[16];

emu_fn op_jmp64, op_jmp, op_jcc, op_call64, op_call, op_ret64, op_ret,
	op_jmp_r, op_jmp_m, op_call_r, op_call_m, op_loop, op_jrcxz,
	op_jmp_far, op_jmp_far_m, op_call_far, op_call_far_m, op_retf,
	op_iret, op_syscall, op_sysret, op_sysenter, op_sysexit, op_int,
	op_int3, op_into, op_int1;

#endif
