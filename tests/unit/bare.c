#include "tests/unit/bare.h"

#include "vmm/bus.h"

int bare_create(struct bare *b, const struct engine *engine, int fd,
		const char *variant, struct error *err)
{
	int r;

	b->m.engine = engine;
	b->m.ports = bus_create();
	b->m.mmio = bus_create();
	r = engine->vm_create(&b->m, fd, variant, &b->m.vm, err);
	if (r == 0)
		r = engine->set_ram(b->m.vm, &b->slot);
	if (r == 0)
		r = engine->cpuid(b->m.vm, &b->cpuid);
	return r;
}

int bare_cpu(struct bare *b, unsigned int id, struct vcpu **ret_cpu,
	     struct error *err)
{
	return b->m.engine->vcpu_create(b->m.vm, id, &b->cpuid, ret_cpu, err);
}

void bare_destroy(struct bare *b)
{
	b->m.engine->vm_destroy(b->m.vm);
	bus_destroy(b->m.ports);
	bus_destroy(b->m.mmio);
}
