/*
 * vmm/dev/tpm.c -- to swtpm, which is the TPM: commands and responses over one
 * stream socket as they are (TPM 2.0 Library, part 1), and its control channel
 * over another (swtpm, include/swtpm/tpm_ioctl.h, "non-CUSE": a command number
 * and its arguments, big-endian; the answer begins with a result).
 *
 * swtpm does one thing at a time: while a command runs, its control channel
 * waits.  So there is no cancelling, which the specification leaves to the TPM
 * (Platform TPM Profile, 6.5.3.9).
 */
#include "vmm/dev/tpm.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/loop.h"
#include "vmm/machine.h"
#include "vmm/spec.h"
#include "vmm/state.h"

/* #syscalls:vmm sendto recvfrom poll */

enum { CMD_INIT = 2, CMD_SET_LOCALITY = 5, CMD_GET_STATEBLOB = 12,
       CMD_SET_STATEBLOB = 13, CMD_STOP = 14, CMD_SET_BUFFERSIZE = 17 };
enum { INIT_DELETE_VOLATILE = 1 };
enum { BLOB_PERMANENT = 1, BLOB_VOLATILE, BLOB_SAVESTATE };
enum { ANSWER_MS = 60000, NO_LOCALITY = 0xff };

/* What TPMs of today need is a tenth of it. */
enum { PERMANENT_MAX = 512 * 1024, VOLATILE_MAX = 128 * 1024 };

struct tpm {
	struct machine *m;
	int control_fd, data_fd;
	unsigned int buffer_size;
	tpm_done_fn *done;
	void *arg;

	pthread_mutex_t lock; /* the next four, and the control channel */
	bool gone;	      /* it does not answer any more */
	bool busy;
	unsigned int locality;

	/* The main thread's. */
	uint8_t response[TPM_BUFFER_MAX];
	size_t n_response;

	/* Filled to be saved. */
	unsigned int n_permanent, n_volatile;
	uint8_t permanent[PERMANENT_MAX];
	uint8_t vol[VOLATILE_MAX];
};

static void put32(uint8_t *p, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		p[i] = value >> (24 - 8 * i);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

/* ---- the control channel ---- */

static int send_all(int fd, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		len -= n;
	}
	return 0;
}

static int receive_all(int fd, void *data, size_t len)
{
	uint8_t *p = data;

	while (len) {
		struct pollfd pfd = { fd, POLLIN, 0 };
		ssize_t n = poll(&pfd, 1, ANSWER_MS);

		if (n == 0)
			return -ETIMEDOUT;
		if (n > 0)
			n = recv(fd, p, len, MSG_DONTWAIT);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ECONNRESET;
		p += n;
		len -= n;
	}
	return 0;
}

/* Locked: a request of a number, words and data; the answer's words. */
static int control(struct tpm *tpm, const uint32_t *words, unsigned int n,
		   const void *data, size_t len, uint32_t *ret_words,
		   unsigned int n_ret)
{
	uint8_t request[16], answer[16];
	int r = tpm->gone ? -ECONNRESET : 0;

	assert(n <= 4 && n_ret <= 4);
	for (unsigned int i = 0; i < n; i++)
		put32(request + 4 * i, words[i]);
	if (r == 0)
		r = send_all(tpm->control_fd, request, 4 * n);
	if (r == 0)
		r = send_all(tpm->control_fd, data, len);
	/* A failure is the result alone, for some requests. */
	if (r == 0)
		r = receive_all(tpm->control_fd, answer, 4);
	if (r == 0 && get32(answer))
		return -EIO;
	if (r == 0)
		r = receive_all(tpm->control_fd, answer + 4, 4 * n_ret - 4);
	for (unsigned int i = 0; i < n_ret && r == 0; i++)
		ret_words[i] = get32(answer + 4 * i);
	if (r < 0)
		tpm->gone = true; /* what comes next would be out of step */
	return r;
}

static int request(struct tpm *tpm, const uint32_t *words, unsigned int n)
{
	uint32_t result;

	return control(tpm, words, n, NULL, 0, &result, 1);
}

/* Its argument is one byte. */
static int set_locality(struct tpm *tpm, unsigned int locality)
{
	const uint32_t words[] = { CMD_SET_LOCALITY };
	uint32_t result;
	uint8_t byte = locality;
	int r = 0;

	if (locality != tpm->locality)
		r = control(tpm, words, 1, &byte, 1, &result, 1);
	if (r == 0)
		tpm->locality = locality;
	return r;
}

/* The size that it gives may be larger: responses are checked here too. */
static int set_buffer_size(struct tpm *tpm)
{
	const uint32_t words[] = { CMD_SET_BUFFERSIZE, tpm->buffer_size };
	uint32_t answer[4];

	return control(tpm, words, 2, NULL, 0, answer, 4);
}

static int start(struct tpm *tpm, uint32_t flags)
{
	const uint32_t stop[] = { CMD_STOP };
	const uint32_t init[] = { CMD_INIT, flags };
	int r = request(tpm, stop, 1);

	if (r == 0)
		r = set_buffer_size(tpm);
	if (r == 0)
		r = request(tpm, init, 2);
	tpm->locality = NO_LOCALITY;
	return r;
}

/* ---- commands ---- */

int tpm_command(struct tpm *tpm, unsigned int locality, const uint8_t *data,
		size_t len)
{
	int r;

	pthread_mutex_lock(&tpm->lock);
	r = tpm->busy ? -EBUSY : set_locality(tpm, locality);
	if (r == 0)
		r = send_all(tpm->data_fd, data, len);
	if (r == 0)
		tpm->busy = true;
	pthread_mutex_unlock(&tpm->lock);
	return r;
}

static bool is_busy(struct tpm *tpm)
{
	bool busy;

	pthread_mutex_lock(&tpm->lock);
	busy = tpm->busy;
	pthread_mutex_unlock(&tpm->lock);
	return busy;
}

static void complete(struct tpm *tpm, size_t len)
{
	pthread_mutex_lock(&tpm->lock);
	tpm->busy = false;
	tpm->gone |= !len;
	pthread_mutex_unlock(&tpm->lock);
	tpm->n_response = 0;
	tpm->done(tpm->arg, tpm->response, len);
}

/* 0: not all of it is there yet; -1: no response of a TPM. */
static int response_length(const struct tpm *tpm)
{
	uint32_t len;

	if (tpm->n_response < TPM_HEADER_SIZE)
		return 0;
	len = tpm_length(tpm->response);
	if (len < TPM_HEADER_SIZE || len > tpm->buffer_size ||
	    tpm->n_response > len)
		return -1;
	return tpm->n_response == len ? (int)len : 0;
}

static void data_readable(void *arg, uint32_t events)
{
	struct tpm *tpm = arg;
	ssize_t n = recv(tpm->data_fd, tpm->response + tpm->n_response,
			 sizeof(tpm->response) - tpm->n_response,
			 MSG_DONTWAIT);
	int len;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	tpm->n_response += MAX(n, 0);
	len = n > 0 ? response_length(tpm) : -1;
	if (len < 0)
		loop_remove(tpm->m->loop, tpm->data_fd);
	if (len)
		complete(tpm, MAX(len, 0));
}

void tpm_settle(struct tpm *tpm)
{
	while (is_busy(tpm)) {
		struct pollfd pfd = { tpm->data_fd, POLLIN, 0 };

		if (poll(&pfd, 1, -1) > 0)
			data_readable(tpm, EPOLLIN);
	}
}

/* ---- life ---- */

/* What it had begun to answer is in the socket when it has stopped. */
static void drop_responses(struct tpm *tpm)
{
	while (recv(tpm->data_fd, tpm->response, sizeof(tpm->response),
		    MSG_DONTWAIT) > 0)
		;
	tpm->n_response = 0;
}

static int restart(struct tpm *tpm, uint32_t flags)
{
	int r;

	pthread_mutex_lock(&tpm->lock);
	r = start(tpm, flags);
	if (r == 0)
		tpm->busy = false;
	pthread_mutex_unlock(&tpm->lock);
	drop_responses(tpm);
	return r;
}

/* Without firmware nobody would tell it to go on with what the guest left there
 * before it slept: it had power. */
void tpm_restart(struct tpm *tpm)
{
	if (machine_waking(tpm->m) && tpm->m->spec->firmware_fd < 0)
		return;
	restart(tpm, 0);
}

int tpm_open(struct machine *m, unsigned int buffer_size, tpm_done_fn *done,
	     void *arg, struct tpm **ret_tpm, struct error *err)
{
	struct tpm *tpm = xcalloc(1, sizeof(*tpm));
	int r;

	tpm->m = m;
	tpm->control_fd = m->spec->tpm_control_fd;
	tpm->data_fd = m->spec->tpm_data_fd;
	tpm->buffer_size = buffer_size;
	tpm->done = done;
	tpm->arg = arg;
	pthread_mutex_init(&tpm->lock, NULL);
	r = restart(tpm, 0);
	if (r < 0)
		error_set(err, r, "the TPM does not answer: %m");
	if (r == 0)
		r = loop_add(m->loop, tpm->data_fd, EPOLLIN, data_readable,
			     tpm);
	if (r < 0) {
		pthread_mutex_destroy(&tpm->lock);
		free(tpm);
		return r;
	}
	*ret_tpm = tpm;
	return 0;
}

void tpm_close(struct tpm *tpm)
{
	loop_remove(tpm->m->loop, tpm->data_fd);
	pthread_mutex_destroy(&tpm->lock);
	free(tpm);
}

/* ---- its state, as it gives it ---- */

static int get_blob(struct tpm *tpm, uint32_t type, uint8_t *data, size_t max,
		    unsigned int *ret_n)
{
	const uint32_t words[] = { CMD_GET_STATEBLOB, 0, type, 0 };
	uint32_t answer[4]; /* result, flags, length of all, and of this */
	int r = control(tpm, words, 4, NULL, 0, answer, 4);

	if (r == 0 && (answer[3] > max || answer[2] != answer[3])) {
		tpm->gone = true;
		return -EFBIG;
	}
	if (r == 0)
		r = receive_all(tpm->control_fd, data, answer[3]);
	if (r == 0)
		*ret_n = answer[3];
	return r;
}

static int set_blob(struct tpm *tpm, uint32_t type, const uint8_t *data,
		    unsigned int n)
{
	const uint32_t words[] = { CMD_SET_STATEBLOB, 0, type, n };
	uint32_t result;

	return n ? control(tpm, words, 4, data, n, &result, 1) : 0;
}

static int tpm_loaded(void *obj, unsigned int version, struct error *err)
{
	const uint32_t stop[] = { CMD_STOP };
	struct tpm *tpm = obj;
	int r;

	pthread_mutex_lock(&tpm->lock);
	r = request(tpm, stop, 1);
	if (r == 0)
		r = set_blob(tpm, BLOB_PERMANENT, tpm->permanent,
			     tpm->n_permanent);
	if (r == 0)
		r = set_blob(tpm, BLOB_VOLATILE, tpm->vol, tpm->n_volatile);
	if (r == 0)
		r = start(tpm, INIT_DELETE_VOLATILE);
	pthread_mutex_unlock(&tpm->lock);
	return r < 0 ? error_set(err, r, "the TPM does not take its state") :
		       0;
}

#define BYTES(member, n) \
	{ .name = #member, .kind = STATE_BYTES, \
	  .offset = offsetof(struct tpm, member), .size = 1, \
	  .count = sizeof(((struct tpm *)0)->member), \
	  .counter = offsetof(struct tpm, n) }
static const struct state_field tpm_fields[] = {
	BYTES(permanent, n_permanent),
	BYTES(vol, n_volatile),
	STATE_END,
};

static const struct state_type tpm_state = {
	.name = "tpm",
	.version = 1,
	.fields = tpm_fields,
	.loaded = tpm_loaded,
};

/* Asked for here, where a machine that cannot be saved can still say so. */
void tpm_states(struct tpm *tpm, struct state_set *set)
{
	int r;

	pthread_mutex_lock(&tpm->lock);
	r = get_blob(tpm, BLOB_PERMANENT, tpm->permanent, PERMANENT_MAX,
		     &tpm->n_permanent);
	if (r == 0)
		r = get_blob(tpm, BLOB_VOLATILE, tpm->vol, VOLATILE_MAX,
			     &tpm->n_volatile);
	pthread_mutex_unlock(&tpm->lock);
	if (r < 0)
		state_lacks(set, "tpm");
	else
		state_add(set, &tpm_state, NULL, tpm);
}
