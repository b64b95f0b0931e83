/*
 * tests/unit/vmm/control.c -- the control socket, against a VMM in a child
 * process: whole life, bad clients, and what the sandbox leaves.
 */
#include "config.h"

#include "tests/unit/vmm/fake.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/control.h"
#include "vmm/loop.h"
#include "vmm/run.h"
#include "vmm/sandbox.h"

const struct engine *engine_find(const char *name, const char **ret_variant)
{
	*ret_variant = NULL;
	return strcmp(name, "fake") == 0 ? &fake_engine : NULL;
}

uint64_t process_start(void)
{
	return now_ns();
}

static struct sockaddr_un addr = { .sun_family = AF_UNIX };
static int status_fd;
static int next_id = 1;

static int vmm_main(int listen_fd)
{
	struct control *control;
	struct loop *loop;

	alarm(600); /* a hang is a failure */
	assert(loop_create(&loop, NULL) == 0);
	assert(control_create(loop, listen_fd, status_fd, &control, NULL) ==
	       0);
	assert(loop_run(loop) == 0);
	control_destroy(control);
	loop_destroy(loop);
	return 0;
}

static pid_t vmm_start(void)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	pid_t pid;

	/* Abstract, so that nothing stays behind. */
	snprintf(addr.sun_path + 1, sizeof(addr.sun_path) - 1,
		 "vireo-test-%d-%d", getpid(), next_id);
	assert(bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	assert(listen(fd, 5) == 0);
	assert(ftruncate(status_fd, 0) == 0);
	pid = fork();
	assert(pid >= 0);
	if (pid == 0)
		_exit(vmm_main(fd));
	close(fd);
	return pid;
}

static struct json_object *receive(int fd)
{
	static char text[CONTROL_MSG_MAX + 1];
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct json_object *o;
	ssize_t n;

	assert(poll(&p, 1, 300000) == 1);
	n = recv(fd, text, CONTROL_MSG_MAX, 0);
	if (n <= 0)
		return NULL;
	text[n] = 0;
	o = json_tokener_parse(text);
	assert(o);
	return o;
}

static const char *get(struct json_object *o, const char *key)
{
	return json_object_get_string(json_object_object_get(o, key));
}

static int vmm_connect(const char *state)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct json_object *o;

	assert(connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
	o = receive(fd);
	assert(json_object_get_int(json_object_object_get(o, "vireo-vmm")) ==
	       CONTROL_VERSION);
	assert(strcmp(get(o, "state"), state) == 0);
	json_object_put(o);
	return fd;
}

static void transmit(int fd, const char *text, const int *fds, unsigned int n)
{
	char space[CMSG_SPACE(8 * sizeof(int))] = { 0 };
	struct iovec iov = { (char *)text, strlen(text) };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n) {
		struct cmsghdr *cm;

		mh.msg_control = space;
		mh.msg_controllen = CMSG_SPACE(n * sizeof(int));
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(cm), fds, n * sizeof(int));
	}
	assert(sendmsg(fd, &mh, MSG_NOSIGNAL) == (ssize_t)iov.iov_len);
}

/* Sends a request and returns its reply; events before it are skipped. */
static struct json_object *call_fds(int fd, const char *name,
				    const char *args, const int *fds,
				    unsigned int n)
{
	_cleanup_free_ char *text =
		xasprintf("{\"id\":%d,\"request\":\"%s\"%s}", next_id, name,
			  args);
	struct json_object *o;

	transmit(fd, text, fds, n);
	while ((o = receive(fd)) && json_object_object_get(o, "event"))
		json_object_put(o);
	assert(o && atoi(get(o, "id")) == next_id);
	next_id++;
	return o;
}

static void ok(int fd, const char *name, const char *args)
{
	struct json_object *o = call_fds(fd, name, args, NULL, 0);

	if (get(o, "error"))
		fprintf(stderr, "%s: %s\n", name, get(o, "error"));
	assert(json_object_object_get(o, "ok"));
	json_object_put(o);
}

static void refused(int fd, const char *name, const char *args)
{
	struct json_object *o = call_fds(fd, name, args, NULL, 0);

	assert(get(o, "error") && atoi(get(o, "errno")) > 0);
	json_object_put(o);
}

static void create(int fd)
{
	struct fake f;
	int fds[8];
	unsigned int n;
	struct json_object *o;
	char *json, *args;

	fake_init(&f);
	json = vmm_spec_to_json(&f.spec, fds, 8, &n, NULL);
	assert(json);
	args = xasprintf(",\"spec\":%s", json);
	o = call_fds(fd, "create", args, fds, n);
	if (get(o, "error"))
		fprintf(stderr, "create: %s\n", get(o, "error"));
	assert(json_object_object_get(o, "ok"));
	json_object_put(o);
	free(args);
	free(json);
	vmm_spec_finish(&f.spec);
}

static void check_status(const char *line)
{
	char text[65] = "";

	assert(pread(status_fd, text, 64, 0) >= 0);
	assert(strcmp(text, line) == 0);
}

static void finish(pid_t pid)
{
	int status;

	assert(waitpid(pid, &status, 0) == pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		fprintf(stderr, "VMM: status %x\n", status);
	assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_life(void)
{
	pid_t pid = vmm_start();
	int fd = vmm_connect("new"), other;
	struct json_object *o;

	check_status("new none\n");
	refused(fd, "run", "");
	refused(fd, "no-such-thing", "");
	refused(fd, "create", "");
	refused(fd, "create", ",\"spec\":{\"what\":1}");
	create(fd);
	check_status("paused none\n");
	refused(fd, "create", ",\"spec\":{}");
	ok(fd, "run", "");
	check_status("running none\n");
	ok(fd, "powerbutton", "");
	ok(fd, "nmi", "");
	ok(fd, "stats", "");
	refused(fd, "balloon", ",\"target\":4096");
	refused(fd, "balloon", ",\"target\":\"all\"");
	refused(fd, "link", ",\"nic\":\"net0\",\"up\":true");
	refused(fd, "bitmaps", ",\"drive\":\"none\"");
	refused(fd, "bitmap-change", ",\"drive\":1,\"what\":\"add\"");

	/* A restarted daemon takes over. */
	other = vmm_connect("running");
	assert(!receive(fd));
	close(fd);
	fd = other;
	o = call_fds(fd, "status", "", NULL, 0);
	assert(strcmp(get(json_object_object_get(o, "ok"), "state"),
		      "running") == 0);
	json_object_put(o);
	ok(fd, "pause", "");
	check_status("paused none\n");
	ok(fd, "run", "");

	/* The daemon goes away: the guest does not notice. */
	close(fd);
	fd = vmm_connect("running");
	ok(fd, "quit", "");
	o = receive(fd);
	assert(strcmp(get(o, "event"), "stopped") == 0);
	assert(strcmp(get(o, "reason"), "quit") == 0);
	json_object_put(o);
	finish(pid);
	check_status("stopped quit\n");
	close(fd);
}

/* Whoever does not speak the protocol is dropped; "new" then ends. */
static void test_bad(const char *text)
{
	pid_t pid = vmm_start();
	int fd = vmm_connect("new");

	transmit(fd, text, NULL, 0);
	assert(!receive(fd));
	close(fd);
	finish(pid);
}

static void test_abandoned(void)
{
	pid_t pid = vmm_start();

	close(vmm_connect("new"));
	finish(pid);
}

/* Descriptors that belong to nothing are closed, not kept. */
static void test_stray_fds(void)
{
	pid_t pid = vmm_start();
	int fd = vmm_connect("new"), pipefd[2];
	struct json_object *o;
	char byte;

	assert(pipe(pipefd) == 0);
	o = call_fds(fd, "status", "", &pipefd[1], 1);
	json_object_put(o);
	close(pipefd[1]);
	assert(read(pipefd[0], &byte, 1) == 0); /* no writer is left */
	close(pipefd[0]);
	close(fd);
	finish(pid);
}

/* After the sandbox: using descriptors is fine, opening is the end. */
static int sandboxed(int what)
{
	struct error err = { 0 };

	alarm(300);
	if (sandbox_isolate(&err) < 0 || sandbox_enter(false, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return 1;
	}
	free(malloc(1 << 20));
	if (write(status_fd, "x", 1) != 1)
		return 2;
	switch (what) {
	case 1:
		return open("/", O_RDONLY) >= 0;
	case 2:
		return socket(AF_UNIX, SOCK_STREAM, 0) >= 0;
	case 3:
		execl("/bin/true", "true", NULL);
		return 3;
	case 4:
		return mmap(NULL, 4096, PROT_READ | PROT_EXEC,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
	case 5:
		return fork() >= 0;
	case 6:
		return ioctl(status_fd, FIOCLEX) >= 0;
	}
	return 0;
}

static void test_sandbox(void)
{
	int last = 6;

#ifdef WITH_SANITIZERS
	last = 0; /* the filter only logs */
#endif
	for (int what = 0; what <= last; what++) {
		int status, quiet = open("/dev/null", O_WRONLY);
		pid_t pid = fork();

		if (pid == 0) {
			if (what)
				sandbox_log_to(quiet);
			_exit(sandboxed(what));
		}
		assert(waitpid(pid, &status, 0) == pid);
		close(quiet);
		if (what == 0)
			assert(WIFEXITED(status) && !WEXITSTATUS(status));
		else
			assert(WIFSIGNALED(status) &&
			       WTERMSIG(status) == SIGSYS);
	}
}

int main(void)
{
	status_fd = memfd_create("status", MFD_CLOEXEC);
	assert(status_fd >= 0);
	signal(SIGPIPE, SIG_IGN);
	test_life();
	test_bad("hello");
	test_bad("{\"id\":1,\"request\":\"status\"} trailing");
	test_bad("[1,2]");
	test_bad("{\"id\":[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]}");
	test_abandoned();
	test_stray_fds();
	test_sandbox();
	close(status_fd);
	return 0;
}
