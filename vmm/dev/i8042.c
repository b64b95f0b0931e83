/*
 * vmm/dev/i8042.c -- the PC's keyboard controller (IBM PS/2 Hardware Interface
 * Technical Reference, "Keyboard and Auxiliary Device Controller"; the port
 * that resets and address line 20 as in the Intel 8042's PC/AT program).
 *
 *	port 0x60	data, both ways
 *	port 0x64	status; commands
 *
 * One byte at a time waits in the output buffer; the next one comes when it
 * was read.  The lock guards controller and devices.
 */
#include "vmm/dev/i8042.h"

#include <pthread.h>

#include "base/keycodes.h"
#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/dev/ps2.h"
#include "vmm/input.h"
#include "vmm/machine.h"
#include "vmm/state.h"

/* "Status Register" */
enum { ST_OBF = 1, ST_SYS = 4, ST_CMD = 8, ST_UNLOCKED = 0x10,
       ST_AUX = 0x20 };
/* "Controller Command Byte" */
enum { CB_KBD_INT = 1, CB_AUX_INT = 2, CB_SYS = 4, CB_KBD_OFF = 0x10,
       CB_AUX_OFF = 0x20, CB_TRANSLATE = 0x40, CB_BITS = 0x77 };
/* "Controller Commands" */
enum {
	CMD_READ_RAM = 0x20, CMD_READ_RAM_LAST = 0x3f, CMD_WRITE_RAM = 0x60,
	CMD_WRITE_RAM_LAST = 0x7f, CMD_AUX_OFF = 0xa7, CMD_AUX_ON = 0xa8,
	CMD_AUX_TEST = 0xa9, CMD_SELF_TEST = 0xaa, CMD_KBD_TEST = 0xab,
	CMD_KBD_OFF = 0xad, CMD_KBD_ON = 0xae, CMD_READ_INPUT = 0xc0,
	CMD_READ_OUTPUT = 0xd0, CMD_WRITE_OUTPUT = 0xd1, CMD_WRITE_KBD = 0xd2,
	CMD_WRITE_AUX = 0xd3, CMD_SEND_AUX = 0xd4, CMD_A20_OFF = 0xdd,
	CMD_A20_ON = 0xdf, CMD_PULSE = 0xf0,
};
/* Output port: the reset line is active when low. */
enum { OUT_NO_RESET = 1, OUT_A20 = 2, OUT_KBD_FULL = 0x10,
       OUT_AUX_FULL = 0x20, OUT_IDLE = 0xcc };
enum { INPUT_PORT = 0x80 /* not locked */, RAM_SIZE = 32, REPLIES = 4 };

struct i8042 {
	struct machine *m;
	pthread_mutex_t lock; /* the rest */
	uint8_t ram[RAM_SIZE]; /* the first is the command byte */
	uint8_t command;       /* waits for its data; 0: none */
	uint8_t status, out, port;
	uint8_t release; /* 0x80: the next byte of set 2 is a key going up */
	/* The controller's own bytes: with ST_AUX or without, in the high. */
	uint16_t reply[REPLIES];
	unsigned int n_reply;
	struct ps2_kbd kbd;
	struct ps2_mouse mouse;
};

/* ---- the output buffer ---- */

/* "Scan Code Translation": 0xf0 becomes a bit of what follows. */
static int next_kbd(struct i8042 *k)
{
	int byte = ps2_kbd_read(&k->kbd);

	if (byte < 0 || !(k->ram[0] & CB_TRANSLATE))
		return byte;
	while (byte == 0xf0) {
		k->release = 0x80;
		byte = ps2_kbd_read(&k->kbd);
	}
	if (byte >= 0 && byte != 0xe0 && byte != 0xe1) {
		byte = key_set2_to_set1(byte) | k->release;
		k->release = 0;
	}
	return byte;
}

static int next_byte(struct i8042 *k, uint8_t *ret_aux)
{
	int byte = -1;

	*ret_aux = 0;
	if (k->n_reply) {
		byte = k->reply[0] & 0xff;
		*ret_aux = k->reply[0] >> 8;
		k->n_reply--;
		for (unsigned int i = 0; i < k->n_reply; i++)
			k->reply[i] = k->reply[i + 1];
		return byte;
	}
	if (!(k->ram[0] & CB_KBD_OFF))
		byte = next_kbd(k);
	if (byte < 0 && !(k->ram[0] & CB_AUX_OFF)) {
		byte = ps2_mouse_read(&k->mouse);
		*ret_aux = ST_AUX;
	}
	return byte;
}

/* Fills the buffer if it is empty and drives the interrupt lines. */
static void i8042_update(struct i8042 *k)
{
	bool full, aux;

	if (!(k->status & ST_OBF)) {
		uint8_t from;
		int byte = next_byte(k, &from);

		if (byte >= 0) {
			k->out = byte;
			k->status = (k->status & ~ST_AUX) | ST_OBF | from;
		}
	}
	full = k->status & ST_OBF;
	aux = k->status & ST_AUX;
	machine_irq(k->m, I8042_GSI_KBD, full && !aux && (k->ram[0] & CB_KBD_INT));
	machine_irq(k->m, I8042_GSI_AUX, full && aux && (k->ram[0] & CB_AUX_INT));
}

static void i8042_reply(struct i8042 *k, uint8_t byte, uint8_t from)
{
	if (k->n_reply < REPLIES)
		k->reply[k->n_reply++] = byte | from << 8;
}

/* ---- commands ---- */

static void set_a20(struct i8042 *k, bool on)
{
	k->port = on ? k->port | OUT_A20 : k->port & ~OUT_A20;
	/* Port 0x92 has a gate too: the last one that was moved counts. */
	if (k->m->engine->a20)
		k->m->engine->a20(k->m->vm, on);
}

static void write_port(struct i8042 *k, uint8_t value)
{
	set_a20(k, value & OUT_A20);
	if (!(value & OUT_NO_RESET))
		machine_request_reset(k->m);
}

static uint8_t read_port(const struct i8042 *k)
{
	uint8_t value = k->port | OUT_NO_RESET;

	if (k->status & ST_OBF)
		value |= k->status & ST_AUX ? OUT_AUX_FULL : OUT_KBD_FULL;
	return value;
}

static void set_bit(struct i8042 *k, uint8_t bit, bool on)
{
	k->ram[0] = on ? k->ram[0] | bit : k->ram[0] & ~bit;
}

static void self_test(struct i8042 *k)
{
	k->status |= ST_SYS;
	set_bit(k, CB_KBD_OFF, true);
	set_bit(k, CB_AUX_OFF, true);
	i8042_reply(k, 0x55, 0);
}

static void i8042_command(struct i8042 *k, uint8_t cmd)
{
	k->command = 0;
	k->status |= ST_CMD;
	switch (cmd) {
	case CMD_READ_RAM ... CMD_READ_RAM_LAST:
		i8042_reply(k, k->ram[cmd - CMD_READ_RAM], 0);
		break;
	case CMD_WRITE_RAM ... CMD_WRITE_RAM_LAST:
	case CMD_WRITE_OUTPUT:
	case CMD_WRITE_KBD:
	case CMD_WRITE_AUX:
	case CMD_SEND_AUX:
		k->command = cmd;
		break;
	case CMD_AUX_OFF:
	case CMD_AUX_ON:
		set_bit(k, CB_AUX_OFF, cmd == CMD_AUX_OFF);
		break;
	case CMD_AUX_TEST:
	case CMD_KBD_TEST:
		i8042_reply(k, 0, 0); /* no fault */
		break;
	case CMD_SELF_TEST:
		self_test(k);
		break;
	case CMD_KBD_OFF:
	case CMD_KBD_ON:
		set_bit(k, CB_KBD_OFF, cmd == CMD_KBD_OFF);
		break;
	case CMD_READ_INPUT:
		i8042_reply(k, INPUT_PORT, 0);
		break;
	case CMD_READ_OUTPUT:
		i8042_reply(k, read_port(k), 0);
		break;
	case CMD_A20_OFF:
	case CMD_A20_ON:
		set_a20(k, cmd == CMD_A20_ON);
		break;
	case CMD_PULSE ... 0xff: /* the bits that are 0 pulse low */
		if (!(cmd & OUT_NO_RESET))
			machine_request_reset(k->m);
		break;
	}
}

static void i8042_data(struct i8042 *k, uint8_t value)
{
	uint8_t cmd = k->command;

	k->command = 0;
	k->status &= ~ST_CMD;
	switch (cmd) {
	case CMD_WRITE_RAM:
		k->ram[0] = value & CB_BITS;
		k->status = (k->status & ~ST_SYS) | (value & CB_SYS);
		break;
	case CMD_WRITE_RAM + 1 ... CMD_WRITE_RAM_LAST:
		k->ram[cmd - CMD_WRITE_RAM] = value;
		break;
	case CMD_WRITE_OUTPUT:
		write_port(k, value);
		break;
	case CMD_WRITE_KBD:
		i8042_reply(k, value, 0);
		break;
	case CMD_WRITE_AUX:
		i8042_reply(k, value, ST_AUX);
		break;
	case CMD_SEND_AUX:
		set_bit(k, CB_AUX_OFF, false);
		ps2_mouse_write(&k->mouse, value);
		break;
	default:
		set_bit(k, CB_KBD_OFF, false);
		ps2_kbd_write(&k->kbd, value);
	}
}

/* ---- ports ---- */

static uint64_t data_read(void *dev, uint64_t offset, unsigned int size)
{
	struct i8042 *k = dev;
	uint8_t value;

	pthread_mutex_lock(&k->lock);
	value = k->out;
	k->status &= ~(ST_OBF | ST_AUX);
	/* The line goes down between two bytes: each is an edge. */
	machine_irq(k->m, I8042_GSI_KBD, false);
	machine_irq(k->m, I8042_GSI_AUX, false);
	i8042_update(k);
	pthread_mutex_unlock(&k->lock);
	return value;
}

static uint64_t status_read(void *dev, uint64_t offset, unsigned int size)
{
	struct i8042 *k = dev;
	uint8_t value;

	pthread_mutex_lock(&k->lock);
	value = k->status | ST_UNLOCKED;
	pthread_mutex_unlock(&k->lock);
	return value;
}

static void data_write(void *dev, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	struct i8042 *k = dev;

	pthread_mutex_lock(&k->lock);
	i8042_data(k, value);
	i8042_update(k);
	pthread_mutex_unlock(&k->lock);
}

static void command_write(void *dev, uint64_t offset, uint64_t value,
			  unsigned int size)
{
	struct i8042 *k = dev;

	pthread_mutex_lock(&k->lock);
	i8042_command(k, value);
	i8042_update(k);
	pthread_mutex_unlock(&k->lock);
}

static const struct bus_ops data_ops = { data_read, data_write };
static const struct bus_ops command_ops = { status_read, command_write };

/* ---- the person's side ---- */

static bool kbd_listening(void *dev)
{
	struct i8042 *k = dev;
	bool yes;

	pthread_mutex_lock(&k->lock);
	yes = k->kbd.scanning && !(k->ram[0] & CB_KBD_OFF);
	pthread_mutex_unlock(&k->lock);
	return yes;
}

static void kbd_key(void *dev, unsigned int code, bool down)
{
	struct i8042 *k = dev;

	pthread_mutex_lock(&k->lock);
	ps2_kbd_key(&k->kbd, code, down);
	i8042_update(k);
	pthread_mutex_unlock(&k->lock);
}

static bool mouse_listening(void *dev)
{
	struct i8042 *k = dev;
	bool yes;

	pthread_mutex_lock(&k->lock);
	yes = k->mouse.enabled && !(k->ram[0] & CB_AUX_OFF);
	pthread_mutex_unlock(&k->lock);
	return yes;
}

static void mouse_pointer(void *dev, const struct input_pointer *p)
{
	struct i8042 *k = dev;

	pthread_mutex_lock(&k->lock);
	ps2_mouse_move(&k->mouse, p);
	i8042_update(k);
	pthread_mutex_unlock(&k->lock);
}

static const struct input_ops kbd_input = {
	.listening = kbd_listening,
	.key = kbd_key,
};
static const struct input_ops mouse_input = {
	.listening = mouse_listening,
	.pointer = mouse_pointer,
};

/* ---- life ---- */

/*
 * As firmware leaves it: a kernel that is started without any finds the
 * keyboard working.
 */
static void i8042_reset(void *dev)
{
	struct i8042 *k = dev;

	pthread_mutex_lock(&k->lock);
	for (unsigned int i = 0; i < RAM_SIZE; i++)
		k->ram[i] = 0;
	k->ram[0] = CB_KBD_INT | CB_SYS | CB_TRANSLATE;
	k->status = ST_SYS;
	k->command = k->out = k->release = 0;
	k->n_reply = 0;
	k->port = OUT_IDLE;
	ps2_kbd_reset(&k->kbd);
	ps2_mouse_reset(&k->mouse);
	set_a20(k, true);
	i8042_update(k);
	pthread_mutex_unlock(&k->lock);
}

static void i8042_destroy(void *dev)
{
	struct i8042 *k = dev;

	pthread_mutex_destroy(&k->lock);
	free(k);
}

static const struct state_field queue_fields[] = {
	STATE_RAW(struct ps2_queue, data),
	STATE_MAX(struct ps2_queue, start, PS2_QUEUE_SIZE - 1),
	STATE_MAX(struct ps2_queue, len, PS2_QUEUE_SIZE),
	STATE_END,
};

static const struct state_field kbd_fields[] = {
	STATE_STRUCT(struct ps2_kbd, reply, queue_fields),
	STATE_STRUCT(struct ps2_kbd, out, queue_fields),
	STATE(struct ps2_kbd, command),
	STATE_MAX(struct ps2_kbd, set, 3),
	STATE(struct ps2_kbd, leds),
	STATE(struct ps2_kbd, last),
	STATE_BOOL(struct ps2_kbd, scanning),
	STATE_BOOL(struct ps2_kbd, alt),
	STATE_END,
};

/* Movements that were not told yet are lost. */
static const struct state_field mouse_fields[] = {
	STATE_STRUCT(struct ps2_mouse, reply, queue_fields),
	STATE_STRUCT(struct ps2_mouse, out, queue_fields),
	STATE(struct ps2_mouse, command),
	STATE(struct ps2_mouse, id),
	STATE_RAW(struct ps2_mouse, rates),
	STATE(struct ps2_mouse, resolution),
	STATE(struct ps2_mouse, last),
	STATE_BOOL(struct ps2_mouse, enabled),
	STATE_BOOL(struct ps2_mouse, remote),
	STATE_BOOL(struct ps2_mouse, wrap),
	STATE_BOOL(struct ps2_mouse, scaling),
	STATE(struct ps2_mouse, buttons),
	STATE(struct ps2_mouse, sent_buttons),
	STATE_END,
};

static const struct state_field i8042_fields[] = {
	STATE_RAW(struct i8042, ram),
	STATE(struct i8042, command),
	STATE(struct i8042, status),
	STATE(struct i8042, out),
	STATE(struct i8042, port),
	STATE(struct i8042, release),
	STATE_INTS(struct i8042, reply),
	STATE_MAX(struct i8042, n_reply, REPLIES),
	STATE_STRUCT(struct i8042, kbd, kbd_fields),
	STATE_STRUCT(struct i8042, mouse, mouse_fields),
	STATE_END,
};

/* Address line 20 is the engine's. */
static void i8042_restored(void *dev)
{
	struct i8042 *k = dev;

	set_a20(k, k->port & OUT_A20);
}

static const struct state_type i8042_state = {
	.name = "i8042",
	.version = 1,
	.fields = i8042_fields,
	.restored = i8042_restored,
};

static const struct machine_dev_ops i8042_dev_ops = {
	.state = &i8042_state,
	.name = "i8042",
	.reset = i8042_reset,
	.destroy = i8042_destroy,
};

void i8042_create(struct machine *m)
{
	struct i8042 *k = xcalloc(1, sizeof(*k));

	k->m = m;
	pthread_mutex_init(&k->lock, NULL);
	i8042_reset(k);
	bus_add(m->ports, I8042_DATA, 1, &data_ops, k);
	bus_add(m->ports, I8042_COMMAND, 1, &command_ops, k);
	input_add(m->input, &kbd_input, k);
	input_add(m->input, &mouse_input, k);
	machine_add_device(m, &i8042_dev_ops, k);
}
