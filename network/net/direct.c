/*
 * network/net/direct.c -- macvtap devices by rtnetlink(7), and their queues:
 * character devices that sysfs tells of.
 */
#include "network/net/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "network/net/netlink.h"

enum { GROUP = 0x76697265, NAMES = 10000, ALIAS = 64 };

static struct ifinfomsg *header_of(struct nlmsghdr *nlh)
{
	return mnl_nlmsg_get_payload(nlh);
}

static void alias_of(const uint8_t owner[16], char text[ALIAS])
{
	char *p = text + sprintf(text, "vireo:");

	for (int i = 0; i < 16; i++)
		p += sprintf(p, "%02x", owner[i]);
}

/* ---- making one ---- */

static int make(const struct direct_plan *p, int lower)
{
	static const uint32_t modes[DIRECT_MODES] = {
		[DIRECT_VEPA] = MACVLAN_MODE_VEPA,
		[DIRECT_BRIDGE] = MACVLAN_MODE_BRIDGE,
		[DIRECT_PRIVATE] = MACVLAN_MODE_PRIVATE,
		[DIRECT_PASSTHROUGH] = MACVLAN_MODE_PASSTHRU,
	};
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh = nl_request(buf, RTM_NEWLINK,
					  NLM_F_CREATE | NLM_F_EXCL,
					  sizeof(struct ifinfomsg));
	struct nlattr *info, *data;

	mnl_attr_put_strz(nlh, IFLA_IFNAME, p->name);
	mnl_attr_put_u32(nlh, IFLA_LINK, (uint32_t)lower);
	mnl_attr_put_u32(nlh, IFLA_GROUP, GROUP);
	if (p->mode != DIRECT_PASSTHROUGH)
		mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(p->mac), p->mac);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "macvtap");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u32(nlh, IFLA_MACVLAN_MODE, modes[p->mode]);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return nl_do(nlh);
}

static int make_named(struct direct_plan *p, int lower)
{
	int r = -EEXIST;

	if (p->name[0])
		return make(p, lower);
	for (int n = 0; n < NAMES && r == -EEXIST; n++) {
		snprintf(p->name, sizeof(p->name), "macvtap%d", n);
		r = make(p, lower);
	}
	return r;
}

/* In passthrough the address becomes that of the device below, until the end:
 * the kernel puts it back. */
static int finish(const struct direct_plan *p, int index)
{
	char buf[NL_REQUEST], alias[ALIAS];
	struct nlmsghdr *nlh = nl_request(buf, RTM_NEWLINK, 0,
					  sizeof(struct ifinfomsg));

	header_of(nlh)->ifi_index = index;
	header_of(nlh)->ifi_flags = header_of(nlh)->ifi_change = IFF_UP;
	alias_of(p->owner, alias);
	mnl_attr_put_str(nlh, IFLA_IFALIAS, alias);
	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(p->mac), p->mac);
	if (p->mtu)
		mnl_attr_put_u32(nlh, IFLA_MTU, p->mtu);
	return nl_do(nlh);
}

/* ---- whose are there ---- */

struct found {
	const char *name, *alias; /* NULL: any; alias "": without one */
	unsigned int n;
	int indexes[64];
};

static int on_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attrs[IFLA_GROUP + 1], *info[IFLA_INFO_KIND + 1];
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct found *f = arg;
	const char *alias;

	nl_attrs(nlh, sizeof(*ifi), attrs, ARRAY_SIZE(attrs));
	nl_nested(attrs[IFLA_LINKINFO], info, ARRAY_SIZE(info));
	if (!info[IFLA_INFO_KIND] || !attrs[IFLA_GROUP] ||
	    !str_eq(mnl_attr_get_str(info[IFLA_INFO_KIND]), "macvtap") ||
	    mnl_attr_get_u32(attrs[IFLA_GROUP]) != GROUP)
		return MNL_CB_OK;
	alias = attrs[IFLA_IFALIAS] ? mnl_attr_get_str(attrs[IFLA_IFALIAS]) :
				      "";
	if (str_eq(alias, f->alias) && f->n < ARRAY_SIZE(f->indexes) &&
	    (!f->name || (attrs[IFLA_IFNAME] &&
			  str_eq(mnl_attr_get_str(attrs[IFLA_IFNAME]),
				 f->name))))
		f->indexes[f->n++] = ifi->ifi_index;
	return MNL_CB_OK;
}

static int find(struct found *f)
{
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh = nl_request(buf, RTM_GETLINK, NLM_F_DUMP,
					  sizeof(struct ifinfomsg));
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);

	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "macvtap");
	mnl_attr_nest_end(nlh, info);
	return nl_dump(nlh, on_link, f);
}

static int remove_index(int index)
{
	char buf[NL_REQUEST];
	struct nlmsghdr *nlh = nl_request(buf, RTM_DELLINK, 0,
					  sizeof(struct ifinfomsg));
	int r;

	header_of(nlh)->ifi_index = index;
	r = nl_do(nlh);
	return r == -ENODEV ? 0 : r;
}

static int remove_found(struct found *f)
{
	int r;

	do {
		f->n = 0;
		r = find(f);
		for (unsigned int i = 0; i < f->n && r == 0; i++)
			r = remove_index(f->indexes[i]);
	} while (r == 0 && f->n == ARRAY_SIZE(f->indexes));
	return r;
}

int direct_remove(const uint8_t owner[16], const char *name)
{
	char alias[ALIAS];
	struct found f = { .alias = alias, .name = *name ? name : NULL };

	alias_of(owner, alias);
	return remove_found(&f);
}

void direct_remove_half_made(void)
{
	struct found f = { .alias = "" };

	remove_found(&f);
}

/* ---- its queues ---- */

/* As this network namespace's sysfs has it, wherever the host's is. */
static int own_sysfs(void)
{
	_cleanup_close_ int fs = fsopen("sysfs", FSOPEN_CLOEXEC);

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	return fsmount(fs, FSMOUNT_CLOEXEC, 0);
}

static int read_number(int dir, const char *path, dev_t *ret_number)
{
	_cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	unsigned int major, minor;
	char text[32] = "";

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		return -errno;
	if (sscanf(text, "%u:%u", &major, &minor) != 2)
		return -EPROTO;
	*ret_number = makedev(major, minor);
	return 0;
}

static int find_number(const char *name, int index, dev_t *ret_number)
{
	_cleanup_close_ int own = -1;
	char path[96];
	int r;

	snprintf(path, sizeof(path), "/sys/class/net/%s/tap%d/dev", name,
		 index);
	r = read_number(AT_FDCWD, path, ret_number);
	if (r == -ENOENT) {
		own = own_sysfs();
		r = own < 0 ? own :
			      read_number(own, path + strlen("/sys/"),
					  ret_number);
	}
	return r;
}

static int open_node(const char *path, dev_t number)
{
	_cleanup_close_ int fd = open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW |
						    O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISCHR(st.st_mode) && st.st_rdev == number ? steal_fd(&fd) :
							     -ENXIO;
}

/* /dev/tapN belongs to another namespace's device, or is not there at all:
 * then a node of our own, for a moment. */
static int open_number(int index, dev_t number)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/tap%d", index);
	fd = open_node(path, number);
	if (fd >= 0)
		return fd;
	snprintf(path, sizeof(path), "/dev/.vireo-tap-%u-%u", major(number),
		 minor(number));
	if (mknod(path, S_IFCHR | 0600, number) < 0 && errno != EEXIST)
		return -errno;
	fd = open_node(path, number);
	unlink(path);
	return fd;
}

static int open_queue(const char *name, int index, struct error *err)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
					  IFF_MULTI_QUEUE };
	_cleanup_close_ int fd = -1;
	dev_t number;
	int r = find_number(name, index, &number);

	if (r >= 0)
		r = fd = open_number(index, number);
	if (r < 0)
		return error_set(err, r, "cannot open a queue of '%s': %m",
				 name);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		return error_set(err, -errno, "cannot set up '%s': %m", name);
	return steal_fd(&fd);
}

/* ---- all of it ---- */

static bool plan_ok(const struct direct_plan *p)
{
	return net_ifname_ok(p->dev) && p->mode < DIRECT_MODES &&
	       p->mtu <= 65535 && !(p->mac[0] & 1) &&
	       (!p->name[0] ? !p->existing : net_ifname_ok(p->name));
}

static bool is_owners(const struct direct_plan *p)
{
	char alias[ALIAS];
	struct found f = { .alias = alias, .name = p->name };

	alias_of(p->owner, alias);
	return find(&f) == 0 && f.n == 1;
}

static int create(struct direct_plan *p, struct error *err)
{
	int lower = nl_ifindex(p->dev), index, r;

	if (lower < 0)
		return error_set(err, lower,
				 "there is no network device '%s'", p->dev);
	r = make_named(p, lower);
	if (r == -EOPNOTSUPP)
		return error_set(err, r, "the host's kernel has no macvtap");
	if (r < 0)
		return error_set(err, r,
				 "cannot create macvtap '%s' on '%s'%s: %m",
				 p->name, p->dev,
				 r == -EBUSY || r == -EINVAL ?
					 ", which may be in use otherwise" : "");
	index = nl_ifindex(p->name);
	r = index < 0 ? index : finish(p, index);
	if (r < 0 && index > 0)
		remove_index(index);
	return r < 0 ? error_set(err, r, "cannot set up macvtap '%s': %m",
				 p->name) : 0;
}

int direct_open(struct direct_plan *p, struct error *err)
{
	int fd, r = 0;

	if (!plan_ok(p))
		return error_set(err, -EINVAL, "not a plan of a macvtap");
	if (!p->existing)
		r = create(p, err);
	else if (!is_owners(p))
		r = error_set(err, -ENODEV, "there is no macvtap '%s'",
			      p->name);
	if (r < 0)
		return r;
	fd = open_queue(p->name, nl_ifindex(p->name), err);
	if (fd < 0 && !p->existing)
		direct_remove(p->owner, p->name);
	return fd;
}
