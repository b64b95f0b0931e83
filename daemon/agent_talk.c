/*
 * daemon/agent_talk.c -- the guest agent's protocol: JSON, one object a line.
 *
 * What is in the channel when a command begins is unknown: half a line of a
 * command that timed out, or an answer nobody waited for.  So each command is
 * preceded by "guest-sync-delimited" with a number of its own: the agent drops
 * what came before the byte 0xff, and so do we, until that number comes back.
 *
 * What the guest sends is not trusted: it is bounded, must be JSON and UTF-8.
 */
#include "daemon/agent.h"

#include <errno.h>
#include <json-c/json.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/error.h"

enum { REPLY_MAX = 10 * 1024 * 1024, READ_SIZE = 4096, DEPTH = 32 };
#define DELIMITER '\xff'
#define FOREVER UINT64_MAX

struct talk {
	int fd;
	uint64_t deadline; /* now_ns() */
	struct buf in;	   /* what came and was not used */
};

static uint64_t deadline(int seconds)
{
	return seconds < 0 ? FOREVER : now_ns() + seconds * 1000000000ull;
}

/* -ETIMEDOUT, or -ECONNRESET when it does not wait for good. */
static int await(const struct talk *t, short events)
{
	struct pollfd p = { .fd = t->fd, .events = events };
	int ms = -1, n;

	do {
		uint64_t now = now_ns();

		if (t->deadline != FOREVER)
			ms = t->deadline <= now ?
				     0 :
				     (int)MIN((t->deadline - now) / 1000000 + 1,
					      (uint64_t)INT32_MAX);
		n = poll(&p, 1, ms);
	} while (n < 0 && errno == EINTR);
	return n > 0 ? 0 : -ETIMEDOUT;
}

static int send_all(struct talk *t, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(t->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r = 0;

		if (n > 0) {
			data += n;
			len -= n;
		} else if (n < 0 && errno == EAGAIN) {
			r = await(t, POLLOUT);
		} else if (n == 0 || errno != EINTR) {
			return -ECONNRESET;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int receive(struct talk *t)
{
	int r = await(t, POLLIN);
	ssize_t n;

	if (r < 0)
		return r;
	if (t->in.len > REPLY_MAX)
		return -EMSGSIZE;
	n = recv(t->fd, buf_grow(&t->in, READ_SIZE), READ_SIZE, MSG_DONTWAIT);
	t->in.len -= READ_SIZE - MAX(n, 0);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		return -ECONNRESET;
	return 0;
}

static void drop(struct talk *t, size_t n)
{
	t->in.len -= n;
	memmove(t->in.data, t->in.data + n, t->in.len);
}

/* The next line, which the caller frees, without its end. */
static int next_line(struct talk *t, char **ret_line)
{
	for (;;) {
		char *end = t->in.len ? memchr(t->in.data, '\n', t->in.len) :
					NULL;
		int r;

		if (end) {
			size_t n = end - t->in.data;

			*ret_line = xstrndup(t->in.data, n);
			drop(t, n + 1);
			return 0;
		}
		r = receive(t);
		if (r < 0)
			return r;
	}
}

static struct json_object *parse(const char *line)
{
	struct json_tokener *tok = json_tokener_new_ex(DEPTH);
	struct json_object *json;

	json_tokener_set_flags(tok, JSON_TOKENER_VALIDATE_UTF8);
	json = json_tokener_parse_ex(tok, line, -1);
	json_tokener_free(tok);
	if (json_object_is_type(json, json_type_object))
		return json;
	json_object_put(json);
	return NULL;
}

/* The next line that is an object: blank ones and noise are passed over. */
static int next_object(struct talk *t, struct json_object **ret_json)
{
	for (;;) {
		_cleanup_free_ char *line = NULL;
		int r = next_line(t, &line);

		if (r < 0)
			return r;
		*ret_json = parse(line);
		if (*ret_json)
			return 0;
	}
}

/* ---- finding the beginning ---- */

static int pass_delimiter(struct talk *t)
{
	for (;;) {
		char *at = t->in.len ?
				   memchr(t->in.data, DELIMITER, t->in.len) :
				   NULL;
		int r;

		if (at) {
			drop(t, at - t->in.data + 1);
			return 0;
		}
		t->in.len = 0;
		r = receive(t);
		if (r < 0)
			return r;
	}
}

static bool answers(struct json_object *json, int64_t id)
{
	struct json_object *v = json_object_object_get(json, "return");

	return json_object_is_type(v, json_type_int) &&
	       json_object_get_int64(v) == id;
}

static int await_id(struct talk *t, int64_t id)
{
	for (;;) {
		struct json_object *json = NULL;
		int r = pass_delimiter(t);
		bool found;

		if (r == 0)
			r = next_object(t, &json);
		if (r < 0)
			return r;
		found = answers(json, id);
		json_object_put(json);
		if (found)
			return 0;
	}
}

static int synchronize(struct talk *t)
{
	static atomic_uint last;
	/* Not one that an earlier daemon used just now. */
	int64_t id = (int64_t)(now_ns() / 1000 % (1ull << 40)) << 8 |
		     (atomic_fetch_add(&last, 1) & 0xff);
	_cleanup_free_ char *text = xasprintf(
		"%c{\"execute\":\"guest-sync-delimited\",\"arguments\":"
		"{\"id\":%lld}}\n", DELIMITER, (long long)id);
	int r = send_all(t, text, strlen(text));

	return r < 0 ? r : await_id(t, id);
}

/* ---- commands ---- */

static int explain(int r, bool in_sync, struct error *err)
{
	switch (r) {
	case -ETIMEDOUT:
		return error_virt(err, VIR_ERR_AGENT_UNRESPONSIVE, "%s",
				  in_sync ?
					  "timed out waiting for the answer to "
					  "the command" :
					  "Guest agent not available for now");
	case -EMSGSIZE:
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "the guest agent's answer is longer than "
				  "%d bytes", REPLY_MAX);
	default:
		return error_virt(err, VIR_ERR_AGENT_UNRESPONSIVE, "%s",
				  "Guest agent disappeared while executing "
				  "command");
	}
}

static const char *name_of(struct json_object *command)
{
	struct json_object *v = json_object_object_get(command, "execute");

	return v ? json_object_get_string(v) : "(null)";
}

/* -EOPNOTSUPP: this agent has no such command, or may not run it. */
static int refused(struct json_object *command, struct json_object *error,
		   struct error *err)
{
	struct json_object *desc = NULL, *class = NULL;
	const char *name;

	if (json_object_is_type(error, json_type_object)) {
		json_object_object_get_ex(error, "desc", &desc);
		json_object_object_get_ex(error, "class", &class);
	}
	name = class ? json_object_get_string(class) : "";
	error_virt(err, VIR_ERR_INTERNAL_ERROR,
		   "unable to execute QEMU agent command '%s': %s",
		   name_of(command),
		   desc ? json_object_get_string(desc) :
			  "unknown QEMU command error");
	return str_eq(name, "CommandNotFound") ||
			       str_eq(name, "CommandDisabled") ?
		       -EOPNOTSUPP :
		       -EINVAL;
}

/* An answer has either of two members. */
static int check_reply(struct json_object *command, struct json_object *reply,
		       struct error *err)
{
	struct json_object *error = NULL;

	if (json_object_object_get_ex(reply, "error", &error))
		return refused(command, error, err);
	if (!json_object_object_get_ex(reply, "return", NULL))
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "unable to execute QEMU agent command '%s'",
				  name_of(command));
	return 0;
}

static int send_command(struct talk *t, struct json_object *command)
{
	_cleanup_free_ char *text = xasprintf(
		"%s\n", json_object_to_json_string_ext(
				command, JSON_C_TO_STRING_PLAIN));

	return send_all(t, text, strlen(text));
}

static int begin(struct talk *t, int timeout, struct error *err)
{
	int r;

	t->deadline = deadline(timeout >= 0 ? MIN(timeout, AGENT_SYNC_S) :
					      AGENT_SYNC_S);
	r = synchronize(t);
	return r < 0 ? explain(r, false, err) : 0;
}

int agent_talk(int fd, struct json_object *command, int timeout,
	       struct json_object **ret_reply, struct error *err)
{
	struct json_object *reply = NULL;
	struct talk t = { .fd = fd };
	int r = begin(&t, timeout, err);

	if (r == 0) {
		t.deadline = deadline(timeout);
		r = send_command(&t, command);
		if (r == 0)
			r = next_object(&t, &reply);
		r = r < 0 ? explain(r, true, err) :
			    check_reply(command, reply, err);
	}
	buf_free(&t.in);
	if (r < 0)
		json_object_put(reply);
	else
		*ret_reply = reply;
	return r;
}

int agent_talk_last(int fd, struct json_object *command, struct error *err)
{
	struct json_object *reply = NULL;
	struct talk t = { .fd = fd };
	int r = begin(&t, AGENT_WAIT_DEFAULT, err);

	if (r == 0) {
		t.deadline = deadline(AGENT_SHUTDOWN_S);
		r = send_command(&t, command);
		if (r == 0)
			r = next_object(&t, &reply);
		if (r == -ECONNRESET)
			r = 0; /* as it should be */
		else
			r = r < 0 ? explain(r, true, err) :
				    check_reply(command, reply, err);
	}
	buf_free(&t.in);
	json_object_put(reply);
	return r;
}
