/*
 * vmm/dev/flash.c -- NOR flash with the Intel basic and extended command set
 * (Intel 28F640J3 data sheet 290667, section 4, "Command Definitions";
 * CFI: JESD68.01), 8 bits wide, in blocks of 4 KiB.
 *
 * A write is a command or its data; what a read gives depends on the command
 * before it: the array, the status register, or a table.  Programming can only
 * clear bits, erasing sets a block's.  What changed goes to the descriptor
 * when the guest returns to reading the array.
 *
 * The array is mapped where an exit is dear, while it is being read, and
 * trapped otherwise.  As firmware for virtual machines expects, the status
 * register is zero until something was programmed or erased (edk2,
 * OvmfPkg/QemuFlashFvbServicesRuntimeDxe).  Left out: suspending, and locks
 * of blocks, which are accepted and do nothing.
 */
#include "vmm/dev/flash.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/log.h"
#include "vmm/boot/boot.h"
#include "vmm/bus.h"
#include "vmm/dev/mch.h"
#include "vmm/machine.h"
#include "vmm/memmap.h"
#include "vmm/spec.h"
#include "vmm/state.h"

enum { BLOCK = 4096, BUFFER = 64 };
#define FLASH_MAX (8 * MIB)

enum {
	CMD_PROGRAM_ALT = 0x10,
	CMD_ERASE = 0x20,
	CMD_PROGRAM = 0x40,
	CMD_CLEAR_STATUS = 0x50,
	CMD_LOCK = 0x60,
	CMD_STATUS = 0x70,
	CMD_IDENTIFIERS = 0x90,
	CMD_QUERY = 0x98,
	CMD_CONFIRM = 0xd0,
	CMD_BUFFER = 0xe8,
	CMD_ARRAY = 0xff,
};
enum { STATUS_READY = 0x80, STATUS_BAD_SEQUENCE = 0x30 };

/* What the next write means. */
enum flash_state { FLASH_COMMAND, FLASH_DATA, FLASH_ERASE, FLASH_LOCK,
		   FLASH_COUNT, FLASH_FILL, FLASH_CONFIRM };

struct flash {
	struct machine *m;
	int fd;
	uint64_t gpa, size;
	uint8_t *data;
	bool secure; /* commands only in system management mode */
	bool maps;   /* reading the array needs no exit */
	pthread_mutex_t lock; /* the rest */
	uint8_t mode; /* what reads give: CMD_ARRAY, CMD_STATUS, ... */
	uint8_t state;
	uint8_t status;
	unsigned int left; /* bytes of the buffer still to come */
	uint64_t buffer_at;
	uint8_t buffer[BUFFER];
	uint64_t buffer_mask; /* which were written */
	uint64_t dirty_from, dirty_to;
};

/* vCPUs are stopped. */
static void flash_apply(void *arg)
{
	struct flash *f = arg;
	struct error err = { 0 };
	struct ram_slot slot = { .slot = MCH_SLOT_FLASH, .gpa = f->gpa,
				 .size = f->size, .readonly = true };

	if (f->mode == CMD_ARRAY)
		slot.host = f->data;
	if (memmap_set(f->m, &slot, &err) < 0)
		machine_request_stop(f->m, STOP_CRASH, err.message);
}

static void set_mode(struct flash *f, uint8_t mode)
{
	bool was = f->mode == CMD_ARRAY, is = mode == CMD_ARRAY;

	f->mode = mode;
	if (f->maps && was != is)
		machine_remap(f->m, flash_apply, f);
}

/* #syscalls:vmm pwrite64 fdatasync */
static void write_back(struct flash *f)
{
	uint64_t at = f->dirty_from;

	while (at < f->dirty_to) {
		ssize_t n = pwrite(f->fd, f->data + at, f->dirty_to - at, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			log_error("cannot write the firmware's variables: %m");
			break;
		}
		at += n;
	}
	f->dirty_from = f->size;
	f->dirty_to = 0;
}

static void dirtied(struct flash *f, uint64_t at, uint64_t len)
{
	f->dirty_from = MIN(f->dirty_from, at);
	f->dirty_to = MAX(f->dirty_to, at + len);
	f->status |= STATUS_READY;
}

static void program(struct flash *f, uint64_t at, uint8_t value)
{
	f->data[at] &= value;
	dirtied(f, at, 1);
}

static void erase(struct flash *f, uint64_t at)
{
	at = ALIGN_DOWN(at, BLOCK);
	memset(f->data + at, 0xff, BLOCK);
	dirtied(f, at, BLOCK);
}

static void read_array(struct flash *f)
{
	write_back(f);
	set_mode(f, CMD_ARRAY);
}

static void command(struct flash *f, uint8_t cmd)
{
	uint8_t mode = CMD_STATUS;

	switch (cmd) {
	case CMD_PROGRAM:
	case CMD_PROGRAM_ALT:
		f->state = FLASH_DATA;
		break;
	case CMD_ERASE:
		f->state = FLASH_ERASE;
		break;
	case CMD_LOCK:
		f->state = FLASH_LOCK;
		break;
	case CMD_BUFFER:
		f->state = FLASH_COUNT;
		f->status |= STATUS_READY; /* a buffer is free */
		break;
	case CMD_STATUS:
		break;
	case CMD_CLEAR_STATUS:
		f->status = 0;
		mode = f->mode;
		break;
	case CMD_IDENTIFIERS:
	case CMD_QUERY:
		mode = cmd;
		break;
	default:
		read_array(f);
		return;
	}
	set_mode(f, mode);
}

/* 4.8: count - 1, the data within one aligned buffer, and a confirmation. */
static void begin_buffer(struct flash *f, uint64_t at, uint8_t value)
{
	f->left = MIN(value + 1u, (unsigned int)BUFFER);
	f->buffer_at = f->size;
	f->buffer_mask = 0;
	f->state = FLASH_FILL;
}

static void fill_buffer(struct flash *f, uint64_t at, uint8_t value)
{
	if (f->buffer_at == f->size)
		f->buffer_at = ALIGN_DOWN(at, BUFFER);
	if (at - f->buffer_at < BUFFER) {
		f->buffer[at - f->buffer_at] = value;
		f->buffer_mask |= BIT64(at - f->buffer_at);
	}
	if (!--f->left)
		f->state = FLASH_CONFIRM;
}

static void program_buffer(struct flash *f)
{
	for (unsigned int i = 0; i < BUFFER; i++)
		if (f->buffer_mask & BIT64(i))
			program(f, f->buffer_at + i, f->buffer[i]);
}

static void bad_sequence(struct flash *f)
{
	f->status |= STATUS_READY | STATUS_BAD_SEQUENCE;
}

static void write_byte(struct flash *f, uint64_t at, uint8_t value)
{
	uint8_t state = f->state;

	f->state = FLASH_COMMAND;
	switch (state) {
	case FLASH_COMMAND:
		command(f, value);
		break;
	case FLASH_DATA:
		program(f, at, value);
		break;
	case FLASH_ERASE:
		if (value == CMD_CONFIRM)
			erase(f, at);
		else if (value == CMD_ARRAY)
			read_array(f);
		else
			bad_sequence(f);
		break;
	case FLASH_LOCK:
		f->status |= STATUS_READY;
		break;
	case FLASH_COUNT:
		begin_buffer(f, at, value);
		break;
	case FLASH_FILL:
		f->state = FLASH_FILL;
		fill_buffer(f, at, value);
		break;
	case FLASH_CONFIRM:
		if (value == CMD_CONFIRM)
			program_buffer(f);
		else
			bad_sequence(f);
		break;
	}
}

/* A command on a wide bus is its low byte; data are all of them. */
static void flash_write(void *dev, uint64_t offset, uint64_t value,
			unsigned int size)
{
	struct flash *f = dev;

	if (f->secure && !machine_in_smm(f->m))
		return;
	pthread_mutex_lock(&f->lock);
	if (f->state == FLASH_DATA) {
		for (unsigned int i = 0; i < size; i++)
			program(f, offset + i, value >> 8 * i);
		f->state = FLASH_COMMAND;
	} else if (f->state == FLASH_FILL) {
		for (unsigned int i = 0; i < size && f->left; i++)
			write_byte(f, offset + i, value >> 8 * i);
	} else {
		write_byte(f, offset, value);
	}
	pthread_mutex_unlock(&f->lock);
}

/* JESD68.01, table 4.1; one erase region.  Identifiers: maker, device. */
static uint8_t table_byte(const struct flash *f, uint64_t at)
{
	uint64_t blocks = f->size / BLOCK - 1;
	const uint8_t query[] = {
		[0x10] = 'Q', 'R', 'Y', 0x01, 0x00, 0x31, 0x00,
		[0x1f] = 1, 7, 10, 0, 4, 4, 4, 0, /* timeouts: 2^n */
		[0x27] = 63 - __builtin_clzll(f->size), 0, 0, 6, 0, 1,
		[0x2d] = blocks, blocks >> 8, BLOCK >> 8 & 0xff, BLOCK >> 16,
		[0x31] = 'P', 'R', 'I', '1', '0',
	};

	if (f->mode == CMD_IDENTIFIERS)
		return at == 0 ? 0x89 : at == 1 ? 0x18 : 0;
	return at < sizeof(query) ? query[at] : 0;
}

static uint8_t read_byte(const struct flash *f, uint64_t at)
{
	switch (f->mode) {
	case CMD_ARRAY:
		return f->data[at];
	case CMD_STATUS:
		return f->status;
	}
	return table_byte(f, at % BLOCK);
}

static uint64_t flash_read(void *dev, uint64_t offset, unsigned int size)
{
	struct flash *f = dev;
	uint64_t value = 0;

	pthread_mutex_lock(&f->lock);
	if (f->mode == CMD_ARRAY)
		memcpy(&value, f->data + offset, size);
	else
		for (unsigned int i = 0; i < size; i++)
			value |= (uint64_t)read_byte(f, offset + i) << 8 * i;
	pthread_mutex_unlock(&f->lock);
	return value;
}

static const struct bus_ops flash_ops = { flash_read, flash_write };

static void flash_reset(void *dev)
{
	struct flash *f = dev;

	pthread_mutex_lock(&f->lock);
	write_back(f);
	f->mode = CMD_ARRAY;
	f->state = FLASH_COMMAND;
	f->status = 0;
	pthread_mutex_unlock(&f->lock);
	if (f->maps)
		flash_apply(f);
}

static void flash_pause(void *dev, bool paused)
{
	struct flash *f = dev;

	if (!paused)
		return;
	pthread_mutex_lock(&f->lock);
	write_back(f);
	pthread_mutex_unlock(&f->lock);
}

static void flash_destroy(void *dev)
{
	struct flash *f = dev;

	write_back(f);
	fdatasync(f->fd);
	munmap(f->data, f->size);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

/* The contents are the descriptor's, written back when paused. */
static const struct state_field flash_fields[] = {
	STATE(struct flash, mode),
	STATE_MAX(struct flash, state, FLASH_CONFIRM),
	STATE(struct flash, status),
	STATE_MAX(struct flash, left, BUFFER),
	STATE(struct flash, buffer_at),
	STATE_RAW(struct flash, buffer),
	STATE(struct flash, buffer_mask),
	STATE_END,
};

static int flash_loaded(void *dev, unsigned int version, struct error *err)
{
	struct flash *f = dev;
	bool filling = f->state == FLASH_FILL || f->state == FLASH_CONFIRM;

	if (f->buffer_at > f->size || f->buffer_at % BUFFER ||
	    (f->buffer_at == f->size && f->buffer_mask) ||
	    (f->state == FLASH_FILL && !f->left) ||
	    (filling && f->mode == CMD_ARRAY))
		return error_set(err, -EINVAL,
				 "the saved state of the flash is damaged");
	if (f->maps)
		flash_apply(f);
	return 0;
}

static const struct state_type flash_state = {
	.name = "flash",
	.version = 1,
	.fields = flash_fields,
	.loaded = flash_loaded,
};

static const struct machine_dev_ops flash_dev_ops = {
	.state = &flash_state,
	.name = "flash",
	.reset = flash_reset,
	.pause = flash_pause,
	.destroy = flash_destroy,
};

static int flash_load(struct flash *f, struct error *err)
{
	struct image image;
	void *p;
	int r = firmware_open(f->fd, FLASH_MAX, &image, err);

	if (r < 0)
		return r;
	p = mmap(NULL, image.size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return error_set(err, -errno, "no memory for variables: %m");
	r = image_read(&image, 0, p, image.size);
	if (r < 0) {
		munmap(p, image.size);
		return error_set(err, r,
				 "cannot read the firmware's variables: %m");
	}
	f->data = p;
	f->size = image.size;
	return 0;
}

int flash_create(struct machine *m, int fd, uint64_t end, struct error *err)
{
	struct flash *f = xcalloc(1, sizeof(*f));
	int r;

	f->m = m;
	f->fd = fd;
	f->secure = m->spec->secure_loader;
	f->maps = !m->engine->cheap_exits;
	f->mode = CMD_ARRAY;
	r = flash_load(f, err);
	if (r < 0) {
		free(f);
		return r;
	}
	f->gpa = end - f->size;
	f->dirty_from = f->size;
	pthread_mutex_init(&f->lock, NULL);
	if (f->maps)
		flash_apply(f);
	bus_add(m->mmio, f->gpa, f->size, &flash_ops, f);
	machine_add_device(m, &flash_dev_ops, f);
	return 0;
}
