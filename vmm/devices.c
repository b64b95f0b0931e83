/*
 * vmm/devices.c -- which devices a specification asks for.
 */
#include "vmm/machine.h"

#include "base/error.h"
#include "vmm/dev/debugexit.h"
#include "vmm/dev/pvpanic.h"
#include "vmm/dev/serial.h"
#include "vmm/spec.h"

static int add_serials(struct machine *m, struct error *err)
{
	for (unsigned int i = 0; i < m->spec->n_serials; i++) {
		int r = serial_create(m, &m->spec->serials[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

int machine_add_devices(struct machine *m, struct error *err)
{
	int r = add_serials(m, err);

	if (r < 0)
		return r;
	if (m->spec->pvpanic)
		pvpanic_create(m);
	if (m->spec->debug_exit)
		debugexit_create(m);
	return 0;
}
