/*
 * vmm/vnc/keysym.h -- X11's key symbols on an American keyboard.
 */
#ifndef VMM_VNC_KEYSYM_H
#define VMM_VNC_KEYSYM_H

#include <stdbool.h>
#include <stdint.h>

/* The key's Linux code, or 0; ret_shift: whether it is pressed with shift. */
unsigned int keysym_to_key(uint32_t keysym, bool *ret_shift);

#endif
