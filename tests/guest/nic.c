/*
 * tests/guest/nic.c -- what ethtool(8) says and sets of a network card, for a
 * guest's initrd (linux/ethtool.h).
 *
 *	nic pairs IFNAME [N]		"MOST CURRENT" pairs of queues; sets N
 *	nic feature IFNAME NAME [on|off]	"on" or "off"
 */
#include <err.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { FEATURES_MAX = 256 };

static void ask(const char *ifname, void *cmd)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq ifr = { .ifr_data = cmd };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (s < 0 || ioctl(s, SIOCETHTOOL, &ifr) < 0)
		err(1, "%s: ethtool %#x", ifname, *(unsigned int *)cmd);
}

static void pairs(const char *ifname, const char *n)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };

	ask(ifname, &c);
	if (n) {
		c.cmd = ETHTOOL_SCHANNELS;
		c.combined_count = atoi(n);
		ask(ifname, &c);
		c.cmd = ETHTOOL_GCHANNELS;
		ask(ifname, &c);
	}
	printf("%u %u\n", c.max_combined, c.combined_count);
}

static unsigned int find(const char *ifname, const char *name)
{
	struct {
		struct ethtool_gstrings head;
		char name[FEATURES_MAX][ETH_GSTRING_LEN];
	} *s = calloc(1, sizeof(*s));
	struct {
		struct ethtool_sset_info head;
		unsigned int n;
	} info = { .head = { .cmd = ETHTOOL_GSSET_INFO,
			     .sset_mask = 1ull << ETH_SS_FEATURES } };

	ask(ifname, &info);
	s->head.cmd = ETHTOOL_GSTRINGS;
	s->head.string_set = ETH_SS_FEATURES;
	s->head.len = info.n;
	if (info.n > FEATURES_MAX)
		errx(1, "too many features");
	ask(ifname, s);
	for (unsigned int i = 0; i < info.n; i++)
		if (!strncmp(s->name[i], name, ETH_GSTRING_LEN))
			return i;
	errx(1, "no feature %s", name);
}

static void feature(const char *ifname, const char *name, const char *value)
{
	unsigned int i = find(ifname, name), bit = 1u << i % 32;
	struct {
		struct ethtool_gfeatures head;
		struct ethtool_get_features_block block[FEATURES_MAX / 32];
	} get = { .head = { .cmd = ETHTOOL_GFEATURES,
			    .size = FEATURES_MAX / 32 } };
	struct {
		struct ethtool_sfeatures head;
		struct ethtool_set_features_block block[FEATURES_MAX / 32];
	} set = { .head.cmd = ETHTOOL_SFEATURES };

	ask(ifname, &get); /* as many blocks as there are */
	if (value) {
		set.head.size = get.head.size;
		set.block[i / 32].valid = bit;
		set.block[i / 32].requested = strcmp(value, "on") ? 0 : bit;
		ask(ifname, &set);
		get.head.size = FEATURES_MAX / 32;
		ask(ifname, &get);
	}
	puts(get.block[i / 32].active & bit ? "on" : "off");
}

int main(int argc, char **argv)
{
	if (argc >= 3 && !strcmp(argv[1], "pairs"))
		pairs(argv[2], argv[3]);
	else if (argc >= 4 && !strcmp(argv[1], "feature"))
		feature(argv[2], argv[3], argv[4]);
	else
		errx(2, "pairs IFNAME [N] | feature IFNAME NAME [on|off]");
	return 0;
}
