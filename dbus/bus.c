/*
 * dbus/bus.c -- the connection to the bus, its queue of calls and the workers.
 *
 * The main thread alone reads and dispatches; libdbus lets any thread send, and
 * says through the wake-up function that there is something to write.  While
 * the queue is full nothing is read, so clients that ask faster than answers
 * come wait in the bus.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>

#include "dbus/service.h"

#define LOG_MODULE "dbus"
#include "base/log.h"

enum { MAX_QUEUED = 256, MAX_RECEIVED = 64 << 20 };

struct bus {
	DBusConnection *conn;
	struct trees *trees;
	int fd, wake_fd, watch;
	bool lost;
	pthread_mutex_t lock;
	pthread_cond_t queued;
	DBusMessage *queue[MAX_QUEUED];
	unsigned int first, n;
};

static void wake(void *arg)
{
	struct bus *bus = arg;

	if (eventfd_write(bus->wake_fd, 1) < 0)
		log_error("cannot wake the main thread: %m");
}

static DBusMessage *next(struct bus *bus)
{
	DBusMessage *msg;
	bool was_full;

	pthread_mutex_lock(&bus->lock);
	while (!bus->n)
		pthread_cond_wait(&bus->queued, &bus->lock);
	was_full = bus->n == MAX_QUEUED;
	msg = bus->queue[bus->first];
	bus->first = (bus->first + 1) % MAX_QUEUED;
	bus->n--;
	pthread_mutex_unlock(&bus->lock);
	if (was_full)
		wake(bus);
	return msg;
}

static bool full(struct bus *bus)
{
	bool is;

	pthread_mutex_lock(&bus->lock);
	is = bus->n == MAX_QUEUED;
	pthread_mutex_unlock(&bus->lock);
	return is;
}

/* Called while dispatching, which happens only when the queue is not full. */
static void enqueue(struct bus *bus, DBusMessage *msg)
{
	pthread_mutex_lock(&bus->lock);
	bus->queue[(bus->first + bus->n++) % MAX_QUEUED] =
		dbus_message_ref(msg);
	pthread_cond_signal(&bus->queued);
	pthread_mutex_unlock(&bus->lock);
}

static void *work(void *arg)
{
	struct bus *bus = arg;
	struct connections connections = {
		xcalloc(bus->trees->n, sizeof(virConnectPtr)),
	};

	for (;;) {
		DBusMessage *msg = next(bus);
		DBusMessage *reply = handle(msg, bus->trees, &connections);

		if (!dbus_message_get_no_reply(msg))
			dbus_connection_send(bus->conn, reply, NULL);
		dbus_message_unref(reply);
		dbus_message_unref(msg);
	}
	return NULL;
}

static DBusHandlerResult filter(DBusConnection *conn, DBusMessage *msg,
				void *arg)
{
	struct bus *bus = arg;

	if (dbus_message_is_signal(msg, DBUS_INTERFACE_LOCAL, "Disconnected") ||
	    dbus_message_is_signal(msg, DBUS_INTERFACE_DBUS, "NameLost"))
		bus->lost = true;
	if (dbus_message_get_type(msg) != DBUS_MESSAGE_TYPE_METHOD_CALL ||
	    dbus_message_has_interface(msg, DBUS_INTERFACE_PEER))
		return DBUS_HANDLER_RESULT_NOT_YET_HANDLED;
	enqueue(bus, msg);
	return DBUS_HANDLER_RESULT_HANDLED;
}

static void pump(struct bus *bus)
{
	int events = VIR_EVENT_HANDLE_ERROR | VIR_EVENT_HANDLE_HANGUP;

	if (!dbus_connection_read_write(bus->conn, 0))
		bus->lost = true;
	while (!full(bus) && dbus_connection_dispatch(bus->conn) ==
				     DBUS_DISPATCH_DATA_REMAINS)
		;
	if (!full(bus))
		events |= VIR_EVENT_HANDLE_READABLE;
	if (dbus_connection_has_messages_to_send(bus->conn))
		events |= VIR_EVENT_HANDLE_WRITABLE;
	virEventUpdateHandle(bus->watch, events);
}

static void on_bus(int watch, int fd, int events, void *arg)
{
	pump(arg);
}

static void on_wake(int watch, int fd, int events, void *arg)
{
	eventfd_t n;

	(void)eventfd_read(fd, &n);
	pump(arg);
}

static int bus_error(DBusError *from, const char *what, struct error *err)
{
	error_set(err, -EIO, "%s: %s", what,
		  from->message ? from->message : "no reason given");
	dbus_error_free(from);
	return -EIO;
}

static int connect_bus(struct bus *bus, const struct options *options,
		       struct error *err)
{
	DBusError why = DBUS_ERROR_INIT;

	if (!options->address) {
		bus->conn = dbus_bus_get_private(options->type, &why);
	} else {
		bus->conn = dbus_connection_open_private(options->address,
							 &why);
		if (bus->conn && !dbus_bus_register(bus->conn, &why))
			return bus_error(&why, "the bus does not let us in",
					 err);
	}
	if (!bus->conn)
		return bus_error(&why, "cannot connect to the bus", err);
	dbus_connection_set_exit_on_disconnect(bus->conn, false);
	dbus_connection_set_max_received_size(bus->conn, MAX_RECEIVED);
	if (!dbus_connection_get_unix_fd(bus->conn, &bus->fd))
		return error_set(err, -ENOTSUP, "the bus has no descriptor");
	return 0;
}

static int own(struct bus *bus, const char *name, struct error *err)
{
	DBusError why = DBUS_ERROR_INIT;
	int r = dbus_bus_request_name(bus->conn, name,
				      DBUS_NAME_FLAG_DO_NOT_QUEUE, &why);

	if (r < 0)
		return bus_error(&why, name, err);
	if (r != DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER)
		return error_set(err, -EBUSY,
				 "%s has an owner already; is libvirt-dbus "
				 "running?", name);
	return 0;
}

/* Names come last: from then on there are calls. */
static int take_names(struct bus *bus, bool as_libvirt, struct error *err)
{
	int r = own(bus, "org.vireo", err);

	return r || !as_libvirt ? r : own(bus, "org.libvirt", err);
}

static int watch(struct bus *bus, struct error *err)
{
	bus->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bus->wake_fd < 0)
		return error_set(err, -errno, "cannot make an eventfd: %m");
	bus->watch = virEventAddHandle(bus->fd, VIR_EVENT_HANDLE_READABLE,
				       on_bus, bus, NULL);
	if (bus->watch < 0 ||
	    virEventAddHandle(bus->wake_fd, VIR_EVENT_HANDLE_READABLE, on_wake,
			      bus, NULL) < 0)
		return error_set(err, -EIO, "cannot watch the bus");
	dbus_connection_set_wakeup_main_function(bus->conn, wake, bus, NULL);
	if (!dbus_connection_add_filter(bus->conn, filter, bus, NULL))
		return error_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int start_workers(struct bus *bus, unsigned int n, struct error *err)
{
	for (unsigned int i = 0; i < n; i++) {
		pthread_t thread;
		int r = pthread_create(&thread, NULL, work, bus);

		if (r)
			return error_set(err, -r, "cannot start a thread: %m");
		pthread_detach(thread);
	}
	return 0;
}

int serve_bus(const struct options *options, struct trees *trees,
	      struct error *err)
{
	static struct bus bus; /* workers have it until the process ends */
	int r;

	bus.trees = trees;
	pthread_mutex_init(&bus.lock, NULL);
	pthread_cond_init(&bus.queued, NULL);
	r = connect_bus(&bus, options, err);
	if (r >= 0)
		r = watch(&bus, err);
	for (unsigned int i = 0; r >= 0 && i < trees->n; i++)
		trees->tree[i].signals =
			signals_create(bus.conn, &trees->tree[i]);
	if (r >= 0)
		r = start_workers(&bus, options->threads, err);
	if (r >= 0)
		r = take_names(&bus, options->as_libvirt, err);
	wake(&bus); /* for what came with the answers to that */
	while (r >= 0 && !bus.lost)
		if (virEventRunDefaultImpl() < 0)
			r = error_set(err, -EIO, "the event loop failed");
	return r < 0 ? r : error_set(err, -ECONNRESET,
				     "lost the connection to the bus or a name "
				     "on it");
}
