/*
 * daemon/host.c -- main's side of priv: one function per operation.
 *
 * Any thread may call.  A call takes a free channel, sends one message and
 * waits for one; when priv is gone there is nothing left to serve, and the
 * process ends (the guests do not notice, and whatever supervises us starts a
 * new pair).
 */
#include "daemon/host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define LOG_MODULE "host"
#include "base/cpuset.h"
#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "daemon/priv.h"
#include "drivers/driver.h"

enum { CHANNEL_WAIT_S = 30 };

/* Process-wide by nature: there is one priv. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t freed;
	int channels[PRIV_CHANNELS];
	unsigned int n; /* free ones */
} host = { .lock = PTHREAD_MUTEX_INITIALIZER,
	   .freed = PTHREAD_COND_INITIALIZER };

void host_init(const int *channels)
{
	memcpy(host.channels, channels, sizeof(host.channels));
	host.n = PRIV_CHANNELS;
}

static int channel_get(struct error *err)
{
	struct timespec until;
	int r = 0, channel = -1;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CHANNEL_WAIT_S;
	pthread_mutex_lock(&host.lock);
	while (!host.n && r != ETIMEDOUT)
		r = pthread_cond_timedwait(&host.freed, &host.lock, &until);
	if (host.n)
		channel = host.channels[--host.n];
	pthread_mutex_unlock(&host.lock);
	if (channel < 0)
		return error_virt(err, VIR_ERR_OPERATION_TIMEOUT,
				  "the host is busy opening other files");
	return channel;
}

static void channel_put(int channel)
{
	pthread_mutex_lock(&host.lock);
	host.channels[host.n++] = channel;
	pthread_cond_signal(&host.freed);
	pthread_mutex_unlock(&host.lock);
}

static void __attribute__((noreturn)) priv_is_gone(void)
{
	log_error("the privileged process is gone: ending");
	_exit(EXIT_FAILURE);
}

static void take_fds(struct msghdr *msg, int fds[PRIV_FDS_MAX])
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	size_t n;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
		return;
	n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(c), MIN(n, PRIV_FDS_MAX) * sizeof(int));
}

static void receive(int channel, struct priv_reply *reply,
		    int fds[PRIV_FDS_MAX])
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * PRIV_FDS_MAX)];
		struct cmsghdr align;
	} control;
	struct iovec iov = { reply, sizeof(*reply) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.buf,
			      .msg_controllen = sizeof(control) };
	ssize_t n;

	do {
		n = recvmsg(channel, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n != sizeof(*reply))
		priv_is_gone();
	take_fds(&msg, fds);
	reply->text[sizeof(reply->text) - 1] = '\0';
}

/* size: of the op's struct in rq.  fds: as many as the op returns, or NULL. */
static int call(struct priv_request *rq, size_t size, struct priv_reply *reply,
		int fds[PRIV_FDS_MAX], struct error *err)
{
	int none[PRIV_FDS_MAX] = { -1, -1 };
	int channel = channel_get(err);
	size_t len = offsetof(struct priv_request, path) + size;

	if (channel < 0)
		return channel;
	if (send(channel, rq, len, MSG_NOSIGNAL) != (ssize_t)len)
		priv_is_gone();
	receive(channel, reply, none);
	channel_put(channel);
	if (reply->errnum < 0) {
		error_set(err, reply->errnum, "%s", reply->text);
		if (err)
			err->code = reply->code;
		return reply->errnum;
	}
	for (int i = 0; i < PRIV_FDS_MAX; i++) {
		if (fds)
			fds[i] = none[i];
		else
			fd_close(none[i]);
	}
	return 0;
}

int host_call(struct priv_request *rq, size_t size, struct priv_reply *reply,
	      int *fds, struct error *err)
{
	return call(rq, size, reply, fds, err);
}

static int call_fd(struct priv_request *rq, size_t size,
		   struct priv_reply *reply, int *ret_fd, struct error *err)
{
	int fds[PRIV_FDS_MAX];
	int r = call(rq, size, reply, fds, err);

	if (r < 0)
		return r;
	if (fds[0] < 0)
		return error_set(err, -EPROTO, "no descriptor came back");
	*ret_fd = fds[0];
	return 0;
}

/* ret_fd: NULL for an operation that gives none. */
static int call_path(enum priv_op op, const char *path, uint32_t flags,
		     struct error *err, int *ret_fd)
{
	struct priv_request *rq = xcalloc(1, sizeof(*rq));
	struct priv_reply reply;
	int r;

	rq->op = op;
	rq->path.flags = flags;
	if (strlen(path) >= sizeof(rq->path.path)) {
		r = error_set(err, -ENAMETOOLONG, "a path is too long");
	} else {
		strcpy(rq->path.path, path);
		r = ret_fd ? call_fd(rq, sizeof(rq->path), &reply, ret_fd,
				     err) :
			     call(rq, sizeof(rq->path), &reply, NULL, err);
	}
	free(rq);
	return r;
}

int host_open_disk(const char *path, bool readonly, bool block,
		   struct error *err, int *ret_fd)
{
	return call_path(PRIV_OPEN_DISK, path,
			 (readonly ? PRIV_READONLY : 0) |
				 (block ? PRIV_BLOCK : 0),
			 err, ret_fd);
}

int host_open_file(const char *path, struct error *err, int *ret_fd)
{
	return call_path(PRIV_OPEN_FILE, path, 0, err, ret_fd);
}

int host_file_begin(const char *path, struct error *err, int *ret_fd)
{
	return call_path(PRIV_FILE_BEGIN, path, 0, err, ret_fd);
}

int host_file_end(const char *path, bool keep, struct error *err)
{
	return call_path(PRIV_FILE_END, path, keep ? PRIV_KEEP : 0, err,
			 NULL);
}

int host_file_remove(const char *path, struct error *err)
{
	return call_path(PRIV_FILE_REMOVE, path, 0, err, NULL);
}

int host_open_log(const char *path, bool append, struct error *err,
		  int *ret_fd)
{
	return call_path(PRIV_OPEN_LOG, path, append ? PRIV_APPEND : 0, err,
			 ret_fd);
}

int host_open_tty(const char *slave, struct error *err, int *ret_fd)
{
	return call_path(PRIV_OPEN_TTY, slave, 0, err, ret_fd);
}

/* Process-wide by nature: one command line. */
static struct host_vnc_tls vnc_tls;

void host_set_vnc_tls(const char *kind, const char *dir)
{
	vnc_tls = (struct host_vnc_tls){
		.anonymous = str_eq(kind, "anonymous"),
		.x509 = str_startswith(kind, "x509"),
		.verify = str_eq(kind, "x509-verify"),
		.dir = dir,
	};
}

const struct host_vnc_tls *host_vnc_tls(void)
{
	return &vnc_tls;
}

int host_listen_unix(const char *path, struct error *err, int *ret_fd)
{
	return call_path(PRIV_LISTEN_UNIX, path, 0, err, ret_fd);
}

int host_connect_unix(const char *path, struct error *err, int *ret_fd)
{
	return call_path(PRIV_CONNECT_UNIX, path, 0, err, ret_fd);
}

int host_start_fs(const struct host_fs *fs, struct error *err, int *ret_fd)
{
	return call_path(PRIV_START_FS, fs->dir,
			 (fs->xattr ? PRIV_FS_XATTR : 0) |
				 (fs->flock ? PRIV_FS_FLOCK : 0) |
				 (fs->posix_lock ? PRIV_FS_POSIX_LOCK : 0) |
				 (fs->chroot ? PRIV_FS_CHROOT : 0) |
				 (fs->cache_none ? PRIV_FS_CACHE_NONE : 0) |
				 (fs->cache_always ? PRIV_FS_CACHE_ALWAYS : 0),
			 err, ret_fd);
}

int host_listen_tcp(const char *address, unsigned int first,
		    unsigned int last, struct error *err,
		    unsigned int *ret_port, int *ret_fd)
{
	struct priv_request rq = {
		.op = PRIV_LISTEN_TCP,
		.tcp = { .first = first, .last = last },
	};
	struct priv_reply reply;
	int r;

	rq.tcp.is_v6 = strchr(address, ':') != NULL;
	if (inet_pton(rq.tcp.is_v6 ? AF_INET6 : AF_INET, address,
		      rq.tcp.address) != 1)
		return error_set(err, -EINVAL, "'%s' is not an IP address",
				 address);
	r = call_fd(&rq, sizeof(rq.tcp), &reply, ret_fd, err);
	if (r >= 0)
		*ret_port = reply.pid;
	return r;
}

int host_connect_tcp(const char *host, unsigned int port, struct error *err,
		     int *ret_fd)
{
	struct priv_request rq = { .op = PRIV_CONNECT_TCP };
	struct priv_reply reply;

	if (strlen(host) >= sizeof(rq.host.host))
		return error_set(err, -EINVAL, "a host's name is too long");
	strcpy(rq.host.host, host);
	rq.host.port = port;
	return call_fd(&rq, sizeof(rq.host), &reply, ret_fd, err);
}

int host_open_kvm(struct error *err, int *ret_fd)
{
	struct priv_request rq = { .op = PRIV_OPEN_KVM };
	struct priv_reply reply;

	return call_fd(&rq, sizeof(rq.none), &reply, ret_fd, err);
}

int host_open_userfault(struct error *err, int *ret_fd)
{
	struct priv_request rq = { .op = PRIV_OPEN_USERFAULT };
	struct priv_reply reply;

	return call_fd(&rq, sizeof(rq.none), &reply, ret_fd, err);
}

int host_open_memory(struct error *err, int *ret_fd)
{
	struct priv_request rq = { .op = PRIV_OPEN_MEMORY };
	struct priv_reply reply;

	return call_fd(&rq, sizeof(rq.none), &reply, ret_fd, err);
}

int host_probe_kvm(char *ret_why, size_t size, struct error *err)
{
	struct priv_request rq = { .op = PRIV_PROBE_KVM };
	struct priv_reply reply;
	int r = call(&rq, sizeof(rq.none), &reply, NULL, err);

	if (r < 0)
		return r;
	snprintf(ret_why, size, "%s",
		 str_eq(reply.text, "ok") ? "" : reply.text);
	return 0;
}

int host_open_tap(struct host_tap *tap, struct error *err, int *ret_fd)
{
	struct priv_request rq = { .op = PRIV_OPEN_TAP };
	struct priv_reply reply;
	int r;

	if (tap->bridge && strlen(tap->bridge) >= sizeof(rq.tap.bridge))
		return error_set(err, -EINVAL,
				 "the bridge's name '%s' is too long",
				 tap->bridge);
	memcpy(rq.tap.ifname, tap->ifname, sizeof(rq.tap.ifname));
	strcpy(rq.tap.bridge, tap->bridge ? tap->bridge : "");
	memcpy(rq.tap.mac, tap->mac, 6);
	rq.tap.mtu = tap->mtu;
	rq.tap.existing = tap->existing;
	rq.tap.multi = tap->multi;
	r = call_fd(&rq, sizeof(rq.tap), &reply, ret_fd, err);
	if (r >= 0)
		snprintf(tap->ifname, sizeof(tap->ifname), "%.15s",
			 reply.text);
	return r;
}

int host_tap_stats(const char *ifname, struct host_tap_stats *ret_stats)
{
	struct priv_request rq = { .op = PRIV_TAP_STATS };
	struct host_tap_stats *s = ret_stats;
	struct priv_reply reply;
	int r = -ENAMETOOLONG;

	if (strlen(ifname) < sizeof(rq.ifname.ifname)) {
		strcpy(rq.ifname.ifname, ifname);
		r = call(&rq, sizeof(rq.ifname), &reply, NULL, NULL);
	}
	if (r < 0)
		return r;
	/* Twice bytes, packets, errors, drops and four more. */
	r = sscanf(reply.text,
		   "%" SCNu64 "%" SCNu64 "%*u%" SCNu64 "%*u%*u%*u%*u"
		   "%" SCNu64 "%" SCNu64 "%*u%" SCNu64,
		   &s->in_bytes, &s->in_packets, &s->in_drop, &s->out_bytes,
		   &s->out_packets, &s->out_drop);
	return r == 6 ? 0 : -EPROTO;
}

int host_open_vhost_net(struct error *err, int *ret_fd)
{
	struct priv_request rq = { .op = PRIV_OPEN_VHOST_NET };
	struct priv_reply reply;

	return call_fd(&rq, sizeof(rq.none), &reply, ret_fd, err);
}

int host_remove_tap(const char *ifname, struct error *err)
{
	struct priv_request rq = { .op = PRIV_REMOVE_TAP };
	struct priv_reply reply;

	if (strlen(ifname) >= sizeof(rq.ifname.ifname))
		return error_set(err, -EINVAL, "the name '%s' is too long",
				 ifname);
	strcpy(rq.ifname.ifname, ifname);
	return call(&rq, sizeof(rq.ifname), &reply, NULL, err);
}

static int call_vsock(enum priv_op op, const uint8_t uuid[UUID_LEN],
		      uint32_t number, struct priv_reply *reply, int *ret_fd,
		      struct error *err)
{
	struct priv_request rq = { .op = op, .vsock.number = number };

	memcpy(rq.vsock.uuid, uuid, UUID_LEN);
	return call_fd(&rq, sizeof(rq.vsock), reply, ret_fd, err);
}

int host_open_vsock(const uint8_t uuid[UUID_LEN], uint32_t *cid,
		    struct error *err, int *ret_vhost, int *ret_listen)
{
	struct priv_reply reply;
	int fd = -1;
	int r = call_vsock(PRIV_OPEN_VSOCK, uuid, *cid, &reply, &fd, err);
	bool vhost = r >= 0 && str_eq(reply.text, "vhost");

	*ret_vhost = vhost ? fd : -1;
	*ret_listen = vhost ? -1 : fd;
	if (r >= 0)
		*cid = reply.pid;
	return r;
}

int host_connect_vsock(const uint8_t uuid[UUID_LEN], uint32_t port,
		       struct error *err, int *ret_fd)
{
	struct priv_reply reply;

	return call_vsock(PRIV_CONNECT_VSOCK, uuid, port, &reply, ret_fd, err);
}

int host_open_pty(char ret_slave[64], struct error *err, int *ret_master)
{
	struct priv_request rq = { .op = PRIV_OPEN_PTY };
	struct priv_reply reply;
	int r = call_fd(&rq, sizeof(rq.none), &reply, ret_master, err);

	if (r >= 0)
		snprintf(ret_slave, 64, "%.63s", reply.text);
	return r;
}

static int call_vmm(enum priv_op op, const uint8_t uuid[UUID_LEN],
		    const char *name, bool vnc, struct priv_reply *reply,
		    int fds[PRIV_FDS_MAX], struct error *err)
{
	struct priv_request rq = { .op = op };

	rq.vmm.vnc = vnc;
	static_assert(UUID_LEN == PRIV_UUID_LEN, "one kind of UUID");
	memcpy(rq.vmm.uuid, uuid, UUID_LEN);
	snprintf(rq.vmm.name, sizeof(rq.vmm.name), "%s", name);
	return call(&rq, sizeof(rq.vmm), reply, fds, err);
}

/* The two ops that return a control socket and a pidfd. */
static int call_machine(enum priv_op op, const uint8_t uuid[UUID_LEN],
			const char *name, bool vnc, struct error *err,
			int *ret_control, int *ret_pidfd, int *ret_pid)
{
	struct priv_reply reply;
	int fds[PRIV_FDS_MAX];
	int r = call_vmm(op, uuid, name, vnc, &reply, fds, err);

	if (r < 0)
		return r;
	*ret_control = fds[0];
	*ret_pidfd = fds[1];
	*ret_pid = reply.pid;
	return 0;
}

int host_spawn_vmm(const uint8_t uuid[UUID_LEN], const char *name, bool vnc,
		   struct error *err, int *ret_control, int *ret_pidfd,
		   int *ret_pid)
{
	return call_machine(PRIV_SPAWN_VMM, uuid, name, vnc, err, ret_control,
			    ret_pidfd, ret_pid);
}

int host_connect_vmm(const uint8_t uuid[UUID_LEN], struct error *err,
		     int *ret_control, int *ret_pidfd, int *ret_pid)
{
	return call_machine(PRIV_CONNECT_VMM, uuid, "", false, err, ret_control,
			    ret_pidfd, ret_pid);
}

int host_vmm_status(const uint8_t uuid[UUID_LEN], char ret_line[64])
{
	struct priv_reply reply;
	int r = call_vmm(PRIV_VMM_STATUS, uuid, "", false, &reply, NULL, NULL);

	if (r >= 0)
		snprintf(ret_line, 64, "%.63s", reply.text);
	return r;
}

int host_pin_vmm(const uint8_t uuid[UUID_LEN], const char *thread,
		 const struct cpuset *cpus, int policy, unsigned int priority,
		 struct error *err)
{
	struct priv_request rq = { .op = PRIV_PIN_VMM };
	struct priv_reply reply;

	static_assert(sizeof(rq.pin.cpus) == sizeof(*cpus), "as many CPUs");
	memcpy(rq.pin.uuid, uuid, UUID_LEN);
	snprintf(rq.pin.thread, sizeof(rq.pin.thread), "%s",
		 thread ? thread : "");
	rq.pin.has_cpus = cpus != NULL;
	if (cpus)
		memcpy(rq.pin.cpus, cpus, sizeof(*cpus));
	rq.pin.has_policy = policy >= 0;
	rq.pin.policy = (uint32_t)policy;
	rq.pin.priority = priority;
	return call(&rq, sizeof(rq.pin), &reply, NULL, err);
}

int host_vmm_waits(const uint8_t uuid[UUID_LEN], unsigned int n,
		   uint64_t *ret_ns, struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < n && r >= 0; i += PRIV_WAITS_MAX) {
		struct priv_request rq = { .op = PRIV_VMM_WAITS,
					   .waits_of.first = i };
		struct priv_reply reply;

		memcpy(rq.waits_of.uuid, uuid, UUID_LEN);
		r = call(&rq, sizeof(rq.waits_of), &reply, NULL, err);
		if (r >= 0)
			memcpy(&ret_ns[i], reply.text,
			       MIN(n - i, PRIV_WAITS_MAX) * sizeof(*ret_ns));
	}
	return r;
}

int host_memlock_vmm(const uint8_t uuid[UUID_LEN], struct error *err)
{
	struct priv_reply reply;

	return call_vmm(PRIV_MEMLOCK_VMM, uuid, "", false, &reply, NULL, err);
}

int host_limit_vmm(const uint8_t uuid[UUID_LEN], const struct dom_cputune *cpu,
		   const struct dom_memtune *mem,
		   const struct dom_blkiotune *io, struct error *err)
{
	struct priv_request rq = { .op = PRIV_LIMIT_VMM };
	struct priv_limits *l = &rq.limits;
	struct priv_reply reply;

	memcpy(l->uuid, uuid, UUID_LEN);
	l->shares = cpu->shares;
	l->period = cpu->period;
	l->quota = cpu->quota;
	l->global_period = cpu->global_period;
	l->global_quota = cpu->global_quota;
	l->emulator_period = cpu->emulator_period;
	l->emulator_quota = cpu->emulator_quota;
	l->mem_hard = mem->hard_limit;
	l->mem_soft = mem->soft_limit;
	l->mem_swap = mem->swap_hard_limit;
	l->io_weight = io->weight;
	return call(&rq, sizeof(rq.limits), &reply, NULL, err);
}

int host_kill_vmm(const uint8_t uuid[UUID_LEN], struct error *err)
{
	struct priv_reply reply;

	return call_vmm(PRIV_KILL_VMM, uuid, "", false, &reply, NULL, err);
}

void host_forget_vmm(const uint8_t uuid[UUID_LEN])
{
	struct priv_reply reply;
	struct error err;

	if (call_vmm(PRIV_FORGET_VMM, uuid, "", false, &reply, NULL, &err) < 0)
		log_warn("cannot forget a machine: %s", err.message);
}

int host_spawn_tpm(const uint8_t uuid[UUID_LEN], struct error *err,
		   int *ret_control, int *ret_data)
{
	struct priv_reply reply;
	int fds[PRIV_FDS_MAX];
	int r = call_vmm(PRIV_SPAWN_TPM, uuid, "", false, &reply, fds, err);

	if (r < 0)
		return r;
	*ret_control = fds[0];
	*ret_data = fds[1];
	return 0;
}

int host_forget_tpm(const uint8_t uuid[UUID_LEN], struct error *err)
{
	struct priv_reply reply;

	return call_vmm(PRIV_FORGET_TPM, uuid, "", false, &reply, NULL, err);
}

int host_ready(struct error *err)
{
	struct priv_request rq = { .op = PRIV_READY };
	struct priv_reply reply;

	return call(&rq, sizeof(rq.none), &reply, NULL, err);
}
