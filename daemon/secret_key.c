/*
 * daemon/secret_key.c -- secrets' values at rest (NIST SP 800-38D).
 */
#include "daemon/secret_key.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>
#include <sys/random.h>

#include "base/error.h"
#include "base/util.h"

static int make_random(void *to, size_t len, struct error *err)
{
	/* Up to 256 bytes, getrandom(2) cannot be interrupted. */
	return getrandom(to, len, 0) == (ssize_t)len ?
		       0 :
		       error_set(err, -errno, "no random numbers: %m");
}

/* Complete or not there: a key that was cut short would lose every value. */
static int make_key(const char *dir, const char *path, struct secret_key *key,
		    struct error *err)
{
	_cleanup_free_ char *beside = xasprintf("%s.new", path);
	_cleanup_close_ int folder = open(dir, O_RDONLY | O_DIRECTORY |
						       O_CLOEXEC);
	_cleanup_close_ int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC |
						      O_NOFOLLOW | O_CLOEXEC,
				      0600);
	int r = make_random(key->bytes, sizeof(key->bytes), err);

	if (r < 0)
		return r;
	if (fd < 0 || folder < 0)
		return error_set(err, -errno, "cannot create '%s': %m", path);
	r = write_full(fd, key->bytes, sizeof(key->bytes));
	if (r == 0 && (fsync(fd) < 0 || rename(beside, path) < 0 ||
		       fsync(folder) < 0))
		r = -errno;
	return r < 0 ? error_set(err, r, "cannot write '%s': %m", path) : 0;
}

int secret_key_load(const char *dir, struct secret_key *key,
		    struct error *err)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	int r;

	if (!dir)
		return make_random(key->bytes, sizeof(key->bytes), err);
	path = xasprintf("%s/secrets.key", dir);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return make_key(dir, path, key, err);
	r = fd < 0 ? -errno : read_full(fd, key->bytes, sizeof(key->bytes));
	return r < 0 ? error_set(err, r, "cannot read '%s': %m", path) : 0;
}

static int begin(const struct secret_key *key, gnutls_aead_cipher_hd_t *ret,
		 struct error *err)
{
	gnutls_datum_t datum = { (uint8_t *)key->bytes, sizeof(key->bytes) };
	int rc = gnutls_aead_cipher_init(ret, GNUTLS_CIPHER_AES_256_GCM,
					 &datum);

	return rc < 0 ? error_set(err, -EIO, "cannot use AES: %s",
				  gnutls_strerror(rc)) :
			0;
}

int secret_seal(const struct secret_key *key, const void *about,
		size_t about_len, const void *value, size_t len, void *to,
		struct error *err)
{
	size_t room = len + SECRET_TAG;
	gnutls_aead_cipher_hd_t aead;
	uint8_t *nonce = to;
	int r = make_random(nonce, SECRET_NONCE, err), rc;

	if (r == 0)
		r = begin(key, &aead, err);
	if (r < 0)
		return r;
	rc = gnutls_aead_cipher_encrypt(aead, nonce, SECRET_NONCE, about,
					about_len, SECRET_TAG, value, len,
					nonce + SECRET_NONCE, &room);
	gnutls_aead_cipher_deinit(aead);
	return rc < 0 ? error_set(err, -EIO, "cannot encrypt the secret: %s",
				  gnutls_strerror(rc)) :
			0;
}

int secret_unseal(const struct secret_key *key, const void *about,
		  size_t about_len, const void *sealed, size_t len, void *to,
		  struct error *err)
{
	const uint8_t *nonce = sealed;
	gnutls_aead_cipher_hd_t aead;
	size_t room;
	int r, rc;

	if (len < SECRET_OVERHEAD)
		return error_set(err, -EBADMSG, "the stored secret is damaged");
	room = len - SECRET_OVERHEAD;
	r = begin(key, &aead, err);
	if (r < 0)
		return r;
	rc = gnutls_aead_cipher_decrypt(aead, nonce, SECRET_NONCE, about,
					about_len, SECRET_TAG,
					nonce + SECRET_NONCE,
					len - SECRET_NONCE, to, &room);
	gnutls_aead_cipher_deinit(aead);
	return rc < 0 ? error_set(err, -EBADMSG,
				  "cannot decrypt the secret: it is damaged, "
				  "or the key is another") :
			0;
}
