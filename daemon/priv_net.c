/*
 * daemon/priv_net.c -- taps: what a guest's network card plugs into
 * (Documentation/networking/tuntap.rst), and the kernel's help with moving
 * their frames (vhost-net); and sockets that viewers connect to,
 * or that guests go to other hosts through.
 *
 * A tap that we make lives as long as somebody holds it open, that is as long
 * as its VMM: nothing is left behind when a guest ends, however it ends.
 */
#include "daemon/priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/util.h"

enum { CONNECT_MS = 10000 };

unsigned int if_nametoindex(const char *name); /* net/if.h clashes */

static int check_name(const char *name, struct error *err)
{
	if (strchr(name, '/') || strchr(name, '%') || str_eq(name, ".") ||
	    str_eq(name, ".."))
		return error_set(err, -EINVAL,
				 "'%s' is not a network device's name", name);
	return 0;
}

static int tap_create(const struct priv_tap *a, struct ifreq *ifr,
		      struct error *err)
{
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_set(err, -errno, "cannot open /dev/net/tun: %m");
	/* The kernel fills in the number. */
	strcpy(ifr->ifr_name, a->ifname[0] ? a->ifname : "vnet%d");
	ifr->ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	ifr->ifr_flags |= a->multi ? IFF_MULTI_QUEUE : 0;
	if (ioctl(fd, TUNSETIFF, ifr) < 0) {
		error_set(err, -errno, "cannot %s tap '%s': %m",
			  a->existing ? "use" : "create", ifr->ifr_name);
		fd_close(fd);
		return err ? err->errnum : -EIO;
	}
	return fd;
}

/*
 * The tap's own address: the guest's, high enough (0xfe) that a bridge never
 * takes it for its own, and not equal to the guest's.
 */
static int set_mac(int s, const char *name, const uint8_t mac[6])
{
	struct ifreq ifr = { .ifr_hwaddr.sa_family = ARPHRD_ETHER };

	strcpy(ifr.ifr_name, name);
	memcpy(ifr.ifr_hwaddr.sa_data, mac, 6);
	ifr.ifr_hwaddr.sa_data[0] = (char)(mac[0] == 0xfe ? 0xfa : 0xfe);
	return ioctl(s, SIOCSIFHWADDR, &ifr);
}

static int set_mtu(int s, const char *name, unsigned int mtu)
{
	struct ifreq ifr = { .ifr_mtu = (int)mtu };

	strcpy(ifr.ifr_name, name);
	return ioctl(s, SIOCSIFMTU, &ifr);
}

static int set_up(int s, const char *name)
{
	struct ifreq ifr = { 0 };

	strcpy(ifr.ifr_name, name);
	if (ioctl(s, SIOCGIFFLAGS, &ifr) < 0)
		return -1;
	ifr.ifr_flags |= IFF_UP;
	return ioctl(s, SIOCSIFFLAGS, &ifr);
}

static int join_bridge(int s, const char *bridge, const char *name)
{
	struct ifreq ifr = { .ifr_ifindex = (int)if_nametoindex(name) };

	strcpy(ifr.ifr_name, bridge);
	return ioctl(s, SIOCBRADDIF, &ifr);
}

static int tap_set_up(const struct priv_tap *a, const char *name,
		      struct error *err)
{
	_cleanup_close_ int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (s < 0)
		return error_set(err, -errno, "cannot create a socket: %m");
	if (set_mac(s, name, a->mac) < 0)
		return error_set(err, -errno,
				 "cannot set the address of tap '%s': %m",
				 name);
	if (a->mtu && set_mtu(s, name, a->mtu) < 0)
		return error_set(err, -errno,
				 "cannot set the MTU of tap '%s' to %u: %m",
				 name, a->mtu);
	if (a->bridge[0] && join_bridge(s, a->bridge, name) < 0)
		return error_set(err, -errno,
				 "cannot add tap '%s' to bridge '%s': %m",
				 name, a->bridge);
	if (set_up(s, name) < 0)
		return error_set(err, -errno, "cannot bring tap '%s' up: %m",
				 name);
	return 0;
}

int priv_open_tap(struct priv *priv, const void *arg,
		  struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		  struct error *err)
{
	const struct priv_tap *a = arg;
	struct ifreq ifr = { 0 };
	_cleanup_close_ int fd = -1;
	int r = check_name(a->ifname, err);

	if (r >= 0 && !memchr(a->bridge, '\0', sizeof(a->bridge)))
		r = error_set(err, -EINVAL, "a bridge's name is too long");
	if (r < 0)
		return r;
	if (a->existing && !if_nametoindex(a->ifname))
		return error_set(err, -ENODEV, "there is no tap '%s'",
				 a->ifname);
	if (!a->existing && a->ifname[0] && if_nametoindex(a->ifname))
		return error_set(err, -EEXIST,
				 "network device '%s' already exists",
				 a->ifname);
	fd = tap_create(a, &ifr, err);
	if (fd < 0)
		return fd;
	/* Whoever made an existing tap has set it up. */
	r = a->existing ? 0 : tap_set_up(a, ifr.ifr_name, err);
	if (r < 0)
		return r;
	strcpy(reply->text, ifr.ifr_name);
	fds[0] = steal_fd(&fd);
	return 0;
}

/* Ours go by themselves; this is for one that somebody made persistent. */
int priv_remove_tap(struct priv *priv, const void *arg,
		    struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		    struct error *err)
{
	const struct priv_ifname *a = arg;
	struct priv_tap tap = { .existing = true };
	struct ifreq ifr = { 0 };
	_cleanup_close_ int fd = -1;
	int r = check_name(a->ifname, err);

	if (r < 0)
		return r;
	if (!if_nametoindex(a->ifname))
		return 0;
	strcpy(tap.ifname, a->ifname);
	fd = tap_create(&tap, &ifr, err);
	if (fd < 0)
		return fd;
	if (ioctl(fd, TUNSETPERSIST, 0) < 0)
		return error_set(err, -errno, "cannot remove tap '%s': %m",
				 a->ifname);
	return 0;
}

/* What the interface counted, as the kernel writes it: of all queues. */
int priv_tap_stats(struct priv *priv, const void *arg,
		   struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		   struct error *err)
{
	const struct priv_ifname *a = arg;
	FILE *f = fopen("/proc/thread-self/net/dev", "re");
	char line[512];
	int r = -ENODEV;

	while (f && r < 0 && fgets(line, sizeof(line), f)) {
		char *name = line + strspn(line, " ");
		char *colon = strchr(name, ':');

		if (!colon || strncmp(name, a->ifname, colon - name) ||
		    a->ifname[colon - name])
			continue;
		snprintf(reply->text, sizeof(reply->text), "%s", colon + 1);
		r = 0;
	}
	if (f)
		fclose(f);
	return r < 0 ? error_set(err, r, "there is no tap '%s'", a->ifname) :
		       0;
}

/* ---- vhost-net ---- */

int priv_open_vhost_net(struct priv *priv, const void *arg,
			struct priv_reply *reply, int fds[PRIV_FDS_MAX],
			struct error *err)
{
	int fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return error_set(err, -errno, "cannot open /dev/vhost-net: %m");
	fds[0] = fd;
	return 0;
}

/* ---- TCP ---- */

static socklen_t tcp_address(const struct priv_tcp *a, uint16_t port,
			     struct sockaddr_storage *ret_ss)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret_ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_ss;

	memset(ret_ss, 0, sizeof(*ret_ss));
	if (!a->is_v6) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		memcpy(&v4->sin_addr, a->address, sizeof(v4->sin_addr));
		return sizeof(*v4);
	}
	v6->sin6_family = AF_INET6;
	v6->sin6_port = htons(port);
	memcpy(&v6->sin6_addr, a->address, sizeof(v6->sin6_addr));
	return sizeof(*v6);
}

static int tcp_socket(const struct priv_tcp *a)
{
	int one = 1;
	int fd = socket(a->is_v6 ? AF_INET6 : AF_INET,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return fd;
}

/* A socket that failed to listen stays bound: each port gets a new one. */
static int try_port(const struct priv_tcp *a, uint16_t port)
{
	_cleanup_close_ int fd = tcp_socket(a);
	struct sockaddr_storage ss;
	socklen_t len = tcp_address(a, port, &ss);

	if (fd < 0 || bind(fd, (struct sockaddr *)&ss, len) < 0 ||
	    listen(fd, 16) < 0)
		return -errno;
	return steal_fd(&fd);
}

int priv_listen_tcp(struct priv *priv, const void *arg,
		    struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		    struct error *err)
{
	const struct priv_tcp *a = arg;
	unsigned int port = a->first;
	int fd = -EADDRINUSE;

	for (; port <= a->last && fd == -EADDRINUSE; port++)
		fd = try_port(a, port);
	if (fd < 0)
		return error_set(err, fd, "cannot listen on TCP port %u: %m",
				 port - 1);
	reply->pid = (int32_t)port - 1;
	fds[0] = fd;
	return 0;
}

/* Not for ever: the channel is one of few. */
static int connect_within(int fd, const struct addrinfo *ai)
{
	struct pollfd p = { fd, POLLOUT, 0 };
	socklen_t len = sizeof(int);
	int error = ETIMEDOUT;

	if (connect(fd, ai->ai_addr, ai->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	if (poll(&p, 1, CONNECT_MS) > 0)
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	return -error;
}

static int connect_one(const struct addrinfo *ai)
{
	_cleanup_close_ int fd =
		socket(ai->ai_family,
		       SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r = fd < 0 ? -errno : connect_within(fd, ai);

	return r < 0 ? r : steal_fd(&fd);
}

int priv_connect_tcp(struct priv *priv, const void *arg,
		     struct priv_reply *reply, int fds[PRIV_FDS_MAX],
		     struct error *err)
{
	const struct priv_host *a = arg;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	int fd = -ENOENT, rc;
	char port[16];

	snprintf(port, sizeof(port), "%u", a->port);
	rc = getaddrinfo(a->host, port, &hints, &list);
	if (rc)
		return error_set(err, -EHOSTUNREACH,
				 "cannot find the host '%s': %s", a->host,
				 gai_strerror(rc));
	for (struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
		fd = connect_one(ai);
	freeaddrinfo(list);
	if (fd < 0)
		return error_set(err, fd, "cannot connect to '%s' port %u: %m",
				 a->host, a->port);
	fds[0] = fd;
	return 0;
}
