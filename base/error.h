/*
 * base/error.h -- one sentence for the user, with libvirt's domain and code.
 *
 * Functions return 0 or -errno and, where a user will read it, fill a struct
 * error.  The sentence names the object and the remedy and has no final stop.
 * libvirt's prefix for the code ("Domain not found: ...") is added only when
 * the error leaves the daemon (rpc/).
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/util.h"

struct error {
	int errnum;  /* negative errno, 0: no error */
	int code;    /* virErrorNumber, 0: VIR_ERR_SYSTEM_ERROR/INTERNAL */
	int domain;  /* virErrorDomain, 0: the caller's */
	char message[1024];
};

/*
 * Both return errnum (error_virt: -EINVAL or what errno fits the code), so
 * that callers can write "return error_set(...)".  err may be NULL.  %m in
 * error_set() is errnum's text, whatever errno is by then.
 */
int error_set(struct error *err, int errnum, const char *fmt, ...)
	PRINTF(3, 4);
int error_virt(struct error *err, int code, const char *fmt, ...)
	PRINTF(3, 4);

/* Puts "text: " in front of the sentence and keeps the rest. */
void error_prefix(struct error *err, const char *fmt, ...) PRINTF(2, 3);

void error_clear(struct error *err);

#endif
