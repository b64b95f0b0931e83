/*
 * daemon/carrier_tls.c -- a stream over TLS (daemon/carrier_tls.h).
 */
#include "daemon/carrier_tls.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <libvirt/virterror.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "daemon/carrier.h"

enum { PEM_MAX = 1 << 20, HANDSHAKE_MS = 30000, STEP_MS = 100 };

struct tls_keys {
	atomic_uint refs;
	bool server;
	gnutls_certificate_credentials_t cred;
	gnutls_priority_t priority;
};

/* ---- keys ---- */

static int failed(struct error *err, const char *what, int code)
{
	return error_virt(err, VIR_ERR_SYSTEM_ERROR, "%s: %s", what,
			  gnutls_strerror(code));
}

static void datum_free(gnutls_datum_t *d)
{
	if (d->data)
		gnutls_memset(d->data, 0, d->size);
	free(d->data);
}

static int read_pem(const char *path, tls_open_fn *open, gnutls_datum_t *ret,
		    struct error *err)
{
	_cleanup_close_ int fd = -1;
	ssize_t n;
	int r = open(path, err, &fd);

	if (r < 0)
		return r;
	ret->data = xmalloc(PEM_MAX);
	n = read(fd, ret->data, PEM_MAX);
	if (n < 0)
		return error_set(err, -errno, "cannot read '%s': %m", path);
	ret->size = (unsigned int)n;
	return 0;
}

static int trust(struct tls_keys *k, const char *path, tls_open_fn *open,
		 struct error *err)
{
	gnutls_datum_t ca = { 0 };
	int r = read_pem(path, open, &ca, err), n;

	if (r == 0) {
		n = gnutls_certificate_set_x509_trust_mem(k->cred, &ca,
							  GNUTLS_X509_FMT_PEM);
		if (n <= 0)
			r = failed(err, "no certificate authority", n);
	}
	datum_free(&ca);
	return r;
}

static int own(struct tls_keys *k, const struct tls_files *files,
	       tls_open_fn *open, struct error *err)
{
	gnutls_datum_t cert = { 0 }, key = { 0 };
	int r = read_pem(files->cert, open, &cert, err);
	int n;

	if (r == 0)
		r = read_pem(files->key, open, &key, err);
	if (r == 0) {
		n = gnutls_certificate_set_x509_key_mem(
			k->cred, &cert, &key, GNUTLS_X509_FMT_PEM);
		if (n < 0)
			r = failed(err, "no certificate of this host's", n);
	}
	datum_free(&cert);
	datum_free(&key);
	return r;
}

int tls_keys_load(const char *dir, bool server, tls_open_fn *open,
		  struct tls_keys **ret_keys, struct error *err)
{
	const char *who = server ? "server" : "client";
	_cleanup_free_ char *ca = xasprintf("%s/ca-cert.pem", dir);
	_cleanup_free_ char *cert = xasprintf("%s/%s-cert.pem", dir, who);
	_cleanup_free_ char *key = xasprintf("%s/%s-key.pem", dir, who);
	const struct tls_files files = { ca, cert, key };
	int r = tls_keys_load_files(&files, server, open, ret_keys, err);

	if (r < 0)
		error_prefix(err, "migration over TLS");
	return r;
}

int tls_keys_load_files(const struct tls_files *files, bool server,
			tls_open_fn *open, struct tls_keys **ret_keys,
			struct error *err)
{
	struct tls_keys *k = xcalloc(1, sizeof(*k));
	int r;

	atomic_init(&k->refs, 1);
	k->server = server;
	r = gnutls_certificate_allocate_credentials(&k->cred);
	if (r == 0)
		r = gnutls_priority_init(&k->priority,
					 "SECURE128:-VERS-ALL:+VERS-TLS1.3",
					 NULL);
	r = r < 0 ? failed(err, "cannot set up TLS", r) :
		    trust(k, files->ca, open, err);
	if (r == 0)
		r = own(k, files, open, err);
	if (r < 0) {
		tls_keys_unref(k);
		return r;
	}
	*ret_keys = k;
	return 0;
}

struct tls_keys *tls_keys_ref(struct tls_keys *k)
{
	atomic_fetch_add(&k->refs, 1);
	return k;
}

void tls_keys_unref(struct tls_keys *k)
{
	if (!k || atomic_fetch_sub(&k->refs, 1) > 1)
		return;
	if (k->cred)
		gnutls_certificate_free_credentials(k->cred);
	if (k->priority)
		gnutls_priority_deinit(k->priority);
	free(k);
}

/* ---- the far side of a carrier ---- */

struct far {
	struct tls_keys *keys;
	gnutls_session_t session;
	int fd;
};

static ssize_t from_tls(ssize_t n)
{
	if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
		return -EAGAIN;
	return n < 0 ? -ECONNRESET : n;
}

static ssize_t far_read(void *arg, void *data, size_t len)
{
	return from_tls(gnutls_record_recv(((struct far *)arg)->session, data,
					   len));
}

static ssize_t far_write(void *arg, const void *data, size_t len)
{
	return from_tls(gnutls_record_send(((struct far *)arg)->session, data,
					   len));
}

static bool far_more(void *arg)
{
	return gnutls_record_check_pending(((struct far *)arg)->session) > 0;
}

static void far_free(struct far *f)
{
	if (f->session)
		gnutls_deinit(f->session);
	tls_keys_unref(f->keys);
	fd_close(f->fd);
	free(f);
}

static void far_end(void *arg)
{
	struct far *f = arg;

	gnutls_bye(f->session, GNUTLS_SHUT_WR);
	far_free(f);
}

static const struct carrier_ops tls_ops = {
	.read = far_read,
	.write = far_write,
	.more = far_more,
	.end = far_end,
};

/* ---- shaking hands ---- */

static int wait_for(const struct far *f, int stop_fd, uint64_t until)
{
	short events = gnutls_record_get_direction(f->session) ? POLLOUT :
								 POLLIN;
	struct pollfd p[] = { { f->fd, events, 0 }, { stop_fd, POLLIN, 0 } };

	if (now_ns() > until)
		return -ETIMEDOUT;
	poll(p, 2, STEP_MS);
	return p[1].revents ? -ECANCELED : 0;
}

static int refused(struct far *f, struct error *err)
{
	unsigned int status =
		gnutls_session_get_verify_cert_status(f->session);
	gnutls_datum_t text = { 0 };
	int r;

	if (gnutls_certificate_verification_status_print(
		    status, GNUTLS_CRT_X509, &text, 0) < 0)
		return error_virt(err, VIR_ERR_AUTH_FAILED,
				  "the other host's certificate is not right");
	r = error_virt(err, VIR_ERR_AUTH_FAILED,
		       "the other host's certificate is not right: %s",
		       text.data);
	gnutls_free(text.data);
	return r;
}

static int shake_hands(struct far *f, int stop_fd, struct error *err)
{
	uint64_t until = now_ns() + HANDSHAKE_MS * 1000000ull;
	int r;

	while ((r = gnutls_handshake(f->session)) < 0) {
		if (r == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
			return refused(f, err);
		if (gnutls_error_is_fatal(r))
			return error_virt(err, VIR_ERR_AUTH_FAILED,
					  "the other host refuses TLS: %s",
					  gnutls_strerror(r));
		r = wait_for(f, stop_fd, until);
		if (r < 0)
			return error_set(err, r, "no TLS came about: %m");
	}
	return 0;
}

static int begin(struct far *f, struct tls_keys *k, const char *host)
{
	int r = gnutls_init(&f->session, (k->server ? GNUTLS_SERVER :
						      GNUTLS_CLIENT) |
						 GNUTLS_NONBLOCK |
						 GNUTLS_NO_SIGNAL);

	if (r < 0) {
		f->session = NULL;
		return r;
	}
	r = gnutls_priority_set(f->session, k->priority);
	if (r == 0)
		r = gnutls_credentials_set(f->session, GNUTLS_CRD_CERTIFICATE,
					   k->cred);
	if (k->server)
		gnutls_certificate_server_set_request(f->session,
						      GNUTLS_CERT_REQUIRE);
	gnutls_session_set_verify_cert(f->session, host, 0);
	gnutls_transport_set_int(f->session, f->fd);
	return r;
}

static int far_create(struct tls_keys *k, const char *host, int stop_fd,
		      int *fd, struct far **ret, struct error *err)
{
	struct far *f = xcalloc(1, sizeof(*f));
	int r;

	f->keys = tls_keys_ref(k);
	f->fd = steal_fd(fd);
	fcntl(f->fd, F_SETFL, fcntl(f->fd, F_GETFL) | O_NONBLOCK);
	r = begin(f, k, host);
	r = r < 0 ? failed(err, "cannot set up TLS", r) :
		    shake_hands(f, stop_fd, err);
	if (r < 0)
		far_free(f);
	else
		*ret = f;
	return r;
}

int carrier_tls(struct tls_keys *k, const char *host, int stop_fd, int *fd,
		struct error *err)
{
	struct far *f;
	int r = far_create(k, host, stop_fd, fd, &f, err);

	return r < 0 ? r : carrier_start(&tls_ops, f, f->fd, fd, err);
}

/* ---- RPC's clients ---- */

/* The name in the other's certificate, as RFC 4514 writes it. */
static int peer_name(struct far *f, char *ret, size_t size, struct error *err)
{
	unsigned int n;
	const gnutls_datum_t *chain =
		gnutls_certificate_get_peers(f->session, &n);
	gnutls_x509_crt_t crt;
	int r;

	if (!chain || !n || gnutls_x509_crt_init(&crt) < 0)
		return error_virt(err, VIR_ERR_AUTH_FAILED,
				  "the client shows no certificate");
	r = gnutls_x509_crt_import(crt, &chain[0], GNUTLS_X509_FMT_DER);
	if (r == 0)
		r = gnutls_x509_crt_get_dn(crt, ret, &size);
	gnutls_x509_crt_deinit(crt);
	return r < 0 ? failed(err, "a client's certificate has no name", r) : 0;
}

static bool name_fits(const char *patterns, const char *name)
{
	_cleanup_free_ char *copy = xstrdup(patterns);
	char *save, *p;

	for (p = strtok_r(copy, ";", &save); p; p = strtok_r(NULL, ";", &save))
		if (fnmatch(p, name, 0) == 0)
			return true;
	return false;
}

static int check_name(struct far *f, const char *allowed, struct error *err)
{
	char name[1024];
	int r = allowed ? peer_name(f, name, sizeof(name), err) : 0;

	if (r < 0 || !allowed || name_fits(allowed, name))
		return r;
	return error_virt(err, VIR_ERR_AUTH_FAILED,
			  "client '%s' is not allowed", name);
}

/* One byte in a record of its own goes at once into an empty socket. */
static int say_welcome(struct far *f, struct error *err)
{
	ssize_t n = gnutls_record_send(f->session, "\1", 1);

	return n == 1 ? 0 : failed(err, "a client went away", (int)n);
}

int carrier_tls_accept(struct tls_keys *k, const char *allowed, int stop_fd,
		       int *fd, struct error *err)
{
	struct far *f;
	int r = far_create(k, NULL, stop_fd, fd, &f, err);

	if (r < 0)
		return r;
	r = check_name(f, allowed, err);
	if (r == 0)
		r = say_welcome(f, err);
	if (r < 0) {
		far_free(f);
		return r;
	}
	return carrier_start(&tls_ops, f, f->fd, fd, err);
}
