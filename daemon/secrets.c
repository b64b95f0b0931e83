/*
 * daemon/secrets.c -- the secrets that there are.
 *
 * Everything is quick, so one lock is held throughout, the store included.
 */
#include "daemon/secrets.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <string.h>

#define LOG_MODULE "secret"
#include "base/log.h"
#include "daemon/registry.h"
#include "daemon/secret_key.h"
#include "daemon/store_storage.h"
#include "model/secret.h"

static_assert((int)SECRET_VTPM == VIR_SECRET_USAGE_TYPE_VTPM,
	      "usages are numbered as clients do");

struct secret {
	struct secret *next;
	struct secret_def *def;
	void *sealed; /* NULL: no value */
	size_t len;
};

struct secrets {
	struct registry *reg;
	struct secret_key key;
	pthread_mutex_t lock; /* everything below */
	struct secret *first;
};

static void secret_free(struct secret *s)
{
	secret_def_free(s->def);
	free(s->sealed);
	free(s);
}

void secret_value_free(void *value, size_t len)
{
	if (value)
		explicit_bzero(value, len);
	free(value);
}

void secret_ref_finish(struct secret_ref *ref)
{
	free(steal_ptr(&ref->usage_id));
}

static void fill_ref(const struct secret *s, struct secret_ref *ret)
{
	memcpy(ret->uuid, s->def->uuid, UUID_LEN);
	ret->usage = s->def->usage;
	ret->usage_id = xstrdup(s->def->usage_id ? s->def->usage_id : "");
}

static void tell(struct secrets *all, const struct secret_def *def, int kind,
		 int event)
{
	struct domain_notice n = { .kind = kind,
				   .event = event,
				   .type = def->usage,
				   .uri = def->usage_id ? def->usage_id : "" };

	memcpy(n.dom.uuid, def->uuid, UUID_LEN);
	registry_tell(all->reg, &n);
}

/* ---- finding; locked ---- */

static struct secret *find(struct secrets *all, const uint8_t uuid[UUID_LEN])
{
	struct secret *s = all->first;

	while (s && memcmp(s->def->uuid, uuid, UUID_LEN))
		s = s->next;
	return s;
}

static struct secret *find_usage(struct secrets *all, int usage,
				 const char *id)
{
	struct secret *s = all->first;

	while (s && ((int)s->def->usage != usage || usage == SECRET_NONE ||
		     !str_eq(s->def->usage_id, id)))
		s = s->next;
	return s;
}

static int gone(const uint8_t uuid[UUID_LEN], struct error *err)
{
	char text[UUID_STR_LEN];

	uuid_format(uuid, text);
	return error_virt(err, VIR_ERR_NO_SECRET,
			  "no secret with matching uuid '%s'", text);
}

/* Locked when it is found. */
static int look(struct registry *reg, const uint8_t uuid[UUID_LEN],
		struct secret **ret_secret, struct error *err)
{
	struct secrets *all = reg->secrets;

	pthread_mutex_lock(&all->lock);
	*ret_secret = find(all, uuid);
	if (*ret_secret)
		return 0;
	pthread_mutex_unlock(&all->lock);
	return gone(uuid, err);
}

static bool wanted(const struct secret_def *def, unsigned int flags)
{
	unsigned int kept = VIR_CONNECT_LIST_SECRETS_EPHEMERAL |
			    VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL;
	unsigned int shown = VIR_CONNECT_LIST_SECRETS_PRIVATE |
			     VIR_CONNECT_LIST_SECRETS_NO_PRIVATE;

	if ((flags & kept) &&
	    !(flags & (def->ephemeral ? VIR_CONNECT_LIST_SECRETS_EPHEMERAL :
					VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL)))
		return false;
	return !(flags & shown) ||
	       (flags & (def->is_private ?
				 VIR_CONNECT_LIST_SECRETS_PRIVATE :
				 VIR_CONNECT_LIST_SECRETS_NO_PRIVATE));
}

int secrets_list(struct registry *reg, unsigned int flags,
		 struct secret_ref **ret_refs, unsigned int *ret_n,
		 struct error *err)
{
	struct secrets *all = reg->secrets;
	struct secret_ref *refs = NULL;
	unsigned int n = 0;

	pthread_mutex_lock(&all->lock);
	for (struct secret *s = all->first; s; s = s->next) {
		if (!wanted(s->def, flags))
			continue;
		refs = xrealloc(refs, n + 1, sizeof(*refs));
		fill_ref(s, &refs[n++]);
	}
	pthread_mutex_unlock(&all->lock);
	*ret_refs = refs;
	*ret_n = n;
	return 0;
}

int secret_lookup_uuid(struct registry *reg, const uint8_t uuid[UUID_LEN],
		       struct secret_ref *ret_ref, struct error *err)
{
	struct secret *s;
	int r = look(reg, uuid, &s, err);

	if (r < 0)
		return r;
	fill_ref(s, ret_ref);
	pthread_mutex_unlock(&reg->secrets->lock);
	return 0;
}

int secret_lookup_usage(struct registry *reg, int usage, const char *id,
			struct secret_ref *ret_ref, struct error *err)
{
	struct secrets *all = reg->secrets;
	struct secret *s;

	pthread_mutex_lock(&all->lock);
	s = find_usage(all, usage, id);
	if (s)
		fill_ref(s, ret_ref);
	pthread_mutex_unlock(&all->lock);
	return s ? 0 :
		   error_virt(err, VIR_ERR_NO_SECRET,
			      "no secret with matching usage '%s'", id);
}

char *secret_get_xml(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     struct error *err)
{
	struct secret *s;
	char *xml;

	if (look(reg, uuid, &s, err) < 0)
		return NULL;
	xml = secret_def_format(s->def);
	pthread_mutex_unlock(&reg->secrets->lock);
	return xml;
}

/* ---- changing ---- */

static int record(struct secrets *all, const struct secret_def *def,
		  const void *sealed, size_t len, struct error *err)
{
	_cleanup_free_ char *xml = secret_def_format(def);
	struct store_secret row = { .xml = xml, .value = sealed, .len = len };

	if (def->ephemeral)
		return 0;
	memcpy(row.uuid, def->uuid, UUID_LEN);
	return store_secret_put(all->reg->store, &row, err);
}

/* libvirt's rules: the usage is fixed, a private one stays private. */
static int check_change(const struct secret_def *old,
			const struct secret_def *new, struct error *err)
{
	char text[UUID_STR_LEN];

	uuid_format(old->uuid, text);
	if (old->usage != new->usage || !str_eq(old->usage_id, new->usage_id))
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "a secret with UUID %s is already defined "
				  "for use with %s", text,
				  old->usage_id ? old->usage_id : "nothing");
	if (old->is_private && !new->is_private)
		return error_virt(err, VIR_ERR_OPERATION_DENIED,
				  "cannot change private flag on existing "
				  "secret");
	return 0;
}

static int check_define(struct secrets *all, const struct secret_def *def,
			struct error *err)
{
	struct secret *old = find(all, def->uuid);
	struct secret *user = find_usage(all, def->usage, def->usage_id);
	char text[UUID_STR_LEN];

	if (user && user != old) {
		uuid_format(user->def->uuid, text);
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "a secret with UUID %s already defined for "
				  "use with %s", text, def->usage_id);
	}
	return old ? check_change(old->def, def, err) : 0;
}

static struct secret *add(struct secrets *all, struct secret_def *def)
{
	struct secret *s = xcalloc(1, sizeof(*s));

	s->def = def;
	s->next = all->first;
	all->first = s;
	return s;
}

/* Takes def over when it succeeds. */
static int define_locked(struct secrets *all, struct secret_def *def,
			 struct secret_ref *ret_ref, struct error *err)
{
	struct secret *s = find(all, def->uuid);
	int r = check_define(all, def, err);

	if (r == 0 && s && def->ephemeral && !s->def->ephemeral)
		r = store_secret_remove(all->reg->store, def->uuid, err);
	if (r == 0)
		r = record(all, def, s ? s->sealed : NULL, s ? s->len : 0,
			   err);
	if (r < 0)
		return r;
	if (s) {
		secret_def_free(s->def);
		s->def = def;
	} else {
		s = add(all, def);
	}
	fill_ref(s, ret_ref);
	return 0;
}

int secret_define(struct registry *reg, const char *xml, bool validate,
		  struct secret_ref *ret_ref, struct error *err)
{
	struct secrets *all = reg->secrets;
	struct secret_def *def;
	int r = secret_def_parse(xml, validate, &def, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&all->lock);
	r = define_locked(all, def, ret_ref, err);
	if (r == 0)
		tell(all, def, DOMAIN_NOTIFY_SECRET,
		     VIR_SECRET_EVENT_DEFINED);
	else
		secret_def_free(def);
	pthread_mutex_unlock(&all->lock);
	return r;
}

int secret_undefine(struct registry *reg, const uint8_t uuid[UUID_LEN],
		    struct error *err)
{
	struct secrets *all = reg->secrets;
	struct secret **at = &all->first, *s;
	int r = look(reg, uuid, &s, err);

	if (r < 0)
		return r;
	if (!s->def->ephemeral)
		r = store_secret_remove(all->reg->store, uuid, err);
	if (r == 0) {
		while (*at != s)
			at = &(*at)->next;
		*at = s->next;
		tell(all, s->def, DOMAIN_NOTIFY_SECRET,
		     VIR_SECRET_EVENT_UNDEFINED);
		secret_free(s);
	}
	pthread_mutex_unlock(&all->lock);
	return r;
}

/* ---- values ---- */

static int set_locked(struct secrets *all, struct secret *s,
		      const void *value, size_t len, struct error *err)
{
	_cleanup_free_ void *sealed = xmalloc(len + SECRET_OVERHEAD);
	int r = secret_seal(&all->key, s->def->uuid, UUID_LEN, value, len,
			    sealed, err);

	if (r == 0)
		r = record(all, s->def, sealed, len + SECRET_OVERHEAD, err);
	if (r < 0)
		return r;
	free(s->sealed);
	s->sealed = steal_ptr(&sealed);
	s->len = len + SECRET_OVERHEAD;
	tell(all, s->def, DOMAIN_NOTIFY_SECRET_VALUE, 0);
	return 0;
}

int secret_set_value(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     const void *value, size_t len, struct error *err)
{
	struct secret *s;
	int r = look(reg, uuid, &s, err);

	if (r < 0)
		return r;
	r = set_locked(reg->secrets, s, value, len, err);
	pthread_mutex_unlock(&reg->secrets->lock);
	return r;
}

static int get_locked(struct secrets *all, const struct secret *s,
		      bool for_client, void **ret_value, size_t *ret_len,
		      struct error *err)
{
	char text[UUID_STR_LEN];
	size_t len;
	void *value;
	int r;

	if (for_client && s->def->is_private)
		return error_virt(err, VIR_ERR_INVALID_SECRET,
				  "secret is private");
	uuid_format(s->def->uuid, text);
	if (!s->sealed)
		return error_virt(err, VIR_ERR_NO_SECRET,
				  "secret '%s' does not have a value", text);
	len = s->len - MIN(s->len, SECRET_OVERHEAD);
	value = xmalloc(len + 1);
	r = secret_unseal(&all->key, s->def->uuid, UUID_LEN, s->sealed, s->len,
			  value, err);
	if (r < 0) {
		secret_value_free(value, len);
		return r;
	}
	*ret_value = value;
	*ret_len = len;
	return 0;
}

int secret_get_value(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     bool for_client, void **ret_value, size_t *ret_len,
		     struct error *err)
{
	struct secret *s;
	int r = look(reg, uuid, &s, err);

	if (r < 0)
		return r;
	r = get_locked(reg->secrets, s, for_client, ret_value, ret_len, err);
	pthread_mutex_unlock(&reg->secrets->lock);
	return r;
}

/* ---- the daemon's start and end ---- */

static void load_row(void *arg, const struct store_secret *row)
{
	struct secret_def *def;
	struct error err = { 0 };
	struct secret *s;

	if (secret_def_parse(row->xml, false, &def, &err) < 0) {
		log_error("cannot read a stored secret: %s", err.message);
		return;
	}
	s = add(arg, def);
	if (!row->value)
		return;
	s->sealed = xmalloc(row->len + 1);
	memcpy(s->sealed, row->value, row->len);
	s->len = row->len;
}

int secrets_open(struct registry *reg, const char *key_dir, struct error *err)
{
	struct secrets *all = xcalloc(1, sizeof(*all));
	int r;

	all->reg = reg;
	pthread_mutex_init(&all->lock, NULL);
	reg->secrets = all;
	r = secret_key_load(key_dir, &all->key, err);
	return r < 0 ? r : store_secret_each(reg->store, load_row, all, err);
}

void secrets_close(struct registry *reg)
{
	struct secrets *all = steal_ptr(&reg->secrets);
	struct secret *s, *next;

	if (!all)
		return;
	for (s = all->first; s; s = next) {
		next = s->next;
		secret_free(s);
	}
	pthread_mutex_destroy(&all->lock);
	explicit_bzero(&all->key, sizeof(all->key));
	free(all);
}
