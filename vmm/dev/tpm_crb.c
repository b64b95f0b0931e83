/*
 * vmm/dev/tpm_crb.c -- a TPM's command response buffer (TCG PC Client Platform
 * TPM Profile 1.05, section 6.5.3): registers, then one buffer that holds the
 * command and afterwards the response.
 *
 * Locality 0 only (6.5.3.3, CapLocality), and no interrupts: drivers poll.
 */
#include "vmm/dev/tpm.h"

#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/machine.h"
#include "vmm/state.h"

/* Table 22: offsets in locality 0. */
enum { LOC_STATE = 0x00, LOC_CTRL = 0x08, LOC_STS = 0x0c, INTF_ID = 0x30,
       CTRL_REQ = 0x40, CTRL_STS = 0x44, CTRL_START = 0x4c,
       CTRL_CMD_SIZE = 0x58, CTRL_CMD_LADDR = 0x5c, CTRL_RSP_SIZE = 0x64,
       CTRL_RSP_ADDR = 0x68, DATA = 0x80,
       DATA_SIZE = TPM_LOCALITY_SIZE - DATA };

enum { STATE_ESTABLISHED = BIT(0), STATE_ASSIGNED = BIT(1),
       STATE_VALID = BIT(7) };
enum { LOC_REQUEST = BIT(0), LOC_RELINQUISH = BIT(1) };
enum { LOC_GRANTED = BIT(0) };
enum { REQ_CMD_READY = BIT(0), REQ_GO_IDLE = BIT(1) };
enum { STS_ERROR = BIT(0), STS_IDLE = BIT(1) };

/* 6.5.3.3: a CRB of version 1 (of TPM 2.0), transfers of up to 64 bytes. */
enum { ID_TYPE_CRB = 1, ID_VERSION = 1 << 4, ID_XFER_64 = 3 << 11,
       ID_CAP_CRB = 1 << 14, ID_SELECTED_CRB = 1 << 17 };
enum { ID_VENDOR = 0x1014, ID_DEVICE = 0x0001 }; /* what software TPMs have */

struct crb {
	struct machine *m;
	struct tpm *tpm;
	pthread_mutex_t lock; /* the rest */
	bool granted, idle, busy, failed;
	uint8_t data[DATA_SIZE];
};

static uint32_t read_register(const struct crb *c, uint64_t offset)
{
	switch (offset) {
	case LOC_STATE: /* nothing was measured by a dynamic launch */
		return STATE_ESTABLISHED | STATE_VALID |
		       (c->granted ? STATE_ASSIGNED : 0);
	case LOC_STS:
		return c->granted ? LOC_GRANTED : 0;
	case INTF_ID:
		return ID_TYPE_CRB | ID_VERSION | ID_XFER_64 | ID_CAP_CRB |
		       ID_SELECTED_CRB;
	case INTF_ID + 4:
		return ID_VENDOR | ID_DEVICE << 16;
	case CTRL_STS:
		return (c->failed ? STS_ERROR : 0) | (c->idle ? STS_IDLE : 0);
	case CTRL_START:
		return c->busy;
	case CTRL_CMD_SIZE:
	case CTRL_RSP_SIZE:
		return DATA_SIZE;
	case CTRL_CMD_LADDR:
	case CTRL_RSP_ADDR:
		return (uint32_t)TPM_BASE + DATA;
	default:
		return 0;
	}
}

static uint8_t read_byte(const struct crb *c, uint64_t offset)
{
	if (offset >= DATA)
		return c->data[offset - DATA];
	return read_register(c, offset & ~3ull) >> 8 * (offset & 3);
}

static uint64_t crb_read(void *dev, uint64_t offset, unsigned int size)
{
	struct crb *c = dev;
	uint64_t value = 0;

	pthread_mutex_lock(&c->lock);
	for (unsigned int i = 0; i < size; i++)
		if (offset + i < TPM_LOCALITY_SIZE)
			value |= (uint64_t)read_byte(c, offset + i) << 8 * i;
	pthread_mutex_unlock(&c->lock);
	return value;
}

/* 6.5.3.8: the command's length must be one that the buffer holds. */
static void start(struct crb *c)
{
	uint32_t len = tpm_length(c->data);

	if (!c->granted || c->idle || c->busy)
		return;
	c->busy = true;
	if (len < TPM_HEADER_SIZE || len > DATA_SIZE ||
	    tpm_command(c->tpm, 0, c->data, len) < 0) {
		c->busy = false;
		c->failed = true;
	}
}

static void write_register(struct crb *c, uint64_t offset, uint32_t value)
{
	switch (offset) {
	case LOC_CTRL:
		if (value & LOC_REQUEST)
			c->granted = true;
		if (value & LOC_RELINQUISH)
			c->granted = false;
		break;
	case CTRL_REQ: /* done at once, so its bits are never seen */
		if (!c->granted || c->busy)
			break;
		if (value & REQ_CMD_READY)
			c->idle = c->failed = false;
		else if (value & REQ_GO_IDLE)
			c->idle = true;
		break;
	case CTRL_START:
		if (value & 1)
			start(c);
		break;
	}
}

static void write_data(struct crb *c, uint64_t offset, uint64_t value,
		       unsigned int size)
{
	if (!c->granted || c->idle || c->busy)
		return;
	for (unsigned int i = 0; i < size && offset + i < DATA_SIZE; i++)
		c->data[offset + i] = value >> 8 * i;
}

static void crb_write(void *dev, uint64_t offset, uint64_t value,
		      unsigned int size)
{
	struct crb *c = dev;

	pthread_mutex_lock(&c->lock);
	if (offset >= DATA)
		write_data(c, offset - DATA, value, size);
	else
		write_register(c, offset, value);
	pthread_mutex_unlock(&c->lock);
}

static const struct bus_ops crb_ops = { crb_read, crb_write };

static void crb_done(void *dev, const uint8_t *response, size_t len)
{
	struct crb *c = dev;

	pthread_mutex_lock(&c->lock);
	memcpy(c->data, response, MIN(len, sizeof(c->data)));
	c->failed |= !len;
	c->busy = false;
	pthread_mutex_unlock(&c->lock);
}

static void crb_reset(void *dev)
{
	struct crb *c = dev;

	tpm_restart(c->tpm);
	pthread_mutex_lock(&c->lock);
	c->granted = c->busy = c->failed = false;
	c->idle = true;
	memset(c->data, 0, sizeof(c->data));
	pthread_mutex_unlock(&c->lock);
}

static void crb_pause(void *dev, bool paused)
{
	struct crb *c = dev;

	if (paused)
		tpm_settle(c->tpm);
}

static void crb_destroy(void *dev)
{
	struct crb *c = dev;

	tpm_close(c->tpm);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static const struct state_field crb_fields[] = {
	STATE_BOOL(struct crb, granted),
	STATE_BOOL(struct crb, idle),
	STATE_BOOL(struct crb, failed),
	STATE_RAW(struct crb, data),
	STATE_END,
};

static const struct state_type crb_state = {
	.name = "tpm-crb",
	.version = 1,
	.fields = crb_fields,
};

static void crb_states(void *dev, struct state_set *set)
{
	struct crb *c = dev;

	state_add(set, &crb_state, NULL, c);
	tpm_states(c->tpm, set);
}

static const struct machine_dev_ops crb_dev_ops = {
	.name = "tpm-crb",
	.reset = crb_reset,
	.pause = crb_pause,
	.destroy = crb_destroy,
	.states = crb_states,
};

int tpm_crb_create(struct machine *m, struct error *err)
{
	struct crb *c = xcalloc(1, sizeof(*c));
	int r;

	c->m = m;
	c->idle = true;
	r = tpm_open(m, DATA_SIZE, crb_done, c, &c->tpm, err);
	if (r < 0) {
		free(c);
		return r;
	}
	pthread_mutex_init(&c->lock, NULL);
	bus_add(m->mmio, TPM_BASE, TPM_LOCALITY_SIZE, &crb_ops, c);
	machine_add_device(m, &crb_dev_ops, c);
	return 0;
}
