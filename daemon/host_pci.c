/*
 * daemon/host_pci.c -- main's side of priv's operations on PCI functions.
 */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/host.h"
#include "daemon/priv.h"
#include "drivers/driver.h"

static struct priv_pci to_priv(const struct host_pci *p)
{
	return (struct priv_pci){ .domain = p->domain, .bus = p->bus,
				  .slot = p->slot, .function = p->function };
}

static int simple(enum priv_op op, const struct host_pci *pci,
		  struct priv_reply *reply, int *fds, struct error *err)
{
	struct priv_request rq = { .op = op, .pci = to_priv(pci) };

	return host_call(&rq, sizeof(rq.pci), reply, fds, err);
}

int host_pci_detach(const struct host_pci *pci, struct error *err)
{
	struct priv_reply reply;

	return simple(PRIV_PCI_DETACH, pci, &reply, NULL, err);
}

int host_pci_reattach(const struct host_pci *pci, struct error *err)
{
	struct priv_reply reply;

	return simple(PRIV_PCI_REATTACH, pci, &reply, NULL, err);
}

int host_pci_reset(const struct host_pci *pci, struct error *err)
{
	struct priv_reply reply;

	return simple(PRIV_PCI_RESET, pci, &reply, NULL, err);
}

int host_open_vfio(const struct host_pci *pci, struct error *err,
		   unsigned int *ret_group, int *ret_group_fd,
		   int *ret_container_fd)
{
	struct priv_reply reply;
	int fds[PRIV_FDS_MAX];
	int r = simple(PRIV_OPEN_VFIO, pci, &reply, fds, err);

	if (r < 0)
		return r;
	*ret_group = (unsigned int)reply.pid;
	*ret_group_fd = fds[0];
	*ret_container_fd = fds[1];
	return 0;
}

int host_set_vf(const struct host_pci *pci, const uint8_t mac[6],
		unsigned int vlan, struct error *err)
{
	struct priv_request rq = { .op = PRIV_SET_VF };
	struct priv_reply reply;

	rq.vf = (struct priv_vf){ .pci = to_priv(pci), .set_mac = true,
				  .set_vlan = true, .vlan = vlan };
	memcpy(rq.vf.mac, mac, sizeof(rq.vf.mac));
	return host_call(&rq, sizeof(rq.vf), &reply, NULL, err);
}

/* ---- what there is ---- */

static bool read_name(const char *text, struct host_pci *ret_pci)
{
	return sscanf(text, "%4x:%2x:%2x.%1x", &ret_pci->domain,
		      &ret_pci->bus, &ret_pci->slot, &ret_pci->function) == 4;
}

/* "KEY VALUE" a line. */
static void read_line(const char *line, struct host_pci_info *info)
{
	char key[32], value[64];

	if (sscanf(line, "%31s %63s", key, value) != 2)
		return;
	if (str_eq(key, "vendor"))
		info->vendor = strtoul(value, NULL, 16);
	else if (str_eq(key, "device"))
		info->device = strtoul(value, NULL, 16);
	else if (str_eq(key, "class"))
		info->class_code = strtoul(value, NULL, 16);
	else if (str_eq(key, "numa_node"))
		info->numa_node = atoi(value);
	else if (str_eq(key, "sriov_totalvfs"))
		info->total_vfs = strtoul(value, NULL, 10);
	else if (str_eq(key, "iommu_group"))
		info->group = atoi(value);
	else if (str_eq(key, "physfn"))
		info->is_vf = read_name(value, &info->physical);
	else if (str_eq(key, "parent"))
		info->has_parent = read_name(value, &info->parent);
	else if (str_eq(key, "driver"))
		snprintf(info->driver, sizeof(info->driver), "%s", value);
}

int host_pci_info(const struct host_pci *pci, struct host_pci_info *ret_info,
		  struct error *err)
{
	struct priv_reply reply;
	char *save = NULL;
	int r = simple(PRIV_PCI_INFO, pci, &reply, NULL, err);

	*ret_info = (struct host_pci_info){ .group = -1, .numa_node = -1 };
	if (r < 0)
		return r;
	for (const char *line = strtok_r(reply.text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		read_line(line, ret_info);
	return 0;
}

static unsigned int append(char *text, struct host_pci **list, unsigned int n)
{
	char *save = NULL;

	for (const char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		*list = xrealloc(*list, n + 1, sizeof(**list));
		n += read_name(line, *list + n);
	}
	return n;
}

int host_pci_list(enum host_pci_list what, const struct host_pci *of,
		  struct host_pci **ret_list, unsigned int *ret_n,
		  struct error *err)
{
	static const struct host_pci nothing;
	struct host_pci *list = NULL;
	struct priv_reply reply;
	unsigned int n = 0, before;
	int r;

	do {
		struct priv_request rq = { .op = PRIV_PCI_LIST };

		before = n;
		rq.pci = to_priv(of ? of : &nothing);
		rq.pci.what = what;
		rq.pci.start = n;
		r = host_call(&rq, sizeof(rq.pci), &reply, NULL, err);
		if (r == 0)
			n = append(reply.text, &list, n);
	} while (r == 0 && n > before && n < (unsigned int)reply.pid);
	if (r < 0) {
		free(list);
		return r;
	}
	*ret_list = list;
	*ret_n = n;
	return 0;
}
