/*
 * vmm/virtio/net.h -- a virtio network device (virtio 1.2, section 5.1), for
 * the files that make it up: net.c (the device and its life), net_frames.c
 * (frames to and from the tap), net_filter.c (which of them are wanted),
 * net_ctrl.c (what the driver asks for) and net_vhost.c (the host's kernel
 * moves the frames).
 *
 * Several pairs of queues are as many queues of the tap.  All of it is
 * guarded by the device's lock; frames are moved on its thread.
 */
#ifndef VMM_VIRTIO_NET_H
#define VMM_VIRTIO_NET_H

#include <linux/virtio_net.h>

#include "network/port/tap.h"
#include "vmm/state.h"
#include "vmm/virtio/vhost.h"
#include "vmm/virtio/virtio.h"

enum {
	NET_HEADER_LEN = sizeof(struct virtio_net_hdr_v1),
	NET_MAC_LEN = 6,
	NET_MACS_MAX = 64, /* of each kind; with more, all are let in */
	NET_VLANS = 4096,
};

static_assert((int)NET_HEADER_LEN == (int)TAP_HEADER_LEN,
	      "headers pass through");

struct spec_nic;

struct net_counter {
	uint64_t packets, bytes, drops;
};

struct net_filter {
	bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
	bool overflow_uni, overflow_multi;
	unsigned int n_macs;
	uint8_t mac[2 * NET_MACS_MAX][NET_MAC_LEN];
	uint8_t vlan[NET_VLANS / 8]; /* a bit each */
};

/* Two virtqueues and a queue of the tap. */
struct net_pair {
	struct net *net;
	unsigned int index;
	int fd;
	uint32_t events; /* what the loop waits for on fd */
	bool used;	 /* one of those that the driver wants */
	bool muted;	 /* fd is none of the loop's business */
	bool gone;	 /* the tap was removed under us */
	size_t frame_len; /* a frame waits, with its header; 0: none */
	uint8_t frame[TAP_HEADER_LEN + TAP_FRAME_MAX];
	struct vhost vhost; /* if net->vhost */
};

struct net {
	struct virtio_dev dev;
	unsigned int n_pairs;
	unsigned int pairs; /* as many does the driver want */
	bool vhost;	    /* the kernel is to move frames */
	bool link_down;
	uint8_t mac[NET_MAC_LEN]; /* its own, until a driver sets another */
	bool arrived; /* restored, and nobody was told yet */
	struct net_filter filter;
	uint64_t offloads; /* feature bits of what the tap is to do */
	struct net_counter rx, tx;
	struct vq_buf buf, first;
	struct net_pair *pair;
};

static inline struct net *net_from_dev(struct virtio_dev *dev)
{
	return container_of(dev, struct net, dev);
}

static inline struct virtio_net_config *net_config(struct net *net)
{
	return (void *)net->dev.config;
}

/* net.c: what the tap is to hand out, and through how many queues. */
int net_set_offloads(struct net *net, uint64_t bits);
int net_set_pairs(struct net *net, unsigned int n);

/* net_frames.c */
void net_receive(struct net_pair *p);
void net_transmit(struct net_pair *p);
void net_tap_ready(void *arg, uint32_t events); /* arg: the pair */
void net_watch_tap(struct net_pair *p); /* or not, as things are */
void net_announce(struct net *net); /* where the guest now is */

/* net_filter.c */
void net_filter_reset(struct net *net);
bool net_wants(struct net *net, const uint8_t *frame, size_t len);
bool net_filter_rx(struct net *net, uint8_t cmd);
bool net_filter_macs(struct net *net);
bool net_filter_vlan(struct net *net, uint8_t cmd);
extern const struct state_field net_filter_fields[];

/* net_ctrl.c */
unsigned int net_ctrl_queue(const struct net *net);
void net_control(struct net *net);

/* net_vhost.c */
int net_vhost_init(struct net *net, const struct spec_nic *spec,
		   struct error *err);
void net_vhost_start(struct net *net);
void net_vhost_stop(struct net *net);
void net_vhost_finish(struct net *net);

#endif
