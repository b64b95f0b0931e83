/*
 * vmm/args.c -- vireo-vmm's command line for running one machine directly.
 */
#include "vmm/run.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "vmm/spec.h"

#define VGA_BIOS "/usr/share/seabios/vgabios-stdvga.bin"
#define VIRTIO_VGA_BIOS "/usr/share/seabios/vgabios-virtio.bin"

static const char usage[] =
"Usage: vireo-vmm --kernel FILE [OPTION...]\n"
"       vireo-vmm --firmware FILE [OPTION...]\n"
"       vireo-vmm --control-fd N --status-fd N --log-fd N\n"
"\n"
"Runs one machine.  The last form is how the daemon starts it.\n"
"\n"
"  --engine NAME    kvm, emu (default: kvm if /dev/kvm opens), or a variant:\n"
"                   emu:interp the interpreter, emu:jit the translator,\n"
"                   emu:lockstep both, compared after every block\n"
"  --kernel FILE    bzImage, or ELF kernel with a PVH entry point or a\n"
"                   multiboot header\n"
"  --machine TYPE   microvm (default), or q35 (default with --firmware)\n"
"  --firmware FILE  what starts the guest: SeaBIOS, or OVMF's code\n"
"  --nvram FILE     flash for OVMF's variables, written to\n"
"  --secure-loader  only system management mode may write to it\n"
"  --debugcon WHERE what firmware says at port 0x402, as --serial\n"
"  --boot-menu MS   firmware offers a menu for so long\n"
"  --boot-strict    boot from the devices given an order only\n"
"  --initrd FILE\n"
"  --append TEXT    kernel command line\n"
"  --memory MIB     default 256\n"
"  --memory-file PATH  where it is kept\n"
"  --cpus N         default 1; SOCKETS:CORES:THREADS gives a topology\n"
"  --cpu MODEL[,+FEATURE|,-FEATURE...]  default host\n"
"  --serial WHERE   stdio (default), null, file:PATH or unix:PATH (a socket);\n"
"                   repeatable\n"
"  --console WHERE  the same, as a virtio console\n"
"  --disk PATH[,OPTION...]  raw image or block device; repeatable.  virtio,\n"
"                   sata, scsi, nvme, usb; ro; cdrom (PATH may be empty);\n"
"                   qcow2, not raw; cache=none, past the host's page cache;\n"
"                   serial=TEXT; iops=N, at most so many requests in a second;\n"
"                   boot=N, its place in firmware's order\n"
"  --tap NAME[,e1000e][,queues=N][,vhost][,boot=N][,rom=FILE]\n"
"                   network card on an existing tap; repeatable; rom: an\n"
"                   option ROM to boot from it; vhost: served by the kernel\n"
"  --input BUS-KIND ps2, usb or virtio; keyboard, mouse or (not ps2) tablet;\n"
"                   repeatable\n"
"  --video KIND[,rom=FILE]  vga, bochs, virtio, virtio-vga; needs --vnc to be seen; rom: its BIOS\n"
"  --vnc PATH       serve the picture on a Unix socket\n"
"  --vhost-user KIND,PATH  a device that another program serves at a socket:\n"
"                   net, blk, or fs with a tag after another comma\n"
"  --vsock CID[,PATH]  a socket device, by the host's kernel; or, with a path,\n"
"                   by Unix sockets: programs connect to PATH and write\n"
"                   \"CONNECT PORT\"; the guest's connections go to PATH_PORT\n"
"  --rng --balloon --pvpanic --pvpanic-pci  further devices\n"
"  --watchdog ACTION  an i6300esb; none, reset, shutdown, poweroff, inject-nmi\n"
"  --dirty-ring N   with kvm: pages written to are told of in rings of N entries\n"
"  --debug-exit     writing V to port 0xf4 exits with status (V << 1) | 1\n"
"  --test-device    --debug-exit and the registers kvm-unit-tests uses\n"
"  --save FILE      SIGTERM saves the machine there and ends the run\n"
"  --restore FILE   goes on with a saved machine; the other options as then\n"
"  --timeout SECONDS\n"
"  --no-reboot      a guest's reboot ends the run\n"
"  --verbose        tell when the guest's first instruction ran\n"
"  --seccomp-log    log what the system call filter refuses, go on\n"
"  --no-sandbox     for debuggers and profilers\n"
"  --jit-dump FILE  guest and host code of each block the translator makes\n"
"  --perf-map       name its code for perf, in /tmp/perf-PID.map\n"
"\n"
"On a terminal, Ctrl-A x ends the run.  Exit status: 0 the guest switched\n"
"off, 1 error, 2 the guest crashed, 3 it reset with --no-reboot, 4 timeout.\n";

/* What the options set. */
struct args {
	struct vmm_spec *spec;
	struct run_options *opt;
};

static int open_arg(const char *path, int flags, struct error *err)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	return fd < 0 ? error_set(err, -errno, "cannot open '%s': %m", path) :
			fd;
}

static int set_open(int *fd, const char *path, int flags, struct error *err)
{
	int r = open_arg(path, flags, err);

	if (r < 0)
		return r;
	fd_close(*fd);
	*fd = r;
	return 0;
}

static int set_uint(unsigned int *ret, const char *what, const char *text,
		    uint64_t max, struct error *err)
{
	uint64_t v;

	if (parse_u64(text, 10, max, &v) < 0)
		return error_set(err, -EINVAL, "--%s: '%s' is not a number "
				 "the option takes", what, text);
	*ret = v;
	return 0;
}

static int set_cpus(struct args *a, char *text, struct error *err)
{
	struct vmm_spec *spec = a->spec;
	unsigned int *field[] = { &spec->sockets, &spec->cores,
				  &spec->threads };
	int r = 0;

	if (!strchr(text, ':'))
		return set_uint(&spec->vcpus, "cpus", text, 1024, err);
	spec->vcpus = 1;
	for (size_t i = 0; i < ARRAY_SIZE(field) && r == 0; i++) {
		char *word = strsep(&text, ":");

		r = set_uint(field[i], "cpus", word ? word : "", 1024, err);
		spec->vcpus *= *field[i];
	}
	return r;
}

static int set_cpu(struct args *a, char *text, struct error *err)
{
	struct vmm_spec *spec = a->spec;
	char *word = strsep(&text, ",");

	free(spec->cpu_model);
	spec->cpu_model = xstrdup(word);
	while ((word = strsep(&text, ","))) {
		struct spec_cpu_feature *f;

		if (word[0] != '+' && word[0] != '-')
			return error_set(err, -EINVAL,
					 "--cpu: feature '%s' needs + or -",
					 word);
		spec->cpu_features =
			xrealloc(spec->cpu_features, spec->n_cpu_features + 1,
				 sizeof(*spec->cpu_features));
		f = &spec->cpu_features[spec->n_cpu_features++];
		f->name = xstrdup(word + 1);
		f->enable = word[0] == '+';
	}
	return 0;
}

/* Opened anew, so that "does not block" is not set for whoever shares it. */
static int open_stdio(void)
{
	int fd = open("/proc/self/fd/0", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0 && isatty(fd) && isatty(STDOUT_FILENO))
		return fd;
	fd_close(fd);
	fd = open("/proc/self/fd/1", O_WRONLY | O_APPEND | O_NOCTTY |
		  O_CLOEXEC);
	return fd >= 0 ? fd : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
}

/* One client at a time; the path stays behind. */
static int listen_unix(const char *path, struct error *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = -1;

	if (strlen(path) >= sizeof(sa.sun_path))
		return error_set(err, -ENAMETOOLONG, "cannot listen on '%s': %m",
				 path);
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(fd, 1) < 0) {
		int r = error_set(err, -errno, "cannot listen on '%s': %m",
				  path);

		fd_close(fd);
		return r;
	}
	return fd;
}

static int add_char(struct spec_char **list, unsigned int *n,
		    const char *prefix, const char *where, bool *ret_stdio,
		    struct error *err)
{
	struct spec_char c = { .kind = CHARDEV_NULL, .fd = -1, .log_fd = -1 };
	int r = 0;

	if (str_eq(where, "stdio")) {
		c.kind = CHARDEV_FD;
		c.fd = open_stdio();
		*ret_stdio = true;
	} else if (str_startswith(where, "file:")) {
		c.kind = CHARDEV_FD;
		r = set_open(&c.fd, where + 5, O_WRONLY | O_CREAT | O_APPEND,
			     err);
	} else if (str_startswith(where, "unix:")) {
		c.kind = CHARDEV_SOCKET;
		r = c.fd = listen_unix(where + 5, err);
	} else if (!str_eq(where, "null")) {
		r = error_set(err, -EINVAL, "--%s: unknown end '%s'", prefix,
			      where);
	}
	if (r < 0)
		return r;
	c.index = *n;
	c.id = xasprintf("%s%u", prefix, c.index);
	*list = xrealloc(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = c;
	return 0;
}

/* The disks of a bus are on one controller, in the order they come. */
static struct spec_controller *disk_controller(struct vmm_spec *spec,
					       enum spec_disk_bus bus)
{
	static const char *const names[] = { [SPEC_SATA] = "sata",
					     [SPEC_SCSI] = "scsi",
					     [SPEC_NVME] = "nvme" };
	unsigned int n = 0;
	struct spec_controller *c;

	for (unsigned int i = 0; i < spec->n_controllers; i++) {
		c = &spec->controllers[i];
		if (c->bus == bus && bus != SPEC_NVME)
			return c;
		n += c->bus == bus;
	}
	spec->controllers = xrealloc(spec->controllers,
				     spec->n_controllers + 1,
				     sizeof(*spec->controllers));
	c = &spec->controllers[spec->n_controllers++];
	*c = (struct spec_controller){ .bus = bus, .index = n };
	c->id = xasprintf("%s%u", names[bus], n);
	return c;
}

static void need_usb(struct vmm_spec *spec)
{
	if (spec->n_usbs)
		return;
	spec->usbs = xcalloc(1, sizeof(*spec->usbs));
	spec->usbs[0].id = xstrdup("usb");
	spec->n_usbs = 1;
}

static void place_disk(struct vmm_spec *spec, struct spec_disk *d)
{
	if (d->bus == SPEC_USB)
		need_usb(spec);
	if (d->bus == SPEC_VIRTIO || d->bus == SPEC_USB)
		return;
	d->controller = disk_controller(spec, d->bus)->index;
	for (unsigned int i = 0; i < spec->n_disks; i++)
		d->unit += spec->disks[i].bus == d->bus &&
			   spec->disks[i].controller == d->controller;
}

static int set_iops(struct spec_disk *d, const char *word, struct error *err)
{
	unsigned int iops = 0;
	int r = set_uint(&iops, "disk", word, INT32_MAX, err);

	if (r < 0 || !iops)
		return r;
	d->n_limits = 1;
	d->limits = xcalloc(1, sizeof(*d->limits));
	d->limits->in.rate[THROTTLE_OPS] = iops;
	return 0;
}

static int disk_option(struct spec_disk *d, const char *word,
		       struct error *err)
{
	static const char *const buses[] = {
		[SPEC_VIRTIO] = "virtio", [SPEC_SATA] = "sata",
		[SPEC_SCSI] = "scsi",	  [SPEC_NVME] = "nvme",
		[SPEC_USB] = "usb",
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(buses); i++) {
		if (str_eq(word, buses[i])) {
			d->bus = i;
			return 0;
		}
	}
	if (str_eq(word, "ro"))
		d->readonly = true;
	else if (str_eq(word, "cdrom"))
		d->kind = SPEC_CDROM;
	else if (str_startswith(word, "serial="))
		d->serial = xstrdup(word + strlen("serial="));
	else if (str_startswith(word, "boot="))
		return set_uint(&d->boot_index, "disk", word + 5, INT32_MAX,
				err);
	else if (str_startswith(word, "iops="))
		return set_iops(d, word + 5, err);
	else if (str_eq(word, "qcow2") && !d->format)
		d->format = xstrdup(word);
	else if (str_eq(word, "cache=none"))
		d->cache = CACHE_NONE;
	else
		return error_set(err, -EINVAL, "--disk: unknown option '%s'",
				 word);
	return 0;
}

static int add_disk(struct args *a, char *text, struct error *err)
{
	struct vmm_spec *spec = a->spec;
	struct spec_disk d = { .fd = -1, .discard = true };
	char *path = strsep(&text, ","), *word;
	int r = 0;

	d.boot_index = spec->n_disks + 1;
	while (r == 0 && (word = strsep(&text, ",")))
		r = disk_option(&d, word, err);
	if (d.kind == SPEC_CDROM)
		d.readonly = true;
	if (r == 0 && (*path || d.kind != SPEC_CDROM))
		r = set_open(&d.fd, path, d.readonly ? O_RDONLY : O_RDWR, err);
	if (r < 0) {
		free(d.format);
		free(d.serial);
		free(d.limits);
		return r;
	}
	place_disk(spec, &d);
	if (!d.format)
		d.format = xstrdup("raw");
	d.id = xasprintf("disk%u", spec->n_disks);
	spec->disks = xrealloc(spec->disks, spec->n_disks + 1,
			       sizeof(*spec->disks));
	spec->disks[spec->n_disks++] = d;
	return 0;
}

static int open_tap(const char *name, bool multi, struct error *err)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open_arg("/dev/net/tun", O_RDWR | O_NONBLOCK, err);

	if (fd < 0)
		return fd;
	ifr.ifr_flags |= multi ? IFF_MULTI_QUEUE : 0;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) == 0)
		return fd;
	error_set(err, -errno, "cannot use tap '%s': %m", name);
	fd_close(fd);
	return err->errnum;
}

static int nic_option(struct spec_nic *n, const char *word,
		      unsigned int *queues, bool *vhost, struct error *err)
{
	if (str_startswith(word, "boot="))
		return set_uint(&n->boot_index, "tap", word + 5, INT32_MAX,
				err);
	if (str_startswith(word, "queues="))
		return set_uint(queues, "tap", word + 7, 64, err);
	if (str_startswith(word, "rom="))
		return set_open(&n->rom_fd, word + 4, O_RDONLY, err);
	if (str_eq(word, "e1000e"))
		n->model = NIC_E1000E;
	else if (str_eq(word, "vhost"))
		*vhost = true;
	else
		return error_set(err, -EINVAL, "--tap: unknown option '%s'",
				 word);
	return 0;
}

/* The tap's queues, and the kernel's help for each. */
static int open_nic(struct spec_nic *n, const char *name, unsigned int queues,
		    bool vhost, struct error *err)
{
	int r = 0;

	n->more = xcalloc(queues, sizeof(*n->more));
	n->vhosts = xcalloc(queues, sizeof(*n->vhosts));
	for (unsigned int i = 0; i < queues && r >= 0; i++) {
		r = open_tap(name, queues > 1, err);
		if (r >= 0 && i)
			n->more[n->n_more++].fd = r;
		else if (r >= 0)
			n->fd = r;
		if (r >= 0 && vhost)
			r = open_arg("/dev/vhost-net", O_RDWR, err);
		if (r >= 0 && vhost)
			n->vhosts[n->n_vhosts++].fd = r;
	}
	return r < 0 ? r : 0;
}

static int add_nic(struct args *a, char *text, struct error *err)
{
	struct vmm_spec *spec = a->spec;
	struct spec_nic n = { .fd = -1, .rom_fd = -1,
			      .mac = { 0x52, 0x54, 0, 0x76, 0x72,
				       spec->n_nics + 1 } };
	const char *name = strsep(&text, ",");
	unsigned int queues = 1;
	bool vhost = false;
	char *word;
	int r = 0;

	while (r == 0 && (word = strsep(&text, ",")))
		r = nic_option(&n, word, &queues, &vhost, err);
	if (r == 0)
		r = open_nic(&n, name, MAX(queues, 1u), vhost, err);
	/* The spec's from here on, complete or not. */
	n.id = xasprintf("net%u", spec->n_nics);
	spec->nics = xrealloc(spec->nics, spec->n_nics + 1,
			      sizeof(*spec->nics));
	spec->nics[spec->n_nics++] = n;
	return r;
}

static const struct {
	const char *name;
	enum spec_input_bus bus;
	enum spec_input_kind kind;
} input_names[] = {
	{ "ps2-keyboard", INPUT_BUS_PS2, INPUT_KIND_KEYBOARD },
	{ "ps2-mouse", INPUT_BUS_PS2, INPUT_KIND_MOUSE },
	{ "usb-keyboard", INPUT_BUS_USB, INPUT_KIND_KEYBOARD },
	{ "usb-mouse", INPUT_BUS_USB, INPUT_KIND_MOUSE },
	{ "usb-tablet", INPUT_BUS_USB, INPUT_KIND_TABLET },
	{ "virtio-keyboard", INPUT_BUS_VIRTIO, INPUT_KIND_KEYBOARD },
	{ "virtio-mouse", INPUT_BUS_VIRTIO, INPUT_KIND_MOUSE },
	{ "virtio-tablet", INPUT_BUS_VIRTIO, INPUT_KIND_TABLET },
};

static int add_input(struct args *a, char *name, struct error *err)
{
	struct vmm_spec *spec = a->spec;
	size_t i = 0;

	while (i < ARRAY_SIZE(input_names) && !str_eq(input_names[i].name, name))
		i++;
	if (i == ARRAY_SIZE(input_names))
		return error_set(err, -EINVAL, "--input: unknown kind '%s'",
				 name);
	spec->inputs = xrealloc(spec->inputs, spec->n_inputs + 1,
				sizeof(*spec->inputs));
	spec->inputs[spec->n_inputs] = (struct spec_input){
		.id = xasprintf("input%u", spec->n_inputs),
		.kind = input_names[i].kind,
		.bus = input_names[i].bus,
	};
	spec->n_inputs++;
	if (input_names[i].bus == INPUT_BUS_USB)
		need_usb(spec);
	return 0;
}

static int add_video(struct args *a, char *text, struct error *err)
{
	struct vmm_spec *spec = a->spec;
	static const char *const names[] = { "vga", "bochs", "virtio",
					     "virtio-vga" };
	const char *name = strsep(&text, ",");
	int rom_fd = -1, r = 0;
	size_t i = 0;

	while (i < ARRAY_SIZE(names) && !str_eq(names[i], name))
		i++;
	if (i == ARRAY_SIZE(names))
		return error_set(err, -EINVAL, "--video: unknown kind '%s'",
				 name);
	if (text && !str_startswith(text, "rom="))
		return error_set(err, -EINVAL, "--video: unknown option '%s'",
				 text);
	if (text)
		r = set_open(&rom_fd, text + 4, O_RDONLY, err);
	if (r < 0)
		return r;
	spec->videos = xrealloc(spec->videos, spec->n_videos + 1,
				sizeof(*spec->videos));
	spec->videos[spec->n_videos] = (struct spec_video){
		.id = xasprintf("video%u", spec->n_videos),
		.kind = i,
		.vram = 16 * MIB,
		.width = 1280,
		.height = 800,
		.rom_fd = rom_fd,
	};
	/* Without its BIOS a VGA shows only what an OS makes of it. */
	if (i == VIDEO_VGA && rom_fd < 0)
		spec->videos[spec->n_videos].rom_fd =
			open(VGA_BIOS, O_RDONLY | O_CLOEXEC);
	if (i == VIDEO_VIRTIO_VGA && rom_fd < 0)
		spec->videos[spec->n_videos].rom_fd =
			open(VIRTIO_VGA_BIOS, O_RDONLY | O_CLOEXEC);
	spec->n_videos++;
	return 0;
}

static int add_vnc(struct args *a, char *path, struct error *err)
{
	struct vmm_spec *spec = a->spec;
	struct spec_vnc *vnc;
	int fd = listen_unix(path, err);

	if (fd < 0)
		return fd;
	spec->vncs = xrealloc(spec->vncs, spec->n_vncs + 1,
			      sizeof(*spec->vncs));
	vnc = &spec->vncs[spec->n_vncs++];
	*vnc = (struct spec_vnc){ .certificate_fd = -1, .key_fd = -1,
				  .authority_fd = -1, .n_listens = 1 };
	vnc->listens = xcalloc(1, sizeof(*vnc->listens));
	vnc->listens[0].fd = fd;
	return 0;
}

static int open_vhost_vsock(uint64_t cid, struct error *err)
{
	int fd = open_arg("/dev/vhost-vsock", O_RDWR, err);

	if (fd < 0 || ioctl(fd, VHOST_VSOCK_SET_GUEST_CID, &cid) == 0)
		return fd;
	error_set(err, -errno, "cannot have the vsock address %llu: %m",
		  (unsigned long long)cid);
	fd_close(fd);
	return err->errnum;
}

static int add_vsock(struct args *a, char *text, struct error *err)
{
	struct spec_vsock v = { .listen_fd = -1, .vhost_fd = -1 };
	struct vmm_spec *spec = a->spec;
	char *cid = strsep(&text, ",");
	int r;

	if (parse_u64(cid, 10, UINT32_MAX - 1, &v.cid) < 0 || v.cid < 3 ||
	    spec->n_vsocks)
		return error_set(err, -EINVAL,
				 "--vsock: one CID, from 3 up, and a path");
	if (text)
		r = v.listen_fd = listen_unix(text, err);
	else
		r = v.vhost_fd = open_vhost_vsock(v.cid, err);
	if (r < 0)
		return r;
	a->opt->vsock_path = text;
	v.id = xstrdup("vsock0");
	spec->vsocks = xcalloc(1, sizeof(*spec->vsocks));
	spec->vsocks[spec->n_vsocks++] = v;
	return 0;
}

static int connect_unix(const char *path, struct error *err)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(sa.sun_path))
		return error_set(err, -ENAMETOOLONG,
				 "cannot connect to '%s': %m", path);
	strcpy(sa.sun_path, path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	error_set(err, -errno, "cannot connect to '%s': %m", path);
	fd_close(fd);
	return err->errnum;
}

static void add_user_fs(struct vmm_spec *spec, int fd, const char *tag)
{
	struct spec_fs f = { .fd = fd, .tag = xstrdup(tag) };

	f.id = xasprintf("fs%u", spec->n_filesystems);
	spec->filesystems = xrealloc(spec->filesystems,
				     spec->n_filesystems + 1, sizeof(f));
	spec->filesystems[spec->n_filesystems++] = f;
}

static void add_user_disk(struct vmm_spec *spec, int fd)
{
	struct spec_disk d = { .fd = fd, .vhost_user = true };

	d.boot_index = spec->n_disks + 1;
	d.format = xstrdup("raw");
	d.id = xasprintf("disk%u", spec->n_disks);
	spec->disks = xrealloc(spec->disks, spec->n_disks + 1, sizeof(d));
	spec->disks[spec->n_disks++] = d;
}

static void add_user_nic(struct vmm_spec *spec, int fd)
{
	struct spec_nic n = { .fd = fd, .vhost_user = true, .rom_fd = -1,
			      .mac = { 0x52, 0x54, 0, 0x76, 0x72,
				       spec->n_nics + 1 } };

	n.id = xasprintf("net%u", spec->n_nics);
	spec->nics = xrealloc(spec->nics, spec->n_nics + 1, sizeof(n));
	spec->nics[spec->n_nics++] = n;
}

static int add_vhost_user(struct args *a, char *text, struct error *err)
{
	char *kind = strsep(&text, ","), *path = strsep(&text, ",");
	bool fs = str_eq(kind, "fs");
	int fd;

	if (!path || (!fs && !str_eq(kind, "blk") && !str_eq(kind, "net")) ||
	    fs != (text != NULL) || (text && strlen(text) > 36))
		return error_set(err, -EINVAL,
				 "--vhost-user: blk,PATH or net,PATH or fs,PATH,TAG");
	fd = connect_unix(path, err);
	if (fd < 0)
		return fd;
	if (fs)
		add_user_fs(a->spec, fd, text);
	else if (str_eq(kind, "blk"))
		add_user_disk(a->spec, fd);
	else
		add_user_nic(a->spec, fd);
	return 0;
}

static int open_perf_map(struct args *a, char *text, struct error *err)
{
	struct vmm_spec *spec = a->spec;
	_cleanup_free_ char *path = xasprintf("/tmp/perf-%d.map", getpid());

	/* Never through a link: anybody may write to /tmp. */
	return set_open(&spec->perf_map_fd, path,
			O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, err);
}

static int set_memory(struct args *a, char *text, struct error *err)
{
	struct vmm_spec *spec = a->spec;
	uint64_t mib;

	if (parse_u64(text, 10, 64 * 1024 * 1024, &mib) < 0 || !mib)
		return error_set(err, -EINVAL,
				 "--memory: '%s' is not a number of MiB",
				 text);
	spec->memory = mib * MIB;
	return 0;
}

static int set_watchdog(struct args *a, char *text, struct error *err)
{
	struct vmm_spec *spec = a->spec;

	spec->watchdog = true;
	for (int i = WATCHDOG_NONE; i <= WATCHDOG_NMI; i++) {
		spec->watchdog_action = i;
		if (i != WATCHDOG_PAUSE &&
		    str_eq(vmm_spec_watchdog_name(i), text))
			return 0;
	}
	return error_set(err, -EINVAL, "--watchdog: unknown action '%s'",
			 text);
}

static void set_string(char **field, const char *text)
{
	free(*field);
	*field = xstrdup(text);
}

static int add_serial(struct args *a, char *text, struct error *err)
{
	return add_char(&a->spec->serials, &a->spec->n_serials, "serial",
			text, &a->opt->stdio, err);
}

static int add_console(struct args *a, char *text, struct error *err)
{
	bool ignored;

	return add_char(&a->spec->consoles, &a->spec->n_consoles, "console",
			text, &ignored, err);
}

static int add_debugcon(struct args *a, char *text, struct error *err)
{
	bool ignored;

	return add_char(&a->spec->debugcons, &a->spec->n_debugcons,
			"debugcon", text, &ignored, err);
}

static int add_rng(struct args *a, char *text, struct error *err)
{
	vmm_spec_add_rng(a->spec);
	return 0;
}

static int set_test_device(struct args *a, char *text, struct error *err)
{
	a->spec->debug_exit = a->spec->test_device = true;
	return 0;
}

static int set_timeout(struct args *a, char *text, struct error *err)
{
	return set_uint(&a->opt->timeout, "timeout", text, 1000000, err);
}

static int set_dirty_ring(struct args *a, char *text, struct error *err)
{
	return set_uint(&a->spec->dirty_ring, "dirty-ring", text,
			DIRTY_RING_MAX, err);
}

static int set_no_reboot(struct args *a, char *text, struct error *err)
{
	a->spec->on_reboot = SPEC_DESTROY;
	return 0;
}

static int set_boot_menu(struct args *a, char *text, struct error *err)
{
	a->spec->boot_menu = true;
	return set_uint(&a->spec->boot_menu_timeout, "boot-menu", text,
			UINT16_MAX, err);
}

static int help(struct args *a, char *text, struct error *err)
{
	fputs(usage, stdout);
	exit(0);
}

/* An option: sets a field of one of the two, or calls a function. */
struct option_type {
	const char *name;
	enum { FLAG, STRING, OPEN, CALL, CALL_ARG } kind;
	enum { SPEC, RUN } where;
	size_t field;
	int flags; /* OPEN: open(2)'s */
	int (*set)(struct args *a, char *text, struct error *err);
};

enum { CREATE = O_CREAT | O_TRUNC };

/* Where f is, which is of type t. */
#define FIELD(s, f, t) \
	(offsetof(s, f) + 0 * sizeof((t *)NULL == &((s *)NULL)->f))
#define SPEC_FLAG(f) FLAG, SPEC, FIELD(struct vmm_spec, f, bool)
#define SPEC_STRING(f) STRING, SPEC, FIELD(struct vmm_spec, f, char *)
#define SPEC_OPEN(f, flags) OPEN, SPEC, FIELD(struct vmm_spec, f, int), flags
#define RUN_FLAG(f) FLAG, RUN, FIELD(struct run_options, f, bool)
#define RUN_OPEN(f, flags) OPEN, RUN, FIELD(struct run_options, f, int), flags
#define CALLS(f) CALL, SPEC, 0, 0, f
#define CALLS_ARG(f) CALL_ARG, SPEC, 0, 0, f

static const struct option_type option_types[] = {
	{ "engine", SPEC_STRING(engine) },
	{ "kernel", SPEC_OPEN(kernel_fd, O_RDONLY) },
	{ "initrd", SPEC_OPEN(initrd_fd, O_RDONLY) },
	{ "append", SPEC_STRING(cmdline) },
	{ "memory-file", SPEC_OPEN(mem_fd, O_RDWR) },
	{ "memory", CALLS_ARG(set_memory) },
	{ "cpus", CALLS_ARG(set_cpus) },
	{ "cpu", CALLS_ARG(set_cpu) },
	{ "serial", CALLS_ARG(add_serial) },
	{ "console", CALLS_ARG(add_console) },
	{ "disk", CALLS_ARG(add_disk) },
	{ "tap", CALLS_ARG(add_nic) },
	{ "rng", CALLS(add_rng) },
	{ "balloon", SPEC_FLAG(balloon) },
	{ "input", CALLS_ARG(add_input) },
	{ "video", CALLS_ARG(add_video) },
	{ "vnc", CALLS_ARG(add_vnc) },
	{ "vhost-user", CALLS_ARG(add_vhost_user) },
	{ "vsock", CALLS_ARG(add_vsock) },
	{ "pvpanic", SPEC_FLAG(pvpanic) },
	{ "pvpanic-pci", SPEC_FLAG(pvpanic_pci) },
	{ "watchdog", CALLS_ARG(set_watchdog) },
	{ "dirty-ring", CALLS_ARG(set_dirty_ring) },
	{ "debug-exit", SPEC_FLAG(debug_exit) },
	{ "test-device", CALLS(set_test_device) },
	{ "save", RUN_OPEN(save_fd, O_RDWR | CREATE) },
	{ "restore", SPEC_OPEN(restore_fd, O_RDONLY) },
	{ "timeout", CALLS_ARG(set_timeout) },
	{ "no-reboot", CALLS(set_no_reboot) },
	{ "verbose", RUN_FLAG(verbose) },
	{ "seccomp-log", RUN_FLAG(seccomp_log) },
	{ "no-sandbox", RUN_FLAG(no_sandbox) },
	{ "jit-dump", SPEC_OPEN(jit_dump_fd, O_WRONLY | CREATE) },
	{ "perf-map", CALLS(open_perf_map) },
	{ "machine", SPEC_STRING(machine) },
	{ "firmware", SPEC_OPEN(firmware_fd, O_RDONLY) },
	{ "nvram", SPEC_OPEN(nvram_fd, O_RDWR) },
	{ "secure-loader", SPEC_FLAG(secure_loader) },
	{ "debugcon", CALLS_ARG(add_debugcon) },
	{ "boot-menu", CALLS_ARG(set_boot_menu) },
	{ "boot-strict", SPEC_FLAG(boot_strict) },
	{ "help", CALLS(help) },
};

enum { N_OPTIONS = ARRAY_SIZE(option_types), FIRST_ID = 256 };

static int args_one(struct args *a, const struct option_type *t,
		    struct error *err)
{
	char *base = t->where == SPEC ? (char *)a->spec : (char *)a->opt;
	void *field = base + t->field;

	switch (t->kind) {
	case FLAG:
		*(bool *)field = true;
		return 0;
	case STRING:
		set_string(field, optarg);
		return 0;
	case OPEN:
		return set_open(field, optarg, t->flags, err);
	default:
		return t->set(a, optarg, err);
	}
}

/* As getopt_long() wants them; ids are indices, and FIRST_ID. */
static void list_options(struct option list[N_OPTIONS + 1])
{
	for (int i = 0; i < N_OPTIONS; i++) {
		const struct option_type *t = &option_types[i];

		list[i] = (struct option){
			.name = t->name,
			.has_arg = t->kind == FLAG || t->kind == CALL ?
					   no_argument :
					   required_argument,
			.val = FIRST_ID + i,
		};
	}
	list[N_OPTIONS] = (struct option){ 0 };
}

static int args_all(int argc, char **argv, struct args *a, struct error *err)
{
	struct option list[N_OPTIONS + 1];
	int id, r = 0;

	list_options(list);
	while (r == 0 && (id = getopt_long(argc, argv, "h", list, NULL)) != -1)
		if (id == 'h')
			r = help(a, NULL, err);
		else if (id < FIRST_ID)
			r = error_set(err, -EINVAL, "see vireo-vmm --help");
		else
			r = args_one(a, &option_types[id - FIRST_ID], err);
	if (r == 0 && optind < argc)
		r = error_set(err, -EINVAL, "unexpected argument '%s'",
			      argv[optind]);
	return r;
}

/* What was not said. */
static int args_defaults(struct vmm_spec *spec, struct run_options *opt,
			 struct error *err)
{
	bool kvm = !spec->engine || str_eq(spec->engine, "kvm");

	if (spec->kernel_fd < 0 && spec->firmware_fd < 0)
		return error_set(err, -EINVAL,
				 "--kernel or --firmware is needed; see vireo-vmm --help");
	if (!spec->machine)
		spec->machine = xstrdup(spec->firmware_fd < 0 ? "microvm" :
								"q35");
	if (kvm)
		spec->kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (spec->engine && kvm && spec->kvm_fd < 0)
		return error_set(err, -errno, "cannot open /dev/kvm: %m");
	if (!spec->engine)
		spec->engine = xstrdup(spec->kvm_fd >= 0 ? "kvm" : "emu");
	if (!spec->cpu_model)
		spec->cpu_model = xstrdup("host");
	if (!spec->n_serials)
		return add_char(&spec->serials, &spec->n_serials, "serial",
				"stdio", &opt->stdio, err);
	return 0;
}

int args_parse(int argc, char **argv, struct vmm_spec *spec,
	       struct run_options *opt, struct error *err)
{
	int r;

	vmm_spec_init(spec);
	spec->name = xstrdup("machine");
	spec->memory = 256 * MIB;
	spec->vcpus = 1;
	spec->on_reboot = SPEC_RESTART;
	r = args_all(argc, argv, &(struct args){ spec, opt }, err);
	if (r == 0)
		r = args_defaults(spec, opt, err);
	spec->max_vcpus = spec->vcpus;
	return r;
}
