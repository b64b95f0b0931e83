/*
 * vmm/control_devices.c -- the control socket's requests about devices.
 */
#include "vmm/control_priv.h"

#include <errno.h>
#include <sys/resource.h>

#include "vmm/dirtyrate.h"
#include "vmm/display.h"
#include "vmm/hotplug.h"
#include "vmm/input.h"
#include "vmm/numa.h"
#include "vmm/outflow.h"
#include "vmm/peek.h"

enum { HOLD_MS_MAX = 60000 };

static struct json_object *member_object(struct json_object *o,
					 const char *key)
{
	struct json_object *v = json_object_object_get(o, key);

	if (!v) {
		v = json_object_new_object();
		json_object_object_add(o, key, v);
	}
	return v;
}

static void control_emit(void *arg, const char *group, const char *id,
			 const char *name, uint64_t value)
{
	struct json_object *o = member_object(arg, group);

	control_add_u64(id ? member_object(o, id) : o, name, value);
}

static void control_emit_engine(void *arg, const char *name, uint64_t value)
{
	control_add_u64(member_object(arg, "engine"), name, value);
}

static uint64_t ns_of(const struct timeval *tv)
{
	return (uint64_t)tv->tv_sec * 1000000000u +
	       (uint64_t)tv->tv_usec * 1000u;
}

/* What vCPUs did in other processes was the guest's. */
static void add_process(struct control *c, struct json_object *ok)
{
	struct rusage u; /* #syscalls:vmm getrusage */

	if (getrusage(RUSAGE_SELF, &u) < 0)
		return;
	control_add_u64(ok, "user_ns",
			ns_of(&u.ru_utime) + machine_ns_elsewhere(c->m));
	control_add_u64(ok, "system_ns", ns_of(&u.ru_stime));
}

static void add_dirtyrate(struct control *c, struct json_object *ok)
{
	struct json_object *o = member_object(ok, "dirty_rate");
	struct dirtyrate_result d;

	dirtyrate_get(c->dirtyrate, &d);
	control_add_u64(o, "status", d.status);
	control_add_u64(o, "log", d.log);
	control_add_u64(o, "seconds", d.seconds);
	control_add_u64(o, "start", d.start);
	control_add_u64(o, "bytes_per_second", d.bytes_per_second);
}

int control_stats(struct control *c, struct json_object *req,
		  struct json_object *ok, struct error *err)
{
	static const char *const groups[] = { "disks", "nics", "balloon",
					      "memory", "engine" };

	json_object_object_add(ok, "cpu_ns", control_cpu_ns(c));
	add_process(c, ok);
	add_dirtyrate(c, ok);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		member_object(ok, groups[i]);
	machine_stats(c->m, control_emit, ok);
	if (c->m->engine->stats)
		c->m->engine->stats(c->m->vm, control_emit_engine, ok);
	return 0;
}

int control_balloon(struct control *c, struct json_object *req,
		    struct json_object *ok, struct error *err)
{
	struct json_object *v = json_object_object_get(req, "target");
	int r;

	if (!json_object_is_type(v, json_type_int) ||
	    json_object_get_int64(v) <= 0)
		return error_set(err, -EINVAL, "\"target\" is not a size");
	r = machine_set_balloon(c->m, json_object_get_int64(v));
	if (r == -ENOENT)
		return error_set(err, r, "the machine has no balloon");
	return r;
}

int control_memory(struct control *c, struct json_object *req,
		   struct json_object *ok, struct error *err)
{
	struct json_object *id = json_object_object_get(req, "device");
	struct json_object *v = json_object_object_get(req, "requested");

	if (!json_object_is_type(id, json_type_string) ||
	    !json_object_is_type(v, json_type_int) ||
	    json_object_get_int64(v) < 0)
		return error_set(err, -EINVAL,
				 "\"device\" or \"requested\" is missing");
	return machine_set_memory(c->m, json_object_get_string(id),
				  json_object_get_int64(v), err);
}

int control_nodes(struct control *c, struct json_object *req,
		  struct json_object *ok, struct error *err)
{
	struct json_object *v = json_object_object_get(req, "nodes");
	struct numa_move *move = NULL;
	int r;

	if (!json_object_is_type(v, json_type_string))
		return error_set(err, -EINVAL, "\"nodes\" is missing");
	numa_move_destroy(steal_ptr(&c->numa_move));
	r = numa_move_begin(c->m, json_object_get_string(v), &move, err);
	if (r < 0)
		return r;
	c->numa_move = move;
	/* For memory devices that come. */
	c->spec.mem_policy = SPEC_NUMA_STRICT;
	free(c->spec.mem_nodes);
	c->spec.mem_nodes = xstrdup(json_object_get_string(v));
	return 0;
}

int control_dirtyrate(struct control *c, struct json_object *req,
		      struct json_object *ok, struct error *err)
{
	struct json_object *v = json_object_object_get(req, "seconds");
	bool log = json_object_get_boolean(json_object_object_get(req, "log"));

	if (!json_object_is_type(v, json_type_int) ||
	    json_object_get_int64(v) < 1 || json_object_get_int64(v) > 60)
		return error_set(err, -EINVAL, "\"seconds\" is not 1 to 60");
	if (c->in && postcopy_in_state(c->in) != POSTCOPY_DONE)
		return error_set(err, -EBUSY,
				 "the guest's memory is still coming");
	if (!c->dirtyrate)
		c->dirtyrate = dirtyrate_create(c->m);
	return dirtyrate_begin(c->dirtyrate,
			       (unsigned int)json_object_get_int64(v), log,
			       err);
}

int control_balloon_period(struct control *c, struct json_object *req,
			   struct json_object *ok, struct error *err)
{
	struct json_object *v = json_object_object_get(req, "seconds");
	int r;

	if (!json_object_is_type(v, json_type_int) ||
	    json_object_get_int64(v) < 0 ||
	    json_object_get_int64(v) > INT32_MAX)
		return error_set(err, -EINVAL, "\"seconds\" is not a number");
	r = machine_set_balloon_period(c->m, json_object_get_int64(v));
	return r < 0 ? error_set(err, r, "the machine has no balloon") : 0;
}

int control_link(struct control *c, struct json_object *req,
		 struct json_object *ok, struct error *err)
{
	struct json_object *nic = json_object_object_get(req, "nic");
	struct json_object *up = json_object_object_get(req, "up");
	int r;

	if (!json_object_is_type(nic, json_type_string) ||
	    !json_object_is_type(up, json_type_boolean))
		return error_set(err, -EINVAL,
				 "\"nic\" or \"up\" is missing");
	r = machine_set_link(c->m, json_object_get_string(nic),
			     json_object_get_boolean(up));
	if (r == -ENOENT)
		return error_set(err, r, "there is no network card '%s'",
				 json_object_get_string(nic));
	return r;
}

/* Linux codes; libvirt allows sixteen at once. */
int control_keys(struct control *c, struct json_object *req,
		 struct json_object *ok, struct error *err)
{
	struct json_object *codes = json_object_object_get(req, "codes");
	struct json_object *hold = json_object_object_get(req, "hold_ms");
	unsigned int code[INPUT_KEYS_MAX], n;

	if (!json_object_is_type(codes, json_type_array) ||
	    !json_object_is_type(hold, json_type_int) ||
	    json_object_array_length(codes) > INPUT_KEYS_MAX)
		return error_set(err, -EINVAL,
				 "\"codes\" or \"hold_ms\" is not right");
	n = json_object_array_length(codes);
	for (unsigned int i = 0; i < n; i++)
		code[i] = json_object_get_int(
			json_object_array_get_idx(codes, i));
	input_send_keys(c->m->input, code, n,
			MIN(MAX(json_object_get_int64(hold), 0), HOLD_MS_MAX));
	return 0;
}

/* The descriptor that came along takes the picture. */
int control_screenshot(struct control *c, struct json_object *req,
		       struct json_object *ok, struct error *err)
{
	size_t len;
	char *ppm;

	if (c->n_fds != 1)
		return error_set(err, -EINVAL, "a screenshot needs somewhere "
				 "to go");
	if (!display_exists(c->m->display))
		return error_set(err, -ENODEV,
				 "the machine has no graphics card");
	ppm = display_ppm(c->m->display, &len);
	if (!ppm)
		return error_set(err, -EAGAIN,
				 "the guest shows no picture yet");
	control_add_str(ok, "mime", "image/x-portable-pixmap");
	outflow_start(c->loop, c->fds[--c->n_fds], ppm, len);
	return 0;
}

static int control_index(struct json_object *req, unsigned int *ret)
{
	struct json_object *v = json_object_object_get(req, "index");

	if (!json_object_is_type(v, json_type_int))
		return -EINVAL;
	*ret = json_object_get_int(v);
	return 0;
}

int control_vnc_client(struct control *c, struct json_object *req,
		       struct json_object *ok, struct error *err)
{
	unsigned int index;
	int r;

	if (c->n_fds != 1 || control_index(req, &index) < 0)
		return error_set(err, -EINVAL,
				 "\"index\" or the client's socket is missing");
	r = machine_vnc_client(
		c->m, index, c->fds[--c->n_fds],
		json_object_get_boolean(json_object_object_get(req, "trusted")));
	return r < 0 ? error_set(err, r, "no VNC server takes it: %m") : 0;
}

/* The guest's connection to a port of the host's, or none. */
int control_vsock_connected(struct control *c, struct json_object *req,
			    struct json_object *ok, struct error *err)
{
	struct json_object *port = json_object_object_get(req, "port");

	if (!c->m || !json_object_is_type(port, json_type_int) ||
	    json_object_get_int64(port) < 0 ||
	    json_object_get_int64(port) > UINT32_MAX)
		return error_set(err, -EINVAL, "\"port\" is not one");
	machine_vsock_connected(c->m, json_object_get_int64(port),
				c->n_fds ? c->fds[--c->n_fds] : -1);
	return 0;
}

static int set_vnc_password(struct control *c, unsigned int index,
			    struct json_object *req,
			    struct json_object *password,
			    struct error *err)
{
	static const char *const words[] = { "keep", "fail", "disconnect" };
	struct json_object *until = json_object_object_get(req, "valid_to");
	const char *word = json_object_get_string(
		json_object_object_get(req, "viewers"));
	unsigned int viewers = VIEWERS_KEEP;
	int r;

	while (word && viewers < ARRAY_SIZE(words) &&
	       !str_eq(word, words[viewers]))
		viewers++;
	if (viewers == ARRAY_SIZE(words))
		return error_set(err, -EINVAL, "\"viewers\" is not right");
	r = machine_vnc_password(
		c->m, index, password ? json_object_get_string(password) : NULL,
		json_object_get_int64(until), viewers);
	if (r == -EBUSY)
		return error_set(err, r, "somebody looks at VNC server %u",
				 index);
	if (r == -EOPNOTSUPP)
		return error_set(err, r,
				 "the module for VNC's passwords was not loaded");
	return r < 0 ? error_set(err, r, "there is no VNC server %u", index) :
		       0;
}

int control_vnc_password(struct control *c, struct json_object *req,
			 struct json_object *ok, struct error *err)
{
	struct json_object *password = json_object_object_get(req, "password");
	unsigned int index;

	if (control_index(req, &index) < 0 ||
	    (password && !json_object_is_type(password, json_type_string)))
		return error_set(err, -EINVAL,
				 "\"index\" or \"password\" is not right");
	return set_vnc_password(c, index, req, password, err);
}

int control_vcpus(struct control *c, struct json_object *req,
		  struct json_object *ok, struct error *err)
{
	struct json_object *count = json_object_object_get(req, "count");
	int r = 0;

	if (json_object_is_type(count, json_type_int))
		r = machine_set_vcpus(c->m, json_object_get_int(count), err);
	control_add_u64(ok, "count", machine_vcpus(c->m));
	return r;
}

/* Without a descriptor the drive is empty then. */
int control_insert(struct control *c, struct json_object *req,
		   struct json_object *ok, struct error *err)
{
	struct json_object *id = json_object_object_get(req, "drive");
	struct json_object *format = json_object_object_get(req, "format");
	bool force = json_object_get_boolean(
		json_object_object_get(req, "force"));
	int r;

	if (c->n_fds > 1 || !json_object_is_type(id, json_type_string) ||
	    !json_object_is_type(format, json_type_string))
		return error_set(err, -EINVAL,
				 "\"drive\" or \"format\" is not right");
	r = machine_insert(c->m, json_object_get_string(id),
			   json_object_get_string(format),
			   c->n_fds ? c->fds[0] : -1, force, err);
	if (r == 0)
		c->n_fds = 0; /* the drive's */
	return r;
}

int control_resize(struct control *c, struct json_object *req,
		   struct json_object *ok, struct error *err)
{
	struct json_object *id = json_object_object_get(req, "drive");
	struct json_object *size = json_object_object_get(req, "size");

	if (!json_object_is_type(id, json_type_string) ||
	    !json_object_is_type(size, json_type_int) ||
	    json_object_get_int64(size) < 0)
		return error_set(err, -EINVAL,
				 "\"drive\" or \"size\" is not right");
	return machine_resize_disk(c->m, json_object_get_string(id),
				   json_object_get_int64(size), err);
}

/* Guest memory, to a file. */
int control_peek(struct control *c, struct json_object *req,
		 struct json_object *ok, struct error *err)
{
	struct json_object *at = json_object_object_get(req, "address");
	int64_t len = json_object_get_int64(
		json_object_object_get(req, "length"));

	if (c->n_fds != 1 || !json_object_is_type(at, json_type_int) ||
	    len < 0 || len > CONTROL_PEEK_MAX)
		return error_set(err, -EINVAL,
				 "\"address\" or \"length\" is not right");
	return peek_memory(c->m, json_object_get_uint64(at), len,
			   json_object_get_boolean(
				   json_object_object_get(req, "linear")),
			   c->fds[0], err);
}

int control_plug(struct control *c, struct json_object *req,
		 struct json_object *ok, struct error *err)
{
	struct json_object *devices = json_object_object_get(req, "devices");
	unsigned int n = c->n_fds;
	struct vmm_spec spec;
	int r;

	c->n_fds = 0; /* the description's from here on */
	r = vmm_spec_devices_from_json(devices, c->fds, n, &spec, err);
	return r < 0 ? r : hotplug_plug(c->hotplug, &spec, err);
}

/* The new images are ours to write from here on. */
static void adopt_images(struct control *c, struct vmm_spec *spec)
{
	for (unsigned int i = 0; i < spec->n_disks; i++) {
		control_claim_disk(&spec->disks[i], NULL);
		hotplug_take_images(c->hotplug, &spec->disks[i]);
	}
}

int control_switch(struct control *c, struct json_object *req,
		   struct json_object *ok, struct error *err)
{
	struct json_object *devices = json_object_object_get(req, "devices");
	bool running = c->state == STATE_RUNNING;
	unsigned int n = c->n_fds;
	struct vmm_spec spec;
	int r;

	c->n_fds = 0; /* the description's from here on */
	r = vmm_spec_devices_from_json(devices, c->fds, n, &spec, err);
	if (r < 0)
		return r;
	if (running)
		machine_pause(c->m);
	r = machine_switch_disks(c->m, &spec, err);
	if (r == 0)
		adopt_images(c, &spec);
	if (running)
		machine_run(c->m);
	vmm_spec_finish(&spec);
	return r;
}

/* Other limits for disks that are there. */
int control_limit(struct control *c, struct json_object *req,
		  struct json_object *ok, struct error *err)
{
	struct json_object *devices = json_object_object_get(req, "devices");
	struct vmm_spec spec;
	int r = vmm_spec_devices_from_json(devices, NULL, 0, &spec, err);

	if (r < 0)
		return r;
	r = machine_limit_disks(c->m, &spec, err);
	vmm_spec_finish(&spec);
	return r;
}

int control_unplug(struct control *c, struct json_object *req,
		   struct json_object *ok, struct error *err)
{
	struct json_object *id = json_object_object_get(req, "device");
	bool gone;
	int r;

	if (!json_object_is_type(id, json_type_string))
		return error_set(err, -EINVAL, "\"device\" is missing");
	r = hotplug_unplug(c->hotplug, json_object_get_string(id), &gone, err);
	if (r == 0 && gone)
		control_tell_device(c, "unplugged", json_object_get_string(id));
	return r;
}

int control_devices(struct control *c, struct json_object *req,
		    struct json_object *ok, struct error *err)
{
	json_object_object_add(ok, "devices", hotplug_present(c->hotplug));
	return 0;
}

/* Another client for a port of the console. */
int control_connect(struct control *c, struct json_object *req,
		    struct json_object *ok, struct error *err)
{
	struct json_object *id = json_object_object_get(req, "port");
	bool force = json_object_get_boolean(
		json_object_object_get(req, "force"));
	int r;

	if (c->n_fds != 1 || !json_object_is_type(id, json_type_string))
		return error_set(err, -EINVAL,
				 "\"port\" or the client's socket is missing");
	r = machine_connect(c->m, json_object_get_string(id), c->fds[0], force);
	if (r == 0)
		c->n_fds = 0; /* the port's */
	else if (r == -EBUSY)
		error_set(err, r, "another client uses port '%s'",
			  json_object_get_string(id));
	else
		error_set(err, r, "there is no port '%s' for clients",
			  json_object_get_string(id));
	return r;
}
