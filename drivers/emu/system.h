/*
 * drivers/emu/system.h -- system instructions.
 */
#ifndef EMU_SYSTEM_H
#define EMU_SYSTEM_H

#include "drivers/emu/exec.h"

emu_fn op_hlt, op_cli, op_sti, op_in, op_out, op_cpuid, op_rdtsc, op_rdtscp,
	op_rdpmc, op_rdmsr, op_wrmsr, op_mov_r_cr, op_mov_cr_r, op_mov_r_dr,
	op_mov_dr_r, op_clts, op_lmsw_r, op_lmsw_m, op_lgdt, op_lidt, op_sgdt,
	op_sidt, op_clzero, op_invlpg, op_invpcid, op_invd, op_swapgs, op_xgetbv,
	op_xsetbv, op_rdfsbase, op_wrfsbase, op_clac, op_stac, op_rdrand,
	op_rdseed, op_rdpid, op_clflush, op_pause, op_fence, op_ud,
	op_vmcall;

#endif
