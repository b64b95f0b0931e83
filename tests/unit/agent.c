/*
 * tests/unit/agent.c -- the guest agent's protocol (daemon/agent_talk.c), with
 * agents that answer rightly, wrongly, late and never.
 */
#include <json-c/json.h>
#include <libvirt/virterror.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "daemon/agent.h"

/* What an agent does with the lines it reads. */
struct script {
	int fd;
	const char *before; /* sent when the first byte came */
	const char *answer; /* to the command; NULL: closes the channel */
	size_t answer_len;  /* 0: its string length */
	bool mute;	    /* to guest-sync-delimited, too */
	int64_t wrong;	    /* is added to its number */
};

static void say(const struct script *s, const char *text)
{
	assert(write_full(s->fd, text, strlen(text)) == 0);
}

static bool read_line(int fd, char *line, size_t size)
{
	size_t n = 0;

	while (n + 1 < size && read(fd, line + n, 1) == 1)
		if (line[n++] == '\n') {
			line[n] = '\0';
			return true;
		}
	return false;
}

static void answer_sync(const struct script *s, const char *line)
{
	long long id;
	char text[64];

	assert(line[0] == '\xff');
	assert(sscanf(strstr(line, "\"id\":"), "\"id\":%lld", &id) == 1);
	snprintf(text, sizeof(text), "\xff{\"return\": %lld}\n",
		 id + (long long)s->wrong);
	if (!s->mute)
		say(s, text);
}

static void *agent(void *arg)
{
	const struct script *s = arg;
	char line[4096];

	if (s->before)
		say(s, s->before);
	while (read_line(s->fd, line, sizeof(line))) {
		if (strstr(line, "guest-sync-delimited")) {
			answer_sync(s, line);
			continue;
		}
		if (!s->answer)
			break;
		(void)write_full(s->fd, s->answer,
				 s->answer_len ? s->answer_len :
						 strlen(s->answer));
	}
	shutdown(s->fd, SHUT_RDWR);
	return NULL;
}

/* One command to such an agent: what it returned, or NULL with *err. */
static struct json_object *run(struct script s, bool last, int timeout,
			       struct error *err)
{
	struct json_object *command = json_tokener_parse(
		"{\"execute\":\"guest-ping\"}");
	struct json_object *reply = NULL;
	pthread_t thread;
	int sv[2], r;

	*err = (struct error){ 0 };
	assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv));
	s.fd = sv[1];
	assert(!pthread_create(&thread, NULL, agent, &s));
	if (last)
		r = agent_talk_last(sv[0], command, err);
	else
		r = agent_talk(sv[0], command, timeout, &reply, err);
	assert((r == 0) == (err->code == 0));
	shutdown(sv[0], SHUT_RDWR);
	pthread_join(thread, NULL);
	fd_close(sv[0]);
	fd_close(sv[1]);
	json_object_put(command);
	return reply;
}

static void expect(struct script s, const char *want)
{
	struct error err;
	struct json_object *reply = run(s, false, -2, &err);

	assert(reply);
	assert(str_eq(json_object_to_json_string_ext(reply,
						     JSON_C_TO_STRING_PLAIN),
		      want));
	json_object_put(reply);
}

static void expect_error(struct script s, int timeout, int code,
			 const char *text)
{
	struct error err;

	assert(!run(s, false, timeout, &err));
	assert(err.code == code && strstr(err.message, text));
}

static void test_answers(void)
{
	expect((struct script){ .answer = "{\"return\": {\"a\": [1]}}\n" },
	       "{\"return\":{\"a\":[1]}}");
	/* Left over from a command that nobody waited for any more. */
	expect((struct script){ .before = "{\"return\": 1}\n\xff{\"return\": 7}"
					  "\n{\"ret",
				.answer = "{\"return\": 2}\n" },
	       "{\"return\":2}");
	/* Noise between lines. */
	expect((struct script){ .answer = "\n\rkernel: hello\n"
					  "{\"return\": \"x\"}\r\n" },
	       "{\"return\":\"x\"}");
}

static void test_refusals(void)
{
	struct script s = { .answer = "{\"error\": {\"class\": "
				      "\"CommandNotFound\", \"desc\": "
				      "\"no such thing\"}}\n" };
	struct error err;

	expect_error(s, -2, VIR_ERR_INTERNAL_ERROR,
		     "'guest-ping': no such thing");
	s.answer = "{\"error\": 5}\n";
	expect_error(s, -2, VIR_ERR_INTERNAL_ERROR, "unknown");
	s.answer = "{}\n";
	expect_error(s, -2, VIR_ERR_INTERNAL_ERROR, "guest-ping");
	/* One that switches off answers only when it does not. */
	s.answer = NULL;
	assert(!run(s, true, 0, &err) && !err.code);
	s.answer = "{\"error\": {\"desc\": \"not now\"}}\n";
	assert(!run(s, true, 0, &err));
	assert(err.code == VIR_ERR_INTERNAL_ERROR);
}

static void test_silence(void)
{
	static const char spaces[1 << 16] = { [0 ...(1 << 16) - 1] = ' ' };

	expect_error((struct script){ .mute = true }, 1,
		     VIR_ERR_AGENT_UNRESPONSIVE, "not available");
	expect_error((struct script){ .wrong = 1 }, 1,
		     VIR_ERR_AGENT_UNRESPONSIVE, "not available");
	expect_error((struct script){ .answer = "" }, 1,
		     VIR_ERR_AGENT_UNRESPONSIVE, "timed out");
	expect_error((struct script){ .answer = spaces,
				      .answer_len = sizeof(spaces) },
		     1, VIR_ERR_AGENT_UNRESPONSIVE, "timed out");
	expect_error((struct script){ 0 }, -2, VIR_ERR_AGENT_UNRESPONSIVE,
		     "disappeared");
}

/* No end in sight: more than any answer may have. */
static void test_flood(void)
{
	size_t len = 11 << 20;
	_cleanup_free_ char *flood = xmalloc(len);

	memset(flood, 'x', len);
	expect_error((struct script){ .answer = flood, .answer_len = len }, -2,
		     VIR_ERR_INTERNAL_ERROR, "longer than");
}

/* A command that fills the socket goes in parts, and not for ever. */
static void test_stuck_writer(void)
{
	_cleanup_free_ char *big = xmalloc(4 << 20);
	struct json_object *command = json_object_new_object(), *reply = NULL;
	struct error err = { 0 };
	int sv[2];

	memset(big, 'x', (4 << 20) - 1);
	big[(4 << 20) - 1] = '\0';
	json_object_object_add(command, "execute", json_object_new_string(big));
	assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv));
	assert(agent_talk(sv[0], command, 0, &reply, &err) < 0);
	assert(err.code == VIR_ERR_AGENT_UNRESPONSIVE);
	fd_close(sv[0]);
	fd_close(sv[1]);
	json_object_put(command);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN);
	test_answers();
	test_refusals();
	test_silence();
	test_flood();
	test_stuck_writer();
	return 0;
}
