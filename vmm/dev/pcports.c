/*
 * vmm/dev/pcports.c -- ports of a PC's chip set that the small machine does
 * without (Intel ICH9 datasheet, "Processor Interface Registers" and "APM I/O
 * Decode").
 *
 *	port 0x92	bit 0: reset when it rises; bit 1: address line 20
 *	port 0xb2	a byte of software's choice, and an SMI when written, if
 *			the power management registers of q35 allow it
 *	port 0xb3	another byte
 */
#include "vmm/dev/pcports.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/machine.h"
#include "vmm/state.h"

enum { PORT_FAST_INIT = 0x92, PORT_APM = 0xb2 };
enum { FAST_RESET = 1, FAST_A20 = 2 };
enum { APM_CONTROL, APM_STATUS, APM_PORTS };

struct pcports {
	struct machine *m;
	machine_fn *apm_written;
	void *arg;
	_Atomic uint8_t fast, apm[APM_PORTS];
};

static uint64_t fast_read(void *dev, uint64_t offset, unsigned int size)
{
	struct pcports *p = dev;

	return p->fast;
}

static void fast_write(void *dev, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	struct pcports *p = dev;
	uint8_t old = atomic_exchange(&p->fast, value & 3);

	if (value & FAST_RESET && !(old & FAST_RESET))
		machine_request_reset(p->m);
	if ((value ^ old) & FAST_A20 && p->m->engine->a20)
		p->m->engine->a20(p->m->vm, value & FAST_A20);
}

static uint64_t apm_read(void *dev, uint64_t offset, unsigned int size)
{
	struct pcports *p = dev;

	return p->apm[offset];
}

static void apm_write(void *dev, uint64_t offset, uint64_t value,
		      unsigned int size)
{
	struct pcports *p = dev;

	p->apm[offset] = value;
	if (offset == APM_CONTROL)
		p->apm_written(p->arg);
}

static void always_smi(void *arg)
{
	machine_smi(arg);
}

static const struct bus_ops fast_ops = { fast_read, fast_write };
static const struct bus_ops apm_ops = { apm_read, apm_write };

static void pcports_reset(void *dev)
{
	struct pcports *p = dev;

	p->fast = FAST_A20;
	p->apm[APM_CONTROL] = p->apm[APM_STATUS] = 0;
	if (p->m->engine->a20)
		p->m->engine->a20(p->m->vm, true);
}

static const struct state_field pcports_fields[] = {
	STATE_MAX(struct pcports, fast, FAST_RESET | FAST_A20),
	STATE_INTS(struct pcports, apm),
	STATE_END,
};

static void pcports_restored(void *dev)
{
	struct pcports *p = dev;

	if (p->m->engine->a20)
		p->m->engine->a20(p->m->vm, p->fast & FAST_A20);
}

static const struct state_type pcports_state = {
	.name = "pcports",
	.version = 1,
	.fields = pcports_fields,
	.restored = pcports_restored,
};

static const struct machine_dev_ops pcports_ops = {
	.name = "pcports",
	.reset = pcports_reset,
	.destroy = free,
	.state = &pcports_state,
};

void pcports_create(struct machine *m, machine_fn *apm_written, void *arg)
{
	struct pcports *p = xcalloc(1, sizeof(*p));

	p->m = m;
	p->apm_written = apm_written ? apm_written : always_smi;
	p->arg = apm_written ? arg : m;
	pcports_reset(p);
	bus_add(m->ports, PORT_FAST_INIT, 1, &fast_ops, p);
	bus_add(m->ports, PORT_APM, APM_PORTS, &apm_ops, p);
	machine_add_device(m, &pcports_ops, p);
}
