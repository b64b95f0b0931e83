/*
 * vmm/dev/debugcon.h -- the port to which firmware says what it does.
 */
#ifndef VMM_DEV_DEBUGCON_H
#define VMM_DEV_DEBUGCON_H

struct error;
struct machine;
struct spec_char;

enum { DEBUGCON_PORT = 0x402 };

int debugcon_create(struct machine *m, const struct spec_char *spec,
		    struct error *err);

#endif
