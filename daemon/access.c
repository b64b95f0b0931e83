/*
 * daemon/access.c -- who may connect, and what for: the one place.
 *
 * The kernel vouches for the peer (unix(7), SO_PEERCRED and SO_PEERGROUPS).
 * Sockets have modes as well; this holds whatever those are.
 */
#include <errno.h>
#include <sys/socket.h>

#include <libvirt/virterror.h>

#include "base/error.h"
#include "daemon/access.h"
#include "rpc/procs.h"

static int peer_read_groups(int fd, struct peer *peer)
{
	socklen_t len = 64 * sizeof(gid_t);

	for (;;) {
		peer->groups = xrealloc(peer->groups, len, 1);
		if (!getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups,
				&len))
			break;
		if (errno != ERANGE)
			return -errno;
	}
	peer->n_groups = len / sizeof(gid_t);
	return 0;
}

int peer_read(int fd, struct peer *ret_peer, struct error *err)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	struct peer peer = { 0 };
	int r;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return error_set(err, -errno, "cannot read who connected: %m");
	r = peer_read_groups(fd, &peer);
	if (r < 0) {
		peer_finish(&peer);
		return error_set(err, r, "cannot read the peer's groups: %m");
	}
	peer.pid = cred.pid;
	peer.uid = cred.uid;
	peer.gid = cred.gid;
	*ret_peer = peer;
	return 0;
}

void peer_finish(struct peer *peer)
{
	free(peer->groups);
	peer->groups = NULL;
	free(peer->from);
	peer->from = NULL;
}

static bool peer_in_group(const struct peer *peer, gid_t gid)
{
	if (peer->gid == gid)
		return true;
	for (unsigned int i = 0; i < peer->n_groups; i++)
		if (peer->groups[i] == gid)
			return true;
	return false;
}

int auth_method_parse(const char *text, enum auth_method *ret,
		      struct error *err)
{
	static const char *const names[] = {
		[AUTH_NONE] = "none",
		[AUTH_SASL] = "sasl",
		[AUTH_POLKIT] = "polkit",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (str_eq(text, names[i])) {
			*ret = i;
			return 0;
		}
	return error_set(err, -EINVAL, "clients authenticate by 'none', 'sasl' or 'polkit', not '%s'",
			 text);
}

bool access_connect(const struct peer *peer, enum server_socket kind,
		    enum auth_method auth, const struct access_groups *groups)
{
	if (kind == SERVER_RO || peer->uid == 0 || peer->uid == geteuid())
		return true;
	if (kind != SERVER_RW)
		return false;
	if (auth != AUTH_NONE)
		return true;
	for (unsigned int i = 0; i < groups->n; i++)
		if (peer_in_group(peer, groups->gids[i]))
			return true;
	return false;
}

int access_call(const struct peer *peer, bool readonly,
		const struct procedure *proc, struct error *err)
{
	if (readonly && !(proc->flags & PROC_RO))
		return error_virt(err, VIR_ERR_OPERATION_DENIED,
				  "read only access prevents %s", proc->api);
	return 0;
}
