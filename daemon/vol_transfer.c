/*
 * daemon/vol_transfer.c -- the threads that read and write volumes for
 * clients' streams.
 *
 * A file cannot be waited for as a socket can, and reading it may take its
 * time: so each stream has a thread, with a socket between the two.
 */
#include <errno.h>
#include <fcntl.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "daemon/pools_priv.h"
#include "daemon/transfer.h"

struct transfer {
	struct registry *reg;
	struct vol_open open;
	int fd; /* the thread's end of the socket */
	bool sparse;
	uint64_t at, end;
	struct transfer_packet packet;
};

static int send_error(struct transfer *t, const struct error *err)
{
	size_t len = MIN(strlen(err->message), sizeof(t->packet.text) - 1);

	t->packet.type = TRANSFER_ERROR;
	memcpy(t->packet.text, err->message, len);
	return transfer_send(t->fd, &t->packet, len);
}

static int send_end(struct transfer *t)
{
	t->packet.type = TRANSFER_END;
	return transfer_send(t->fd, &t->packet, 0);
}

/* ---- download ---- */

static int send_hole(struct transfer *t, off_t to)
{
	t->packet.type = TRANSFER_HOLE;
	t->packet.hole = to - (off_t)t->at;
	t->at = to;
	return transfer_send(t->fd, &t->packet, sizeof(t->packet.hole));
}

/* Where the data goes on; what it cannot tell is data. */
static off_t next_data(const struct transfer *t)
{
	off_t data = lseek(t->open.fd, t->at, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? (off_t)t->end : (off_t)t->at;
	return MIN(data, (off_t)t->end);
}

static int send_data(struct transfer *t, struct error *err)
{
	size_t len = MIN(t->end - t->at, TRANSFER_PIECE);
	off_t hole = t->sparse ? lseek(t->open.fd, t->at, SEEK_HOLE) : -1;
	ssize_t n;

	if (hole > (off_t)t->at)
		len = MIN(len, (uint64_t)hole - t->at);
	n = pread(t->open.fd, t->packet.data, len, t->at);
	if (n < 0)
		return error_set(err, -errno, "cannot read volume '%s': %m",
				 t->open.vol->name);
	if (n == 0)
		t->end = t->at; /* it became shorter */
	t->at += n;
	t->packet.type = TRANSFER_DATA;
	return n ? transfer_send(t->fd, &t->packet, n) : 0;
}

static int send_next(struct transfer *t, struct error *err)
{
	off_t data = t->sparse ? next_data(t) : (off_t)t->at;

	return data > (off_t)t->at ? send_hole(t, data) : send_data(t, err);
}

static int download(struct transfer *t, struct error *err)
{
	int r = 0;

	while (t->at < t->end && r == 0)
		r = send_next(t, err);
	return r;
}

/* ---- upload ---- */

static int check_room(const struct transfer *t, uint64_t len,
		      struct error *err)
{
	return len <= t->end - t->at ?
		       0 :
		       error_set(err, -ENOSPC,
				 "more data than volume '%s' has room for",
				 t->open.vol->name);
}

static int put_data(struct transfer *t, size_t len, struct error *err)
{
	int r = check_room(t, len, err);

	if (r < 0)
		return r;
	errno = ENOSPC; /* of a short count */
	if (pwrite(t->open.fd, t->packet.data, len, t->at) != (ssize_t)len)
		return error_set(err, -errno, "cannot write volume '%s': %m",
				 t->open.vol->name);
	t->at += len;
	return 0;
}

static int put_zeroes(struct transfer *t, uint64_t len, struct error *err)
{
	int r = 0;

	memset(t->packet.data, 0, sizeof(t->packet.data));
	while (len && r == 0) {
		size_t part = MIN(len, sizeof(t->packet.data));

		r = put_data(t, part, err);
		len -= part;
	}
	return r;
}

/* What is there becomes zero; a file gets longer where it has to. */
static int put_hole(struct transfer *t, struct error *err)
{
	uint64_t len = t->packet.hole;
	struct stat st;
	int r = t->packet.hole < 0 ? -EINVAL : check_room(t, len, err);

	if (r < 0 || !len)
		return r;
	if (fallocate(t->open.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
		      t->at, len) < 0)
		return put_zeroes(t, len, err);
	t->at += len;
	if (fstat(t->open.fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size < t->at && ftruncate(t->open.fd, t->at) < 0)
		return error_set(err, -errno, "cannot write volume '%s': %m",
				 t->open.vol->name);
	return 0;
}

static int finish_upload(struct transfer *t, struct error *err)
{
	return fsync(t->open.fd) < 0 ?
		       error_set(err, -errno, "cannot write volume '%s': %m",
				 t->open.vol->name) :
		       0;
}

/* Returns when the client has finished; -EPIPE: it went away. */
static int upload(struct transfer *t, struct error *err)
{
	size_t len = 0;
	int r = 0;

	while (r == 0) {
		r = transfer_receive(t->fd, &t->packet, &len);
		if (r < 0)
			return r;
		if (t->packet.type == TRANSFER_END)
			return finish_upload(t, err);
		r = t->packet.type == TRANSFER_HOLE ? put_hole(t, err) :
						      put_data(t, len, err);
	}
	return r;
}

/* ---- threads ---- */

static void transfer_free(struct transfer *t)
{
	fd_close(t->fd);
	free(t);
}

/* The volume is free, and looks as it is now, before the client hears. */
static void transfer_end(struct transfer *t, int r, bool upload,
			 const struct error *err)
{
	_cleanup_free_ char *pool = xstrdup(t->open.pool->def->name);
	struct vol_name vol = { pool, t->open.vol->name };

	if (upload) {
		vol_uploaded(t->reg, &vol, t->open.fd);
		vol_look_again(t->reg, &vol);
	}
	vol_unuse(&t->open);
	if (r == 0)
		send_end(t);
	else if (err->errnum)
		send_error(t, err);
	transfer_free(t);
}

static void *run_download(void *arg)
{
	struct transfer *t = arg;
	struct error err = { 0 };
	int r = download(t, &err);

	transfer_end(t, r, false, &err);
	return NULL;
}

static void *run_upload(void *arg)
{
	struct transfer *t = arg;
	struct error err = { 0 };
	int r = upload(t, &err);

	transfer_end(t, r, true, &err);
	return NULL;
}

static int start_thread(struct transfer *t, bool upload, struct error *err)
{
	pthread_t thread;
	int r = pthread_create(&thread, NULL,
			       upload ? run_upload : run_download, t);

	if (r)
		return error_set(err, -r, "cannot start a thread: %m");
	pthread_detach(thread);
	return 0;
}

/* A download ends where the volume does; what a volume with a size of its own
 * may take ends there as well. */
static int set_range(struct transfer *t, bool upload, uint64_t offset,
		     uint64_t length, struct error *err)
{
	uint64_t size = t->open.vol->physical, end;

	if (ckd_add(&end, offset, length) || end > INT64_MAX ||
	    (!upload && offset > size))
		return error_virt(err, VIR_ERR_INVALID_ARG,
				  "offset %llu and length %llu are not in the "
				  "volume", (unsigned long long)offset,
				  (unsigned long long)length);
	if (upload && t->open.vol->type == VOL_FILE)
		t->end = length ? end : INT64_MAX;
	else
		t->end = length ? MIN(end, size) : size;
	t->at = MIN(offset, t->end);
	return 0;
}

int vol_transfer(struct registry *reg, const struct vol_name *vol,
		 bool upload, uint64_t offset, uint64_t length, bool sparse,
		 int *ret_fd, struct error *err)
{
	struct transfer *t = xcalloc(1, sizeof(*t));
	int fds[2] = { -1, -1 };
	int r = vol_use(reg, vol, !upload, &t->open, err);

	if (r < 0) {
		free(t);
		return r;
	}
	t->reg = reg;
	t->sparse = sparse;
	t->fd = -1;
	r = set_range(t, upload, offset, length, err);
	if (r == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				 fds) < 0)
		r = error_set(err, -errno, "cannot create a socket: %m");
	t->fd = fds[1];
	if (r == 0)
		r = start_thread(t, upload, err);
	if (r < 0) {
		fd_close(fds[0]);
		vol_unuse(&t->open);
		transfer_free(t);
		return r;
	}
	*ret_fd = fds[0];
	return 0;
}
