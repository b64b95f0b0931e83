/*
 * drivers/emu/alu.h -- tables of executing functions, by operation, operand
 * form and width; filled in alu.c, mov.c and bits.c, read by decode.c.
 */
#ifndef EMU_ALU_H
#define EMU_ALU_H

#include "drivers/emu/exec.h"

/* Widths: index of the tables below. */
enum { W8, W16, W32, W64, WIDTHS };

/* Forms: destination, source. */
enum { F_RR, F_RI, F_RM, F_MR, F_MI, F_LOCK_MR, F_LOCK_MI, FORMS };

enum alu2 { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR,
	    ALU_CMP, ALU_TEST, ALU2_OPS };
extern emu_fn *const alu2_fns[ALU2_OPS][FORMS][WIDTHS];

/* One operand: register, memory, locked memory. */
enum { F_R, F_M, F_LOCK_M, FORMS1 };
enum alu1 { ALU_INC, ALU_DEC, ALU_NEG, ALU_NOT, ALU1_OPS };
extern emu_fn *const alu1_fns[ALU1_OPS][FORMS1][WIDTHS];

/* Shifts: register or memory, by immediate or CL. */
enum { F_R_I, F_R_CL, F_M_I, F_M_CL, SHIFT_FORMS };
enum shift { SH_ROL, SH_ROR, SH_RCL, SH_RCR, SH_SHL, SH_SHR, SH_SAR,
	     SHIFT_OPS };
extern emu_fn *const shift_fns[SHIFT_OPS][SHIFT_FORMS][WIDTHS];
/* SHLD, SHRD: [0..1]; the second register is in src. */
extern emu_fn *const shiftd_fns[2][SHIFT_FORMS][WIDTHS];

/* Destination register (dst), source register or memory. */
enum { F_REG, F_MEM, FORMS_RM };
enum mul { MUL_MUL, MUL_IMUL, MUL_DIV, MUL_IDIV, MUL_OPS };
extern emu_fn *const mul_fns[MUL_OPS][FORMS_RM][WIDTHS];
extern emu_fn *const imul2_fns[FORMS_RM][WIDTHS];
extern emu_fn *const imul3_fns[FORMS_RM][WIDTHS];

enum bitop { BIT_BSF, BIT_BSR, BIT_TZCNT, BIT_LZCNT, BIT_POPCNT, BIT_BLSI,
	     BIT_BLSR, BIT_BLSMSK, BIT_ADCX, BIT_ADOX, BIT_MOVBE, BIT_RORX,
	     BIT_OPS };
extern emu_fn *const bit_fns[BIT_OPS][FORMS_RM][WIDTHS];
/* Three operands: dst, aux (register), r/m; which is which as encoded. */
enum bmi { BMI_ANDN, BMI_BEXTR, BMI_BZHI, BMI_PDEP, BMI_PEXT, BMI_SHLX,
	   BMI_SHRX, BMI_SARX, BMI_MULX, BMI_OPS };
extern emu_fn *const bmi_fns[BMI_OPS][FORMS_RM][WIDTHS];

enum bt { BT_BT, BT_BTS, BT_BTR, BT_BTC, BT_OPS };
extern emu_fn *const bt_fns[BT_OPS][FORMS][WIDTHS];

/* XCHG, XADD, CMPXCHG: F_RR, F_MR, F_LOCK_MR. */
enum xop { X_XCHG, X_XADD, X_CMPXCHG, X_OPS };
extern emu_fn *const xop_fns[X_OPS][FORMS][WIDTHS];

extern emu_fn *const mov_fns[FORMS][WIDTHS];
/* [destination width][source width]. */
extern emu_fn *const movzx_fns[FORMS_RM][WIDTHS][WIDTHS];
extern emu_fn *const movsx_fns[FORMS_RM][WIDTHS][WIDTHS];
extern emu_fn *const movbe_store_fns[WIDTHS];
extern emu_fn *const lea_fns[WIDTHS];
extern emu_fn *const cmov_fns[FORMS_RM][WIDTHS];
extern emu_fn *const push_fns[3][WIDTHS]; /* register, immediate, memory */
extern emu_fn *const pop_fns[FORMS_RM][WIDTHS];

emu_fn op_setcc_r, op_setcc_m, op_bswap16, op_bswap32, op_bswap64, op_crc32_r,
	op_crc32_m, op_cmpxchg8b, op_cmpxchg16b, op_cbw, op_cwde,
	op_cdqe, op_cwd, op_cdq, op_cqo, op_lahf, op_sahf, op_clc, op_stc,
	op_cmc, op_cld, op_std, op_aaa, op_aas, op_daa, op_das, op_aam, op_aad,
	op_salc, op_xlat, op_pusha, op_popa, op_pushf, op_popf, op_enter,
	op_leave, op_nop, op_bound, op_arpl, op_movnti32, op_movnti64;

#endif
