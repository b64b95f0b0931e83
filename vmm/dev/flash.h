/*
 * vmm/dev/flash.h -- the flash chip that keeps firmware's variables.
 */
#ifndef VMM_DEV_FLASH_H
#define VMM_DEV_FLASH_H

#include <stdint.h>

struct error;
struct machine;

/* Ends at end; contents from fd, to which writes go at once. */
int flash_create(struct machine *m, int fd, uint64_t end, struct error *err);

#endif
