/*
 * daemon/migrate_cookie.c -- what two daemons tell each other about a guest
 * that migrates: JSON that the client passes on unread.
 */
#include <errno.h>
#include <json-c/json.h>
#include <libvirt/virterror.h>
#include <string.h>

#include "base/error.h"
#include "daemon/migrate.h"

enum { COOKIE_VERSION = 1, COOKIE_MAX = 4 << 20, DISKS_MAX = 1024,
       COOKIE_DEPTH = 6 };

void cookie_finish(struct migrate_cookie *c)
{
	free(c->boot);
	free(c->token);
	free(c->config);
	free(c->disks);
	memset(c, 0, sizeof(*c));
}

/* ---- out ---- */

static void add_text(struct json_object *o, const char *key, const char *text)
{
	if (text)
		json_object_object_add(o, key, json_object_new_string(text));
}

static void add_u64(struct json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

static void add_disks(struct json_object *o, const struct migrate_cookie *c)
{
	struct json_object *list = json_object_new_array();

	for (unsigned int i = 0; i < c->n_disks; i++) {
		struct json_object *d = json_object_new_object();

		add_text(d, "target", c->disks[i].target);
		add_u64(d, "dev", c->disks[i].dev);
		add_u64(d, "ino", c->disks[i].ino);
		json_object_object_add(
			d, "shared",
			json_object_new_boolean(c->disks[i].shared));
		json_object_array_add(list, d);
	}
	json_object_object_add(o, "disks", list);
}

/* The members of struct domain_progress, in one place for both ways. */
static const struct {
	const char *key;
	size_t offset;
} counters[] = {
#define COUNTER(name) { #name, offsetof(struct domain_progress, name) }
	COUNTER(elapsed_ns), COUNTER(total),	  COUNTER(done),
	COUNTER(written),    COUNTER(zero),	  COUNTER(normal),
	COUNTER(remaining),  COUNTER(iterations), COUNTER(dirty_rate),
	COUNTER(bps),	     COUNTER(downtime_ns), COUNTER(throttle),
#undef COUNTER
};

static void add_job(struct json_object *o, const struct domain_progress *p)
{
	struct json_object *job = json_object_new_object();

	for (size_t i = 0; i < ARRAY_SIZE(counters); i++)
		add_u64(job, counters[i].key,
			*(const uint64_t *)((const char *)p +
					    counters[i].offset));
	json_object_object_add(o, "job", job);
}

void cookie_write(const struct migrate_cookie *c, struct buf *ret_data)
{
	struct json_object *o = json_object_new_object();

	add_u64(o, "vireo", COOKIE_VERSION);
	add_text(o, "boot", c->boot);
	add_text(o, "token", c->token);
	add_text(o, "config", c->config);
	add_disks(o, c);
	if (c->has_job)
		add_job(o, &c->job);
	buf_puts(ret_data,
		 json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
	json_object_put(o);
}

/* ---- in ---- */

static char *get_text(struct json_object *o, const char *key)
{
	struct json_object *v = json_object_object_get(o, key);

	return json_object_is_type(v, json_type_string) ?
		       xstrdup(json_object_get_string(v)) :
		       NULL;
}

static uint64_t get_u64(struct json_object *o, const char *key)
{
	return json_object_get_uint64(json_object_object_get(o, key));
}

static void get_disk(struct json_object *o, struct migrate_disk *ret)
{
	_cleanup_free_ char *target = get_text(o, "target");

	snprintf(ret->target, sizeof(ret->target), "%s", target ? target : "");
	ret->dev = get_u64(o, "dev");
	ret->ino = get_u64(o, "ino");
	ret->shared = json_object_get_boolean(
		json_object_object_get(o, "shared"));
}

static void get_disks(struct json_object *o, struct migrate_cookie *c)
{
	struct json_object *list = json_object_object_get(o, "disks");
	size_t n = json_object_is_type(list, json_type_array) ?
			   json_object_array_length(list) :
			   0;

	c->n_disks = MIN(n, (size_t)DISKS_MAX);
	c->disks = xcalloc(c->n_disks + 1, sizeof(*c->disks));
	for (unsigned int i = 0; i < c->n_disks; i++)
		get_disk(json_object_array_get_idx(list, i), &c->disks[i]);
}

static void get_job(struct json_object *job, struct migrate_cookie *c)
{
	c->has_job = json_object_is_type(job, json_type_object);
	for (size_t i = 0; c->has_job && i < ARRAY_SIZE(counters); i++)
		*(uint64_t *)((char *)&c->job + counters[i].offset) =
			get_u64(job, counters[i].key);
}

static struct json_object *parse(const void *data, size_t len)
{
	struct json_tokener *tok = json_tokener_new_ex(COOKIE_DEPTH);
	struct json_object *o = json_tokener_parse_ex(tok, data, (int)len);

	json_tokener_free(tok);
	return o;
}

int cookie_read(const void *data, size_t len, struct migrate_cookie *ret_c,
		struct error *err)
{
	struct json_object *o;

	memset(ret_c, 0, sizeof(*ret_c));
	if (!len)
		return 0;
	o = len <= COOKIE_MAX ? parse(data, len) : NULL;
	if (!json_object_is_type(o, json_type_object) ||
	    get_u64(o, "vireo") != COOKIE_VERSION) {
		json_object_put(o);
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "the other host of the migration does not "
				  "run this version of Vireo");
	}
	ret_c->boot = get_text(o, "boot");
	ret_c->token = get_text(o, "token");
	ret_c->config = get_text(o, "config");
	get_disks(o, ret_c);
	get_job(json_object_object_get(o, "job"), ret_c);
	json_object_put(o);
	return 0;
}
