/*
 * vmm/boot/wake.c -- where a guest wakes up from suspend to RAM (ACPI 6.4,
 * section 16.3): firmware starts as after a reset and finds out by itself, and
 * without any its part is done here.
 */
#include "vmm/boot/boot.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "vmm/boot/acpi.h"
#include "vmm/machine.h"
#include "vmm/ram.h"
#include "vmm/spec.h"
#include "vmm/x86.h"

/* 5.2.10: where the FACS has them. */
enum { FACS_WAKING = 12, FACS_X_WAKING = 24, FACS_WAKING_END = 32 };

/* 16.3.3: real mode, the address as paragraph and offset. */
static void enter_real(struct x86_state *bsp, uint32_t vector)
{
	struct x86_segment *cs = &bsp->seg[X86_CS];

	cs->selector = vector >> 4;
	cs->base = vector & ~0xfu;
	bsp->rip = vector & 0xf;
}

int boot_wake(struct machine *m, struct x86_state *bsp, struct error *err)
{
	uint8_t facs[FACS_WAKING_END];
	uint32_t vector;
	uint64_t x_vector;
	int r;

	if (m->spec->firmware_fd >= 0)
		return 0;
	r = ram_read(m->ram, ACPI_FACS_AT, facs, sizeof(facs));
	if (r < 0)
		return error_set(err, r, "cannot read the guest's FACS: %m");
	memcpy(&vector, facs + FACS_WAKING, sizeof(vector));
	memcpy(&x_vector, facs + FACS_X_WAKING, sizeof(x_vector));
	if (x_vector && x_vector <= UINT32_MAX)
		boot_flat32(bsp, x_vector);
	else if (vector && vector < MIB)
		enter_real(bsp, vector);
	else
		return error_set(err, -EINVAL,
				 "the guest suspended itself and said nowhere it can wake up");
	return 0;
}
