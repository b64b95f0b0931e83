/*
 * drivers/driver.h -- what a hypervisor driver offers the daemon, and what the
 * daemon offers a driver.
 *
 * The daemon includes nothing else from drivers/.  Rules every driver may
 * rely on: calls arrive on a worker thread with the domain's job held, never
 * concurrently for one domain; a NULL op means "not supported" and is
 * answered by the dispatcher, so drivers have no empty ones.  All ops return 0
 * or -errno and fill *err with one sentence for the user.
 */
#ifndef DRIVERS_DRIVER_H
#define DRIVERS_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libvirt/libvirt.h>

#include "cpu/cpuid.h"
#include "model/domain.h"

struct error;

/* What of a domain a driver sees; the daemon's object embeds it. */
struct domain {
	uint8_t uuid[UUID_LEN];
	char *name;
	int id;			 /* while running */
	struct domain_def *live; /* this run's definition: the driver fills in
				    pty paths, tap names, aliases */
	void *priv;		 /* the driver's, from start or reconnect
				    until stop(STOP_FORCE) */
};

struct host_caps {
	bool usable;	    /* false: why says so, and the remedy */
	char why[512];
	unsigned int max_vcpus;
	/* Words for capabilities and domain capabilities. */
	const char *const *machines; /* NULL-terminated */
	struct x86_cpuid cpuid; /* what a guest's CPU can have at most */
	bool any_vendor;	/* models of other makers say so */
	const char *emulator; /* path; NULL: the daemon's own vireo-vmm */
};

/* A saved guest: an open file, and where in it the driver's part is. */
struct domain_saved {
	int fd;
	uint64_t offset; /* a multiple of 4 KiB */
	bool incoming;	 /* none of these: it comes by receive() */
	bool postcopy;	 /* and its memory may follow it */
	bool zstd;	 /* to be written compressed */
};

/* How a guest is sent to another host; 0: as the driver likes. */
struct domain_migration {
	uint64_t bandwidth; /* bytes a second, 0: no limit */
	uint64_t downtime_ns;
	bool zstd, auto_converge;
	unsigned int throttle_first, throttle_step; /* percent */
	bool carried; /* the stream ends here, not in the other machine */
	bool now; /* pause the guest and finish, whatever is left */
	bool postcopy; /* the last stream is for memory that follows */
	bool postcopy_now; /* let the guest go, and its memory follow */
	uint64_t postcopy_bandwidth;
};
enum { DOMAIN_HANDOVER_MAX = 16, DOMAIN_STREAMS_MAX = 16 };

/* How far a save or a migration is; what is not known is 0. */
struct domain_progress {
	uint64_t elapsed_ns;
	uint64_t total, done, written; /* bytes of memory; bytes sent */
	uint64_t zero, normal;	       /* pages */
	uint64_t remaining, iterations, dirty_rate, bps;
	uint64_t downtime_ns, throttle;
};

/*
 * Work on a disk's images (vmm/blockjob.h says which there is).  Layers are
 * counted from the disk's own image, 0.
 */
enum domain_blockjob_kind { DOMAIN_BLOCKJOB_PULL, DOMAIN_BLOCKJOB_COMMIT,
			    DOMAIN_BLOCKJOB_COPY, DOMAIN_BLOCKJOB_ACTIVE,
			    DOMAIN_BLOCKJOB_BACKUP, DOMAIN_BLOCKJOB_EXPORT,
			    DOMAIN_BLOCKJOB_KINDS };
enum domain_blockjob_state { DOMAIN_BLOCKJOB_RUNNING, DOMAIN_BLOCKJOB_READY,
			     DOMAIN_BLOCKJOB_COMPLETED, DOMAIN_BLOCKJOB_FAILED,
			     DOMAIN_BLOCKJOB_CANCELED, DOMAIN_BLOCKJOB_STATES };
struct dom_layer;
struct domain_blockjob {
	enum domain_blockjob_kind kind;
	const struct dom_disk *after;	/* the disk as it will be */
	unsigned int top, bottom;
	/* A commit's: what it is written into, and what is based on the upmost
	 * that goes, unless that is the disk's own (NULL). */
	const struct dom_layer *into, *above;
	const struct dom_layer *backing; /* what is above names; NULL: none */
	bool synchronous;
	uint64_t speed; /* bytes a second; 0: no limit */
	const char *export; /* its name for NBD clients */
	/* Only what is dirty in that bitmap; an export: clients are told what
	 * is, by the name of context. */
	const char *bitmap, *context;
};
struct domain_blockjob_info {
	enum domain_blockjob_kind kind;
	enum domain_blockjob_state state;
	uint64_t current, end, speed;
	char error[256];
};
enum domain_blockjob_what { DOMAIN_BLOCKJOB_PIVOT, DOMAIN_BLOCKJOB_ABORT,
			    DOMAIN_BLOCKJOB_SPEED, DOMAIN_BLOCKJOB_FORGET };

/* Bits for tune(). */
enum domain_tune { DOMAIN_TUNE_PINS = 1, DOMAIN_TUNE_LIMITS = 2,
		   DOMAIN_TUNE_NUMA = 4, DOMAIN_TUNE_DISKS = 8,
		   DOMAIN_TUNE_ACTIONS = 16, DOMAIN_TUNE_NICS = 32 };

enum stop_how { STOP_REQUEST, STOP_FORCE };

struct domain_disk_stats {
	char id[64];
	uint64_t rd_req, rd_bytes, rd_ns, wr_req, wr_bytes, wr_ns, flush_req,
		flush_ns;
	uint64_t capacity, allocation, physical; /* bytes; 0: no medium */
};

struct domain_nic_stats {
	char id[64];
	uint64_t rx_bytes, rx_packets, rx_drop, tx_bytes, tx_packets, tx_drop;
};

/* What an engine counts: "instructions", "tlb_misses", ... */
struct domain_counter {
	char name[32];
	uint64_t value;
};

struct domain_stats {
	unsigned int n_vcpus, n_disks, n_nics, n_counters;
	uint64_t *vcpu_ns; /* freed with domain_stats_finish() */
	uint64_t *vcpu_wait_ns; /* ... as this; NULL: it is not known */
	struct domain_disk_stats *disks;
	struct domain_nic_stats *nics;
	struct domain_counter *counters;
	uint64_t cpu_ns; /* all vCPUs */
	uint64_t user_ns, system_ns; /* the whole process; 0: not known */
	uint64_t balloon_bytes;
	struct domain_dirty_rate {
		unsigned int status; /* virDomainDirtyRateStatus */
		unsigned int seconds;
		bool log;
		uint64_t start, bytes_per_second;
	} dirty_rate;
	/* As virDomainMemoryStatTags counts and measures; bits: which. */
	unsigned int memory_has;
	uint64_t memory[VIR_DOMAIN_MEMORY_STAT_NR];
};
void domain_stats_finish(struct domain_stats *stats);

struct driver {
	const char *name;	/* for logs and capabilities: "kvm" */
	const enum dom_virt *virt_types; /* <domain type=...>; ends with -1 */
	int priority; /* highest usable one takes type='vireo' */

	/* Once, at daemon start.  Always fills ret_caps. */
	int (*probe)(struct host_caps *ret_caps, struct error *err);

	/* Before a definition is accepted; no side effects. */
	int (*check)(const struct domain_def *def, struct error *err);

	/*
	 * Lifecycle.  start() goes on with a saved guest when 'from' is not
	 * NULL; the guest is left paused when asked.  When start() fails it has
	 * undone everything.
	 *
	 * stop(STOP_FORCE) ends a run in every case: the daemon also calls it
	 * after the driver's own DOMAIN_EVENT_STOPPED or _CRASHED, when there
	 * may be nothing left to kill.  When it returns 0 the driver has freed
	 * priv and sends no event about this run any more.
	 */
	int (*start)(struct domain *dom, const struct domain_saved *from,
		     bool paused, struct error *err);
	int (*stop)(struct domain *dom, enum stop_how how, struct error *err);
	int (*pause)(struct domain *dom, struct error *err);
	int (*resume)(struct domain *dom, struct error *err);
	int (*reset)(struct domain *dom, struct error *err);
	int (*reboot)(struct domain *dom, struct error *err);
	int (*nmi)(struct domain *dom, struct error *err);
	/* Of one that suspended itself to RAM; and whether it has: 1 or 0. */
	int (*wake)(struct domain *dom, struct error *err);
	int (*asleep)(struct domain *dom);
	/*
	 * Makes another op of this domain that hangs fail soon, by killing
	 * the VMM and nothing else.  The only op called while another runs.
	 */
	void (*interrupt)(struct domain *dom);
	/*
	 * Writes the guest to a file and returns when it is safe there.  The
	 * guest is paused by it, and stays so whether it failed or not.  fd can
	 * be read, written and sought.
	 */
	int (*save)(struct domain *dom, const struct domain_saved *to,
		    struct error *err);
	/*
	 * migrate() sends the guest through connected sockets, the first of
	 * which is the same on both sides, and returns when
	 * the other side has all of it; it is paused then.  receive() takes it
	 * into a machine that start() made for one that comes; not with the
	 * job held, and interrupt() ends it.  Then two machines have it:
	 * take() makes it the second one's, keep() the first one's; one of the
	 * two fails, keep() with -EPERM, or -EBUSY while it is not settled.
	 * Either may resume() then.  handover(): how it stands, in a word of
	 * vmm/handover.h; "" when there was no migration.  Post-copy: while
	 * memory follows the guest, the word is "copying" on both sides, or
	 * "broken" when it does not come any more, until recover() was called
	 * on both with the two ends of a stream.  follow_break(): the source
	 * stops sending.
	 */
	int (*migrate)(struct domain *dom, const int *fds, unsigned int n,
		       const struct domain_migration *how, struct error *err);
	int (*receive)(struct domain *dom, const int *fds, unsigned int n,
		       const struct domain_migration *how, struct error *err);
	int (*take)(struct domain *dom, struct error *err);
	int (*keep)(struct domain *dom, struct error *err);
	int (*handover)(struct domain *dom, char ret_word[DOMAIN_HANDOVER_MAX],
			struct error *err);
	int (*recover)(struct domain *dom, int fd, struct error *err);
	int (*follow_break)(struct domain *dom, struct error *err);
	/* Changes the migration that another thread is in. */
	int (*migrate_limits)(struct domain *dom,
			      const struct domain_migration *how,
			      struct error *err);
	/* The same as an ELF core file, and the guest goes on; live: it does
	 * all the time. */
	int (*dump)(struct domain *dom, int fd, bool live, struct error *err);
	/*
	 * About the save or migration that another thread is in: how far it is; and make it
	 * fail soon with -ECANCELED.  Never called outside of one.
	 */
	int (*job_progress)(struct domain *dom,
			    struct domain_progress *ret_progress,
			    struct error *err);
	int (*job_cancel)(struct domain *dom, struct error *err);

	/* Live changes and observation. */
	/*
	 * attach: next is dom->live with the device in it; the driver fills in
	 * what it chooses.  When it fails, nothing has changed.
	 * detach: asks the guest to let go of it.  When it has,
	 * DOMAIN_EVENT_DEVICE_REMOVED follows, maybe at once, maybe never.
	 */
	int (*attach)(struct domain *dom, struct domain_def *next,
		      struct device_ref dev, struct error *err);
	int (*detach)(struct domain *dom, const char *alias,
		      struct error *err);
	int (*set_link)(struct domain *dom, const char *alias, bool up,
			struct error *err);
	/* The guest shall use so much of a memory device; what it uses:
	 * DOMAIN_EVENT_MEMORY. */
	int (*set_memory)(struct domain *dom, const char *alias,
			  uint64_t bytes, struct error *err);
	/* Another medium in a CD-ROM drive: disk has its alias and source. */
	int (*change_medium)(struct domain *dom, const struct dom_disk *disk,
			     bool force, struct error *err);
	/* A disk (by alias) of so many bytes. */
	int (*resize_disk)(struct domain *dom, const char *alias,
			   uint64_t bytes, struct error *err);
	/*
	 * Disks whose images are others than in 'before' get those of
	 * dom->live, all at one moment; none if it fails.
	 */
	int (*switch_disks)(struct domain *dom, const struct domain_def *before,
			    struct error *err);
	/*
	 * Jobs on a disk's images, one a disk; DOMAIN_EVENT_BLOCKJOB when one
	 * is ready or over.  One that is over is known until it is forgotten.
	 * info: 1, or 0: there is none.
	 */
	int (*blockjob_begin)(struct domain *dom,
			      const struct domain_blockjob *job,
			      struct error *err);
	int (*blockjob_change)(struct domain *dom, const char *alias,
			       enum domain_blockjob_what what, uint64_t speed,
			       struct error *err);
	/* NBD clients of all exports, at a socket that listens. */
	int (*nbd_start)(struct domain *dom, int fd, struct error *err);
	int (*nbd_stop)(struct domain *dom, struct error *err);
	int (*blockjob_info)(struct domain *dom, const char *alias,
			     struct domain_blockjob_info *ret,
			     struct error *err);
	/*
	 * A dirty bitmap in the disk's image, marked from now on, or one gone.
	 * info: how many bytes are dirty; -ESTALE: there is none that can be
	 * relied on.
	 */
	int (*bitmap_change)(struct domain *dom, const char *alias,
			     const char *name, bool add, struct error *err);
	int (*bitmap_info)(struct domain *dom, const char *alias,
			   const char *name, uint64_t *ret_dirty,
			   struct error *err);
	/* Guest memory to fd; linear: as the first vCPU sees it. */
	int (*peek_memory)(struct domain *dom, uint64_t at, uint64_t len,
			   bool linear, int fd, struct error *err);
	int (*set_balloon)(struct domain *dom, uint64_t bytes,
			   struct error *err);
	int (*set_balloon_period)(struct domain *dom, unsigned int seconds,
				  struct error *err);
	/* Measures from now on; stats() tells.  log: every page counts. */
	int (*measure_dirty)(struct domain *dom, unsigned int seconds,
			     bool log, struct error *err);
	/*
	 * What 'want' says of the host's resources takes the place of what
	 * dom->live says: those that 'what' names.  dom->live is changed by
	 * the caller, afterwards.
	 */
	int (*tune)(struct domain *dom, const struct domain_def *want,
		    unsigned int what, struct error *err);
	/* So many vCPUs; how many there are when it returns.  The guest may
	 * give some back only later: DOMAIN_EVENT_VCPUS. */
	int (*set_vcpus)(struct domain *dom, unsigned int n,
			 unsigned int *ret_n, struct error *err);
	int (*stats)(struct domain *dom, struct domain_stats *ret_stats,
		     struct error *err);
	/* A descriptor for the named (or first) console; -1 index: first. */
	int (*open_console)(struct domain *dom, const char *alias, bool force,
			    int *ret_fd, struct error *err);

	/* Answers DOMAIN_EVENT_VSOCK. */
	int (*vsock_connect)(struct domain *dom, uint32_t port,
			     struct error *err);
	/* The same for a channel, by alias or by the guest's name for it; NULL:
	 * the first. */
	int (*open_channel)(struct domain *dom, const char *name, bool force,
			    int *ret_fd, struct error *err);

	/* Linux key codes, all down for hold_ms. */
	int (*send_keys)(struct domain *dom, const unsigned int *codes,
			 unsigned int n, unsigned int hold_ms,
			 struct error *err);
	/* The picture is written to fd as it is read there; its MIME type. */
	int (*screenshot)(struct domain *dom, int fd, char ret_mime[64],
			  struct error *err);
	/* fd: a client of the index-th <graphics>; stays the caller's. */
	int (*open_graphics)(struct domain *dom, unsigned int index, int fd,
			     bool trusted, struct error *err);
	/* dom->live has the new password already. */
	int (*set_graphics_password)(struct domain *dom, unsigned int index,
				     struct error *err);

	/*
	 * After a daemon restart: find the running VMM again.  0: attached,
	 * *ret_paused says in which state.  -ESRCH: it is gone, and *ret_why
	 * (static text or NULL) says how it ended: "poweroff", "crash", ...
	 */
	int (*reconnect)(struct domain *dom, bool *ret_paused,
			 const char **ret_why, struct error *err);
};

/* A driver module's one exported symbol: const struct driver vireo_driver. */
#define DRIVER_SYMBOL "vireo_driver"

/* ---- the daemon's side, for drivers ---- */

/*
 * The only way a driver tells the daemon that something happened; any
 * thread, never from inside an op of the same domain.  Returns at once: the
 * daemon acts later, with the domain's job held.
 */
enum domain_event {
	DOMAIN_EVENT_PAUSED,   /* by itself: I/O error, watchdog */
	DOMAIN_EVENT_RESUMED,
	DOMAIN_EVENT_REBOOTED,
	DOMAIN_EVENT_SHUTDOWN, /* the guest switched off; _STOPPED follows */
	DOMAIN_EVENT_STOPPED,  /* why: "poweroff", "reset", "quit" */
	DOMAIN_EVENT_CRASHED,  /* the guest, or its VMM died: why says */
	DOMAIN_EVENT_ASLEEP, /* it suspended itself to RAM */
	DOMAIN_EVENT_AWAKE,
	DOMAIN_EVENT_BALLOON,
	/* A viewer: why is "PHASE AUTH FAMILY NODE PORT FAMILY NODE PORT",
	 * the machine's address first; "-" for what a family has not. */
	DOMAIN_EVENT_GRAPHICS,
	DOMAIN_EVENT_TRAY, /* why: "open" or "close", a space, the alias */
	DOMAIN_EVENT_VCPUS, /* the guest gave some back; why: how many */
	DOMAIN_EVENT_RTC,   /* set by the guest; why: seconds ahead of UTC */
	DOMAIN_EVENT_WATCHDOG, /* expired; why: its action */
	DOMAIN_EVENT_DEVICE_REMOVED, /* why: its alias */
	DOMAIN_EVENT_DEVICE_KEPT, /* the guest will not let go of it */
	DOMAIN_EVENT_MEMORY, /* why: bytes in use, a space, the alias */
	DOMAIN_EVENT_VSOCK, /* it connects to the host; why: the port */
	/* The guest opened or closed a port; why as with a tray. */
	DOMAIN_EVENT_PORT,
	DOMAIN_EVENT_ITERATION, /* of a migration; why: which */
	DOMAIN_EVENT_HANDOVER, /* of a guest sent away; why: its word */
	DOMAIN_EVENT_BLOCKJOB, /* ready or over; why: the disk's alias */
};
enum { DOMAIN_WHY_MAX = 192 };
void domain_event(struct domain *dom, enum domain_event ev, const char *why);

/*
 * Things only the privileged process can do.  Each returns 0 or -errno with
 * err set; descriptors are close-on-exec and the caller's.
 */
struct host_tap {
	char ifname[16];    /* in: wanted name or ""; out: the name */
	const char *bridge; /* NULL: none */
	uint8_t mac[6];	    /* the guest's; the tap's own differs in byte 0 */
	unsigned int mtu;   /* 0: default */
	bool existing;	    /* use the named tap, do not make one */
	bool multi;	    /* one of several queues; the next: existing */
};

/* Counted by the interface: in comes from the guest, out goes to it. */
struct host_tap_stats {
	uint64_t in_bytes, in_packets, in_drop;
	uint64_t out_bytes, out_packets, out_drop;
};

int host_open_disk(const char *path, bool readonly, bool block,
		   struct error *err, int *ret_fd);
int host_open_file(const char *path, struct error *err, int *ret_fd);
/*
 * A new file that takes a name's place when it is complete: begin opens it
 * beside, for reading and writing; end gives it the name or drops it.
 */
int host_file_begin(const char *path, struct error *err, int *ret_fd);
int host_file_end(const char *path, bool keep, struct error *err);
int host_file_remove(const char *path, struct error *err);
int host_open_log(const char *path, bool append, struct error *err,
		  int *ret_fd); /* created 0600 when missing */
int host_open_kvm(struct error *err, int *ret_fd);
/* What tells of missing memory; needs Linux 6.1. */
int host_open_userfault(struct error *err, int *ret_fd);
/* An empty file for guest memory, in the folder that the daemon has for it. */
int host_open_memory(struct error *err, int *ret_fd);
/*
 * Whether KVM runs ordinary guests here, found out by one in a sandbox within
 * a few seconds ("vireo-vmm --probe-kvm --kvm-fd=N" prints "ok" or one
 * sentence).  ret_why is "" when it does; an error means it could not be tried.
 */
int host_probe_kvm(char *ret_why, size_t size, struct error *err);
int host_open_tap(struct host_tap *tap, struct error *err, int *ret_fd);
int host_tap_stats(const char *ifname, struct host_tap_stats *ret_stats);
/* Of a tap; what is not said of it is without limit. */
struct net_bandwidth;
int host_set_rates(const char *ifname, const struct net_bandwidth *bandwidth,
		   struct error *err);
/* What a tap that is a bridge's port may send and get. */
int host_set_port(const char *ifname, const struct net_vlan *vlan,
		  bool isolated, struct error *err);
/*
 * A macvtap on a device of the host's (tap->bridge is not used), which is that
 * domain's until it is removed or the domain's process is forgotten.
 */
int host_open_direct(const uint8_t owner[UUID_LEN], const char *dev,
		     const char *mode, struct host_tap *tap, struct error *err,
		     int *ret_fd);
void host_remove_direct(const uint8_t owner[UUID_LEN], const char *name);
int host_open_vhost_net(struct error *err, int *ret_fd);
/*
 * A guest's end of AF_VSOCK.  cid 0: a free one.  Where the host's kernel has
 * no vhost-vsock *ret_vhost is -1 and *ret_listen a Unix socket of the
 * domain's; beside it are those that host_connect_vsock() connects to.
 */
int host_open_vsock(const uint8_t uuid[UUID_LEN], uint32_t *cid,
		    struct error *err, int *ret_vhost, int *ret_listen);
int host_connect_vsock(const uint8_t uuid[UUID_LEN], uint32_t port,
		       struct error *err, int *ret_fd);
/* Starts virtiofsd for a folder; it ends with the connection. */
struct host_fs {
	const char *dir;
	bool xattr, flock, posix_lock, chroot, cache_none, cache_always;
};
int host_start_fs(const struct host_fs *fs, struct error *err, int *ret_fd);
int host_remove_tap(const char *ifname, struct error *err);
int host_open_pty(char ret_slave[64], struct error *err, int *ret_master);
int host_open_tty(const char *slave, struct error *err, int *ret_fd);
/* How VNC servers speak TLS, as the daemon was told. */
struct host_vnc_tls {
	bool anonymous, x509, verify; /* none of the first two: not at all */
	const char *dir; /* server-cert.pem, server-key.pem, ca-cert.pem */
};
const struct host_vnc_tls *host_vnc_tls(void);
int host_listen_unix(const char *path, struct error *err, int *ret_fd);
/* The first free port of first to last, on a numeric address. */
int host_listen_tcp(const char *address, unsigned int first,
		    unsigned int last, struct error *err,
		    unsigned int *ret_port, int *ret_fd);
int host_connect_unix(const char *path, struct error *err, int *ret_fd);
/* host: a name or numeric address. */
int host_connect_tcp(const char *host, unsigned int port, struct error *err,
		     int *ret_fd);

/*
 * Starts vireo-vmm sandboxed for this domain under a uid of its own.  The
 * connected control socket (vmm/control.h) comes back; the process outlives
 * both daemon processes.  host_connect_vmm() finds it again after a restart
 * (-ESRCH: gone), host_vmm_status() reads how it ended.  vnc: it will have a
 * VNC server.
 */
int host_spawn_vmm(const uint8_t uuid[UUID_LEN], const char *name, bool vnc,
		   struct error *err, int *ret_control, int *ret_pidfd,
		   int *ret_pid);
int host_connect_vmm(const uint8_t uuid[UUID_LEN], struct error *err,
		     int *ret_control, int *ret_pidfd, int *ret_pid);
int host_vmm_status(const uint8_t uuid[UUID_LEN], char ret_line[64]);
/* Where its threads run: those of this name; NULL: all but vCPUs'.  cpus may
 * be NULL; policy: SCHED_FIFO, ..., -1: as it is. */
struct cpuset;
int host_pin_vmm(const uint8_t uuid[UUID_LEN], const char *thread,
		 const struct cpuset *cpus, int policy, unsigned int priority,
		 struct error *err);
/* How long the threads of its vCPUs have waited for a CPU of the host's. */
int host_vmm_waits(const uint8_t uuid[UUID_LEN], unsigned int n,
		   uint64_t *ret_ns, struct error *err);
/*
 * PCI functions of the host's.  A guest can have what is bound to VFIO's
 * driver: detach does it, reattach gives it back to its own.
 */
struct host_pci {
	unsigned int domain, bus, slot, function;
};
struct host_pci_info {
	unsigned int vendor, device, class_code, total_vfs;
	int group, numa_node; /* -1: none */
	char driver[64];      /* "": none */
	bool is_vf;
	struct host_pci physical; /* of a virtual function */
	bool has_parent;
	struct host_pci parent; /* the bridge it is behind */
};
enum host_pci_list { HOST_PCI_ALL, HOST_PCI_GROUP, HOST_PCI_VFS };
/* All, or those in the function's group, or its virtual ones; caller frees. */
int host_pci_list(enum host_pci_list what, const struct host_pci *of,
		  struct host_pci **ret_list, unsigned int *ret_n,
		  struct error *err);
int host_pci_info(const struct host_pci *pci, struct host_pci_info *ret_info,
		  struct error *err);
int host_pci_detach(const struct host_pci *pci, struct error *err);
int host_pci_reattach(const struct host_pci *pci, struct error *err);
int host_pci_reset(const struct host_pci *pci, struct error *err);
/* Its group, and a new container. */
int host_open_vfio(const struct host_pci *pci, struct error *err,
		   unsigned int *ret_group, int *ret_group_fd,
		   int *ret_container_fd);
/* What a network card's virtual function has from its physical one. */
int host_set_vf(const struct host_pci *pci, const uint8_t mac[6],
		unsigned int vlan, struct error *err);

int host_memlock_vmm(const uint8_t uuid[UUID_LEN], struct error *err);
/* Its control groups: what of these the definition says. */
int host_limit_vmm(const uint8_t uuid[UUID_LEN], const struct dom_cputune *cpu,
		   const struct dom_memtune *mem,
		   const struct dom_blkiotune *io, struct error *err);
int host_kill_vmm(const uint8_t uuid[UUID_LEN], struct error *err);
/* A TPM, which ends when its sockets are closed; its state stays. */
int host_spawn_tpm(const uint8_t uuid[UUID_LEN], struct error *err,
		   int *ret_control, int *ret_data);
int host_forget_tpm(const uint8_t uuid[UUID_LEN], struct error *err);
void host_forget_vmm(const uint8_t uuid[UUID_LEN]); /* its run files */

/*
 * Calls fn(arg, events) on one thread of the daemon's when fd is readable or
 * hung up (that is said once), until host_unwatch(), which returns when no call
 * is running.
 */
struct host_watch;
struct host_watch *host_watch(int fd, void (*fn)(void *arg, uint32_t events),
			      void *arg);
void host_unwatch(struct host_watch *watch);

/* ---- drivers/launch.c: the ops shared by every driver that has a VMM ---- */
int launch_start(struct domain *dom, const char *engine,
		 const struct domain_saved *from, bool paused,
		 struct error *err);
int launch_stop(struct domain *dom, enum stop_how how, struct error *err);
int launch_pause(struct domain *dom, struct error *err);
int launch_resume(struct domain *dom, struct error *err);
int launch_reset(struct domain *dom, struct error *err);
int launch_reboot(struct domain *dom, struct error *err);
int launch_wake(struct domain *dom, struct error *err);
int launch_asleep(struct domain *dom);
int launch_nmi(struct domain *dom, struct error *err);
void launch_interrupt(struct domain *dom);
int launch_save(struct domain *dom, const struct domain_saved *to,
		struct error *err);
int launch_migrate(struct domain *dom, const int *fds, unsigned int n,
		   const struct domain_migration *how, struct error *err);
int launch_receive(struct domain *dom, const int *fds, unsigned int n,
		   const struct domain_migration *how, struct error *err);
int launch_recover(struct domain *dom, int fd, struct error *err);
int launch_follow_break(struct domain *dom, struct error *err);
int launch_take(struct domain *dom, struct error *err);
int launch_keep(struct domain *dom, struct error *err);
int launch_handover(struct domain *dom, char ret_word[DOMAIN_HANDOVER_MAX],
		    struct error *err);
int launch_migrate_limits(struct domain *dom,
			  const struct domain_migration *how,
			  struct error *err);
int launch_dump(struct domain *dom, int fd, bool live, struct error *err);
int launch_job_progress(struct domain *dom,
			struct domain_progress *ret_progress,
			struct error *err);
int launch_job_cancel(struct domain *dom, struct error *err);
int launch_change_medium(struct domain *dom, const struct dom_disk *disk,
			 bool force, struct error *err);
int launch_attach(struct domain *dom, struct domain_def *next,
		  struct device_ref dev, struct error *err);
int launch_detach(struct domain *dom, const char *alias, struct error *err);
int launch_set_link(struct domain *dom, const char *alias, bool up,
		    struct error *err);
int launch_resize_disk(struct domain *dom, const char *alias, uint64_t bytes,
		       struct error *err);
int launch_switch_disks(struct domain *dom, const struct domain_def *before,
			struct error *err);
int launch_blockjob_begin(struct domain *dom,
			  const struct domain_blockjob *job, struct error *err);
int launch_blockjob_change(struct domain *dom, const char *alias,
			   enum domain_blockjob_what what, uint64_t speed,
			   struct error *err);
int launch_blockjob_info(struct domain *dom, const char *alias,
			 struct domain_blockjob_info *ret, struct error *err);
int launch_bitmap_change(struct domain *dom, const char *alias,
			 const char *name, bool add, struct error *err);
int launch_bitmap_info(struct domain *dom, const char *alias,
		       const char *name, uint64_t *ret_dirty,
		       struct error *err);
int launch_nbd_start(struct domain *dom, int fd, struct error *err);
int launch_nbd_stop(struct domain *dom, struct error *err);
int launch_peek_memory(struct domain *dom, uint64_t at, uint64_t len,
		       bool linear, int fd, struct error *err);
int launch_set_memory(struct domain *dom, const char *alias, uint64_t bytes,
		      struct error *err);
int launch_set_balloon(struct domain *dom, uint64_t bytes, struct error *err);
int launch_measure_dirty(struct domain *dom, unsigned int seconds, bool log,
			 struct error *err);
int launch_set_balloon_period(struct domain *dom, unsigned int seconds,
			      struct error *err);
int launch_tune(struct domain *dom, const struct domain_def *want,
		unsigned int what, struct error *err);
int launch_set_vcpus(struct domain *dom, unsigned int n, unsigned int *ret_n,
		     struct error *err);
int launch_stats(struct domain *dom, struct domain_stats *ret_stats,
		 struct error *err);
int launch_open_console(struct domain *dom, const char *alias, bool force,
			int *ret_fd, struct error *err);
int launch_vsock_connect(struct domain *dom, uint32_t port,
			 struct error *err);
int launch_open_channel(struct domain *dom, const char *name, bool force,
			int *ret_fd, struct error *err);
int launch_send_keys(struct domain *dom, const unsigned int *codes,
		     unsigned int n, unsigned int hold_ms, struct error *err);
int launch_screenshot(struct domain *dom, int fd, char ret_mime[64],
		      struct error *err);
int launch_open_graphics(struct domain *dom, unsigned int index, int fd,
			 bool trusted, struct error *err);
int launch_set_graphics_password(struct domain *dom, unsigned int index,
				 struct error *err);
int launch_reconnect(struct domain *dom, bool *ret_paused,
		     const char **ret_why, struct error *err);
/* What any of our machines can run; each driver's check() starts with it. */
int launch_check(const struct domain_def *def, struct error *err);

#endif
