/*
 * cli/cmd-doctor.c -- what this host can do, line by line, with remedies.
 *
 * The daemon's word counts where it has one (whether KVM really runs guests is
 * in its capabilities); the rest is looked up here.  Needs no daemon.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "cli/output.h"

enum verdict { GOOD, LIMITED, BAD };

struct report {
	struct table *table;
	bool bad;
};

static const struct column columns[] = {
	{ "Check", "check", false },
	{ "Result", "result", false },
	{ "Detail or remedy", "detail", false },
};

static void add(struct report *r, const char *what, enum verdict v,
		const char *detail)
{
	static const char *const words[] = { "ok", "limited", "missing" };
	const char *cells[] = { what, words[v], detail };

	table_row(r->table, cells);
	if (v == BAD)
		r->bad = true;
}

static void check_cpu(struct report *r)
{
	unsigned int a = 1, b, c = 0, d;

	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	add(r, "SSE4.2 and AES", c & BIT(20) && c & BIT(25) ? GOOD : LIMITED,
	    c & BIT(25) ? "guests get the host's vector unit"
			: "guests are offered fewer CPU features");
}

static void check_kvm_node(struct report *r)
{
	_cleanup_close_ int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		add(r, "/dev/kvm", GOOD, "it opens");
	else if (errno == ENOENT)
		add(r, "/dev/kvm", LIMITED,
		    "not there: enable virtualization in the firmware and load "
		    "kvm_intel or kvm_amd; guests are emulated until then");
	else
		add(r, "/dev/kvm", LIMITED,
		    "it refuses this user: join the group kvm, or let the "
		    "daemon open it");
}

/* What the daemon's capabilities say of a driver that is not usable. */
static char *driver_reason(const char *caps, const char *driver)
{
	_cleanup_free_ char *name = xasprintf(" name='%s'", driver);
	const char *p = caps, *end;

	while (p && (p = strstr(p, "<vireo:driver"))) {
		end = strchr(p, '>');
		if (!end)
			return NULL;
		if (memmem(p, end - p, name, strlen(name)) && end[-1] != '/')
			return xstrndup(end + 1, strcspn(end + 1, "<"));
		p = end;
	}
	return NULL;
}

static void check_daemon(struct report *r, struct ctl *ctl)
{
	_cleanup_free_ char *caps = NULL, *why = NULL;

	ctl->muted = true;
	if (!ctl_connect(ctl)) {
		add(r, "vireod", BAD,
		    "no answer: start it (systemctl start vireod) or name its "
		    "socket with --connect");
		return;
	}
	add(r, "vireod", GOOD, "it answers");
	caps = virConnectGetCapabilities(ctl->conn);
	if (caps && strstr(caps, "<domain type='kvm'")) {
		add(r, "KVM guests", GOOD, "the daemon ran a test guest");
		return;
	}
	why = driver_reason(caps, "kvm");
	add(r, "KVM guests", LIMITED,
	    why ? why
		: "the daemon found KVM unusable: its log says why; guests are "
		  "emulated");
}

static void check_file(struct report *r, const char *what, const char *path,
		       const char *remedy)
{
	add(r, what, access(path, F_OK) == 0 ? GOOD : LIMITED,
	    access(path, F_OK) == 0 ? path : remedy);
}

static const struct {
	const char *what, *path, *remedy;
} files[] = {
	{ "SeaBIOS", "/usr/share/seabios/bios-256k.bin",
	  "apt install seabios, for guests that boot with a BIOS" },
	{ "OVMF", "/usr/share/OVMF/OVMF_CODE_4M.fd",
	  "apt install ovmf, for guests that boot with UEFI" },
	{ "dnsmasq", "/usr/sbin/dnsmasq",
	  "apt install dnsmasq-base, for DHCP and DNS on NAT networks" },
	{ "passt", "/usr/bin/passt",
	  "apt install passt, for networking without root" },
	{ "swtpm", "/usr/bin/swtpm", "apt install swtpm, for TPM devices" },
	{ "virtiofsd", "/usr/lib/qemu/virtiofsd",
	  "apt install virtiofsd, to share folders with guests" },
	{ "tap devices", "/dev/net/tun",
	  "modprobe tun, for guests with network cards" },
};

static void check_syscall(struct report *r, const char *what, long result,
			  const char *remedy)
{
	bool there = result >= 0 || errno != ENOSYS;

	add(r, what, there && errno != EPERM ? GOOD : LIMITED,
	    there && errno != EPERM ? "the kernel offers it" : remedy);
}

static void check_kernel(struct report *r)
{
	struct statfs fs;

	errno = 0;
	check_syscall(
		r, "io_uring", syscall(SYS_io_uring_setup, 0, NULL),
		"off: disks use threads (sysctl kernel.io_uring_disabled=0)");
	errno = 0;
	check_syscall(r, "memfd", syscall(SYS_memfd_create, NULL, 0),
		      "a kernel from 3.17 on is needed");
	errno = 0;
	check_syscall(r, "pidfd", syscall(SYS_pidfd_open, 0, 0),
		      "a kernel from 5.3 on is needed");
	add(r, "cgroup v2",
	    statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == 0x63677270
		    ? GOOD
		    : LIMITED,
	    fs.f_type == 0x63677270 ? "mounted"
				    : "not mounted at /sys/fs/cgroup: limits "
				      "use version 1 or nothing");
}

static int run_doctor(struct ctl *ctl, const struct args *args)
{
	struct report r = { .table = table_new(columns, ARRAY_SIZE(columns)) };

	(void)args;
	check_daemon(&r, ctl);
	check_kvm_node(&r);
	check_cpu(&r);
	check_kernel(&r);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		check_file(&r, files[i].what, files[i].path, files[i].remedy);
	table_print(r.table, ctl);
	return r.bad ? EXIT_FAILED : EXIT_OK;
}

const struct command family_doctor[] = {
	{
		.name = "doctor",
		.group = "vireo",
		.summary = "check what this host can do",
		.details = "Each line says what works, or what is missing and "
			   "how to "
			   "get it.",
		.local = true,
		.run = run_doctor,
	},
	{ NULL },
};
