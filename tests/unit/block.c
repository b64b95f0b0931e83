/*
 * tests/unit/block.c -- the block layer against plain system calls: ring and
 * threads, buffered and direct, short images, locks.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "storage/format/block.h"

enum { DISK = 1024 * 1024, ROUNDS = 300, DEPTH = 8 };

static char path[] = "block-test-XXXXXX";

struct one {
	struct block_req req;
	bool finished;
	int result;
};

static void done(struct block_req *req, int result)
{
	struct one *one = req->arg;

	one->finished = true;
	one->result = result;
}

static void wait_for(struct block_queue *q, struct one *one)
{
	struct pollfd pfd[2] = {
		{ .fd = block_queue_fd(q), .events = POLLIN },
		{ .fd = block_queue_ring(q), .events = POLLIN },
	};

	while (!one->finished) {
		poll(pfd, 2, -1);
		if (pfd[0].revents)
			block_poll(q);
		if (pfd[1].revents)
			block_reap(q);
	}
}

static int run(struct block_queue *q, enum block_op op, uint64_t offset,
	       uint64_t length, void *buf)
{
	struct iovec iov[2] = { { buf, length / 3 },
				{ (char *)buf + length / 3,
				  length - length / 3 } };
	struct one one = { .req = {
				   .op = op,
				   .offset = offset,
				   .length = length,
				   .iov = iov,
				   .n_iov = 2,
				   .unmap = length % 1024 == 0,
				   .done = done,
				   .arg = &one,
			   } };
	int r = block_submit(q, &one.req);

	if (r < 0)
		return r;
	block_kick(q);
	wait_for(q, &one);
	return one.result;
}

static int reopen(int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	assert(fd >= 0);
	return fd;
}

static void new_image(uint64_t size)
{
	int fd = open(path, O_RDWR | O_TRUNC | O_CREAT, 0600);

	assert(fd >= 0 && !ftruncate(fd, size));
	close(fd);
}

static struct block *open_raw(struct block_options opt)
{
	struct error err = { 0 };
	struct block *blk = NULL;

	if (block_open("raw", reopen(O_RDWR), &opt, &blk, &err) < 0)
		fprintf(stderr, "%s\n", err.message);
	assert(blk);
	return blk;
}

/* Random requests on the image and on a copy in memory. */
static void compare(struct block_options opt)
{
	static uint8_t shadow[DISK], buf[DISK + 8], check[DISK];
	struct block_queue *q;
	struct block *blk;
	int fd;

	new_image(DISK);
	memset(shadow, 0, sizeof(shadow));
	blk = open_raw(opt);
	assert(block_size(blk) == DISK);
	assert(!block_queue_create(blk, DEPTH, &q, NULL));
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t at = random() % (DISK / 512) * 512;
		uint64_t len = random() % 64 * 512;
		uint8_t *data = buf + random() % 8;

		len = MIN(len, DISK - at);
		memset(data, random(), len);
		switch (random() % 5) {
		case 0:
		case 1:
			assert(!run(q, BLOCK_WRITE, at, len, data));
			memcpy(shadow + at, data, len);
			break;
		case 2:
			assert(!run(q, BLOCK_READ, at, len, data));
			assert(!memcmp(shadow + at, data, len));
			break;
		case 3:
			assert(!run(q, BLOCK_WRITE_ZEROES, at, len, NULL));
			memset(shadow + at, 0, len);
			break;
		case 4:
			assert(!run(q, BLOCK_FLUSH, 0, 0, NULL));
		}
	}
	fd = reopen(O_RDONLY);
	assert(pread(fd, check, DISK, 0) == DISK);
	assert(!memcmp(check, shadow, DISK));
	close(fd);
	block_queue_destroy(q);
	block_close(blk);
}

/* Many at once, in one kick. */
static void deep(void)
{
	enum { N = 64 };
	static uint8_t buf[N][4096];
	static struct one one[N];
	static struct iovec iov[N];
	struct block *blk;
	struct block_queue *q;

	new_image(DISK);
	blk = open_raw((struct block_options){ 0 });
	assert(!block_queue_create(blk, DEPTH, &q, NULL));
	for (unsigned int i = 0; i < N; i++) {
		memset(buf[i], i + 1, sizeof(buf[i]));
		iov[i] = (struct iovec){ buf[i], sizeof(buf[i]) };
		one[i] = (struct one){ .req = {
					       .op = BLOCK_WRITE,
					       .offset = 4096 * i,
					       .length = 4096,
					       .iov = &iov[i],
					       .n_iov = 1,
					       .done = done,
					       .arg = &one[i],
				       } };
		assert(!block_submit(q, &one[i].req));
	}
	block_kick(q);
	for (unsigned int i = 0; i < N; i++) {
		uint8_t back[4096];

		wait_for(q, &one[i]);
		assert(!one[i].result);
		assert(!run(q, BLOCK_READ, 4096 * i, 4096, back));
		assert(!memcmp(back, buf[i], 4096));
	}
	block_queue_destroy(q);
	block_close(blk);
}

static void ranges(void)
{
	struct block_options ro = { .readonly = true };
	static uint8_t buf[8192];
	struct block_queue *q;
	struct block *blk;

	new_image(DISK);
	blk = open_raw((struct block_options){ 0 });
	assert(!block_queue_create(blk, DEPTH, &q, NULL));
	assert(run(q, BLOCK_READ, DISK, 512, buf) == -EINVAL);
	assert(run(q, BLOCK_READ, DISK - 512, 1024, buf) == -EINVAL);
	assert(run(q, BLOCK_WRITE, -512, 1024, buf) == -EINVAL);
	assert(run(q, BLOCK_DISCARD, 512, -512, buf) == -EINVAL);
	assert(run(q, BLOCK_WRITE, DISK - 512, 512, buf) == 0);
	block_queue_destroy(q);
	block_close(blk);

	blk = open_raw(ro);
	assert(!block_queue_create(blk, DEPTH, &q, NULL));
	assert(run(q, BLOCK_WRITE, 0, 512, buf) == -EROFS);
	assert(run(q, BLOCK_DISCARD, 0, 512, NULL) == -EROFS);
	assert(run(q, BLOCK_READ, 0, 512, buf) == 0);
	assert(run(q, BLOCK_FLUSH, 0, 0, NULL) == 0);
	block_queue_destroy(q);
	block_close(blk);
}

/* 700 bytes are two sectors, and the rest of the second is zero. */
static void short_image(struct block_options opt)
{
	uint8_t buf[1024], want[1024] = { 0 };
	struct block_queue *q;
	struct block *blk;
	int fd;

	new_image(700);
	fd = reopen(O_RDWR);
	memset(want, 0x5a, 700);
	assert(pwrite(fd, want, 700, 0) == 700);
	close(fd);
	blk = open_raw(opt);
	assert(block_size(blk) == 1024);
	assert(!block_queue_create(blk, DEPTH, &q, NULL));
	memset(buf, 0xff, sizeof(buf));
	assert(!run(q, BLOCK_READ, 0, 1024, buf));
	assert(!memcmp(buf, want, 1024));
	memset(buf, 7, 512);
	assert(!run(q, BLOCK_WRITE, 512, 512, buf));
	assert(!run(q, BLOCK_READ, 512, 512, buf + 512));
	assert(!memcmp(buf, buf + 512, 512));
	block_queue_destroy(q);
	block_close(blk);
}

static void discards(void)
{
	static uint8_t buf[DISK];
	struct block_queue *q;
	struct block *blk;
	struct stat st;

	new_image(DISK);
	blk = open_raw((struct block_options){ .discard = true });
	assert(!block_queue_create(blk, DEPTH, &q, NULL));
	memset(buf, 1, DISK);
	assert(!run(q, BLOCK_WRITE, 0, DISK, buf));
	assert(!run(q, BLOCK_DISCARD, 0, DISK, NULL));
	assert(!stat(path, &st) && st.st_size == DISK && !st.st_blocks);
	assert(!run(q, BLOCK_READ, 0, DISK, buf));
	assert(!buf[0] && !memcmp(buf, buf + 1, DISK - 1));
	block_queue_destroy(q);
	block_close(blk);
}

static void locks(void)
{
	struct block_options rw = { 0 }, ro = { .readonly = true };
	struct block_options shared = { .shared = true };
	struct block *a, *b;
	struct error err = { 0 };
	int fd = reopen(O_RDWR), fd2 = reopen(O_RDONLY);

	a = open_raw(rw);
	assert(block_open("raw", fd, &rw, &b, &err) == -EBUSY);
	assert(strstr(err.message, "in use"));
	assert(block_open("raw", fd, &ro, &b, &err) == -EBUSY);
	block_close(a);
	a = open_raw(ro);
	assert(!block_open("raw", fd2, &ro, &b, &err));
	assert(block_open("raw", fd, &rw, &b, &err) == -EBUSY);
	block_close(a);
	block_close(b);
	a = open_raw(shared);
	fd2 = reopen(O_RDWR);
	assert(!block_open("raw", fd2, &shared, &b, &err));
	assert(block_open("raw", fd, &rw, &b, &err) == -EBUSY);
	block_close(a);
	block_close(b);
	assert(block_open("cow", fd, &rw, &b, &err) == -EINVAL);
	close(fd);
	fd = reopen(O_RDONLY);
	assert(block_open("raw", fd, &rw, &b, &err) == -EACCES);
	close(fd);
}

static bool direct_works(void)
{
	int fd = open(path, O_RDWR | O_DIRECT);

	fd_close(fd);
	return fd >= 0;
}

static void everything(void)
{
	compare((struct block_options){ 0 });
	compare((struct block_options){ .discard = true });
	compare((struct block_options){ .sync_writes = true });
	compare((struct block_options){ .no_flush = true });
	short_image((struct block_options){ 0 });
	if (direct_works()) {
		compare((struct block_options){ .direct = true });
		short_image((struct block_options){ .direct = true });
	}
	deep();
	ranges();
	discards();
	locks();
}

int main(void)
{
	int fd = mkstemp(path);

	assert(fd >= 0);
	close(fd);
	everything();
	setenv("VIREO_NO_IO_URING", "1", 1);
	everything();
	unlink(path);
	return 0;
}
