/*
 * daemon/priv_vf.c -- virtual functions of network cards: the MAC address and
 * VLAN that their physical function gives them (rtnetlink(7), IFLA_VFINFO_LIST
 * in linux/if_link.h).
 */
#include "daemon/priv.h"

#include <dirent.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libvirt/virterror.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/priv_pci.h"

unsigned int if_nametoindex(const char *name); /* net/if.h clashes */

struct vf {
	char name[PCI_NAME];
	char pf[PCI_BASE];
	char ifname[32]; /* the physical function's */
	unsigned int ifindex;
	unsigned int number;
};

/* The first device in PF/net. */
static bool find_netdev(struct vf *vf)
{
	char path[PCI_PATH];
	const struct dirent *e;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%.16s/net",
		 vf->pf);
	dir = opendir(path);
	while (dir && (e = readdir(dir)) && !vf->ifindex) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(vf->ifname, sizeof(vf->ifname), "%.31s", e->d_name);
		vf->ifindex = if_nametoindex(vf->ifname);
	}
	if (dir)
		closedir(dir);
	return vf->ifindex;
}

enum { VFS_MAX = 65536, VLAN_MAX = 4094 };

static bool find_number(struct vf *vf)
{
	char link[32], base[PCI_BASE];

	for (vf->number = 0; vf->number < VFS_MAX; vf->number++) {
		snprintf(link, sizeof(link), "virtfn%u", vf->number);
		if (!pci_link(vf->pf, link, base))
			return false;
		if (str_eq(base, vf->name))
			return true;
	}
	return false;
}

static int find(const struct priv_vf *a, struct vf *vf, struct error *err)
{
	*vf = (struct vf){ .number = 0 };
	pci_name(&a->pci, vf->name);
	if (!pci_link(vf->name, "physfn", vf->pf))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "Interface type hostdev is currently supported on SR-IOV Virtual Functions only: %s is none",
				  vf->name);
	if (!find_number(vf) || !find_netdev(vf))
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "The PF device for VF %s has no network device name",
				  vf->name);
	return 0;
}

static void put_vf(struct nlmsghdr *nlh, const struct vf *vf,
		   const struct priv_vf *a)
{
	struct ifla_vf_mac mac = { .vf = vf->number };
	struct ifla_vf_vlan vlan = { .vf = vf->number, .vlan = a->vlan };
	struct nlattr *list = mnl_attr_nest_start(nlh, IFLA_VFINFO_LIST);
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_VF_INFO);

	memcpy(mac.mac, a->mac, sizeof(a->mac));
	if (a->set_mac)
		mnl_attr_put(nlh, IFLA_VF_MAC, sizeof(mac), &mac);
	if (a->set_vlan)
		mnl_attr_put(nlh, IFLA_VF_VLAN, sizeof(vlan), &vlan);
	mnl_attr_nest_end(nlh, info);
	mnl_attr_nest_end(nlh, list);
}

static int talk(struct nlmsghdr *nlh, char *buf, size_t size)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	ssize_t n;
	int r = 0;

	if (!nl)
		return -errno;
	if (mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		r = -errno;
	n = r < 0 ? 0 : mnl_socket_recvfrom(nl, buf, size);
	if (r == 0 && (n < 0 || mnl_cb_run(buf, (size_t)n, nlh->nlmsg_seq,
					   mnl_socket_get_portid(nl), NULL,
					   NULL) < 0))
		r = -errno;
	mnl_socket_close(nl);
	return r;
}

static int set(const struct vf *vf, const struct priv_vf *a)
{
	char out[512], in[8192];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(out);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = RTM_SETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = (uint32_t)time(NULL);
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)vf->ifindex;
	put_vf(nlh, vf, a);
	return talk(nlh, in, sizeof(in));
}

int priv_set_vf(struct priv *priv, const void *arg, struct priv_reply *reply,
		int fds[PRIV_FDS_MAX], struct error *err)
{
	const struct priv_vf *a = arg;
	struct vf vf;
	int r = find(a, &vf, err);

	if (r == 0 && a->vlan > VLAN_MAX)
		r = error_set(err, -EINVAL, "there is no VLAN %u", a->vlan);
	if (r < 0)
		return r;
	r = set(&vf, a);
	if (r < 0)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "Cannot set interface MAC/vlanid for ifname %s vf %u: %s",
				  vf.ifname, vf.number, strerror(-r));
	return 0;
}
