/*
 * vmm/dev/ps2mouse.c -- the PS/2 mouse (PS/2, "Mouse"), with a wheel and five
 * buttons once the driver has asked for them.
 */
#include "base/util.h"
#include "vmm/dev/ps2.h"
#include "vmm/input.h"

/* "Commands". */
enum {
	CMD_SCALING_OFF = 0xe6, CMD_SCALING_ON = 0xe7, CMD_RESOLUTION = 0xe8,
	CMD_STATUS = 0xe9, CMD_STREAM = 0xea, CMD_READ = 0xeb,
	CMD_WRAP_OFF = 0xec, CMD_WRAP_ON = 0xee, CMD_REMOTE = 0xf0,
	CMD_READ_ID = 0xf2, CMD_RATE = 0xf3, CMD_ENABLE = 0xf4,
	CMD_DISABLE = 0xf5, CMD_DEFAULTS = 0xf6, CMD_RESEND = 0xfe,
	CMD_RESET = 0xff,
};
enum { ID_PLAIN = 0, ID_WHEEL = 3, ID_FIVE = 4, PACKET_MAX = 4 };
enum { DELTA_MAX = 255, WHEEL_MAX = 7, BACKLOG = 32767 };
enum { PACKET_BUTTONS = 7, PACKET_ONE = 8, PACKET_X_SIGN = 0x10,
       PACKET_Y_SIGN = 0x20 };

static void mouse_defaults(struct ps2_mouse *ms)
{
	ms->out.len = 0;
	ms->rates[0] = 100;
	ms->resolution = 2;
	ms->enabled = ms->remote = ms->wrap = ms->scaling = false;
	ms->command = 0;
	ms->dx = ms->dy = ms->dz = 0;
}

void ps2_mouse_reset(struct ps2_mouse *ms)
{
	*ms = (struct ps2_mouse){ .id = ID_PLAIN };
	mouse_defaults(ms);
}

/* ---- packets ---- */

static int take(int *sum, int max)
{
	int part = MAX(MIN(*sum, max), -max);

	*sum -= part;
	return part;
}

static bool mouse_pending(const struct ps2_mouse *ms)
{
	return ms->dx || ms->dy || ms->dz || ms->buttons != ms->sent_buttons;
}

/* "Data Report"; the fourth byte is the IntelliMouse's. */
static void put_packet(struct ps2_mouse *ms, struct ps2_queue *q)
{
	int dx = take(&ms->dx, DELTA_MAX), dy = take(&ms->dy, DELTA_MAX);
	int dz = take(&ms->dz, WHEEL_MAX);

	ps2_put(q, (ms->buttons & PACKET_BUTTONS) | PACKET_ONE |
			   (dx < 0 ? PACKET_X_SIGN : 0) |
			   (dy < 0 ? PACKET_Y_SIGN : 0));
	ps2_put(q, dx);
	ps2_put(q, dy);
	if (ms->id == ID_WHEEL)
		ps2_put(q, dz);
	else if (ms->id == ID_FIVE)
		ps2_put(q, (dz & 0xf) | (ms->buttons & 0x18) << 1);
	ms->sent_buttons = ms->buttons;
}

static int add_up(int sum, int64_t by)
{
	by = MAX(MIN(by, BACKLOG), -BACKLOG);
	return MAX(MIN(sum + by, BACKLOG), -BACKLOG);
}

/* Movements add up while the host does not read; buttons are never merged. */
void ps2_mouse_move(struct ps2_mouse *ms, const struct input_pointer *p)
{
	ms->dx = add_up(ms->dx, p->dx);
	ms->dy = add_up(ms->dy, -(int64_t)p->dy);
	ms->dz = add_up(ms->dz, -(int64_t)p->wheel);
	ms->buttons = p->buttons & 0x1f;
	if (!ms->enabled || ms->remote || ms->wrap)
		return;
	if (ms->buttons != ms->sent_buttons && ps2_room(&ms->out, PACKET_MAX))
		put_packet(ms, &ms->out);
}

int ps2_mouse_read(struct ps2_mouse *ms)
{
	int byte = ps2_get(&ms->reply);

	if (byte < 0 && ms->enabled && !ms->remote && !ms->command) {
		if (!ms->out.len && mouse_pending(ms))
			put_packet(ms, &ms->out);
		byte = ps2_get(&ms->out);
	}
	if (byte >= 0)
		ms->last = byte;
	return byte;
}

/* ---- commands ---- */

/* The rates 200, 100, 80 ask for a wheel, 200, 200, 80 then for buttons. */
static void mouse_set_rate(struct ps2_mouse *ms, uint8_t rate)
{
	ms->rates[2] = ms->rates[1];
	ms->rates[1] = ms->rates[0];
	ms->rates[0] = rate;
	if (rate != 80 || ms->rates[2] != 200)
		return;
	if (ms->rates[1] == 100 && ms->id == ID_PLAIN)
		ms->id = ID_WHEEL;
	else if (ms->rates[1] == 200 && ms->id == ID_WHEEL)
		ms->id = ID_FIVE;
}

/* "Status Request" */
static void mouse_status(struct ps2_mouse *ms)
{
	uint8_t right = ms->buttons & INPUT_RIGHT ? 1 : 0;
	uint8_t middle = ms->buttons & INPUT_MIDDLE ? 2 : 0;
	uint8_t left = ms->buttons & INPUT_LEFT ? 4 : 0;

	ps2_put(&ms->reply, left | middle | right | ms->scaling << 4 |
				    ms->enabled << 5 | ms->remote << 6);
	ps2_put(&ms->reply, ms->resolution);
	ps2_put(&ms->reply, ms->rates[0]);
}

static void mouse_parameter(struct ps2_mouse *ms, uint8_t byte)
{
	if (ms->command == CMD_RATE)
		mouse_set_rate(ms, byte);
	else
		ms->resolution = byte & 3;
	ms->command = 0;
	ps2_put(&ms->reply, PS2_ACK);
}

/* What is said after the acknowledgement. */
static void mouse_command(struct ps2_mouse *ms, uint8_t byte)
{
	switch (byte) {
	case CMD_SCALING_OFF:
	case CMD_SCALING_ON:
		ms->scaling = byte == CMD_SCALING_ON;
		break;
	case CMD_RESOLUTION:
	case CMD_RATE:
		ms->command = byte;
		break;
	case CMD_STATUS:
		mouse_status(ms);
		break;
	case CMD_STREAM:
	case CMD_REMOTE:
		ms->remote = byte == CMD_REMOTE;
		break;
	case CMD_READ:
		put_packet(ms, &ms->reply);
		break;
	case CMD_WRAP_OFF:
	case CMD_WRAP_ON:
		ms->wrap = byte == CMD_WRAP_ON;
		break;
	case CMD_READ_ID:
		ps2_put(&ms->reply, ms->id);
		break;
	case CMD_ENABLE:
		ms->enabled = true;
		break;
	case CMD_DISABLE:
		ms->enabled = false;
		ms->out.len = 0;
		break;
	case CMD_DEFAULTS:
		mouse_defaults(ms);
		break;
	}
}

static bool mouse_knows(uint8_t byte)
{
	return (byte >= CMD_SCALING_OFF && byte <= CMD_WRAP_OFF) ||
	       byte == CMD_WRAP_ON || byte == CMD_REMOTE ||
	       (byte >= CMD_READ_ID && byte <= CMD_DEFAULTS);
}

void ps2_mouse_write(struct ps2_mouse *ms, uint8_t byte)
{
	if (ms->wrap && byte != CMD_WRAP_OFF && byte != CMD_RESET) {
		ps2_put(&ms->reply, byte);
	} else if (ms->command && byte < CMD_SCALING_OFF) {
		mouse_parameter(ms, byte);
	} else if (byte == CMD_RESET) {
		ps2_mouse_reset(ms);
		ps2_put(&ms->reply, PS2_ACK);
		ps2_put(&ms->reply, PS2_BAT_OK);
		ps2_put(&ms->reply, ms->id);
	} else if (byte == CMD_RESEND) {
		ps2_put(&ms->reply, ms->last);
	} else if (mouse_knows(byte)) {
		ms->command = 0;
		ps2_put(&ms->reply, PS2_ACK);
		mouse_command(ms, byte);
	} else {
		ps2_put(&ms->reply, PS2_RESEND);
	}
}
