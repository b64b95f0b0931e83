/*
 * vmm/args.c -- vireo-vmm's command line for running one machine directly.
 */
#include "vmm/run.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "vmm/spec.h"

enum option_id {
	OPT_ENGINE = 256, OPT_KERNEL, OPT_INITRD, OPT_APPEND, OPT_MEMORY,
	OPT_CPUS, OPT_CPU, OPT_SERIAL, OPT_DISK, OPT_TAP, OPT_RNG, OPT_BALLOON,
	OPT_CONSOLE, OPT_INPUT, OPT_VIDEO, OPT_VNC, OPT_PVPANIC, OPT_PVPANIC_PCI, OPT_WATCHDOG, OPT_DEBUG_EXIT,
	OPT_TEST_DEVICE, OPT_SAVE, OPT_RESTORE, OPT_TIMEOUT,
	OPT_NO_REBOOT, OPT_VERBOSE, OPT_SECCOMP_LOG, OPT_NO_SANDBOX, OPT_JIT_DUMP,
	OPT_PERF_MAP, OPT_MACHINE, OPT_FIRMWARE, OPT_NVRAM, OPT_SECURE_LOADER,
	OPT_DEBUGCON, OPT_BOOT_MENU, OPT_BOOT_STRICT, OPT_HELP,
};

static const struct option options[] = {
	{ "engine", required_argument, NULL, OPT_ENGINE },
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "initrd", required_argument, NULL, OPT_INITRD },
	{ "append", required_argument, NULL, OPT_APPEND },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "cpus", required_argument, NULL, OPT_CPUS },
	{ "cpu", required_argument, NULL, OPT_CPU },
	{ "serial", required_argument, NULL, OPT_SERIAL },
	{ "disk", required_argument, NULL, OPT_DISK },
	{ "tap", required_argument, NULL, OPT_TAP },
	{ "rng", no_argument, NULL, OPT_RNG },
	{ "balloon", no_argument, NULL, OPT_BALLOON },
	{ "console", required_argument, NULL, OPT_CONSOLE },
	{ "input", required_argument, NULL, OPT_INPUT },
	{ "video", required_argument, NULL, OPT_VIDEO },
	{ "vnc", required_argument, NULL, OPT_VNC },
	{ "pvpanic", no_argument, NULL, OPT_PVPANIC },
	{ "pvpanic-pci", no_argument, NULL, OPT_PVPANIC_PCI },
	{ "watchdog", required_argument, NULL, OPT_WATCHDOG },
	{ "debug-exit", no_argument, NULL, OPT_DEBUG_EXIT },
	{ "test-device", no_argument, NULL, OPT_TEST_DEVICE },
	{ "save", required_argument, NULL, OPT_SAVE },
	{ "restore", required_argument, NULL, OPT_RESTORE },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "no-reboot", no_argument, NULL, OPT_NO_REBOOT },
	{ "verbose", no_argument, NULL, OPT_VERBOSE },
	{ "seccomp-log", no_argument, NULL, OPT_SECCOMP_LOG },
	{ "no-sandbox", no_argument, NULL, OPT_NO_SANDBOX },
	{ "jit-dump", required_argument, NULL, OPT_JIT_DUMP },
	{ "perf-map", no_argument, NULL, OPT_PERF_MAP },
	{ "machine", required_argument, NULL, OPT_MACHINE },
	{ "firmware", required_argument, NULL, OPT_FIRMWARE },
	{ "nvram", required_argument, NULL, OPT_NVRAM },
	{ "secure-loader", no_argument, NULL, OPT_SECURE_LOADER },
	{ "debugcon", required_argument, NULL, OPT_DEBUGCON },
	{ "boot-menu", required_argument, NULL, OPT_BOOT_MENU },
	{ "boot-strict", no_argument, NULL, OPT_BOOT_STRICT },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

#define VGA_BIOS "/usr/share/seabios/vgabios-stdvga.bin"

static const char usage[] =
"Usage: vireo-vmm --kernel FILE [OPTION...]\n"
"       vireo-vmm --firmware FILE [OPTION...]\n"
"       vireo-vmm --control-fd N --status-fd N --log-fd N\n"
"\n"
"Runs one machine.  The second form is how the daemon starts it.\n"
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
"  --cpus N         default 1; SOCKETS:CORES:THREADS gives a topology\n"
"  --cpu MODEL[,+FEATURE|,-FEATURE...]  default host\n"
"  --serial WHERE   stdio (default), null, file:PATH or unix:PATH (a socket);\n"
"                   repeatable\n"
"  --console WHERE  the same, as a virtio console\n"
"  --disk PATH[,OPTION...]  raw image or block device; repeatable.  virtio,\n"
"                   sata, scsi, nvme; ro; cdrom (PATH may be empty);\n"
"                   serial=TEXT; boot=N, its place in firmware's order\n"
"  --tap NAME[,boot=N][,rom=FILE]  network card on an existing tap;\n"
"                   repeatable; rom: an option ROM to boot from it\n"
"  --input BUS-KIND ps2, usb or virtio; keyboard, mouse or (not ps2) tablet;\n"
"                   repeatable\n"
"  --video KIND[,rom=FILE]  vga, bochs; needs --vnc to be seen; rom: its BIOS\n"
"  --vnc PATH       serve the picture on a Unix socket\n"
"  --rng --balloon --pvpanic --pvpanic-pci  further devices\n"
"  --watchdog ACTION  an i6300esb; none, reset, shutdown, poweroff, inject-nmi\n"
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

static int set_cpus(struct vmm_spec *spec, char *text, struct error *err)
{
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

static int set_cpu(struct vmm_spec *spec, char *text, struct error *err)
{
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

static void place_disk(struct vmm_spec *spec, struct spec_disk *d)
{
	if (d->bus == SPEC_VIRTIO)
		return;
	d->controller = disk_controller(spec, d->bus)->index;
	for (unsigned int i = 0; i < spec->n_disks; i++)
		d->unit += spec->disks[i].bus == d->bus &&
			   spec->disks[i].controller == d->controller;
}

static int disk_option(struct spec_disk *d, const char *word,
		       struct error *err)
{
	static const char *const buses[] = {
		[SPEC_VIRTIO] = "virtio", [SPEC_SATA] = "sata",
		[SPEC_SCSI] = "scsi",	  [SPEC_NVME] = "nvme",
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
	else
		return error_set(err, -EINVAL, "--disk: unknown option '%s'",
				 word);
	return 0;
}

static int add_disk(struct vmm_spec *spec, char *text, struct error *err)
{
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
		free(d.serial);
		return r;
	}
	place_disk(spec, &d);
	d.format = xstrdup("raw");
	d.id = xasprintf("disk%u", spec->n_disks);
	spec->disks = xrealloc(spec->disks, spec->n_disks + 1,
			       sizeof(*spec->disks));
	spec->disks[spec->n_disks++] = d;
	return 0;
}

static int open_tap(const char *name, struct error *err)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd = open_arg("/dev/net/tun", O_RDWR | O_NONBLOCK, err);

	if (fd < 0)
		return fd;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) == 0)
		return fd;
	error_set(err, -errno, "cannot use tap '%s': %m", name);
	fd_close(fd);
	return err->errnum;
}

static int add_nic(struct vmm_spec *spec, char *text, struct error *err)
{
	struct spec_nic n = { .mac = { 0x52, 0x54, 0, 0x76, 0x72,
				       spec->n_nics + 1 },
			      .rom_fd = -1 };
	char *word;
	int r = 0;

	n.fd = open_tap(strsep(&text, ","), err);
	if (n.fd < 0)
		return n.fd;
	while (r == 0 && (word = strsep(&text, ","))) {
		if (str_startswith(word, "boot="))
			r = set_uint(&n.boot_index, "tap", word + 5, INT32_MAX,
				     err);
		else if (str_startswith(word, "rom="))
			r = set_open(&n.rom_fd, word + 4, O_RDONLY, err);
		else
			r = error_set(err, -EINVAL,
				      "--tap: unknown option '%s'", word);
	}
	if (r < 0) {
		fd_close(n.fd);
		fd_close(n.rom_fd);
		return r;
	}
	n.id = xasprintf("net%u", spec->n_nics);
	spec->nics = xrealloc(spec->nics, spec->n_nics + 1,
			      sizeof(*spec->nics));
	spec->nics[spec->n_nics++] = n;
	return 0;
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

static int add_input(struct vmm_spec *spec, const char *name,
		     struct error *err)
{
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
	if (input_names[i].bus == INPUT_BUS_USB && !spec->n_usbs) {
		spec->usbs = xcalloc(1, sizeof(*spec->usbs));
		spec->usbs[0].id = xstrdup("usb");
		spec->n_usbs = 1;
	}
	return 0;
}

static int add_video(struct vmm_spec *spec, char *text, struct error *err)
{
	static const char *const names[] = { "vga", "bochs" };
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
	spec->n_videos++;
	return 0;
}

static int add_vnc(struct vmm_spec *spec, const char *path, struct error *err)
{
	int fd = listen_unix(path, err);

	if (fd < 0)
		return fd;
	spec->vncs = xrealloc(spec->vncs, spec->n_vncs + 1,
			      sizeof(*spec->vncs));
	spec->vncs[spec->n_vncs++] = (struct spec_vnc){ .fd = fd };
	return 0;
}

static int open_perf_map(struct vmm_spec *spec, struct error *err)
{
	_cleanup_free_ char *path = xasprintf("/tmp/perf-%d.map", getpid());

	/* Never through a link: anybody may write to /tmp. */
	return set_open(&spec->perf_map_fd, path,
			O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, err);
}

static int set_memory(struct vmm_spec *spec, const char *text,
		      struct error *err)
{
	uint64_t mib;

	if (parse_u64(text, 10, 64 * 1024 * 1024, &mib) < 0 || !mib)
		return error_set(err, -EINVAL,
				 "--memory: '%s' is not a number of MiB",
				 text);
	spec->memory = mib * MIB;
	return 0;
}

static int set_watchdog(struct vmm_spec *spec, const char *text,
			struct error *err)
{
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

static int args_one(int id, struct vmm_spec *spec, struct run_options *opt,
		    struct error *err)
{
	bool ignored;

	switch (id) {
	case OPT_ENGINE:
		set_string(&spec->engine, optarg);
		return 0;
	case OPT_KERNEL:
		return set_open(&spec->kernel_fd, optarg, O_RDONLY, err);
	case OPT_INITRD:
		return set_open(&spec->initrd_fd, optarg, O_RDONLY, err);
	case OPT_APPEND:
		set_string(&spec->cmdline, optarg);
		return 0;
	case OPT_MEMORY:
		return set_memory(spec, optarg, err);
	case OPT_CPUS:
		return set_cpus(spec, optarg, err);
	case OPT_CPU:
		return set_cpu(spec, optarg, err);
	case OPT_SERIAL:
		return add_char(&spec->serials, &spec->n_serials, "serial",
				optarg, &opt->stdio, err);
	case OPT_CONSOLE:
		return add_char(&spec->consoles, &spec->n_consoles, "console",
				optarg, &ignored, err);
	case OPT_DISK:
		return add_disk(spec, optarg, err);
	case OPT_TAP:
		return add_nic(spec, optarg, err);
	case OPT_RNG:
		spec->rng = true;
		return 0;
	case OPT_BALLOON:
		spec->balloon = true;
		return 0;
	case OPT_INPUT:
		return add_input(spec, optarg, err);
	case OPT_VIDEO:
		return add_video(spec, optarg, err);
	case OPT_VNC:
		return add_vnc(spec, optarg, err);
	case OPT_PVPANIC:
		spec->pvpanic = true;
		return 0;
	case OPT_PVPANIC_PCI:
		spec->pvpanic_pci = true;
		return 0;
	case OPT_WATCHDOG:
		return set_watchdog(spec, optarg, err);
	case OPT_DEBUG_EXIT:
		spec->debug_exit = true;
		return 0;
	case OPT_TEST_DEVICE:
		spec->debug_exit = true;
		spec->test_device = true;
		return 0;
	case OPT_SAVE:
		return set_open(&opt->save_fd, optarg,
				O_RDWR | O_CREAT | O_TRUNC, err);
	case OPT_RESTORE:
		return set_open(&spec->restore_fd, optarg, O_RDONLY, err);
	case OPT_TIMEOUT:
		return set_uint(&opt->timeout, "timeout", optarg, 1000000,
				err);
	case OPT_NO_REBOOT:
		spec->on_reboot = SPEC_DESTROY;
		return 0;
	case OPT_VERBOSE:
		opt->verbose = true;
		return 0;
	case OPT_SECCOMP_LOG:
		opt->seccomp_log = true;
		return 0;
	case OPT_NO_SANDBOX:
		opt->no_sandbox = true;
		return 0;
	case OPT_JIT_DUMP:
		return set_open(&spec->jit_dump_fd, optarg,
				O_WRONLY | O_CREAT | O_TRUNC, err);
	case OPT_PERF_MAP:
		return open_perf_map(spec, err);
	case OPT_MACHINE:
		set_string(&spec->machine, optarg);
		return 0;
	case OPT_FIRMWARE:
		return set_open(&spec->firmware_fd, optarg, O_RDONLY, err);
	case OPT_NVRAM:
		return set_open(&spec->nvram_fd, optarg, O_RDWR, err);
	case OPT_SECURE_LOADER:
		spec->secure_loader = true;
		return 0;
	case OPT_DEBUGCON:
		return add_char(&spec->debugcons, &spec->n_debugcons,
				"debugcon", optarg, &ignored, err);
	case OPT_BOOT_MENU:
		spec->boot_menu = true;
		return set_uint(&spec->boot_menu_timeout, "boot-menu", optarg,
				UINT16_MAX, err);
	case OPT_BOOT_STRICT:
		spec->boot_strict = true;
		return 0;
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	}
	return error_set(err, -EINVAL, "see vireo-vmm --help");
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
	int id, r = 0;

	vmm_spec_init(spec);
	spec->name = xstrdup("machine");
	spec->memory = 256 * MIB;
	spec->vcpus = 1;
	spec->on_reboot = SPEC_RESTART;
	while (r == 0 && (id = getopt_long(argc, argv, "h", options, NULL)) !=
				 -1)
		r = args_one(id == 'h' ? OPT_HELP : id, spec, opt, err);
	if (r == 0 && optind < argc)
		r = error_set(err, -EINVAL, "unexpected argument '%s'",
			      argv[optind]);
	if (r == 0)
		r = args_defaults(spec, opt, err);
	spec->max_vcpus = spec->vcpus;
	return r;
}
