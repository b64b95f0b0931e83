/*
 * vmm/input.h -- what a person does at the machine: keys and a pointer.
 *
 * Sources (a VNC client, a request on the control socket) call input_key() and
 * input_pointer(); devices (PS/2, USB, virtio) register and are told.  Of
 * several devices of one kind the latest one that a driver listens to gets
 * the event, so a keyboard on USB takes over from the one on PS/2 as soon as
 * the guest uses it.
 *
 * Locks: the input's own, and inside it a device's.  A device calls nothing
 * of this with its lock held.
 */
#ifndef VMM_INPUT_H
#define VMM_INPUT_H

#include <stdbool.h>
#include <stdint.h>

struct input;
struct loop;

enum { INPUT_ABS_MAX = 0x7fff, INPUT_KEYS_MAX = 16 };

enum input_button {
	INPUT_LEFT = 1,
	INPUT_RIGHT = 2,
	INPUT_MIDDLE = 4,
	INPUT_SIDE = 8,
	INPUT_EXTRA = 16,
};

struct input_pointer {
	unsigned int x, y; /* from 0 to INPUT_ABS_MAX, right and down */
	int dx, dy;	   /* pixels since the last time */
	int wheel;	   /* steps, away from the user */
	unsigned int buttons;
};

struct input_ops {
	/* A guest's driver uses it. */
	bool (*listening)(void *dev);
	/* A Linux code (base/keycodes.h).  NULL: not a keyboard. */
	void (*key)(void *dev, unsigned int code, bool down);
	/* NULL: not a pointer. */
	void (*pointer)(void *dev, const struct input_pointer *p);
	bool absolute; /* a tablet: x and y are what counts */
};

struct input *input_create(struct loop *loop);
void input_destroy(struct input *input);
/* Any key that goes down; before there are sources. */
void input_on_key(struct input *input, void (*fn)(void *arg), void *arg);
void input_add(struct input *input, const struct input_ops *ops, void *dev);

void input_remove(struct input *input, void *dev);

/* Any thread. */
void input_key(struct input *input, unsigned int code, bool down);
void input_pointer(struct input *input, const struct input_pointer *p);
/* Whether x and y of a pointer are of use to the guest. */
bool input_absolute(struct input *input);

/* The loop's thread: all down in order, and up again after hold_ms. */
void input_send_keys(struct input *input, const unsigned int *codes,
		     unsigned int n, unsigned int hold_ms);

#endif
