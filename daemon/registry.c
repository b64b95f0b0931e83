/*
 * daemon/registry.c -- the set of domains: opening it, finding objects in it.
 */
#include "daemon/autostart.h"
#include "daemon/backup.h"
#include "daemon/registry.h"
#include "daemon/checkpoint.h"
#include "daemon/snapshot.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

#define LOG_MODULE "domain"
#include "base/log.h"

/* One for each URI path, opened before threads start, closed after them. */
static struct registry *registries;
/* Those closed with guests that run on: their drivers may still call. */
static struct registry *abandoned;

enum { JOB_TIMEOUT_MS = 30000, DESTROY_GRACE_MS = 1000 };

/* ---- objects ---- */

struct dom_obj *obj_create_locked(struct registry *reg,
				  const uint8_t uuid[UUID_LEN],
				  const char *name)
{
	struct dom_obj *obj = xcalloc(1, sizeof(*obj));

	memcpy(obj->d.uuid, uuid, UUID_LEN);
	obj->d.name = xstrdup(name);
	obj->d.id = -1;
	obj->reg = reg;
	obj->refs = 1; /* the registry's */
	pthread_cond_init(&obj->async.idle, NULL);
	agent_init(&obj->agent);
	obj->listed = true;
	obj->state = VIR_DOMAIN_SHUTOFF;
	obj->prev = reg->last;
	*(reg->last ? &reg->last->next : &reg->first) = obj;
	reg->last = obj;
	index_insert(&reg->by_uuid, &obj->by_uuid, index_hash(uuid, UUID_LEN));
	index_insert(&reg->by_name, &obj->by_name,
		     index_hash(name, strlen(name)));
	return obj;
}

static void obj_free(struct dom_obj *obj)
{
	struct pending_event *ev;

	agent_finish(&obj->agent);
	while ((ev = obj->events)) {
		obj->events = ev->next;
		free(ev);
	}
	snapshots_free(obj->snapshots);
	checkpoints_free(obj->checkpoints);
	backup_free(obj->backup);
	domain_def_free(obj->config);
	domain_def_free(obj->boot);
	domain_def_free(obj->d.live);
	pthread_cond_destroy(&obj->async.idle);
	free(obj->d.name);
	free(obj);
}

void obj_unref_locked(struct dom_obj *obj)
{
	if (--obj->refs == 0)
		obj_free(obj);
}

void obj_looked(struct dom_obj *obj)
{
	struct registry *reg = obj->reg;

	obj_unref_locked(obj);
	pthread_mutex_unlock(&reg->lock);
}

void obj_unref(struct dom_obj *obj)
{
	pthread_mutex_lock(&obj->reg->lock);
	obj_looked(obj);
}

void obj_remove_locked(struct dom_obj *obj)
{
	struct registry *reg = obj->reg;

	index_remove(&reg->by_uuid, &obj->by_uuid);
	index_remove(&reg->by_name, &obj->by_name);
	*(obj->prev ? &obj->prev->next : &reg->first) = obj->next;
	*(obj->next ? &obj->next->prev : &reg->last) = obj->prev;
	obj->listed = false;
	obj_unref_locked(obj);
}

void obj_rename_locked(struct dom_obj *obj, const char *name)
{
	struct registry *reg = obj->reg;

	index_remove(&reg->by_name, &obj->by_name);
	free(obj->d.name);
	obj->d.name = xstrdup(name);
	index_insert(&reg->by_name, &obj->by_name,
		     index_hash(name, strlen(name)));
}

struct dom_obj *obj_find_uuid_locked(struct registry *reg,
				     const uint8_t uuid[UUID_LEN])
{
	struct index_node *n =
		index_first(&reg->by_uuid, index_hash(uuid, UUID_LEN));

	for (; n; n = index_next(n)) {
		struct dom_obj *obj = container_of(n, struct dom_obj, by_uuid);

		if (memcmp(obj->d.uuid, uuid, UUID_LEN) == 0)
			return obj;
	}
	return NULL;
}

struct dom_obj *obj_find_name_locked(struct registry *reg, const char *name)
{
	struct index_node *n =
		index_first(&reg->by_name, index_hash(name, strlen(name)));

	for (; n; n = index_next(n)) {
		struct dom_obj *obj = container_of(n, struct dom_obj, by_name);

		if (str_eq(obj->d.name, name))
			return obj;
	}
	return NULL;
}

static struct dom_obj *find_id_locked(struct registry *reg, int id)
{
	struct index_node *n =
		index_first(&reg->by_id, index_hash(&id, sizeof(id)));

	for (; n; n = index_next(n)) {
		struct dom_obj *obj = container_of(n, struct dom_obj, by_id);

		if (obj->d.id == id)
			return obj;
	}
	return NULL;
}

const struct domain_def *obj_live_locked(const struct dom_obj *obj)
{
	return obj->boot ? obj->boot : obj->d.live;
}

void obj_ref_fill(const struct dom_obj *obj, struct domain_ref *ret)
{
	memcpy(ret->uuid, obj->d.uuid, UUID_LEN);
	snprintf(ret->name, sizeof(ret->name), "%s", obj->d.name);
	ret->id = obj->d.id;
}

int obj_gone(const uint8_t uuid[UUID_LEN], struct error *err)
{
	char text[UUID_STR_LEN];

	uuid_format(uuid, text);
	return error_virt(err, VIR_ERR_NO_DOMAIN,
			  "no domain with matching uuid '%s'", text);
}

int obj_look(struct registry *reg, const uint8_t uuid[UUID_LEN],
	     struct dom_obj **ret_obj, struct error *err)
{
	struct dom_obj *obj;

	pthread_mutex_lock(&reg->lock);
	obj = obj_find_uuid_locked(reg, uuid);
	if (!obj || obj->hidden) {
		pthread_mutex_unlock(&reg->lock);
		return obj_gone(uuid, err);
	}
	obj->refs++;
	*ret_obj = obj;
	return 0;
}

int obj_get(struct registry *reg, const uint8_t uuid[UUID_LEN],
	    struct dom_obj **ret_obj, struct error *err)
{
	int r = obj_look(reg, uuid, ret_obj, err);

	if (r == 0)
		pthread_mutex_unlock(&reg->lock);
	return r;
}

int obj_begin(struct registry *reg, const uint8_t uuid[UUID_LEN],
	      const char *job, struct dom_obj **ret_obj, struct error *err)
{
	struct dom_obj *obj;
	int r = obj_get(reg, uuid, &obj, err);

	if (r < 0)
		return r;
	r = job_begin(obj, job, err);
	if (r == 0 && !obj->listed) { /* removed while we waited */
		job_end(obj);
		r = obj_gone(uuid, err);
	}
	if (r == 0) {
		r = migrate_protects(obj, job, err);
		if (r < 0)
			job_end(obj);
	}
	if (r < 0) {
		obj_unref(obj);
		return r;
	}
	*ret_obj = obj;
	return 0;
}

void obj_end(struct dom_obj *obj)
{
	job_end(obj);
	obj_unref(obj);
}

/* ---- claiming a name and a uuid ---- */

static int uuid_taken(const struct dom_obj *obj, struct error *err)
{
	char text[UUID_STR_LEN];

	uuid_format(obj->d.uuid, text);
	return error_virt(err, VIR_ERR_OPERATION_FAILED,
			  "domain '%s' is already defined with uuid %s",
			  obj->d.name, text);
}

static int name_taken(const struct dom_obj *obj, struct error *err)
{
	char text[UUID_STR_LEN];

	uuid_format(obj->d.uuid, text);
	return error_virt(err, VIR_ERR_OPERATION_FAILED,
			  "domain '%s' already exists with uuid %s",
			  obj->d.name, text);
}

/* 1: made new, with its job; 0: found, job still to be had. */
static int find_or_create_locked(struct registry *reg,
				 const struct domain_def *def, const char *job,
				 struct dom_obj **ret_obj, struct error *err)
{
	struct dom_obj *obj = obj_find_uuid_locked(reg, def->uuid);
	struct dom_obj *other = obj_find_name_locked(reg, def->name);
	bool created = !obj;

	if (obj && obj != other)
		return uuid_taken(obj, err);
	if (other && other != obj)
		return name_taken(other, err);
	if (created) {
		obj = obj_create_locked(reg, def->uuid, def->name);
		obj->hidden = true;
		obj->job = job;
	}
	obj->refs++;
	*ret_obj = obj;
	return created;
}

int obj_claim(struct registry *reg, const struct domain_def *def,
	      const char *job, struct dom_obj **ret_obj, struct error *err)
{
	for (;;) {
		struct dom_obj *obj = NULL;
		int r;

		pthread_mutex_lock(&reg->lock);
		r = find_or_create_locked(reg, def, job, &obj, err);
		pthread_mutex_unlock(&reg->lock);
		if (r < 0)
			return r;
		if (r == 0) {
			r = job_begin(obj, job, err);
			if (r < 0) {
				obj_unref(obj);
				return r;
			}
		}
		if (obj->listed && str_eq(obj->d.name, def->name)) {
			*ret_obj = obj;
			return 0;
		}
		obj_end(obj); /* removed or renamed while we waited */
	}
}

void obj_unclaim(struct dom_obj *obj)
{
	struct registry *reg = obj->reg;

	pthread_mutex_lock(&reg->lock);
	if (obj->hidden && obj->listed)
		obj_remove_locked(obj);
	pthread_mutex_unlock(&reg->lock);
	obj_end(obj);
}

/* ---- telling the subscriber ---- */

void notify(struct dom_obj *obj, struct domain_notice *n)
{
	struct registry *reg = obj->reg;
	void (*fn)(void *arg, const struct domain_notice *n);
	void *arg;

	pthread_mutex_lock(&reg->lock);
	fn = reg->notify;
	arg = reg->notify_arg;
	obj_ref_fill(obj, &n->dom);
	pthread_mutex_unlock(&reg->lock);
	if (fn)
		fn(arg, n);
}

void registry_tell(struct registry *reg, const struct domain_notice *n)
{
	void (*fn)(void *arg, const struct domain_notice *n);
	void *arg;

	pthread_mutex_lock(&reg->lock);
	fn = reg->notify;
	arg = reg->notify_arg;
	pthread_mutex_unlock(&reg->lock);
	if (fn)
		fn(arg, n);
}

void notify_lifecycle(struct dom_obj *obj, int event, int detail)
{
	struct domain_notice n = {
		.kind = DOMAIN_NOTIFY_LIFECYCLE,
		.event = event,
		.detail = detail,
	};

	notify(obj, &n);
}

void registry_subscribe(struct registry *reg,
			void (*fn)(void *arg, const struct domain_notice *n),
			void *arg)
{
	pthread_mutex_lock(&reg->lock);
	reg->notify = fn;
	reg->notify_arg = arg;
	pthread_mutex_unlock(&reg->lock);
}

/* ---- lookups ---- */

int domain_lookup_name(struct registry *reg, const char *name,
		       struct domain_ref *ret, struct error *err)
{
	struct dom_obj *obj;
	bool found;

	pthread_mutex_lock(&reg->lock);
	obj = obj_find_name_locked(reg, name);
	found = obj && !obj->hidden;
	if (found)
		obj_ref_fill(obj, ret);
	pthread_mutex_unlock(&reg->lock);
	return found ? 0 :
		       error_virt(err, VIR_ERR_NO_DOMAIN,
				  "no domain with matching name '%s'", name);
}

int domain_lookup_uuid(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       struct domain_ref *ret, struct error *err)
{
	struct dom_obj *obj;
	bool found;

	pthread_mutex_lock(&reg->lock);
	obj = obj_find_uuid_locked(reg, uuid);
	found = obj && !obj->hidden;
	if (found)
		obj_ref_fill(obj, ret);
	pthread_mutex_unlock(&reg->lock);
	return found ? 0 : obj_gone(uuid, err);
}

int domain_lookup_id(struct registry *reg, int id, struct domain_ref *ret,
		     struct error *err)
{
	struct dom_obj *obj;

	pthread_mutex_lock(&reg->lock);
	obj = find_id_locked(reg, id);
	if (obj)
		obj_ref_fill(obj, ret);
	pthread_mutex_unlock(&reg->lock);
	return obj ? 0 :
		     error_virt(err, VIR_ERR_NO_DOMAIN,
				"no domain with matching id %d", id);
}

/* Bits of one group: none of them set means that all pass. */
static bool passes(unsigned int flags, unsigned int yes_bit,
		   unsigned int no_bit, bool value)
{
	return !(flags & (yes_bit | no_bit)) ||
	       (flags & (value ? yes_bit : no_bit));
}

enum {
	LIST_STATES = VIR_CONNECT_LIST_DOMAINS_RUNNING |
		      VIR_CONNECT_LIST_DOMAINS_PAUSED |
		      VIR_CONNECT_LIST_DOMAINS_SHUTOFF |
		      VIR_CONNECT_LIST_DOMAINS_OTHER,
	LIST_FLAGS = LIST_STATES | VIR_CONNECT_LIST_DOMAINS_ACTIVE |
		     VIR_CONNECT_LIST_DOMAINS_INACTIVE |
		     VIR_CONNECT_LIST_DOMAINS_PERSISTENT |
		     VIR_CONNECT_LIST_DOMAINS_TRANSIENT |
		     VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE |
		     VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE |
		     VIR_CONNECT_LIST_DOMAINS_AUTOSTART |
		     VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART |
		     VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT |
		     VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT |
		     VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT |
		     VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT,
};

static unsigned int list_state_bit(int state)
{
	switch (state) {
	case VIR_DOMAIN_RUNNING:
		return VIR_CONNECT_LIST_DOMAINS_RUNNING;
	case VIR_DOMAIN_PAUSED:
		return VIR_CONNECT_LIST_DOMAINS_PAUSED;
	case VIR_DOMAIN_SHUTOFF:
		return VIR_CONNECT_LIST_DOMAINS_SHUTOFF;
	default:
		return VIR_CONNECT_LIST_DOMAINS_OTHER;
	}
}

static bool listed_by(const struct dom_obj *obj, unsigned int f)
{
	if (obj->hidden)
		return false;
	if ((f & LIST_STATES) && !(f & list_state_bit(obj->state)))
		return false;
	return passes(f, VIR_CONNECT_LIST_DOMAINS_ACTIVE,
		      VIR_CONNECT_LIST_DOMAINS_INACTIVE, obj->active) &&
	       passes(f, VIR_CONNECT_LIST_DOMAINS_PERSISTENT,
		      VIR_CONNECT_LIST_DOMAINS_TRANSIENT,
		      obj->config != NULL) &&
	       passes(f, VIR_CONNECT_LIST_DOMAINS_AUTOSTART,
		      VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART,
		      obj->autostart) &&
	       passes(f, VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE,
		      VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE, obj->saved) &&
	       passes(f, VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT,
		      VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT,
		      obj->snapshots && obj->snapshots->n) &&
	       passes(f, VIR_CONNECT_LIST_DOMAINS_HAS_CHECKPOINT,
		      VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT,
		      obj->checkpoints && obj->checkpoints->n);
}

int domain_list(struct registry *reg, unsigned int flags,
		struct domain_ref **ret_refs, struct error *err)
{
	struct domain_ref *refs;
	int n = 0, r = check_flags(flags, LIST_FLAGS, __func__, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&reg->lock);
	refs = xcalloc(reg->by_uuid.n_nodes + 1, sizeof(*refs));
	for (struct dom_obj *obj = reg->first; obj; obj = obj->next)
		if (listed_by(obj, flags))
			obj_ref_fill(obj, &refs[n++]);
	pthread_mutex_unlock(&reg->lock);
	*ret_refs = refs;
	return n;
}

int check_flags(unsigned int flags, unsigned int supported,
		const char *function, struct error *err)
{
	if (!(flags & ~supported))
		return 0;
	return error_virt(err, VIR_ERR_INVALID_ARG,
			  "unsupported flags (0x%x) in function %s",
			  flags & ~supported, function);
}

/* ---- opening ---- */

struct registry *registry_find(const char *path)
{
	struct registry *reg = registries;

	while (reg && !str_eq(reg->path, path))
		reg = reg->next_registry;
	return reg;
}

static void load_config(struct dom_obj *obj, const struct store_domain *row)
{
	struct error err = { 0 };

	if (domain_def_parse(row->xml, 0, &obj->config, &err) == 0)
		return;
	/* A later version reads it again; until then it must not vanish. */
	log_error("cannot read the stored definition of '%s': %s", row->name,
		  err.message);
	obj->hidden = true;
}

static void load_run(struct dom_obj *obj, const struct store_domain *row)
{
	struct error err = { 0 };
	int id = row->id;

	if (domain_def_parse(row->live_xml, DOMAIN_PARSE_LIVE, &obj->d.live,
			     &err) < 0) {
		log_error("cannot read the stored live definition of '%s': %s",
			  row->name, err.message);
		return;
	}
	obj->d.id = id;
	obj->d.live->id = id;
	obj->driver = driver_named(row->driver) ?
			      driver_named(row->driver)->driver :
			      NULL;
	obj->active = true;
	obj->hidden = false;
	obj->found = true;
	obj->found_starting = row->starting;
	obj->job = "reconnect"; /* until registry_reconnect() */
	obj->reg->next_id = MAX(obj->reg->next_id, id + 1);
	index_insert(&obj->reg->by_id, &obj->by_id,
		     index_hash(&id, sizeof(id)));
}

static void load_row(void *arg, const struct store_domain *row)
{
	struct registry *reg = arg;
	struct dom_obj *obj = obj_create_locked(reg, row->uuid, row->name);

	obj->autostart = row->autostart;
	obj->saved = row->saved;
	obj->state = row->state;
	obj->reason = row->reason;
	if (row->xml)
		load_config(obj, row);
	if (row->live_xml)
		load_run(obj, row);
}

static void registry_free(struct registry *reg)
{
	while (reg->first)
		obj_remove_locked(reg->first);
	index_finish(&reg->by_uuid);
	index_finish(&reg->by_name);
	index_finish(&reg->by_id);
	pthread_mutex_destroy(&reg->lock);
	pthread_cond_destroy(&reg->work_cond);
	if (reg->own_store)
		store_close(reg->store);
	free(reg);
}

static struct registry *registry_new(const char *path, struct store *store)
{
	struct registry *reg = xcalloc(1, sizeof(*reg));

	reg->path = path;
	reg->kind = str_eq(path, "/test") ? REGISTRY_TEST : REGISTRY_SYSTEM;
	reg->store = store;
	reg->job_timeout_ms = JOB_TIMEOUT_MS;
	reg->destroy_grace_ms = DESTROY_GRACE_MS;
	reg->next_id = 1;
	pthread_mutex_init(&reg->lock, NULL);
	pthread_cond_init(&reg->work_cond, NULL);
	return reg;
}

int registry_open(const char *path, struct store *store,
		  struct registry **ret_reg, struct error *err)
{
	struct registry *reg = registry_new(path, store);
	int r = 0;

	if (!store) {
		r = store_open(":memory:", &reg->store, err);
		reg->own_store = r == 0;
	}
	if (r == 0)
		r = store_domain_each(reg->store, load_row, reg, err);
	for (struct dom_obj *obj = reg->first; r == 0 && obj;
	     obj = obj->next) {
		snapshots_load(obj);
		checkpoints_load(obj);
	}
	if (r == 0)
		r = job_worker_start(reg, err);
	if (r < 0) {
		registry_free(reg);
		return r;
	}
	reg->next_registry = registries;
	registries = reg;
	*ret_reg = reg;
	return 0;
}

void registry_set_files(struct registry *reg, const struct save_files *files)
{
	reg->files = files;
}

void registry_set_host_pci(struct registry *reg,
			   const struct host_pci_ops *ops)
{
	reg->host_pci = ops;
}

void registry_set_networks(struct registry *reg, struct networks *nets)
{
	reg->networks = nets;
}

struct networks *registry_networks(struct registry *reg)
{
	return reg->networks;
}

void registry_set_nwfilters(struct registry *reg, struct nwfilters *filters)
{
	reg->nwfilters = filters;
}

struct nwfilters *registry_nwfilters(struct registry *reg)
{
	return reg->nwfilters;
}

void registry_set_net(struct registry *reg, const struct migrate_net *net)
{
	reg->net = net;
}

/* Guests that exist only in our memory end with it. */
static void stop_all(struct registry *reg)
{
	struct domain_ref *refs;
	struct error err;
	int n = domain_list(reg, VIR_CONNECT_LIST_DOMAINS_ACTIVE, &refs, NULL);

	for (int i = 0; i < n; i++)
		domain_destroy(reg, refs[i].uuid, 0, &err);
	free(refs);
}

void registry_close(struct registry *reg)
{
	struct registry **at = &registries;

	if (!reg)
		return;
	autostart_end(reg);
	if (reg->kind == REGISTRY_TEST)
		stop_all(reg);
	for (struct dom_obj *obj = reg->first; obj; obj = obj->next)
		incoming_end(obj);
	job_worker_stop(reg);
	while (*at != reg)
		at = &(*at)->next_registry;
	*at = reg->next_registry;
	if (reg->by_id.n_nodes) {
		reg->next_registry = abandoned;
		abandoned = reg;
	} else {
		registry_free(reg);
	}
}
