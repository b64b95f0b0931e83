/*
 * daemon/host_hook.c -- main's side of the administrator's scripts: gives one
 * its input, and hears how it ended.
 *
 * A script has as long as it needs up to a limit, and none of the channels to
 * priv meanwhile.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <libvirt/virterror.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/hooks.h"
#include "daemon/host.h"
#include "daemon/priv.h"

enum { PATIENCE_MS = 10 * 60 * 1000 };

static void put(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%s", text ? text : "-");
}

/* -ENOENT: there are no more. */
static int start(const struct priv_hook *what, int *ret_fd, struct error *err)
{
	struct priv_request *rq = xcalloc(1, sizeof(*rq));
	int fds[PRIV_FDS_MAX] = { -1, -1 };
	struct priv_reply reply;
	int r;

	rq->op = PRIV_RUN_HOOK;
	rq->hook = *what;
	r = host_call(rq, sizeof(rq->hook), &reply, fds, err);
	free(rq);
	if (r == 0)
		*ret_fd = fds[0];
	return r;
}

/* Its end is the input's end. */
static int give_input(int fd, const char *xml)
{
	size_t left = xml ? strlen(xml) : 0;
	ssize_t n;

	while (left) {
		n = send(fd, xml, left, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			xml += n;
			left -= n;
		}
	}
	return shutdown(fd, SHUT_WR) < 0 ? -errno : 0;
}

static int hear(int fd, struct priv_hook_end *ret_end)
{
	struct pollfd p = { fd, POLLIN, 0 };
	int r;

	do {
		r = poll(&p, 1, PATIENCE_MS);
	} while (r < 0 && errno == EINTR);
	if (r == 0)
		return -ETIMEDOUT; /* which ends it, as fd is closed */
	return read_full(fd, ret_end, sizeof(*ret_end));
}

static int failed(const struct priv_hook *h, const char *why, int number,
		  const char *said, struct error *err)
{
	return error_virt(err, VIR_ERR_HOOK_SCRIPT_FAILED,
			  "internal error: Child process (%s %s %s %s %s) %s %d: %s",
			  h->kind, h->object, h->op, h->sub_op, h->extra, why,
			  number, said);
}

static int judge(const struct priv_hook *h, struct priv_hook_end *end,
		 struct error *err)
{
	end->said[sizeof(end->said) - 1] = '\0';
	if (end->status == 0)
		return 0;
	if (end->status > 0 && WIFSIGNALED(end->status))
		return failed(h, "unexpected fatal signal",
			      WTERMSIG(end->status), end->said, err);
	return failed(h, "unexpected exit status", WEXITSTATUS(end->status),
		      end->said, err);
}

static int run_one(const struct priv_hook *what, const char *xml,
		   struct error *err)
{
	_cleanup_close_ int fd = -1;
	struct priv_hook_end end;
	int r = start(what, &fd, err);

	if (r < 0)
		return r;
	(void)give_input(fd, xml); /* one that does not read may do so */
	r = hear(fd, &end);
	if (r < 0)
		return error_virt(err, VIR_ERR_HOOK_SCRIPT_FAILED,
				  "'%s %s %s': %s", what->kind, what->object, what->op,
				  strerror(-r));
	return judge(what, &end, err);
}

int host_hook(const char *kind, const char *object, const char *op,
	      const char *sub_op, const char *extra, const char *xml,
	      struct error *err)
{
	struct priv_hook what = { 0 };
	int r;

	put(what.kind, sizeof(what.kind), kind);
	put(what.object, sizeof(what.object), object);
	put(what.op, sizeof(what.op), op);
	put(what.sub_op, sizeof(what.sub_op), sub_op);
	put(what.extra, sizeof(what.extra), extra);
	do {
		r = run_one(&what, xml, err);
		what.index++;
	} while (r == 0);
	return r == -ENOENT ? 0 : r;
}
