/*
 * vmm/vnc/crypto_module.c -- the VNC server's cryptography by GnuTLS and
 * Nettle, as a module: vmm/vnc/crypto.h.
 */
#include "vmm/vnc/crypto.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <nettle/base64.h>
#include <nettle/des.h>
#include <nettle/sha1.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Certificates: whatever the host's policy allows.  Without: key exchanges
 * that TLS 1.3 has no more. */
#define WITH_CERTIFICATES "NORMAL"
#define ANONYMOUS \
	"NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ANON-ECDH:+ANON-DH"

struct vnc_tls {
	gnutls_certificate_credentials_t x509; /* or */
	gnutls_anon_server_credentials_t anon;
	bool verify;
};

struct vnc_tls_session {
	gnutls_session_t session;
	const struct vnc_tls *tls;
	int fd;
	bool unsent; /* of a record: the same call again */
};

/* ---- passwords and websockets ---- */

/* The key is the password, each byte with its bits the other way round. */
static uint8_t reversed(uint8_t c)
{
	uint8_t r = 0;

	for (unsigned int bit = 0; bit < 8; bit++)
		if (c & 1u << bit)
			r |= 0x80u >> bit;
	return r;
}

static void answer(const char password[VNC_PASSWORD_MAX],
		   const uint8_t challenge[VNC_CHALLENGE],
		   uint8_t ret[VNC_CHALLENGE])
{
	uint8_t key[DES_KEY_SIZE];
	struct des_ctx des;

	for (unsigned int i = 0; i < sizeof(key); i++)
		key[i] = reversed(password[i]);
	des_set_key(&des, key); /* weak ones are the user's choice */
	des_encrypt(&des, VNC_CHALLENGE, ret, challenge);
}

static void accept_key(const char *key, size_t len, char ret[VNC_ACCEPT_MAX])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	uint8_t digest[SHA1_DIGEST_SIZE];
	struct sha1_ctx sha;

	static_assert(BASE64_ENCODE_RAW_LENGTH(SHA1_DIGEST_SIZE) <
			      VNC_ACCEPT_MAX, "no room for it");
	sha1_init(&sha);
	sha1_update(&sha, len, (const uint8_t *)key);
	sha1_update(&sha, sizeof(guid) - 1, (const uint8_t *)guid);
	sha1_digest(&sha, sizeof(digest), digest);
	memset(ret, 0, VNC_ACCEPT_MAX);
	base64_encode_raw(ret, sizeof(digest), digest);
}

/* ---- what a server shows ---- */

static gnutls_datum_t datum(const char *text)
{
	return (gnutls_datum_t){ (unsigned char *)text, strlen(text) };
}

static int load_authority(struct vnc_tls *tls, const char *text)
{
	gnutls_datum_t ca = datum(text);
	int n = gnutls_certificate_set_x509_trust_mem(tls->x509, &ca,
						      GNUTLS_X509_FMT_PEM);

	return n < 0 ? n : n ? 0 : GNUTLS_E_NO_CERTIFICATE_FOUND;
}

static int load_x509(struct vnc_tls *tls, const struct vnc_tls_texts *t)
{
	gnutls_datum_t cert = datum(t->certificate), key = datum(t->key);
	int r = gnutls_certificate_allocate_credentials(&tls->x509);

	if (r >= 0)
		r = gnutls_certificate_set_x509_key_mem(
			tls->x509, &cert, &key, GNUTLS_X509_FMT_PEM);
	if (r >= 0 && t->authority)
		r = load_authority(tls, t->authority);
	return r;
}

static int load_anon(struct vnc_tls *tls)
{
	int r = gnutls_anon_allocate_server_credentials(&tls->anon);

	if (r >= 0)
		r = gnutls_anon_set_server_known_dh_params(
			tls->anon, GNUTLS_SEC_PARAM_MEDIUM);
	return r;
}

static void tls_destroy(struct vnc_tls *tls)
{
	if (!tls)
		return;
	if (tls->x509)
		gnutls_certificate_free_credentials(tls->x509);
	if (tls->anon)
		gnutls_anon_free_server_credentials(tls->anon);
	free(tls);
}

static struct vnc_tls *tls_create(const struct vnc_tls_texts *t, char *why,
				  size_t size)
{
	struct vnc_tls *tls = calloc(1, sizeof(*tls));
	int r = GNUTLS_E_MEMORY_ERROR;

	if (tls)
		r = t->certificate ? load_x509(tls, t) : load_anon(tls);
	if (r >= 0) {
		tls->verify = t->verify;
		return tls;
	}
	snprintf(why, size, "%s", gnutls_strerror(r));
	tls_destroy(tls);
	return NULL;
}

/* ---- sessions ---- */

/* A viewer that has gone is no reason for a signal. */
static ssize_t push(gnutls_transport_ptr_t arg, const void *data, size_t len)
{
	struct vnc_tls_session *s = arg;
	ssize_t n = send(s->fd, data, len, MSG_NOSIGNAL);

	if (n < 0)
		gnutls_transport_set_errno(s->session, errno);
	return n;
}

static ssize_t pull(gnutls_transport_ptr_t arg, void *data, size_t len)
{
	struct vnc_tls_session *s = arg;
	ssize_t n = recv(s->fd, data, len, 0);

	if (n < 0)
		gnutls_transport_set_errno(s->session, errno);
	return n;
}

static int set_credentials(struct vnc_tls_session *s)
{
	const struct vnc_tls *tls = s->tls;

	return tls->x509 ? gnutls_credentials_set(s->session,
						  GNUTLS_CRD_CERTIFICATE,
						  tls->x509) :
			   gnutls_credentials_set(s->session, GNUTLS_CRD_ANON,
						  tls->anon);
}

static int set_up(struct vnc_tls_session *s)
{
	int r = gnutls_priority_set_direct(
		s->session, s->tls->x509 ? WITH_CERTIFICATES : ANONYMOUS,
		NULL);

	if (r >= 0)
		r = set_credentials(s);
	if (r < 0)
		return r;
	if (s->tls->verify) {
		gnutls_certificate_server_set_request(s->session,
						      GNUTLS_CERT_REQUIRE);
		gnutls_session_set_verify_cert(s->session, NULL, 0);
	}
	gnutls_transport_set_ptr(s->session, s);
	gnutls_transport_set_push_function(s->session, push);
	gnutls_transport_set_pull_function(s->session, pull);
	gnutls_handshake_set_timeout(s->session, 0); /* the server has its own */
	return 0;
}

static void session_close(struct vnc_tls_session *s)
{
	gnutls_deinit(s->session);
	free(s);
}

static struct vnc_tls_session *session_open(struct vnc_tls *tls, int fd)
{
	struct vnc_tls_session *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->tls = tls;
	s->fd = fd;
	if (gnutls_init(&s->session, GNUTLS_SERVER | GNUTLS_NONBLOCK |
					     GNUTLS_NO_SIGNAL) < 0) {
		free(s);
		return NULL;
	}
	if (set_up(s) < 0) {
		session_close(s);
		return NULL;
	}
	return s;
}

/* Warnings, and requests to begin anew, are no end. */
static int errno_of(ssize_t r)
{
	if (r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED ||
	    r == GNUTLS_E_WARNING_ALERT_RECEIVED || r == GNUTLS_E_REHANDSHAKE)
		return -EAGAIN;
	return -EPROTO;
}

static int session_handshake(struct vnc_tls_session *s)
{
	int r = gnutls_handshake(s->session);

	return r < 0 ? errno_of(r) : 0;
}

static bool session_writes(struct vnc_tls_session *s)
{
	return gnutls_record_get_direction(s->session);
}

static bool session_pending(struct vnc_tls_session *s)
{
	return gnutls_record_check_pending(s->session) > 0;
}

static ssize_t session_read(struct vnc_tls_session *s, void *to, size_t len)
{
	ssize_t n = gnutls_record_recv(s->session, to, len);

	return n < 0 ? errno_of(n) : n;
}

static ssize_t session_write(struct vnc_tls_session *s, const void *from,
			     size_t len)
{
	ssize_t n = s->unsent ? gnutls_record_send(s->session, NULL, 0) :
				gnutls_record_send(s->session, from, len);

	s->unsent = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED;
	return n < 0 ? errno_of(n) : n;
}

extern const struct vnc_crypto vireo_vnc_crypto;
const struct vnc_crypto vireo_vnc_crypto = {
	.answer = answer,
	.accept = accept_key,
	.create = tls_create,
	.destroy = tls_destroy,
	.open = session_open,
	.handshake = session_handshake,
	.writes = session_writes,
	.pending = session_pending,
	.read = session_read,
	.write = session_write,
	.close = session_close,
};
