/*
 * daemon/registry.h -- the registry's inside; other parts include
 * daemon/domain.h.
 *
 * Theory of operation.  Two things protect a domain object:
 *
 *  - its job, held by one call at a time for as long as that call works on
 *    the domain, driver and store included.  Callers queue for it, in order.
 *  - the registry's lock, held for moments only: never across a driver's op,
 *    the store or a subscriber.
 *
 * A field of a domain is written with both held, so either is enough to read
 * it: queries that only read memory take the lock and never wait for a job
 * that hangs.  The exception is domain.live while a driver's start() or
 * reconnect() fills it in; until that is done, readers get 'boot' instead.
 *
 * A driver's domain_event() puts the event on the object.  Events are handled
 * with the job held: by the call that holds it, as its last act, or by the
 * registry's own thread when nobody does.  So a domain whose VMM hangs delays
 * no other domain's events.
 *
 * Order of a change: driver, store, memory, subscribers; then the job ends
 * and the call returns.
 */
#ifndef DAEMON_REGISTRY_H
#define DAEMON_REGISTRY_H

#include <pthread.h>

#include "base/error.h"
#include "daemon/agent.h"
#include "daemon/domain.h"
#include "daemon/hooks.h"
#include "daemon/index.h"
#include "daemon/store.h"

struct pending_event {
	struct pending_event *next;
	enum domain_event event;
	int id; /* the run it is about */
	char why[DOMAIN_WHY_MAX];
};

struct job_waiter {
	struct job_waiter *next;
	pthread_cond_t granted_cond;
	bool granted;
};

/* The job that takes long, if the one held is of that kind (jobinfo.c). */
struct async {
	int operation; /* virDomainJobOperation; 0: none */
	unsigned int users; /* calls that ask the driver about it */
	pthread_cond_t idle; /* users went down to 0 */
	/* The last one that ended well, for who asks later. */
	struct domain_job done;
};

/* Of a guest that goes to another host: what lasts between the calls. */
struct migration {
	enum { MIGRATION_NONE, MIGRATION_BEGUN, MIGRATION_SENT } phase;
	void *owner; /* who calls; NULL: nobody is left that will */
	bool was_running;
	bool undefine;
	bool postcopy; /* may be asked for */
	enum { FOLLOW_NONE, FOLLOW_GOING, FOLLOW_BROKEN } follow;
};

struct incoming;
struct snapshots;
struct checkpoints;

struct dom_obj {
	struct domain d; /* what drivers see */
	struct registry *reg;
	unsigned int refs;
	struct dom_obj *next, *prev; /* all of them, oldest first */
	struct index_node by_uuid, by_name, by_id;
	bool listed; /* in the registry: false once removed */
	bool hidden; /* made by a call that may still fail */
	bool found, found_starting; /* in the store, not yet reconnected */
	bool autostart_tried;
	struct autostart_plan {
		unsigned int order, delay; /* 0: none; seconds */
	} autostart_plan;

	struct domain_def *config; /* for the next start; NULL: transient */
	struct domain_def *boot;   /* shown while d.live is the driver's */
	const struct driver *driver; /* of the run */
	bool active, autostart, updated;
	bool saved; /* a managed save waits for the next start */
	int state, reason;
	uint64_t cpu_ns;   /* as last heard */
	void *owner;	   /* the run ends with this connection */

	struct snapshots *snapshots; /* daemon/snapshot.h; NULL: none */
	struct checkpoints *checkpoints; /* daemon/checkpoint.h; the same */
	struct backup *backup; /* daemon/backup.h; NULL: none */
	struct migration migration;
	/* MiB/s, ms; 0: not set */
	uint64_t max_speed, max_speed_postcopy, max_downtime;
	struct incoming *incoming; /* it comes from another host */

	const char *job; /* who holds it, NULL: nobody */
	struct async async;
	struct agent agent;
	struct job_waiter *waiters;
	unsigned int destroyers; /* waiting: events are left to them */
	struct pending_event *events;
	struct dom_obj *next_work; /* in the worker's queue */
	bool queued;
};

struct registry {
	const char *path;
	enum { REGISTRY_SYSTEM, REGISTRY_TEST } kind;
	struct store *store;
	bool own_store;
	const char *boot_id; /* for tests; NULL: the host's */
	const struct save_files *files; /* NULL: nothing can be saved */
	const struct host_pci_ops *host_pci; /* NULL: none */
	hook_fn *hook; /* NULL: no scripts */
	const struct migrate_net *net; /* NULL: nothing can migrate */
	struct pools *pools; /* pools.c */
	struct secrets *secrets; /* secrets.c */
	struct networks *networks; /* NULL: none */
	struct nwfilters *nwfilters; /* NULL: none */
	unsigned int job_timeout_ms, destroy_grace_ms;
	struct registry *next_registry;

	pthread_mutex_t lock; /* everything below, and the objects */
	struct dom_obj *first, *last;
	struct index by_uuid, by_name, by_id;
	int next_id;
	void (*notify)(void *arg, const struct domain_notice *n);
	void *notify_arg;

	struct autostart *autostart; /* NULL: it is not under way */
	pthread_t worker;
	pthread_cond_t work_cond;
	struct dom_obj *work, *work_last;
	bool closing;
};

/* ---- registry.c: objects; those named _locked want the lock held ---- */
struct dom_obj *obj_create_locked(struct registry *reg,
				  const uint8_t uuid[UUID_LEN],
				  const char *name);
void obj_remove_locked(struct dom_obj *obj);
struct dom_obj *obj_find_uuid_locked(struct registry *reg,
				     const uint8_t uuid[UUID_LEN]);
struct dom_obj *obj_find_name_locked(struct registry *reg, const char *name);
void obj_rename_locked(struct dom_obj *obj, const char *name);
void obj_unref_locked(struct dom_obj *obj);
void obj_unref(struct dom_obj *obj);
/* VIR_ERR_NO_DOMAIN, naming the uuid. */
int obj_gone(const uint8_t uuid[UUID_LEN], struct error *err);
/* The object of a uuid, referenced; VIR_ERR_NO_DOMAIN. */
int obj_get(struct registry *reg, const uint8_t uuid[UUID_LEN],
	    struct dom_obj **ret_obj, struct error *err);
/* The same with the registry's lock held; obj_looked() gives both back. */
int obj_look(struct registry *reg, const uint8_t uuid[UUID_LEN],
	     struct dom_obj **ret_obj, struct error *err);
void obj_looked(struct dom_obj *obj);
/* The same with its job held; obj_end() gives both back. */
int obj_begin(struct registry *reg, const uint8_t uuid[UUID_LEN],
	      const char *job, struct dom_obj **ret_obj, struct error *err);
void obj_end(struct dom_obj *obj);
/*
 * The object that a definition names, with its job held; made, hidden, when
 * there is none.  Refuses a name or uuid that belongs to another domain.
 */
int obj_claim(struct registry *reg, const struct domain_def *def,
	      const char *job, struct dom_obj **ret_obj, struct error *err);
void obj_unclaim(struct dom_obj *obj); /* obj_end(), and forgets a hidden one */
void obj_ref_fill(const struct dom_obj *obj, struct domain_ref *ret);
/* What readers are shown, the lock held: the run's definition or NULL. */
const struct domain_def *obj_live_locked(const struct dom_obj *obj);

/* What is about no domain. */
void registry_tell(struct registry *reg, const struct domain_notice *n);
void notify_lifecycle(struct dom_obj *obj, int event, int detail);
void notify(struct dom_obj *obj, struct domain_notice *n);

/* VIR_ERR_INVALID_ARG when flags has bits that supported has not. */
int check_flags(unsigned int flags, unsigned int supported,
		const char *function, struct error *err);

/* ---- job.c ---- */
int job_begin(struct dom_obj *obj, const char *job, struct error *err);
bool job_try(struct dom_obj *obj, const char *job); /* only if it is free */
/* For destroy: goes first, and breaks up a call that hangs. */
int job_begin_destroy(struct dom_obj *obj, struct error *err);
void job_end(struct dom_obj *obj);
int job_worker_start(struct registry *reg, struct error *err);
void job_worker_stop(struct registry *reg);

/* ---- run.c: the job held ---- */
int run_check_active(const struct dom_obj *obj, struct error *err);
/* def: copied.  owner: NULL or who the run ends with. */
int run_start(struct dom_obj *obj, const struct domain_def *def, bool paused,
	      void *owner, struct error *err);
/* The same with a saved guest; managed: it is the one that obj->saved tells
 * of, which it is no more then. */
int run_restore(struct dom_obj *obj, const struct domain_def *def,
		const struct domain_saved *from, bool managed, bool paused,
		void *owner, struct error *err);
/* A machine that waits for a guest to come, and for run_arrived(). */
int run_incoming(struct dom_obj *obj, const struct domain_def *def,
		 bool postcopy, void *owner, struct error *err);
/* The guest is here: in that state it is the run's. */
void run_arrived(struct dom_obj *obj, int state, int reason);
/* Before that: records in which state it is going to be. */
int run_record_incoming(struct dom_obj *obj, int reason, struct error *err);
int run_destroy(struct dom_obj *obj, struct error *err);
/* The driver has ended the run: what remains to be done. */
void run_stopped(struct dom_obj *obj, int reason, int detail);
/* Ends a run whose VMM is gone or must go; failing is only logged. */
void run_stop_quietly(struct dom_obj *obj);
/* pm.c: what the driver tells, and what is no use while it sleeps. */
void guest_asleep(struct dom_obj *obj);
void guest_awake(struct dom_obj *obj);
int pm_check_awake(const struct dom_obj *obj, struct error *err);
int run_set_state(struct dom_obj *obj, int state, int reason,
		  struct error *err);
/* The same for what has happened and cannot be refused. */
void run_force_state(struct dom_obj *obj, int state, int reason);
int run_record(struct dom_obj *obj, struct error *err);
/* Records, without showing it yet, that the guest is in a file: the run is
 * over, and whoever finds it still there ends it. */
int run_record_saved(struct dom_obj *obj, struct error *err);

/* ---- save.c: the job held ---- */
/* The next start, from a managed save if there is one. */
int save_start(struct dom_obj *obj, unsigned int flags, void *owner,
	       struct error *err);
/* Forgets the managed save; nothing happens when there is none. */
int save_forget(struct dom_obj *obj, struct error *err);
/* A paused guest into an empty file; operation: virDomainJobOperation. */
int save_write(struct dom_obj *obj, int fd, const char *xml, bool running,
	       int operation, struct error *err);
/* At the daemon's start: a save that an earlier one did not finish. */
void save_recover(struct dom_obj *obj);

/* The text of a definition, if nothing is changed that the guest relies on. */
int saved_guest_fits(const struct domain_def *saved,
		     const struct domain_def *def, struct error *err);

/* ---- migrate_out.c ---- */
/* VIR_ERR_OPERATION_INVALID for a call that would change what migrates. */
int migrate_protects(const struct dom_obj *obj, const char *job,
		     struct error *err);
/* The driver tells how the handover stands; the job held. */
void migrate_handover(struct dom_obj *obj, const char *word);
/* At the daemon's start, the job held: whether it was a migration's. */
bool migrate_recover(struct dom_obj *obj);
void migrate_owner_gone(struct registry *reg, void *owner);
/* suspend of a guest that migrates: 0, or 1 if it does not. */
int migrate_suspend(struct dom_obj *obj, struct error *err);

/* ---- migrate_follow.c: the job held ---- */
/* Ends the source's job, if it is still there. */
void follow_end(struct dom_obj *obj, bool ok);
/* At the destination: how memory that follows its guest does. */
bool follow_heard_in(struct dom_obj *obj, const char *word);

/* ---- migrate_in.c: the job held ---- */
/* Before the driver's stop(); nothing happens where no guest comes in. */
void incoming_end(struct dom_obj *obj);
bool incoming_recover(struct dom_obj *obj, bool paused);

/* The host's, which is one for the process. */
const char *registry_boot_id(const struct registry *reg);

/* ---- jobinfo.c: the job held ---- */
/* Calls fn while that operation goes on; 1: it does not. */
int async_call(struct dom_obj *obj, int operation,
	       int (*fn)(struct dom_obj *obj, struct error *err),
	       struct error *err);
void async_begin(struct dom_obj *obj, int operation);
/* Waits for those who ask about it. */
void async_end(struct dom_obj *obj, bool ok);

/* ---- guest.c: the job held ---- */
void guest_event(struct dom_obj *obj, const struct pending_event *ev);
void guest_refresh_balloon(struct dom_obj *obj);
/* memory.c: so many bytes of a memory device are in use: "BYTES ALIAS". */
void guest_memory(struct dom_obj *obj, const char *why);

/* ---- attach.c: the job held ---- */
void guest_device_removed(struct dom_obj *obj, const char *alias);
void guest_device_kept(struct dom_obj *obj, const char *alias);

/* ---- drivers.c ---- */
const struct loaded_driver *driver_named(const char *name);
/* Probes and adds one; drivers_load() does, and tests with their own. */
int drivers_add(const struct driver *driver, struct error *err);

/* A driver's op, or VIR_ERR_OPERATION_UNSUPPORTED when it has none. */
int driver_lacks(const struct driver *driver, const char *op,
		 struct error *err);
#define driver_call(obj, err, op, ...) \
	((obj)->driver && (obj)->driver->op ? \
		 (obj)->driver->op(&(obj)->d, ##__VA_ARGS__, err) : \
		 driver_lacks((obj)->driver, #op, err))

#endif
