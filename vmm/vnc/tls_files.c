/*
 * vmm/vnc/tls_files.c -- certificates and keys of the VNC server.
 */
#include "vmm/vnc/tls_files.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "vmm/spec.h"
#include "vmm/vnc/crypto.h"

/* #syscalls:vmm pread64 */

enum { PEM_MAX = 1 << 18 };

/* A file's text; NULL with -errno in *ret_errno. */
static char *read_pem(int fd, int *ret_errno)
{
	_cleanup_free_ char *text = xcalloc(1, PEM_MAX + 1);
	size_t len = 0;
	ssize_t n;

	do {
		n = pread(fd, text + len, PEM_MAX - len, len);
		len += MAX(n, (ssize_t)0);
	} while (n > 0 || (n < 0 && errno == EINTR));
	*ret_errno = n < 0 ? -errno : len == PEM_MAX ? -EFBIG : 0;
	return *ret_errno < 0 ? NULL : steal_ptr(&text);
}

/* Keys do not stay in memory that is given back. */
static void forget(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

static int create(const struct vnc_tls_texts *texts, struct vnc_tls **ret_tls,
		  struct error *err)
{
	char why[200] = "";

	*ret_tls = vnc_crypto()->create(texts, why, sizeof(why));
	return *ret_tls ? 0 :
			  error_set(err, -EINVAL,
				    "cannot set up TLS for VNC: %s", why);
}

int vnc_tls_load(const struct spec_vnc *spec, struct vnc_tls **ret_tls,
		 struct error *err)
{
	char *certificate = NULL, *key = NULL, *authority = NULL;
	bool x509 = spec->tls == VNC_TLS_X509;
	int r = 0;

	if (x509)
		certificate = read_pem(spec->certificate_fd, &r);
	if (x509 && r == 0)
		key = read_pem(spec->key_fd, &r);
	if (x509 && r == 0 && spec->authority_fd >= 0)
		authority = read_pem(spec->authority_fd, &r);
	if (r < 0)
		error_set(err, r, "cannot read VNC's certificates: %m");
	else
		r = create(&(struct vnc_tls_texts){
				   .certificate = certificate,
				   .key = key,
				   .authority = authority,
				   .verify = authority,
			   },
			   ret_tls, err);
	free(certificate);
	forget(key);
	free(authority);
	return r;
}
