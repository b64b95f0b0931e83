/*
 * base/error.c -- fills struct error.
 */
#include "base/error.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdarg.h>
#include <string.h>

static int errno_of_code(int code)
{
	switch (code) {
	case VIR_ERR_NO_MEMORY:
		return -ENOMEM;
	case VIR_ERR_NO_SUPPORT:
	case VIR_ERR_OPERATION_UNSUPPORTED:
	case VIR_ERR_CONFIG_UNSUPPORTED:
	case VIR_ERR_ARGUMENT_UNSUPPORTED:
		return -EOPNOTSUPP;
	case VIR_ERR_NO_DOMAIN:
	case VIR_ERR_NO_NETWORK:
	case VIR_ERR_NO_STORAGE_POOL:
	case VIR_ERR_NO_STORAGE_VOL:
		return -ENOENT;
	case VIR_ERR_DOM_EXIST:
		return -EEXIST;
	case VIR_ERR_OPERATION_DENIED:
	case VIR_ERR_ACCESS_DENIED:
	case VIR_ERR_AUTH_FAILED:
		return -EACCES;
	case VIR_ERR_OPERATION_TIMEOUT:
		return -ETIMEDOUT;
	case VIR_ERR_OPERATION_INVALID:
		return -EBUSY;
	default:
		return -EINVAL;
	}
}

static void fill(struct error *err, int errnum, int code, const char *fmt,
		 va_list ap)
{
	if (!err)
		return;
	err->errnum = errnum;
	err->code = code;
	err->domain = 0;
	errno = -errnum; /* for %m */
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
}

int error_set(struct error *err, int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fill(err, errnum, 0, fmt, ap);
	va_end(ap);
	return errnum;
}

int error_virt(struct error *err, int code, const char *fmt, ...)
{
	int errnum = errno_of_code(code);
	va_list ap;

	va_start(ap, fmt);
	fill(err, errnum, code, fmt, ap);
	va_end(ap);
	return errnum;
}

void error_prefix(struct error *err, const char *fmt, ...)
{
	char old[sizeof(err->message)];
	va_list ap;
	size_t n;

	if (!err)
		return;
	memcpy(old, err->message, sizeof(old));
	va_start(ap, fmt);
	vsnprintf(err->message, sizeof(err->message), fmt, ap);
	va_end(ap);
	n = strlen(err->message);
	snprintf(err->message + n, sizeof(err->message) - n, ": %s", old);
}

void error_clear(struct error *err)
{
	if (err)
		*err = (struct error){ 0 };
}
