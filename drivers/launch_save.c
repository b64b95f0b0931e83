/*
 * drivers/launch_save.c -- saving or dumping a guest that has a VMM, asking how
 * far that is, and looking into its memory.
 */
#include "drivers/launch.h"

#include <json-c/json.h>

#include "base/util.h"

int launch_save(struct domain *dom, const struct domain_saved *to,
		struct error *err)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "offset",
			       json_object_new_uint64(to->offset));
	json_object_object_add(
		args, "format",
		json_object_new_string(to->zstd ? "zstd" : "raw"));
	return monitor_call_long(dom->priv, "save", args, to->fd, NULL, err);
}

static uint64_t get_u64(struct json_object *json, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(json, key, &v) ?
		       json_object_get_uint64(v) :
		       0;
}

int launch_job_progress(struct domain *dom,
			struct domain_progress *ret_progress,
			struct error *err)
{
	struct json_object *ok = NULL;
	int r = monitor_call(dom->priv, "job", NULL, &ok, err);

	if (r < 0)
		return r;
	*ret_progress = (struct domain_progress){
		.elapsed_ns = get_u64(ok, "elapsed_ns"),
		.total = get_u64(ok, "total"),
		.done = get_u64(ok, "done"),
		.written = get_u64(ok, "written"),
		.zero = get_u64(ok, "zero"),
		.normal = get_u64(ok, "normal"),
		.remaining = get_u64(ok, "remaining"),
		.iterations = get_u64(ok, "iterations"),
		.dirty_rate = get_u64(ok, "dirty_rate"),
		.bps = get_u64(ok, "bps"),
		.downtime_ns = get_u64(ok, "downtime_ns"),
		.throttle = get_u64(ok, "throttle"),
	};
	json_object_put(ok);
	return 0;
}

int launch_job_cancel(struct domain *dom, struct error *err)
{
	return monitor_call(dom->priv, "cancel", NULL, NULL, err);
}

int launch_dump(struct domain *dom, int fd, bool live, struct error *err)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "live", json_object_new_boolean(live));
	return monitor_call_long(dom->priv, "dump", args, fd, NULL, err);
}

int launch_peek_memory(struct domain *dom, uint64_t at, uint64_t len,
		       bool linear, int fd, struct error *err)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "address", json_object_new_uint64(at));
	json_object_object_add(args, "length", json_object_new_uint64(len));
	json_object_object_add(args, "linear", json_object_new_boolean(linear));
	return monitor_call_fd(dom->priv, "peek", args, fd, NULL, err);
}
