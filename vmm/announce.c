/*
 * vmm/announce.c -- tells the network that a guest is here now
 * (vmm/announce.h).
 *
 * A request of the reverse address resolution protocol (RFC 903) for the
 * card's own address: nobody answers it, every switch on the way sees it.
 */
#include "vmm/announce.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "network/port/tap.h"
#include "vmm/hotplug.h"
#include "vmm/loop.h"
#include "vmm/spec.h"

#define LOG_MODULE "announce"
#include "base/log.h"

/* #syscalls:vmm write */

enum { TIMES = 5, FIRST_MS = 50, STEP_MS = 100 };

struct announce {
	struct hotplug *hotplug;
	struct loop_timer *timer;
	unsigned int left;
};

struct frame {
	uint8_t header[TAP_HEADER_LEN]; /* nothing is offloaded */
	struct ether_header eth;
	struct arphdr arp;
	uint8_t from[ETH_ALEN], from_ip[4], to[ETH_ALEN], to_ip[4];
	uint8_t padding[18];
} __attribute__((packed));
static_assert(sizeof(struct frame) - TAP_HEADER_LEN == ETH_ZLEN,
	      "the shortest frame");

static void announce_card(const struct spec_nic *nic)
{
	struct frame f = {
		.eth.ether_type = htons(ETHERTYPE_REVARP),
		.arp = { .ar_hrd = htons(ARPHRD_ETHER),
			 .ar_pro = htons(ETHERTYPE_IP),
			 .ar_hln = ETH_ALEN,
			 .ar_pln = 4,
			 .ar_op = htons(ARPOP_RREQUEST) },
	};

	if (nic->fd < 0 || nic->vhost_user || nic->link_down)
		return;
	memset(f.eth.ether_dhost, 0xff, ETH_ALEN);
	memcpy(f.eth.ether_shost, nic->mac, ETH_ALEN);
	memcpy(f.from, nic->mac, ETH_ALEN);
	memcpy(f.to, nic->mac, ETH_ALEN);
	if (write(nic->fd, &f, sizeof(f)) < 0 && errno != EAGAIN)
		log_info("network card '%s' is not announced: %s", nic->id,
			 strerror(errno));
}

static void announce_all(void *arg)
{
	struct announce *a = arg;
	const struct vmm_spec *s = NULL;

	while ((s = hotplug_next_spec(a->hotplug, s)))
		for (unsigned int i = 0; i < s->n_nics; i++)
			announce_card(&s->nics[i]);
	if (--a->left)
		timer_arm(a->timer, now_ns() + STEP_MS * 1000000ull);
}

struct announce *announce_start(struct loop *loop, struct hotplug *hotplug)
{
	struct announce *a = xcalloc(1, sizeof(*a));

	a->hotplug = hotplug;
	a->left = TIMES;
	if (timer_create_on(loop, announce_all, a, &a->timer) < 0) {
		free(a);
		return NULL;
	}
	timer_arm(a->timer, now_ns() + FIRST_MS * 1000000ull);
	return a;
}

void announce_stop(struct announce *a)
{
	if (!a)
		return;
	timer_destroy(a->timer);
	free(a);
}
