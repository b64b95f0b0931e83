/*
 * daemon/priv_pci.c -- PCI functions of the host: what there is, which driver
 * has it, and its VFIO group (Documentation/ABI/testing/sysfs-bus-pci,
 * Documentation/driver-api/vfio.rst).
 *
 * Functions are named by number; all paths are made from those here.  A guest
 * gets what is bound to vfio-pci only, and a function goes back to the host
 * only when nobody has its group open.
 */
#include "daemon/priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libvirt/virterror.h>
#include <linux/vfio.h>
#include <spawn.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/priv_pci.h"

#define DEVICES "/sys/bus/pci/devices"
#define VFIO_DRIVER "vfio-pci"
#define MODPROBE "/sbin/modprobe"

/* ---- sysfs ---- */

void pci_name(const struct priv_pci *a, char name[PCI_NAME])
{
	snprintf(name, PCI_NAME, "%04x:%02x:%02x.%x", a->domain & 0xffff,
		 a->bus, a->slot & 0x1f, a->function & 7);
}

static void path_of(char path[PCI_PATH], const char *name, const char *file)
{
	snprintf(path, PCI_PATH, DEVICES "/%.16s/%.40s", name, file);
}

/* The last component of a link; false: there is none. */
bool pci_link(const char *name, const char *file, char ret_base[PCI_BASE])
{
	char path[PCI_PATH], to[PATH_MAX];
	const char *slash;
	ssize_t n;

	path_of(path, name, file);
	n = readlink(path, to, sizeof(to) - 1);
	if (n <= 0)
		return false;
	to[n] = '\0';
	slash = strrchr(to, '/');
	snprintf(ret_base, PCI_BASE, "%.*s", PCI_BASE - 1,
		 slash ? slash + 1 : to);
	return true;
}

static bool read_text(const char *name, const char *file, char *text,
		      size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[PCI_PATH];
	ssize_t n;

	path_of(path, name, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, size - 1);
	if (n < 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return true;
}

static int write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return -errno;
	return 0;
}

static bool exists(const char *name)
{
	char path[PCI_PATH];

	path_of(path, name, "");
	return access(path, F_OK) == 0;
}

static int find(struct priv *priv, const struct priv_pci *a,
		char name[PCI_NAME], struct error *err)
{
	pci_name(a, name);
	if (!exists(name))
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "Device %s not found: there is no such PCI device on the host",
				  name);
	return 0;
}

static int find_for_root(struct priv *priv, const struct priv_pci *a,
			 char name[PCI_NAME], struct error *err)
{
	if (priv->session)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "host devices need a daemon that runs as root");
	return find(priv, a, name, err);
}

/* ---- drivers ---- */

static bool is_vfio(const char *name)
{
	char driver[PCI_BASE];

	return pci_link(name, "driver", driver) &&
	       str_eq(driver, VFIO_DRIVER);
}

/* Whoever reaps it first: it has ended. */
static void load_module(void)
{
	static char *const argv[] = { MODPROBE, VFIO_DRIVER, NULL };
	static char *const env[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
				     NULL };
	pid_t pid;

	if (access("/sys/bus/pci/drivers/" VFIO_DRIVER, F_OK) == 0)
		return;
	if (posix_spawn(&pid, argv[0], NULL, NULL, argv, env) == 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
}

static int set_override(const char *name, const char *driver)
{
	char path[PCI_PATH];

	path_of(path, name, "driver_override");
	return write_text(path, driver);
}

static int rebind(const char *name)
{
	char path[PCI_PATH];
	int r = 0;

	path_of(path, name, "driver/unbind");
	if (access(path, F_OK) == 0)
		r = write_text(path, name);
	if (r == 0)
		r = write_text("/sys/bus/pci/drivers_probe", name);
	return r;
}

static int give_back(const char *name)
{
	int r = set_override(name, "\n");

	return r < 0 ? r : rebind(name);
}

static bool is_bridge(const char *name)
{
	char class[16];

	return read_text(name, "class", class, sizeof(class)) &&
	       str_startswith(class, "0x0604");
}

int priv_pci_detach(struct priv *priv, const void *arg,
		    struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		    struct error *err)
{
	char name[PCI_NAME], group[PCI_BASE];
	int r = find_for_root(priv, arg, name, err);

	if (r < 0 || is_vfio(name))
		return r;
	if (is_bridge(name))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "PCI device %s is not assignable: it is a bridge",
				  name);
	if (!pci_link(name, "iommu_group", group))
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "host doesn't support passthrough of host PCI devices: %s is behind no IOMMU",
				  name);
	load_module();
	r = set_override(name, VFIO_DRIVER);
	if (r == 0)
		r = rebind(name);
	if (r == 0 && is_vfio(name))
		return 0;
	give_back(name);
	return error_virt(err, VIR_ERR_INTERNAL_ERROR,
			  "Failed to bind PCI device '%s' to driver " VFIO_DRIVER
			  ": %s",
			  name, strerror(r ? -r : ENODEV));
}

/* ---- groups ---- */

static int open_group(const char *name, unsigned int *ret_number,
		      int *ret_fd, struct error *err)
{
	char group[PCI_BASE], path[PCI_PATH];
	uint64_t number;

	if (!pci_link(name, "iommu_group", group) ||
	    parse_u64(group, 10, INT32_MAX, &number) < 0)
		return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				  "host doesn't support passthrough of host PCI devices: %s is behind no IOMMU",
				  name);
	*ret_number = (unsigned int)number;
	snprintf(path, sizeof(path), "/dev/vfio/%u", *ret_number);
	*ret_fd = open(path, O_RDWR | O_CLOEXEC);
	if (*ret_fd < 0 && errno == EBUSY)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "PCI device %s is in use: IOMMU group %u is open in another program",
				  name, *ret_number);
	if (*ret_fd < 0)
		return error_set(err, -errno, "PCI device %s: cannot open '%s': %m",
				 name, path);
	return 0;
}

/* Devices of its group that a driver of the host's has. */
static int not_viable(const char *name, unsigned int group,
		      struct error *err)
{
	char path[PCI_PATH], others[256] = "", driver[PCI_BASE];
	const struct dirent *e;
	DIR *dir;

	path_of(path, name, "iommu_group/devices");
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		size_t len = strlen(others);

		if (e->d_name[0] == '.' ||
		    !pci_link(e->d_name, "driver", driver) ||
		    is_vfio(e->d_name) || is_bridge(e->d_name))
			continue;
		snprintf(others + len, sizeof(others) - len, "%s%.12s (%s)",
			 len ? ", " : "", e->d_name, driver);
	}
	if (dir)
		closedir(dir);
	return error_virt(err, VIR_ERR_OPERATION_INVALID,
			  "PCI device %s cannot be assigned: IOMMU group %u is not viable: drivers of the host have %s",
			  name, group, others[0] ? others : "others of it");
}

static int check_viable(int fd, const char *name, unsigned int number,
			struct error *err)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };

	if (ioctl(fd, VFIO_GROUP_GET_STATUS, &status) < 0)
		return error_set(err, -errno,
				 "PCI device %s: group %u is none of VFIO's: %m",
				 name, number);
	return status.flags & VFIO_GROUP_FLAGS_VIABLE ?
		       0 :
		       not_viable(name, number, err);
}

int priv_open_vfio(struct priv *priv, const void *arg,
		   struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		   struct error *err)
{
	_cleanup_close_ int group = -1, container = -1;
	unsigned int number;
	char name[PCI_NAME];
	int r = find_for_root(priv, arg, name, err);

	if (r == 0 && !is_vfio(name))
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "Unmanaged PCI device %s must be manually detached from the host",
			       name);
	if (r == 0)
		r = open_group(name, &number, &group, err);
	if (r == 0)
		r = check_viable(group, name, number, err);
	if (r < 0)
		return r;
	container = open("/dev/vfio/vfio", O_RDWR | O_CLOEXEC);
	if (container < 0)
		return error_set(err, -errno,
				 "cannot open '/dev/vfio/vfio': %m");
	reply->pid = (int)number;
	fds[0] = steal_fd(&group);
	fds[1] = steal_fd(&container);
	return 0;
}

/* Unbinding would wait for whoever has it. */
int priv_pci_reattach(struct priv *priv, const void *arg,
		      struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		      struct error *err)
{
	_cleanup_close_ int group = -1;
	unsigned int number;
	char name[PCI_NAME];
	int r = find_for_root(priv, arg, name, err);

	if (r < 0 || !is_vfio(name))
		return r;
	r = open_group(name, &number, &group, err);
	if (r < 0)
		return r;
	group = fd_close(group);
	r = give_back(name);
	return r < 0 ? error_set(err, r,
				 "cannot give PCI device %s back to the host: %m",
				 name) :
		       0;
}

int priv_pci_reset(struct priv *priv, const void *arg,
		   struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		   struct error *err)
{
	char name[PCI_NAME], path[PCI_PATH];
	int r = find_for_root(priv, arg, name, err);

	if (r < 0)
		return r;
	path_of(path, name, "reset");
	r = write_text(path, "1");
	if (r < 0)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "Unable to reset PCI device %s: %s", name,
				  r == -ENOENT ?
					  "no FLR, PM reset or bus reset available" :
					  strerror(-r));
	return 0;
}

/* ---- what there is ---- */

static void add_line(struct priv_reply *reply, const char *key,
		     const char *value)
{
	size_t len = strlen(reply->text);

	snprintf(reply->text + len, sizeof(reply->text) - len, "%s %s\n", key,
		 value);
}

/* "0000:01:00.0" */
static bool is_pci_name(const char *name)
{
	unsigned int n[4];
	char rest;

	return strlen(name) == PCI_NAME - 1 &&
	       sscanf(name, "%4x:%2x:%2x.%1x%c", &n[0], &n[1], &n[2], &n[3],
		      &rest) == 4;
}

/* The bridge it is behind: the link to it ends in BRIDGE/NAME. */
static bool parent_of(const char *name, char ret_parent[PCI_NAME])
{
	char path[PCI_PATH], to[PATH_MAX], *slash;
	ssize_t n;

	snprintf(path, sizeof(path), DEVICES "/%.16s", name);
	n = readlink(path, to, sizeof(to) - 1);
	if (n <= 0)
		return false;
	to[n] = '\0';
	slash = strrchr(to, '/');
	if (!slash)
		return false;
	*slash = '\0';
	slash = strrchr(to, '/');
	if (!slash || !is_pci_name(slash + 1))
		return false;
	memcpy(ret_parent, slash + 1, PCI_NAME);
	return true;
}

int priv_pci_info(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	static const char *const files[] = { "vendor", "device", "class",
					     "numa_node", "sriov_totalvfs" };
	static const char *const links[] = { "driver", "iommu_group",
					     "physfn" };
	char name[PCI_NAME], value[PCI_BASE];
	int r = find(priv, arg, name, err);

	for (size_t i = 0; i < ARRAY_SIZE(files) && r == 0; i++)
		if (read_text(name, files[i], value, sizeof(value)))
			add_line(reply, files[i], value);
	for (size_t i = 0; i < ARRAY_SIZE(links) && r == 0; i++)
		if (pci_link(name, links[i], value))
			add_line(reply, links[i], value);
	if (r == 0 && parent_of(name, value))
		add_line(reply, "parent", value);
	return r;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static char **list_names(const char *path, bool vfs, unsigned int *ret_n)
{
	DIR *dir = opendir(path);
	const struct dirent *e;
	char **names = NULL;
	unsigned int n = 0;

	while (dir && (e = readdir(dir))) {
		char base[PCI_BASE], *slash = strrchr(path, '/');

		if (vfs && str_startswith(e->d_name, "virtfn") &&
		    pci_link(slash + 1, e->d_name, base))
			;
		else if (!vfs && is_pci_name(e->d_name))
			snprintf(base, sizeof(base), "%.12s", e->d_name);
		else
			continue;
		names = xrealloc(names, n + 1, sizeof(*names));
		names[n++] = xstrdup(base);
	}
	if (dir)
		closedir(dir);
	if (n)
		qsort(names, n, sizeof(*names), compare);
	*ret_n = n;
	return names;
}

/* As many as fit, from a->start on; reply->pid: how many there are. */
int priv_pci_list(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	const struct priv_pci *a = arg;
	char name[PCI_NAME], path[PCI_PATH] = DEVICES;
	unsigned int n;
	char **names;

	pci_name(a, name);
	if (a->what == PRIV_PCI_GROUP)
		path_of(path, name, "iommu_group/devices");
	else if (a->what == PRIV_PCI_VFS)
		snprintf(path, sizeof(path), DEVICES "/%s", name);
	names = list_names(path, a->what == PRIV_PCI_VFS, &n);
	for (unsigned int i = 0; i < n; i++) {
		size_t len = strlen(reply->text);

		if (i >= a->start &&
		    len + PCI_NAME + 1 < sizeof(reply->text))
			snprintf(reply->text + len, sizeof(reply->text) - len,
				 "%s\n", names[i]);
		free(names[i]);
	}
	free(names);
	reply->pid = (int)n;
	return 0;
}
