/*
 * rpc/procs.c -- finding a procedure by its number.
 */
#include "rpc/procs.h"

const struct procedure *procedure_find(unsigned int program, int number)
{
	int base = program == QEMU_PROGRAM ? PROC_QEMU_BASE : 0;
	int end = program == QEMU_PROGRAM ? PROC_COUNT : PROC_QEMU_BASE + 1;

	if (number <= 0 || number >= end - base ||
	    !procedures[base + number].name)
		return NULL;
	return &procedures[base + number];
}
