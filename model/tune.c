/*
 * model/tune.c -- what is asked of tune.h's structures.
 */
#include "model/tune.h"

const char *dom_pin_of(const struct dom_pin *pins, unsigned int n,
		       unsigned int id, const char *otherwise)
{
	for (unsigned int i = 0; i < n; i++)
		if (pins[i].id == id)
			return pins[i].cpuset;
	return otherwise;
}
