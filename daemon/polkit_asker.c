/*
 * daemon/polkit_asker.c -- the process that asks polkit (daemon/polkit.h), over
 * org.freedesktop.PolicyKit1.Authority.
 *
 * Many questions may be open: a user who has to type a password holds up
 * nobody.  Whoever asked and does not want to know any more closes the
 * descriptor that the answer would go to.
 */
#include "daemon/polkit.h"

#include <cap-ng.h>
#include <dbus/dbus.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define LOG_MODULE "polkit"
#include "base/log.h"
#include "base/util.h"

#define AUTHORITY "org.freedesktop.PolicyKit1"
#define AUTHORITY_PATH "/org/freedesktop/PolicyKit1/Authority"
#define AUTHORITY_INTERFACE "org.freedesktop.PolicyKit1.Authority"

enum { OPEN_MAX_QUESTIONS = 64 };

struct open_question {
	bool used;
	int fd;
	DBusPendingCall *call;
	char cancel_id[32];
};

struct asker {
	int fd;
	DBusConnection *bus;
	uint64_t n_asked;
	struct open_question open[OPEN_MAX_QUESTIONS];
};

/* ---- answers ---- */

static void close_question(struct open_question *o)
{
	if (o->call)
		dbus_pending_call_unref(o->call);
	fd_close(o->fd);
	*o = (struct open_question){ .fd = -1 };
}

static void answer(struct open_question *o, enum polkit_outcome outcome,
		   const char *text)
{
	struct polkit_answer a = { .outcome = outcome };

	snprintf(a.text, sizeof(a.text), "%s", text);
	(void)send(o->fd, &a, sizeof(a), MSG_NOSIGNAL | MSG_DONTWAIT);
	close_question(o);
}

static bool dismissed(DBusMessageIter *result)
{
	DBusMessageIter details, entry;
	const char *key, *value;

	dbus_message_iter_recurse(result, &details);
	for (; dbus_message_iter_get_arg_type(&details) == DBUS_TYPE_DICT_ENTRY;
	     dbus_message_iter_next(&details)) {
		dbus_message_iter_recurse(&details, &entry);
		dbus_message_iter_get_basic(&entry, &key);
		dbus_message_iter_next(&entry);
		dbus_message_iter_get_basic(&entry, &value);
		if (str_eq(key, "polkit.dismissed"))
			return true;
	}
	return false;
}

/* (bba{ss}): authorized, challenge, details. */
static enum polkit_outcome read_result(DBusMessage *m)
{
	DBusMessageIter iter, result;
	dbus_bool_t yes, challenge;

	if (!dbus_message_has_signature(m, "(bba{ss})"))
		return POLKIT_NO;
	dbus_message_iter_init(m, &iter);
	dbus_message_iter_recurse(&iter, &result);
	dbus_message_iter_get_basic(&result, &yes);
	dbus_message_iter_next(&result);
	dbus_message_iter_get_basic(&result, &challenge);
	dbus_message_iter_next(&result);
	if (yes)
		return POLKIT_YES;
	if (dismissed(&result))
		return POLKIT_DISMISSED;
	return challenge ? POLKIT_CHALLENGE : POLKIT_NO;
}

static void on_reply(DBusPendingCall *call, void *arg)
{
	DBusMessage *m = dbus_pending_call_steal_reply(call);
	struct open_question *o = arg;
	const char *why = "it does not say why";

	if (!m)
		return;
	if (dbus_message_get_type(m) == DBUS_MESSAGE_TYPE_ERROR) {
		(void)dbus_message_get_args(m, NULL, DBUS_TYPE_STRING, &why,
					    DBUS_TYPE_INVALID);
		answer(o, POLKIT_FAILED, why);
	} else {
		answer(o, read_result(m), "");
	}
	dbus_message_unref(m);
}

/* ---- the bus ---- */

static void bus_lost(struct asker *a)
{
	for (int i = 0; i < OPEN_MAX_QUESTIONS; i++)
		if (a->open[i].used) {
			dbus_pending_call_cancel(a->open[i].call);
			answer(&a->open[i], POLKIT_FAILED,
			       "the system bus went away");
		}
	dbus_connection_close(a->bus);
	dbus_connection_unref(a->bus);
	a->bus = NULL;
}

static bool bus_have(struct asker *a, char *why, size_t len)
{
	DBusError e = DBUS_ERROR_INIT;

	if (a->bus && !dbus_connection_get_is_connected(a->bus))
		bus_lost(a);
	if (a->bus)
		return true;
	a->bus = dbus_bus_get_private(DBUS_BUS_SYSTEM, &e);
	if (!a->bus) {
		snprintf(why, len, "%s", e.message);
		dbus_error_free(&e);
		return false;
	}
	dbus_connection_set_exit_on_disconnect(a->bus, FALSE);
	return true;
}

static void bus_work(struct asker *a)
{
	(void)dbus_connection_read_write(a->bus, 0);
	while (dbus_connection_dispatch(a->bus) == DBUS_DISPATCH_DATA_REMAINS)
		;
	if (!dbus_connection_get_is_connected(a->bus))
		bus_lost(a);
}

/* ---- questions ---- */

/* proc(5), stat: field 22, counted from behind the name. */
static uint64_t start_time(pid_t pid)
{
	char path[32], text[1024] = "", *p;
	_cleanup_fclose_ FILE *f = NULL;
	unsigned long long t = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f || !fgets(text, sizeof(text), f))
		return 0;
	p = strrchr(text, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, "%llu", &t) != 1)
		return 0;
	return t;
}

static void add_variant(DBusMessageIter *dict, const char *key, char type,
			const char *signature, const void *value)
{
	DBusMessageIter entry, variant;

	dbus_message_iter_open_container(dict, DBUS_TYPE_DICT_ENTRY, NULL,
					 &entry);
	dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key);
	dbus_message_iter_open_container(&entry, DBUS_TYPE_VARIANT, signature,
					 &variant);
	dbus_message_iter_append_basic(&variant, type, value);
	dbus_message_iter_close_container(&entry, &variant);
	dbus_message_iter_close_container(dict, &entry);
}

/* (sa{sv}) */
static void add_subject(DBusMessageIter *iter, const struct polkit_question *q,
			uint64_t started)
{
	const char *kind = "unix-process";
	DBusMessageIter subject, dict;
	uint32_t pid = q->pid;
	int32_t uid = (int32_t)q->uid;

	dbus_message_iter_open_container(iter, DBUS_TYPE_STRUCT, NULL,
					 &subject);
	dbus_message_iter_append_basic(&subject, DBUS_TYPE_STRING, &kind);
	dbus_message_iter_open_container(&subject, DBUS_TYPE_ARRAY, "{sv}",
					 &dict);
	add_variant(&dict, "pid", DBUS_TYPE_UINT32, "u", &pid);
	add_variant(&dict, "start-time", DBUS_TYPE_UINT64, "t", &started);
	add_variant(&dict, "uid", DBUS_TYPE_INT32, "i", &uid);
	dbus_message_iter_close_container(&subject, &dict);
	dbus_message_iter_close_container(iter, &subject);
}

/* The next string of the text, or NULL. */
static const char *next_text(const char **at, const char *end)
{
	const char *s = *at;

	if (s >= end)
		return NULL;
	*at = s + strlen(s) + 1; /* the last one ends at 'end' */
	return dbus_validate_utf8(s, NULL) ? s : "";
}

/* a{ss} */
static void add_details(DBusMessageIter *iter, const char *at, const char *end)
{
	DBusMessageIter dict, entry;
	const char *key, *value;

	dbus_message_iter_open_container(iter, DBUS_TYPE_ARRAY, "{ss}", &dict);
	while ((key = next_text(&at, end)) && (value = next_text(&at, end))) {
		dbus_message_iter_open_container(&dict, DBUS_TYPE_DICT_ENTRY,
						 NULL, &entry);
		dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING, &key);
		dbus_message_iter_append_basic(&entry, DBUS_TYPE_STRING,
					       &value);
		dbus_message_iter_close_container(&dict, &entry);
	}
	dbus_message_iter_close_container(iter, &dict);
}

static DBusMessage *make_call(const struct polkit_question *q, const char *end,
			      uint64_t started, const char *cancel_id)
{
	DBusMessage *m = dbus_message_new_method_call(
		AUTHORITY, AUTHORITY_PATH, AUTHORITY_INTERFACE,
		"CheckAuthorization");
	/* 1: AllowUserInteraction. */
	uint32_t flags = q->interactive ? 1 : 0;
	const char *at = q->text, *action = next_text(&at, end);
	DBusMessageIter iter;

	dbus_message_iter_init_append(m, &iter);
	add_subject(&iter, q, started);
	dbus_message_iter_append_basic(&iter, DBUS_TYPE_STRING, &action);
	add_details(&iter, at, end);
	dbus_message_iter_append_basic(&iter, DBUS_TYPE_UINT32, &flags);
	dbus_message_iter_append_basic(&iter, DBUS_TYPE_STRING, &cancel_id);
	return m;
}

static void put_question(struct asker *a, struct open_question *o,
			 const struct polkit_question *q, const char *end)
{
	uint64_t started = start_time(q->pid);
	char why[256] = "the client's process is gone";
	DBusMessage *m;

	if (!started || !bus_have(a, why, sizeof(why))) {
		answer(o, POLKIT_FAILED, why);
		return;
	}
	if (q->interactive)
		snprintf(o->cancel_id, sizeof(o->cancel_id), "vireod-%llu",
			 (unsigned long long)++a->n_asked);
	m = make_call(q, end, started, o->cancel_id);
	if (!dbus_connection_send_with_reply(a->bus, m, &o->call,
					     DBUS_TIMEOUT_INFINITE) ||
	    !o->call)
		answer(o, POLKIT_FAILED, "the system bus went away");
	else
		dbus_pending_call_set_notify(o->call, on_reply, o, NULL);
	dbus_message_unref(m);
}

/* Whoever asked has gone: polkit need not ask its user any longer. */
static void take_back(struct asker *a, struct open_question *o)
{
	const char *id = o->cancel_id;
	DBusMessage *m = dbus_message_new_method_call(
		AUTHORITY, AUTHORITY_PATH, AUTHORITY_INTERFACE,
		"CancelCheckAuthorization");

	dbus_message_append_args(m, DBUS_TYPE_STRING, &id, DBUS_TYPE_INVALID);
	dbus_message_set_no_reply(m, TRUE);
	if (id[0])
		(void)dbus_connection_send(a->bus, m, NULL);
	dbus_message_unref(m);
	dbus_pending_call_cancel(o->call);
	close_question(o);
}

static struct open_question *free_place(struct asker *a)
{
	for (int i = 0; i < OPEN_MAX_QUESTIONS; i++)
		if (!a->open[i].used)
			return &a->open[i];
	return NULL;
}

int polkit_received_fd(struct msghdr *msg)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	int fd = -1;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

/* false: main is gone. */
static bool take_question(struct asker *a, struct open_question *o)
{
	static struct polkit_question q;
	const size_t least = offsetof(struct polkit_question, text) + 1;
	char space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { &q, sizeof(q) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = space,
			      .msg_controllen = sizeof(space) };
	ssize_t n = recvmsg(a->fd, &msg, MSG_CMSG_CLOEXEC);
	const char *end = (char *)&q + n;

	if (n <= 0)
		return n < 0 && errno == EINTR;
	*o = (struct open_question){ .used = true, .fd = polkit_received_fd(&msg) };
	if ((size_t)n < least || end[-1] != '\0' || q.pid <= 0)
		close_question(o);
	else
		put_question(a, o, &q, end);
	return true;
}

/* ---- the loop ---- */

static bool step(struct asker *a)
{
	struct pollfd p[OPEN_MAX_QUESTIONS + 2];
	struct open_question *place;
	int bus = -1;

	if (a->bus) {
		dbus_connection_flush(a->bus);
		bus_work(a); /* what came with the last bytes */
	}
	if (a->bus)
		(void)dbus_connection_get_unix_fd(a->bus, &bus);
	place = free_place(a);
	p[0] = (struct pollfd){ place ? a->fd : -1, POLLIN, 0 };
	p[1] = (struct pollfd){ bus, POLLIN, 0 };
	for (int i = 0; i < OPEN_MAX_QUESTIONS; i++)
		p[i + 2] = (struct pollfd){
			a->open[i].used ? a->open[i].fd : -1, 0, 0 };
	if (poll(p, ARRAY_SIZE(p), -1) < 0)
		return errno == EINTR;
	/* Questions that have ended by now are answered, not taken back. */
	if (p[1].revents)
		bus_work(a);
	for (int i = 0; i < OPEN_MAX_QUESTIONS; i++)
		if (p[i + 2].revents && a->open[i].used)
			take_back(a, &a->open[i]);
	return !p[0].revents || take_question(a, place);
}

static bool give_up_rights(void)
{
	capng_clear(CAPNG_SELECT_ALL);
	(void)capng_apply(CAPNG_SELECT_BOUNDS);
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       capng_apply(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT) == 0;
}

int polkit_asker(int fd)
{
	static struct asker a;

	prctl(PR_SET_NAME, POLKIT_ASKER);
	a.fd = fd;
	for (int i = 0; i < OPEN_MAX_QUESTIONS; i++)
		a.open[i].fd = -1;
	(void)chdir("/");
	if (!give_up_rights()) {
		log_error("cannot give up rights");
		return EXIT_FAILURE;
	}
	while (step(&a))
		;
	return EXIT_SUCCESS;
}
