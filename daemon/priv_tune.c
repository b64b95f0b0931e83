/*
 * daemon/priv_tune.c -- which of the host's CPUs a machine's threads run on,
 * and how.
 *
 * Done from outside: a machine may not choose for itself.  Its threads are
 * known by their names ("vcpu0"), which it could change; that only mixes up
 * its own.  A process that a machine has started for a vCPU is found by the
 * same names among its children.
 */
#include "daemon/priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"

enum { DEPTH_MAX = 2, PASSES = 4 };

struct pinning {
	const struct priv_pin *pin;
	unsigned int found;
	int error;
};

static void comm_of(pid_t pid, const char *tid, char name[32])
{
	char path[96];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%.20s/comm", pid, tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, name, 31);
	name[MAX(n, 0)] = '\0';
	name[strcspn(name, "\n")] = '\0';
}

static bool is_vcpu(const char *comm)
{
	return str_startswith(comm, "vcpu") && comm[4] >= '0' &&
	       comm[4] <= '9';
}

/* A name is cut off by the kernel. */
static bool wanted(const struct priv_pin *pin, const char *comm)
{
	return pin->thread[0] ? !strncmp(pin->thread, comm, 15) :
				!is_vcpu(comm);
}

static void place(struct pinning *p, pid_t tid)
{
	const struct priv_pin *pin = p->pin;
	struct sched_param param = { .sched_priority = (int)pin->priority };

	p->found++;
	if (pin->has_cpus &&
	    syscall(SYS_sched_setaffinity, tid, sizeof(pin->cpus),
		    pin->cpus) < 0 &&
	    errno != ESRCH)
		p->error = -errno;
	if (pin->has_policy &&
	    sched_setscheduler(tid, (int)pin->policy, &param) < 0 &&
	    errno != ESRCH)
		p->error = -errno;
}

static void place_process(struct pinning *p, pid_t pid, unsigned int depth);

static void place_children(struct pinning *p, pid_t pid, const char *tid,
			   unsigned int depth)
{
	char path[96];
	FILE *f;
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%.20s/children", pid, tid);
	f = depth < DEPTH_MAX ? fopen(path, "re") : NULL;
	if (!f)
		return;
	while (fscanf(f, "%d", &child) == 1)
		place_process(p, child, depth + 1);
	fclose(f);
}

static void place_process(struct pinning *p, pid_t pid, unsigned int depth)
{
	char path[64], comm[32];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		comm_of(pid, e->d_name, comm);
		if (wanted(p->pin, comm))
			place(p, atoi(e->d_name));
		place_children(p, pid, e->d_name, depth);
	}
	if (d)
		closedir(d);
}

int priv_pin_vmm(struct priv *priv, const void *arg, struct priv_reply *reply,
		 int fds[PRIV_FDS_MAX], struct error *err)
{
	struct pinning p = { .pin = arg };
	_cleanup_close_ int pidfd = -1;
	unsigned int before = ~0u;
	pid_t pid;

	pidfd = priv_find_vmm(priv, p.pin->uuid, &pid);
	if (pidfd < 0)
		return error_set(err, pidfd, "its machine is gone");
	/* Until no thread is new that its maker had made before. */
	for (unsigned int i = 0; i < PASSES && p.found != before; i++) {
		before = p.found;
		p.found = 0;
		place_process(&p, pid, 0);
	}
	reply->pid = (int)p.found;
	if (p.error == -EINVAL)
		return error_set(err, p.error,
				 "the host has none of the CPUs asked for");
	return p.error < 0 ?
		       error_set(err, p.error,
				 "cannot place a machine's threads: %m") :
		       0;
}

/* ---- how long threads wait ---- */

/* proc(5), schedstat: the second number. */
static uint64_t waited(pid_t pid, const char *tid)
{
	char path[96];
	unsigned long long ns;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", pid,
		 tid);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%*u %llu", &ns) != 1)
		ns = 0;
	if (f)
		fclose(f);
	return ns;
}

int priv_vmm_waits(struct priv *priv, const void *arg,
		   struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		   struct error *err)
{
	const struct priv_waits_of *a = arg;
	struct priv_waits waits = { 0 };
	_cleanup_close_ int pidfd = -1;
	char path[64], comm[32];
	struct dirent *e;
	uint64_t n;
	pid_t pid;
	DIR *d;

	pidfd = priv_find_vmm(priv, a->uuid, &pid);
	if (pidfd < 0)
		return error_set(err, pidfd, "its machine is gone");
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		comm_of(pid, e->d_name, comm);
		if (is_vcpu(comm) &&
		    parse_u64(comm + 4, 10, UINT32_MAX, &n) == 0 &&
		    n >= a->first && n - a->first < PRIV_WAITS_MAX)
			waits.ns[n - a->first] = waited(pid, e->d_name);
	}
	if (d)
		closedir(d);
	static_assert(sizeof(waits) < sizeof(reply->text), "it fits");
	memcpy(reply->text, &waits, sizeof(waits));
	return 0;
}

/* For guest memory that shall stay in RAM, or that devices reach. */
int priv_memlock_vmm(struct priv *priv, const void *arg,
		     struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		     struct error *err)
{
	const struct priv_vmm *a = arg;
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	_cleanup_close_ int pidfd = -1;
	pid_t pid;

	pidfd = priv_find_vmm(priv, a->uuid, &pid);
	if (pidfd < 0)
		return error_set(err, pidfd, "its machine is gone");
	/* Without the right to raise it, what we have must do. */
	if (prlimit(pid, RLIMIT_MEMLOCK, &all, NULL) < 0 && errno != EPERM)
		return error_set(err, -errno,
				 "cannot let the machine lock memory: %m");
	return 0;
}
