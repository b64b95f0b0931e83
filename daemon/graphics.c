/*
 * daemon/graphics.c -- what clients do with a domain's picture, keyboard and
 * VNC server.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "base/keycodes.h"
#include "daemon/definition.h"
#include "daemon/registry.h"

/* ---- keys ---- */

/* libvirt's sets; "xt" is another name of set 1. */
static int linux_code(unsigned int set, unsigned int code)
{
	static const enum key_set sets[] = {
		[VIR_KEYCODE_SET_LINUX] = KEY_SET_LINUX,
		[VIR_KEYCODE_SET_XT] = KEY_SET_1,
		[VIR_KEYCODE_SET_ATSET1] = KEY_SET_1,
		[VIR_KEYCODE_SET_ATSET2] = KEY_SET_2,
		[VIR_KEYCODE_SET_ATSET3] = KEY_SET_3,
		[VIR_KEYCODE_SET_OSX] = KEY_SET_MACOS,
		[VIR_KEYCODE_SET_XT_KBD] = KEY_SET_XFREE86,
		[VIR_KEYCODE_SET_USB] = KEY_SET_USB,
		[VIR_KEYCODE_SET_WIN32] = KEY_SET_WIN32,
		[VIR_KEYCODE_SET_QNUM] = KEY_SET_QNUM,
	};

	return set < ARRAY_SIZE(sets) ? key_to_linux(sets[set], code) : -1;
}

static int translate(unsigned int set, const unsigned int *codes,
		     unsigned int n, unsigned int *ret_codes,
		     struct error *err)
{
	for (unsigned int i = 0; i < n; i++) {
		int code = linux_code(set, codes[i]);

		if (code < 0)
			return error_virt(err, VIR_ERR_INTERNAL_ERROR,
					  "cannot translate keycode %u of "
					  "codeset %u", codes[i], set);
		ret_codes[i] = code;
	}
	return 0;
}

int domain_send_keys(struct registry *reg, const uint8_t uuid[UUID_LEN],
		     unsigned int set, unsigned int hold_ms,
		     const unsigned int *codes, unsigned int n,
		     unsigned int flags, struct error *err)
{
	unsigned int keys[VIR_DOMAIN_SEND_KEY_MAX_KEYS];
	struct dom_obj *obj;
	int r = check_flags(flags, 0, __func__, err);

	if (r == 0 && n > ARRAY_SIZE(keys))
		r = error_virt(err, VIR_ERR_INVALID_ARG, "too many keys");
	if (r == 0)
		r = translate(set, codes, n, keys, err);
	if (r == 0)
		r = obj_begin(reg, uuid, "send-key", &obj, err);
	if (r < 0)
		return r;
	r = run_check_active(obj, err);
	if (r == 0)
		r = driver_call(obj, err, send_keys, keys, n, hold_ms);
	obj_end(obj);
	return r;
}

/* ---- the picture ---- */

int domain_screenshot(struct registry *reg, const uint8_t uuid[UUID_LEN],
		      unsigned int screen, unsigned int flags, int *ret_fd,
		      char ret_mime[64], struct error *err)
{
	struct dom_obj *obj;
	int sv[2];
	int r = check_flags(flags, 0, __func__, err);

	if (r == 0 && screen)
		r = error_virt(err, VIR_ERR_INVALID_ARG,
			       "there is one screen, 0");
	if (r == 0 && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		r = error_set(err, -errno, "cannot create a socket: %m");
	if (r < 0)
		return r;
	r = obj_begin(reg, uuid, "screenshot", &obj, err);
	if (r == 0) {
		r = run_check_active(obj, err);
		if (r == 0)
			r = driver_call(obj, err, screenshot, sv[1], ret_mime);
		obj_end(obj);
	}
	fd_close(sv[1]);
	if (r < 0)
		fd_close(sv[0]);
	else
		*ret_fd = sv[0];
	return r;
}

/* ---- clients of the VNC server ---- */

int domain_open_graphics(struct registry *reg, const uint8_t uuid[UUID_LEN],
			 unsigned int index, int fd, unsigned int flags,
			 struct error *err)
{
	bool trusted = flags & VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH;
	struct dom_obj *obj;
	int r = check_flags(flags, VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH, __func__,
			    err);

	if (r == 0)
		r = obj_begin(reg, uuid, "open-graphics", &obj, err);
	if (r < 0)
		return r;
	r = run_check_active(obj, err);
	if (r == 0)
		r = driver_call(obj, err, open_graphics, index, fd, trusted);
	obj_end(obj);
	return r;
}

int domain_open_graphics_fd(struct registry *reg, const uint8_t uuid[UUID_LEN],
			    unsigned int index, unsigned int flags,
			    int *ret_fd, struct error *err)
{
	int sv[2];
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return error_set(err, -errno, "cannot create a socket: %m");
	r = domain_open_graphics(reg, uuid, index, sv[1], flags, err);
	fd_close(sv[1]);
	if (r < 0)
		fd_close(sv[0]);
	else
		*ret_fd = sv[0];
	return r;
}

/* ---- the password ---- */

/* The same server: only the password may differ. */
static struct dom_graphics *find_same(struct domain_def *def,
				      const struct dom_graphics *want,
				      unsigned int *ret_index)
{
	for (unsigned int i = 0; i < def->n_graphics; i++) {
		if (def->graphics[i].type != want->type)
			continue;
		*ret_index = i;
		return &def->graphics[i];
	}
	return NULL;
}

static void set_password(struct dom_graphics *g, const struct dom_graphics *want)
{
	free(g->passwd);
	free(g->passwd_valid_to);
	free(g->connected);
	g->connected = want->connected ? xstrdup(want->connected) : NULL;
	g->passwd = want->passwd ? xstrdup(want->passwd) : NULL;
	g->passwd_valid_to =
		want->passwd_valid_to ? xstrdup(want->passwd_valid_to) : NULL;
}

static int check_changes(const struct dom_graphics *g,
			 const struct dom_graphics *want, struct error *err)
{
	const char *what = NULL;

	if (want->port && !str_eq(want->port, "-1") &&
	    !str_eq(want->port, g->port))
		what = "port";
	else if (want->listen && !str_eq(want->listen, g->listen))
		what = "listen address";
	else if (want->websocket && !str_eq(want->websocket, "-1") &&
		 !str_eq(want->websocket, g->websocket))
		what = "websocket";
	else if (want->keymap && !str_eq(want->keymap, g->keymap))
		what = "keymap";
	return what ? error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
				 "cannot change %s setting on vnc graphics",
				 what) :
		      0;
}

static struct dom_graphics *find_checked(struct domain_def *def,
					 const struct dom_graphics *want,
					 unsigned int *ret_index,
					 struct error *err)
{
	struct dom_graphics *g = find_same(def, want, ret_index);

	if (!g)
		error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
			   "cannot find existing graphics device to modify");
	else if (check_changes(g, want, err) < 0)
		g = NULL;
	return g;
}

static int update_live(struct dom_obj *obj, const struct dom_graphics *want,
		       struct error *err)
{
	unsigned int index;
	struct dom_graphics *g = find_checked(obj->d.live, want, &index, err);
	int r;

	if (!g)
		return -EINVAL;
	pthread_mutex_lock(&obj->reg->lock);
	set_password(g, want);
	pthread_mutex_unlock(&obj->reg->lock);
	r = run_record(obj, err);
	return r < 0 ? r : driver_call(obj, err, set_graphics_password, index);
}

static int update_config(struct dom_obj *obj, const struct dom_graphics *want,
			 struct error *err)
{
	struct domain_def *copy = domain_def_copy(obj->config);
	unsigned int index;
	struct dom_graphics *g = find_checked(copy, want, &index, err);
	int r = -EINVAL;

	if (g) {
		set_password(g, want);
		r = config_replace(obj, copy, err);
	}
	if (r < 0)
		domain_def_free(copy);
	return r;
}

int domain_update_graphics(struct registry *reg, const uint8_t uuid[UUID_LEN],
			   const struct dom_graphics *want, unsigned int flags,
			   struct error *err)
{
	struct dom_obj *obj;
	int r = check_flags(flags,
			    VIR_DOMAIN_AFFECT_LIVE | VIR_DOMAIN_AFFECT_CONFIG |
				    VIR_DOMAIN_DEVICE_MODIFY_FORCE,
			    __func__, err);

	flags &= ~VIR_DOMAIN_DEVICE_MODIFY_FORCE;
	if (r == 0)
		r = obj_begin(reg, uuid, "update-device", &obj, err);
	if (r < 0)
		return r;
	r = config_impact(obj, &flags, err);
	if (r == 0 && (flags & VIR_DOMAIN_AFFECT_LIVE))
		r = update_live(obj, want, err);
	if (r == 0 && (flags & VIR_DOMAIN_AFFECT_CONFIG))
		r = update_config(obj, want, err);
	obj_end(obj);
	return r;
}
