/*
 * daemon/agent_json.h -- reading what a guest's agent said, which may be
 * anything: a member that is not there or of another type is absent.
 */
#ifndef DAEMON_AGENT_JSON_H
#define DAEMON_AGENT_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline struct json_object *json_member(struct json_object *json,
					      const char *key, json_type type)
{
	struct json_object *v = NULL;

	if (!json_object_is_type(json, json_type_object) ||
	    !json_object_object_get_ex(json, key, &v) ||
	    !json_object_is_type(v, type))
		return NULL;
	return v;
}

/* NULL: absent. */
static inline const char *json_string(struct json_object *json,
				      const char *key)
{
	struct json_object *v = json_member(json, key, json_type_string);

	return v ? json_object_get_string(v) : NULL;
}

static inline bool json_integer(struct json_object *json, const char *key,
				int64_t *ret)
{
	struct json_object *v = json_member(json, key, json_type_int);

	if (v)
		*ret = json_object_get_int64(v);
	return v;
}

/* An array of a member's, or json itself when key is NULL. */
static inline struct json_object *json_list(struct json_object *json,
					    const char *key, size_t *ret_n)
{
	struct json_object *v = key ? json_member(json, key, json_type_array) :
				      json;

	*ret_n = json_object_is_type(v, json_type_array) ?
			 json_object_array_length(v) :
			 0;
	return v;
}

#endif
