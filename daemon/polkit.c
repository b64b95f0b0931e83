/*
 * daemon/polkit.c -- main's end of asking polkit (daemon/polkit.h).
 */
#include "daemon/polkit.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/access_driver.h"

/* How long users have for their password, and polkitd for its rules. */
enum { PASSWORD_MS = 180000, RULES_MS = 60000 };

struct polkit {
	int fd;
};

struct polkit *polkit_create(int fd)
{
	struct polkit *p = xcalloc(1, sizeof(*p));

	p->fd = fd;
	return p;
}

void polkit_destroy(struct polkit *p)
{
	if (p)
		fd_close(p->fd);
	free(p);
}

static bool add_text(struct polkit_question *q, size_t *at, const char *text)
{
	size_t len = strlen(text) + 1;

	if (len > sizeof(q->text) - *at)
		return false;
	memcpy(q->text + *at, text, len);
	*at += len;
	return true;
}

/* The question's length, or 0: it is too long. */
static size_t make_question(struct polkit_question *q,
			    const struct polkit_subject *subject,
			    const char *action,
			    const struct access_details *details)
{
	size_t at = 0;
	bool ok = add_text(q, &at, action);

	q->pid = subject->pid;
	q->uid = subject->uid;
	q->interactive = subject->interactive;
	for (unsigned int i = 0; details && i < details->n; i++)
		ok = ok && add_text(q, &at, details->list[i].key) &&
		     add_text(q, &at, details->list[i].value);
	return ok ? offsetof(struct polkit_question, text) + at : 0;
}

static int send_question(int to, const struct polkit_question *q, size_t len,
			 int fd)
{
	char space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { (void *)q, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = space,
			      .msg_controllen = sizeof(space) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	return sendmsg(to, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int receive_answer(int fd, int timeout_ms, struct polkit_answer *ret)
{
	struct pollfd p = { fd, POLLIN, 0 };
	int n = poll(&p, 1, timeout_ms);

	if (n <= 0)
		return n < 0 ? -errno : -ETIMEDOUT;
	if (recv(fd, ret, sizeof(*ret), 0) != sizeof(*ret))
		return -EPIPE;
	ret->text[sizeof(ret->text) - 1] = '\0';
	return 0;
}

static int exchange(struct polkit *polkit, const struct polkit_question *q,
		    size_t len, struct polkit_answer *answer)
{
	_cleanup_close_ int near = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	near = pair[0];
	r = send_question(polkit->fd, q, len, pair[1]);
	fd_close(pair[1]);
	/* Giving up closes our end, and that takes the question back. */
	return r < 0 ? r :
		       receive_answer(near, q->interactive ? PASSWORD_MS :
							     RULES_MS,
				      answer);
}

int polkit_ask(struct polkit *polkit, const struct polkit_subject *subject,
	       const char *action, const struct access_details *details,
	       enum polkit_outcome *ret_outcome, struct error *err)
{
	_cleanup_free_ struct polkit_question *q = xcalloc(1, sizeof(*q));
	size_t len = make_question(q, subject, action, details);
	struct polkit_answer answer = { 0 };
	int r = len ? exchange(polkit, q, len, &answer) : -EMSGSIZE;

	if (r == -EPIPE)
		return error_set(err, r,
				 "cannot ask polkit about %s: the process that asks ended",
				 action);
	if (r < 0)
		return error_set(err, r, "cannot ask polkit about %s: %m",
				 action);
	if (answer.outcome >= POLKIT_FAILED)
		return error_set(err, -EIO, "cannot ask polkit about %s: %s",
				 action, answer.text);
	*ret_outcome = answer.outcome;
	return 0;
}
