/*
 * vmm/handover.c -- which of two machines with the same guest runs
 * (vmm/handover.h).
 */
#include "vmm/handover.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/error.h"
#include "vmm/loop.h"

/* #syscalls:vmm sendto recvfrom close */

enum word { WORD_TAKE = 1, WORD_GIVEN, WORD_RUNS, WORD_REVOKED };

struct message {
	char magic[4];
	uint32_t word;
};

struct handover {
	struct loop *loop;
	int fd; /* -1: settled */
	bool source, trusted;
	enum handover_state state;
	handover_fn *changed;
	void *arg;
	struct message in;
	size_t in_len;
};

static void hang_up(struct handover *h)
{
	if (h->fd < 0)
		return;
	loop_remove(h->loop, h->fd);
	h->fd = fd_close(h->fd);
}

/* Eight bytes on a quiet stream always fit; a peer that is gone is noticed
 * when we read. */
static void say(struct handover *h, enum word word)
{
	struct message m = { .magic = "VrHo", .word = word };

	if (send(h->fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

static void settle(struct handover *h, enum handover_state state)
{
	h->state = state;
	if (state != HANDOVER_GIVEN && state != HANDOVER_TAKING)
		hang_up(h);
	h->changed(h->arg, state);
}

static void source_hears(struct handover *h, enum word word)
{
	if (word == WORD_TAKE && h->state == HANDOVER_OFFERED) {
		say(h, WORD_GIVEN);
		settle(h, HANDOVER_GIVEN);
	} else if (word == WORD_RUNS && h->state == HANDOVER_GIVEN) {
		settle(h, HANDOVER_DONE);
	}
}

static void destination_hears(struct handover *h, enum word word)
{
	if (word == WORD_GIVEN && h->state == HANDOVER_TAKING) {
		say(h, WORD_RUNS);
		settle(h, HANDOVER_TAKEN);
	} else if (word == WORD_REVOKED) {
		settle(h, HANDOVER_REFUSED);
	}
}

/* clean: the other process closed it or died; else the way there broke. */
static void ended(struct handover *h, bool clean)
{
	bool sure = clean && h->trusted;

	if (!h->source) {
		settle(h, sure ? HANDOVER_TAKEN : HANDOVER_REFUSED);
	} else if (h->state == HANDOVER_OFFERED) {
		say(h, WORD_REVOKED); /* if it hears us still */
		settle(h, HANDOVER_LOST);
	} else {
		settle(h, sure ? HANDOVER_LOST : HANDOVER_UNSURE);
	}
}

static void heard(struct handover *h)
{
	h->in_len = 0;
	if (memcmp(h->in.magic, "VrHo", sizeof(h->in.magic)))
		ended(h, false);
	else if (h->source)
		source_hears(h, h->in.word);
	else
		destination_hears(h, h->in.word);
}

static void readable(void *arg, uint32_t events)
{
	struct handover *h = arg;
	ssize_t n = recv(h->fd, (char *)&h->in + h->in_len,
			 sizeof(h->in) - h->in_len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		ended(h, n == 0);
		return;
	}
	h->in_len += n;
	if (h->in_len == sizeof(h->in))
		heard(h);
}

struct handover *handover_create(struct loop *loop, int fd, bool source,
				 bool trusted, handover_fn *changed, void *arg)
{
	struct handover *h = xcalloc(1, sizeof(*h));

	h->loop = loop;
	h->fd = fd;
	h->source = source;
	h->trusted = trusted;
	h->changed = changed;
	h->arg = arg;
	/* The destination reads when it asks: until then there is no hurry. */
	if (source)
		loop_add(loop, fd, EPOLLIN, readable, h);
	return h;
}

void handover_destroy(struct handover *h)
{
	if (!h)
		return;
	hang_up(h);
	free(h);
}

enum handover_state handover_state(const struct handover *h)
{
	return h->state;
}

const char *handover_word(const struct handover *h)
{
	static const char *const words[] = {
		[HANDOVER_OFFERED] = "offered",
		[HANDOVER_GIVEN] = "given",
		[HANDOVER_DONE] = "done",
		[HANDOVER_LOST] = "lost",
		[HANDOVER_UNSURE] = "unsure",
		[HANDOVER_REVOKED] = "revoked",
		[HANDOVER_TAKING] = "taking",
		[HANDOVER_TAKEN] = "taken",
		[HANDOVER_REFUSED] = "refused",
	};

	return h ? words[h->state] : NULL;
}

int handover_take(struct handover *h, struct error *err)
{
	int r;

	if (h->source || h->state != HANDOVER_OFFERED)
		return error_set(err, -EINVAL, "there is no guest to take");
	r = loop_add(h->loop, h->fd, EPOLLIN, readable, h);
	if (r < 0)
		return error_set(err, r, "cannot watch the stream: %m");
	h->state = HANDOVER_TAKING;
	say(h, WORD_TAKE);
	return 0;
}

int handover_revoke(struct handover *h, struct error *err)
{
	if (!h->source)
		return h->state == HANDOVER_TAKEN ?
			       0 :
			       error_set(err, -EPERM,
					 "the guest was not taken from its "
					 "source");
	if (h->state == HANDOVER_GIVEN)
		return error_set(err, -EBUSY,
				 "the guest is just being handed over");
	if (h->state == HANDOVER_DONE)
		return error_set(err, -EPERM, "the guest runs elsewhere");
	if (h->state == HANDOVER_OFFERED) {
		say(h, WORD_REVOKED);
		hang_up(h);
	}
	h->state = HANDOVER_REVOKED;
	return 0;
}
