/*
 * drivers/launch_graphics.c -- graphics, graphics cards and input devices of a
 * domain that has a VMM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <json-c/json.h>
#include <libvirt/virterror.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/util.h"
#include "drivers/launch.h"
#include "vmm/spec.h"

#define refuse(err, ...) \
	error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED, __VA_ARGS__)

/* RFB's ports: screen 0, and where a search for a free one ends. */
enum { VNC_PORT_FIRST = 5900, WEBSOCKET_PORT_FIRST = 5700,
       VNC_PORT_LAST = 65535, LISTENS_MAX = 8 };
enum { VRAM_MIN_KIB = 1024, VRAM_MAX_KIB = 256 * 1024 };
#define VGA_BIOS "/usr/share/seabios/vgabios-stdvga.bin"
#define VIRTIO_VGA_BIOS "/usr/share/seabios/vgabios-virtio.bin"

/* ---- checking ---- */

static int check_listen(const struct dom_listen *l, struct error *err)
{
	uint8_t binary[16];

	if (l->type == LISTEN_NETWORK)
		return refuse(err, "<graphics><listen type='network'>: this is not supported, use type='address' or 'socket'");
	if (l->type == LISTEN_SOCKET && !l->socket)
		return refuse(err, "<graphics><listen type='socket'>: it has no socket");
	if (l->address && inet_pton(AF_INET, l->address, binary) != 1 &&
	    inet_pton(AF_INET6, l->address, binary) != 1)
		return refuse(err, "<graphics><listen>: '%s' is not an IP address",
			      l->address);
	return 0;
}

/* Ports belong to addresses, of which one must be there. */
static int check_listens(const struct dom_graphics *g, struct error *err)
{
	bool address = false;
	int r = 0;

	for (unsigned int i = 0; i < g->n_listens && r == 0; i++) {
		r = check_listen(&g->listens[i], err);
		address |= g->listens[i].type == LISTEN_ADDRESS;
	}
	if (r == 0 && g->n_listens > LISTENS_MAX)
		return refuse(err, "<graphics>: at most %u <listen> elements are supported",
			      LISTENS_MAX);
	if (r == 0 && g->websocket && !address)
		return refuse(err, "<graphics websocket=>: it needs a <listen type='address'>");
	return r;
}

static int check_graphics(const struct dom_graphics *g, struct error *err)
{
	if (g->type != GRAPHICS_VNC)
		return refuse(err, "<graphics>: its type is not supported, use type='vnc'");
	if (g->keymap && !str_eq(g->keymap, "en-us"))
		return refuse(err, "<graphics type='vnc'>: keymap '%s' is not supported, leave it out",
			      g->keymap);
	if (g->share_policy && !str_eq(g->share_policy, "allow-exclusive") &&
	    !str_eq(g->share_policy, "force-shared") &&
	    !str_eq(g->share_policy, "ignore"))
		return refuse(err, "<graphics type='vnc'>: sharePolicy '%s' is not known",
			      g->share_policy);
	if (str_eq(g->power_control, "yes"))
		return refuse(err, "<graphics type='vnc'>: powerControl is not supported");
	return check_listens(g, err);
}

static int check_video(const struct domain_def *def, const struct dom_video *v,
		       struct error *err)
{
	bool small = !str_eq(def->os.machine, "q35");

	if (str_eq(v->model, "none"))
		return 0;
	if (small && str_eq(v->model, "vga"))
		return refuse(err, "<video>: machine 'microvm' has no VGA, use <model type='bochs'>");
	if (!str_eq(v->model, "vga") && !str_eq(v->model, "bochs") &&
	    !str_eq(v->model, "virtio"))
		return refuse(err, "<video>: model '%s' is not supported, use 'vga', 'bochs' or 'virtio'",
			      v->model);
	if (v->heads > 1)
		return refuse(err, "<video>: one head is supported");
	if (v->vram && (v->vram < VRAM_MIN_KIB || v->vram > VRAM_MAX_KIB))
		return refuse(err, "<video>: vram is from %u to %u KiB",
			      VRAM_MIN_KIB, VRAM_MAX_KIB);
	return 0;
}

static int check_input(const struct dom_input *i, struct error *err)
{
	if (!str_eq(i->type, "mouse") && !str_eq(i->type, "keyboard") &&
	    !str_eq(i->type, "tablet"))
		return refuse(err, "<input>: type '%s' is not supported",
			      i->type);
	if (!str_eq(i->bus, "ps2") && !str_eq(i->bus, "usb") &&
	    !str_eq(i->bus, "virtio"))
		return refuse(err, "<input>: bus '%s' is not supported, use 'ps2', 'usb' or 'virtio'",
			      i->bus);
	if (str_eq(i->bus, "usb") &&
	    launch_check_usb(&i->info.address, err) < 0)
		return -EINVAL;
	if (str_eq(i->bus, "ps2") && str_eq(i->type, "tablet"))
		return refuse(err, "<input type='tablet'>: bus 'ps2' has none");
	return 0;
}

int launch_check_graphics(const struct domain_def *def, struct error *err)
{
	unsigned int vgas = 0;
	int r = 0;

	for (unsigned int i = 0; i < def->n_graphics && r == 0; i++)
		r = check_graphics(&def->graphics[i], err);
	for (unsigned int i = 0; i < def->n_videos && r == 0; i++) {
		r = check_video(def, &def->videos[i], err);
		vgas += str_eq(def->videos[i].model, "vga");
	}
	for (unsigned int i = 0; i < def->n_inputs && r == 0; i++)
		r = check_input(&def->inputs[i], err);
	if (r == 0 && vgas > 1)
		r = refuse(err, "<video>: a machine has one VGA");
	return r;
}

/* ---- building ---- */

static uint64_t vram_bytes(const struct dom_video *v)
{
	uint64_t want = MAX(v->vram, (unsigned int)VRAM_MIN_KIB) * KIB;
	uint64_t size = MIB;

	while (size < want)
		size *= 2;
	return size;
}

static bool has_vga(const struct domain_def *def)
{
	for (unsigned int i = 0; i < def->n_videos; i++)
		if (str_eq(def->videos[i].model, "vga"))
			return true;
	return false;
}

/* The first card is what firmware shows something on, if it can be. */
static enum spec_video_kind video_kind(const struct domain_def *def,
				       const struct dom_video *v)
{
	if (str_eq(v->model, "vga"))
		return VIDEO_VGA;
	if (!str_eq(v->model, "virtio"))
		return VIDEO_BOCHS;
	return v == def->videos && str_eq(def->os.machine, "q35") &&
			       !has_vga(def) ?
		       VIDEO_VIRTIO_VGA :
		       VIDEO_VIRTIO;
}

static int build_video(const struct domain_def *def, const struct dom_video *v,
		       struct spec_video *s, struct error *err)
{
	s->id = xstrdup(v->info.alias ? v->info.alias : "video0");
	s->kind = video_kind(def, v);
	s->vram = vram_bytes(v);
	s->width = v->width ? v->width : 1280;
	s->height = v->height ? v->height : 800;
	s->rom_fd = -1;
	launch_set_place(&s->pci, &v->info);
	if (s->kind == VIDEO_VIRTIO_VGA) {
		s->vram = MAX(s->vram, 16 * MIB);
		return host_open_file(VIRTIO_VGA_BIOS, err, &s->rom_fd);
	}
	return s->kind == VIDEO_VGA ?
		       host_open_file(VGA_BIOS, err, &s->rom_fd) :
		       0;
}

static void build_usb(const struct dom_controller *c, struct vmm_spec *s)
{
	struct spec_usb *u = &s->usbs[0];

	if (!str_eq(c->type, "usb") || str_eq(c->model, "none"))
		return;
	u->id = xstrdup(c->info.alias ? c->info.alias : "usb");
	launch_set_place(&u->pci, &c->info);
	s->n_usbs = 1;
}

void launch_build_input(const struct dom_input *i, struct spec_input *s)
{
	s->id = xstrdup(i->info.alias ? i->info.alias : "input");
	s->kind = str_eq(i->type, "keyboard") ? INPUT_KIND_KEYBOARD :
		  str_eq(i->type, "tablet")   ? INPUT_KIND_TABLET :
						INPUT_KIND_MOUSE;
	s->bus = str_eq(i->bus, "usb")	  ? INPUT_BUS_USB :
		 str_eq(i->bus, "virtio") ? INPUT_BUS_VIRTIO :
					    INPUT_BUS_PS2;
	if (str_eq(i->info.address.type, "usb"))
		s->port = i->info.address.port;
	launch_set_place(&s->pci, &i->info);
}

/* "2026-11-21T18:00:00", in UTC; 0: for ever. */
static int64_t valid_to(const struct dom_graphics *g)
{
	struct tm tm = { 0 };

	if (!g->passwd_valid_to ||
	    !strptime(g->passwd_valid_to, "%Y-%m-%dT%H:%M:%S", &tm))
		return 0;
	return MAX(timegm(&tm), 1);
}

static struct spec_vnc_listen *add_listen(struct spec_vnc *s)
{
	struct spec_vnc_listen *l = &s->listens[s->n_listens++];

	l->fd = -1;
	return l;
}

/* Drops those from the first on: their port will not do. */
static void drop_listens(struct spec_vnc *s, unsigned int first)
{
	while (s->n_listens > first)
		fd_close(s->listens[--s->n_listens].fd);
}

/* All the addresses with one port: where the first found one. */
static int try_port(struct dom_graphics *g, struct spec_vnc *s, bool websocket,
		    unsigned int first, unsigned int last,
		    unsigned int *ret_port, struct error *err)
{
	unsigned int from = s->n_listens;
	int r = 0;

	for (unsigned int i = 0; i < g->n_listens && r >= 0; i++) {
		const char *address = g->listens[i].address;
		struct spec_vnc_listen *l;

		if (g->listens[i].type != LISTEN_ADDRESS)
			continue;
		l = add_listen(s);
		l->websocket = websocket;
		r = host_listen_tcp(address ? address : "127.0.0.1", first,
				    last, err, ret_port, &l->fd);
		first = last = *ret_port;
	}
	if (r < 0)
		drop_listens(s, from);
	return r;
}

/* port: "-1" is replaced by what was found. */
static int listen_port(struct dom_graphics *g, struct spec_vnc *s,
		       bool websocket, char **port, struct error *err)
{
	bool any = str_eq(*port, "-1");
	unsigned int first = any ? websocket ? WEBSOCKET_PORT_FIRST :
					       VNC_PORT_FIRST :
				   strtoul(*port, NULL, 10);
	unsigned int last = any ? VNC_PORT_LAST : first, found = 0;
	int r;

	/* What is taken on a second address: the next port, then. */
	do {
		r = try_port(g, s, websocket, first, last, &found, err);
		first = found + 1;
	} while (r < 0 && any && found && found < VNC_PORT_LAST);
	if (r < 0)
		return r;
	free(*port);
	*port = xasprintf("%u", found);
	return 0;
}

static bool has_address(const struct dom_graphics *g)
{
	for (unsigned int i = 0; i < g->n_listens; i++)
		if (g->listens[i].type == LISTEN_ADDRESS)
			return true;
	return false;
}

static void say_addresses(struct dom_graphics *g)
{
	for (unsigned int i = 0; i < g->n_listens; i++)
		if (g->listens[i].type == LISTEN_ADDRESS &&
		    !g->listens[i].address)
			g->listens[i].address = xstrdup("127.0.0.1");
	if (!g->listen && g->listens[0].address)
		g->listen = xstrdup(g->listens[0].address);
}

static int listen_tcp(struct dom_graphics *g, struct spec_vnc *s,
		      struct error *err)
{
	int r;

	if (!has_address(g))
		return 0;
	/* An automatic port stays the old one's only while it runs. */
	if (str_eq(g->autoport, "yes") && !str_eq(g->port, "-1")) {
		free(g->port);
		g->port = xstrdup("-1");
	}
	r = listen_port(g, s, false, &g->port, err);
	if (r == 0 && g->websocket)
		r = listen_port(g, s, true, &g->websocket, err);
	if (r == 0)
		say_addresses(g);
	return r;
}

static int open_pem(const char *name, struct error *err, int *ret_fd)
{
	_cleanup_free_ char *path =
		xasprintf("%s/%s", host_vnc_tls()->dir, name);
	int r = host_open_file(path, err, ret_fd);

	if (r < 0)
		error_prefix(err, "VNC over TLS");
	return r;
}

static int build_tls(struct spec_vnc *s, struct error *err)
{
	const struct host_vnc_tls *tls = host_vnc_tls();
	int r = 0;

	s->tls = tls->x509	? VNC_TLS_X509 :
		 tls->anonymous ? VNC_TLS_ANONYMOUS :
				  VNC_TLS_NONE;
	if (tls->x509)
		r = open_pem("server-cert.pem", err, &s->certificate_fd);
	if (tls->x509 && r == 0)
		r = open_pem("server-key.pem", err, &s->key_fd);
	if (tls->x509 && tls->verify && r == 0)
		r = open_pem("ca-cert.pem", err, &s->authority_fd);
	return r;
}

static int listen_sockets(const struct dom_graphics *g, struct spec_vnc *s,
			  struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; i < g->n_listens && r == 0; i++)
		if (g->listens[i].type == LISTEN_SOCKET)
			r = host_listen_unix(g->listens[i].socket, err,
					     &add_listen(s)->fd);
	return r;
}

static int build_vnc(struct dom_graphics *g, struct spec_vnc *s,
		     struct error *err)
{
	int r;

	s->certificate_fd = s->key_fd = s->authority_fd = -1;
	s->listens = xcalloc(2 * g->n_listens, sizeof(*s->listens));
	s->password = g->passwd ? xstrdup(g->passwd) : NULL;
	s->password_valid_to = valid_to(g);
	s->share = str_eq(g->share_policy, "force-shared") ? VNC_FORCE_SHARED :
		   str_eq(g->share_policy, "ignore")	   ? VNC_IGNORE :
							     VNC_ALLOW_EXCLUSIVE;
	r = listen_sockets(g, s, err);
	if (r == 0)
		r = listen_tcp(g, s, err);
	return r < 0 ? r : build_tls(s, err);
}

int launch_build_graphics(struct domain_def *def, struct vmm_spec *s,
			  struct error *err)
{
	int r = 0;

	s->usbs = xcalloc(1, sizeof(*s->usbs));
	for (unsigned int i = 0; i < def->n_controllers && !s->n_usbs; i++)
		build_usb(&def->controllers[i], s);
	s->inputs = xcalloc(def->n_inputs, sizeof(*s->inputs));
	for (unsigned int i = 0; i < def->n_inputs; i++)
		launch_build_input(&def->inputs[i], &s->inputs[s->n_inputs++]);
	s->videos = xcalloc(def->n_videos, sizeof(*s->videos));
	for (unsigned int i = 0; i < def->n_videos && r == 0; i++)
		if (!str_eq(def->videos[i].model, "none"))
			r = build_video(def, &def->videos[i],
					&s->videos[s->n_videos++], err);
	s->vncs = xcalloc(def->n_graphics, sizeof(*s->vncs));
	for (unsigned int i = 0; i < def->n_graphics && r == 0; i++)
		r = build_vnc(&def->graphics[i], &s->vncs[s->n_vncs++], err);
	return r;
}

/* ---- while it runs ---- */

int launch_send_keys(struct domain *dom, const unsigned int *codes,
		     unsigned int n, unsigned int hold_ms, struct error *err)
{
	struct json_object *args = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (unsigned int i = 0; i < n; i++)
		json_object_array_add(list, json_object_new_int64(codes[i]));
	json_object_object_add(args, "codes", list);
	json_object_object_add(args, "hold_ms",
			       json_object_new_int64(hold_ms));
	return monitor_call(dom->priv, "keys", args, NULL, err);
}

int launch_screenshot(struct domain *dom, int fd, char ret_mime[64],
		      struct error *err)
{
	struct json_object *ok = NULL, *mime = NULL;
	int r = monitor_call_fd(dom->priv, "screenshot", NULL, fd, &ok, err);

	if (r < 0)
		return r;
	json_object_object_get_ex(ok, "mime", &mime);
	snprintf(ret_mime, 64, "%s",
		 mime ? json_object_get_string(mime) : "application/octet-stream");
	json_object_put(ok);
	return 0;
}

static int find_graphics(const struct domain *dom, unsigned int index,
			 struct error *err)
{
	if (index < dom->live->n_graphics)
		return 0;
	return error_virt(err, VIR_ERR_INTERNAL_ERROR,
			  "No graphics backend with index %u", index);
}

int launch_open_graphics(struct domain *dom, unsigned int index, int fd,
			 bool trusted, struct error *err)
{
	struct json_object *args;
	int r = find_graphics(dom, index, err);

	if (r < 0)
		return r;
	args = json_object_new_object();
	json_object_object_add(args, "index", json_object_new_int64(index));
	json_object_object_add(args, "trusted",
			       json_object_new_boolean(trusted));
	return monitor_call_fd(dom->priv, "vnc-client", args, fd, NULL, err);
}

int launch_set_graphics_password(struct domain *dom, unsigned int index,
				 struct error *err)
{
	const struct dom_graphics *g;
	struct json_object *args;
	int r = find_graphics(dom, index, err);

	if (r < 0)
		return r;
	g = &dom->live->graphics[index];
	args = json_object_new_object();
	json_object_object_add(args, "index", json_object_new_int64(index));
	json_object_object_add(args, "valid_to",
			       json_object_new_int64(valid_to(g)));
	if (g->connected)
		json_object_object_add(args, "viewers",
				       json_object_new_string(g->connected));
	json_object_object_add(args, "password",
			       g->passwd ? json_object_new_string(g->passwd) :
					   NULL);
	return monitor_call(dom->priv, "vnc-password", args, NULL, err);
}
