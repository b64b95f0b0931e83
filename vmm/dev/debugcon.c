/*
 * vmm/dev/debugcon.c -- the port to which firmware says what it does (edk2,
 * OvmfPkg/README, "DEBUG"): each byte written is a character; reading gives a
 * number by which SeaBIOS and OVMF know that somebody listens.
 */
#include "vmm/dev/debugcon.h"

#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/chardev.h"
#include "vmm/machine.h"
#include "vmm/spec.h"

enum { DEBUGCON_HERE = 0xe9 };

static uint64_t debugcon_read(void *dev, uint64_t offset, unsigned int size)
{
	return DEBUGCON_HERE;
}

static void debugcon_write(void *dev, uint64_t offset, uint64_t value,
			   unsigned int size)
{
	uint8_t c = value;

	chardev_write(dev, &c, 1);
}

static const struct bus_ops debugcon_ops = { debugcon_read, debugcon_write };

/* Nothing can be said to it. */
static size_t debugcon_input(void *arg, const uint8_t *data, size_t len)
{
	return len;
}

static void debugcon_destroy(void *dev)
{
	chardev_destroy(dev);
}

static const struct machine_dev_ops debugcon_dev_ops = {
	.name = "debugcon",
	.destroy = debugcon_destroy,
};

int debugcon_create(struct machine *m, const struct spec_char *spec,
		    struct error *err)
{
	static const struct chardev_ops chr_ops = { .input = debugcon_input };
	struct chardev *chr;
	int r = chardev_create(m->loop, spec, &chr_ops, NULL, &chr, err);

	if (r < 0)
		return r;
	bus_add(m->ports, DEBUGCON_PORT, 1, &debugcon_ops, chr);
	machine_add_device(m, &debugcon_dev_ops, chr);
	return 0;
}
