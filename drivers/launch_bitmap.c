/*
 * drivers/launch_bitmap.c -- dirty bitmaps of a running machine's disks.
 */
#include <errno.h>
#include <json-c/json.h>

#include "base/error.h"
#include "drivers/launch.h"

int launch_bitmap_change(struct domain *dom, const char *alias,
			 const char *name, bool add, struct error *err)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "drive", json_object_new_string(alias));
	json_object_object_add(o, "name", json_object_new_string(name));
	json_object_object_add(o, "what",
			       json_object_new_string(add ? "add" : "remove"));
	return monitor_call(dom->priv, "bitmap-change", o, NULL, err);
}

static struct json_object *find(struct json_object *list, const char *name)
{
	size_t n = json_object_is_type(list, json_type_array) ?
			   json_object_array_length(list) :
			   0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (str_eq(json_object_get_string(
				   json_object_object_get(o, "name")),
			   name))
			return o;
	}
	return NULL;
}

int launch_bitmap_info(struct domain *dom, const char *alias,
		       const char *name, uint64_t *ret_dirty,
		       struct error *err)
{
	struct json_object *o = json_object_new_object(), *ok = NULL;
	int r;

	json_object_object_add(o, "drive", json_object_new_string(alias));
	r = monitor_call(dom->priv, "bitmaps", o, &ok, err);
	if (r < 0)
		return r;
	o = find(json_object_object_get(ok, "bitmaps"), name);
	if (!o || json_object_get_boolean(
			  json_object_object_get(o, "inconsistent")))
		r = error_set(err, -ESTALE,
			      "bitmap '%s' is missing or inconsistent", name);
	else
		*ret_dirty = json_object_get_uint64(
			json_object_object_get(o, "dirty"));
	json_object_put(ok);
	return r;
}
