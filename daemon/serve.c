/*
 * daemon/serve.c -- the unprivileged half of vireod, from start to end.
 *
 * The order is the point: what needs the file system (driver modules) comes
 * before confine(), what reads anything from outside comes after it.
 */
#include "daemon/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <sys/prctl.h>
#include <systemd/sd-event.h>

#define LOG_MODULE "main"
#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "daemon/access_config.h"
#include "daemon/agent.h"
#include "daemon/autostart.h"
#include "daemon/carrier_tls.h"
#include "daemon/confine.h"
#include "daemon/default_network.h"
#include "daemon/domain.h"
#include "daemon/filtered.h"
#include "daemon/hooks.h"
#include "daemon/host.h"
#include "daemon/host_filter.h"
#include "daemon/host_network.h"
#include "daemon/host_pool.h"
#include "daemon/listen.h"
#include "daemon/metrics.h"
#include "daemon/options.h"
#include "daemon/pools.h"
#include "daemon/secrets.h"
#include "daemon/sasl.h"
#include "daemon/server.h"
#include "daemon/store.h"
#include "daemon/store_nwfilter.h"
#include "model/capabilities.h"
#include "model/firmware.h"
#include "model/schemas.h"

struct main_half {
	const struct options *opt;
	const struct access_config *access;
	uid_t uid;
	sd_event *loop;
	struct server *server;
	struct metrics *metrics;
	struct store *store;
	struct registry *system, *test;
	struct save_files files;
	struct migrate_net net;
	char *nvram_dir, *sasl_db;
	struct network_store network_store;
	struct networks *networks;
	struct nwfilter_store nwfilter_store;
	struct nwfilters *nwfilters;
};

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si,
		     void *arg)
{
	log_info("ending on signal %u; guests keep running", si->ssi_signo);
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int create_loop(struct main_half *m, struct error *err)
{
	int r = sd_event_new(&m->loop);

	if (r >= 0)
		r = sd_event_add_signal(m->loop, NULL, SIGTERM, on_signal, m);
	if (r >= 0)
		r = sd_event_add_signal(m->loop, NULL, SIGINT, on_signal, m);
	return r < 0 ? error_set(err, r, "cannot create the event loop: %m") :
		       0;
}

/* Without them everything works but validation, which then says so. */
static void load_schemas(struct main_half *m)
{
	struct error err = { 0 };

	if (model_schemas_load(m->opt->schema_dir, &err) < 0)
		log_error("%s", err.message);
}

/* The database is looked for later, where confine() leaves it. */
static int prepare_sasl(struct main_half *m, struct error *err)
{
	m->sasl_db = xasprintf("%s/sasl.db", m->opt->session ?
						     m->opt->state_dir :
						     CONFINED_STATE_DIR);
	return sasl_prepare(m->sasl_db, m->opt->sasl_mechs, err);
}

static int load_tls(void *arg, struct tls_keys **ret_keys, struct error *err)
{
	const struct options *opt = ((struct main_half *)arg)->opt;
	const struct tls_files files = { opt->tls_ca, opt->tls_cert,
					 opt->tls_key };
	int r = tls_keys_load_files(&files, true, host_open_file, ret_keys,
				    err);

	if (r < 0)
		error_prefix(err, "clients by TLS");
	return r;
}

static int begin_tls(struct main_half *m, struct error *err)
{
	struct tls_keys *keys;
	int r = load_tls(m, &keys, err);

	if (r >= 0)
		server_set_tls(m->server, keys);
	return r;
}

static void set_access(struct main_half *m)
{
	struct server_access access = m->access->server;

	access.load_tls = m->opt->listen_tls ? load_tls : NULL;
	access.load_tls_arg = m;
	access.open_log = host_open_log;
	server_set_access(m->server, &access);
}

/* What must be opened while we still may; starts no thread. */
static int open_before(struct main_half *m, const int *channels,
		       struct error *err)
{
	int r = create_loop(m, err);

	host_init(channels);
	host_set_vnc_tls(m->opt->vnc_tls, m->opt->vnc_tls_dir);
	tzset(); /* reads /etc/localtime */
	load_schemas(m);
	firmware_look();
	registry_prepare();
	caps_set_emulator(m->opt->vmm);
	if (r >= 0)
		r = drivers_load(m->opt->driver_dir, err);
	if (r >= 0)
		r = server_create(m->loop, &m->server, err);
	if (r >= 0 && m->access->sasl)
		r = prepare_sasl(m, err);
	return r;
}

/* If priv dies, so do we, even where no loop runs and no call is made. */
static int die_with_priv(pid_t priv, struct error *err)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return error_set(err, -errno, "cannot be tied to priv: %m");
	if (getppid() != priv)
		return error_set(err, -ESRCH, "priv is gone");
	return 0;
}

static int open_saved(const char *path, bool readonly, struct error *err,
		      int *ret_fd)
{
	return host_open_disk(path, readonly, false, err, ret_fd);
}

static const struct host_pci_ops host_pci_ops = {
	.list = host_pci_list,
	.info = host_pci_info,
	.detach = host_pci_detach,
	.reattach = host_pci_reattach,
	.reset = host_pci_reset,
	.set_vf = host_set_vf,
};

/* Before guests are looked for: their disks may be volumes. */
static int open_storage(struct main_half *m, bool confined, struct error *err)
{
	const char *dir = confined ? CONFINED_STATE_DIR : m->opt->state_dir;
	int r = secrets_open(m->system, dir, err);

	if (r >= 0)
		r = secrets_open(m->test, NULL, err);
	if (r >= 0)
		r = pools_open(m->system, &host_pools, err);
	return r < 0 ? r : pools_open(m->test, NULL, err);
}

/* Guests are saved in clients' files, which priv opens, and in our own. */
static int open_state(struct main_half *m, bool confined, struct error *err)
{
	_cleanup_free_ char *path = xasprintf(
		"%s/vireo.db", confined ? CONFINED_STATE_DIR :
					  m->opt->state_dir);
	int r = store_open(path, &m->store, err);

	if (r >= 0)
		r = registry_open(m->opt->session ? "/session" : "/system",
				  m->store, &m->system, err);
	if (r >= 0) {
		m->nvram_dir = xasprintf("%s/nvram", m->opt->state_dir);
		m->files = (struct save_files){
			.open = open_saved,
			.begin = host_file_begin,
			.end = host_file_end,
			.remove = host_file_remove,
			.forget_tpm = host_forget_tpm,
			.dir = confined ? CONFINED_STATE_DIR :
					  m->opt->state_dir,
			.zstd = str_eq(m->opt->save_format, "zstd"),
			.nvram_dir = m->nvram_dir,
		};
		registry_set_files(m->system, &m->files);
		m->net = (struct migrate_net){
			.open_disk = host_open_disk,
			.connect_unix = host_connect_unix,
			.connect_tcp = host_connect_tcp,
			.listen_unix = host_listen_unix,
			.listen_tcp = host_listen_tcp,
			.open_file = host_open_file,
			.tls_dir = m->opt->migrate_tls_dir,
			.run_dir = m->opt->run_dir,
		};
		registry_set_net(m->system, &m->net);
		if (m->opt->hook_dir)
			registry_set_hook(m->system, host_hook);
		registry_set_host_pci(m->system, &host_pci_ops);
		r = registry_open("/test", NULL, &m->test, err);
	}
	if (r >= 0)
		r = open_storage(m, confined, err);
	return r;
}

/* Before the domains: what has ended gives up its ports' filters. */
static void recover_nwfilters(struct main_half *m, bool booted)
{
	struct error err = { 0 };

	if (m->opt->session)
		return;
	m->nwfilter_store = (struct nwfilter_store){
		.arg = m->store,
		.put = store_nwfilter_put,
		.put_binding = store_nwfilter_put_binding,
		.each = store_nwfilter_each,
		.each_binding = store_nwfilter_each_binding,
	};
	m->nwfilters = nwfilters_create(&m->nwfilter_store, &host_filter);
	registry_set_nwfilters(m->system, m->nwfilters);
	if (nwfilters_recover(m->nwfilters, booted, &err) < 0)
		log_error("%s", err.message);
	nwfilters_watch(m->nwfilters);
	nwfilters_learn(m->nwfilters, filtered_learn, m->networks);
}

/* Before the domains: those that run may be plugged in. */
static void recover_networks(struct main_half *m)
{
	bool booted = registry_booted(m->system);
	struct error err = { 0 };

	m->network_store = (struct network_store){
		.arg = m->store,
		.put = store_network_put,
		.each = store_network_each,
		.put_port = store_network_put_port,
		.each_port = store_network_each_port,
	};
	m->networks = networks_create(&m->network_store, &host_network);
	registry_set_networks(m->system, m->networks);
	if (networks_recover(m->networks, booted, &err) < 0)
		log_error("%s", err.message);
	else if (!m->opt->session)
		default_network(m->opt->default_network, m->store,
				m->networks);
	recover_nwfilters(m, booted);
}

static int listen_one(struct main_half *m, int fd, int kind,
		      struct error *err)
{
	if (kind == LISTEN_METRICS)
		return metrics_add(&m->metrics, m->server, m->system, fd, err);
	return server_listen(m->server, fd, kind, err);
}

static int listen_all(struct main_half *m, struct listeners *l,
		      struct error *err)
{
	gid_t group = m->access->group;
	int r = group ? server_allow_group(m->server, group, err) : 0;

	set_access(m);
	if (r >= 0 && m->opt->listen_tls)
		r = begin_tls(m, err);
	for (unsigned int i = 0; i < l->n && r >= 0; i++)
		r = listen_one(m, steal_fd(&l->s[i].fd), l->s[i].kind, err);
	return r;
}

/* From nothing to serving, in the order that keeps rights short. */
static int begin(struct main_half *m, const int *channels,
		 struct listeners *listeners, struct error *err)
{
	pid_t priv = getppid();
	bool confined = false;
	int r = open_before(m, channels, err);

	if (r >= 0)
		r = confine(m->opt->state_dir, m->opt->run_dir, m->uid,
			    m->opt->session, &confined, err);
	/* Only now: changing the uid would have undone it. */
	if (r >= 0)
		r = die_with_priv(priv, err);
	if (r >= 0)
		r = open_state(m, confined, err);
	if (r < 0)
		return r;
	if (!confined)
		log_warn("this host allows no user namespaces: the daemon keeps its view of the file system");
	recover_networks(m);
	registry_reconnect(m->system);
	registry_reconnect(m->test);
	r = listen_all(m, listeners, err);
	return r < 0 ? r : host_ready(err);
}

static void tell_daemon(struct main_half *m, const char *op,
			const char *sub_op, const char *extra)
{
	struct error err = { 0 };

	if (m->opt->hook_dir &&
	    host_hook("daemon", NULL, op, sub_op, extra, NULL, &err) < 0)
		log_warn("%s", err.message);
}

static int go(struct main_half *m, const int *channels,
	      struct listeners *listeners, struct error *err)
{
	int r = begin(m, channels, listeners, err);

	if (r < 0)
		return r;
	log_info("ready");
	tell_daemon(m, "start", "-", "start");
	r = sd_event_loop(m->loop);
	tell_daemon(m, "shutdown", "-", "shutdown");
	return r < 0 ? error_set(err, r, "the event loop failed: %m") : 0;
}

static void close_storage(struct registry *reg)
{
	if (!reg)
		return;
	pools_close(reg);
	secrets_close(reg);
}

static void finish(struct main_half *m)
{
	if (m->system)
		autostart_end(m->system);
	/* A call that waits for a guest would keep its worker. */
	if (m->system)
		agent_close_all(m->system);
	if (m->server)
		server_destroy(m->server);
	metrics_destroy(m->metrics);
	close_storage(m->test);
	close_storage(m->system);
	nwfilters_destroy(m->nwfilters);
	networks_destroy(m->networks);
	registry_close(m->test);
	registry_close(m->system);
	if (m->store)
		store_close(m->store);
	free(m->nvram_dir);
	free(m->sasl_db);
	sd_event_unref(m->loop);
	model_schemas_unload();
}

int serve(const struct options *opt, const int *channels,
	  struct listeners *listeners, const struct access_config *access,
	  uid_t uid)
{
	struct main_half m = { .opt = opt, .access = access, .uid = uid };
	struct error err = { 0 };
	int r = go(&m, channels, listeners, &err);

	if (r < 0)
		log_error("%s", err.message);
	finish(&m);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
