/*
 * cli/run.c -- a domain's XML, made up for an image or a kernel.
 */
#include "cli/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "cli/output.h"
#include "cli/xml.h"

/* ---- what the file is ---- */

static bool has(int fd, off_t at, const char *magic, size_t len)
{
	char b[8];

	return pread(fd, b, len, at) == (ssize_t)len &&
	       memcmp(b, magic, len) == 0;
}

/* Linux' boot protocol has its mark at 0x202; ISO 9660 has it in sector 16. */
static void look(int fd, struct image *ret)
{
	*ret = (struct image){ IMAGE_DISK, "raw" };
	if (has(fd, 0x202, "HdrS", 4) || has(fd, 0, "\x7f" "ELF", 4))
		ret->kind = IMAGE_KERNEL;
	else if (has(fd, 0x8001, "CD001", 5) && !has(fd, 0x200, "EFI PART", 8))
		ret->kind = IMAGE_CDROM;
	else if (has(fd, 0, "QFI\xfb", 4))
		ret->format = "qcow2";
}

static int look_at(const char *path, struct image *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		say_error("cannot read %s: %s; --kind says what a file that is "
			  "not here is",
			  path, strerror(errno));
		return -1;
	}
	look(fd, ret);
	close(fd);
	return 0;
}

int image_detect(const struct args *args, const char *path, struct image *ret)
{
	static const char *const kinds[] = { "kernel", "disk", "cdrom" };
	const char *kind = args_get(args, "kind");
	const char *format = args_get(args, "format");
	size_t i = 0;

	while (kind && i < ARRAY_SIZE(kinds) && !str_eq(kinds[i], kind))
		i++;
	if (i == ARRAY_SIZE(kinds)) {
		say_error("a file is a kernel, a disk or a cdrom, not '%s'",
			  kind);
		return -1;
	}
	*ret = (struct image){ IMAGE_DISK, "raw" };
	if ((!kind || (i == IMAGE_DISK && !format)) && look_at(path, ret) < 0)
		return -1;
	if (kind)
		ret->kind = (enum image_kind)i;
	if (format)
		ret->format = format;
	return 0;
}

/* ---- the parts of the document ---- */

/* The daemon's folder is not ours. */
static char *absolute(const char *path)
{
	char *full = *path == '/' ? NULL : realpath(path, NULL);

	return full ? full : xstrdup(path);
}

static void add_path(struct buf *b, int indent, const char *element,
		     const char *path)
{
	_cleanup_free_ char *full = path ? absolute(path) : NULL;

	xml_line(b, indent, element, full);
}

/* Without a console the guest would be mute. */
static void add_cmdline(struct buf *b, const char *given)
{
	_cleanup_free_ char *line =
		given && strstr(given, "console=") ?
			xstrdup(given) :
			xasprintf("console=ttyS0%s%s", given ? " " : "",
				  given ? given : "");

	xml_line(b, 4, "cmdline", line);
}

static void add_os(struct buf *b, const struct args *args,
		   const struct run_plan *p)
{
	bool kernel = p->image.kind == IMAGE_KERNEL;
	bool small = kernel && !args_has(args, "uefi") && !args_has(args, "vnc");
	const char *machine = !str_eq(p->type, "vireo") ? NULL :
			      small			? "microvm" :
							  "q35";

	buf_puts(b, "  <os");
	xml_attr(b, "firmware", args_has(args, "uefi") ? "efi" : NULL);
	buf_puts(b, ">\n    <type");
	xml_attr(b, "machine", machine);
	buf_puts(b, ">hvm</type>\n");
	if (kernel) {
		add_path(b, 4, "kernel", p->path);
		add_path(b, 4, "initrd", args_get(args, "initrd"));
		add_cmdline(b, args_get(args, "cmdline"));
	} else {
		buf_printf(b, "    <boot dev='%s'/>\n",
			   p->image.kind == IMAGE_CDROM ? "cdrom" : "hd");
	}
	buf_puts(b, "  </os>\n");
}

static void add_disk(struct buf *b, const char *path, const char *format,
		     unsigned int nth)
{
	_cleanup_free_ char *full = absolute(path);

	buf_puts(b, "    <disk type='file' device='disk'>\n      <driver");
	xml_attr(b, "type", format);
	buf_puts(b, "/>\n      <source");
	xml_attr(b, "file", full);
	buf_printf(b, "/>\n      <target dev='vd%c' bus='virtio'/>\n"
		      "    </disk>\n",
		   'a' + (int)nth);
}

static void add_cdrom(struct buf *b, const char *path)
{
	_cleanup_free_ char *full = absolute(path);

	buf_puts(b, "    <disk type='file' device='cdrom'>\n"
		    "      <driver type='raw'/>\n      <source");
	xml_attr(b, "file", full);
	buf_puts(b, "/>\n      <target dev='sda' bus='sata'/>\n"
		    "      <readonly/>\n    </disk>\n");
}

enum { DISKS_MAX = 26 };

static int add_disks(struct buf *b, const struct args *args,
		     const struct run_plan *p)
{
	unsigned int n = 0;

	if (p->image.kind == IMAGE_DISK)
		add_disk(b, p->path, p->image.format, n++);
	else if (p->image.kind == IMAGE_CDROM)
		add_cdrom(b, p->path);
	for (int i = 0; i < args->n_rest; i++) {
		struct image image;

		if (n == DISKS_MAX) {
			say_error("a guest has %d disks at most", DISKS_MAX);
			return -1;
		}
		if (look_at(args->rest[i], &image) < 0)
			return -1;
		if (image.kind == IMAGE_CDROM && p->image.kind != IMAGE_CDROM)
			add_cdrom(b, args->rest[i]);
		else
			add_disk(b, args->rest[i], image.format, n++);
	}
	return 0;
}

/* "none", "bridge=NAME", or a virtual network's name. */
static void add_network(struct buf *b, const char *network)
{
	bool bridge = network && str_startswith(network, "bridge=");

	if (!network || str_eq(network, "none"))
		return;
	buf_printf(b, "    <interface type='%s'>\n      <source",
		   bridge ? "bridge" : "network");
	if (bridge)
		xml_attr(b, "bridge", network + strlen("bridge="));
	else
		xml_attr(b, "network", network);
	buf_puts(b, "/>\n      <model type='virtio'/>\n    </interface>\n");
}

/* What every guest is better off with. */
static const char extras[] =
	"    <console type='pty'>\n"
	"      <target type='serial' port='0'/>\n"
	"    </console>\n"
	"    <channel type='unix'>\n"
	"      <target type='virtio' name='org.qemu.guest_agent.0'/>\n"
	"    </channel>\n"
	"    <rng model='virtio'>\n"
	"      <backend model='random'>/dev/urandom</backend>\n"
	"    </rng>\n";

static const char screen[] =
	"    <graphics type='vnc' port='-1' autoport='yes'/>\n"
	"    <video>\n"
	"      <model type='virtio'/>\n"
	"    </video>\n";

int run_xml(struct buf *b, const struct args *args, const struct run_plan *p)
{
	bool kernel = p->image.kind == IMAGE_KERNEL;

	if (!kernel && (args_has(args, "initrd") || args_has(args, "cmdline"))) {
		say_error("--initrd and --cmdline are for kernels; %s is none",
			  p->path);
		return -1;
	}
	buf_puts(b, "<domain");
	xml_attr(b, "type", p->type);
	buf_puts(b, ">\n");
	xml_line(b, 2, "name", p->name);
	buf_printf(b, "  <memory unit='KiB'>%llu</memory>\n", p->memory / KIB);
	buf_printf(b, "  <vcpu>%u</vcpu>\n", p->cpus);
	add_os(b, args, p);
	buf_puts(b, "  <features>\n    <acpi/>\n    <apic/>\n  </features>\n"
		    "  <cpu mode='host-passthrough'/>\n  <devices>\n");
	if (add_disks(b, args, p) < 0)
		return -1;
	add_network(b, p->network);
	buf_puts(b, extras);
	if (args_has(args, "vnc"))
		buf_puts(b, screen);
	buf_puts(b, "  </devices>\n</domain>\n");
	return 0;
}
