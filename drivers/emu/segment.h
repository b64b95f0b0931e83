/*
 * drivers/emu/segment.h -- instructions that load, store or inspect segment
 * registers.  aux: the segment register, or where the selector is.
 */
#ifndef EMU_SEGMENT_H
#define EMU_SEGMENT_H

#include "drivers/emu/exec.h"

enum { F_OPERAND_REG, F_OPERAND_MEM };

emu_fn op_mov_seg_r, op_mov_seg_m, op_mov_r_seg, op_mov_m_seg, op_push_seg,
	op_pop_seg, op_load_far, op_lldt, op_ltr, op_sldt, op_str, op_smsw,
	op_lar, op_lsl, op_verr, op_verw;

#endif
