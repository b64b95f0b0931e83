/*
 * drivers/launch_channel.c -- ports of the virtio console: who is at the
 * host's end, and whether the guest has them open.
 *
 * A channel on a Unix socket takes one client at a time: one that connected to
 * its path, or one that is handed to the machine here.
 */
#include <errno.h>
#include <json-c/json.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"

/* By alias or by the name that the guest sees; NULL: the first. */
static const struct dom_char *find(const struct domain_def *def,
				   const char *name)
{
	for (unsigned int i = 0; i < def->n_chars; i++) {
		const struct dom_char *c = &def->chars[i];

		if (c->kind == CHAR_CHANNEL &&
		    (!name || str_eq(c->info.alias, name) ||
		     str_eq(c->target_name, name)))
			return c;
	}
	return NULL;
}

void launch_tell_port(struct domain *dom, const char *id, bool open)
{
	_cleanup_free_ char *why = NULL;

	if (!id || strlen(id) > 127 || strpbrk(id, " \t\n"))
		return; /* no alias of ours */
	why = xasprintf("%s %s", open ? "open" : "close", id);
	domain_event(dom, DOMAIN_EVENT_PORT, why);
}

/* What was said while nobody listened. */
void launch_ask_ports(struct domain *dom)
{
	struct json_object *ok = NULL, *ports = NULL;

	if (!find(dom->live, NULL) ||
	    monitor_call(dom->priv, "stats", NULL, &ok, NULL) < 0)
		return;
	if (json_object_object_get_ex(ok, "ports", &ports) &&
	    json_object_is_type(ports, json_type_object)) {
		json_object_object_foreach(ports, id, port) {
			struct json_object *open = NULL;

			json_object_object_get_ex(port, "open", &open);
			launch_tell_port(dom, id,
					 json_object_get_int(open) != 0);
		}
	}
	json_object_put(ok);
}

static int hand_over(struct domain *dom, const struct dom_char *c, int fd,
		     bool force, struct error *err)
{
	struct json_object *args = json_object_new_object();

	json_object_object_add(args, "port",
			       json_object_new_string(c->info.alias));
	json_object_object_add(args, "force", json_object_new_boolean(force));
	return monitor_call_fd(dom->priv, "connect", args, fd, NULL, err);
}

static int open_unix(struct domain *dom, const struct dom_char *c, bool force,
		     int *ret_fd, struct error *err)
{
	int sv[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       sv) < 0)
		return error_set(err, -errno, "cannot create a socket: %m");
	r = hand_over(dom, c, sv[1], force, err);
	fd_close(sv[1]);
	if (r < 0)
		fd_close(sv[0]);
	else
		*ret_fd = sv[0];
	return r;
}

int launch_open_channel(struct domain *dom, const char *name, bool force,
			int *ret_fd, struct error *err)
{
	const struct dom_char *c = find(dom->live, name);

	if (!c)
		return error_virt(err, VIR_ERR_INTERNAL_ERROR,
				  "cannot find channel %s",
				  name ? name : "device");
	if (c->type == CHR_PTY && c->source_path)
		return host_open_tty(c->source_path, err, ret_fd);
	if (c->type == CHR_UNIX && !str_eq(c->source_mode, "connect"))
		return open_unix(dom, c, force, ret_fd, err);
	return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
			  "channel '%s' is not using a UNIX socket",
			  name ? name : c->info.alias);
}
