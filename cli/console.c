/*
 * cli/console.c -- the terminal joined to a guest's console.
 *
 * The stream's callbacks and those of the terminal all run on the event
 * thread (cli/main.c); this thread only sleeps until they say it is over, so
 * the buffers need no lock.
 */
#include "cli/console.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <termios.h>

#include "base/buf.h"
#include "cli/output.h"

#define ESCAPE_CHAR 0x1d /* Ctrl-] */
enum { BACKLOG_MAX = 256 * 1024 };

struct console {
	virStreamPtr stream;
	int in_watch, out_watch;
	struct buf to_guest, to_terminal;
	pthread_mutex_t lock;
	pthread_cond_t over;
	bool finished;
	bool failed;
};

static void finish(struct console *c, bool failed)
{
	if (c->in_watch >= 0)
		virEventRemoveHandle(c->in_watch);
	if (c->out_watch >= 0)
		virEventRemoveHandle(c->out_watch);
	c->in_watch = c->out_watch = -1;
	virStreamEventRemoveCallback(c->stream);
	pthread_mutex_lock(&c->lock);
	c->failed = failed;
	c->finished = true;
	pthread_cond_signal(&c->over);
	pthread_mutex_unlock(&c->lock);
}

static void consume(struct buf *b, size_t n)
{
	memmove(b->data, b->data + n, b->len - n);
	b->len -= n;
}

/* Asks for exactly the events that something can be done about. */
static void update_events(struct console *c)
{
	int events = 0;

	if (c->to_terminal.len < BACKLOG_MAX)
		events |= VIR_STREAM_EVENT_READABLE;
	if (c->to_guest.len)
		events |= VIR_STREAM_EVENT_WRITABLE;
	virStreamEventUpdateCallback(c->stream, events);
	virEventUpdateHandle(c->out_watch, c->to_terminal.len
						   ? VIR_EVENT_HANDLE_WRITABLE
						   : 0);
	virEventUpdateHandle(c->in_watch, c->to_guest.len < BACKLOG_MAX
						  ? VIR_EVENT_HANDLE_READABLE
						  : 0);
}

/* Returns false when the console is over. */
static bool read_stream(struct console *c)
{
	char data[4096];
	int n = virStreamRecv(c->stream, data, sizeof(data));

	if (n == -2)
		return true; /* nothing there */
	if (n <= 0) {
		finish(c, n < 0);
		return false;
	}
	buf_add(&c->to_terminal, data, n);
	return true;
}

static bool write_stream(struct console *c)
{
	int n = virStreamSend(c->stream, c->to_guest.data, c->to_guest.len);

	if (n == -2)
		return true;
	if (n < 0) {
		finish(c, true);
		return false;
	}
	consume(&c->to_guest, n);
	return true;
}

static void on_stream(virStreamPtr stream, int events, void *arg)
{
	struct console *c = arg;

	(void)stream;
	if (c->finished)
		return;
	if ((events & VIR_STREAM_EVENT_READABLE) && !read_stream(c))
		return;
	if ((events & VIR_STREAM_EVENT_WRITABLE) && c->to_guest.len &&
	    !write_stream(c))
		return;
	if (events & (VIR_STREAM_EVENT_ERROR | VIR_STREAM_EVENT_HANGUP))
		finish(c, false);
	else
		update_events(c);
}

static void on_input(int watch, int fd, int events, void *arg)
{
	struct console *c = arg;
	char data[1024];
	ssize_t n;

	(void)watch;
	(void)events;
	if (c->finished)
		return;
	n = read(fd, data, sizeof(data));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || memchr(data, ESCAPE_CHAR, n)) {
		finish(c, n < 0);
		return;
	}
	buf_add(&c->to_guest, data, n);
	update_events(c);
}

static void on_output(int watch, int fd, int events, void *arg)
{
	struct console *c = arg;
	ssize_t n;

	(void)watch;
	(void)events;
	if (c->finished || !c->to_terminal.len)
		return;
	n = write(fd, c->to_terminal.data, c->to_terminal.len);
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		finish(c, true);
		return;
	}
	consume(&c->to_terminal, MAX(n, 0));
	update_events(c);
}

static bool raw_terminal(struct termios *saved)
{
	struct termios raw;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, saved) < 0)
		return false;
	raw = *saved;
	cfmakeraw(&raw);
	return tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
}

static int start(struct console *c)
{
	c->in_watch = virEventAddHandle(STDIN_FILENO, VIR_EVENT_HANDLE_READABLE,
					on_input, c, NULL);
	c->out_watch = virEventAddHandle(STDOUT_FILENO, 0, on_output, c, NULL);
	if (c->in_watch < 0 || c->out_watch < 0)
		return -1;
	return virStreamEventAddCallback(c->stream, VIR_STREAM_EVENT_READABLE,
					 on_stream, c, NULL);
}

static void wait_over(struct console *c)
{
	pthread_mutex_lock(&c->lock);
	while (!c->finished)
		pthread_cond_wait(&c->over, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

/* What came in last and was not shown yet. */
static void drain(struct console *c)
{
	if (c->to_terminal.len)
		write_full(STDOUT_FILENO, c->to_terminal.data,
			   c->to_terminal.len);
}

int console_attach(struct ctl *ctl, virDomainPtr dom, const char *device,
		   unsigned int flags)
{
	struct console c = { .in_watch = -1,
			     .out_watch = -1,
			     .lock = PTHREAD_MUTEX_INITIALIZER,
			     .over = PTHREAD_COND_INITIALIZER };
	int status = EXIT_OK;
	struct termios saved;
	bool raw;

	say(ctl, "Connected to domain '%s'\n", virDomainGetName(dom));
	say(ctl, "Escape character is ^] (Ctrl + ])\n");
	fflush(stdout);
	c.stream = virStreamNew(ctl->conn, VIR_STREAM_NONBLOCK);
	if (!c.stream ||
	    virDomainOpenConsole(dom, device, c.stream, flags) < 0) {
		status = say_failed(ctl, "cannot open the console of '%s'",
				    virDomainGetName(dom));
		goto out;
	}
	raw = raw_terminal(&saved);
	if (start(&c) < 0) {
		finish(&c, true);
		status = EXIT_FAILED;
	}
	wait_over(&c);
	drain(&c);
	if (raw)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
	if (c.failed)
		status = EXIT_FAILED;
	virStreamAbort(c.stream);
	say(ctl, "\n");
out:
	if (c.stream)
		virStreamFree(c.stream);
	buf_free(&c.to_guest);
	buf_free(&c.to_terminal);
	return status;
}
