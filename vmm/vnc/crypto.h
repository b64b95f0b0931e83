/*
 * vmm/vnc/crypto.h -- what the VNC server needs of cryptography: TLS, the
 * cipher of VNC's passwords, and the hash of websockets.
 *
 * GnuTLS and Nettle do it, in a module of its own (crypto_module.c) that a VMM
 * loads before its sandbox closes, and only if its guest's picture is served:
 * the libraries would cost every other machine milliseconds and memory.
 */
#ifndef VMM_VNC_CRYPTO_H
#define VMM_VNC_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct vnc_tls;		/* what a server shows its viewers */
struct vnc_tls_session; /* one of them */

/* PEM texts; certificate NULL: none, so that nobody knows who it is. */
struct vnc_tls_texts {
	const char *certificate, *key;
	const char *authority; /* who signs viewers' certificates; NULL */
	bool verify;	       /* viewers must have one */
};

enum { VNC_CHALLENGE = 16, VNC_PASSWORD_MAX = 8, VNC_ACCEPT_MAX = 32 };

struct vnc_crypto {
	/* RFB 7.2.2: the challenge under the password; shorter ones end in 0. */
	void (*answer)(const char password[VNC_PASSWORD_MAX],
		       const uint8_t challenge[VNC_CHALLENGE],
		       uint8_t ret[VNC_CHALLENGE]);
	/* RFC 6455, 4.2.2: what proves that the key was read. */
	void (*accept)(const char *key, size_t len, char ret[VNC_ACCEPT_MAX]);

	/* NULL: why says so. */
	struct vnc_tls *(*create)(const struct vnc_tls_texts *texts,
				  char *why, size_t size);
	void (*destroy)(struct vnc_tls *tls);

	/* fd does not block and stays the caller's.  NULL: no memory. */
	struct vnc_tls_session *(*open)(struct vnc_tls *tls, int fd);
	/* 0: done, -EAGAIN: when fd is ready, or a failure. */
	int (*handshake)(struct vnc_tls_session *s);
	bool (*writes)(struct vnc_tls_session *s); /* waits to be able to */
	bool (*pending)(struct vnc_tls_session *s); /* read but not taken */
	/* As recv() and send(), with -errno. */
	ssize_t (*read)(struct vnc_tls_session *s, void *to, size_t len);
	ssize_t (*write)(struct vnc_tls_session *s, const void *from,
			 size_t len);
	void (*close)(struct vnc_tls_session *s);
};

/* The module's one exported symbol: const struct vnc_crypto vireo_vnc_crypto. */
#define VNC_CRYPTO_SYMBOL "vireo_vnc_crypto"

struct error;

/* Once, before there are threads and a sandbox. */
int vnc_crypto_load(const char *path, struct error *err);
const struct vnc_crypto *vnc_crypto(void); /* NULL: it was not loaded */

#endif
