/*
 * daemon/priv_cgroup.c -- control groups for machines that have limits
 * (Linux, admin-guide/cgroup-v1/ and cgroup-v2.rst).
 *
 * A machine's group is "vireo/UUID" in each hierarchy that is needed; with
 * limits of single threads there are "vcpuN" and "emulator" in it.  A machine
 * without limits has none: it stays where the daemon is.  Values are written
 * only when they are asked for.
 */
#include "daemon/priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"

#define ROOT "/sys/fs/cgroup"
enum { PATH_LEN = 200 };

static bool is_v2(void)
{
	struct statfs fs;

	return statfs(ROOT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

static int write_text(const char *dir, const char *file, const char *text)
{
	char path[PATH_LEN + 64];
	_cleanup_close_ int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int write_number(const char *dir, const char *file, long long value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", value);
	return write_text(dir, file, text);
}

static int make(const char *dir)
{
	return mkdir(dir, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

/* A hierarchy of version 1, or version 2's only one. */
static void hierarchy(char *path, size_t size, const char *controller)
{
	if (is_v2())
		snprintf(path, size, "%s", ROOT);
	else
		snprintf(path, size, "%s/%s", ROOT, controller);
}

/*
 * Version 2 wants each controller enabled on the way down.  Version 1's
 * "cpuset" would want its sets filled in, but is not used.
 */
static int open_group(const char *controller, const uint8_t *uuid,
		      char ret_path[PATH_LEN], pid_t pid)
{
	char base[64], text[37], enable[32];
	int r;

	hierarchy(base, sizeof(base), controller);
	priv_uuid_text(uuid, text);
	snprintf(enable, sizeof(enable), "+%s",
		 is_v2() && str_eq(controller, "blkio") ? "io" : controller);
	if (is_v2())
		write_text(base, "cgroup.subtree_control", enable);
	snprintf(ret_path, PATH_LEN, "%s/vireo", base);
	r = make(ret_path);
	if (r == 0 && is_v2())
		r = write_text(ret_path, "cgroup.subtree_control", enable);
	snprintf(ret_path, PATH_LEN, "%s/vireo/%s", base, text);
	if (r == 0)
		r = make(ret_path);
	return r < 0 ? r : write_number(ret_path, "cgroup.procs", pid);
}

/* ---- values ---- */

static int set_weight(const char *dir, unsigned int shares)
{
	if (!is_v2())
		return write_number(dir, "cpu.shares", shares);
	/* 2 to 262144 becomes 1 to 10000, as systemd has it. */
	return write_number(dir, "cpu.weight",
			    1 + ((long long)MAX(shares, 2u) - 2) * 9999 /
					262142);
}

static int set_quota(const char *dir, unsigned int period, int64_t quota)
{
	char text[64];
	int r = 0;

	if (!period && !quota)
		return 0;
	if (is_v2()) {
		period = period ? period : 100000;
		if (quota > 0)
			snprintf(text, sizeof(text), "%lld %u",
				 (long long)quota, period);
		else
			snprintf(text, sizeof(text), "max %u", period);
		return write_text(dir, "cpu.max", text);
	}
	if (period)
		r = write_number(dir, "cpu.cfs_period_us", period);
	return r < 0 || !quota ? r :
				 write_number(dir, "cpu.cfs_quota_us", quota);
}

static int set_memory(const char *dir, const struct priv_limits *l)
{
	const char *hard = is_v2() ? "memory.max" : "memory.limit_in_bytes";
	const char *soft = is_v2() ? "memory.high" :
				     "memory.soft_limit_in_bytes";
	int r = 0;

	if (l->mem_hard)
		r = write_number(dir, hard, (long long)l->mem_hard);
	if (r == 0 && l->mem_soft)
		r = write_number(dir, soft, (long long)l->mem_soft);
	if (r == 0 && l->mem_swap && !is_v2())
		r = write_number(dir, "memory.memsw.limit_in_bytes",
				 (long long)l->mem_swap);
	else if (r == 0 && l->mem_swap)
		r = write_number(dir, "memory.swap.max",
				 (long long)(l->mem_swap - MIN(l->mem_swap,
							       l->mem_hard)));
	return r;
}

/* The scheduler of the disks decides which file there is. */
static int set_io_weight(const char *dir, unsigned int weight)
{
	static const char *const files[] = { "io.weight", "io.bfq.weight",
					     "blkio.weight",
					     "blkio.bfq.weight" };
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(files) && r < 0; i++)
		r = write_number(dir, files[i], weight);
	return r;
}

/* ---- single threads ---- */

struct threads {
	const struct priv_limits *limits;
	const char *dir;
	int error;
};

/* Version 2: a group of threads. */
static int thread_group(const char *parent, const char *name,
			unsigned int period, int64_t quota, const char *tid)
{
	char dir[PATH_LEN + 32];
	int r;

	snprintf(dir, sizeof(dir), "%s/%s", parent, name);
	r = make(dir);
	if (r == 0 && is_v2())
		r = write_text(dir, "cgroup.type", "threaded");
	if (r == 0 && is_v2())
		r = write_text(parent, "cgroup.subtree_control", "+cpu");
	if (r == 0)
		r = set_quota(dir, period, quota);
	if (r == 0)
		r = write_text(dir, is_v2() ? "cgroup.threads" : "tasks", tid);
	return r == -ESRCH ? 0 : r;
}

static int place_thread(const struct threads *t, pid_t pid, const char *tid)
{
	const struct priv_limits *l = t->limits;
	char path[96], comm[32] = "";
	_cleanup_close_ int fd = -1;
	bool vcpu;

	snprintf(path, sizeof(path), "/proc/%d/task/%.20s/comm", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, comm, sizeof(comm) - 1) <= 0)
		return 0;
	comm[strcspn(comm, "\n")] = '\0';
	vcpu = str_startswith(comm, "vcpu") &&
	       strspn(comm + 4, "0123456789") == strlen(comm + 4);
	if (vcpu)
		return thread_group(t->dir, comm, l->period, l->quota, tid);
	return thread_group(t->dir, "emulator", l->emulator_period,
			    l->emulator_quota, tid);
}

static int place_threads(const struct threads *t, pid_t pid)
{
	char path[64];
	struct dirent *e;
	int r = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && r == 0 && (e = readdir(d)))
		if (e->d_name[0] != '.')
			r = place_thread(t, pid, e->d_name);
	if (d)
		closedir(d);
	return r;
}

/* ---- the operation ---- */

static int limit_cpu(const struct priv_limits *l, pid_t pid)
{
	char dir[PATH_LEN];
	struct threads t = { .limits = l, .dir = dir };
	int r = open_group("cpu", l->uuid, dir, pid);

	if (r == 0 && l->shares)
		r = set_weight(dir, l->shares);
	if (r == 0)
		r = set_quota(dir, l->global_period, l->global_quota);
	if (r == 0 && (l->period || l->quota || l->emulator_period ||
		       l->emulator_quota))
		r = place_threads(&t, pid);
	return r;
}

static int limit_memory(const struct priv_limits *l, pid_t pid)
{
	char dir[PATH_LEN];
	int r = open_group("memory", l->uuid, dir, pid);

	return r < 0 ? r : set_memory(dir, l);
}

static int limit_io(const struct priv_limits *l, pid_t pid)
{
	char dir[PATH_LEN];
	int r = open_group("blkio", l->uuid, dir, pid);

	return r < 0 ? r : set_io_weight(dir, l->io_weight);
}

static bool limits_cpu(const struct priv_limits *l)
{
	return l->shares || l->period || l->quota || l->global_period ||
	       l->global_quota || l->emulator_period || l->emulator_quota;
}

/* Processor time comes last: version 2 has one group for everything, and a
 * process that is put into it takes its threads out of theirs. */
static int limit(const struct priv_limits *l, pid_t pid, const char **ret_what)
{
	int r = 0;

	*ret_what = "memory";
	if (l->mem_hard || l->mem_soft || l->mem_swap)
		r = limit_memory(l, pid);
	if (r < 0)
		return r;
	*ret_what = "disk access";
	if (l->io_weight)
		r = limit_io(l, pid);
	if (r < 0)
		return r;
	*ret_what = "processor time";
	return limits_cpu(l) ? limit_cpu(l, pid) : 0;
}

int priv_limit_vmm(struct priv *priv, const void *arg, struct priv_reply *reply,
		   int fds[PRIV_FDS_MAX], struct error *err)
{
	const struct priv_limits *l = arg;
	_cleanup_close_ int pidfd = -1;
	const char *what;
	pid_t pid;
	int r;

	pidfd = priv_find_vmm(priv, l->uuid, &pid);
	if (pidfd < 0)
		return error_set(err, pidfd, "its machine is gone");
	r = limit(l, pid, &what);
	if (r == -ENOENT || r == -EROFS || r == -EACCES || r == -EPERM)
		return error_set(err, -ENOTSUP,
				 "this host gives no control group for %s (" ROOT
				 "): remove the limit",
				 what);
	return r < 0 ? error_set(err, r, "cannot limit %s: %m", what) : 0;
}

/* Groups are removed from the inside out. */
static void remove_group(const char *dir)
{
	char path[PATH_LEN + 64];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d))) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%.200s/%.60s", dir, e->d_name);
		rmdir(path);
	}
	if (d)
		closedir(d);
	rmdir(dir);
}

void priv_forget_limits(const uint8_t uuid[PRIV_UUID_LEN])
{
	static const char *const controllers[] = { "cpu", "memory", "blkio" };
	char base[64], text[37], dir[PATH_LEN];

	priv_uuid_text(uuid, text);
	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++) {
		hierarchy(base, sizeof(base), controllers[i]);
		snprintf(dir, sizeof(dir), "%s/vireo/%s", base, text);
		remove_group(dir);
	}
}
