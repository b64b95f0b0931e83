/*
 * daemon/listen.c -- the sockets that clients connect to.
 */
#include "daemon/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#define LOG_MODULE "listen"
#include "base/error.h"
#include "base/log.h"
#include "base/util.h"
#include "daemon/access_config.h"
#include "daemon/options.h"
#include "daemon/priv.h"

static const struct {
	const char *suffix, *name;
	enum server_socket kind;
} kinds[] = {
	{ "-sock", "rw", SERVER_RW },
	{ "-sock-ro", "ro", SERVER_RO },
	{ "-admin-sock", "admin", SERVER_ADMIN },
};

static int add(struct listeners *l, int fd, int kind, char *path)
{
	if (l->n == LISTEN_MAX)
		return -E2BIG;
	l->s[l->n].fd = fd;
	l->s[l->n].kind = kind;
	l->s[l->n++].path = path;
	return 0;
}

static int kind_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (str_eq(kinds[i].name, name))
			return (int)i;
	return -1;
}

/* How many; 0: we were not started by a socket. */
static int take_activated(struct listeners *l, struct error *err)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(1, &names);
	int r = 0;

	for (int i = 0; i < n && r >= 0; i++) {
		int fd = SD_LISTEN_FDS_START + i;
		int k = kind_of(names[i]);

		if (k < 0 || sd_is_socket(fd, AF_UNIX, SOCK_STREAM, 1) <= 0)
			r = error_set(err, -EINVAL,
				      "the service manager's socket '%s' is none of rw, ro, admin",
				      names[i]);
		else
			r = add(l, fd, kinds[k].kind, NULL);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	}
	for (int i = 0; names && i < n; i++)
		free(names[i]);
	free(names);
	if (n < 0)
		return error_set(err, n, "cannot take over sockets: %m");
	return r < 0 ? r : n;
}

/* Made for us alone; opened up once the group is right. */
static void set_access(int dir, const char *name, mode_t mode, gid_t group)
{
	if (group && fchownat(dir, name, -1, group, 0) < 0)
		mode &= ~070u;
	fchmodat(dir, name, mode, 0);
}

static int make_socket(int dir, const char *name, mode_t mode, gid_t group)
{
	_cleanup_close_ int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un addr;
	struct stat st;
	int r = priv_unix_address(dir, name, &addr);

	if (fd < 0 || r < 0)
		return r < 0 ? r : -errno;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISSOCK(st.st_mode))
			return -EEXIST;
		unlinkat(dir, name, 0); /* a leftover: we hold the lock */
	}
	fchmod(fd, 0700);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	set_access(dir, name, mode, group);
	/* Clients that come before main serves wait in the queue. */
	return listen(fd, 128) < 0 ? -errno : steal_fd(&fd);
}

static int make_all(struct listeners *l, const char *dir_path,
		    const char *prefix, const struct access_config *access,
		    struct error *err)
{
	_cleanup_close_ int dir =
		open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		return error_set(err, -errno, "cannot open '%s': %m",
				 dir_path);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char *path = xasprintf("%s/%s%s", dir_path, prefix,
				       kinds[i].suffix);
		int fd = make_socket(dir, strrchr(path, '/') + 1,
				     access->modes[kinds[i].kind],
				     kinds[i].kind == SERVER_RW ?
					     access->group :
					     0);

		if (fd < 0) {
			error_set(err, fd, "cannot listen on '%s': %m", path);
			free(path);
			return fd;
		}
		add(l, fd, kinds[i].kind, path);
	}
	return 0;
}

/* ---- by the network ---- */

/* "ADDRESS", "ADDRESS:PORT" or "[ADDRESS]:PORT", cut in two. */
static void split_address(char *text, char **ret_host, const char **ret_port)
{
	char *end = text[0] == '[' ? strchr(text, ']') : NULL;
	char *colon = strrchr(end ? end : text, ':');

	*ret_host = end ? text + 1 : text;
	if (colon) {
		*colon = '\0';
		*ret_port = colon + 1;
	}
	if (end)
		*end = '\0';
}

static int listen_at(const struct addrinfo *a)
{
	_cleanup_close_ int fd = socket(
		a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (a->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
				 sizeof(on));
	if (bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, 128) < 0)
		return -errno;
	return steal_fd(&fd);
}

static bool is_loopback(const struct sockaddr *addr)
{
	const struct sockaddr_in *in = (const void *)addr;
	const struct sockaddr_in6 *in6 = (const void *)addr;

	if (addr->sa_family == AF_INET)
		return ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	return addr->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
}

static const char *clients_by(int kind)
{
	if (kind == LISTEN_METRICS)
		return "metrics";
	return kind == SERVER_TLS ? "TLS" : "TCP";
}

static void tell_address(int fd, const char *what)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char host[64], port[16];

	if (getsockname(fd, (struct sockaddr *)&addr, &len) == 0 &&
	    getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		log_info("%s clients: %s port %s", what, host, port);
}

static int listen_remote(struct listeners *l, const char *address,
			 const char *port, int kind, struct error *err)
{
	const struct addrinfo hints = { .ai_flags = AI_PASSIVE,
					.ai_socktype = SOCK_STREAM };
	_cleanup_free_ char *copy = xstrdup(address);
	struct addrinfo *list = NULL;
	int fd = -ENOENT, r;
	char *host;

	split_address(copy, &host, &port);
	r = getaddrinfo(host, port, &hints, &list);
	if (r != 0)
		return error_set(err, -EINVAL, "cannot listen at '%s': %s",
				 address, gai_strerror(r));
	for (struct addrinfo *a = list; a && l->n < LISTEN_MAX;
	     a = a->ai_next) {
		/* There is nobody to ask who it is. */
		fd = kind == LISTEN_METRICS && !is_loopback(a->ai_addr) ?
			     -EACCES :
			     listen_at(a);
		if (fd < 0)
			break;
		tell_address(fd, clients_by(kind));
		add(l, fd, kind, NULL);
	}
	freeaddrinfo(list);
	return fd < 0 ? error_set(err, fd, "cannot listen at '%s': %m",
				  address) :
			0;
}

/* Whoever may use the read-only socket may use this one. */
static int listen_metrics(struct listeners *l, const struct options *opt,
			  const struct access_config *access,
			  struct error *err)
{
	_cleanup_free_ char *dir_path = NULL;
	_cleanup_close_ int dir = -1;
	char *slash;
	int fd;

	if (opt->metrics[0] != '/')
		return listen_remote(l, opt->metrics, "9177", LISTEN_METRICS,
				     err);
	dir_path = xstrdup(opt->metrics);
	slash = strrchr(dir_path, '/');
	*slash = '\0';
	dir = open(*dir_path ? dir_path : "/",
		   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = dir < 0 ? -errno :
		       make_socket(dir, slash + 1, access->modes[SERVER_RO],
				   0);
	if (fd < 0)
		return error_set(err, fd, "cannot listen on '%s': %m",
				 opt->metrics);
	return add(l, fd, LISTEN_METRICS, xstrdup(opt->metrics));
}

static int make_remote(struct listeners *l, const struct options *opt,
		       struct error *err)
{
	int r = 0;

	if (opt->listen_tls)
		r = listen_remote(l, opt->listen_tls, "16514", SERVER_TLS, err);
	if (r >= 0 && opt->listen_tcp)
		r = listen_remote(l, opt->listen_tcp, "16509", SERVER_TCP, err);
	return r;
}

int listeners_open(const struct options *opt,
		   const struct access_config *access,
		   struct listeners *ret_l, struct error *err)
{
	int r;

	*ret_l = (struct listeners){ 0 };
	r = make_remote(ret_l, opt, err);
	if (r >= 0 && opt->metrics)
		r = listen_metrics(ret_l, opt, access, err);
	if (r >= 0)
		r = take_activated(ret_l, err);
	if (r != 0)
		return r < 0 ? r : 0;
	r = make_all(ret_l, opt->socket_dir, "virtvireod", access, err);
	if (r >= 0 && opt->libvirt_names)
		r = make_all(ret_l, opt->socket_dir, "virtqemud", access, err);
	return r;
}

void listeners_remove(struct listeners *l)
{
	for (unsigned int i = 0; i < l->n; i++)
		if (l->s[i].path)
			unlink(l->s[i].path);
}

void listeners_close(struct listeners *l)
{
	for (unsigned int i = 0; i < l->n; i++) {
		fd_close(l->s[i].fd);
		free(l->s[i].path);
	}
	l->n = 0;
}
