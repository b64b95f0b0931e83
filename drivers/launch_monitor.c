/*
 * drivers/launch_monitor.c -- talks to one VMM over its control socket.
 *
 * Replies and events are read on the daemon's watch thread; a worker that made
 * a request waits until its reply was matched by id, the VMM is gone, or time
 * is up.  A VMM is no more trusted than its guest: whatever it sends that is
 * not in the protocol ends the connection, and with it the run.
 */
#include "drivers/launch.h"

#include <errno.h>
#include <json-c/json.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define LOG_MODULE "launch"
#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "vmm/control.h"

/* LONG_S: until it is done, cancelled, or the VMM is gone. */
/* PIN_S: all of the guest's memory is pinned for devices of the host's. */
enum { REPLY_S = 10, CREATE_S = 30, PIN_S = 1800, LONG_S = 365 * 86400, JSON_DEPTH = 8 };

struct pending {
	struct pending *next;
	int64_t id;
	struct json_object *reply; /* NULL: not yet */
};

struct monitor {
	struct domain *dom;
	int control, pidfd;
	struct host_watch *watch;
	struct rescue rescue;

	pthread_mutex_t lock; /* what is below */
	pthread_cond_t changed;
	struct json_object *greeting;
	struct pending *pending;
	int64_t last_id;
	bool gone;	 /* hung up; nothing more will come */
	bool delivering; /* see monitor_deliver() */
	bool ended;	 /* the event that ends the run has been seen */
	bool crashed;
	char why[200]; /* of the end */
	char *buf;     /* the watch thread's */
};

/* ---- what comes in ---- */

static const char *get_string(struct json_object *json, const char *key)
{
	struct json_object *v;

	if (!json_object_object_get_ex(json, key, &v) ||
	    !json_object_is_type(v, json_type_string))
		return NULL;
	return json_object_get_string(v);
}

/*
 * Only when the guest switches off has it shut down: that it acts on the
 * button says little, a guest may well ignore it.
 */
static void deliver_end(struct monitor *mon)
{
	if (!mon->crashed && str_eq(mon->why, "poweroff"))
		domain_event(mon->dom, DOMAIN_EVENT_SHUTDOWN, NULL);
	domain_event(mon->dom,
		     mon->crashed ? DOMAIN_EVENT_CRASHED : DOMAIN_EVENT_STOPPED,
		     mon->why);
}

/* The first end counts: what follows is its consequence. */
static void note_end(struct monitor *mon, bool crashed, const char *why)
{
	bool deliver;

	pthread_mutex_lock(&mon->lock);
	if (mon->ended) {
		pthread_mutex_unlock(&mon->lock);
		return;
	}
	mon->ended = true;
	mon->crashed = crashed;
	snprintf(mon->why, sizeof(mon->why), "%s", why);
	deliver = mon->delivering;
	pthread_mutex_unlock(&mon->lock);
	if (deliver)
		deliver_end(mon);
}

void monitor_deliver(struct monitor *mon)
{
	bool ended;

	pthread_mutex_lock(&mon->lock);
	mon->delivering = true;
	ended = mon->ended;
	pthread_mutex_unlock(&mon->lock);
	if (ended)
		deliver_end(mon);
}

static bool is_preserved(const struct monitor *mon, const char *reason)
{
	const struct domain_def *def = mon->dom->live;

	if (str_eq(reason, "crash"))
		return def->on_crash == DOM_ACTION_PRESERVE;
	if (str_eq(reason, "reset"))
		return def->on_reboot == DOM_ACTION_PRESERVE;
	return str_eq(reason, "poweroff") &&
	       def->on_poweroff == DOM_ACTION_PRESERVE;
}

static void on_stopped(struct monitor *mon, struct json_object *json)
{
	const char *reason = get_string(json, "reason");
	const char *detail = get_string(json, "detail");

	if (detail)
		log_info("domain '%s' stopped (%s): %s", mon->dom->name,
			 reason ? reason : "?", detail);
	if (!reason)
		reason = "crash";
	note_end(mon, str_eq(reason, "crash"),
		 is_preserved(mon, reason) ? "preserved" : reason);
}

/* The action is a word of the description, or the VMM is not to be trusted. */
static void on_watchdog(struct monitor *mon, const char *action)
{
	if (launch_watchdog_action(action) >= 0)
		domain_event(mon->dom, DOMAIN_EVENT_WATCHDOG, action);
}

/* Words of a machine's, which is not trusted: one each, or "-". */
static const char *word(struct json_object *json, const char *key)
{
	const char *s = json ? get_string(json, key) : NULL;

	return s && *s && strlen(s) < 46 && !strpbrk(s, " \t\n") ? s : "-";
}

static void on_vnc(struct monitor *mon, struct json_object *json)
{
	struct json_object *local = NULL, *remote = NULL;
	_cleanup_free_ char *why = NULL;

	json_object_object_get_ex(json, "local", &local);
	json_object_object_get_ex(json, "remote", &remote);
	why = xasprintf("%s %s %s %s %s %s %s %s", word(json, "phase"),
			word(json, "auth"), word(local, "family"),
			word(local, "node"), word(local, "service"),
			word(remote, "family"), word(remote, "node"),
			word(remote, "service"));
	domain_event(mon->dom, DOMAIN_EVENT_GRAPHICS, why);
}

static void on_tray(struct monitor *mon, const char *id, bool open)
{
	char why[64];

	snprintf(why, sizeof(why), "%s %s", open ? "open" : "close",
		 id ? id : "");
	domain_event(mon->dom, DOMAIN_EVENT_TRAY, why);
}

static void on_vsock(struct monitor *mon, struct json_object *port)
{
	char why[16];

	snprintf(why, sizeof(why), "%u",
		 (uint32_t)json_object_get_int64(port));
	domain_event(mon->dom, DOMAIN_EVENT_VSOCK, why);
}

static void on_iteration(struct monitor *mon, struct json_object *n)
{
	char why[32];

	snprintf(why, sizeof(why), "%d", json_object_get_int(n));
	domain_event(mon->dom, DOMAIN_EVENT_ITERATION, why);
}

static void on_number(struct monitor *mon, enum domain_event event,
		      struct json_object *json, const char *key)
{
	char why[32];

	snprintf(why, sizeof(why), "%lld",
		 (long long)json_object_get_int64(
			 json_object_object_get(json, key)));
	domain_event(mon->dom, event, why);
}

static void on_event(struct monitor *mon, const char *event,
		     struct json_object *json)
{
	bool deliver;

	pthread_mutex_lock(&mon->lock);
	deliver = mon->delivering;
	pthread_mutex_unlock(&mon->lock);
	if (str_eq(event, "stopped"))
		on_stopped(mon, json);
	else if (!deliver)
		return;
	else if (str_eq(event, "reset"))
		domain_event(mon->dom, DOMAIN_EVENT_REBOOTED, NULL);
	else if (str_eq(event, "asleep"))
		domain_event(mon->dom, DOMAIN_EVENT_ASLEEP, NULL);
	else if (str_eq(event, "awake"))
		domain_event(mon->dom, DOMAIN_EVENT_AWAKE, NULL);
	else if (str_eq(event, "balloon"))
		domain_event(mon->dom, DOMAIN_EVENT_BALLOON, NULL);
	else if (str_eq(event, "vnc"))
		on_vnc(mon, json);
	else if (str_eq(event, "tray"))
		on_tray(mon, get_string(json, "drive"),
			json_object_get_boolean(
				json_object_object_get(json, "open")));
	else if (str_eq(event, "vsock"))
		on_vsock(mon, json_object_object_get(json, "port"));
	else if (str_eq(event, "port"))
		launch_tell_port(mon->dom, get_string(json, "port"),
				 json_object_get_boolean(
					 json_object_object_get(json, "open")));
	else if (str_eq(event, "iteration"))
		on_iteration(mon, json_object_object_get(json, "n"));
	else if (str_eq(event, "handover"))
		domain_event(mon->dom, DOMAIN_EVENT_HANDOVER,
			     get_string(json, "state"));
	else if (str_eq(event, "unplugged"))
		domain_event(mon->dom, DOMAIN_EVENT_DEVICE_REMOVED,
			     get_string(json, "device"));
	else if (str_eq(event, "kept"))
		domain_event(mon->dom, DOMAIN_EVENT_DEVICE_KEPT,
			     get_string(json, "device"));
	else if (str_eq(event, "blockjob"))
		domain_event(mon->dom, DOMAIN_EVENT_BLOCKJOB,
			     get_string(json, "drive"));
	else if (str_eq(event, "vcpus"))
		on_number(mon, DOMAIN_EVENT_VCPUS, json, "count");
	else if (str_eq(event, "memory"))
		launch_tell_memory(mon->dom, get_string(json, "device"),
				   json_object_get_uint64(
					   json_object_object_get(json, "size")));
	else if (str_eq(event, "rtc"))
		on_number(mon, DOMAIN_EVENT_RTC, json, "offset");
	else if (str_eq(event, "watchdog"))
		on_watchdog(mon, get_string(json, "action"));
	else
		log_info("domain '%s': %s", mon->dom->name, event);
}

static void on_reply(struct monitor *mon, int64_t id, struct json_object *json)
{
	pthread_mutex_lock(&mon->lock);
	for (struct pending *p = mon->pending; p; p = p->next) {
		if (p->id == id && !p->reply) {
			p->reply = json_object_get(json);
			pthread_cond_broadcast(&mon->changed);
			break;
		}
	}
	pthread_mutex_unlock(&mon->lock);
}

static int on_greeting(struct monitor *mon, struct json_object *version,
		       struct json_object *json)
{
	if (json_object_get_int(version) != CONTROL_VERSION)
		return -EPROTO;
	pthread_mutex_lock(&mon->lock);
	if (!mon->greeting)
		mon->greeting = json_object_get(json);
	pthread_cond_broadcast(&mon->changed);
	pthread_mutex_unlock(&mon->lock);
	return 0;
}

static int on_message(struct monitor *mon, const char *text, size_t len)
{
	struct json_tokener *tok = json_tokener_new_ex(JSON_DEPTH);
	struct json_object *json = json_tokener_parse_ex(tok, text, (int)len);
	struct json_object *v;
	int r = 0;

	json_tokener_free(tok);
	if (!json_object_is_type(json, json_type_object))
		r = -EPROTO;
	else if (json_object_object_get_ex(json, "vireo-vmm", &v))
		r = on_greeting(mon, v, json);
	else if (json_object_object_get_ex(json, "id", &v))
		on_reply(mon, json_object_get_int64(v), json);
	else if (get_string(json, "event"))
		on_event(mon, get_string(json, "event"), json);
	else
		r = -EPROTO;
	json_object_put(json);
	return r;
}

/* How it ended, if it went without saying so on the socket. */
static void on_hangup(struct monitor *mon)
{
	char line[64] = "";

	pthread_mutex_lock(&mon->lock);
	mon->gone = true;
	pthread_cond_broadcast(&mon->changed);
	pthread_mutex_unlock(&mon->lock);
	if (host_vmm_status(mon->dom->uuid, line) >= 0 &&
	    str_eq(line, "stopped poweroff"))
		note_end(mon, false, "poweroff");
	else
		note_end(mon, true, "its machine's process ended unexpectedly");
}

static void on_readable(void *arg, uint32_t events)
{
	struct monitor *mon = arg;

	for (;;) {
		ssize_t n = recv(mon->control, mon->buf, CONTROL_MSG_MAX,
				 MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n > 0 && n <= CONTROL_MSG_MAX &&
		    on_message(mon, mon->buf, n) >= 0)
			continue;
		if (n > 0)
			log_error("domain '%s': its machine does not keep to the protocol",
				  mon->dom->name);
		/* Both ways: a later readable event finds the same end. */
		shutdown(mon->control, SHUT_RDWR);
		on_hangup(mon);
		return;
	}
}

/* ---- what goes out ---- */

static void deadline(struct timespec *ret, int seconds)
{
	clock_gettime(CLOCK_MONOTONIC, ret);
	ret->tv_sec += seconds;
}

static int send_message(struct monitor *mon, const char *text, size_t len,
			const int *fds, unsigned int n_fds)
{
	_cleanup_free_ char *control = xcalloc(1, CMSG_SPACE(sizeof(int) *
							     (n_fds + 1)));
	struct iovec iov = { (void *)text, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (len > CONTROL_MSG_MAX)
		return -EMSGSIZE;
	if (n_fds) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * n_fds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * n_fds);
	}
	if (sendmsg(mon->control, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return 0;
}

static void unlink_pending(struct monitor *mon, struct pending *p)
{
	struct pending **q = &mon->pending;

	while (*q != p)
		q = &(*q)->next;
	*q = p->next;
}

/* With the lock held; until cond, time is up or it is gone. */
#define WAIT_UNTIL(mon, cond, until) \
	while (!(cond) && !(mon)->gone && \
	       pthread_cond_timedwait(&(mon)->changed, &(mon)->lock, \
				      until) != ETIMEDOUT) \
		;

static int explain(struct monitor *mon, const char *request, int r,
		   struct error *err)
{
	if (r == -ETIMEDOUT)
		return error_virt(err, VIR_ERR_OPERATION_TIMEOUT,
				  "the machine of domain '%s' did not answer '%s' in time",
				  mon->dom->name, request);
	return error_virt(err, VIR_ERR_OPERATION_FAILED,
			  "the machine of domain '%s' ended", mon->dom->name);
}

static int take_reply(struct json_object *reply, struct json_object **ret_ok,
		      struct error *err)
{
	const char *error = get_string(reply, "error");
	struct json_object *v = NULL;
	int errnum = -EIO;

	if (error) {
		if (json_object_object_get_ex(reply, "errno", &v) &&
		    json_object_get_int(v) > 0 && json_object_get_int(v) < 4096)
			errnum = -json_object_get_int(v);
		error_virt(err, VIR_ERR_OPERATION_FAILED, "%s", error);
		return err ? (err->errnum = errnum) : errnum;
	}
	if (ret_ok) {
		json_object_object_get_ex(reply, "ok", &v);
		*ret_ok = v ? json_object_get(v) : NULL;
	}
	return 0;
}

static int exchange(struct monitor *mon, struct pending *p, const char *text,
		    const int *fds, unsigned int n_fds, int seconds)
{
	struct timespec until;
	int r;

	deadline(&until, seconds);
	r = send_message(mon, text, strlen(text), fds, n_fds);
	pthread_mutex_lock(&mon->lock);
	if (r >= 0) {
		WAIT_UNTIL(mon, p->reply, &until);
		if (!p->reply)
			r = mon->gone ? -ECONNRESET : -ETIMEDOUT;
	}
	unlink_pending(mon, p);
	pthread_mutex_unlock(&mon->lock);
	return r;
}

/* rest: ", "spec": {...}" or "". */
static int call(struct monitor *mon, const char *request, const char *rest,
		const int *fds, unsigned int n_fds, int seconds,
		struct json_object **ret_ok, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	struct pending p = { 0 };
	int r;

	pthread_mutex_lock(&mon->lock);
	p.id = ++mon->last_id;
	p.next = mon->pending;
	mon->pending = &p;
	pthread_mutex_unlock(&mon->lock);
	text = xasprintf("{\"id\":%lld,\"request\":\"%s\"%s}",
			 (long long)p.id, request, rest);
	r = exchange(mon, &p, text, fds, n_fds, seconds);
	r = r < 0 ? explain(mon, request, r, err) :
		    take_reply(p.reply, ret_ok, err);
	json_object_put(p.reply);
	return r;
}

static int call_with(struct monitor *mon, const char *request,
		     struct json_object *args, const int *fds,
		     unsigned int n_fds, int seconds,
		     struct json_object **ret_ok, struct error *err)
{
	struct buf rest = { 0 };
	int r;

	if (args) {
		json_object_object_foreach(args, key, value)
			buf_printf(&rest, ",\"%s\":%s", key,
				   json_object_to_json_string_ext(
					   value, JSON_C_TO_STRING_PLAIN));
		json_object_put(args);
	}
	r = call(mon, request, rest.data ? rest.data : "", fds, n_fds,
		 seconds, ret_ok, err);
	buf_free(&rest);
	return r;
}

int monitor_call(struct monitor *mon, const char *request,
		 struct json_object *args, struct json_object **ret_ok,
		 struct error *err)
{
	return call_with(mon, request, args, NULL, 0, REPLY_S, ret_ok, err);
}

int monitor_call_fd(struct monitor *mon, const char *request,
		    struct json_object *args, int fd,
		    struct json_object **ret_ok, struct error *err)
{
	return call_with(mon, request, args, &fd, fd >= 0, REPLY_S, ret_ok,
			 err);
}

int monitor_call_long(struct monitor *mon, const char *request,
		      struct json_object *args, int fd,
		      struct json_object **ret_ok, struct error *err)
{
	return call_with(mon, request, args, &fd, fd >= 0, LONG_S, ret_ok,
			 err);
}

int monitor_call_fds(struct monitor *mon, const char *request,
		     struct json_object *args, const int *fds,
		     unsigned int n_fds, struct error *err)
{
	return call_with(mon, request, args, fds, n_fds, LONG_S, NULL, err);
}

int monitor_create(struct monitor *mon, const char *spec, const int *fds,
		   unsigned int n_fds, bool pins, struct error *err)
{
	_cleanup_free_ char *rest = xasprintf(",\"spec\":%s", spec);

	return call(mon, "create", rest, fds, n_fds, pins ? PIN_S : CREATE_S,
		    NULL, err);
}

int monitor_plug(struct monitor *mon, const char *devices, const int *fds,
		 unsigned int n_fds, bool pins, struct error *err)
{
	_cleanup_free_ char *rest = xasprintf(",\"devices\":%s", devices);

	return call(mon, "plug", rest, fds, n_fds, pins ? PIN_S : REPLY_S,
		    NULL, err);
}

struct rescue *monitor_rescue(struct monitor *mon)
{
	return &mon->rescue;
}

bool monitor_dead(struct monitor *mon, int ms)
{
	struct pollfd p = { mon->pidfd, POLLIN, 0 };

	return poll(&p, 1, ms) > 0;
}

/* ---- beginning and end ---- */

static const char *known_state(const char *state)
{
	static const char *const states[] = { "new", "paused", "running",
					      "stopped" };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (str_eq(state, states[i]))
			return states[i];
	return NULL;
}

static int await_greeting(struct monitor *mon, const char **ret_state,
			  struct error *err)
{
	struct timespec until;
	bool greeted;

	deadline(&until, REPLY_S);
	pthread_mutex_lock(&mon->lock);
	WAIT_UNTIL(mon, mon->greeting, &until);
	greeted = mon->greeting;
	pthread_mutex_unlock(&mon->lock);
	if (!greeted)
		return explain(mon, "hello", mon->gone ? -ECONNRESET :
							 -ETIMEDOUT, err);
	*ret_state = known_state(get_string(mon->greeting, "state"));
	return 0;
}

static void init_sync(struct monitor *mon)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&mon->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&mon->changed, &attr);
	pthread_condattr_destroy(&attr);
}

int monitor_open(struct domain *dom, int control, int pidfd,
		 struct monitor **ret_mon, const char **ret_state,
		 struct error *err)
{
	struct monitor *mon = xcalloc(1, sizeof(*mon));
	int r;

	mon->dom = dom;
	mon->control = control;
	mon->pidfd = pidfd;
	mon->rescue.fd = -1;
	mon->buf = xmalloc(CONTROL_MSG_MAX);
	init_sync(mon);
	mon->watch = host_watch(control, on_readable, mon);
	r = mon->watch ? await_greeting(mon, ret_state, err) :
			 error_set(err, -ENOMEM,
				   "cannot watch the machine of '%s'",
				   dom->name);
	if (r < 0)
		monitor_close(mon);
	else
		*ret_mon = mon;
	return r;
}

void monitor_close(struct monitor *mon)
{
	if (!mon)
		return;
	host_unwatch(mon->watch);
	fd_close(mon->control);
	fd_close(mon->pidfd);
	rescue_end(&mon->rescue);
	json_object_put(mon->greeting);
	pthread_mutex_destroy(&mon->lock);
	pthread_cond_destroy(&mon->changed);
	free(mon->buf);
	free(mon);
}
