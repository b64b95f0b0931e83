/*
 * rpc/procs.c -- finding a procedure by its number.
 */
#include "rpc/procs.h"

const struct procedure *procedure_find(unsigned int program, int number)
{
	int base = 0, end = PROC_QEMU_BASE + 1;

	if (program == QEMU_PROGRAM) {
		base = PROC_QEMU_BASE;
		end = PROC_ADMIN_BASE + 1;
	} else if (program == ADMIN_PROGRAM) {
		base = PROC_ADMIN_BASE;
		end = PROC_COUNT;
	}

	if (number <= 0 || number >= end - base ||
	    !procedures[base + number].name)
		return NULL;
	return &procedures[base + number];
}
