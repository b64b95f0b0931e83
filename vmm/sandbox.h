/*
 * vmm/sandbox.h -- giving everything up.
 *
 * Two steps: sandbox_isolate() before any thread exists, sandbox_enter() once
 * the machine is built and before the first byte of an image is looked at.
 */
#ifndef VMM_SANDBOX_H
#define VMM_SANDBOX_H

#include <stdbool.h>

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
