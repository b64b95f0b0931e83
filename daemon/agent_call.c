/*
 * daemon/agent_call.c -- getting at a domain's guest agent, and one command of
 * it.
 */
#include "daemon/agent.h"

#include <errno.h>
#include <json-c/json.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define LOG_MODULE "domain"
#include "base/log.h"
#include "daemon/registry.h"

void agent_init(struct agent *agent)
{
	pthread_condattr_t attr;

	agent->fd = -1;
	agent->timeout = VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&agent->idle, &attr);
	pthread_condattr_destroy(&attr);
}

void agent_finish(struct agent *agent)
{
	fd_close(agent->fd);
	pthread_cond_destroy(&agent->idle);
}

bool agent_is_channel(const struct dom_char *chr)
{
	return chr->kind == CHAR_CHANNEL && chr->type == CHR_UNIX &&
	       str_eq(chr->target_name, AGENT_CHANNEL);
}

const struct dom_char *agent_channel(const struct domain_def *def)
{
	for (unsigned int i = 0; i < def->n_chars; i++)
		if (agent_is_channel(&def->chars[i]))
			return &def->chars[i];
	return NULL;
}

/* With the lock or the job. */
static int check(const struct dom_obj *obj, struct error *err)
{
	const struct dom_char *c;

	if (!obj->active || obj->state != VIR_DOMAIN_RUNNING)
		return error_virt(err, VIR_ERR_OPERATION_INVALID, "%s",
				  "domain is not running");
	c = agent_channel(obj_live_locked(obj));
	if (!c)
		return error_virt(err, VIR_ERR_ARGUMENT_UNSUPPORTED, "%s",
				  "QEMU guest agent is not configured");
	if (!str_eq(c->target_state, "connected"))
		return error_virt(err, VIR_ERR_AGENT_UNRESPONSIVE, "%s",
				  "QEMU guest agent is not connected");
	return 0;
}

int agent_available(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    struct error *err)
{
	struct dom_obj *obj;
	int r = obj_look(reg, uuid, &obj, err);

	if (r < 0)
		return r;
	r = check(obj, err);
	obj_looked(obj);
	return r;
}

/* ---- the connection ---- */

static void drop_locked(struct agent *a)
{
	a->fd = fd_close(a->fd);
	a->hung_up = false;
}

/* With the job held. */
static int connect_to(struct dom_obj *obj, struct error *err)
{
	const struct dom_char *c = agent_channel(obj->d.live);
	int fd, r;

	if (obj->agent.fd >= 0)
		return 0;
	r = driver_call(obj, err, open_channel, c->info.alias, false, &fd);
	if (r == -EBUSY)
		return error_virt(err, VIR_ERR_AGENT_UNRESPONSIVE, "%s",
				  "another program uses the guest agent's "
				  "channel");
	if (r < 0)
		return r;
	pthread_mutex_lock(&obj->reg->lock);
	obj->agent.fd = fd;
	pthread_mutex_unlock(&obj->reg->lock);
	return 0;
}

void agent_opened(struct dom_obj *obj)
{
	struct error err = { 0 };

	if (connect_to(obj, &err) < 0)
		log_warn("domain '%s': %s", obj->d.name, err.message);
}

static void close_locked(struct agent *a)
{
	if (a->fd < 0)
		return;
	if (!a->busy) {
		drop_locked(a);
		return;
	}
	a->hung_up = true;
	shutdown(a->fd, SHUT_RDWR);
}

void agent_closed(struct dom_obj *obj)
{
	pthread_mutex_lock(&obj->reg->lock);
	close_locked(&obj->agent);
	pthread_mutex_unlock(&obj->reg->lock);
}

void agent_close_all(struct registry *reg)
{
	pthread_mutex_lock(&reg->lock);
	for (struct dom_obj *obj = reg->first; obj; obj = obj->next)
		close_locked(&obj->agent);
	pthread_mutex_unlock(&reg->lock);
}

/* ---- one command at a time ---- */

static int wait_idle_locked(struct dom_obj *obj, struct error *err)
{
	uint64_t ns = now_ns() + obj->reg->job_timeout_ms * 1000000ull;
	struct timespec when = { ns / 1000000000, ns % 1000000000 };
	int rc = 0;

	while (obj->agent.busy && rc == 0)
		rc = pthread_cond_timedwait(&obj->agent.idle, &obj->reg->lock,
					    &when);
	if (obj->agent.busy)
		return error_virt(err, VIR_ERR_OPERATION_TIMEOUT,
				  "cannot acquire the agent of domain '%s': "
				  "another command waits for its answer",
				  obj->d.name);
	obj->agent.busy = true;
	return 0;
}

static void end(struct dom_obj *obj, bool broken)
{
	struct agent *a = &obj->agent;

	pthread_mutex_lock(&obj->reg->lock);
	if (broken || a->hung_up)
		drop_locked(a);
	a->busy = false;
	pthread_cond_signal(&a->idle);
	obj_looked(obj);
}

static int reach(struct dom_obj *obj, struct error *err)
{
	int r = job_begin(obj, "agent", err);

	if (r < 0)
		return r;
	r = check(obj, err);
	if (r == 0)
		r = connect_to(obj, err);
	job_end(obj);
	return r;
}

/* On success there is a connection, and end() gives it back. */
static int begin(struct registry *reg, const uint8_t uuid[UUID_LEN],
		 struct dom_obj **ret_obj, struct error *err)
{
	struct dom_obj *obj;
	int r = obj_look(reg, uuid, &obj, err);

	if (r < 0)
		return r;
	r = wait_idle_locked(obj, err);
	if (r < 0)
		obj_unref_locked(obj);
	pthread_mutex_unlock(&reg->lock);
	if (r < 0)
		return r;
	r = reach(obj, err);
	if (r < 0)
		end(obj, false);
	else
		*ret_obj = obj;
	return r;
}

static int seconds(const struct dom_obj *obj, int timeout)
{
	if (timeout == AGENT_WAIT_DEFAULT)
		timeout = obj->agent.timeout;
	return timeout == VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_DEFAULT ?
		       AGENT_SYNC_S :
		       timeout;
}

/* The connection is still good after an error that the agent named. */
static bool is_broken(const struct error *err)
{
	return err->code == VIR_ERR_AGENT_UNRESPONSIVE;
}

static int talk(struct registry *reg, const uint8_t uuid[UUID_LEN],
		struct json_object *command, int timeout,
		struct json_object **ret_reply, struct error *err)
{
	struct dom_obj *obj;
	int r = begin(reg, uuid, &obj, err);

	if (r < 0)
		return r;
	r = agent_talk(obj->agent.fd, command, seconds(obj, timeout), ret_reply,
		       err);
	end(obj, r < 0 && is_broken(err));
	return r;
}

static struct json_object *make(const char *command, struct json_object *args)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "execute",
			       json_object_new_string(command));
	if (args)
		json_object_object_add(json, "arguments", args);
	return json;
}

int agent_call(struct registry *reg, const uint8_t uuid[UUID_LEN],
	       const char *command, struct json_object *args,
	       struct json_object **ret, struct error *err)
{
	struct json_object *json = make(command, args), *reply = NULL;
	int r = talk(reg, uuid, json, AGENT_WAIT_DEFAULT, &reply, err);

	json_object_put(json);
	if (r == 0 && ret)
		*ret = json_object_get(json_object_object_get(reply, "return"));
	json_object_put(reply);
	return r;
}

int agent_call_text(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    const char *text, int timeout, char **ret_reply,
		    struct error *err)
{
	struct json_object *json = json_tokener_parse(text), *reply = NULL;
	int r;

	if (!json_object_is_type(json, json_type_object)) {
		json_object_put(json);
		return error_virt(err, VIR_ERR_INVALID_ARG, "%s",
				  "the agent's command is not a JSON object");
	}
	/* The caller's "default" is 5 seconds, not what the domain's is. */
	r = talk(reg, uuid, json,
		 timeout == AGENT_WAIT_DEFAULT ? AGENT_SYNC_S : timeout, &reply,
		 err);
	json_object_put(json);
	if (r == 0)
		*ret_reply = xstrdup(json_object_to_json_string_ext(
			reply, JSON_C_TO_STRING_PLAIN));
	json_object_put(reply);
	return r;
}

/* The guest has no breath left to answer. */
static int call_last(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct json_object *json, struct error *err)
{
	struct dom_obj *obj;
	int r = begin(reg, uuid, &obj, err);

	if (r == 0) {
		r = agent_talk_last(obj->agent.fd, json, err);
		end(obj, true);
	}
	json_object_put(json);
	return r;
}

int agent_call_shutdown(struct registry *reg, const uint8_t uuid[UUID_LEN],
			const char *mode, struct error *err)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "mode", json_object_new_string(mode));
	return call_last(reg, uuid, make("guest-shutdown", args), err);
}

int agent_call_suspend(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       const char *command, struct error *err)
{
	return call_last(reg, uuid, make(command, NULL), err);
}

int agent_set_timeout(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      int timeout, struct error *err)
{
	struct dom_obj *obj;
	int r;

	if (timeout < VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "guest agent timeout '%d' is less than the "
				  "minimum '%d'",
				  timeout,
				  VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK);
	r = obj_look(reg, uuid, &obj, err);
	if (r < 0)
		return r;
	obj->agent.timeout = timeout;
	obj_looked(obj);
	return 0;
}
