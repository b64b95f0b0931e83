/*
 * vmm/dev/serial.h -- 16550A serial ports.
 */
#ifndef VMM_DEV_SERIAL_H
#define VMM_DEV_SERIAL_H

#include <stdint.h>

#include "vmm/machine.h"

struct error;
struct spec_char;

enum { SERIALS_MAX = 4 };

/* The PC's customary places; the third and fourth have lines of their own. */
static inline uint16_t serial_port(unsigned int index)
{
	static const uint16_t port[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };

	return port[index];
}

static inline unsigned int serial_gsi(unsigned int index)
{
	static const uint8_t gsi[] = { GSI_COM1, GSI_COM2, 5, 7 };

	return gsi[index];
}

int serial_create(struct machine *m, const struct spec_char *spec,
		  struct error *err);

#endif
