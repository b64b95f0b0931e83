/*
 * rpc/procs.c -- finding a procedure by its number.
 */
#include "rpc/procs.h"

const struct procedure *procedure_find(int number)
{
	if (number <= 0 || number >= PROC_COUNT || !procedures[number].name)
		return NULL;
	return &procedures[number];
}
