/*
 * daemon/priv_probe.c -- runs "vireo-vmm --probe-kvm": a tiny guest that tells
 * whether this host's KVM is of use, in the same sandbox as a real one.
 *
 * The program writes one line to its standard output: "ok", or why not.
 */
#include "daemon/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/error.h"
#include "base/util.h"

/* Its own limits are below 5 s; the rest is for a host that is busy. */
enum { PROBE_MS = 60000 };

static int read_answer(int fd, int pidfd, char *text, size_t size)
{
	uint64_t end = now_ns() + PROBE_MS * 1000000ull;
	size_t len = 0;

	for (;;) {
		int64_t left = (int64_t)(end - now_ns()) / 1000000;
		ssize_t n;

		if (left <= 0 ||
		    poll(&(struct pollfd){ fd, POLLIN, 0 }, 1, left) <= 0)
			return -ETIMEDOUT;
		n = read(fd, text + len, size - 1 - len);
		if (n <= 0)
			break;
		len += n;
	}
	text[len] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return 0;
}

int priv_probe_kvm(struct priv *priv, const void *arg,
		   struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		   struct error *err)
{
	char *argv[] = { "vireo-vmm", "--probe-kvm", "--kvm-fd=3", NULL };
	_cleanup_close_ int kvm = -1, out = -1, in = -1, pidfd = -1;
	struct spawn s = { .exe = priv->vmm_exe,
			   .session = priv->session,
			   .uid = priv->vmm_uid_base + priv->vmm_uids,
			   .argv = argv,
			   .keep = &kvm,
			   .n_keep = 1 };
	int p[2], opened[PRIV_FDS_MAX] = { -1, -1 };
	pid_t pid;
	int r = priv_open_kvm(priv, NULL, reply, opened, err);

	if (r < 0)
		return r;
	kvm = opened[0];
	if (pipe2(p, O_CLOEXEC) < 0)
		return error_set(err, -errno, "cannot create a pipe: %m");
	out = p[0];
	s.output = in = p[1];
	r = priv_spawn(&s, &pidfd, &pid, err);
	if (r < 0)
		return r;
	fd_close(steal_fd(&in));
	r = read_answer(out, pidfd, reply->text, sizeof(reply->text));
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	if (r < 0)
		return error_set(err, r,
				 "the KVM probe did not end within %d s: this KVM is too slow for guests",
				 PROBE_MS / 1000);
	return 0;
}
