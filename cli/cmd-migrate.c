/*
 * cli/cmd-migrate.c -- domains moved to other hosts.
 */
#include <string.h>

#include "cli/args.h"
#include "cli/job.h"
#include "cli/output.h"
#include "cli/params.h"

static const struct flag_option migrate_flags[] = {
	{ "live", VIR_MIGRATE_LIVE },
	{ "p2p", VIR_MIGRATE_PEER2PEER },
	{ "tunnelled", VIR_MIGRATE_TUNNELLED },
	{ "persistent", VIR_MIGRATE_PERSIST_DEST },
	{ "undefinesource", VIR_MIGRATE_UNDEFINE_SOURCE },
	{ "suspend", VIR_MIGRATE_PAUSED },
	{ "copy-storage-all", VIR_MIGRATE_NON_SHARED_DISK },
	{ "copy-storage-inc", VIR_MIGRATE_NON_SHARED_INC },
	{ "copy-storage-synchronous-writes",
	  VIR_MIGRATE_NON_SHARED_SYNCHRONOUS_WRITES },
	{ "change-protection", VIR_MIGRATE_CHANGE_PROTECTION },
	{ "unsafe", VIR_MIGRATE_UNSAFE },
	{ "compressed", VIR_MIGRATE_COMPRESSED },
	{ "auto-converge", VIR_MIGRATE_AUTO_CONVERGE },
	{ "rdma-pin-all", VIR_MIGRATE_RDMA_PIN_ALL },
	{ "offline", VIR_MIGRATE_OFFLINE },
	{ "abort-on-error", VIR_MIGRATE_ABORT_ON_ERROR },
	{ "postcopy", VIR_MIGRATE_POSTCOPY },
	{ "postcopy-resume", VIR_MIGRATE_POSTCOPY_RESUME },
	{ "zerocopy", VIR_MIGRATE_ZEROCOPY },
	{ "tls", VIR_MIGRATE_TLS },
	{ "parallel", VIR_MIGRATE_PARALLEL },
	{ NULL },
};

#define TEXT(option, param)                                                \
	{                                                                  \
		option, VIR_MIGRATE_PARAM_##param, VIR_TYPED_PARAM_STRING, \
			false, 0                                           \
	}
#define INT(option, param)                                                     \
	{                                                                      \
		option, VIR_MIGRATE_PARAM_##param, VIR_TYPED_PARAM_INT, false, \
			0                                                      \
	}
#define NUM(option, param)                                                 \
	{                                                                  \
		option, VIR_MIGRATE_PARAM_##param, VIR_TYPED_PARAM_ULLONG, \
			false, 0                                           \
	}
static const struct param_option migrate_params[] = {
	TEXT("migrateuri", URI),
	TEXT("graphicsuri", GRAPHICS_URI),
	TEXT("listen-address", LISTEN_ADDRESS),
	TEXT("dname", DEST_NAME),
	INT("disks-port", DISKS_PORT),
	TEXT("disks-uri", DISKS_URI),
	INT("comp-mt-level", COMPRESSION_MT_LEVEL),
	INT("comp-mt-threads", COMPRESSION_MT_THREADS),
	INT("comp-mt-dthreads", COMPRESSION_MT_DTHREADS),
	NUM("comp-xbzrle-cache", COMPRESSION_XBZRLE_CACHE),
	INT("auto-converge-initial", AUTO_CONVERGE_INITIAL),
	INT("auto-converge-increment", AUTO_CONVERGE_INCREMENT),
	INT("parallel-connections", PARALLEL_CONNECTIONS),
	NUM("bandwidth", BANDWIDTH),
	NUM("postcopy-bandwidth", BANDWIDTH_POSTCOPY),
	TEXT("tls-destination", TLS_DESTINATION),
	{ NULL },
};
#undef TEXT
#undef INT
#undef NUM

/* A comma-separated option as one parameter for each word. */
static int add_words(struct params *p, const char *list, const char *param)
{
	_cleanup_free_ char *copy = xstrdup(list);
	char *save, *word;

	for (word = copy ? strtok_r(copy, ",", &save) : NULL; word;
	     word = strtok_r(NULL, ",", &save))
		if (virTypedParamsAddString(&p->v, &p->n, &p->max, param,
					    word) < 0)
			return -1;
	return 0;
}

static int add_file(const struct args *args, const char *option,
		    const char *param, struct params *p)
{
	_cleanup_free_ char *xml =
		args_has(args, option) ? args_file(args, option) : NULL;

	if (!args_has(args, option))
		return 0;
	return xml ? virTypedParamsAddString(&p->v, &p->n, &p->max, param, xml)
		   : -1;
}

static int read_params(const struct args *args, struct params *p)
{
	if (args_params(args, migrate_params, p) < 0 ||
	    add_words(p, args_get(args, "migrate-disks"),
		      VIR_MIGRATE_PARAM_MIGRATE_DISKS) < 0 ||
	    add_words(p, args_get(args, "comp-methods"),
		      VIR_MIGRATE_PARAM_COMPRESSION) < 0 ||
	    add_file(args, "xml", VIR_MIGRATE_PARAM_DEST_XML, p) < 0)
		return -1;
	return add_file(args, "persistent-xml", VIR_MIGRATE_PARAM_PERSIST_XML,
			p);
}

struct migration {
	const char *to;
	virConnectPtr dest; /* NULL: the hypervisors talk to each other */
	struct params params;
	unsigned int flags;
};

static int migrate(virDomainPtr dom, void *arg)
{
	struct migration *m = arg;
	virDomainPtr moved;

	if (!m->dest)
		return virDomainMigrateToURI3(dom, m->to, m->params.v,
					      (unsigned int)m->params.n,
					      m->flags);
	moved = virDomainMigrate3(dom, m->dest, m->params.v,
				  (unsigned int)m->params.n, m->flags);
	if (!moved)
		return -1;
	virDomainFree(moved);
	return 0;
}

static int check_requires(const struct args *args)
{
	static const char *const needs[][2] = {
		{ "postcopy-after-precopy", "postcopy" },
		{ "postcopy-resume", "postcopy" },
		{ "timeout-postcopy", "postcopy" },
		{ "persistent-xml", "persistent" },
		{ "tls-destination", "tls" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (args_requires(args, needs[i][0], needs[i][1]) < 0)
			return -1;
	return 0;
}

static int check(const struct args *args)
{
	if (args_exclusive(args, "copy-storage-all", "copy-storage-inc") < 0 ||
	    args_exclusive(args, "live", "offline") < 0 ||
	    args_exclusive(args, "timeout-suspend", "timeout-postcopy") < 0)
		return -1;
	return check_requires(args);
}

/* ---- what is done when it takes long ---- */

enum { CUE_TIMEOUT, CUE_SENT_ONCE, CUES };

static int start_postcopy(virDomainPtr dom)
{
	return virDomainMigrateStartPostCopy(dom, 0);
}

static int read_timeout(const struct args *args, struct job_cue *cue)
{
	bool postcopy = args_has(args, "timeout-postcopy");

	if (args_uint(args, "timeout", &cue->after_s) < 0)
		return -1;
	cue->act = postcopy ? start_postcopy : virDomainSuspend;
	if (cue->after_s && !args_has(args, "live")) {
		say_error("migrate: Unexpected timeout for offline migration");
		return -1;
	}
	if (!cue->after_s && (postcopy || args_has(args, "timeout-suspend"))) {
		say_error("migrate: Unexpected --timeout-* option without "
			  "--timeout");
		return -1;
	}
	return 0;
}

/* The second round has begun: all was sent once. */
static void on_iteration(virConnectPtr conn, virDomainPtr dom, int iteration,
			 void *arg)
{
	struct job_cue *cue = arg;

	(void)conn;
	(void)dom;
	if (iteration == 2)
		atomic_store(&cue->now, true);
}

/* The callback's number, -1: none is needed, or -2. */
static int await_iteration(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom, struct job_cue *cue)
{
	int id;

	cue->act = start_postcopy;
	if (!args_has(args, "postcopy-after-precopy"))
		return -1;
	id = virConnectDomainEventRegisterAny(
		ctl->conn, dom, VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION,
		VIR_DOMAIN_EVENT_CALLBACK(on_iteration), cue, NULL);
	return id < 0 ? -2 : id;
}

static int migrate_watched(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom, struct migration *m,
			   struct job_cue *cues)
{
	int id = await_iteration(ctl, args, dom, &cues[CUE_SENT_ONCE]);
	int r = id < -1 ? -1 :
			  job_run_cued(ctl, dom, args_has(args, "verbose"),
				       "Migration", migrate, m, cues, CUES);
	int status = r < 0 ? say_failed(ctl, NULL) : EXIT_OK;

	if (id >= 0)
		virConnectDomainEventDeregisterAny(ctl->conn, id);
	return status;
}

static int run_migrate(struct ctl *ctl, const struct args *args,
		       virDomainPtr dom)
{
	struct migration m = { .to = args_get(args, "desturi"),
			       .flags = args_flags(args, migrate_flags) };
	struct job_cue cues[CUES] = { 0 };
	int status = EXIT_OK;

	if (check(args) < 0 || read_timeout(args, &cues[CUE_TIMEOUT]) < 0)
		return EXIT_FAILED;
	if (read_params(args, &m.params) < 0) {
		params_free(&m.params);
		return say_failed(ctl, NULL);
	}
	if (!args_has(args, "p2p") && !args_has(args, "direct")) {
		m.dest = virConnectOpenAuth(m.to, virConnectAuthPtrDefault, 0);
		if (!m.dest)
			status = say_failed(ctl, NULL);
	}
	if (!status)
		status = migrate_watched(ctl, args, dom, &m, cues);
	if (m.dest)
		virConnectClose(m.dest);
	params_free(&m.params);
	return status;
}

static int run_migrate_setmaxdowntime(struct ctl *ctl, const struct args *args,
				      virDomainPtr dom)
{
	unsigned long long ms;

	if (args_ull(args, "downtime", &ms) < 0)
		return EXIT_FAILED;
	if (!ms) {
		say_error("migrate: Invalid downtime");
		return EXIT_FAILED;
	}
	return virDomainMigrateSetMaxDowntime(dom, ms, 0) < 0
		       ? say_failed(ctl, NULL)
		       : EXIT_OK;
}

static int run_migrate_getmaxdowntime(struct ctl *ctl, const struct args *args,
				      virDomainPtr dom)
{
	unsigned long long ms;
	char text[24];

	(void)args;
	if (virDomainMigrateGetMaxDowntime(dom, &ms, 0) < 0)
		return say_failed(ctl, NULL);
	snprintf(text, sizeof(text), "%llu", ms);
	say_value(ctl, "downtime", text);
	return EXIT_OK;
}

static int run_migrate_compcache(struct ctl *ctl, const struct args *args,
				 virDomainPtr dom)
{
	unsigned long long size = 0;
	const char *unit;
	double v;
	int r = args_size(args, "size", 1, &size);

	if (r < 0)
		return EXIT_FAILED;
	if ((r && virDomainMigrateSetCompressionCache(dom, size, 0) < 0) ||
	    virDomainMigrateGetCompressionCache(dom, &size, 0) < 0)
		return say_failed(ctl, NULL);
	v = job_scale(size, &unit);
	printf("Compression cache: %.3f %s", v, unit);
	return EXIT_OK;
}

static const struct flag_option speed_flags[] = {
	{ "postcopy", VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY },
	{ NULL },
};

static int run_migrate_setspeed(struct ctl *ctl, const struct args *args,
				virDomainPtr dom)
{
	unsigned long speed;

	if (args_number(args, "bandwidth", ~0ul, &speed) < 0)
		return EXIT_FAILED;
	return virDomainMigrateSetMaxSpeed(dom, speed,
					   args_flags(args, speed_flags)) < 0
		       ? say_failed(ctl, NULL)
		       : EXIT_OK;
}

static int run_migrate_getspeed(struct ctl *ctl, const struct args *args,
				virDomainPtr dom)
{
	unsigned long speed;
	char text[24];

	if (virDomainMigrateGetMaxSpeed(dom, &speed,
					args_flags(args, speed_flags)) < 0)
		return say_failed(ctl, NULL);
	snprintf(text, sizeof(text), "%lu", speed);
	say_value(ctl, "speed", text);
	return EXIT_OK;
}

static int run_migrate_postcopy(struct ctl *ctl, const struct args *args,
				virDomainPtr dom)
{
	(void)args;
	return virDomainMigrateStartPostCopy(dom, 0) < 0 ? say_failed(ctl, NULL)
							 : EXIT_OK;
}

const struct command family_migrate[] = {
	{ .name = "migrate",
	  .group = "domain",
	  .summary = "move a domain to another host",
	  .details = "Ctrl-C stops the move and leaves the domain here.",
	  .opts = OPTS(
		  OPT_DOMAIN(complete_domains), DATA("desturi"),
		  FLAG("live", "the guest runs meanwhile"), FLAG("offline"),
		  FLAG("p2p"), FLAG("direct"), FLAG("tunnelled"),
		  FLAG("persistent", "make it persistent at the destination"),
		  FLAG("undefinesource"), FLAG("suspend"),
		  FLAG("copy-storage-all"), FLAG("copy-storage-inc"),
		  FLAG("copy-storage-synchronous-writes"),
		  FLAG("change-protection"), FLAG("unsafe"), FLAG("verbose"),
		  FLAG("compressed"), FLAG("auto-converge"),
		  FLAG("rdma-pin-all"), FLAG("abort-on-error"),
		  FLAG("postcopy"), FLAG("postcopy-after-precopy"),
		  FLAG("postcopy-resume"), FLAG("zerocopy"),
		  STRING("migrateuri"), STRING("graphicsuri"),
		  STRING("listen-address"), STRING("dname"),
		  NUMBER("timeout", "with --live, seconds until the guest is "
				    "suspended, or what else --timeout-* says"),
		  FLAG("timeout-suspend"), FLAG("timeout-postcopy"),
		  STRING("xml"), STRING("migrate-disks"), NUMBER("disks-port"),
		  STRING("disks-uri"), STRING("comp-methods"),
		  NUMBER("comp-mt-level"), NUMBER("comp-mt-threads"),
		  NUMBER("comp-mt-dthreads"), NUMBER("comp-xbzrle-cache"),
		  NUMBER("auto-converge-initial"),
		  NUMBER("auto-converge-increment"), STRING("persistent-xml"),
		  FLAG("tls"), NUMBER("postcopy-bandwidth"), FLAG("parallel"),
		  NUMBER("parallel-connections"), NUMBER("bandwidth"),
		  STRING("tls-destination")),
	  .on_domain = run_migrate },
	{ .name = "migrate-setmaxdowntime",
	  .group = "domain",
	  .summary = "set how long a guest may stand still",
	  .opts = OPTS(OPT_DOMAIN(complete_active), DATA_NUMBER("downtime")),
	  .on_domain = run_migrate_setmaxdowntime },
	{ .name = "migrate-getmaxdowntime",
	  .group = "domain",
	  .summary = "how long a guest may stand still",
	  .opts = OPTS(OPT_DOMAIN(complete_active)),
	  .on_domain = run_migrate_getmaxdowntime },
	{ .name = "migrate-compcache",
	  .group = "domain",
	  .summary = "read or set the size of the compression cache",
	  .opts = OPTS(OPT_DOMAIN(complete_active), NAMED_NUMBER("size")),
	  .on_domain = run_migrate_compcache },
	{ .name = "migrate-setspeed",
	  .group = "domain",
	  .summary = "set the most that a migration may send",
	  .opts = OPTS(OPT_DOMAIN(complete_active), DATA_NUMBER("bandwidth"),
		       FLAG("postcopy", "during post-copy")),
	  .on_domain = run_migrate_setspeed },
	{ .name = "migrate-getspeed",
	  .group = "domain",
	  .summary = "the most that a migration may send",
	  .opts = OPTS(OPT_DOMAIN(complete_active),
		       FLAG("postcopy", "during post-copy")),
	  .on_domain = run_migrate_getspeed },
	{ .name = "migrate-postcopy",
	  .group = "domain",
	  .summary = "switch a migration to post-copy",
	  .opts = OPTS(OPT_DOMAIN(complete_active)),
	  .on_domain = run_migrate_postcopy },
	{ NULL },
};
