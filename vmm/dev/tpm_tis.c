/*
 * vmm/dev/tpm_tis.c -- a TPM's FIFO interface (TCG PC Client Platform TPM
 * Profile 1.05, sections 6.3 and 6.5.2): five localities of which one at a
 * time has the TPM, and a register through which commands and responses go.
 *
 * No interrupts: drivers poll.  No dynamic launch, so nobody has locality 4's
 * hash interface.
 */
#include "vmm/dev/tpm.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/bus.h"
#include "vmm/machine.h"
#include "vmm/state.h"

/* Table 19: offsets in each locality. */
enum { ACCESS = 0x00, INTF_CAPABILITY = 0x14, STS = 0x18, DATA_FIFO = 0x24,
       INTERFACE_ID = 0x30, XDATA_FIFO = 0x80, XDATA_END = 0xc0,
       DID_VID = 0xf00, RID = 0xf04 };

/* 6.5.2.4 */
enum { ACCESS_ESTABLISHMENT = BIT(0), ACCESS_REQUEST_USE = BIT(1),
       ACCESS_PENDING = BIT(2), ACCESS_SEIZE = BIT(3),
       ACCESS_BEEN_SEIZED = BIT(4), ACCESS_ACTIVE = BIT(5),
       ACCESS_VALID = BIT(7) };
/* 6.5.2.5 */
enum { STS_RESPONSE_RETRY = BIT(1), STS_SELF_TEST_DONE = BIT(2),
       STS_EXPECT = BIT(3), STS_DATA_AVAIL = BIT(4), STS_GO = BIT(5),
       STS_COMMAND_READY = BIT(6), STS_VALID = BIT(7),
       STS_BURST_SHIFT = 8, STS_FAMILY_TPM2 = 1 << 26 };
/* 6.5.2.7: bursts change, transfers of up to 64 bytes, version 1.3. */
enum { CAPABILITY = 3 << 9 | 3 << 28 };
/* 6.5.2.6: the FIFO of TPM 2.0, five localities. */
enum { ID_FIFO = 1 << 8 | 3 << 11 | 1 << 13 };
enum { VENDOR = 0x1014, DEVICE = 0x0001 }; /* what software TPMs have */

/* 6.5.2.3 */
enum phase { IDLE, READY, RECEPTION, EXECUTION, COMPLETION };
enum { NOBODY = TPM_LOCALITIES };

struct tis {
	struct machine *m;
	struct tpm *tpm;
	pthread_mutex_t lock; /* the rest */
	unsigned int active;  /* the locality that has it, or NOBODY */
	uint8_t wanted, seized; /* bits of localities */
	uint8_t phase;
	bool abandoned; /* the command's response is not to be had */
	unsigned int n, at; /* bytes in data; the next that is read */
	uint8_t data[TPM_BUFFER_MAX];
};

/* ---- who has it ---- */

static uint8_t read_access(const struct tis *t, unsigned int l)
{
	return ACCESS_VALID | ACCESS_ESTABLISHMENT |
	       (t->active == l ? ACCESS_ACTIVE : 0) |
	       (t->seized & BIT(l) ? ACCESS_BEEN_SEIZED : 0) |
	       (t->wanted & ~BIT(l) ? ACCESS_PENDING : 0) |
	       (t->wanted & BIT(l) ? ACCESS_REQUEST_USE : 0);
}

/* 6.5.2.3.1: a command of who had it is aborted. */
static void abort_command(struct tis *t)
{
	if (t->phase == EXECUTION)
		t->abandoned = true;
	else
		t->phase = IDLE;
	t->n = t->at = 0;
}

/* The highest locality that has asked is next. */
static void release(struct tis *t)
{
	abort_command(t);
	t->active = NOBODY;
	for (unsigned int l = TPM_LOCALITIES; l-- && t->active == NOBODY;)
		if (t->wanted & BIT(l))
			t->active = l;
	if (t->active != NOBODY)
		t->wanted &= ~BIT(t->active);
}

static void request_use(struct tis *t, unsigned int l)
{
	if (t->active == NOBODY)
		t->active = l;
	else if (t->active != l)
		t->wanted |= BIT(l);
}

static void seize(struct tis *t, unsigned int l)
{
	if (t->active == NOBODY || t->active >= l)
		return;
	t->seized |= BIT(t->active);
	abort_command(t);
	t->active = l;
	t->wanted &= ~BIT(l);
}

/* One bit of them at a time. */
static void write_access(struct tis *t, unsigned int l, uint8_t value)
{
	if (value & ACCESS_BEEN_SEIZED)
		t->seized &= ~BIT(l);
	else if (value & ACCESS_ACTIVE && t->active == l)
		release(t);
	else if (value & ACCESS_ACTIVE)
		t->wanted &= ~BIT(l);
	else if (value & ACCESS_REQUEST_USE)
		request_use(t, l);
	else if (value & ACCESS_SEIZE)
		seize(t, l);
}

/* ---- commands ---- */

/* Bytes of the command still to come; at least the header's. */
static unsigned int expected(const struct tis *t)
{
	uint32_t len = TPM_HEADER_SIZE;

	if (t->n >= TPM_HEADER_SIZE)
		len = MIN(tpm_length(t->data), TPM_BUFFER_MAX);
	return len > t->n ? len - t->n : 0;
}

static uint32_t read_sts(const struct tis *t)
{
	uint32_t sts = STS_VALID | STS_SELF_TEST_DONE | STS_FAMILY_TPM2;
	unsigned int burst = 0;

	if (t->phase == READY)
		sts |= STS_COMMAND_READY;
	if (t->phase == RECEPTION && expected(t))
		sts |= STS_EXPECT;
	if (t->phase == COMPLETION && t->at < t->n)
		sts |= STS_DATA_AVAIL;
	if (t->phase == READY || t->phase == RECEPTION)
		burst = TPM_BUFFER_MAX - t->n;
	else if (t->phase == COMPLETION)
		burst = t->n - t->at;
	return sts | burst << STS_BURST_SHIFT;
}

static void fail(struct tis *t)
{
	/* TPM 2.0 Library, part 2, 6.6.3: TPM_RC_FAILURE. */
	static const uint8_t failure[TPM_HEADER_SIZE] = { 0x80, 0x01, 0, 0, 0,
							  10, 0, 0, 1, 1 };

	memcpy(t->data, failure, sizeof(failure));
	t->n = sizeof(failure);
	t->at = 0;
	t->phase = COMPLETION;
}

static void go(struct tis *t)
{
	if (t->phase != RECEPTION || expected(t) ||
	    tpm_length(t->data) != t->n)
		return;
	t->phase = EXECUTION;
	t->abandoned = false;
	if (tpm_command(t->tpm, t->active, t->data, t->n) < 0)
		fail(t);
}

static void command_ready(struct tis *t)
{
	switch (t->phase) {
	case EXECUTION: /* aborts; idle once the TPM is done */
	case RECEPTION:
	case COMPLETION:
		abort_command(t);
		break;
	default:
		t->n = t->at = 0;
		t->phase = READY;
	}
}

static void write_sts(struct tis *t, uint8_t value)
{
	if (value & STS_COMMAND_READY)
		command_ready(t);
	else if (value & STS_GO)
		go(t);
	else if (value & STS_RESPONSE_RETRY && t->phase == COMPLETION)
		t->at = 0;
}

static void write_fifo(struct tis *t, uint8_t byte)
{
	if (t->phase == READY)
		t->phase = RECEPTION;
	if (t->phase == RECEPTION && expected(t))
		t->data[t->n++] = byte;
}

static uint8_t read_fifo(struct tis *t)
{
	return t->phase == COMPLETION && t->at < t->n ? t->data[t->at++] :
							0xff;
}

/* ---- registers ---- */

static bool is_fifo(unsigned int reg)
{
	return (reg >= DATA_FIFO && reg < DATA_FIFO + 4) ||
	       (reg >= XDATA_FIFO && reg < XDATA_END);
}

static uint32_t read_register(const struct tis *t, unsigned int l,
			      unsigned int reg)
{
	switch (reg) {
	case ACCESS:
		return read_access(t, l);
	case INTF_CAPABILITY:
		return CAPABILITY;
	case STS:
		return t->active == l ? read_sts(t) : 0xffffffff;
	case INTERFACE_ID:
		return ID_FIFO;
	case DID_VID:
		return VENDOR | DEVICE << 16;
	case RID:
		return 1;
	default:
		return 0;
	}
}

static uint8_t read_byte(struct tis *t, uint64_t offset)
{
	unsigned int l = offset / TPM_LOCALITY_SIZE;
	unsigned int reg = offset % TPM_LOCALITY_SIZE;

	if (is_fifo(reg))
		return t->active == l ? read_fifo(t) : 0xff;
	return read_register(t, l, reg & ~3u) >> 8 * (reg & 3);
}

static uint64_t tis_read(void *dev, uint64_t offset, unsigned int size)
{
	struct tis *t = dev;
	uint64_t value = 0;

	pthread_mutex_lock(&t->lock);
	for (unsigned int i = 0; i < size; i++)
		if (offset + i < TPM_LOCALITIES * TPM_LOCALITY_SIZE)
			value |= (uint64_t)read_byte(t, offset + i) << 8 * i;
	pthread_mutex_unlock(&t->lock);
	return value;
}

static void write_one(struct tis *t, unsigned int l, unsigned int reg,
		      uint64_t value, unsigned int size)
{
	if (reg == ACCESS)
		write_access(t, l, value);
	else if (t->active != l)
		return;
	else if (reg == STS)
		write_sts(t, value);
	else if (is_fifo(reg))
		for (unsigned int i = 0; i < size; i++)
			write_fifo(t, value >> 8 * i);
}

static void tis_write(void *dev, uint64_t offset, uint64_t value,
		      unsigned int size)
{
	struct tis *t = dev;

	pthread_mutex_lock(&t->lock);
	write_one(t, offset / TPM_LOCALITY_SIZE, offset % TPM_LOCALITY_SIZE,
		  value, size);
	pthread_mutex_unlock(&t->lock);
}

static const struct bus_ops tis_ops = { tis_read, tis_write };

static void tis_done(void *dev, const uint8_t *response, size_t len)
{
	struct tis *t = dev;

	pthread_mutex_lock(&t->lock);
	if (t->phase != EXECUTION) {
		/* Nobody asked. */
	} else if (t->abandoned) {
		t->phase = IDLE;
	} else if (!len) {
		fail(t);
	} else {
		memcpy(t->data, response, len);
		t->n = len;
		t->at = 0;
		t->phase = COMPLETION;
	}
	pthread_mutex_unlock(&t->lock);
}

static void tis_reset(void *dev)
{
	struct tis *t = dev;

	tpm_restart(t->tpm);
	pthread_mutex_lock(&t->lock);
	t->active = NOBODY;
	t->wanted = t->seized = 0;
	t->phase = IDLE;
	t->n = t->at = 0;
	pthread_mutex_unlock(&t->lock);
}

static void tis_pause(void *dev, bool paused)
{
	struct tis *t = dev;

	if (paused)
		tpm_settle(t->tpm);
}

static void tis_destroy(void *dev)
{
	struct tis *t = dev;

	tpm_close(t->tpm);
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static const struct state_field tis_fields[] = {
	STATE_MAX(struct tis, active, NOBODY),
	STATE(struct tis, wanted),
	STATE(struct tis, seized),
	STATE_MAX(struct tis, phase, COMPLETION),
	STATE_MAX(struct tis, n, TPM_BUFFER_MAX),
	STATE_MAX(struct tis, at, TPM_BUFFER_MAX),
	STATE_RAW(struct tis, data),
	STATE_END,
};

/* A command is never under way when it is saved: tis_pause(). */
static int tis_loaded(void *dev, unsigned int version, struct error *err)
{
	struct tis *t = dev;

	t->wanted &= BIT(TPM_LOCALITIES) - 1;
	t->seized &= BIT(TPM_LOCALITIES) - 1;
	t->at = MIN(t->at, t->n);
	return t->phase == EXECUTION ?
		       error_set(err, -EINVAL,
				 "a TPM's state has a command under way") :
		       0;
}

static const struct state_type tis_state = {
	.name = "tpm-tis",
	.version = 1,
	.fields = tis_fields,
	.loaded = tis_loaded,
};

static void tis_states(void *dev, struct state_set *set)
{
	struct tis *t = dev;

	state_add(set, &tis_state, NULL, t);
	tpm_states(t->tpm, set);
}

static const struct machine_dev_ops tis_dev_ops = {
	.name = "tpm-tis",
	.reset = tis_reset,
	.pause = tis_pause,
	.destroy = tis_destroy,
	.states = tis_states,
};

int tpm_tis_create(struct machine *m, struct error *err)
{
	struct tis *t = xcalloc(1, sizeof(*t));
	int r;

	t->m = m;
	t->active = NOBODY;
	r = tpm_open(m, TPM_BUFFER_MAX, tis_done, t, &t->tpm, err);
	if (r < 0) {
		free(t);
		return r;
	}
	pthread_mutex_init(&t->lock, NULL);
	bus_add(m->mmio, TPM_BASE, TPM_LOCALITIES * TPM_LOCALITY_SIZE,
		&tis_ops, t);
	machine_add_device(m, &tis_dev_ops, t);
	return 0;
}
