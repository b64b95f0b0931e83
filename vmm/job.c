/*
 * vmm/job.c -- one long piece of work about a machine.
 */
#include "vmm/job.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/loop.h"

/* #syscalls:vmm clone3 clone set_robust_list rseq mmap mprotect munmap */
/* #syscalls:vmm madvise rt_sigprocmask prctl exit futex eventfd2 close */
/* #syscalls:vmm nanosleep clock_nanosleep */

struct job {
	struct loop *loop;
	job_work_fn *work;
	job_done_fn *done;
	void *arg;
	pthread_t thread;
	int over; /* an eventfd */
	struct progress *p;
	int result;
	struct error err;
};

struct errand {
	void (*fn)(void *arg);
	void *arg;
	atomic_bool done;
};

static void run_call(void *arg)
{
	struct errand *c = arg;

	c->fn(c->arg);
	atomic_store(&c->done, true);
}

/* Seldom, so polling does.  A call that nobody will run is left to its fate,
 * for the loop still has it. */
bool job_on_loop(struct loop *loop, struct progress *p, void (*fn)(void *arg),
		 void *arg)
{
	struct errand *c = xcalloc(1, sizeof(*c));

	*c = (struct errand){ .fn = fn, .arg = arg };
	loop_defer(loop, run_call, c);
	while (!atomic_load(&c->done)) {
		if (atomic_load(&p->alone))
			return false;
		usleep(500);
	}
	free(c);
	return true;
}

static void job_free(struct job *job)
{
	loop_remove(job->loop, job->over);
	fd_close(job->over);
	free(job);
}

static void job_over(void *arg, uint32_t events)
{
	struct job *job = arg;
	job_done_fn *done = job->done;
	struct error err;
	int result;

	pthread_join(job->thread, NULL);
	err = job->err;
	result = job->result;
	arg = job->arg;
	job_free(job);
	done(arg, result, &err);
}

static void *job_main(void *arg)
{
	struct job *job = arg;
	uint64_t one = 1;

	job->result = job->work(job->arg, job->p, &job->err);
	if (write(job->over, &one, sizeof(one)) < 0)
		job->result = job->result < 0 ? job->result : -errno;
	return NULL;
}

/* Signals are for the main and vCPU threads. */
int job_thread(pthread_t *ret_thread, void *(*fn)(void *arg), void *arg)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(ret_thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

int job_start(struct loop *loop, const char *name, job_work_fn *work,
	      job_done_fn *done, void *arg, struct progress *p,
	      struct job **ret_job, struct error *err)
{
	struct job *job = xcalloc(1, sizeof(*job));
	int r;

	job->loop = loop;
	job->work = work;
	job->done = done;
	job->arg = arg;
	job->p = p;
	job->over = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = job->over < 0 ? -errno :
			    loop_add(loop, job->over, EPOLLIN, job_over, job);
	if (r == 0)
		r = job_thread(&job->thread, job_main, job);
	if (r < 0) {
		job_free(job);
		return error_set(err, r, "cannot begin to %s: %m", name);
	}
	*ret_job = job;
	return 0;
}

void job_cancel(struct job *job)
{
	atomic_store(&job->p->cancel, true);
}

void job_destroy(struct job *job)
{
	if (!job)
		return;
	job_cancel(job);
	atomic_store(&job->p->alone, true);
	pthread_join(job->thread, NULL);
	job_free(job);
}
