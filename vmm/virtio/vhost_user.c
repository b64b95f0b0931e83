/*
 * vmm/virtio/vhost_user.c -- virtqueues that another program serves: the
 * messages to it ("vhost-user", "Message Specification").
 *
 * A request, and for some a reply, over a stream socket; descriptors of guest
 * memory and of doorbells go along.  Replies are waited for, a while: a
 * program that does not answer has its device broken, not the machine.
 */
#include "vmm/virtio/vhost_user.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/error.h"

/* #syscalls:vmm sendmsg recvfrom close */

enum { REPLY_S = 10, CONFIG_MAX = 256, FDS_MAX = 8 };

/* "Front-end message types" */
enum request {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	SET_MEM_TABLE = 5,
	SET_LOG_BASE = 6,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
	GET_CONFIG = 24,
};

/* "Header" */
enum { FLAG_VERSION = 1, FLAG_VERSION_MASK = 3, FLAG_REPLY = 4,
       FLAG_NEED_REPLY = 8 };

/* Bit 30 of the features: there are protocol features. */
#define F_PROTOCOL_FEATURES BIT64(30)
#define FEATURES_WANTED \
	(BIT64(VHOST_USER_PROTOCOL_F_MQ) | \
	 BIT64(VHOST_USER_PROTOCOL_F_LOG_SHMFD) | \
	 BIT64(VHOST_USER_PROTOCOL_F_REPLY_ACK) | \
	 BIT64(VHOST_USER_PROTOCOL_F_CONFIG))

struct header {
	uint32_t request, flags, size;
};

struct mem_region { /* "Memory region description" */
	uint64_t gpa, size, user_addr, mmap_offset;
};

struct mem_table {
	uint32_t n, padding;
	struct mem_region region[VHOST_REGIONS_MAX];
};

struct config { /* "Virtio device config space" */
	uint32_t offset, size, flags;
	uint8_t data[CONFIG_MAX];
};

static struct vhost_user *from_vhost(struct vhost *v)
{
	return container_of(v, struct vhost_user, vhost);
}

/* ---- messages ---- */

static int give_up(struct vhost_user *u, int r)
{
	u->gone = true;
	return r;
}

static int send_all(struct vhost_user *u, struct msghdr *msg, size_t len)
{
	ssize_t n;

	do { /* a vCPU's thread is kicked */
		n = sendmsg(u->vhost.fd, msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	/* Small messages on a socket that is read: all or nothing. */
	return n == (ssize_t)len ? 0 : give_up(u, n < 0 ? -errno : -EIO);
}

static int send_request(struct vhost_user *u, enum request request,
			uint32_t flags, const void *payload, size_t size,
			const int *fds, unsigned int n_fds)
{
	struct header h = { request, FLAG_VERSION | flags, size };
	struct iovec iov[2] = { { &h, sizeof(h) }, { (void *)payload, size } };
	union {
		char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	if (u->gone)
		return -ENOTCONN;
	if (n_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.align), fds, n_fds * sizeof(int));
	}
	return send_all(u, &msg, sizeof(h) + size);
}

static int recv_all(struct vhost_user *u, void *to, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = recv(u->vhost.fd, (char *)to + done, len - done,
				 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return give_up(u, errno == EAGAIN ? -ETIMEDOUT :
							    -errno);
		if (n == 0)
			return give_up(u, -ECONNRESET);
		done += n;
	}
	return 0;
}

/* Exactly size bytes, or it is no answer. */
static int receive(struct vhost_user *u, enum request request, void *payload,
		   size_t size)
{
	struct header h;
	int r = recv_all(u, &h, sizeof(h));

	if (r < 0)
		return r;
	if (h.request != request || h.size != size ||
	    (h.flags & FLAG_VERSION_MASK) != FLAG_VERSION ||
	    !(h.flags & FLAG_REPLY))
		return give_up(u, -EPROTO);
	return recv_all(u, payload, size);
}

/* With a reply of success or failure, where that can be had. */
static int tell(struct vhost_user *u, enum request request,
		const void *payload, size_t size, const int *fds,
		unsigned int n_fds)
{
	bool ack = u->protocol & BIT64(VHOST_USER_PROTOCOL_F_REPLY_ACK);
	uint64_t result = 0;
	int r = send_request(u, request, ack ? FLAG_NEED_REPLY : 0, payload,
			     size, fds, n_fds);

	if (r == 0 && ack)
		r = receive(u, request, &result, sizeof(result));
	return r < 0 ? r : (result ? -EIO : 0);
}

static int tell_u64(struct vhost_user *u, enum request request, uint64_t value)
{
	return tell(u, request, &value, sizeof(value), NULL, 0);
}

static int ask_u64(struct vhost_user *u, enum request request,
		   uint64_t *ret_value)
{
	int r = send_request(u, request, 0, NULL, 0, NULL, 0);

	return r < 0 ? r : receive(u, request, ret_value, sizeof(uint64_t));
}

/* ---- the backend ---- */

/* Without bit 30 queues would be on at once, and could not be off. */
static int set_features(struct vhost *v, uint64_t features)
{
	return tell_u64(from_vhost(v), SET_FEATURES,
			features | (v->features & F_PROTOCOL_FEATURES));
}

static int set_memory(struct vhost *v, const struct vhost_region *regions,
		      unsigned int n)
{
	struct mem_table t = { .n = n };
	int fds[VHOST_REGIONS_MAX];

	for (unsigned int i = 0; i < n; i++) {
		if (regions[i].fd < 0)
			return -ENOTSUP;
		fds[i] = regions[i].fd;
		t.region[i] = (struct mem_region){
			.gpa = regions[i].gpa,
			.size = regions[i].size,
			.user_addr = (uintptr_t)regions[i].host,
			.mmap_offset = regions[i].offset,
		};
	}
	return tell(from_vhost(v), SET_MEM_TABLE, &t,
		    offsetof(struct mem_table, region[n]), fds, n);
}

/* Answered always ("VHOST_USER_SET_LOG_BASE"). */
static int set_log(struct vhost *v, void *log, int fd, uint64_t size)
{
	struct vhost_user *u = from_vhost(v);
	uint64_t payload[2] = { size, 0 }, result;
	int r;

	if (!(u->protocol & BIT64(VHOST_USER_PROTOCOL_F_LOG_SHMFD)) ||
	    !(v->features & BIT64(VHOST_F_LOG_ALL)))
		return -ENOTSUP;
	r = send_request(u, SET_LOG_BASE, 0, payload, sizeof(payload), &fd, 1);
	return r < 0 ? r : receive(u, SET_LOG_BASE, &result, sizeof(result));
}

static int set_state(struct vhost *v, enum request request,
		     unsigned int index, unsigned int num)
{
	struct vhost_vring_state s = { .index = index, .num = num };

	return tell(from_vhost(v), request, &s, sizeof(s), NULL, 0);
}

static int set_num(struct vhost *v, unsigned int index, unsigned int num)
{
	return set_state(v, SET_VRING_NUM, index, num);
}

static int set_base(struct vhost *v, unsigned int index, unsigned int base)
{
	return set_state(v, SET_VRING_BASE, index, base);
}

static int get_base(struct vhost *v, unsigned int index,
		    unsigned int *ret_base)
{
	struct vhost_user *u = from_vhost(v);
	struct vhost_vring_state s = { .index = index };
	int r = send_request(u, GET_VRING_BASE, 0, &s, sizeof(s), NULL, 0);

	if (r == 0)
		r = receive(u, GET_VRING_BASE, &s, sizeof(s));
	if (r == 0)
		*ret_base = s.num;
	return r;
}

static int set_addr(struct vhost *v, struct vhost_vring_addr *addr)
{
	return tell(from_vhost(v), SET_VRING_ADDR, addr, sizeof(*addr), NULL,
		    0);
}

static int set_file(struct vhost *v, enum request request, unsigned int index,
		    int fd)
{
	uint64_t payload = index;

	return tell(from_vhost(v), request, &payload, sizeof(payload), &fd, 1);
}

static int set_kick(struct vhost *v, unsigned int index, int fd)
{
	return set_file(v, SET_VRING_KICK, index, fd);
}

static int set_call(struct vhost *v, unsigned int index, int fd)
{
	return set_file(v, SET_VRING_CALL, index, fd);
}

static int run(struct vhost *v, bool on)
{
	int r = 0;

	if (!(v->features & F_PROTOCOL_FEATURES))
		return 0;
	for (unsigned int i = 0; i < v->n && r == 0; i++)
		if (!on || virtio_queue(v->dev, i)->enabled)
			r = set_state(v, SET_VRING_ENABLE, i, on);
	return r;
}

const struct vhost_backend vhost_user_backend = {
	.name = "the vhost-user program",
	.max_regions = 8, /* VHOST_USER_SET_MEM_TABLE */
	.set_features = set_features,
	.set_memory = set_memory,
	.set_log = set_log,
	.set_num = set_num,
	.set_base = set_base,
	.get_base = get_base,
	.set_addr = set_addr,
	.set_kick = set_kick,
	.set_call = set_call,
	.run = run,
};

/* ---- once ---- */

static int blocking(int fd)
{
	struct timeval limit = { .tv_sec = REPLY_S };
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		return -errno;
	return 0;
}

static int protocol_features(struct vhost_user *u)
{
	uint64_t offered = 0;
	int r;

	if (!(u->vhost.features & F_PROTOCOL_FEATURES))
		return 0;
	r = ask_u64(u, GET_PROTOCOL_FEATURES, &offered);
	if (r == 0)
		r = tell_u64(u, SET_PROTOCOL_FEATURES,
			     offered & FEATURES_WANTED);
	if (r == 0)
		u->protocol = offered & FEATURES_WANTED;
	return r;
}

int vhost_user_hello(struct vhost_user *u, uint64_t needs, struct error *err)
{
	int r = blocking(u->vhost.fd);

	u->queues = 1;
	if (r == 0)
		r = ask_u64(u, GET_FEATURES, &u->vhost.features);
	if (r == 0)
		r = protocol_features(u);
	if (r == 0 && (u->protocol & BIT64(VHOST_USER_PROTOCOL_F_MQ)))
		r = ask_u64(u, GET_QUEUE_NUM, &u->queues);
	if (r == 0)
		r = tell(u, SET_OWNER, NULL, 0, NULL, 0);
	if (r < 0)
		return error_set(err, r,
				 "device '%s': no answer from the vhost-user program: %m",
				 u->vhost.dev->id);
	if (needs & ~u->protocol)
		return error_set(err, -ENOTSUP,
				 "device '%s': the vhost-user program lacks protocol features (%llx)",
				 u->vhost.dev->id,
				 (unsigned long long)(needs & ~u->protocol));
	return 0;
}

int vhost_user_config(struct vhost_user *u, void *config, size_t len)
{
	struct config c = { .size = len };
	size_t size = offsetof(struct config, data) + len;
	int r;

	assert(len <= CONFIG_MAX);
	r = send_request(u, GET_CONFIG, 0, &c, size, NULL, 0);
	if (r == 0)
		r = receive(u, GET_CONFIG, &c, size);
	if (r == 0)
		memcpy(config, c.data, len);
	return r;
}
