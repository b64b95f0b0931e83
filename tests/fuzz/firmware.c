/*
 * tests/fuzz/firmware.c -- hostile firmware: random writes to q35's chip set,
 * fw_cfg, flash and option ROMs.
 *
 *	firmware [ROUNDS [SEED]]
 *
 * Nothing may crash or hang, no slot of the memory map may leave what it
 * stands for, and after a reset an honest reader finds everything in place.
 * Meant to be run for long with sanitizers on.
 */
#include "tests/unit/vmm/fake.h"

#include <endian.h>
#include <string.h>

#include "base/util.h"
#include "tests/fuzz/random.h"
#include "vmm/bus.h"
#include "vmm/machine_priv.h"
#include "vmm/ram.h"

enum { FIRMWARE_SIZE = 256 * 1024, NVRAM_SIZE = 64 * 1024, MEMORY = 64 };
enum { DMA_AT = 0x1000, WRITES = 300 };
#define FLASH_AT (0x100000000ull - FIRMWARE_SIZE - NVRAM_SIZE)

static struct fake f;

static int file_of(size_t size)
{
	uint8_t *data = xcalloc(1, size);
	int fd = fake_file(data, size);

	free(data);
	return fd;
}

static void start(void)
{
	fake_init_q35(&f, file_of(FIRMWARE_SIZE), file_of(NVRAM_SIZE));
	f.spec.memory = MEMORY * MIB;
	f.spec.on_reboot = f.spec.on_poweroff = f.spec.on_crash = SPEC_RESTART;
	vmm_spec_add_rng(&f.spec);
	fake_start(&f);
}

static void port(uint16_t at, uint64_t value, unsigned int size, bool write)
{
	bus_io(f.m->ports, at, &value, size, write);
}

static unsigned int any_size(void)
{
	return 1u << below(3);
}

/* A register of the host bridge, the LPC bridge or another device. */
static void poke_config(void)
{
	static const uint8_t slots[] = { 0, 0, 0, 0x1f, 0x1f, 1 };
	static const uint8_t regs[] = { 4, 0x10, 0x30, 0x40, 0x44, 0x50, 0x60,
					0x64, 0x68, 0x90, 0x94, 0x9c, 0xa0,
					0xf0 };
	unsigned int slot = slots[below(sizeof(slots))];
	unsigned int reg = below(4) ? regs[below(sizeof(regs))] :
				      below(64) * 4;

	port(0xcf8, 0x80000000 | slot << 11 | reg, 4, true);
	port(0xcfc + below(4), rnd(), any_size(), below(8));
}

static void poke_ports(void)
{
	static const uint16_t ports[] = { 0x70, 0x71, 0x92, 0xb2, 0xb3, 0x402,
					  0x510, 0x511, 0x514, 0x518, 0x600,
					  0x602, 0x604, 0x620, 0x628, 0x630,
					  0x634, 0xcf8, 0xcf9, 0xcfc };
	uint16_t at = ports[below(ARRAY_SIZE(ports))];

	port(at + (below(8) ? 0 : below(8)), rnd() & 0xffff, any_size(),
	     below(4));
}

/* A request with a grain of sense, somewhere in RAM or nowhere. */
static void poke_dma(void)
{
	static const uint32_t lengths[] = { 0, 1, 4, 20, 56, 4096, 0x10000,
					    0x7fffffff, 0xffffffff };
	uint32_t key = below(2) ? 0x19 + below(0x30) : rnd() & 0xffff;
	struct {
		uint32_t control, len;
		uint64_t addr;
	} req = {
		htobe32(key << 16 | (rnd() & 0x1f)),
		htobe32(lengths[below(ARRAY_SIZE(lengths))]),
		htobe64(below(4) ? below(MEMORY * MIB) : rnd()),
	};

	ram_write(f.m->ram, DMA_AT, &req, sizeof(req));
	port(0x514, below(16) ? 0 : rnd(), 4, true);
	port(0x518, htobe32(below(16) ? DMA_AT : rnd()), 4, true);
}

static void poke_flash(void)
{
	static const uint8_t commands[] = { 0x10, 0x20, 0x40, 0x50, 0x60, 0x70,
					    0x90, 0x98, 0xd0, 0xe8, 0xff };
	uint64_t value = below(2) ? commands[below(sizeof(commands))] : rnd();
	uint64_t at = below(8) ? below(NVRAM_SIZE) : NVRAM_SIZE - below(8);

	bus_io(f.m->mmio, FLASH_AT + at, &value, 1u << below(4), below(4));
}

static void poke_window(void)
{
	uint64_t value = rnd(), at = below(0x100000000ull);

	bus_io(f.m->mmio, below(2) ? at & ~0xfffull : at, &value, any_size(),
	       below(2));
}

static void poke(void)
{
	switch (below(8)) {
	case 0:
	case 1:
		poke_config();
		break;
	case 2:
		poke_ports();
		break;
	case 3:
		poke_dma();
		break;
	case 4:
		poke_window();
		break;
	default:
		poke_flash();
	}
	if (!below(4))
		fake_settle(&f);
}

/* Slots are whole pages, do not overlap, and RAM is at its own address. */
static void check_map(void)
{
	const struct ram_slot *slot = f.m->priv->memmap.slot;

	fake_settle(&f);
	for (unsigned int i = 0; i < MEMMAP_SLOTS; i++) {
		uint8_t *ram = ram_host(f.m->ram, slot[i].gpa);

		if (!slot[i].host)
			continue;
		assert(slot[i].size && (slot[i].gpa | slot[i].size) % 4096 == 0);
		assert(slot[i].readonly || slot[i].host == ram);
		for (unsigned int j = 0; j < i; j++)
			assert(!slot[j].host ||
			       slot[j].gpa + slot[j].size <= slot[i].gpa ||
			       slot[i].gpa + slot[i].size <= slot[j].gpa);
	}
}

static void check_honest(void)
{
	uint32_t id;
	uint8_t v;

	machine_request_reset(f.m);
	fake_settle(&f);
	check_map();
	port(0xcf8, 0x80000000, 4, true);
	bus_io(f.m->ports, 0xcfc, &id, 4, false);
	assert(id == 0x29c08086);
	port(0x510, 0, 2, true);
	assert(port_in(f.m, 0x511) == 'Q' && port_in(f.m, 0x511) == 'E');
	v = 0x20;
	bus_io(f.m->mmio, FLASH_AT, &v, 1, true);
	v = 0xd0;
	bus_io(f.m->mmio, FLASH_AT, &v, 1, true);
	v = 0xff;
	bus_io(f.m->mmio, FLASH_AT, &v, 1, true);
	bus_io(f.m->mmio, FLASH_AT + 4095, &v, 1, false);
	assert(v == 0xff);
}

int main(int argc, char **argv)
{
	unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 60;
	uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;

	for (unsigned long i = 0; i < rounds; i++) {
		random_from((seed + i) * 0x9e3779b97f4a7c15ull | 1);
		start();
		for (unsigned int n = 0; n < WRITES; n++)
			poke();
		check_map();
		check_honest();
		fake_finish(&f);
	}
	return 0;
}
