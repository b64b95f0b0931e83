/*
 * dbus/signals.c -- libvirt's events as signals.
 *
 * Each tree has a connection for this alone, and a thread that opens it again
 * when it breaks.  It is opened when a client first calls something of the
 * tree, before the call is made, so that a client sees what its calls cause.
 */
#include <pthread.h>
#include <stdarg.h>
#include <time.h>

#include "dbus/service.h"

/* One kind of event.  A signal of the tree has the object as an argument. */
struct hook {
	enum kind kind;
	int id;
	const char *member;
	virConnectDomainEventGenericCallback fn;
	bool of_tree;
};

struct use {
	struct signals *signals;
	const struct hook *hook;
};

struct signals {
	DBusConnection *bus;
	struct tree *tree;
	struct use *uses;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool wanted, open;
	bool closed; /* while it was being opened */
	unsigned int attempts;
	virConnectPtr conn; /* the thread's */
};

static void put_arg(DBusMessageIter *to, char type, va_list *args)
{
	union {
		int32_t i;
		int64_t x;
	} v;

	switch (type) {
	case 's':
		put_string(to, va_arg(*args, const char *));
		break;
	case 'i':
		v.i = va_arg(*args, int);
		put_basic(to, type, &v);
		break;
	case 't':
	case 'x':
		v.x = va_arg(*args, long long);
		put_basic(to, type, &v);
		break;
	}
}

/* The signal without arguments but the object, which some have. */
static DBusMessage *start(const struct use *use, void *object)
{
	const struct hook *hook = use->hook;
	const struct tree *tree = use->signals->tree;
	char *path = path_of(tree, hook->kind, object);
	const struct iface *iface =
		hook->of_tree ? &iface_connect : kind_ops(hook->kind)->iface;
	DBusMessage *msg = NULL;

	if (!path)
		return NULL;
	msg = dbus_message_new_signal(hook->of_tree ? tree->path : path,
				      iface->name, hook->member);
	if (hook->of_tree)
		dbus_message_append_args(msg, 'o', &path, 0);
	free(path);
	return msg;
}

static void finish(const struct use *use, DBusMessage *msg)
{
	dbus_connection_send(use->signals->bus, msg, NULL);
	dbus_message_unref(msg);
}

static void emit(const struct use *use, void *object, const char *types, ...)
{
	DBusMessage *msg = start(use, object);
	DBusMessageIter at;
	va_list args;

	if (!msg)
		return;
	dbus_message_iter_init_append(msg, &at);
	va_start(args, types);
	for (; *types; types++)
		put_arg(&at, *types, &args);
	va_end(args);
	finish(use, msg);
}

static void on_(virConnectPtr conn, void *object, void *use)
{
	emit(use, object, "");
}

static void on_i(virConnectPtr conn, void *object, int i, void *use)
{
	emit(use, object, "i", i);
}

static void on_ii(virConnectPtr conn, void *object, int i, int j, void *use)
{
	emit(use, object, "ii", i, j);
}

/* What has happened to a network has no detail. */
static void on_network(virConnectPtr conn, void *object, int i, int j,
		       void *use)
{
	emit(use, object, "i", i);
}

static void on_t(virConnectPtr conn, void *object, unsigned long long t,
		 void *use)
{
	emit(use, object, "t", t);
}

static void on_x(virConnectPtr conn, void *object, long long x, void *use)
{
	emit(use, object, "x", x);
}

static void on_s(virConnectPtr conn, void *object, const char *s, void *use)
{
	emit(use, object, "s", s);
}

static void on_si(virConnectPtr conn, void *object, const char *s, int i,
		  void *use)
{
	emit(use, object, "si", s, i);
}

static void on_is(virConnectPtr conn, void *object, int i, const char *s,
		  void *use)
{
	emit(use, object, "is", i, s);
}

static void on_sii(virConnectPtr conn, void *object, const char *s, int i,
		   int j, void *use)
{
	emit(use, object, "sii", s, i, j);
}

static void on_ssis(virConnectPtr conn, void *object, const char *s,
		    const char *t, int i, const char *u, void *use)
{
	emit(use, object, "ssis", s, t, i, u);
}

static void on_sssi(virConnectPtr conn, void *object, const char *s,
		    const char *t, const char *u, int i, void *use)
{
	emit(use, object, "sssi", s, t, u, i);
}

static void on_params(virConnectPtr conn, void *object,
		      virTypedParameterPtr params, int n, void *use)
{
	DBusMessage *msg = start(use, object);
	DBusMessageIter at;

	if (!msg)
		return;
	dbus_message_iter_init_append(msg, &at);
	put_params(&at, params, n);
	finish(use, msg);
}

static void put_end(DBusMessageIter *to,
		    const virDomainEventGraphicsAddress *end)
{
	DBusMessageIter at;
	int32_t family = end->family;

	dbus_message_iter_open_container(to, 'r', NULL, &at);
	put_basic(&at, 'i', &family);
	put_string(&at, end->node);
	put_string(&at, end->service);
	dbus_message_iter_close_container(to, &at);
}

static void put_identities(DBusMessageIter *to,
			   const virDomainEventGraphicsSubject *subject)
{
	DBusMessageIter array, at;

	dbus_message_iter_open_container(to, 'a', "(ss)", &array);
	for (int i = 0; subject && i < subject->nidentity; i++) {
		dbus_message_iter_open_container(&array, 'r', NULL, &at);
		put_string(&at, subject->identities[i].type);
		put_string(&at, subject->identities[i].name);
		dbus_message_iter_close_container(&array, &at);
	}
	dbus_message_iter_close_container(to, &array);
}

static void on_graphics(virConnectPtr conn, void *object, int phase,
			const virDomainEventGraphicsAddress *local,
			const virDomainEventGraphicsAddress *remote,
			const char *scheme,
			const virDomainEventGraphicsSubject *subject, void *use)
{
	DBusMessage *msg = start(use, object);
	DBusMessageIter at;
	int32_t i = phase;

	if (!msg)
		return;
	dbus_message_iter_init_append(msg, &at);
	put_basic(&at, 'i', &i);
	put_end(&at, local);
	put_end(&at, remote);
	put_string(&at, scheme);
	put_identities(&at, subject);
	finish(use, msg);
}

#define DOMAIN_HOOK(id_, member_, fn_) \
	{ .kind = KIND_DOMAIN, .id = VIR_DOMAIN_EVENT_ID_##id_, \
	  .member = member_, .fn = VIR_DOMAIN_EVENT_CALLBACK(fn_) }
#define TREE_HOOK(kind_, member_, fn_) \
	{ .kind = kind_, .id = 0 /* ..._EVENT_ID_LIFECYCLE of all kinds */, \
	  .member = member_, .fn = VIR_DOMAIN_EVENT_CALLBACK(fn_), \
	  .of_tree = true }

static const struct hook hooks[] = {
	TREE_HOOK(KIND_DOMAIN, "DomainEvent", on_ii),
	TREE_HOOK(KIND_NETWORK, "NetworkEvent", on_network),
	TREE_HOOK(KIND_NODEDEV, "NodeDeviceEvent", on_ii),
	TREE_HOOK(KIND_SECRET, "SecretEvent", on_ii),
	TREE_HOOK(KIND_POOL, "StoragePoolEvent", on_ii),
	{ .kind = KIND_POOL, .id = VIR_STORAGE_POOL_EVENT_ID_REFRESH,
	  .member = "Refresh", .fn = VIR_DOMAIN_EVENT_CALLBACK(on_) },
	DOMAIN_HOOK(AGENT_LIFECYCLE, "AgentEvent", on_ii),
	DOMAIN_HOOK(BALLOON_CHANGE, "BalloonChange", on_t),
	DOMAIN_HOOK(BLOCK_JOB_2, "BlockJob", on_sii),
	DOMAIN_HOOK(CONTROL_ERROR, "ControlError", on_),
	DOMAIN_HOOK(DEVICE_ADDED, "DeviceAdded", on_s),
	DOMAIN_HOOK(DEVICE_REMOVAL_FAILED, "DeviceRemovalFailed", on_s),
	DOMAIN_HOOK(DEVICE_REMOVED, "DeviceRemoved", on_s),
	DOMAIN_HOOK(DISK_CHANGE, "DiskChange", on_sssi),
	DOMAIN_HOOK(GRAPHICS, "Graphics", on_graphics),
	DOMAIN_HOOK(IO_ERROR_REASON, "IOError", on_ssis),
	DOMAIN_HOOK(JOB_COMPLETED, "JobCompleted", on_params),
	DOMAIN_HOOK(METADATA_CHANGE, "MetadataChange", on_is),
	DOMAIN_HOOK(MIGRATION_ITERATION, "MigrationIteration", on_i),
	DOMAIN_HOOK(PMSUSPEND, "PMSuspend", on_i),
	DOMAIN_HOOK(PMSUSPEND_DISK, "PMSuspendDisk", on_i),
	DOMAIN_HOOK(PMWAKEUP, "PMWakeup", on_i),
	DOMAIN_HOOK(REBOOT, "Reboot", on_),
	DOMAIN_HOOK(RTC_CHANGE, "RTCChange", on_x),
	DOMAIN_HOOK(TRAY_CHANGE, "TrayChange", on_si),
	DOMAIN_HOOK(TUNABLE, "Tunable", on_params),
	DOMAIN_HOOK(WATCHDOG, "Watchdog", on_i),
};

static void hook_up(virConnectPtr conn, struct use *use)
{
	const struct hook *h = use->hook;

	switch (h->kind) {
	case KIND_DOMAIN:
		virConnectDomainEventRegisterAny(conn, NULL, h->id, h->fn, use,
						 NULL);
		break;
	case KIND_NETWORK:
		virConnectNetworkEventRegisterAny(
			conn, NULL, h->id, VIR_NETWORK_EVENT_CALLBACK(h->fn),
			use, NULL);
		break;
	case KIND_NODEDEV:
		virConnectNodeDeviceEventRegisterAny(
			conn, NULL, h->id,
			VIR_NODE_DEVICE_EVENT_CALLBACK(h->fn), use, NULL);
		break;
	case KIND_SECRET:
		virConnectSecretEventRegisterAny(
			conn, NULL, h->id, VIR_SECRET_EVENT_CALLBACK(h->fn),
			use, NULL);
		break;
	default:
		virConnectStoragePoolEventRegisterAny(
			conn, NULL, h->id,
			VIR_STORAGE_POOL_EVENT_CALLBACK(h->fn), use, NULL);
	}
}

static void on_close(virConnectPtr conn, int reason, void *arg)
{
	struct signals *s = arg;

	pthread_mutex_lock(&s->lock);
	s->open = false;
	s->closed = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static bool connect_once(struct signals *s)
{
	if (s->conn)
		virConnectClose(s->conn);
	s->conn = virConnectOpen(s->tree->uri);
	if (!s->conn)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		hook_up(s->conn, &s->uses[i]);
	virConnectRegisterCloseCallback(s->conn, on_close, s, NULL);
	virConnectSetKeepAlive(s->conn, 5, 3);
	return true;
}

static void attempt(struct signals *s)
{
	bool open;

	s->closed = false;
	pthread_mutex_unlock(&s->lock);
	open = connect_once(s);
	pthread_mutex_lock(&s->lock);
	s->open = open && !s->closed;
	s->attempts++;
	pthread_cond_broadcast(&s->changed);
}

static void *keep_open(void *arg)
{
	struct signals *s = arg;
	struct timespec next;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (!s->wanted || s->open)
			pthread_cond_wait(&s->changed, &s->lock);
		attempt(s);
		if (s->open)
			continue;
		clock_gettime(CLOCK_REALTIME, &next);
		next.tv_sec++;
		pthread_cond_timedwait(&s->changed, &s->lock, &next);
	}
	return NULL;
}

struct signals *signals_create(DBusConnection *bus, struct tree *tree)
{
	struct signals *s = xcalloc(1, sizeof(*s));
	pthread_t thread;

	s->bus = bus;
	s->tree = tree;
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->uses = xcalloc(ARRAY_SIZE(hooks), sizeof(*s->uses));
	for (size_t i = 0; i < ARRAY_SIZE(hooks); i++)
		s->uses[i] = (struct use){ s, &hooks[i] };
	if (pthread_create(&thread, NULL, keep_open, s))
		abort();
	pthread_detach(thread);
	return s;
}

void signals_open(struct signals *s)
{
	unsigned int before;

	pthread_mutex_lock(&s->lock);
	before = s->attempts;
	s->wanted = true;
	pthread_cond_broadcast(&s->changed);
	while (!s->open && s->attempts == before)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
}
