/*
 * tests/bench/iobench.c -- in the guest: how fast its disk and network are; on
 * the host: the network's other end.  Prints one line of figures each.
 *
 *	iobench disk DEVICE read|write DEPTH SECONDS   "IOPS MEAN-us P99-us"
 *	iobench sink ADDRESS PORT      takes what is sent
 *	iobench source ADDRESS PORT    sends until nobody takes it
 *	iobench echo ADDRESS PORT      sends each byte back
 *	iobench send|receive|rtt ADDRESS PORT SECONDS  "MiB/s" or "MEAN-us P99-us"
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, DEPTH_MAX = 256, SAMPLES = 1 << 20, CHUNK = 1 << 17 };

static uint32_t samples[SAMPLES];
static unsigned int n_samples;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "iobench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void sample(uint64_t ns)
{
	if (n_samples < SAMPLES)
		samples[n_samples++] = ns > UINT32_MAX ? UINT32_MAX : ns;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void print_latency(void)
{
	double sum = 0;

	qsort(samples, n_samples, sizeof(*samples), by_value);
	for (unsigned int i = 0; i < n_samples; i++)
		sum += samples[i];
	if (n_samples)
		printf("%.1f %.1f\n", sum / n_samples / 1e3,
		       samples[n_samples * 99ull / 100] / 1e3);
}

/* ---- disk: the kernel's asynchronous I/O ---- */

struct slot {
	struct iocb cb;
	uint64_t began;
};

static uint64_t random_state = 88172645463325252ull;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	return random_state ^= random_state << 17;
}

static void submit(aio_context_t ctx, struct slot *s, uint64_t blocks)
{
	struct iocb *cb = &s->cb;

	cb->aio_offset = next_random() % blocks * BLOCK;
	s->began = now();
	if (syscall(SYS_io_submit, ctx, 1, &cb) != 1)
		die("io_submit");
}

static void disk(const char *path, int write, unsigned int depth,
		 unsigned int seconds)
{
	int fd = open(path, O_RDWR | O_DIRECT);
	static struct slot slots[DEPTH_MAX];
	static struct io_event events[DEPTH_MAX];
	aio_context_t ctx = 0;
	uint64_t size = 0, begin, end, done = 0;
	char *data;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size) < 0)
		die(path);
	if (posix_memalign((void **)&data, BLOCK, (size_t)BLOCK * depth) ||
	    syscall(SYS_io_setup, depth, &ctx) < 0)
		die("io_setup");
	memset(data, 0x5a, (size_t)BLOCK * depth);
	begin = now();
	end = begin + seconds * 1000000000ull;
	for (unsigned int i = 0; i < depth; i++) {
		slots[i].cb = (struct iocb){
			.aio_fildes = fd,
			.aio_lio_opcode = write ? IOCB_CMD_PWRITE :
						  IOCB_CMD_PREAD,
			.aio_buf = (uintptr_t)(data + (size_t)i * BLOCK),
			.aio_nbytes = BLOCK,
			.aio_data = (uintptr_t)&slots[i],
		};
		submit(ctx, &slots[i], size / BLOCK);
	}
	for (unsigned int out = depth; out;) {
		long n = syscall(SYS_io_getevents, ctx, 1, depth, events, NULL);
		uint64_t t = now();

		for (long i = 0; i < n; i++) {
			struct slot *s = (void *)(uintptr_t)events[i].data;

			if (events[i].res != BLOCK) {
				errno = EIO;
				die("I/O");
			}
			sample(t - s->began);
			done++;
			if (t < end)
				submit(ctx, s, size / BLOCK);
			else
				out--;
		}
	}
	printf("%.0f ", done / ((now() - begin) / 1e9));
	print_latency();
}

/* ---- network ---- */

static struct sockaddr_in address(const char *host, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(atoi(port)) };

	inet_pton(AF_INET, host, &a.sin_addr);
	return a;
}

static void no_delay(int fd)
{
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void serve_one(const char *what, int fd)
{
	static char data[CHUNK];
	ssize_t n = 1;

	no_delay(fd);
	while (n > 0) {
		if (!strcmp(what, "source")) {
			n = write(fd, data, sizeof(data));
			continue;
		}
		n = read(fd, data, sizeof(data));
		if (n > 0 && !strcmp(what, "echo"))
			n = write(fd, data, n);
	}
}

static void serve(const char *what, const char *host, const char *port)
{
	struct sockaddr_in a = address(host, port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1, client;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (void *)&a, sizeof(a)) < 0 || listen(fd, 4) < 0)
		die("listen");
	signal(SIGPIPE, SIG_IGN);
	while ((client = accept(fd, NULL, NULL)) >= 0) {
		serve_one(what, client);
		close(client);
	}
}

static void client(const char *what, const char *host, const char *port,
		   unsigned int seconds)
{
	struct sockaddr_in a = address(host, port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	static char data[CHUNK];
	uint64_t begin, end, t, bytes = 0;

	if (connect(fd, (void *)&a, sizeof(a)) < 0)
		die("connect");
	no_delay(fd);
	begin = t = now();
	end = begin + seconds * 1000000000ull;
	while (t < end) {
		uint64_t before = t;
		ssize_t n = !strcmp(what, "send") ?
				    write(fd, data, sizeof(data)) :
			    !strcmp(what, "receive") ?
				    read(fd, data, sizeof(data)) :
			    write(fd, data, 1) == 1 ? read(fd, data, 1) :
						      -1;

		if (n <= 0)
			die(what);
		bytes += n;
		t = now();
		sample(t - before);
	}
	if (!strcmp(what, "rtt"))
		print_latency();
	else
		printf("%.1f\n", bytes / 1048576.0 / ((t - begin) / 1e9));
}

int main(int argc, char **argv)
{
	if (argc == 6 && !strcmp(argv[1], "disk"))
		disk(argv[2], !strcmp(argv[3], "write"), atoi(argv[4]),
		     atoi(argv[5]));
	else if (argc == 5)
		client(argv[1], argv[2], argv[3], atoi(argv[4]));
	else if (argc == 4)
		serve(argv[1], argv[2], argv[3]);
	else
		return 2;
	return 0;
}
