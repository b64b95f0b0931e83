/*
 * vmm/x86.c -- the vCPU's state after reset.
 */
#include "vmm/x86.h"

#include <string.h>

#include "base/util.h"

static void lapic_put(struct x86_state *s, unsigned int reg, uint32_t value)
{
	memcpy(s->lapic + reg, &value, sizeof(value));
}

/* SDM vol. 3, "Local APIC State After Power-Up or Reset". */
static void lapic_reset(struct x86_state *s, unsigned int apic_id)
{
	lapic_put(s, 0x20, apic_id << 24);
	lapic_put(s, 0x30, 0x00050014); /* version, six LVT entries */
	lapic_put(s, 0xe0, 0xffffffff); /* flat model */
	lapic_put(s, 0xf0, 0xff);
	for (unsigned int lvt = 0x320; lvt <= 0x370; lvt += 0x10)
		lapic_put(s, lvt, BIT(16));
}

/* SDM vol. 1, "XSAVE Area": x87 and SSE in their initial configuration. */
static void xsave_reset(struct x86_state *s)
{
	const uint16_t fcw = 0x0040;
	const uint32_t mxcsr = 0x1f80;
	const uint64_t xstate_bv = 3;

	memcpy(s->xsave, &fcw, sizeof(fcw));
	memcpy(s->xsave + 24, &mxcsr, sizeof(mxcsr));
	memcpy(s->xsave + 512, &xstate_bv, sizeof(xstate_bv));
}

void x86_state_reset(struct x86_state *s, bool bsp, unsigned int apic_id)
{
	memset(s, 0, sizeof(*s));
	s->rip = 0xfff0;
	s->rflags = 0x2;
	s->gpr[X86_RDX] = 0x600;
	s->cr0 = 0x60000010;
	s->xcr0 = 1;
	s->dr[6] = 0xffff0ff0;
	s->dr[7] = 0x400;
	for (unsigned int i = 0; i < X86_SEGS; i++)
		s->seg[i] = (struct x86_segment){ .limit = 0xffff,
						  .attr = 0x0093 };
	s->seg[X86_CS].selector = 0xf000;
	s->seg[X86_CS].base = 0xffff0000;
	s->seg[X86_CS].attr = 0x009b;
	s->ldt = (struct x86_segment){ .limit = 0xffff, .attr = 0x0082 };
	s->tr = (struct x86_segment){ .limit = 0xffff, .attr = 0x008b };
	s->gdt.limit = s->idt.limit = 0xffff;
	s->apic_base = 0xfee00000 | BIT(11) | (bsp ? BIT(8) : 0);
	s->run_state = bsp ? X86_RUNNING : X86_WAIT_INIT;
	lapic_reset(s, apic_id);
	xsave_reset(s);
}
