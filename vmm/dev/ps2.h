/*
 * vmm/dev/ps2.h -- a keyboard and a mouse at the two ports of the keyboard
 * controller.
 *
 * Cited as "PS/2": IBM PS/2 Hardware Interface Technical Reference, "Keyboards
 * (101- and 102-Key)" and "Mouse"; what it does not have (the wheel): the
 * IntelliMouse's identification sequence.  No locks: the controller's guards
 * both.
 */
#ifndef VMM_DEV_PS2_H
#define VMM_DEV_PS2_H

#include <stdbool.h>
#include <stdint.h>

struct input_pointer;

enum { PS2_QUEUE_SIZE = 256 };

/* Bytes on their way to the host; what does not fit is lost whole. */
struct ps2_queue {
	uint8_t data[PS2_QUEUE_SIZE];
	unsigned int start, len;
};

static inline bool ps2_room(const struct ps2_queue *q, unsigned int n)
{
	return PS2_QUEUE_SIZE - q->len >= n;
}

static inline void ps2_put(struct ps2_queue *q, uint8_t byte)
{
	if (q->len < PS2_QUEUE_SIZE)
		q->data[(q->start + q->len++) % PS2_QUEUE_SIZE] = byte;
}

/* -1: empty. */
static inline int ps2_get(struct ps2_queue *q)
{
	uint8_t byte = q->data[q->start % PS2_QUEUE_SIZE];

	if (!q->len)
		return -1;
	q->len--;
	q->start = (q->start + 1) % PS2_QUEUE_SIZE;
	return byte;
}

enum { PS2_ACK = 0xfa, PS2_RESEND = 0xfe, PS2_BAT_OK = 0xaa };

struct ps2_kbd {
	struct ps2_queue reply, out; /* replies overtake keys */
	uint8_t command; /* waits for its parameter; 0: none */
	uint8_t set;	 /* of scan codes: 1, 2 or 3 */
	uint8_t leds, last;
	bool scanning;
	bool alt; /* Print then has another code */
};

void ps2_kbd_reset(struct ps2_kbd *k);
void ps2_kbd_write(struct ps2_kbd *k, uint8_t byte);
int ps2_kbd_read(struct ps2_kbd *k); /* -1: nothing */
void ps2_kbd_key(struct ps2_kbd *k, unsigned int code, bool down);

struct ps2_mouse {
	struct ps2_queue reply, out;
	uint8_t command;
	uint8_t id;	  /* 0: plain; 3: wheel; 4: wheel, five buttons */
	uint8_t rates[3]; /* the last ones set; newest first */
	uint8_t resolution, last;
	bool enabled, remote, wrap, scaling;
	uint8_t buttons, sent_buttons;
	int dx, dy, dz; /* not sent yet; dy up, dz towards the user */
};

void ps2_mouse_reset(struct ps2_mouse *ms);
void ps2_mouse_write(struct ps2_mouse *ms, uint8_t byte);
int ps2_mouse_read(struct ps2_mouse *ms);
void ps2_mouse_move(struct ps2_mouse *ms, const struct input_pointer *p);

#endif
