/*
 * daemon/priv.h -- between main, which may do nothing, and priv, which does
 * what only root can.
 *
 * One message is an op number followed by exactly that op's struct; one
 * message comes back.  Both cross a SOCK_SEQPACKET pair, descriptors as
 * ancillary data.  There are PRIV_CHANNELS such pairs, each served by a thread
 * of priv's, so that an open that hangs (a dead NFS server) holds up one call
 * and not the daemon.
 */
#ifndef DAEMON_PRIV_H
#define DAEMON_PRIV_H

#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "daemon/polkit_keeper.h"
#include "network/net/bridge.h"
#include "network/net/direct.h"
#include "network/net/filter.h"
#include "network/net/plan.h"

struct error;

enum { PRIV_CHANNELS = 8, PRIV_FDS_MAX = 2, PRIV_UUID_LEN = 16 };

enum priv_op {
	PRIV_OPEN_DISK,
	PRIV_OPEN_FILE,
	PRIV_OPEN_LOG,
	PRIV_FILE_BEGIN,
	PRIV_FILE_END,
	PRIV_FILE_REMOVE,
	PRIV_OPEN_KVM,
	PRIV_OPEN_USERFAULT,
	PRIV_OPEN_MEMORY,
	PRIV_OPEN_TAP,
	PRIV_REMOVE_TAP,
	PRIV_TAP_STATS,
	PRIV_OPEN_VHOST_NET,
	PRIV_OPEN_VSOCK,
	PRIV_CONNECT_VSOCK,
	PRIV_START_FS,
	PRIV_OPEN_PTY,
	PRIV_OPEN_TTY,
	PRIV_LISTEN_UNIX,
	PRIV_CONNECT_UNIX,
	PRIV_LISTEN_TCP,
	PRIV_CONNECT_TCP,
	PRIV_PROBE_KVM,
	PRIV_SPAWN_VMM,
	PRIV_CONNECT_VMM,
	PRIV_VMM_STATUS,
	PRIV_KILL_VMM,
	PRIV_FORGET_VMM,
	PRIV_SPAWN_TPM,
	PRIV_FORGET_TPM,
	PRIV_PIN_VMM,
	PRIV_MEMLOCK_VMM,
	PRIV_LIMIT_VMM,
	PRIV_VMM_WAITS,
	PRIV_PCI_LIST,
	PRIV_PCI_INFO,
	PRIV_PCI_DETACH,
	PRIV_PCI_REATTACH,
	PRIV_PCI_RESET,
	PRIV_OPEN_VFIO,
	PRIV_SET_VF,
	PRIV_LIST_DIR,
	PRIV_MAKE_DIR,
	PRIV_REMOVE_DIR,
	PRIV_CREATE_VOLUME,
	PRIV_RUN_TOOL,
	PRIV_RUN_HOOK,
	PRIV_NET_UP,
	PRIV_NET_DOWN,
	PRIV_NET_RESTORE,
	PRIV_NET_WATCH,
	PRIV_NET_VIEW,
	PRIV_NET_PORT,
	PRIV_SET_RATES,
	PRIV_OPEN_DIRECT,
	PRIV_REMOVE_DIRECT,
	PRIV_NET_FILE,
	PRIV_NET_LEASES,
	PRIV_NET_FORGET,
	PRIV_START_DNSMASQ,
	PRIV_STOP_DNSMASQ,
	PRIV_RELOAD_DNSMASQ,
	PRIV_FILTER_SET,
	PRIV_FILTER_REMOVE,
	PRIV_READY,
	PRIV_OPS,
};

/* Flags of PRIV_OPEN_DISK, PRIV_OPEN_LOG and PRIV_FILE_END. */
enum { PRIV_READONLY = 1, PRIV_BLOCK = 2, PRIV_APPEND = 4, PRIV_KEEP = 8 };

/* Flags of PRIV_START_FS: what virtiofsd is told. */
enum { PRIV_FS_XATTR = 1, PRIV_FS_FLOCK = 2, PRIV_FS_POSIX_LOCK = 4,
       PRIV_FS_CHROOT = 8, PRIV_FS_CACHE_NONE = 16,
       PRIV_FS_CACHE_ALWAYS = 32 };

struct priv_path {
	uint32_t flags;
	char path[PATH_MAX];
};

struct priv_tap {
	char ifname[16];
	char bridge[16]; /* "": none */
	uint8_t mac[6];
	uint8_t existing;
	uint8_t multi; /* one of several queues */
	uint32_t mtu;
};

struct priv_ifname {
	char ifname[16];
};

struct priv_vmm {
	uint8_t uuid[PRIV_UUID_LEN];
	char name[256];
	uint8_t vnc; /* will have a VNC server */
};

/* Where threads of a machine run: those of this name, or "": all but vCPUs'. */
struct priv_pin {
	uint8_t uuid[PRIV_UUID_LEN];
	char thread[16];
	uint8_t has_cpus, has_policy;
	uint8_t unused[6];
	uint32_t policy, priority; /* sched_setscheduler(2) */
	uint64_t cpus[64];
};

/* How long threads of vCPUs, from the first on, waited for a CPU of the
 * host's; the reply's text is that. */
enum { PRIV_WAITS_MAX = 64 };
struct priv_waits_of {
	uint8_t uuid[PRIV_UUID_LEN];
	uint32_t first;
};
struct priv_waits {
	uint64_t ns[PRIV_WAITS_MAX];
};

/* 0: as it is.  Microseconds; bytes. */
struct priv_limits {
	uint8_t uuid[PRIV_UUID_LEN];
	uint32_t shares, io_weight;
	uint32_t period, global_period, emulator_period, unused;
	int64_t quota, global_quota, emulator_quota; /* -1: none */
	uint64_t mem_hard, mem_soft, mem_swap;
};

/* An address of 4 or 16 bytes, and ports of which the first free one is it. */
struct priv_tcp {
	uint8_t address[16];
	uint8_t is_v6;
	uint8_t unused;
	uint16_t first, last;
};

/* number: the guest's address, 0: a free one; or the host's port. */
struct priv_vsock {
	uint8_t uuid[PRIV_UUID_LEN];
	uint32_t number;
};

struct priv_host {
	char host[256]; /* a name or numeric address */
	uint32_t port;
};

/* A PCI function of the host's; what and start: PRIV_PCI_LIST. */
enum { PRIV_PCI_ALL, PRIV_PCI_GROUP, PRIV_PCI_VFS };
struct priv_pci {
	uint32_t domain, bus, slot, function;
	uint32_t what, start;
};

/* What a virtual function of a network card has from its physical one. */
struct priv_vf {
	struct priv_pci pci;
	uint8_t mac[6];
	uint8_t set_mac, set_vlan;
	uint32_t vlan; /* 0: none */
};

/* What is made for a storage pool; ids of -1: ours. */
struct priv_volume {
	uint32_t mode;
	uint32_t mode_given; /* also for what is there already */
	int32_t uid, gid;
	char path[PATH_MAX];
};

/* A command (enum pool_tool); args: each with its zero, then one more. */
struct priv_tool {
	uint32_t tool;
	uint32_t only_look; /* whether it is installed */
	char args[4096];
};

/* The index-th of a kind's scripts, and its arguments; a socket comes back. */
struct priv_hook {
	uint32_t index;
	char kind[16], object[256], op[32], sub_op[32], extra[256];
};
/* What the socket ends with, once all input has been written to it. */
struct priv_hook_end {
	int32_t status; /* as waitpid() has it */
	char said[400];
};

/* Whole lines for one of the files that a network's dnsmasq reads. */
enum { PRIV_NET_CONF, PRIV_NET_HOSTS, PRIV_NET_NAMES, PRIV_NET_FILES };
struct priv_net_file {
	uint8_t uuid[PRIV_UUID_LEN];
	uint32_t what;
	uint32_t first; /* the file begins with them */
	char text[4096];
};

struct priv_net {
	uint8_t uuid[PRIV_UUID_LEN];
	char bridge[16];
};

struct priv_rates {
	char ifname[16];
	struct plan_rates rates;
};

/* Some of a port's rules; with the last of them they are put in force. */
enum { PRIV_FILTER_RULES = 6 };
struct priv_filter {
	char port[FILTER_PORT];
	uint8_t first, last;
	uint8_t restore; /* only if any are missing: the reply's pid is 1 */
	uint8_t unused;
	uint32_t n;
	struct filter_rule rules[PRIV_FILTER_RULES];
};

struct priv_none {
	uint32_t zero;
};

struct priv_request {
	uint32_t op;
	union {
		struct priv_path path;
		struct priv_tap tap;
		struct priv_ifname ifname;
		struct priv_tcp tcp;
		struct priv_host host;
		struct priv_vmm vmm;
		struct priv_vsock vsock;
		struct priv_pin pin;
		struct priv_limits limits;
		struct priv_waits_of waits_of;
		struct priv_pci pci;
		struct priv_vf vf;
		struct priv_volume volume;
		struct priv_tool tool;
		struct priv_hook hook;
		struct net_plan plan;
		struct bridge_port port;
		struct direct_plan direct;
		struct priv_net net;
		struct priv_rates rates;
		struct priv_net_file net_file;
		struct priv_filter filter;
		struct priv_none none;
	};
};

struct priv_reply {
	int32_t errnum; /* 0 or -errno */
	int32_t code;	/* virErrorNumber or 0 */
	int32_t pid; /* or a port, or whether something was done */
	char text[600]; /* the sentence, or what the op returns */
};

/* What priv knows; set up once, before its threads start. */
struct priv {
	int channels[PRIV_CHANNELS];
	pid_t main_pid;
	uid_t main_uid;
	bool session; /* not root: guests run under our own uid */
	uid_t vmm_uid_base;
	unsigned int vmm_uids;
	const char *run_dir;
	int vmm_dir;	  /* RUN/vmm */
	int vmm_exe;	  /* O_PATH */
	int vnc_module;	  /* of vireo-vmm's; -1: there is none */
	const char *state_dir;
	const char *memory_dir;
	const char *hook_dir; /* NULL: there are no scripts */
	int tpm_dir;	  /* STATE/tpm */
	int tpm_exe;	  /* O_PATH; -1: there is no swtpm */
	int net_dir;	  /* STATE/net */
	struct polkit_keeper polkit; /* the first thread's */
	int lock_fd;	  /* gets our pid when main is ready */
	pthread_mutex_t spawn_lock; /* one uid, one machine */
};

/*
 * Serves main until it ends, and returns this process's exit status.  A main
 * that was killed takes priv along at once: what would restart the pair
 * (systemd) sees one daemon.
 */
int priv_run(struct priv *priv);

/* ---- the operations, one file per group ---- */

/*
 * arg: the op's struct, of the right length, its string terminated.  fds are
 * closed by the caller once sent.  Fills err when it fails.
 */
typedef int priv_fn(struct priv *priv, const void *arg,
		    struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		    struct error *err);

/* priv_open.c: what lies in the file system */
priv_fn priv_open_disk, priv_open_file, priv_open_log, priv_open_kvm,
	priv_open_userfault, priv_open_memory;
/* priv_file.c: files that take their name when they are complete */
priv_fn priv_file_begin, priv_file_end, priv_file_remove;
/* priv_chr.c: what guests' character devices connect to */
priv_fn priv_open_pty, priv_open_tty, priv_listen_unix, priv_connect_unix;
/* priv_net.c */
priv_fn priv_open_tap, priv_remove_tap, priv_listen_tcp, priv_connect_tcp;
priv_fn priv_tap_stats, priv_open_vhost_net;
/* priv_vsock.c: guests' AF_VSOCK */
priv_fn priv_open_vsock, priv_connect_vsock;
void priv_forget_vsock(struct priv *priv, const uint8_t uuid[PRIV_UUID_LEN]);
/* priv_fs.c: virtiofsd */
priv_fn priv_start_fs;
/* priv_vmm.c: machines */
priv_fn priv_spawn_vmm, priv_connect_vmm, priv_vmm_status, priv_kill_vmm,
	priv_forget_vmm;
/* priv_tpm.c: TPMs, a process each */
priv_fn priv_spawn_tpm, priv_forget_tpm;
/* priv_tune.c, priv_cgroup.c: what machines get of the host */
priv_fn priv_pin_vmm, priv_memlock_vmm, priv_limit_vmm, priv_vmm_waits;
/* priv_pci.c, priv_vf.c: the host's PCI functions */
priv_fn priv_pci_list, priv_pci_info, priv_pci_detach, priv_pci_reattach,
	priv_pci_reset, priv_open_vfio, priv_set_vf;
/* priv_pool.c, priv_tool.c: storage pools */
priv_fn priv_list_dir, priv_make_dir, priv_remove_dir, priv_create_volume,
	priv_run_tool;
/* priv_hook.c: the administrator's scripts */
priv_fn priv_run_hook;
/* priv_network.c: networks; priv_dnsmasq.c: who gives their addresses */
priv_fn priv_filter_set, priv_filter_remove; /* priv_filter.c */
priv_fn priv_net_up, priv_net_down, priv_net_view, priv_net_port;
priv_fn priv_net_restore, priv_net_watch, priv_set_rates;
priv_fn priv_open_direct, priv_remove_direct; /* priv_direct.c */
priv_fn priv_net_file, priv_net_leases, priv_net_forget, priv_start_dnsmasq,
	priv_stop_dnsmasq, priv_reload_dnsmasq;
/* priv_probe.c */
priv_fn priv_probe_kvm;

/* ---- what they share ---- */

/* priv_vmm.c: a pidfd of a machine's process, or -ESRCH. */
int priv_find_vmm(struct priv *priv, const uint8_t uuid[PRIV_UUID_LEN],
		  pid_t *ret_pid);
/* The same for a process whose pid is recorded in a folder; recording it. */
int priv_process_find(int dir, pid_t *ret_pid);
int priv_process_record(int dir, pid_t pid);
/* priv_cgroup.c: the machine is gone. */
void priv_forget_limits(const uint8_t uuid[PRIV_UUID_LEN]);

/*
 * priv_path.c: an O_PATH descriptor of what an absolute path names.  Symbolic
 * links are followed only when root (or we) own them; nothing on a kernel
 * file system (/proc, /sys, ...) is reached.  The error names the component
 * that refuses.
 */
int priv_resolve(const char *path, int *ret_fd, struct error *err);
/* The same of the path's folder; *ret_name is the rest, inside path. */
int priv_resolve_parent(const char *path, int *ret_dir, const char **ret_name,
			struct error *err);
/* Of folders that belong to one domain. */
void priv_uuid_text(const uint8_t uuid[PRIV_UUID_LEN], char ret_text[37]);
/* Opens what an O_PATH descriptor stands for. */
int priv_reopen(int path_fd, int flags);
/* A Unix socket's address for a name in dir, however long dir's path is. */
struct sockaddr_un;
int priv_unix_address(int dir, const char *name, struct sockaddr_un *ret_addr);

/* priv_vmm.c: a uid that no machine and no TPM has; with spawn_lock held. */
int priv_choose_uid(struct priv *priv, uid_t *ret_uid, struct error *err);
/* priv_tpm.c */
bool priv_tpm_has_uid(struct priv *priv, uid_t uid);

/*
 * priv_root.c: gives the calling process, which has a mount namespace of its
 * own, a root with /usr and a folder, state; only system calls.
 */
#define PRIV_ROOT_STATE "/state"
int priv_enter_root(const char *state_path, const struct stat *state);

/*
 * priv_spawn.c: starts a program, vireo-vmm if it has no name.  keep: descriptors that it
 * gets as 3, 4, ...; output: its standard output and error, -1: none.  It runs
 * as uid (not in session mode) in namespaces of its own and has nothing else.
 */
struct spawn {
	int exe;
	const char *name; /* for errors; NULL: "vireo-vmm" */
	uid_t uid;
	bool session;
	char *const *argv;
	const int *keep;
	unsigned int n_keep;
	int output;
	bool host_net; /* it has the host's network */
	uint32_t caps; /* capabilities that it keeps, of the first 32 */
	const char *mount_at; /* where it finds the folder mount_path */
	const char *mount_path; /* which is the one of state; no state_path */
	int record_in; /* > 0: a folder that gets its pid before it runs */
	const char *state_path; /* its root has only this and /usr; NULL: no */
	struct stat state;
	bool namespaces; /* out: it has its own */
};
int priv_spawn(struct spawn *s, int *ret_pidfd, pid_t *ret_pid,
	       struct error *err);
/*
 * Takes the file system away from a spawned process that has loaded its
 * libraries: its root becomes an empty, read-only one.
 */
int priv_seal(const struct spawn *s, int pidfd, const char *mount_point,
	      struct error *err);

#endif
