/*
 * daemon/nodedev.c -- the host's PCI functions as libvirt's node devices:
 * names, descriptions, and their way from and to the host's drivers.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "base/buf.h"
#include "daemon/hostdev.h"

static char *name_of(const struct host_pci *p)
{
	return xasprintf("pci_%04x_%02x_%02x_%x", p->domain, p->bus, p->slot,
			 p->function);
}

static int unknown(const char *name, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_NODE_DEVICE,
			  "no node device with matching name '%s'", name);
}

static int find(struct registry *reg, const char *name,
		struct host_pci *ret_pci, struct host_pci_info *ret_info,
		struct error *err)
{
	_cleanup_free_ char *again = NULL;
	struct error ignored = { 0 };

	if (!reg->host_pci ||
	    sscanf(name, "pci_%4x_%2x_%2x_%1x", &ret_pci->domain,
		   &ret_pci->bus, &ret_pci->slot, &ret_pci->function) != 4)
		return unknown(name, err);
	again = name_of(ret_pci);
	if (!str_eq(again, name) ||
	    reg->host_pci->info(ret_pci, ret_info, &ignored) < 0)
		return unknown(name, err);
	return 0;
}

int nodedev_check(struct registry *reg, const char *name, struct error *err)
{
	struct host_pci_info info;
	struct host_pci pci;

	return find(reg, name, &pci, &info, err);
}

int nodedev_list(struct registry *reg, const char *cap, char ***ret_names,
		 unsigned int *ret_n, struct error *err)
{
	struct host_pci *list = NULL;
	int r = 0;

	*ret_n = 0;
	*ret_names = NULL;
	if (reg->host_pci && (!cap || str_eq(cap, "pci")))
		r = reg->host_pci->list(HOST_PCI_ALL, NULL, &list, ret_n, err);
	if (r < 0)
		return r;
	*ret_names = xcalloc(*ret_n, sizeof(**ret_names));
	for (unsigned int i = 0; i < *ret_n; i++)
		(*ret_names)[i] = name_of(&list[i]);
	free(list);
	return 0;
}

/* ---- descriptions ---- */

static char *parent_name(const struct host_pci_info *info)
{
	return info->has_parent ? name_of(&info->parent) :
				  xstrdup("computer");
}

char *nodedev_parent(struct registry *reg, const char *name,
		     struct error *err)
{
	struct host_pci_info info;
	struct host_pci pci;

	return find(reg, name, &pci, &info, err) < 0 ? NULL :
						       parent_name(&info);
}

static void put_address(struct buf *b, const char *indent,
			const struct host_pci *p)
{
	buf_printf(b,
		   "%s<address domain='0x%04x' bus='0x%02x' slot='0x%02x' function='0x%x'/>\n",
		   indent, p->domain, p->bus, p->slot, p->function);
}

static void put_list(struct registry *reg, struct buf *b, const char *indent,
		     enum host_pci_list what, const struct host_pci *of)
{
	struct host_pci *list = NULL;
	struct error ignored = { 0 };
	unsigned int n = 0;

	if (reg->host_pci->list(what, of, &list, &n, &ignored) < 0)
		return;
	for (unsigned int i = 0; i < n; i++)
		put_address(b, indent, &list[i]);
	free(list);
}

static void put_virtual(struct registry *reg, struct buf *b,
			const struct host_pci *pci,
			const struct host_pci_info *info)
{
	if (info->total_vfs) {
		buf_printf(b,
			   "    <capability type='virt_functions' maxCount='%u'>\n",
			   info->total_vfs);
		put_list(reg, b, "      ", HOST_PCI_VFS, pci);
		buf_printf(b, "    </capability>\n");
	}
	if (info->is_vf) {
		buf_printf(b, "    <capability type='phys_function'>\n");
		put_address(b, "      ", &info->physical);
		buf_printf(b, "    </capability>\n");
	}
}

static void put_capability(struct registry *reg, struct buf *b,
			   const struct host_pci *pci,
			   const struct host_pci_info *info)
{
	buf_printf(b, "  <capability type='pci'>\n");
	buf_printf(b, "    <class>0x%06x</class>\n", info->class_code);
	buf_printf(b, "    <domain>%u</domain>\n", pci->domain);
	buf_printf(b, "    <bus>%u</bus>\n", pci->bus);
	buf_printf(b, "    <slot>%u</slot>\n", pci->slot);
	buf_printf(b, "    <function>%u</function>\n", pci->function);
	buf_printf(b, "    <product id='0x%04x'/>\n", info->device);
	buf_printf(b, "    <vendor id='0x%04x'/>\n", info->vendor);
	put_virtual(reg, b, pci, info);
	if (info->group >= 0) {
		buf_printf(b, "    <iommuGroup number='%d'>\n", info->group);
		put_list(reg, b, "      ", HOST_PCI_GROUP, pci);
		buf_printf(b, "    </iommuGroup>\n");
	}
	if (info->numa_node >= 0)
		buf_printf(b, "    <numa node='%d'/>\n", info->numa_node);
	buf_printf(b, "  </capability>\n");
}

char *nodedev_xml(struct registry *reg, const char *name, struct error *err)
{
	_cleanup_free_ char *parent = NULL;
	struct host_pci_info info;
	struct buf b = { 0 };
	struct host_pci pci;

	if (find(reg, name, &pci, &info, err) < 0)
		return NULL;
	parent = parent_name(&info);
	buf_printf(&b, "<device>\n  <name>%s</name>\n  <parent>%s</parent>\n",
		   name, parent);
	if (info.driver[0])
		buf_printf(&b,
			   "  <driver>\n    <name>%s</name>\n  </driver>\n",
			   info.driver);
	put_capability(reg, &b, &pci, &info);
	buf_printf(&b, "</device>\n");
	return buf_steal(&b);
}

/* ---- from the host and back ---- */

static int find_unused(struct registry *reg, const char *name,
		       struct host_pci *ret_pci, struct error *err)
{
	struct host_pci_info info;
	int r = find(reg, name, ret_pci, &info, err);

	return r < 0 ? r : hostdev_check_unused(reg, ret_pci, err);
}

int nodedev_detach(struct registry *reg, const char *name, const char *driver,
		   struct error *err)
{
	struct host_pci pci;
	int r = 0;

	if (driver && !str_eq(driver, "vfio") && !str_eq(driver, "vfio-pci"))
		r = error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
			       "unsupported driver name '%s'", driver);
	if (r == 0)
		r = find_unused(reg, name, &pci, err);
	return r < 0 ? r : reg->host_pci->detach(&pci, err);
}

int nodedev_reattach(struct registry *reg, const char *name,
		     struct error *err)
{
	struct host_pci pci;
	int r = find_unused(reg, name, &pci, err);

	return r < 0 ? r : reg->host_pci->reattach(&pci, err);
}

int nodedev_reset(struct registry *reg, const char *name, struct error *err)
{
	struct host_pci pci;
	int r = find_unused(reg, name, &pci, err);

	return r < 0 ? r : reg->host_pci->reset(&pci, err);
}
