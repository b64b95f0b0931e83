/*
 * daemon/migrate_out.c -- a guest that goes to another host: the source's
 * calls, and what becomes of a guest whose calls nobody makes to their end.
 *
 * Once the guest was sent, its machine and the destination's settle which of
 * them has it; this file asks, and acts on the answer.
 */
#include "daemon/checkpoint.h"
#include "daemon/migrate_priv.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/definition.h"
#include "daemon/hostdev.h"
#include "daemon/snapshot.h"

#define LOG_MODULE "migrate"
#include "base/log.h"

enum { SETTLE_TRIES = 300, SETTLE_US = 100000 };

/* ---- which calls may come between ---- */

int migrate_protects(const struct dom_obj *obj, const char *job,
		     struct error *err)
{
	static const char *const harmless[] = { "migrate", "query",
						"screenshot", "open-graphics",
						"open-console" };

	if (obj->migration.phase == MIGRATION_NONE || !obj->migration.owner)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(harmless); i++)
		if (str_eq(job, harmless[i]))
			return 0;
	return error_virt(err, VIR_ERR_OPERATION_INVALID,
			  "domain '%s' is being migrated", obj->d.name);
}

static void set_phase(struct dom_obj *obj, int phase, void *owner)
{
	pthread_mutex_lock(&obj->reg->lock);
	obj->migration.phase = phase;
	obj->migration.owner = phase == MIGRATION_NONE ? NULL : owner;
	pthread_mutex_unlock(&obj->reg->lock);
}

static int begin_call(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      struct dom_obj **ret_obj, struct error *err)
{
	int r = migrate_check_here(reg, err);

	return r < 0 ? r : obj_begin(reg, uuid, "migrate", ret_obj, err);
}

/* Of a guest that is to go as args say. */
static int begin_checked(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 const struct migrate_args *args,
			 struct dom_obj **ret_obj, struct error *err)
{
	int r = migrate_check_source(args, err);

	return r < 0 ? r : begin_call(reg, uuid, ret_obj, err);
}

/* ---- begin ---- */

/* No virtiofsd hands over what it has open. */
static int check_folders(const struct dom_obj *obj, struct error *err)
{
	return obj->d.live->n_filesystems ?
		       error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "migration with virtiofs device is not "
				  "supported") :
		       0;
}

static int check_can_go(const struct dom_obj *obj, struct error *err)
{
	int r = run_check_active(obj, err);

	if (r == 0)
		r = hostdev_check_movable(obj, err);
	if (r == 0)
		r = check_folders(obj, err);
	if (r == 0)
		r = snapshots_refuse(obj, "migrate", err);
	if (r == 0)
		r = checkpoints_refuse(obj, "migrate", err);
	if (r < 0)
		return r;
	if (obj->state != VIR_DOMAIN_RUNNING && obj->state != VIR_DOMAIN_PAUSED)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "the domain is neither running nor paused");
	if (obj->migration.phase == MIGRATION_SENT || obj->incoming)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "domain '%s' is being migrated already",
				  obj->d.name);
	return 0;
}

/* The client's definition for there; it may have the new name already. */
static int read_wanted(struct dom_obj *obj, const struct migrate_args *args,
		       struct domain_def **ret_def, struct error *err)
{
	struct domain_def *def;
	int r = config_parse(obj->reg, args->dxml, 0, &def, err);

	if (r < 0)
		return r;
	if (args->dname && str_eq(def->name, args->dname)) {
		free(def->name);
		def->name = xstrdup(obj->d.name);
	}
	r = saved_guest_fits(obj->d.live, def, err);
	if (r < 0)
		domain_def_free(def);
	else
		*ret_def = def;
	return r;
}

static int wanted_xml(struct dom_obj *obj, const struct migrate_args *args,
		      char **ret_xml, struct error *err)
{
	struct domain_def *def = NULL;
	int r = args->dxml ? read_wanted(obj, args, &def, err) : 0;

	if (r < 0)
		return r;
	*ret_xml = domain_def_format(def ? def : obj->d.live,
				     DOMAIN_FORMAT_SECURE);
	domain_def_free(def);
	return 0;
}

static void tell_config(const struct dom_obj *obj,
			const struct migrate_args *args,
			struct migrate_cookie *out)
{
	if (!(args->flags & VIR_MIGRATE_PERSIST_DEST))
		return;
	if (args->persist_xml)
		out->config = xstrdup(args->persist_xml);
	else if (obj->config)
		out->config = domain_def_format(obj->config,
						DOMAIN_FORMAT_SECURE);
}

static int begin(struct dom_obj *obj, const struct migrate_args *args,
		 char **ret_xml, struct migrate_cookie *out, struct error *err)
{
	bool resumes = args->flags & VIR_MIGRATE_POSTCOPY_RESUME;
	int r = resumes ? follow_check_resume(obj, err) :
			  check_can_go(obj, err);

	if (r == 0 && !resumes)
		r = migrate_disks_here(obj, args, out, err);
	if (r == 0)
		r = wanted_xml(obj, args, ret_xml, err);
	if (r < 0)
		return r;
	out->boot = xstrdup(registry_boot_id(obj->reg));
	tell_config(obj, args, out);
	if (resumes)
		set_phase(obj, MIGRATION_SENT, args->owner);
	else if (args->flags & VIR_MIGRATE_CHANGE_PROTECTION)
		set_phase(obj, MIGRATION_BEGUN, args->owner);
	return 0;
}

int domain_migrate_begin(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 const struct migrate_args *args, char **ret_xml,
			 struct migrate_cookie *out, struct error *err)
{
	struct dom_obj *obj;
	int r = begin_checked(reg, uuid, args, &obj, err);

	if (r < 0)
		return r;
	r = args->flags & VIR_MIGRATE_OFFLINE ?
		    offline_begin(obj, args, ret_xml, out, err) :
		    begin(obj, args, ret_xml, out, err);
	obj_end(obj);
	return r;
}

/* ---- perform ---- */

static uint64_t bytes(uint64_t mib)
{
	return MIN(mib, UINT64_MAX >> 21) << 20;
}

struct domain_migration migrate_how(const struct dom_obj *obj,
				    const struct migrate_args *args)
{
	uint64_t speed = args->bandwidth ? args->bandwidth : obj->max_speed;

	return (struct domain_migration){
		.bandwidth = bytes(speed),
		.downtime_ns = obj->max_downtime * 1000000,
		.zstd = args->flags & VIR_MIGRATE_COMPRESSED,
		.auto_converge = args->flags & VIR_MIGRATE_AUTO_CONVERGE,
		.throttle_first = args->throttle_first,
		.throttle_step = args->throttle_step,
		.now = !(args->flags & VIR_MIGRATE_LIVE),
		.carried = args->flags & (VIR_MIGRATE_TLS |
					  VIR_MIGRATE_TUNNELLED),
		.postcopy = args->flags & VIR_MIGRATE_POSTCOPY,
		.postcopy_bandwidth = bytes(args->bandwidth_postcopy ?
						    args->bandwidth_postcopy :
						    obj->max_speed_postcopy),
	};
}

void migrate_streams_close(struct migrate_streams *s)
{
	while (s->n)
		fd_close(s->fds[--s->n]);
}

/* The destination lets nobody else in. */
static int introduce(int fd, const char *token, unsigned int i,
		     unsigned int n, struct error *err)
{
	char hello[MIGRATE_HELLO_LEN + 1];

	snprintf(hello, sizeof(hello), "%s%02u%02u", token, i, n);
	return send(fd, hello, MIGRATE_HELLO_LEN, MSG_NOSIGNAL) ==
			       MIGRATE_HELLO_LEN ?
		       0 :
		       error_set(err, -errno, "the destination of the "
				 "migration hung up: %m");
}

static unsigned int stream_count(const struct migrate_args *args)
{
	unsigned int follow = !!(args->flags & VIR_MIGRATE_POSTCOPY);

	if (!(args->flags & VIR_MIGRATE_PARALLEL))
		return 1 + follow;
	/* As libvirt. */
	return (args->connections ? args->connections : 2) + follow;
}

static int one_stream(struct dom_obj *obj, const struct migrate_args *args,
		      struct tls_keys *keys, int *ret_fd, struct error *err)
{
	int r;

	if (args->tunnel) {
		*ret_fd = steal_fd(args->tunnel);
		return 0;
	}
	r = migrate_uri_connect(obj->reg, args->uri, ret_fd, err);
	if (r < 0 || !keys)
		return r;
	return migrate_uri_secure(obj->reg, args, keys, ret_fd, err);
}

static int all_streams(struct dom_obj *obj, const struct migrate_args *args,
		       const struct migrate_cookie *in, struct tls_keys *keys,
		       struct migrate_streams *s, struct error *err)
{
	unsigned int n = stream_count(args);
	int r = 0;

	while (s->n < n && r == 0) {
		r = one_stream(obj, args, keys, &s->fds[s->n], err);
		if (r < 0)
			return r;
		r = introduce(s->fds[s->n], in->token, s->n, n, err);
		s->n++;
	}
	return r;
}

int migrate_streams_open(struct dom_obj *obj, const struct migrate_args *args,
			 const struct migrate_cookie *in,
			 struct migrate_streams *s, struct error *err)
{
	const struct migrate_net *net = obj->reg->net;
	struct tls_keys *keys = NULL;
	int r = 0;

	if (!in->token || strlen(in->token) != MIGRATE_TOKEN_LEN)
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "the destination does not run Vireo");
	if (args->flags & VIR_MIGRATE_TLS)
		r = tls_keys_load(net->tls_dir, false, net->open_file, &keys,
				  err);
	if (r == 0)
		r = all_streams(obj, args, in, keys, s, err);
	tls_keys_unref(keys);
	return r;
}

static int send_guest(struct dom_obj *obj, const struct migrate_args *args,
		      const struct migrate_streams *s, struct error *err)
{
	struct domain_migration how;
	int r;

	obj->migration.postcopy = args->flags & VIR_MIGRATE_POSTCOPY;
	async_begin(obj, VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT);
	how = migrate_how(obj, args);
	r = driver_call(obj, err, migrate, s->fds, s->n, &how);
	if (r == 0 && follow_begins(obj))
		obj->migration.follow = FOLLOW_GOING;
	else
		async_end(obj, r == 0);
	if (r == -ECANCELED)
		r = error_virt(err, VIR_ERR_OPERATION_ABORTED,
			       "migration out job: canceled by client");
	return r;
}

static void sent(struct dom_obj *obj, const struct migrate_args *args)
{
	obj->migration.was_running = obj->state == VIR_DOMAIN_RUNNING;
	obj->migration.undefine = args->flags & VIR_MIGRATE_UNDEFINE_SOURCE;
	set_phase(obj, MIGRATION_SENT, args->owner);
	if (obj->migration.follow == FOLLOW_GOING) {
		follow_tell_begun(obj);
		return;
	}
	if (!obj->migration.was_running)
		return;
	run_force_state(obj, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_SUSPENDED,
			 VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED);
}

static int perform(struct dom_obj *obj, const struct migrate_args *args,
		   const struct migrate_cookie *in, struct migrate_cookie *out,
		   struct error *err)
{
	struct migrate_streams s = { 0 };
	int r = check_can_go(obj, err);

	if (r == 0 && !args->uri && !args->tunnel)
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "no migration URI was given");
	if (r == 0)
		r = migrate_streams_open(obj, args, in, &s, err);
	if (r == 0)
		r = send_guest(obj, args, &s, err);
	migrate_streams_close(&s);
	if (r < 0) {
		set_phase(obj, MIGRATION_NONE, NULL);
		return r;
	}
	sent(obj, args);
	out->has_job = obj->migration.follow == FOLLOW_NONE;
	out->job = obj->async.done.progress;
	return 0;
}

static int resume(struct dom_obj *obj, const struct migrate_args *args,
		  const struct migrate_cookie *in, struct error *err)
{
	int r = follow_resume_out(obj, args, in, err);

	if (r == 0)
		set_phase(obj, MIGRATION_SENT, args->owner);
	return r;
}

int domain_migrate_perform(struct registry *reg, const uint8_t uuid[UUID_LEN],
			   const struct migrate_args *args,
			   const struct migrate_cookie *in,
			   struct migrate_cookie *out, struct error *err)
{
	struct dom_obj *obj;
	int r = begin_checked(reg, uuid, args, &obj, err);

	if (r < 0)
		return r;
	r = args->flags & VIR_MIGRATE_POSTCOPY_RESUME ?
		    resume(obj, args, in, err) :
		    perform(obj, args, in, out, err);
	obj_end(obj);
	return r;
}

/* ---- what becomes of it ---- */

static void forget_config(struct dom_obj *obj)
{
	struct error err = { 0 };

	if (!obj->migration.undefine || !obj->config)
		return;
	if (config_remove(obj, &err) < 0)
		log_warn("domain '%s' stays defined: %s", obj->d.name,
			 err.message);
}

/* It runs elsewhere. */
void migrate_gone(struct dom_obj *obj)
{
	follow_end(obj, true);
	forget_config(obj);
	run_stop_quietly(obj);
	run_stopped(obj, VIR_DOMAIN_SHUTOFF_MIGRATED,
		    VIR_DOMAIN_EVENT_STOPPED_MIGRATED);
}

static int keep(struct dom_obj *obj, struct error *err)
{
	int r = -EBUSY;

	for (unsigned int i = 0; i < SETTLE_TRIES && r == -EBUSY; i++) {
		if (i)
			usleep(SETTLE_US);
		r = driver_call(obj, err, keep);
	}
	return r;
}

/* It is ours again. */
static int go_on(struct dom_obj *obj, struct error *err)
{
	int r = obj->migration.was_running ? driver_call(obj, err, resume) : 0;

	if (r < 0)
		return r;
	follow_end(obj, false);
	if (obj->migration.was_running) {
		run_force_state(obj, VIR_DOMAIN_RUNNING,
				VIR_DOMAIN_RUNNING_MIGRATION_CANCELED);
		notify_lifecycle(obj, VIR_DOMAIN_EVENT_RESUMED,
				 VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
	}
	set_phase(obj, MIGRATION_NONE, NULL);
	return 0;
}

/* Back here, unless it runs there after all. */
static int take_back(struct dom_obj *obj, struct error *err)
{
	int r = keep(obj, err);

	if (r == -EPERM && obj->migration.follow != FOLLOW_NONE) {
		set_phase(obj, MIGRATION_SENT, NULL);
		return follow_failed_out(obj);
	}
	if (r == -EPERM) {
		log_warn("domain '%s' has migrated, though that was cancelled",
			 obj->d.name);
		migrate_gone(obj);
		return 0;
	}
	if (r == 0)
		r = go_on(obj, err);
	if (r < 0) {
		set_phase(obj, MIGRATION_NONE, NULL);
		log_error("domain '%s' stays paused: %s", obj->d.name,
			  err->message);
	}
	return r;
}

/* Nobody calls any more, so the machines' word decides. */
void migrate_handover(struct dom_obj *obj, const char *word)
{
	struct error err = { 0 };

	if (follow_heard_in(obj, word))
		return;

	if (obj->migration.phase != MIGRATION_SENT || obj->migration.owner)
		return;
	if (str_eq(word, "done"))
		migrate_gone(obj);
	else if (str_eq(word, "broken"))
		follow_failed_out(obj);
	else if (str_eq(word, "lost"))
		take_back(obj, &err);
	else if (str_eq(word, "unsure"))
		log_error("domain '%s' was given to another host that does "
			  "not answer: it stays paused here; resume it once it "
			  "is certain that it does not run there",
			  obj->d.name);
}

static void ask_handover(struct dom_obj *obj)
{
	char word[DOMAIN_HANDOVER_MAX] = "";
	struct error err = { 0 };

	if (driver_call(obj, &err, handover, word) < 0)
		return; /* the machine is gone: its end is told elsewhere */
	migrate_handover(obj, word);
}

/* ---- confirm ---- */

static int confirm(struct dom_obj *obj, const struct migrate_args *args,
		   bool cancelled, struct error *err)
{
	if (obj->migration.phase != MIGRATION_SENT) {
		set_phase(obj, MIGRATION_NONE, NULL);
		return 0; /* cancelled before it went, or settled already */
	}
	if (cancelled)
		return take_back(obj, err);
	obj->migration.undefine |= args->flags & VIR_MIGRATE_UNDEFINE_SOURCE;
	migrate_gone(obj);
	return 0;
}

int domain_migrate_confirm(struct registry *reg, const uint8_t uuid[UUID_LEN],
			   const struct migrate_args *args, bool cancelled,
			   struct error *err)
{
	struct dom_obj *obj;
	int r = begin_call(reg, uuid, &obj, err);

	if (r < 0)
		return cancelled ? r : 0; /* it has gone before us */
	r = args->flags & VIR_MIGRATE_OFFLINE ?
		    offline_confirm(obj, args, cancelled, err) :
		    confirm(obj, args, cancelled, err);
	obj_end(obj);
	return r;
}

/* ---- callers that go away, and daemons ---- */

static struct dom_obj *next_owned(struct registry *reg, const void *owner)
{
	struct dom_obj *obj;

	pthread_mutex_lock(&reg->lock);
	for (obj = reg->first; obj; obj = obj->next)
		if (obj->migration.owner == owner)
			break;
	if (obj) {
		obj->migration.owner = NULL;
		obj->refs++;
	}
	pthread_mutex_unlock(&reg->lock);
	return obj;
}

void migrate_owner_gone(struct registry *reg, void *owner)
{
	struct dom_obj *obj;
	struct error err;

	while (owner && (obj = next_owned(reg, owner))) {
		if (job_begin(obj, "migrate", &err) == 0) {
			if (obj->migration.phase == MIGRATION_BEGUN)
				set_phase(obj, MIGRATION_NONE, NULL);
			else if (obj->migration.phase == MIGRATION_SENT)
				ask_handover(obj);
			job_end(obj);
		}
		obj_unref(obj);
	}
}

/* Whether it was running is known by why it is said to be paused. */
bool migrate_recover(struct dom_obj *obj)
{
	char word[DOMAIN_HANDOVER_MAX] = "";
	struct error err = { 0 };

	if (!obj->driver->handover ||
	    obj->driver->handover(&obj->d, word, &err) < 0)
		return false;
	if (follow_heard_in(obj, word))
		return true;
	if (!word[0])
		return false;
	log_warn("domain '%s' was migrating when the daemon ended",
		 obj->d.name);
	obj->migration.was_running =
		obj->state == VIR_DOMAIN_RUNNING ||
		obj->reason == VIR_DOMAIN_PAUSED_MIGRATION ||
		obj->reason == VIR_DOMAIN_PAUSED_POSTCOPY ||
		obj->reason == VIR_DOMAIN_PAUSED_POSTCOPY_FAILED;
	set_phase(obj, MIGRATION_SENT, NULL);
	if (str_eq(word, "copying") || str_eq(word, "broken")) {
		async_begin(obj, VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT);
		obj->migration.follow = FOLLOW_GOING;
		run_force_state(obj, VIR_DOMAIN_PAUSED,
				VIR_DOMAIN_PAUSED_POSTCOPY);
	} else if (obj->migration.was_running) {
		run_force_state(obj, VIR_DOMAIN_PAUSED,
				VIR_DOMAIN_PAUSED_MIGRATION);
	}
	migrate_handover(obj, word);
	return true;
}

/* ---- limits ---- */

static int push_limits(struct dom_obj *obj, struct error *err)
{
	struct migrate_args none = { .flags = VIR_MIGRATE_LIVE };
	struct domain_migration how = migrate_how(obj, &none);

	return driver_call(obj, err, migrate_limits, &how);
}

static int push_now(struct dom_obj *obj, struct error *err)
{
	struct migrate_args none = { .flags = 0 };
	struct domain_migration how = migrate_how(obj, &none);

	return driver_call(obj, err, migrate_limits, &how);
}

int migrate_suspend(struct dom_obj *obj, struct error *err)
{
	return async_call(obj, VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT,
			  push_now, err);
}

static int set_limit(struct dom_obj *obj, enum migrate_limit which,
		     uint64_t value, struct error *err)
{
	bool active;

	pthread_mutex_lock(&obj->reg->lock);
	active = obj->active;
	if (active && which == MIGRATE_SPEED)
		obj->max_speed = value;
	else if (active && which == MIGRATE_SPEED_POSTCOPY)
		obj->max_speed_postcopy = value;
	else if (active)
		obj->max_downtime = value;
	pthread_mutex_unlock(&obj->reg->lock);
	if (!active)
		return run_check_active(obj, err);
	return MIN(async_call(obj, VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT,
			      push_limits, err),
		   0);
}

static uint64_t get_limit(struct dom_obj *obj, enum migrate_limit which)
{
	/* As libvirt shows what has no limit, and our machine's default. */
	uint64_t value = which == MIGRATE_DOWNTIME_MS ? 300 : INT64_MAX >> 20;

	pthread_mutex_lock(&obj->reg->lock);
	if (which == MIGRATE_SPEED && obj->max_speed)
		value = obj->max_speed;
	if (which == MIGRATE_SPEED_POSTCOPY && obj->max_speed_postcopy)
		value = obj->max_speed_postcopy;
	if (which == MIGRATE_DOWNTIME_MS && obj->max_downtime)
		value = obj->max_downtime;
	pthread_mutex_unlock(&obj->reg->lock);
	return value;
}

int domain_migrate_limit(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 enum migrate_limit which, bool set, uint64_t *value,
			 struct error *err)
{
	struct dom_obj *obj;
	int r = obj_get(reg, uuid, &obj, err);

	if (r < 0)
		return r;
	if (set && which != MIGRATE_DOWNTIME_MS && *value > INT64_MAX >> 20)
		r = error_virt(err, VIR_ERR_OVERFLOW,
			       "bandwidth must be less than %llu",
			       (unsigned long long)(INT64_MAX >> 20) + 1);
	else if (set)
		r = set_limit(obj, which, *value, err);
	else
		*value = get_limit(obj, which);
	obj_unref(obj);
	return r;
}
