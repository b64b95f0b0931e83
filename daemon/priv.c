/*
 * daemon/priv.c -- the only process that stays privileged.
 *
 * It opens things for main and passes the descriptors back.  It parses no XML,
 * speaks no RPC, opens no path that its checks (priv_path.c) refuse, and
 * trusts no length it is sent.  A message that is not exactly one op with
 * exactly its struct ends it, and main with it: main is then not to be
 * trusted any more.
 *
 * Threads: one per channel; the first thread waits for signals, for main's end
 * and reaps children.  Everything shared is in struct priv, constant after
 * the start but for the lock in it.
 */
#include "daemon/priv.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>

#define LOG_MODULE "priv"
#include "base/error.h"
#include "base/log.h"
#include "base/util.h"

enum { STOP_SECONDS = 30 };

static int priv_ready(struct priv *priv, const void *arg,
		      struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		      struct error *err)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%d\n", getpid());

	if (pwrite(priv->lock_fd, text, n, 0) != n)
		return error_set(err, -errno, "cannot write the lock file: %m");
	sd_notify(0, "READY=1");
	return 0;
}

/* One string per struct at most, checked here for all. */
#define OP(fn, s) { fn, sizeof(struct s), 0, 0 }
#define OP_STR(fn, s, str) \
	{ fn, sizeof(struct s), offsetof(struct s, str), \
	  sizeof(((struct s *)0)->str) }

static const struct {
	priv_fn *fn;
	size_t size;
	size_t str_offset, str_size;
} priv_ops[] = {
	[PRIV_OPEN_DISK] = OP_STR(priv_open_disk, priv_path, path),
	[PRIV_OPEN_FILE] = OP_STR(priv_open_file, priv_path, path),
	[PRIV_OPEN_LOG] = OP_STR(priv_open_log, priv_path, path),
	[PRIV_FILE_BEGIN] = OP_STR(priv_file_begin, priv_path, path),
	[PRIV_FILE_END] = OP_STR(priv_file_end, priv_path, path),
	[PRIV_FILE_REMOVE] = OP_STR(priv_file_remove, priv_path, path),
	[PRIV_OPEN_KVM] = OP(priv_open_kvm, priv_none),
	[PRIV_OPEN_USERFAULT] = OP(priv_open_userfault, priv_none),
	[PRIV_OPEN_MEMORY] = OP(priv_open_memory, priv_none),
	[PRIV_OPEN_TAP] = OP_STR(priv_open_tap, priv_tap, ifname),
	[PRIV_REMOVE_TAP] = OP_STR(priv_remove_tap, priv_ifname, ifname),
	[PRIV_TAP_STATS] = OP_STR(priv_tap_stats, priv_ifname, ifname),
	[PRIV_OPEN_VHOST_NET] = OP(priv_open_vhost_net, priv_none),
	[PRIV_OPEN_VSOCK] = OP(priv_open_vsock, priv_vsock),
	[PRIV_CONNECT_VSOCK] = OP(priv_connect_vsock, priv_vsock),
	[PRIV_START_FS] = OP_STR(priv_start_fs, priv_path, path),
	[PRIV_OPEN_PTY] = OP(priv_open_pty, priv_none),
	[PRIV_OPEN_TTY] = OP_STR(priv_open_tty, priv_path, path),
	[PRIV_LISTEN_UNIX] = OP_STR(priv_listen_unix, priv_path, path),
	[PRIV_CONNECT_UNIX] = OP_STR(priv_connect_unix, priv_path, path),
	[PRIV_LISTEN_TCP] = OP(priv_listen_tcp, priv_tcp),
	[PRIV_CONNECT_TCP] = OP_STR(priv_connect_tcp, priv_host, host),
	[PRIV_PROBE_KVM] = OP(priv_probe_kvm, priv_none),
	[PRIV_SPAWN_VMM] = OP_STR(priv_spawn_vmm, priv_vmm, name),
	[PRIV_CONNECT_VMM] = OP_STR(priv_connect_vmm, priv_vmm, name),
	[PRIV_VMM_STATUS] = OP_STR(priv_vmm_status, priv_vmm, name),
	[PRIV_KILL_VMM] = OP_STR(priv_kill_vmm, priv_vmm, name),
	[PRIV_FORGET_VMM] = OP_STR(priv_forget_vmm, priv_vmm, name),
	[PRIV_SPAWN_TPM] = OP_STR(priv_spawn_tpm, priv_vmm, name),
	[PRIV_FORGET_TPM] = OP_STR(priv_forget_tpm, priv_vmm, name),
	[PRIV_PIN_VMM] = OP_STR(priv_pin_vmm, priv_pin, thread),
	[PRIV_MEMLOCK_VMM] = OP_STR(priv_memlock_vmm, priv_vmm, name),
	[PRIV_LIMIT_VMM] = OP(priv_limit_vmm, priv_limits),
	[PRIV_VMM_WAITS] = OP(priv_vmm_waits, priv_waits_of),
	[PRIV_PCI_LIST] = OP(priv_pci_list, priv_pci),
	[PRIV_PCI_INFO] = OP(priv_pci_info, priv_pci),
	[PRIV_PCI_DETACH] = OP(priv_pci_detach, priv_pci),
	[PRIV_PCI_REATTACH] = OP(priv_pci_reattach, priv_pci),
	[PRIV_PCI_RESET] = OP(priv_pci_reset, priv_pci),
	[PRIV_OPEN_VFIO] = OP(priv_open_vfio, priv_pci),
	[PRIV_SET_VF] = OP(priv_set_vf, priv_vf),
	[PRIV_LIST_DIR] = OP_STR(priv_list_dir, priv_path, path),
	[PRIV_MAKE_DIR] = OP_STR(priv_make_dir, priv_volume, path),
	[PRIV_REMOVE_DIR] = OP_STR(priv_remove_dir, priv_path, path),
	[PRIV_CREATE_VOLUME] = OP_STR(priv_create_volume, priv_volume, path),
	[PRIV_RUN_HOOK] = OP(priv_run_hook, priv_hook),
	[PRIV_RUN_TOOL] = OP_STR(priv_run_tool, priv_tool, args),
	[PRIV_NET_UP] = OP(priv_net_up, net_plan),
	[PRIV_NET_DOWN] = OP(priv_net_down, net_plan),
	[PRIV_NET_RESTORE] = OP(priv_net_restore, net_plan),
	[PRIV_NET_WATCH] = OP(priv_net_watch, priv_none),
	[PRIV_NET_VIEW] = OP(priv_net_view, priv_none),
	[PRIV_NET_PORT] = OP(priv_net_port, bridge_port),
	[PRIV_SET_RATES] = OP(priv_set_rates, priv_rates),
	[PRIV_OPEN_DIRECT] = OP(priv_open_direct, direct_plan),
	[PRIV_REMOVE_DIRECT] = OP_STR(priv_remove_direct, priv_net, bridge),
	[PRIV_NET_FILE] = OP_STR(priv_net_file, priv_net_file, text),
	[PRIV_NET_LEASES] = OP_STR(priv_net_leases, priv_net, bridge),
	[PRIV_NET_FORGET] = OP_STR(priv_net_forget, priv_net, bridge),
	[PRIV_START_DNSMASQ] = OP_STR(priv_start_dnsmasq, priv_net, bridge),
	[PRIV_STOP_DNSMASQ] = OP_STR(priv_stop_dnsmasq, priv_net, bridge),
	[PRIV_RELOAD_DNSMASQ] = OP_STR(priv_reload_dnsmasq, priv_net, bridge),
	[PRIV_FILTER_SET] = OP_STR(priv_filter_set, priv_filter, port),
	[PRIV_FILTER_REMOVE] = OP_STR(priv_filter_remove, priv_ifname, ifname),
	[PRIV_READY] = OP(priv_ready, priv_none),
};
static_assert(ARRAY_SIZE(priv_ops) == PRIV_OPS, "priv_ops is short");

/* Whether the message is one op with its struct, as long as both are. */
static bool well_formed(const struct priv_request *rq, size_t len)
{
	const char *arg = (const char *)&rq->path;
	size_t head = offsetof(struct priv_request, path);

	if (len < head || rq->op >= PRIV_OPS ||
	    len != head + priv_ops[rq->op].size)
		return false;
	return !priv_ops[rq->op].str_size ||
	       memchr(arg + priv_ops[rq->op].str_offset, '\0',
		      priv_ops[rq->op].str_size);
}

static int send_reply(int channel, const struct priv_reply *reply,
		      const int fds[PRIV_FDS_MAX])
{
	struct iovec iov = { (void *)reply, sizeof(*reply) };
	union {
		char buf[CMSG_SPACE(sizeof(int) * PRIV_FDS_MAX)];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	unsigned int n = 0;

	while (n < PRIV_FDS_MAX && fds[n] >= 0)
		n++;
	if (n) {
		msg.msg_control = control.buf;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * n);
		memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * n);
	}
	return sendmsg(channel, &msg, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int serve_one(struct priv *priv, int channel,
		     const struct priv_request *rq)
{
	struct priv_reply reply = { 0 };
	int fds[PRIV_FDS_MAX] = { -1, -1 };
	struct error err = { 0 };
	int r = priv_ops[rq->op].fn(priv, &rq->path, &reply, fds, &err);

	if (r < 0) {
		reply.errnum = r;
		reply.code = err.code;
		snprintf(reply.text, sizeof(reply.text), "%.*s",
			 (int)sizeof(reply.text) - 1, err.message);
		log_debug("op %u: %s", rq->op, reply.text);
	}
	r = send_reply(channel, &reply, fds);
	for (int i = 0; i < PRIV_FDS_MAX; i++)
		fd_close(fds[i]);
	return r;
}

struct server {
	struct priv *priv;
	int channel;
};

static void *serve(void *arg)
{
	const struct server *server = arg;
	struct priv_request rq;

	for (;;) {
		ssize_t n = recv(server->channel, &rq, sizeof(rq), MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return NULL; /* main is ending; its pidfd will tell */
		if (!well_formed(&rq, n)) {
			log_error("a malformed message from main: ending it");
			kill(server->priv->main_pid, SIGKILL);
			return NULL;
		}
		serve_one(server->priv, server->channel, &rq);
	}
}

static int start_threads(struct priv *priv, struct server servers[])
{
	for (int i = 0; i < PRIV_CHANNELS; i++) {
		pthread_t thread;
		int r;

		servers[i] = (struct server){ priv, priv->channels[i] };
		r = pthread_create(&thread, NULL, serve, &servers[i]);
		if (r)
			return -r;
		pthread_detach(thread);
	}
	return 0;
}

/* Reaps whatever ended; true when main did, with its status. */
static bool reap(struct priv *priv, int *ret_status)
{
	bool main_ended = false;
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == priv->main_pid) {
			main_ended = true;
			*ret_status = status;
		} else if (polkit_keeper_reaped(&priv->polkit, pid, status)) {
			continue;
		} else if (WIFSIGNALED(status) && WTERMSIG(status) != SIGKILL) {
			log_warn("machine process %d was ended by signal %d",
				 pid, WTERMSIG(status));
		}
	}
	return main_ended;
}

static void ask_to_stop(struct priv *priv)
{
	sd_notify(0, "STOPPING=1");
	kill(priv->main_pid, SIGTERM);
}

static int exit_status(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	log_error("main was ended by signal %d", WTERMSIG(status));
	return EXIT_FAILURE;
}

int priv_run(struct priv *priv)
{
	struct server servers[PRIV_CHANNELS];
	uint64_t stop_at = 0;
	sigset_t set;
	int signals, status = 0, r;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	/* Blocked since before main was forked: none is lost. */
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	pthread_mutex_init(&priv->spawn_lock, NULL);
	r = signals < 0 ? -errno : start_threads(priv, servers);
	if (r < 0) {
		log_error("cannot start threads: %s", strerror(-r));
		return EXIT_FAILURE;
	}
	polkit_keeper_start(&priv->polkit);
	if (!priv->session)
		direct_remove_half_made();
	while (!reap(priv, &status)) {
		struct pollfd p[] = {
			{ signals, POLLIN, 0 },
			{ polkit_keeper_fd(&priv->polkit), POLLIN, 0 },
		};
		struct signalfd_siginfo si;

		poll(p, ARRAY_SIZE(p),
		     polkit_keeper_timeout(&priv->polkit, 1000));
		polkit_keeper_step(&priv->polkit, p[1].revents);
		while (read(signals, &si, sizeof(si)) == sizeof(si)) {
			if (si.ssi_signo != SIGTERM && si.ssi_signo != SIGINT)
				continue;
			ask_to_stop(priv);
			stop_at = now_ns() + STOP_SECONDS * 1000000000ull;
		}
		if (stop_at && now_ns() > stop_at)
			kill(priv->main_pid, SIGKILL);
	}
	/* Other threads may be stuck in a system call; nothing waits. */
	return exit_status(status);
}
