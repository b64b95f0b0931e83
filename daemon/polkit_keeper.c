/*
 * daemon/polkit_keeper.c -- priv's side of the process that asks polkit: it is
 * started, and started again whenever it ends.
 *
 * The socket that questions come by stays open here, so main notices nothing
 * but answers that do not come.  While nobody is there to ask, whoever wants
 * to know is told so at once.
 */
#include "daemon/polkit_keeper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_MODULE "polkit"
#include "base/log.h"
#include "base/util.h"
#include "daemon/polkit.h"

/* A process that lived so long did not end because it was started. */
enum { WAIT_MIN_MS = 100, WAIT_MAX_MS = 10000, LIVED_MS = 60000 };

#define MS 1000000ull

/* In the child of a process with threads: system calls only. */
_Noreturn static void become_asker(int fd)
{
	char *const argv[] = { (char *)POLKIT_ASKER, NULL };
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(fd, STDIN_FILENO) >= 0 &&
	    close_range(STDERR_FILENO + 1, ~0u, 0) == 0)
		execv("/proc/self/exe", argv);
	_exit(127);
}

static void plan_again(struct polkit_keeper *k, uint64_t now)
{
	bool lived = now - k->since > LIVED_MS * MS;

	k->pid = 0;
	k->wait_ms = lived || !k->wait_ms ?
			     WAIT_MIN_MS :
			     MIN(k->wait_ms * 2, WAIT_MAX_MS);
	k->again = now + k->wait_ms * MS;
}

static void start(struct polkit_keeper *k)
{
	k->since = now_ns();
	k->pid = fork();
	if (k->pid == 0)
		become_asker(k->fd);
	if (k->pid < 0) {
		log_error("cannot start the process that asks polkit: %s",
			  strerror(errno));
		plan_again(k, k->since);
	}
}

void polkit_keeper_start(struct polkit_keeper *k)
{
	if (k->fd >= 0)
		start(k);
}

bool polkit_keeper_reaped(struct polkit_keeper *k, pid_t pid, int status)
{
	if (k->fd < 0 || pid != k->pid)
		return false;
	plan_again(k, now_ns());
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
		k->fd = fd_close(k->fd); /* main has gone */
	else
		log_warn("the process that asks polkit ended (%s %d); it is started again in %u ms",
			 WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) :
					       WEXITSTATUS(status),
			 k->wait_ms);
	return true;
}

int polkit_keeper_fd(const struct polkit_keeper *k)
{
	return k->pid ? -1 : k->fd;
}

/* One question: what it is about does not matter. */
static void refuse(struct polkit_keeper *k)
{
	struct polkit_answer a = {
		.outcome = POLKIT_FAILED,
		.text = "the process that asks ended and is being started again",
	};
	char space[CMSG_SPACE(sizeof(int))] = { 0 }, byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = space,
			      .msg_controllen = sizeof(space) };
	ssize_t n = recvmsg(k->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	int fd = n > 0 ? polkit_received_fd(&msg) : -1;

	if (n == 0)
		k->fd = fd_close(k->fd);
	if (fd < 0)
		return;
	(void)send(fd, &a, sizeof(a), MSG_NOSIGNAL | MSG_DONTWAIT);
	fd_close(fd);
}

void polkit_keeper_step(struct polkit_keeper *k, bool asked)
{
	if (k->fd < 0 || k->pid)
		return;
	if (now_ns() >= k->again)
		start(k);
	else if (asked)
		refuse(k);
}

int polkit_keeper_timeout(const struct polkit_keeper *k, int most)
{
	uint64_t now = now_ns();

	if (k->fd < 0 || k->pid)
		return most;
	return now >= k->again ? 0 : MIN((int)((k->again - now) / MS) + 1, most);
}
