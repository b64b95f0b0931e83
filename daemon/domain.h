/*
 * daemon/domain.h -- the domain registry: what every procedure about domains
 * calls.
 *
 * A registry holds the domains of one URI path ("/system", "/test").  All
 * calls may come from any worker.  A call that changes one domain takes that
 * domain's job, so calls about one domain queue and others go on; a job not
 * had within its time ends in VIR_ERR_OPERATION_TIMEOUT.  Every accepted
 * change is in the store before the call returns.
 *
 * States, reasons, events and details are libvirt's numbers (virDomainState,
 * virDomainEventType, ...).
 */
#ifndef DAEMON_DOMAIN_H
#define DAEMON_DOMAIN_H

#include "drivers/driver.h"

struct registry;
struct store;
struct error;

/* A reference; identity fields never change while it is held, apart from
 * id, which is a snapshot. */
struct domain_ref {
	uint8_t uuid[UUID_LEN];
	char name[256];
	int id; /* -1: not running */
};

struct domain_info { /* as virDomainGetInfo, plus what else is cheap */
	int state, reason;
	uint64_t max_mem, memory; /* bytes */
	unsigned int vcpus, max_vcpus;
	uint64_t cpu_ns;
	bool active, persistent, updated, autostart, saved;
	int id;
};

/*
 * Before threads start and before the daemon gives up the file system: reads
 * what later calls need of the host (its boot, its processor).
 */
void registry_prepare(void);

/* path: "/system" or "/test"; opened once for each, at daemon start.  store
 * NULL: one in memory, for "/test". */
int registry_open(const char *path, struct store *store,
		  struct registry **ret_reg, struct error *err);
/*
 * Finds running guests again, then starts what is marked autostart.  May run
 * while clients are served: what they ask about a guest waits until it is
 * found.
 */
void registry_reconnect(struct registry *reg);
void registry_close(struct registry *reg); /* guests stay */
struct registry *registry_find(const char *path);

int domain_lookup_name(struct registry *reg, const char *name,
		       struct domain_ref *ret, struct error *err);
int domain_lookup_uuid(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       struct domain_ref *ret, struct error *err);
int domain_lookup_id(struct registry *reg, int id, struct domain_ref *ret,
		     struct error *err);

/* flags: VIR_CONNECT_LIST_DOMAINS_*; caller frees *ret_refs; returns count. */
int domain_list(struct registry *reg, unsigned int flags,
		struct domain_ref **ret_refs, struct error *err);

/* flags: VIR_DOMAIN_DEFINE_*, VIR_DOMAIN_START_*, ...: libvirt's own; the
 * unknown ones are refused with VIR_ERR_INVALID_ARG naming the bits. */
int domain_define(struct registry *reg, const char *xml, unsigned int flags,
		  struct domain_ref *ret, struct error *err);
int domain_create_xml(struct registry *reg, const char *xml,
		      unsigned int flags, void *autodestroy_owner,
		      struct domain_ref *ret, struct error *err);
int domain_undefine(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    unsigned int flags, struct error *err);
int domain_create(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  unsigned int flags, void *autodestroy_owner,
		  struct error *err);
int domain_destroy(struct registry *reg, const uint8_t uuid[UUID_LEN],
		   unsigned int flags, struct error *err);
int domain_shutdown(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    unsigned int flags, struct error *err);
int domain_reboot(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  unsigned int flags, struct error *err);
int domain_reset(struct registry *reg, const uint8_t uuid[UUID_LEN],
		 unsigned int flags, struct error *err);
int domain_suspend(struct registry *reg, const uint8_t uuid[UUID_LEN],
		   struct error *err);
int domain_resume(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  struct error *err);
/* pm.c: through the guest's agent, and as the wake-up event of its board.
 * target: enum virNodeSuspendTarget. */
int domain_pm_suspend(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      unsigned int target, struct error *err);
int domain_pm_wakeup(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct error *err);
int domain_inject_nmi(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      unsigned int flags, struct error *err);
int domain_set_autostart(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 bool autostart, struct error *err);
/* Seconds between a balloon's statistics; 0: none. */
int domain_set_memory_stats_period(struct registry *reg,
				   const uint8_t uuid[UUID_LEN], int period,
				   unsigned int flags, struct error *err);
int domain_set_memory(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      uint64_t bytes, unsigned int flags, struct error *err);
/* daemon/attach.c.  flags: live, config or current; a detach waits some seconds
 * for the guest, and succeeds whether it has answered or not. */
int domain_attach_device(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 const char *xml, unsigned int flags,
			 struct error *err);
int domain_detach_device(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 const char *xml, unsigned int flags,
			 struct error *err);
int domain_detach_alias(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *alias, unsigned int flags,
			struct error *err);
/* Of what can change in a network card: its link. */
int domain_update_iface(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *xml, unsigned int flags,
			struct error *err);
/* Of a memory device: how much of it is requested. */
int domain_update_memory(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 const char *xml, unsigned int flags,
			 struct error *err);
/* Of what can change in a disk: the medium of a CD-ROM drive. */
int domain_update_disk(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       const char *xml, unsigned int flags,
		       struct error *err);
int domain_rename(struct registry *reg, const uint8_t uuid[UUID_LEN],
		  const char *name, unsigned int flags, struct error *err);
/* Metadata: type VIR_DOMAIN_METADATA_*; flags live/config/current. */
int domain_set_metadata(struct registry *reg, const uint8_t uuid[UUID_LEN],
			int type, const char *metadata, const char *key,
			const char *uri, unsigned int flags,
			struct error *err);
char *domain_get_metadata(struct registry *reg, const uint8_t uuid[UUID_LEN],
			  int type, const char *uri, unsigned int flags,
			  struct error *err);

int domain_get_info(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    struct domain_info *ret, struct error *err);
/* flags: VIR_DOMAIN_XML_*; NULL with err. */
char *domain_get_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     unsigned int flags, struct error *err);
/* The same from memory alone: processor time as last heard. */
int domain_peek_info(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct domain_info *ret, struct error *err);
/* log: every page that is written counts, otherwise some are looked at. */
int domain_measure_dirty(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 unsigned int seconds, bool log, struct error *err);
int domain_get_stats(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct domain_stats *ret, struct error *err);
/* The same, with -EBUSY for one that another call is about. */
int domain_try_stats(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct domain_stats *ret, struct error *err);
int domain_open_console(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *alias, unsigned int flags, int *ret_fd,
			struct error *err);
/* The same for a channel: flags VIR_DOMAIN_CHANNEL_FORCE. */
int domain_open_channel(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *name, unsigned int flags, int *ret_fd,
			struct error *err);
/* daemon/block.c.  A disk by its target or its source. */
struct domain_block_info {
	uint64_t allocation, capacity, physical; /* bytes */
};
int domain_block_info(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *path, unsigned int flags,
		      struct domain_block_info *ret, struct error *err);
/* Jobs on disks' images; daemon/blockjob.c. */
struct domain_block_job {
	int type; /* virDomainBlockJobType */
	uint64_t bandwidth, cur, end;
};
/* 1, or 0: there is none. */
int domain_block_job_info(struct registry *reg, const uint8_t uuid[UUID_LEN],
			  const char *path, unsigned int flags,
			  struct domain_block_job *ret, struct error *err);
int domain_block_job_speed(struct registry *reg, const uint8_t uuid[UUID_LEN],
			   const char *path, uint64_t bandwidth,
			   unsigned int flags, struct error *err);
int domain_block_job_abort(struct registry *reg, const uint8_t uuid[UUID_LEN],
			   const char *path, unsigned int flags,
			   struct error *err);
/* A backup of its disks; daemon/backup.c.  checkpoint: XML, NULL: none. */
int domain_backup_begin(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *xml, const char *checkpoint,
			unsigned int flags, struct error *err);
char *domain_backup_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
			unsigned int flags, struct error *err);
/* base: NULL: everything. */
int domain_block_pull(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *path, const char *base, uint64_t bandwidth,
		      unsigned int flags, struct error *err);
int domain_block_commit(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *path, const char *base, const char *top,
			uint64_t bandwidth, unsigned int flags,
			struct error *err);
struct domain_block_copy {
	const char *file, *format; /* format NULL: the disk's own */
	bool is_device;
	uint64_t speed; /* bytes a second */
};
int domain_block_copy(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *path, const struct domain_block_copy *copy,
		      unsigned int flags, struct error *err);
int domain_block_resize(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *path, uint64_t size, unsigned int flags,
			struct error *err);
int domain_block_peek(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      const char *path, uint64_t offset, void *to, size_t len,
		      unsigned int flags, struct error *err);
int domain_memory_peek(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       uint64_t at, void *to, size_t len, unsigned int flags,
		       struct error *err);
/* daemon/graphics.c.  Keys of one of libvirt's sets. */
int domain_send_keys(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     unsigned int set, unsigned int hold_ms,
		     const unsigned int *codes, unsigned int n,
		     unsigned int flags, struct error *err);
/* A descriptor to read the picture from. */
int domain_screenshot(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      unsigned int screen, unsigned int flags, int *ret_fd,
		      char ret_mime[64], struct error *err);
/* fd, a viewer's connection, stays the caller's; or one is made. */
int domain_open_graphics(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 unsigned int index, int fd, unsigned int flags,
			 struct error *err);
int domain_open_graphics_fd(struct registry *reg, const uint8_t uuid[UUID_LEN],
			    unsigned int index, unsigned int flags,
			    int *ret_fd, struct error *err);
int domain_update_graphics(struct registry *reg, const uint8_t uuid[UUID_LEN],
			   const struct dom_graphics *want, unsigned int flags,
			   struct error *err);
/* A copy of the definition (live: of the running one, if it runs). */
struct domain_def *domain_get_def(struct registry *reg,
				  const uint8_t uuid[UUID_LEN], bool live,
				  struct error *err);

/* Destroys what was created with START_AUTODESTROY by this owner. */
void domain_owner_gone(struct registry *reg, void *owner);

/*
 * Saving and going on.  flags: VIR_DOMAIN_SAVE_*; dxml: the definition to go on
 * with, or NULL.
 */
int domain_save(struct registry *reg, const uint8_t uuid[UUID_LEN],
		const char *path, const char *dxml, unsigned int flags,
		struct error *err);
int domain_restore(struct registry *reg, const char *path, const char *dxml,
		   unsigned int flags, struct error *err);
char *domain_save_image_xml(struct registry *reg, const char *path,
			    unsigned int flags, struct error *err);
int domain_save_image_define(struct registry *reg, const char *path,
			     const char *dxml, unsigned int flags,
			     struct error *err);
int domain_managed_save(struct registry *reg, const uint8_t uuid[UUID_LEN],
			unsigned int flags, struct error *err);
int domain_has_managed_save(struct registry *reg, const uint8_t uuid[UUID_LEN],
			    struct error *err); /* 1, 0 or -errno */
int domain_managed_save_remove(struct registry *reg,
			       const uint8_t uuid[UUID_LEN], struct error *err);
char *domain_managed_save_xml(struct registry *reg,
			      const uint8_t uuid[UUID_LEN], unsigned int flags,
			      struct error *err);
int domain_managed_save_define(struct registry *reg,
			       const uint8_t uuid[UUID_LEN], const char *dxml,
			       unsigned int flags, struct error *err);

/* Where saved guests go: what of it needs rights, and the folder of those that
 * the daemon keeps itself.  NULL: this registry saves nothing. */
struct save_files {
	int (*open)(const char *path, bool readonly, struct error *err,
		    int *ret_fd);
	int (*begin)(const char *path, struct error *err, int *ret_fd);
	int (*end)(const char *path, bool keep, struct error *err);
	int (*remove)(const char *path, struct error *err);
	int (*forget_tpm)(const uint8_t uuid[UUID_LEN], struct error *err);
	const char *dir;
	bool zstd; /* how guests are saved */
	const char *nvram_dir; /* of firmware's variables, as priv knows it */
};
void registry_set_files(struct registry *reg, const struct save_files *files);

/* The host's PCI functions, by priv.  NULL: this registry knows of none. */
struct host_pci_ops {
	int (*list)(enum host_pci_list what, const struct host_pci *of,
		    struct host_pci **ret_list, unsigned int *ret_n,
		    struct error *err);
	int (*info)(const struct host_pci *pci, struct host_pci_info *ret_info,
		    struct error *err);
	int (*detach)(const struct host_pci *pci, struct error *err);
	int (*reattach)(const struct host_pci *pci, struct error *err);
	int (*reset)(const struct host_pci *pci, struct error *err);
	int (*set_vf)(const struct host_pci *pci, const uint8_t mac[6],
		      unsigned int vlan, struct error *err);
};
void registry_set_host_pci(struct registry *reg,
			   const struct host_pci_ops *ops);

/*
 * Node devices, as libvirt calls them: nodedev.c.  Names, which the caller
 * frees, one by one and all; XML, NULL with err.
 */
int nodedev_list(struct registry *reg, const char *cap, char ***ret_names,
		 unsigned int *ret_n, struct error *err);
int nodedev_check(struct registry *reg, const char *name, struct error *err);
char *nodedev_parent(struct registry *reg, const char *name,
		     struct error *err);
char *nodedev_xml(struct registry *reg, const char *name, struct error *err);
int nodedev_detach(struct registry *reg, const char *name, const char *driver,
		   struct error *err);
int nodedev_reattach(struct registry *reg, const char *name,
		     struct error *err);
int nodedev_reset(struct registry *reg, const char *name, struct error *err);

/* What migration needs of the host.  NULL: nothing migrates here. */
struct migrate_net {
	int (*open_disk)(const char *path, bool readonly, bool block,
			 struct error *err, int *ret_fd);
	int (*connect_unix)(const char *path, struct error *err, int *ret_fd);
	int (*connect_tcp)(const char *host, unsigned int port,
			   struct error *err, int *ret_fd);
	int (*listen_unix)(const char *path, struct error *err, int *ret_fd);
	int (*listen_tcp)(const char *address, unsigned int first,
			  unsigned int last, struct error *err,
			  unsigned int *ret_port, int *ret_fd);
	int (*open_file)(const char *path, struct error *err, int *ret_fd);
	const char *tls_dir; /* keys and certificates */
	const char *run_dir; /* as priv knows it */
};
void registry_set_net(struct registry *reg, const struct migrate_net *net);

/* daemon/coredump.c: format VIR_DOMAIN_CORE_DUMP_FORMAT_*. */
int domain_core_dump(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     const char *path, unsigned int format, unsigned int flags,
		     struct error *err);

/* The job that takes long: a save, a migration. */
struct domain_job {
	int type;      /* virDomainJobType */
	int operation; /* virDomainJobOperation */
	bool of_disks; /* its progress: of memory otherwise */
	bool ended_badly;
	struct domain_progress progress;
};
/* completed: the last one that ended well; keep: it is asked for again. */
int domain_job_info(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    bool completed, bool keep, struct domain_job *ret_job,
		    struct error *err);
int domain_abort_job(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     unsigned int flags, struct error *err);

/*
 * One subscriber: the server.  Called on the thread where it happened, after
 * the change is stored and with no lock held; must not block.
 */
enum { DOMAIN_NOTIFY_LIFECYCLE, DOMAIN_NOTIFY_REBOOT, DOMAIN_NOTIFY_BALLOON,
       DOMAIN_NOTIFY_METADATA, DOMAIN_NOTIFY_WATCHDOG,
       DOMAIN_NOTIFY_GRAPHICS, DOMAIN_NOTIFY_TRAY, DOMAIN_NOTIFY_AGENT,
       DOMAIN_NOTIFY_ITERATION, DOMAIN_NOTIFY_JOB,
       DOMAIN_NOTIFY_DEVICE_ADDED, DOMAIN_NOTIFY_DEVICE_REMOVED,
       DOMAIN_NOTIFY_DEVICE_KEPT, DOMAIN_NOTIFY_RTC,
       DOMAIN_NOTIFY_MEMORY, DOMAIN_NOTIFY_BLOCK_JOB,
       DOMAIN_NOTIFY_BLOCK_JOB_2,
       DOMAIN_NOTIFY_ASLEEP, DOMAIN_NOTIFY_AWAKE,
       /* Of these, dom is a pool or a secret. */
       DOMAIN_NOTIFY_POOL, DOMAIN_NOTIFY_POOL_REFRESH,
       DOMAIN_NOTIFY_SECRET, DOMAIN_NOTIFY_SECRET_VALUE };
struct domain_notice {
	int kind;
	struct domain_ref dom;
	int event, detail; /* lifecycle; agent: detail is the reason; block
			      job: type and status */
	uint64_t value;	   /* balloon, KiB; watchdog, agent: libvirt's;
			      iteration */
	struct domain_job job; /* the one that ended */
	int type;	   /* metadata; secret: its usage's */
	const char *uri;   /* tray, device: the alias; secret: its usage;
			      block job: image or target */
	const char *viewer; /* graphics: as DOMAIN_EVENT_GRAPHICS has it */
};
/* The networks that this registry's domains can be in; NULL: none. */
struct networks;
void registry_set_networks(struct registry *reg, struct networks *nets);
struct networks *registry_networks(struct registry *reg);
/* The filters that its domains' ports can have; NULL: none. */
struct nwfilters;
void registry_set_nwfilters(struct registry *reg, struct nwfilters *filters);
struct nwfilters *registry_nwfilters(struct registry *reg);
/* Whether this is the first start since the host booted; before the domains
 * are reconnected. */
bool registry_booted(struct registry *reg);

void registry_subscribe(struct registry *reg,
			void (*fn)(void *arg, const struct domain_notice *n),
			void *arg);

/* drivers: what was loaded, for capabilities; NULL-terminated. */
struct loaded_driver {
	const struct driver *driver;
	struct host_caps caps;
};
int drivers_load(const char *dir, struct error *err);
const struct loaded_driver *const *drivers_loaded(void);
/* The driver for a definition; type 'vireo' takes the best that is usable. */
const struct loaded_driver *driver_for(enum dom_virt virt, struct error *err);

/* model/ text for clients; caller frees; NULL with err. */
char *capabilities_xml(struct error *err);
/*
 * The driver that such a guest gets, NULL with err; ret_machine: the machine's
 * own name.  Any argument may be NULL: the default.
 */
const struct loaded_driver *domain_capabilities_driver(
	const char *emulator, const char *arch, const char *machine,
	const char *virttype, enum dom_virt *ret_virt,
	const char **ret_machine, struct error *err);
char *domain_capabilities_xml(const char *emulator, const char *arch,
			      const char *machine, const char *virttype,
			      struct error *err);

#endif
