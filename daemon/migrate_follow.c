/*
 * daemon/migrate_follow.c -- post-copy migration: the guest runs at its
 * destination, and its memory follows.
 *
 * Meanwhile neither side has all of it.  When the stream breaks both keep what
 * they have, the guest goes on as far as it can, and a migration with
 * VIR_MIGRATE_POSTCOPY_RESUME makes another stream.
 */
#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "daemon/migrate_priv.h"

#define LOG_MODULE "migrate"
#include "base/log.h"

enum { LOOK_US = 50000, SETTLE_TRIES = 600 };

static void ask(struct dom_obj *obj, char word[DOMAIN_HANDOVER_MAX])
{
	struct error err = { 0 };

	word[0] = '\0';
	if (driver_call(obj, &err, handover, word) < 0)
		snprintf(word, DOMAIN_HANDOVER_MAX, "copying");
}

static bool follows(const char *word)
{
	return str_eq(word, "copying") || str_eq(word, "broken");
}

/* ---- starting it ---- */

static int push_postcopy(struct dom_obj *obj, struct error *err)
{
	struct domain_migration how = { .postcopy_now = true };

	if (!obj->migration.postcopy)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "switching to post-copy requires migration "
				  "to be started with VIR_MIGRATE_POSTCOPY "
				  "flag");
	return driver_call(obj, err, migrate_limits, &how);
}

int domain_migrate_start_postcopy(struct registry *reg,
				  const uint8_t uuid[UUID_LEN],
				  struct error *err)
{
	struct dom_obj *obj;
	int r = obj_get(reg, uuid, &obj, err);

	if (r < 0)
		return r;
	r = async_call(obj, VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT,
		       push_postcopy, err);
	if (r > 0)
		r = error_virt(err, VIR_ERR_OPERATION_INVALID,
			       "post-copy can only be started while outgoing "
			       "migration is in progress");
	obj_unref(obj);
	return r;
}

/* ---- the source ---- */

void follow_tell_begun(struct dom_obj *obj)
{
	run_force_state(obj, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_POSTCOPY);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_SUSPENDED,
			 VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY);
}

bool follow_begins(struct dom_obj *obj)
{
	char word[DOMAIN_HANDOVER_MAX];

	if (!obj->migration.postcopy)
		return false;
	ask(obj, word);
	return follows(word);
}

void follow_end(struct dom_obj *obj, bool ok)
{
	if (obj->migration.follow == FOLLOW_GOING)
		async_end(obj, ok);
	obj->migration.follow = FOLLOW_NONE;
}

static void broken_out(struct dom_obj *obj)
{
	if (obj->migration.follow == FOLLOW_BROKEN)
		return;
	follow_end(obj, false);
	obj->migration.follow = FOLLOW_BROKEN;
	run_force_state(obj, VIR_DOMAIN_PAUSED,
			VIR_DOMAIN_PAUSED_POSTCOPY_FAILED);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_SUSPENDED,
			 VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED);
	log_error("domain '%s': the rest of its memory did not reach the other "
		  "host, where it runs: resume its post-copy migration",
		  obj->d.name);
}

/*
 * The destination has given up.  It may have seen the stream break before our
 * machine does, so that one is told.
 */
int follow_failed_out(struct dom_obj *obj)
{
	char word[DOMAIN_HANDOVER_MAX];
	struct error ignored;

	for (unsigned int i = 0; i < SETTLE_TRIES; i++) {
		ask(obj, word);
		if (!str_eq(word, "copying"))
			break;
		if (i == SETTLE_TRIES / 2 &&
		    driver_call(obj, &ignored, follow_break) < 0)
			log_warn("domain '%s': %s", obj->d.name,
				 ignored.message);
		usleep(LOOK_US);
	}
	if (follows(word))
		broken_out(obj);
	else
		migrate_gone(obj);
	return 0;
}

int follow_check_resume(const struct dom_obj *obj, struct error *err)
{
	return obj->migration.follow == FOLLOW_BROKEN ?
		       0 :
		       error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "migration of domain '%s' is not waiting "
				  "for recovery",
				  obj->d.name);
}

static int another_stream(struct dom_obj *obj, const struct migrate_args *args,
			  const struct migrate_cookie *in, struct error *err)
{
	struct migrate_args one = *args;
	struct migrate_streams s = { 0 };
	int r;

	one.flags &= ~(VIR_MIGRATE_PARALLEL | VIR_MIGRATE_POSTCOPY);
	r = migrate_streams_open(obj, &one, in, &s, err);
	if (r == 0)
		r = driver_call(obj, err, recover, s.fds[0]);
	migrate_streams_close(&s);
	return r;
}

int follow_resume_out(struct dom_obj *obj, const struct migrate_args *args,
		      const struct migrate_cookie *in, struct error *err)
{
	struct domain_migration how = migrate_how(obj, args);
	int r = follow_check_resume(obj, err);

	how.now = false;
	if (r == 0)
		r = driver_call(obj, err, migrate_limits, &how);
	if (r == 0)
		r = another_stream(obj, args, in, err);
	if (r < 0)
		return r;
	async_begin(obj, VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT);
	obj->migration.follow = FOLLOW_GOING;
	follow_tell_begun(obj);
	return 0;
}

/* ---- the destination ---- */

bool follow_arrives(struct dom_obj *obj)
{
	char word[DOMAIN_HANDOVER_MAX];

	if (!obj->migration.postcopy)
		return false;
	ask(obj, word);
	return follows(word);
}

static bool is_following(const struct dom_obj *obj)
{
	return obj->state == VIR_DOMAIN_RUNNING &&
	       (obj->reason == VIR_DOMAIN_RUNNING_POSTCOPY ||
		obj->reason == VIR_DOMAIN_RUNNING_POSTCOPY_FAILED);
}

static void now_runs(struct dom_obj *obj, int reason, int detail)
{
	if (!is_following(obj) || obj->reason == reason)
		return;
	run_force_state(obj, VIR_DOMAIN_RUNNING, reason);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_RESUMED, detail);
}

/* False: it is not about memory that follows. */
bool follow_heard_in(struct dom_obj *obj, const char *word)
{
	if (!is_following(obj))
		return false;
	if (str_eq(word, "broken"))
		now_runs(obj, VIR_DOMAIN_RUNNING_POSTCOPY_FAILED,
			 VIR_DOMAIN_EVENT_RESUMED_POSTCOPY_FAILED);
	else if (str_eq(word, "copying"))
		now_runs(obj, VIR_DOMAIN_RUNNING_POSTCOPY,
			 VIR_DOMAIN_EVENT_RESUMED_POSTCOPY);
	else
		now_runs(obj, VIR_DOMAIN_RUNNING_MIGRATED,
			 VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
	return true;
}

/* Others may have the domain's job meanwhile. */
static int pause_job(struct dom_obj *obj)
{
	struct error ignored;

	job_end(obj);
	usleep(LOOK_US);
	while (job_begin(obj, "migrate", &ignored) < 0)
		;
	return obj->active ? 0 : -ESHUTDOWN;
}

int follow_wait(struct dom_obj *obj, struct error *err)
{
	char word[DOMAIN_HANDOVER_MAX];
	int r = 0;

	do {
		ask(obj, word);
		follow_heard_in(obj, word);
	} while (str_eq(word, "copying") && (r = pause_job(obj)) == 0);
	if (r < 0)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "domain '%s' ended before all of its memory "
				  "had come",
				  obj->d.name);
	return str_eq(word, "broken") ?
		       error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "migration of domain '%s' failed in its "
				  "post-copy phase: it can be resumed",
				  obj->d.name) :
		       0;
}
