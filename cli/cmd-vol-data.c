/*
 * cli/cmd-vol-data.c -- what is in volumes, from and to files: vol-upload,
 * vol-download.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/job.h"
#include "cli/output.h"
#include "cli/storage.h"

struct data {
	int fd;
	bool tty; /* somebody watches */
	unsigned long long done, total; /* bytes, holes count */
	struct bar bar;
};

static void progress(struct data *d, unsigned long long n)
{
	d->done += n;
	if (d->tty)
		bar_update(&d->bar, d->done, d->total);
}

/* ---- from a file to the stream ---- */

static int from_file(virStreamPtr stream, char *to, size_t len, void *arg)
{
	struct data *d = arg;
	ssize_t n;

	do {
		n = read(d->fd, to, len);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		progress(d, (unsigned long long)n);
	return (int)n;
}

/* Whether data or a hole begins here, and how long it is. */
static int in_hole(virStreamPtr stream, int *ret_in_data, long long *ret_len,
		   void *arg)
{
	struct data *d = arg;
	off_t at = lseek(d->fd, 0, SEEK_CUR);
	off_t data = lseek(d->fd, at, SEEK_DATA);
	off_t end = data == at ? lseek(d->fd, at, SEEK_HOLE) : data;

	*ret_in_data = data == at;
	if (at < 0 || (data < 0 && errno != ENXIO))
		return -1;
	if (data < 0)
		end = lseek(d->fd, 0, SEEK_END);
	*ret_len = end - at;
	return end < 0 || lseek(d->fd, at, SEEK_SET) < 0 ? -1 : 0;
}

static int skip_hole(virStreamPtr stream, long long len, void *arg)
{
	struct data *d = arg;

	progress(d, (unsigned long long)len);
	return lseek(d->fd, len, SEEK_CUR) < 0 ? -1 : 0;
}

/* ---- from the stream to a file ---- */

static int to_file(virStreamPtr stream, const char *from, size_t len,
		   void *arg)
{
	struct data *d = arg;

	progress(d, len);
	return write_full(d->fd, from, len) < 0 ? -1 : (int)len;
}

static int make_hole(virStreamPtr stream, long long len, void *arg)
{
	struct data *d = arg;
	off_t end = lseek(d->fd, len, SEEK_CUR);

	progress(d, (unsigned long long)len);
	return end < 0 || ftruncate(d->fd, end) < 0 ? -1 : 0;
}

/* ---- both ---- */

struct job {
	virStorageVolPtr vol;
	virStreamPtr stream;
	struct data data;
	unsigned long long offset, length;
	bool sparse;
};

static int upload(struct ctl *ctl, struct job *j)
{
	const char *name = virStorageVolGetName(j->vol);
	unsigned int flags =
		j->sparse ? VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM : 0;

	if (virStorageVolUpload(j->vol, j->stream, j->offset, j->length,
				flags) < 0)
		return say_failed(ctl, "cannot upload to volume %s", name);
	if ((j->sparse ? virStreamSparseSendAll(j->stream, from_file, in_hole,
						skip_hole, &j->data) :
			 virStreamSendAll(j->stream, from_file, &j->data)) < 0)
		return say_failed(ctl, "cannot send data to volume %s", name);
	return virStreamFinish(j->stream) < 0 ?
		       say_failed(ctl, "cannot close volume %s", name) :
		       EXIT_OK;
}

static int download(struct ctl *ctl, struct job *j)
{
	const char *name = virStorageVolGetName(j->vol);
	unsigned int flags =
		j->sparse ? VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM : 0;

	if (virStorageVolDownload(j->vol, j->stream, j->offset, j->length,
				  flags) < 0)
		return say_failed(ctl, "cannot download from volume %s", name);
	if ((j->sparse ? virStreamSparseRecvAll(j->stream, to_file, make_hole,
						&j->data) :
			 virStreamRecvAll(j->stream, to_file, &j->data)) < 0)
		return say_failed(ctl, "cannot receive data from volume %s",
				  name);
	return virStreamFinish(j->stream) < 0 ?
		       say_failed(ctl, "cannot close volume %s", name) :
		       EXIT_OK;
}

static int open_file(const char *path, bool writing)
{
	int fd = writing ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
				0666) :
			   open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		say_error("cannot %s %s: %s", writing ? "create" : "read",
			  path, strerror(errno));
	return fd;
}

/* What there is to do: the file, or the volume, or as much as was asked for. */
static unsigned long long total(const struct job *j, bool down)
{
	virStorageVolInfo info = { 0 };
	struct stat st = { 0 };
	unsigned long long have;

	if (down)
		virStorageVolGetInfo(j->vol, &info);
	else
		fstat(j->data.fd, &st);
	have = down ? info.capacity : (unsigned long long)st.st_size;
	if (down)
		have -= MIN(have, j->offset);
	return j->length ? MIN(j->length, have) : have;
}

static int transfer(struct ctl *ctl, const struct args *args, bool down)
{
	const char *path = args_get(args, "file");
	struct job j = { .sparse = args_has(args, "sparse"),
			 .data = { .fd = -1,
				   .tty = !ctl->quiet && isatty(STDERR_FILENO),
				   .bar.what = down ? "Download" : "Upload" } };
	int status = EXIT_FAILED;

	if (args_ull(args, "offset", &j.offset) < 0 ||
	    args_ull(args, "length", &j.length) < 0)
		return EXIT_FAILED;
	j.vol = ctl_vol(ctl, args, args_get(args, "vol"), "pool");
	if (j.vol)
		j.data.fd = open_file(path, down);
	if (j.data.fd >= 0)
		j.stream = virStreamNew(ctl->conn, 0);
	if (j.stream) {
		j.data.total = j.data.tty ? total(&j, down) : 0;
		status = down ? download(ctl, &j) : upload(ctl, &j);
		bar_finish(&j.data.bar);
	} else if (j.data.fd >= 0) {
		say_failed(ctl, "cannot create a stream");
	}
	if (j.stream && status != EXIT_OK)
		virStreamAbort(j.stream);
	if (j.stream)
		virStreamFree(j.stream);
	if (j.vol)
		virStorageVolFree(j.vol);
	if (j.data.fd >= 0 && close(j.data.fd) < 0 && status == EXIT_OK) {
		say_error("cannot close file %s: %s", path, strerror(errno));
		status = EXIT_FAILED;
	}
	return status;
}

static int run_vol_upload(struct ctl *ctl, const struct args *args)
{
	return transfer(ctl, args, false);
}

static int run_vol_download(struct ctl *ctl, const struct args *args)
{
	return transfer(ctl, args, true);
}

/* ---- the commands ---- */

#define OPTS_DATA                                                       \
	DATA("vol"), DATA("file", "the file"), STRING("pool"),          \
		NUMBER("offset", "where in the volume, in bytes"),      \
		NUMBER("length", "how many bytes at most"),             \
		FLAG("sparse", "holes are not sent as zeroes")

const struct command family_vol_data[] = {
	{
		.name = "vol-upload",
		.group = "volume",
		.summary = "upload file contents to a volume",
		.opts = OPTS(OPTS_DATA),
		.run = run_vol_upload,
	},
	{
		.name = "vol-download",
		.group = "volume",
		.summary = "download volume contents to a file",
		.opts = OPTS(OPTS_DATA),
		.run = run_vol_download,
	},
	{ NULL },
};
