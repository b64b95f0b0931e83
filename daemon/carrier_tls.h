/*
 * daemon/carrier_tls.h -- a stream over TLS: a machine's that migrates, or a
 * client's.
 *
 * Keys and certificates are those that libvirt's hosts have for this already:
 * ca-cert.pem, server-cert.pem, server-key.pem, client-cert.pem and
 * client-key.pem in one folder.  Both sides show one.
 */
#ifndef DAEMON_CARRIER_TLS_H
#define DAEMON_CARRIER_TLS_H

#include <stdbool.h>

struct error;

struct tls_keys;
typedef int tls_open_fn(const char *path, struct error *err, int *ret_fd);
int tls_keys_load(const char *dir, bool server, tls_open_fn *open,
		  struct tls_keys **ret_keys, struct error *err);
/* The same from files that are named one by one, for RPC. */
struct tls_files {
	const char *ca, *cert, *key;
};
int tls_keys_load_files(const struct tls_files *files, bool server,
			tls_open_fn *open, struct tls_keys **ret_keys,
			struct error *err);
struct tls_keys *tls_keys_ref(struct tls_keys *keys);
void tls_keys_unref(struct tls_keys *keys); /* NULL: nothing */

/*
 * Shakes hands on a connected socket, within some seconds.  host: whose
 * certificate it has to be; NULL: the server's end.  Takes *fd over and gives the
 * machine's end instead, or -1.  stop_fd: readable ends waiting; or -1.
 */
int carrier_tls(struct tls_keys *keys, const char *host, int stop_fd, int *fd,
		struct error *err);

/*
 * The server's end of RPC over TLS: takes clients whose certificate's name fits
 * one of the patterns (fnmatch(3), separated by ';'; NULL: all), and tells them
 * so by the byte that libvirt's wait for.
 */
int carrier_tls_accept(struct tls_keys *keys, const char *allowed_names,
		       int stop_fd, int *fd, struct error *err);

#endif
