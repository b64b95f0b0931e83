/*
 * drivers/launch_blockjob.c -- jobs on the images of a running machine's disks.
 */
#include <errno.h>
#include <json-c/json.h>

#include "base/error.h"
#include "drivers/launch.h"
#include "model/disk_layers.h"
#include "vmm/control.h"
#include "vmm/spec.h"

static const char *const kinds[] = {
	[DOMAIN_BLOCKJOB_PULL] = "pull",
	[DOMAIN_BLOCKJOB_COMMIT] = "commit",
	[DOMAIN_BLOCKJOB_COPY] = "copy",
	[DOMAIN_BLOCKJOB_ACTIVE] = "active-commit",
	[DOMAIN_BLOCKJOB_BACKUP] = "backup",
	[DOMAIN_BLOCKJOB_EXPORT] = "export",
};
static const char *const states[] = {
	[DOMAIN_BLOCKJOB_RUNNING] = "running",
	[DOMAIN_BLOCKJOB_READY] = "ready",
	[DOMAIN_BLOCKJOB_COMPLETED] = "completed",
	[DOMAIN_BLOCKJOB_FAILED] = "failed",
	[DOMAIN_BLOCKJOB_CANCELED] = "canceled",
};
static const char *const whats[] = {
	[DOMAIN_BLOCKJOB_PIVOT] = "pivot",
	[DOMAIN_BLOCKJOB_ABORT] = "abort",
	[DOMAIN_BLOCKJOB_SPEED] = "speed",
	[DOMAIN_BLOCKJOB_FORGET] = "forget",
};

static int find_word(const char *const *words, unsigned int n,
		     struct json_object *o, const char *key)
{
	const char *word =
		json_object_get_string(json_object_object_get(o, key));

	for (unsigned int i = 0; i < n; i++)
		if (str_eq(words[i], word))
			return i;
	return -EPROTO;
}

/* One image, to be written. */
static int add_image(struct vmm_spec *s, const char *id,
		     const struct dom_layer *image, struct error *err)
{
	struct spec_disk *d = &s->disks[s->n_disks];

	if (!image)
		return 0;
	s->n_disks++;
	d->id = xstrdup(id);
	d->format = xstrdup(image->format ? image->format : "raw");
	d->fd = -1;
	return host_open_disk(image->source, false, image->is_device, err,
			      &d->fd);
}

static int build(const struct domain_blockjob *job, struct vmm_spec *s,
		 struct error *err)
{
	int r;

	s->disks = xcalloc(3, sizeof(*s->disks));
	s->n_disks = 1;
	r = launch_build_disk(job->after, 0, &s->disks[0], err);
	if (r >= 0)
		r = add_image(s, "into", job->into, err);
	if (r >= 0)
		r = add_image(s, "above", job->above, err);
	return r;
}

static void add_text(struct json_object *o, const char *key, const char *text)
{
	if (text)
		json_object_object_add(o, key, json_object_new_string(text));
}

static struct json_object *arguments(const struct domain_blockjob *job,
				     const char *devices)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "kind",
			       json_object_new_string(kinds[job->kind]));
	json_object_object_add(o, "devices", json_tokener_parse(devices));
	json_object_object_add(o, "top", json_object_new_int64(job->top));
	json_object_object_add(o, "bottom",
			       json_object_new_int64(job->bottom));
	json_object_object_add(o, "speed", json_object_new_int64(job->speed));
	json_object_object_add(o, "synchronous",
			       json_object_new_boolean(job->synchronous));
	add_text(o, "export", job->export);
	add_text(o, "bitmap", job->bitmap);
	add_text(o, "context", job->context);
	if (!job->backing)
		return o;
	json_object_object_add(o, "backing",
			       json_object_new_string(job->backing->source));
	json_object_object_add(
		o, "backing_format",
		json_object_new_string(job->backing->format ?
					       job->backing->format :
					       "raw"));
	return o;
}

int launch_blockjob_begin(struct domain *dom,
			  const struct domain_blockjob *job, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	int fds[CONTROL_FDS_MAX], r;
	struct vmm_spec s;
	unsigned int n = 0;

	vmm_spec_init(&s);
	r = build(job, &s, err);
	if (r >= 0) {
		text = vmm_spec_devices_to_json(&s, fds, ARRAY_SIZE(fds), &n,
						err);
		r = text ? monitor_call_fds(dom->priv, "blockjob",
					    arguments(job, text), fds, n,
					    err) :
			   -E2BIG;
	}
	vmm_spec_finish(&s);
	return r;
}

int launch_blockjob_change(struct domain *dom, const char *alias,
			   enum domain_blockjob_what what, uint64_t speed,
			   struct error *err)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "drive", json_object_new_string(alias));
	json_object_object_add(o, "what", json_object_new_string(whats[what]));
	json_object_object_add(o, "speed", json_object_new_int64(speed));
	return monitor_call(dom->priv, "blockjob-change", o, NULL, err);
}

static uint64_t get_u64(struct json_object *o, const char *key)
{
	return json_object_get_uint64(json_object_object_get(o, key));
}

static int read_info(struct json_object *o, struct domain_blockjob_info *ret,
		     struct error *err)
{
	const char *error =
		json_object_get_string(json_object_object_get(o, "error"));
	int kind = find_word(kinds, ARRAY_SIZE(kinds), o, "kind");
	int state = find_word(states, ARRAY_SIZE(states), o, "state");

	if (kind < 0 || state < 0)
		return error_set(err, -EPROTO,
				 "the machine does not keep to the protocol");
	*ret = (struct domain_blockjob_info){
		.kind = kind,
		.state = state,
		.current = get_u64(o, "current"),
		.end = get_u64(o, "end"),
		.speed = get_u64(o, "speed"),
	};
	snprintf(ret->error, sizeof(ret->error), "%s", error ? error : "");
	return 1;
}

/* The list of all; NULL: there is none, or it cannot be asked. */
static struct json_object *ask(struct domain *dom, struct json_object **ret_ok,
			       struct error *err)
{
	struct json_object *list = NULL;

	*ret_ok = NULL;
	if (monitor_call(dom->priv, "blockjobs", NULL, ret_ok, err) < 0)
		return NULL;
	json_object_object_get_ex(*ret_ok, "blockjobs", &list);
	return json_object_is_type(list, json_type_array) ? list : NULL;
}

static const char *drive_of(struct json_object *list, size_t i)
{
	return json_object_get_string(json_object_object_get(
		json_object_array_get_idx(list, i), "drive"));
}

int launch_blockjob_info(struct domain *dom, const char *alias,
			 struct domain_blockjob_info *ret, struct error *err)
{
	struct error why = { 0 };
	struct json_object *ok, *list = ask(dom, &ok, &why);
	int r = why.errnum;

	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		if (str_eq(drive_of(list, i), alias))
			r = read_info(json_object_array_get_idx(list, i), ret,
				      &why);
	json_object_put(ok);
	if (r < 0 && err)
		*err = why;
	return r;
}

void launch_find_blockjobs(struct domain *dom)
{
	struct json_object *ok, *list = ask(dom, &ok, NULL);

	for (size_t i = 0; list && i < json_object_array_length(list); i++)
		if (drive_of(list, i))
			domain_event(dom, DOMAIN_EVENT_BLOCKJOB,
				     drive_of(list, i));
	json_object_put(ok);
}

int launch_nbd_start(struct domain *dom, int fd, struct error *err)
{
	return monitor_call_fds(dom->priv, "nbd-start", NULL, &fd, 1, err);
}

int launch_nbd_stop(struct domain *dom, struct error *err)
{
	return monitor_call(dom->priv, "nbd-stop", NULL, NULL, err);
}
