/*
 * daemon/handlers_agent.c -- what the guest's agent does for clients: commands
 * as they are, file systems, time, users.  (What it tells: handlers_guestinfo.c.)
 */
#include <errno.h>
#include <string.h>

#include <json-c/json.h>
#include <libvirt/libvirt-qemu.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/base64.h"
#include "daemon/agent.h"
#include "daemon/agent_json.h"
#include "daemon/reply.h"

/* ---- the agent and its channel ---- */

int handle_domain_qemu_agent_command(struct call *call,
				     const wire_agent_command_args *args,
				     wire_optstr *reply, struct error *err)
{
	int timeout = args->timeout;
	char *text = NULL;
	int r = call_flags(call, args->flags, 0, err);

	if (r >= 0 && timeout < VIR_DOMAIN_QEMU_AGENT_COMMAND_MIN)
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "guest agent timeout '%d' is less than the "
			       "minimum '%d'", timeout,
			       VIR_DOMAIN_QEMU_AGENT_COMMAND_MIN);
	if (r >= 0)
		r = agent_call_text(call->reg, wire_uuid_of(&args->dom),
				    args->command, timeout, &text, err);
	if (r < 0)
		return r;
	*reply = xmalloc(sizeof(**reply));
	**reply = text;
	return 0;
}

int handle_domain_agent_set_response_timeout(struct call *call,
					     const wire_dom_int_flags *args,
					     wire_int *reply,
					     struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	return r < 0 ? r :
		       agent_set_timeout(call->reg, wire_uuid_of(&args->dom),
					 args->value, err);
}

int handle_domain_open_channel(struct call *call,
			       const wire_dom_optstr_flags *args,
			       struct error *err)
{
	return domain_open_channel(call->reg, wire_uuid_of(&args->dom),
				   opt(args->str), args->flags,
				   &call->stream_fd, err);
}

/* ---- file systems ---- */

/* freeze-list when there is a list. */
static int freeze(struct call *call, const wire_fsfreeze_args *args,
		  wire_int *reply, struct error *err)
{
	struct json_object *list = NULL, *json = NULL, *ret = NULL;
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	if (args->mountpoints.mountpoints_len) {
		list = json_object_new_array();
		for (u_int i = 0; i < args->mountpoints.mountpoints_len; i++)
			json_object_array_add(
				list,
				json_object_new_string(
					args->mountpoints.mountpoints_val[i]));
		json = json_object_new_object();
		json_object_object_add(json, "mountpoints", list);
	}
	r = agent_call(call->reg, wire_uuid_of(&args->dom),
		       list ? "guest-fsfreeze-freeze-list" :
			      "guest-fsfreeze-freeze",
		       json, &ret, err);
	if (r >= 0)
		*reply = json_object_get_int(ret);
	json_object_put(ret);
	return r;
}

int handle_domain_fsfreeze(struct call *call, const wire_fsfreeze_args *args,
			   wire_int *reply, struct error *err)
{
	return freeze(call, args, reply, err);
}

/* Always all of them: the agent's protocol has no other way. */
int handle_domain_fsthaw(struct call *call, const wire_fsfreeze_args *args,
			 wire_int *reply, struct error *err)
{
	struct json_object *ret = NULL;
	int r = call_flags(call, args->flags, 0, err);

	if (r >= 0)
		r = agent_call(call->reg, wire_uuid_of(&args->dom),
			       "guest-fsfreeze-thaw", NULL, &ret, err);
	if (r >= 0)
		*reply = json_object_get_int(ret);
	json_object_put(ret);
	return r;
}

int handle_domain_fstrim(struct call *call, const wire_fstrim_args *args,
			 struct error *err)
{
	struct json_object *json;
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	if (args->mountpoint)
		return error_virt(err, VIR_ERR_ARGUMENT_UNSUPPORTED, "%s",
				  "Specifying mount point is not supported for "
				  "now");
	json = json_object_new_object();
	json_object_object_add(json, "minimum",
			       json_object_new_uint64(args->minimum));
	return agent_call(call->reg, wire_uuid_of(&args->dom), "guest-fstrim",
			  json, NULL, err);
}

/* ---- sleep ---- */

int handle_domain_pm_suspend_for_duration(struct call *call,
					  const wire_pm_suspend_args *args,
					  struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	if (r < 0)
		return r;
	if (args->duration)
		return error_virt(err, VIR_ERR_ARGUMENT_UNSUPPORTED, "%s",
				  "Duration not supported. Use 0 for now");
	if (args->target > VIR_NODE_SUSPEND_TARGET_HYBRID)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "Unknown suspend target: %u", args->target);
	return domain_pm_suspend(call->reg, wire_uuid_of(&args->dom),
				 args->target, err);
}

int handle_domain_pm_wakeup(struct call *call, const wire_dom_flags *args,
			    struct error *err)
{
	int r = call_flags(call, args->flags, 0, err);

	return r < 0 ? r :
		       domain_pm_wakeup(call->reg, wire_uuid_of(&args->dom),
					err);
}

/* ---- time ---- */

enum { NS = 1000000000 };

int handle_domain_get_time(struct call *call, const wire_dom_flags *args,
			   wire_guest_time *reply, struct error *err)
{
	struct json_object *ret = NULL;
	int64_t ns;
	int r = call_flags(call, args->flags, 0, err);

	if (r >= 0)
		r = agent_call(call->reg, wire_uuid_of(&args->dom),
			       "guest-get-time", NULL, &ret, err);
	if (r < 0)
		return r;
	ns = json_object_get_int64(ret);
	json_object_put(ret);
	reply->seconds = ns / NS;
	reply->nseconds = ns % NS >= 0 ? ns % NS : 0;
	return 0;
}

/* With the flag the guest takes its clock's time instead. */
int handle_domain_set_time(struct call *call, const wire_set_time_args *args,
			   struct error *err)
{
	struct json_object *json = NULL;
	int64_t ns;
	int r = call_flags(call, args->flags, VIR_DOMAIN_TIME_SYNC, err);

	if (r < 0)
		return r;
	if (ckd_mul(&ns, args->seconds, (int64_t)NS) ||
	    ckd_add(&ns, ns, (int64_t)args->nseconds))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "Time '%lld' is too big for guest agent",
				  (long long)args->seconds);
	if (!(args->flags & VIR_DOMAIN_TIME_SYNC)) {
		json = json_object_new_object();
		json_object_object_add(json, "time",
				       json_object_new_int64(ns));
	}
	return agent_call(call->reg, wire_uuid_of(&args->dom), "guest-set-time",
			  json, NULL, err);
}

/* ---- users ---- */

int handle_domain_set_user_password(struct call *call,
				    const wire_set_password_args *args,
				    struct error *err)
{
	const char *user = opt(args->user), *password = opt(args->password);
	bool crypted = args->flags & VIR_DOMAIN_PASSWORD_ENCRYPTED;
	_cleanup_free_ char *text = NULL;
	struct json_object *json;
	int r = call_flags(call, args->flags, VIR_DOMAIN_PASSWORD_ENCRYPTED,
			   err);

	if (r < 0)
		return r;
	if (!user || !password)
		return error_virt(err, VIR_ERR_INVALID_ARG, "%s",
				  "a user and a password are needed");
	text = base64_encode(password, strlen(password));
	json = json_object_new_object();
	json_object_object_add(json, "crypted",
			       json_object_new_boolean(crypted));
	json_object_object_add(json, "username", json_object_new_string(user));
	json_object_object_add(json, "password", json_object_new_string(text));
	return agent_call(call->reg, wire_uuid_of(&args->dom),
			  "guest-set-user-password", json, NULL, err);
}

static struct json_object *of_user(const char *user)
{
	struct json_object *json = json_object_new_object();

	json_object_object_add(json, "username", json_object_new_string(user));
	return json;
}

int handle_domain_authorized_ssh_keys_get(struct call *call,
					  const wire_dom_str_flags *args,
					  wire_ssh_keys *reply,
					  struct error *err)
{
	struct json_object *ret = NULL, *keys;
	size_t n;
	int r = call_flags(call, args->flags, 0, err);

	if (r >= 0)
		r = agent_call(call->reg, wire_uuid_of(&args->dom),
			       "guest-ssh-get-authorized-keys",
			       of_user(args->str), &ret, err);
	if (r < 0)
		return r;
	keys = json_list(ret, "keys", &n);
	reply->keys.keys_val = xcalloc(n + 1, sizeof(char *));
	for (size_t i = 0; i < n; i++) {
		const char *key = json_object_get_string(
			json_object_array_get_idx(keys, i));

		reply->keys.keys_val[reply->keys.keys_len++] =
			xstrdup(key ? key : "");
	}
	json_object_put(ret);
	return 0;
}

/* Without a flag the keys take the place of those that are there. */
int handle_domain_authorized_ssh_keys_set(struct call *call,
					  const wire_set_ssh_keys_args *args,
					  struct error *err)
{
	const unsigned int append = VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND;
	const unsigned int remove = VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE;
	struct json_object *json, *keys;
	int r = call_flags(call, args->flags, append | remove, err);

	if (r >= 0 && args->flags == (append | remove))
		r = error_virt(err, VIR_ERR_INVALID_ARG, "%s",
			       "keys are appended or removed, not both");
	if (r < 0)
		return r;
	keys = json_object_new_array();
	for (u_int i = 0; i < args->keys.keys_len; i++)
		json_object_array_add(
			keys, json_object_new_string(args->keys.keys_val[i]));
	json = of_user(args->user);
	json_object_object_add(json, "keys", keys);
	if (!args->flags)
		json_object_object_add(json, "reset",
				       json_object_new_boolean(true));
	return agent_call(call->reg, wire_uuid_of(&args->dom),
			  args->flags & remove ?
				  "guest-ssh-remove-authorized-keys" :
				  "guest-ssh-add-authorized-keys",
			  json, NULL, err);
}
