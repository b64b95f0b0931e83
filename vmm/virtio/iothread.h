/*
 * vmm/virtio/iothread.h -- a loop on a thread of its own, for one device.
 */
#ifndef VMM_VIRTIO_IOTHREAD_H
#define VMM_VIRTIO_IOTHREAD_H

struct iothread;
struct loop;
struct error;

int iothread_create(const char *name, struct iothread **ret_thread,
		    struct error *err);
struct loop *iothread_loop(struct iothread *thread);

/*
 * Starts the thread unless it runs: late, so that it is born inside the
 * sandbox.  Calls must not overlap.  0 or -errno.
 */
int iothread_start(struct iothread *thread);

void iothread_stop(struct iothread *thread); /* waits for its end */
void iothread_destroy(struct iothread *thread);

#endif
