/*
 * drivers/launch_rescue.c -- a machine whose guest's memory follows it may wait
 * for a page with all it does; this socket reaches it even then
 * (vmm/control.h, "rescue").
 */
#include <string.h>
#include <sys/socket.h>

#include "base/util.h"
#include "drivers/launch.h"

void rescue_begin(struct rescue *r, int fd)
{
	fd_close(r->fd);
	*r = (struct rescue){ .fd = fd };
}

void rescue_end(struct rescue *r)
{
	rescue_begin(r, -1);
}

bool rescue_send(struct rescue *r, int fd)
{
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} u = { 0 };
	struct iovec iov = { "r", 1 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &u,
			      .msg_controllen = sizeof(u.space) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	if (r->fd < 0)
		return false;
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	r->broken = false;
	return sendmsg(r->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

const char *rescue_word(struct rescue *r)
{
	char word[16] = "";
	ssize_t n;

	if (r->fd < 0 || !r->follows)
		return NULL;
	while ((n = recv(r->fd, word, sizeof(word) - 1, MSG_DONTWAIT)) > 0) {
		word[n] = '\0';
		r->broken = str_eq(word, "broken");
		r->over = !r->broken;
	}
	if (n == 0 || r->over) {
		rescue_end(r);
		return NULL;
	}
	return r->broken ? "broken" : "copying";
}

void rescue_heard(struct rescue *r, const char *word)
{
	r->follows = str_eq(word, "copying") || str_eq(word, "broken");
}
