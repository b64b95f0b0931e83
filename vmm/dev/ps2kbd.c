/*
 * vmm/dev/ps2kbd.c -- the PS/2 keyboard (PS/2, "Keyboards (101- and 102-Key)").
 *
 * Left out: typematic repeat (whoever types repeats) and the single keys'
 * settings of set 3, which are acknowledged.
 */
#include <linux/input-event-codes.h>

#include "base/keycodes.h"
#include "base/util.h"
#include "vmm/dev/ps2.h"

/* "Commands from the System". */
enum {
	CMD_SET_KEY_FIRST = 0xfb, CMD_SET_KEY_LAST = 0xfd, CMD_LEDS = 0xed,
	CMD_ECHO = 0xee, CMD_SCAN_SET = 0xf0, CMD_READ_ID = 0xf2,
	CMD_TYPEMATIC = 0xf3, CMD_ENABLE = 0xf4, CMD_DISABLE = 0xf5,
	CMD_DEFAULTS = 0xf6, CMD_ALL_FIRST = 0xf7, CMD_ALL_LAST = 0xfa,
	CMD_RESEND = 0xfe, CMD_RESET = 0xff,
};
enum { SEQUENCE_MAX = 8 };

static void kbd_defaults(struct ps2_kbd *k)
{
	k->out.len = 0;
	k->set = 2;
	k->command = 0;
}

void ps2_kbd_reset(struct ps2_kbd *k)
{
	*k = (struct ps2_kbd){ .scanning = true };
	kbd_defaults(k);
}

/* ---- commands ---- */

static void kbd_parameter(struct ps2_kbd *k, uint8_t command, uint8_t byte)
{
	k->command = 0;
	ps2_put(&k->reply, PS2_ACK);
	if (command == CMD_LEDS)
		k->leds = byte & 7;
	else if (command == CMD_SCAN_SET && byte == 0)
		ps2_put(&k->reply, k->set);
	else if (command == CMD_SCAN_SET && byte <= 3)
		k->set = byte;
}

static void kbd_reset_command(struct ps2_kbd *k)
{
	ps2_kbd_reset(k);
	ps2_put(&k->reply, PS2_ACK);
	ps2_put(&k->reply, PS2_BAT_OK);
}

static void kbd_read_id(struct ps2_kbd *k)
{
	ps2_put(&k->reply, PS2_ACK);
	ps2_put(&k->reply, 0xab);
	ps2_put(&k->reply, 0x83);
}

static void kbd_command(struct ps2_kbd *k, uint8_t byte)
{
	switch (byte) {
	case CMD_LEDS:
	case CMD_SCAN_SET:
	case CMD_TYPEMATIC:
	case CMD_SET_KEY_FIRST ... CMD_SET_KEY_LAST:
		k->command = byte;
		break;
	case CMD_ECHO:
		ps2_put(&k->reply, CMD_ECHO);
		return;
	case CMD_READ_ID:
		kbd_read_id(k);
		return;
	case CMD_ENABLE:
		k->out.len = 0;
		k->scanning = true;
		break;
	case CMD_DISABLE:
	case CMD_DEFAULTS:
		kbd_defaults(k);
		k->scanning = byte == CMD_DEFAULTS;
		break;
	case CMD_ALL_FIRST ... CMD_ALL_LAST:
		break;
	case CMD_RESEND:
		ps2_put(&k->reply, k->last);
		return;
	case CMD_RESET:
		kbd_reset_command(k);
		return;
	default:
		ps2_put(&k->reply, PS2_RESEND);
		return;
	}
	ps2_put(&k->reply, PS2_ACK);
}

/* A command where a parameter was due is a command. */
void ps2_kbd_write(struct ps2_kbd *k, uint8_t byte)
{
	if (k->command && byte < CMD_LEDS)
		kbd_parameter(k, k->command, byte);
	else
		kbd_command(k, byte);
}

int ps2_kbd_read(struct ps2_kbd *k)
{
	int byte = ps2_get(&k->reply);

	if (byte < 0 && !k->command)
		byte = ps2_get(&k->out);
	if (byte >= 0)
		k->last = byte;
	return byte;
}

/* ---- keys ---- */

static void put_all(struct ps2_kbd *k, const uint8_t *seq, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		ps2_put(&k->out, seq[i]);
}

/* One code, extended or not, with the set's way to say "released". */
static void put_code(struct ps2_kbd *k, int code, bool down)
{
	bool prefix = code > 0xff;

	if (prefix)
		ps2_put(&k->out, 0xe0);
	if (!down && k->set != 1)
		ps2_put(&k->out, 0xf0);
	ps2_put(&k->out, (code & 0xff) | (!down && k->set == 1 ? 0x80 : 0));
}

/* Pause says everything when it is pressed. */
static void put_pause(struct ps2_kbd *k, bool down)
{
	static const uint8_t set1[] = { 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5 };
	static const uint8_t set2[] = { 0xe1, 0x14, 0x77, 0xe1,
					0xf0, 0x14, 0xf0, 0x77 };

	if (!down)
		return;
	if (k->set == 1)
		put_all(k, set1, sizeof(set1));
	else
		put_all(k, set2, sizeof(set2));
}

/* Print is inside a shift that nobody pressed. */
static void put_print(struct ps2_kbd *k, bool down)
{
	static const uint16_t set1[] = { 0xe02a, 0xe037 };
	static const uint16_t set2[] = { 0xe012, 0xe07c };
	const uint16_t *code = k->set == 1 ? set1 : set2;

	put_code(k, code[down ? 0 : 1], down);
	put_code(k, code[down ? 1 : 0], down);
}

void ps2_kbd_key(struct ps2_kbd *k, unsigned int code, bool down)
{
	static const enum key_set sets[] = { KEY_SET_2, KEY_SET_1, KEY_SET_2,
					     KEY_SET_3 };
	int scan = key_from_linux(sets[k->set], code);

	if (code == KEY_LEFTALT || code == KEY_RIGHTALT)
		k->alt = down;
	if (!k->scanning || scan < 0 || !ps2_room(&k->out, SEQUENCE_MAX))
		return;
	if (code == KEY_PAUSE && k->set != 3)
		put_pause(k, down);
	else if (code == KEY_SYSRQ && k->set != 3 && !k->alt)
		put_print(k, down);
	else
		put_code(k, scan, down);
}
