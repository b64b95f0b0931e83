/*
 * tests/unit/vmm/fake.h -- an engine that runs nothing and remembers what
 * the machine told it, for tests of devices, tables and the control socket.
 */
#ifndef TESTS_UNIT_VMM_FAKE_H
#define TESTS_UNIT_VMM_FAKE_H

#undef NDEBUG
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/engine.h"
#include "vmm/machine.h"
#include "vmm/spec.h"

extern const struct engine fake_engine;

struct fake_msi {
	uint64_t addr;
	uint32_t data;
};
unsigned int fake_msis(struct machine *m, struct fake_msi *ret_last);
bool fake_extint(struct machine *m);

/* A machine of one vCPU and the given kernel; asserts that it works. */
struct fake {
	struct vmm_spec spec;
	struct loop *loop;
	struct machine *m;
};
void fake_init(struct fake *f);	 /* the spec, to be changed */
/* The same, of a q35 with this firmware and flash for its variables. */
void fake_init_q35(struct fake *f, int firmware_fd, int nvram_fd);
/* A disk "stick" of 1 MiB at this USB port, the spec's only one. */
void fake_add_stick(struct fake *f, unsigned int unit);
void fake_start(struct fake *f); /* the machine */
void fake_finish(struct fake *f);
/* Lets the main thread do what was asked of it. */
void fake_settle(struct fake *f);

uint8_t port_in(struct machine *m, uint16_t port);
void port_out(struct machine *m, uint16_t port, uint8_t value);
uint32_t mmio_in(struct machine *m, uint64_t addr);
void mmio_out(struct machine *m, uint64_t addr, uint32_t value);

/* A file without a name holding these bytes. */
int fake_file(const void *data, size_t len);
/* A kernel: 32-bit ELF with a PVH note, one segment at 1 MiB. */
int fake_kernel(void);

#endif
