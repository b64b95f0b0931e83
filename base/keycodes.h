/*
 * base/keycodes.h -- one key's numbers in the sets that keyboards and clients
 * use.
 *
 * A key is known by its Linux code (linux/input-event-codes.h).  The others:
 * what a PC keyboard sends (scan code sets 1, 2 and 3; an extended key's code
 * is 0xe0xx), USB HID usages of page 7, virtual keys of Windows and macOS,
 * and XFree86's numbers.
 */
#ifndef BASE_KEYCODES_H
#define BASE_KEYCODES_H

#include <stdint.h>

enum key_set {
	KEY_SET_LINUX,
	KEY_SET_1,
	KEY_SET_2,
	KEY_SET_3,
	KEY_SET_MACOS,
	KEY_SET_XFREE86,
	KEY_SET_USB,
	KEY_SET_WIN32,
	KEY_SET_QNUM, /* set 1 in a byte: an extended key has bit 7 */
};

enum { KEY_CODE_MAX = 255 }; /* Linux codes above are not keyboards' */

/* The Linux code, or -1. */
int key_to_linux(enum key_set set, unsigned int code);
/* A key's code in a set, or -1. */
int key_from_linux(enum key_set set, unsigned int code);

/* What the PC's keyboard controller makes of a byte of set 2. */
uint8_t key_set2_to_set1(uint8_t byte);

#endif
