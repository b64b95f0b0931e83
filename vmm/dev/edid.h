/*
 * vmm/dev/edid.h -- what a monitor says of itself (VESA E-EDID, release A2).
 */
#ifndef VMM_DEV_EDID_H
#define VMM_DEV_EDID_H

#include <stdint.h>

enum { EDID_SIZE = 128 };

/* One block, for a monitor that likes this size best. */
void edid_make(uint8_t edid[EDID_SIZE], unsigned int width,
	       unsigned int height);

#endif
