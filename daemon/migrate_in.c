/*
 * daemon/migrate_in.c -- a guest that comes from another host: the
 * destination's calls.
 *
 * Between prepare and finish a machine waits for its guest, on a thread of its
 * own: it lets those connections in that begin with the token which the source
 * was told, and hands them to the machine.  The domain is the
 * caller's until finish: it ends with the caller's connection.
 */
#include "daemon/migrate_priv.h"

#include <errno.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "daemon/definition.h"

#define LOG_MODULE "migrate"
#include "base/log.h"

enum { TOKEN_LEN = MIGRATE_TOKEN_LEN, TOKEN_MS = 10000, TAKING_TRIES = 300 };

struct incoming {
	struct dom_obj *obj; /* a reference */
	int listen_fd, stop_fd;
	bool tunnelled; /* listen_fd is the one stream itself */
	pthread_t thread;
	char token[TOKEN_LEN + 1];
	unsigned int n, n_here; /* streams that there are; that have come */
	int fds[DOMAIN_STREAMS_MAX];
	bool postcopy; /* the last one is for memory that follows */
	bool resumes;  /* only that one is wanted */
	struct tls_keys *keys; /* or NULL: in the clear */
	char *config; /* the persistent definition to be, or NULL */
	int result;
	struct error err;
};

/* ---- waiting for the guest ---- */

/* 0: readable; -ECANCELED: it is no longer wanted. */
static int wait_readable(const struct incoming *in, int fd, int ms)
{
	struct pollfd p[] = { { fd, POLLIN, 0 }, { in->stop_fd, POLLIN, 0 } };
	int n;

	do {
		n = poll(p, 2, ms);
	} while (n < 0 && errno == EINTR);
	return p[1].revents ? -ECANCELED : n > 0 ? 0 : -ETIMEDOUT;
}

static int read_hello(const struct incoming *in, int fd,
		      char hello[MIGRATE_HELLO_LEN])
{
	size_t len = 0;

	while (len < MIGRATE_HELLO_LEN) {
		int r = wait_readable(in, fd, TOKEN_MS);
		ssize_t n = r < 0 ? r :
				    recv(fd, hello + len,
					 MIGRATE_HELLO_LEN - len,
					 MSG_DONTWAIT);

		if (r < 0)
			return r;
		if (n <= 0)
			return -ECONNRESET;
		len += n;
	}
	return memcmp(hello, in->token, TOKEN_LEN) ? -EACCES : 0;
}

/* Takes the connection over if it is one that is waited for. */
static int let_in(struct incoming *in, int *fd)
{
	char hello[MIGRATE_HELLO_LEN + 1] = "";
	unsigned int i, n;
	int r = read_hello(in, *fd, hello);

	if (r < 0)
		return r;
	if (sscanf(hello + TOKEN_LEN, "%2u%2u", &i, &n) != 2 || i >= n ||
	    n > DOMAIN_STREAMS_MAX || (in->n && in->n != n) || in->fds[i] >= 0)
		return -EPROTO;
	in->n = n;
	in->fds[i] = steal_fd(fd);
	in->n_here++;
	return 0;
}

/* Whoever does not know the token is sent away, and waiting goes on. */
static int let_all_in(struct incoming *in)
{
	int r = 0;

	while (r != -ECANCELED && (!in->n || in->n_here < in->n)) {
		_cleanup_close_ int fd = -1;
		struct error why = { 0 };

		r = wait_readable(in, in->listen_fd, -1);
		if (r == 0)
			fd = accept4(in->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0 && in->keys)
			r = carrier_tls(in->keys, NULL, in->stop_fd, &fd, &why);
		if (fd >= 0)
			r = let_in(in, &fd);
		else if (why.message[0] && r != -ECANCELED)
			log_warn("migration over TLS: %s", why.message);
	}
	return r == -ECANCELED ? error_set(&in->err, r,
					   "nobody sent the guest: %m") :
				 0;
}

static int let_tunnel_in(struct incoming *in)
{
	int r = let_in(in, &in->listen_fd);

	if (r == 0 && in->n != 1)
		r = -EPROTO;
	return r < 0 ? error_set(&in->err, r, "nobody sent the guest: %m") : 0;
}

static int hand_on(struct incoming *in)
{
	struct domain_migration how = { .postcopy = in->postcopy,
					.carried = in->keys || in->tunnelled };
	struct domain *d = &in->obj->d;

	return in->resumes ? in->obj->driver->recover(d, in->fds[0],
						      &in->err) :
			     in->obj->driver->receive(d, in->fds, in->n, &how,
						      &in->err);
}

static void *incoming_main(void *arg)
{
	struct incoming *in = arg;

	in->result = in->tunnelled ? let_tunnel_in(in) : let_all_in(in);
	in->listen_fd = fd_close(in->listen_fd);
	if (in->result == 0)
		in->result = hand_on(in);
	for (unsigned int i = 0; i < in->n; i++)
		in->fds[i] = fd_close(in->fds[i]);
	return NULL;
}

static void incoming_free(struct incoming *in)
{
	fd_close(in->listen_fd);
	fd_close(in->stop_fd);
	tls_keys_unref(in->keys);
	free(in->config);
	free(in);
}

/* Waits for the guest; or, with stop, for nothing. */
static int incoming_join(struct dom_obj *obj, bool stop, char **ret_config,
			 struct error *err)
{
	struct incoming *in = steal_ptr(&obj->incoming);
	uint64_t one = 1;
	int r;

	if (stop && write(in->stop_fd, &one, sizeof(one)) < 0)
		log_warn("cannot wake a thread: %s", strerror(errno));
	if (stop && !in->resumes && obj->driver->interrupt)
		obj->driver->interrupt(&obj->d);
	pthread_join(in->thread, NULL);
	r = in->result;
	if (r < 0)
		*err = in->err;
	if (ret_config)
		*ret_config = steal_ptr(&in->config);
	async_end(obj, false);
	obj_unref(in->obj);
	incoming_free(in);
	return r;
}

void incoming_end(struct dom_obj *obj)
{
	struct error ignored;

	follow_end(obj, false);

	if (obj->incoming)
		incoming_join(obj, true, NULL, &ignored);
}

static int make_token(char token[TOKEN_LEN + 1])
{
	uint8_t bytes[TOKEN_LEN / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		sprintf(token + 2 * i, "%02x", bytes[i]);
	return 0;
}

/* Takes listen_fd and keys over. */
static int incoming_begin(struct dom_obj *obj, int listen_fd,
			  const struct migrate_args *args,
			  struct tls_keys *keys, const char *config,
			  struct error *err)
{
	struct incoming *in = xcalloc(1, sizeof(*in));
	int r = make_token(in->token);

	in->postcopy = args->flags & VIR_MIGRATE_POSTCOPY;
	in->tunnelled = args->flags & VIR_MIGRATE_TUNNELLED;
	in->resumes = args->flags & VIR_MIGRATE_POSTCOPY_RESUME;
	in->obj = obj;
	in->listen_fd = listen_fd;
	in->stop_fd = eventfd(0, EFD_CLOEXEC);
	in->config = xstrdup(config);
	memset(in->fds, -1, sizeof(in->fds));
	if (r == 0 && in->stop_fd < 0)
		r = -errno;
	in->keys = keys;
	pthread_mutex_lock(&obj->reg->lock);
	obj->refs++;
	pthread_mutex_unlock(&obj->reg->lock);
	if (r == 0)
		r = -pthread_create(&in->thread, NULL, incoming_main, in);
	if (r < 0) {
		obj_unref(obj);
		incoming_free(in);
		return error_set(err, r, "cannot wait for the guest: %m");
	}
	obj->incoming = in;
	async_begin(obj, VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN);
	return 0;
}

/* ---- prepare ---- */

static int read_def(struct registry *reg, const struct migrate_args *args,
		    struct domain_def **ret_def, struct error *err)
{
	int r;

	if (!args->dxml)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "no domain XML passed");
	r = config_parse(reg, args->dxml, 0, ret_def, err);
	if (r == 0 && args->dname) {
		free((*ret_def)->name);
		(*ret_def)->name = xstrdup(args->dname);
	}
	return r;
}

static void give_up(struct dom_obj *obj)
{
	run_stop_quietly(obj);
	run_stopped(obj, VIR_DOMAIN_SHUTOFF_FAILED,
		    VIR_DOMAIN_EVENT_STOPPED_FAILED);
}

/* One end is the machine's stream, the other the caller's. */
static int open_tunnel(const struct migrate_args *args, int *ret_fd,
		       struct error *err)
{
	int sv[2];

	if (!args->tunnel)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "tunnelled migration requested but NULL "
				  "stream passed");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return error_set(err, -errno, "cannot create a socket: %m");
	*ret_fd = sv[0];
	*args->tunnel = sv[1];
	return 0;
}

static int wait_here(struct dom_obj *obj, const struct migrate_args *args,
		     const struct migrate_cookie *in, char **ret_uri,
		     struct migrate_cookie *out, struct error *err)
{
	bool same_host = in->boot && str_eq(in->boot,
					    registry_boot_id(obj->reg));
	const struct migrate_net *net = obj->reg->net;
	struct tls_keys *keys = NULL;
	int fd, r = 0;

	if (args->flags & VIR_MIGRATE_TLS)
		r = tls_keys_load(net->tls_dir, true, net->open_file, &keys,
				  err);
	if (r == 0)
		r = args->flags & VIR_MIGRATE_TUNNELLED ?
			    open_tunnel(args, &fd, err) :
			    migrate_uri_listen(obj->reg, args, obj->d.uuid,
					       same_host, ret_uri, &fd, err);
	if (r < 0)
		tls_keys_unref(keys);
	else
		r = incoming_begin(obj, fd, args, keys, in->config, err);
	if (r == 0)
		out->token = xstrdup(obj->incoming->token);
	return r;
}

static int prepare_resume(struct dom_obj *obj, const struct migrate_args *args,
			  const struct migrate_cookie *in, char **ret_uri,
			  struct migrate_cookie *out, struct error *err)
{
	if (!obj->active || obj->incoming ||
	    obj->state != VIR_DOMAIN_RUNNING ||
	    obj->reason != VIR_DOMAIN_RUNNING_POSTCOPY_FAILED)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "migration of domain '%s' is not waiting "
				  "for recovery",
				  obj->d.name);
	return wait_here(obj, args, in, ret_uri, out, err);
}

static int prepare(struct dom_obj *obj, const struct domain_def *def,
		   const struct migrate_args *args,
		   const struct migrate_cookie *in, char **ret_uri,
		   struct migrate_cookie *out, struct error *err)
{
	int r;

	if (args->flags & VIR_MIGRATE_POSTCOPY_RESUME)
		return prepare_resume(obj, args, in, ret_uri, out, err);
	if (obj->active)
		return error_virt(err, VIR_ERR_OPERATION_INVALID,
				  "domain '%s' is already active", def->name);
	obj->migration.postcopy = args->flags & VIR_MIGRATE_POSTCOPY;
	r = run_incoming(obj, def, obj->migration.postcopy, args->owner, err);
	if (r < 0)
		return r;
	if (!obj->driver->receive)
		r = driver_lacks(obj->driver, "receive", err);
	if (r == 0)
		r = wait_here(obj, args, in, ret_uri, out, err);
	if (r < 0)
		give_up(obj);
	return r;
}

int domain_migrate_prepare(struct registry *reg,
			   const struct migrate_args *args,
			   const struct migrate_cookie *in, char **ret_uri,
			   struct migrate_cookie *out, struct error *err)
{
	struct domain_def *def = NULL;
	struct dom_obj *obj;
	int r = migrate_check(args, err);

	if (r == 0)
		r = migrate_check_here(reg, err);
	if (r == 0 && args->flags & VIR_MIGRATE_OFFLINE)
		return offline_prepare(reg, args, ret_uri, err);
	if (r == 0)
		r = read_def(reg, args, &def, err);
	if (r == 0 && !(args->flags & VIR_MIGRATE_POSTCOPY_RESUME))
		r = migrate_disks_same(reg, def, args, in, err);
	if (r == 0)
		r = obj_claim(reg, def, "migrate", &obj, err);
	if (r == 0) {
		r = prepare(obj, def, args, in, ret_uri, out, err);
		obj_unclaim(obj);
	}
	domain_def_free(def);
	return r;
}

/* ---- finish ---- */

static void fill_job(struct dom_obj *obj, const struct migrate_cookie *in)
{
	if (!in->has_job)
		return;
	pthread_mutex_lock(&obj->reg->lock);
	obj->async.done = (struct domain_job){
		.type = VIR_DOMAIN_JOB_COMPLETED,
		.operation = VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN,
		.progress = in->job,
	};
	pthread_mutex_unlock(&obj->reg->lock);
}

static void arrived(struct dom_obj *obj, bool paused)
{
	if (paused) {
		run_arrived(obj, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
		notify_lifecycle(obj, VIR_DOMAIN_EVENT_SUSPENDED,
				 VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
		return;
	}
	if (follow_arrives(obj)) {
		run_arrived(obj, VIR_DOMAIN_RUNNING,
			    VIR_DOMAIN_RUNNING_POSTCOPY);
		notify_lifecycle(obj, VIR_DOMAIN_EVENT_RESUMED,
				 VIR_DOMAIN_EVENT_RESUMED_POSTCOPY);
		return;
	}
	run_arrived(obj, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_MIGRATED);
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_RESUMED,
			 VIR_DOMAIN_EVENT_RESUMED_MIGRATED);
}

/* From take on it is here and nowhere else, whatever happens to us. */
static int take(struct dom_obj *obj, bool paused, struct error *err)
{
	int r = run_record_incoming(obj,
				    paused ? VIR_DOMAIN_PAUSED_USER :
					     VIR_DOMAIN_PAUSED_MIGRATION,
				    err);

	if (r == 0)
		r = driver_call(obj, err, take);
	if (r < 0)
		return r;
	if (!paused && driver_call(obj, err, resume) < 0) {
		log_error("domain '%s' has come, but does not run: %s",
			  obj->d.name, err->message);
		paused = true;
	}
	arrived(obj, paused);
	return 0;
}

static void persist(struct dom_obj *obj, const char *config)
{
	struct domain_def *def = NULL;
	struct error err = { 0 };
	bool added = !obj->config;
	int r;

	if (config)
		r = config_parse(obj->reg, config, 0, &def, &err);
	else
		r = (def = domain_def_copy(obj->d.live)) ? 0 : -ENOMEM;
	if (r == 0) {
		free(def->name);
		def->name = xstrdup(obj->d.name);
		r = config_replace(obj, def, &err);
	}
	if (r < 0) {
		domain_def_free(def);
		log_error("domain '%s' is not defined here: %s", obj->d.name,
			  err.message);
		return;
	}
	notify_lifecycle(obj, VIR_DOMAIN_EVENT_DEFINED,
			 added ? (int)VIR_DOMAIN_EVENT_DEFINED_ADDED :
				 (int)VIR_DOMAIN_EVENT_DEFINED_UPDATED);
}

static int finish(struct dom_obj *obj, const struct migrate_args *args,
		  const struct migrate_cookie *in, bool cancelled,
		  struct error *err)
{
	_cleanup_free_ char *config = NULL;
	int r = incoming_join(obj, cancelled, &config, err);

	if (r == 0)
		r = take(obj, args->flags & VIR_MIGRATE_PAUSED, err);
	if (r < 0) {
		give_up(obj);
		return r;
	}
	fill_job(obj, in);
	if (args->flags & VIR_MIGRATE_PERSIST_DEST)
		persist(obj, config);
	return obj->migration.postcopy ? follow_wait(obj, err) : 0;
}

/* Cancelled or not, the guest is here. */
static int finish_resume(struct dom_obj *obj, bool cancelled,
			 struct error *err)
{
	int r = incoming_join(obj, cancelled, NULL, err);

	if (r < 0)
		return r;
	follow_heard_in(obj, "copying");
	return follow_wait(obj, err);
}

static int finish_call(struct dom_obj *obj, const struct migrate_args *args,
		       const struct migrate_cookie *in, bool cancelled,
		       struct domain_ref *ret, struct error *err)
{
	int r;

	if (!obj->incoming)
		return error_virt(err, VIR_ERR_OPERATION_FAILED,
				  "domain '%s' is not processing incoming "
				  "migration",
				  args->dname);
	r = args->flags & VIR_MIGRATE_POSTCOPY_RESUME ?
		    finish_resume(obj, cancelled, err) :
		    finish(obj, args, in, cancelled, err);
	if (cancelled)
		return error_virt(err, VIR_ERR_MIGRATE_FINISH_OK,
				  "the migration was cancelled");
	if (r == 0)
		obj_ref_fill(obj, ret);
	return r;
}

int domain_migrate_finish(struct registry *reg,
			  const struct migrate_args *args,
			  const struct migrate_cookie *in, bool cancelled,
			  struct domain_ref *ret, struct error *err)
{
	struct dom_obj *obj;
	int r;

	if (!args->dname)
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "no domain name was given");
	if (args->flags & VIR_MIGRATE_OFFLINE)
		return offline_finish(reg, args, cancelled, ret, err);
	r = domain_lookup_name(reg, args->dname, ret, err);
	if (r == 0)
		r = obj_begin(reg, ret->uuid, "migrate", &obj, err);
	if (r < 0)
		return r;
	r = finish_call(obj, args, in, cancelled, ret, err);
	obj_end(obj);
	return r;
}

/* ---- a daemon that ended in between ---- */

static void wait_taking(struct dom_obj *obj, char word[DOMAIN_HANDOVER_MAX])
{
	struct error err;

	for (unsigned int i = 0; i < TAKING_TRIES; i++) {
		if (driver_call(obj, &err, handover, word) < 0 ||
		    !str_eq(word, "taking"))
			return;
		usleep(100000);
	}
}

/*
 * A guest that was taken is here and nowhere else: it is kept.  Any other goes
 * on where it came from.
 */
bool incoming_recover(struct dom_obj *obj, bool paused)
{
	bool stays = obj->reason == VIR_DOMAIN_PAUSED_USER;
	char word[DOMAIN_HANDOVER_MAX] = "";
	struct error err = { 0 };

	if (!obj->driver->handover || obj->state != VIR_DOMAIN_PAUSED ||
	    (!stays && obj->reason != VIR_DOMAIN_PAUSED_MIGRATION))
		return false;
	wait_taking(obj, word);
	if (str_eq(word, "copying") || str_eq(word, "broken"))
		obj->migration.postcopy = true;
	else if (!str_eq(word, "taken") && paused)
		return false;
	if (paused && !stays && driver_call(obj, &err, resume) < 0) {
		log_error("domain '%s' has come, but does not run: %s",
			  obj->d.name, err.message);
		stays = true;
	}
	arrived(obj, stays);
	return true;
}
