/*
 * tests/unit/bare.h -- a machine of RAM and processors, without a board: for
 * tests of what an engine does.
 */
#ifndef TESTS_UNIT_BARE_H
#define TESTS_UNIT_BARE_H

#include "vmm/machine.h"
#include "vmm/x86.h"

struct error;

struct bare {
	struct machine m; /* with empty buses */
	struct ram_slot slot;
	struct x86_cpuid cpuid;
};

/* slot says what RAM it has; fd: the engine's device or -1. */
int bare_create(struct bare *b, const struct engine *engine, int fd,
		const char *variant, struct error *err);
int bare_cpu(struct bare *b, unsigned int id, struct vcpu **ret_cpu,
	     struct error *err);
void bare_destroy(struct bare *b); /* its processors before */

#endif
