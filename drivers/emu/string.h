/*
 * drivers/emu/string.h -- string instructions; aux is the element's size,
 * flags carry the repetition and the address size.
 */
#ifndef EMU_STRING_H
#define EMU_STRING_H

#include "drivers/emu/exec.h"

emu_fn op_movs, op_stos, op_lods, op_cmps, op_scas, op_ins, op_outs;

#endif
