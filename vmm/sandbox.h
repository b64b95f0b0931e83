/*
 * vmm/sandbox.h -- giving everything up.
 *
 * Two steps: sandbox_isolate() before any thread exists, sandbox_enter() once
 * the machine is built and before the first byte of an image is looked at.
 */
#ifndef VMM_SANDBOX_H
#define VMM_SANDBOX_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* Linux 6.6; older headers do not have them. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS	   _IOW('!', 4, uint64_t)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP 1ul
#endif

struct error;

/*
 * No new privileges, no capabilities.  Started as root (from a shell; the
 * daemon has done all this already): namespaces of our own, an empty root
 * and an unprivileged uid first.
 */
int sandbox_isolate(struct error *err);

/*
 * The system call filter, for all threads.  A refused call is told on log_fd
 * and ends the process by SIGSYS; with log_only it only goes to the kernel's
 * audit log.
 */
int sandbox_enter(bool log_only, struct error *err);
void sandbox_log_to(int log_fd); /* default: stderr */

#endif
