/*
 * daemon/nwfilters.c -- network filters, and the ports that have one.
 */
#include "daemon/nwfilters.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define LOG_MODULE "nwfilter"
#include "base/log.h"

enum { LEARN_SECONDS = 2 };

struct filter {
	struct filter *next;
	struct nwfilter_def *def;
};

struct binding {
	struct binding *next;
	struct nwfilter_binding *def;
	struct nwfilter_vars learned;
};

struct nwfilters {
	const struct nwfilter_store *store;
	const struct nwfilter_host *host;
	pthread_mutex_t lock; /* everything below */
	pthread_cond_t stop;
	bool stopping, learning;
	pthread_t thread;
	nwfilter_learn_fn *learn;
	void *learn_arg;
	struct filter *filters;
	struct binding *bindings;
	int rules_fd;	   /* -1: nobody tells */
	void *rules_watch; /* of the host's rulesets */
	unsigned int own;  /* transactions of ours, not yet told */
	/* While it is tried: looked at before the one it would replace. */
	const struct nwfilter_def *next;
};

/* ---- finding; locked ---- */

static struct filter *find_name(struct nwfilters *all, const char *name)
{
	struct filter *f = all->filters;

	while (f && !str_eq(f->def->name, name))
		f = f->next;
	return f;
}

static struct filter *find_uuid(struct nwfilters *all,
				const uint8_t uuid[UUID_LEN])
{
	struct filter *f = all->filters;

	while (f && memcmp(f->def->uuid, uuid, UUID_LEN))
		f = f->next;
	return f;
}

static struct binding **find_port(struct nwfilters *all, const char *port)
{
	struct binding **at = &all->bindings;

	while (*at && !str_eq((*at)->def->port, port))
		at = &(*at)->next;
	return at;
}

static const struct nwfilter_def *find_def(void *arg, const char *name)
{
	struct nwfilters *all = arg;
	struct filter *f;

	if (all->next && str_eq(all->next->name, name))
		return all->next;
	f = find_name(all, name);
	return f ? f->def : NULL;
}

static struct filter_library library_of(struct nwfilters *all)
{
	return (struct filter_library){ find_def, all };
}

static int no_uuid(const uint8_t uuid[UUID_LEN], struct error *err)
{
	char text[UUID_STR_LEN];

	uuid_format(uuid, text);
	return error_virt(err, VIR_ERR_NO_NWFILTER,
			  "no nwfilter with matching uuid '%s'", text);
}

static int no_name(const char *name, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_NWFILTER,
			  "no nwfilter with matching name '%s'", name);
}

static int no_port(const char *port, struct error *err)
{
	return error_virt(err, VIR_ERR_NO_NWFILTER_BINDING,
			  "no nwfilter binding for port dev '%s'", port);
}

/* ---- rules ---- */

static int apply(struct nwfilters *all, struct binding *b, struct error *err)
{
	struct filter_library library = library_of(all);
	struct filter_plan *plan;
	int r = filter_plan_of(b->def, &b->learned, &library, &plan, err);

	if (r < 0)
		return r;
	r = all->host->set(plan, err);
	all->own += r == 0;
	free(plan);
	return r;
}

static bool has_filter(struct nwfilters *all, const struct binding *b,
		       const char *name)
{
	struct filter_library library = library_of(all);
	const struct nwfilter_def *def = find_def(all, b->def->ref.filter);

	return str_eq(b->def->ref.filter, name) ||
	       (def && filter_uses(def, name, &library));
}

static void apply_again(struct nwfilters *all, const char *name,
			const struct binding *end)
{
	struct error err = { 0 };

	for (struct binding *b = all->bindings; b != end; b = b->next)
		if (has_filter(all, b, name) && apply(all, b, &err) < 0)
			log_error("the filter of port '%s': %s", b->def->port,
				  err.message);
}

/* All ports that have it, or none: the first failure undoes the rest. */
static int try_out(struct nwfilters *all, const struct nwfilter_def *def,
		   struct error *err)
{
	struct binding *b;
	int r = 0;

	all->next = def;
	for (b = all->bindings; b && r == 0; b = b->next) {
		if (has_filter(all, b, def->name))
			r = apply(all, b, err);
		if (r < 0)
			break;
	}
	all->next = NULL;
	if (r < 0)
		apply_again(all, def->name, b);
	return r;
}

/* ---- filters ---- */

unsigned int nwfilters_list(struct nwfilters *all,
			    struct nwfilter_name **ret_names)
{
	struct nwfilter_name *names = NULL;
	unsigned int n = 0;

	*ret_names = NULL;
	if (!all)
		return 0;
	pthread_mutex_lock(&all->lock);
	for (struct filter *f = all->filters; f; f = f->next) {
		names = xrealloc(names, n + 1, sizeof(*names));
		memcpy(names[n].uuid, f->def->uuid, UUID_LEN);
		names[n++].name = xstrdup(f->def->name);
	}
	pthread_mutex_unlock(&all->lock);
	*ret_names = names;
	return n;
}

void nwfilter_names_free(struct nwfilter_name *names, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		free(names[i].name);
	free(names);
}

int nwfilter_by_name(struct nwfilters *all, const char *name,
		     uint8_t ret_uuid[UUID_LEN], struct error *err)
{
	struct filter *f;

	if (!all)
		return no_name(name, err);
	pthread_mutex_lock(&all->lock);
	f = find_name(all, name);
	if (f)
		memcpy(ret_uuid, f->def->uuid, UUID_LEN);
	pthread_mutex_unlock(&all->lock);
	return f ? 0 : no_name(name, err);
}

/* Its name, or its XML. */
static int tell(struct nwfilters *all, const uint8_t uuid[UUID_LEN], bool xml,
		char **ret_text, struct error *err)
{
	struct filter *f;

	if (!all)
		return no_uuid(uuid, err);
	pthread_mutex_lock(&all->lock);
	f = find_uuid(all, uuid);
	if (f)
		*ret_text = xml ? nwfilter_def_format(f->def) :
				  xstrdup(f->def->name);
	pthread_mutex_unlock(&all->lock);
	return f ? 0 : no_uuid(uuid, err);
}

int nwfilter_by_uuid(struct nwfilters *all, const uint8_t uuid[UUID_LEN],
		     char **ret_name, struct error *err)
{
	return tell(all, uuid, false, ret_name, err);
}

int nwfilter_xml(struct nwfilters *all, const uint8_t uuid[UUID_LEN],
		 char **ret_xml, struct error *err)
{
	return tell(all, uuid, true, ret_xml, err);
}

/* In the order of their names. */
static void add_filter(struct nwfilters *all, struct nwfilter_def *def)
{
	struct filter **at = &all->filters, *f = xcalloc(1, sizeof(*f));

	while (*at && strcmp((*at)->def->name, def->name) < 0)
		at = &(*at)->next;
	f->def = def;
	f->next = *at;
	*at = f;
}

/* libvirt's rules: name and uuid belong together. */
static int check_identity(struct nwfilters *all, struct nwfilter_def *def,
			  struct error *err)
{
	struct filter *named = find_name(all, def->name);
	struct filter *same = find_uuid(all, def->uuid);
	char text[UUID_STR_LEN];

	if (same && same != named)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "filter with same UUID but different name "
				  "('%s') already exists", same->def->name);
	if (!named || same)
		return 0;
	uuid_format(named->def->uuid, text);
	return error_virt(err, VIR_ERR_OPERATION_FAILED,
			  "filter '%s' already exists with uuid %s",
			  def->name, text);
}

static int record(struct nwfilters *all, const struct nwfilter_def *def,
		  struct error *err)
{
	_cleanup_free_ char *xml = nwfilter_def_format(def);

	return all->store->put(all->store->arg, def->uuid, xml, err);
}

/* Takes def over when it succeeds. */
static int define_locked(struct nwfilters *all, struct nwfilter_def *def,
			 struct error *err)
{
	struct filter_library library = library_of(all);
	struct filter *old = find_name(all, def->name);
	int r = check_identity(all, def, err);

	if (r == 0)
		r = filter_check_loop(def, &library, err);
	if (r == 0)
		r = try_out(all, def, err);
	if (r == 0) {
		r = record(all, def, err);
		if (r < 0)
			apply_again(all, def->name, NULL);
	}
	if (r < 0)
		return r;
	if (!old) {
		add_filter(all, def);
		return 0;
	}
	nwfilter_def_free(old->def);
	old->def = def;
	return 0;
}

int nwfilter_define(struct nwfilters *all, const char *xml, bool validate,
		    struct nwfilter_name *ret_name, struct error *err)
{
	struct nwfilter_def *def;
	int r;

	if (!all)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "this connection has no network filters");
	r = nwfilter_def_parse(xml, validate, &def, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&all->lock);
	r = define_locked(all, def, err);
	if (r == 0) {
		memcpy(ret_name->uuid, def->uuid, UUID_LEN);
		ret_name->name = xstrdup(def->name);
	}
	pthread_mutex_unlock(&all->lock);
	if (r < 0)
		nwfilter_def_free(def);
	return r;
}

/* By a port, or by another filter. */
static bool in_use(struct nwfilters *all, const char *name)
{
	struct filter_library library = library_of(all);

	for (struct binding *b = all->bindings; b; b = b->next)
		if (has_filter(all, b, name))
			return true;
	for (struct filter *f = all->filters; f; f = f->next)
		if (!str_eq(f->def->name, name) &&
		    filter_uses(f->def, name, &library))
			return true;
	return false;
}

static int undefine_locked(struct nwfilters *all, struct filter **at,
			   struct error *err)
{
	struct filter *f = *at;
	int r;

	if (in_use(all, f->def->name))
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "nwfilter is in use");
	r = all->store->put(all->store->arg, f->def->uuid, NULL, err);
	if (r < 0)
		return r;
	*at = f->next;
	nwfilter_def_free(f->def);
	free(f);
	return 0;
}

int nwfilter_undefine(struct nwfilters *all, const uint8_t uuid[UUID_LEN],
		      struct error *err)
{
	struct filter **at;
	int r;

	if (!all)
		return no_uuid(uuid, err);
	pthread_mutex_lock(&all->lock);
	at = &all->filters;
	while (*at && memcmp((*at)->def->uuid, uuid, UUID_LEN))
		at = &(*at)->next;
	r = *at ? undefine_locked(all, at, err) : no_uuid(uuid, err);
	pthread_mutex_unlock(&all->lock);
	return r;
}

/* ---- bindings ---- */

unsigned int nwfilter_ports(struct nwfilters *all,
			    struct nwfilter_port **ret_ports)
{
	struct nwfilter_port *ports = NULL;
	unsigned int n = 0;

	*ret_ports = NULL;
	if (!all)
		return 0;
	pthread_mutex_lock(&all->lock);
	for (struct binding *b = all->bindings; b; b = b->next) {
		ports = xrealloc(ports, n + 1, sizeof(*ports));
		ports[n].port = xstrdup(b->def->port);
		ports[n++].filter = xstrdup(b->def->ref.filter);
	}
	pthread_mutex_unlock(&all->lock);
	*ret_ports = ports;
	return n;
}

void nwfilter_ports_free(struct nwfilter_port *ports, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		free(ports[i].port);
		free(ports[i].filter);
	}
	free(ports);
}

static int tell_port(struct nwfilters *all, const char *port, bool xml,
		     char **ret_text, struct error *err)
{
	struct binding *b;

	if (!all)
		return no_port(port, err);
	pthread_mutex_lock(&all->lock);
	b = *find_port(all, port);
	if (b)
		*ret_text = xml ? nwfilter_binding_format(b->def) :
				  xstrdup(b->def->ref.filter);
	pthread_mutex_unlock(&all->lock);
	return b ? 0 : no_port(port, err);
}

int nwfilter_port_filter(struct nwfilters *all, const char *port,
			 char **ret_filter, struct error *err)
{
	return tell_port(all, port, false, ret_filter, err);
}

int nwfilter_port_xml(struct nwfilters *all, const char *port, char **ret_xml,
		      struct error *err)
{
	return tell_port(all, port, true, ret_xml, err);
}

bool nwfilter_port_free(struct nwfilters *all, const char *port)
{
	bool bound;

	pthread_mutex_lock(&all->lock);
	bound = *find_port(all, port) != NULL;
	pthread_mutex_unlock(&all->lock);
	return !bound && !all->host->exists(port);
}

static void binding_free(struct binding *b)
{
	nwfilter_binding_free(b->def);
	nwfilter_vars_finish(&b->learned);
	free(b);
}

static int bind_locked(struct nwfilters *all, struct binding *b,
		       struct error *err)
{
	_cleanup_free_ char *xml = nwfilter_binding_format(b->def);
	const char *port = b->def->port;
	struct binding **at = find_port(all, port);
	void *arg = all->store->arg;
	int r;

	if (*at)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "binding '%s' already exists", port);
	r = all->store->put_binding(arg, port, xml, err);
	if (r < 0)
		return r;
	r = apply(all, b, err);
	if (r < 0)
		all->store->put_binding(arg, port, NULL, NULL);
	else
		*at = b;
	return r;
}

int nwfilter_bind(struct nwfilters *all, const char *xml, bool validate,
		  struct nwfilter_port *ret_port, struct error *err)
{
	struct binding *b;
	int r;

	if (!all)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "Can't define NWFilter bindings in session mode");
	b = xcalloc(1, sizeof(*b));
	r = nwfilter_binding_parse(xml, validate, &b->def, err);
	if (r < 0) {
		free(b);
		return r;
	}
	pthread_mutex_lock(&all->lock);
	r = bind_locked(all, b, err);
	if (r == 0 && ret_port) {
		ret_port->port = xstrdup(b->def->port);
		ret_port->filter = xstrdup(b->def->ref.filter);
	}
	pthread_mutex_unlock(&all->lock);
	if (r < 0)
		binding_free(b);
	return r;
}

static int unbind_locked(struct nwfilters *all, struct binding **at,
			 struct error *err)
{
	struct binding *b = *at;
	int r = all->host->remove(b->def->port, err);

	all->own += r == 0;
	if (r == 0)
		r = all->store->put_binding(all->store->arg, b->def->port,
					    NULL, err);
	if (r < 0)
		return r;
	*at = b->next;
	binding_free(b);
	return 0;
}

int nwfilter_unbind(struct nwfilters *all, const char *port,
		    struct error *err)
{
	struct binding **at;
	int r;

	if (!all)
		return no_port(port, err);
	pthread_mutex_lock(&all->lock);
	at = find_port(all, port);
	r = *at ? unbind_locked(all, at, err) : no_port(port, err);
	pthread_mutex_unlock(&all->lock);
	return r;
}

void nwfilter_unbind_owner(struct nwfilters *all,
			   const uint8_t owner[UUID_LEN])
{
	struct error err = { 0 };
	struct binding **at;

	if (!all)
		return;
	pthread_mutex_lock(&all->lock);
	at = &all->bindings;
	while (*at) {
		if (!memcmp((*at)->def->owner, owner, UUID_LEN)) {
			if (unbind_locked(all, at, &err) == 0)
				continue;
			log_warn("%s", err.message);
		}
		at = &(*at)->next;
	}
	pthread_mutex_unlock(&all->lock);
}

/* ---- rules that somebody took away ---- */

static void put_back(struct nwfilters *all, struct binding *b)
{
	struct filter_library library = library_of(all);
	struct error err = { 0 };
	struct filter_plan *plan;
	int r = filter_plan_of(b->def, &b->learned, &library, &plan, &err);

	if (r == 0) {
		r = all->host->restore(plan, &err);
		free(plan);
	}
	if (r > 0) {
		all->own++;
		log_warn("the filter of port '%s' had gone; it was put back",
			 b->def->port);
	} else if (r < 0) {
		log_error("the filter of port '%s': %s", b->def->port,
			  err.message);
	}
}

/* On the watches' thread; daemon/networks_rules.c has the same of networks. */
static void on_news(void *arg, uint32_t events)
{
	struct nwfilters *all = arg;
	unsigned int own;

	pthread_mutex_lock(&all->lock);
	own = all->own;
	all->own = 0;
	if (all->host->rules_changes(all->rules_fd) > own && !all->stopping)
		for (struct binding *b = all->bindings; b; b = b->next)
			put_back(all, b);
	pthread_mutex_unlock(&all->lock);
}

void nwfilters_watch(struct nwfilters *all)
{
	struct error err = { 0 };

	pthread_mutex_lock(&all->lock);
	all->own = 0; /* of those nobody tells us */
	if (all->host->watch_rules(&all->rules_fd, &err) < 0)
		log_info("filters' rules are not watched: %s", err.message);
	else
		all->rules_watch = all->host->watch(all->rules_fd, on_news,
						    all);
	pthread_mutex_unlock(&all->lock);
}

/* Not with the lock held: who ends a watch waits for its call. */
static void unwatch(struct nwfilters *all)
{
	if (all->rules_watch)
		all->host->unwatch(steal_ptr(&all->rules_watch));
	all->rules_fd = fd_close(all->rules_fd);
}

/* ---- learning addresses ---- */

static bool same_vars(const struct nwfilter_vars *a,
		      const struct nwfilter_vars *b)
{
	for (unsigned int i = 0; a->n == b->n && i < a->n; i++) {
		const struct nwfilter_var *x = &a->vars[i], *y = &b->vars[i];

		if (!str_eq(x->name, y->name) || x->n != y->n)
			return false;
		for (unsigned int j = 0; j < x->n; j++)
			if (!str_eq(x->values[j], y->values[j]))
				return false;
	}
	return a->n == b->n;
}

/* Not where it was said not to, nor where the addresses were said. */
static bool may_learn(const struct binding *b)
{
	const struct nwfilter_vars *said = &b->def->ref.params;
	const struct nwfilter_var *how = nwfilter_var(said,
						      "CTRL_IP_LEARNING");

	return !nwfilter_var(said, "IP") &&
	       !(how && str_eq(how->values[0], "none"));
}

static void learn_one(struct nwfilters *all, struct binding *b)
{
	struct nwfilter_vars vars = { 0 }, before = b->learned;
	struct error err = { 0 };

	all->learn(all->learn_arg, b->def->mac, &vars);
	if (same_vars(&vars, &before)) {
		nwfilter_vars_finish(&vars);
		return;
	}
	b->learned = vars;
	if (apply(all, b, &err) < 0) {
		log_error("the filter of port '%s': %s", b->def->port,
			  err.message);
		nwfilter_vars_finish(&b->learned);
		b->learned = before;
	} else {
		nwfilter_vars_finish(&before);
	}
}

static void *learn_thread(void *arg)
{
	struct nwfilters *all = arg;
	struct timespec until;

	pthread_mutex_lock(&all->lock);
	while (!all->stopping) {
		for (struct binding *b = all->bindings; b; b = b->next)
			if (may_learn(b))
				learn_one(all, b);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += LEARN_SECONDS;
		pthread_cond_timedwait(&all->stop, &all->lock, &until);
	}
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

void nwfilters_learn(struct nwfilters *all, nwfilter_learn_fn *fn, void *arg)
{
	all->learn = fn;
	all->learn_arg = arg;
	all->learning = pthread_create(&all->thread, NULL, learn_thread,
				       all) == 0;
}

/* ---- the daemon's start and end ---- */

static void load_filter(void *arg, const char *xml)
{
	struct error err = { 0 };
	struct nwfilter_def *def;

	if (nwfilter_def_parse(xml, false, &def, &err) < 0)
		log_error("cannot read a stored filter: %s", err.message);
	else
		add_filter(arg, def);
}

static void load_binding(void *arg, const char *xml)
{
	struct binding *b = xcalloc(1, sizeof(*b));
	struct nwfilters *all = arg;
	struct error err = { 0 };

	if (nwfilter_binding_parse(xml, false, &b->def, &err) < 0) {
		log_error("cannot read a stored binding: %s", err.message);
		free(b);
		return;
	}
	b->next = all->bindings;
	all->bindings = b;
}

static int add_standard(struct nwfilters *all, struct error *err)
{
	int r = 0;

	for (int i = 0; nwfilter_standard[i].name && r == 0; i++) {
		struct nwfilter_def *def;

		r = nwfilter_def_parse(nwfilter_standard[i].xml, false, &def,
				       err);
		if (r == 0)
			r = record(all, def, err);
		if (r == 0)
			add_filter(all, def);
	}
	return r;
}

/* Rules ended with the host; else they are put back, if something flushed
 * them, and what a killed daemon had left half done is done. */
static void restore(struct nwfilters *all, bool booted)
{
	struct binding **at = &all->bindings;
	struct error err = { 0 };

	while (*at) {
		struct binding *b = *at;

		if (!booted) {
			if (apply(all, b, &err) < 0)
				log_error("the filter of port '%s': %s",
					  b->def->port, err.message);
			at = &b->next;
			continue;
		}
		all->store->put_binding(all->store->arg, b->def->port, NULL,
					&err);
		*at = b->next;
		binding_free(b);
	}
}

int nwfilters_recover(struct nwfilters *all, bool booted, struct error *err)
{
	const struct nwfilter_store *store = all->store;
	int r;

	pthread_mutex_lock(&all->lock);
	r = store->each(store->arg, load_filter, all, err);
	if (r == 0 && !all->filters)
		r = add_standard(all, err);
	if (r == 0)
		r = store->each_binding(store->arg, load_binding, all, err);
	if (r == 0)
		restore(all, booted);
	pthread_mutex_unlock(&all->lock);
	return r;
}

struct nwfilters *nwfilters_create(const struct nwfilter_store *store,
				   const struct nwfilter_host *host)
{
	struct nwfilters *all = xcalloc(1, sizeof(*all));

	all->store = store;
	all->host = host;
	all->rules_fd = -1;
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->stop, NULL);
	return all;
}

static void stop_learning(struct nwfilters *all)
{
	pthread_mutex_lock(&all->lock);
	all->stopping = true;
	pthread_cond_signal(&all->stop);
	pthread_mutex_unlock(&all->lock);
	if (all->learning)
		pthread_join(all->thread, NULL);
}

void nwfilters_destroy(struct nwfilters *all)
{
	if (!all)
		return;
	stop_learning(all);
	unwatch(all);
	while (all->filters) {
		struct filter *f = all->filters;

		all->filters = f->next;
		nwfilter_def_free(f->def);
		free(f);
	}
	while (all->bindings) {
		struct binding *b = all->bindings;

		all->bindings = b->next;
		binding_free(b);
	}
	pthread_cond_destroy(&all->stop);
	pthread_mutex_destroy(&all->lock);
	free(all);
}
