/*
 * model/complete_graphics.c -- graphics, and the cards and input devices that
 * come with them.
 *
 * A <graphics> says where it listens twice: in its first <listen> and, for
 * clients from before there was one, in attributes of its own.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "model/complete.h"
#include "model/tables.h"
#include "model/xml.h"

static void set_str(char **member, const char *value)
{
	if (*member == value)
		return;
	free(*member);
	*member = value ? xstrdup(value) : NULL;
}

/* ---- where it listens ---- */

static void add_listen(struct dom_graphics *g)
{
	struct dom_listen *l;

	if (g->n_listens)
		return;
	l = def_append(g->listens, g->n_listens);
	l->type = g->socket ? LISTEN_SOCKET : LISTEN_ADDRESS;
	if (g->socket)
		l->socket = xstrdup(g->socket);
	else if (g->listen)
		l->address = xstrdup(g->listen);
}

static int check_same(const char *attr, const char *a, const char *b,
		      struct error *err)
{
	if (!a || !b || str_eq(a, b))
		return 0;
	return error_virt(err, VIR_ERR_CONFIG_UNSUPPORTED,
			  "graphics '%s' attribute '%.80s' must match the "
			  "first listen element's (found '%.80s')", attr, a, b);
}

static int complete_listen(struct dom_graphics *g, struct error *err)
{
	struct dom_listen *l;
	int r;

	add_listen(g);
	l = &g->listens[0];
	r = check_same("listen", g->listen, l->address, err);
	if (r == 0)
		r = check_same("socket", g->socket, l->socket, err);
	if (r < 0)
		return r;
	if (l->type == LISTEN_ADDRESS && g->listen)
		default_str(&l->address, g->listen);
	if (l->type == LISTEN_SOCKET && g->socket)
		default_str(&l->socket, g->socket);
	set_str(&g->listen, l->address);
	set_str(&g->socket, l->type == LISTEN_SOCKET ? l->socket : NULL);
	return 0;
}

/* "autoport" without a word follows from the port. */
static int complete_port(struct dom_graphics *g, bool live, struct error *err)
{
	enum dom_listen_type type = g->listens[0].type;
	uint64_t port;

	if (type == LISTEN_SOCKET || type == LISTEN_NONE) {
		set_str(&g->port, NULL);
		set_str(&g->autoport, NULL);
		return 0;
	}
	if (!g->port || str_eq(g->port, "-1") || str_eq(g->port, "0"))
		set_str(&g->autoport, "yes");
	default_str(&g->autoport, "no");
	if (str_eq(g->autoport, "yes") && !live)
		set_str(&g->port, "-1");
	default_str(&g->port, "-1");
	if (str_eq(g->port, "-1"))
		return 0;
	if (parse_u64(g->port, 10, UINT16_MAX, &port) < 0 || !port)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "cannot parse graphics port '%.40s'",
				  g->port);
	return 0;
}

/* As the port, but that it belongs to addresses only. */
static int complete_websocket(struct dom_graphics *g, struct error *err)
{
	uint64_t port;

	if (!g->websocket || str_eq(g->websocket, "-1"))
		return 0;
	if (parse_u64(g->websocket, 10, UINT16_MAX, &port) < 0 || !port)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "cannot parse vnc WebSocket port '%.40s'",
				  g->websocket);
	return 0;
}

/* ---- what comes with it ---- */

static bool has_picture(const struct domain_def *def)
{
	return def->n_graphics > 0;
}

static bool is_q35(const struct domain_def *def)
{
	return str_eq(def->os.machine, "q35");
}

/* The first, unless another is. */
static void choose_primary(struct domain_def *def)
{
	for (unsigned int i = 0; i < def->n_videos; i++)
		if (str_eq(def->videos[i].primary, "yes"))
			return;
	if (def->n_videos && !str_eq(def->videos[0].model, "none"))
		default_str(&def->videos[0].primary, "yes");
}

static void complete_videos(struct domain_def *def)
{
	if (!def->n_videos && has_picture(def))
		def_append(def->videos, def->n_videos);
	for (unsigned int i = 0; i < def->n_videos; i++) {
		struct dom_video *v = &def->videos[i];

		/* The small machine has none of a VGA's ports. */
		default_str(&v->model, is_q35(def) ? "vga" : "bochs");
		if (str_eq(v->model, "none"))
			continue;
		if (!v->vram && !str_eq(v->model, "virtio"))
			v->vram = 16384;
		if (!v->heads)
			v->heads = 1;
	}
	choose_primary(def);
}

static bool has_ps2(const struct domain_def *def, const char *type)
{
	for (unsigned int i = 0; i < def->n_inputs; i++)
		if (str_eq(def->inputs[i].type, type) &&
		    str_eq(def->inputs[i].bus, "ps2"))
			return true;
	return false;
}

static void add_ps2(struct domain_def *def, const char *type)
{
	struct dom_input *input;

	if (has_ps2(def, type))
		return;
	input = def_append(def->inputs, def->n_inputs);
	input->type = xstrdup(type);
	input->bus = xstrdup("ps2");
}

static void complete_inputs(struct domain_def *def)
{
	for (unsigned int i = 0; i < def->n_inputs; i++) {
		struct dom_input *input = &def->inputs[i];
		bool usb = !str_eq(input->type, "mouse") &&
			   !str_eq(input->type, "keyboard");

		default_str(&input->bus, usb ? "usb" : "ps2");
	}
	if (!has_picture(def))
		return;
	add_ps2(def, "mouse");
	add_ps2(def, "keyboard");
}

int domain_complete_graphics(struct domain_def *def, bool live,
			     struct error *err)
{
	int r = 0;

	for (unsigned int i = 0; r == 0 && i < def->n_graphics; i++) {
		struct dom_graphics *g = &def->graphics[i];

		if (g->type != GRAPHICS_VNC)
			continue;
		r = complete_listen(g, err);
		if (r == 0)
			r = complete_port(g, live, err);
		if (r == 0)
			r = complete_websocket(g, err);
	}
	complete_videos(def);
	complete_inputs(def);
	return r;
}

void graphics_prepare_view(struct domain_def *view, bool live, bool secure)
{
	for (unsigned int i = 0; i < view->n_graphics; i++) {
		struct dom_graphics *g = &view->graphics[i];

		if (!secure) {
			set_str(&g->passwd, NULL);
			set_str(&g->passwd_valid_to, NULL);
		}
		if (live || !str_eq(g->autoport, "yes"))
			continue;
		set_str(&g->port, "-1");
		if (g->websocket)
			set_str(&g->websocket, "-1");
	}
}

void graphics_def_free(struct dom_graphics *g)
{
	if (!g)
		return;
	bind_finish(&type_graphics, g);
	free(g);
}

int graphics_def_parse(const char *xml, struct dom_graphics **ret_graphics,
		       struct error *err)
{
	_cleanup_xml_ xmlDoc *doc = NULL;
	struct dom_graphics *g;
	xmlNode *root;
	int r = xml_parse(xml, NULL, &doc, err);

	if (r < 0)
		return r;
	root = xmlDocGetRootElement(doc);
	if (!str_eq(xml_name(root), "graphics"))
		return error_virt(err, VIR_ERR_OPERATION_UNSUPPORTED,
				  "live update of device '%.40s' is not "
				  "supported", xml_name(root));
	g = xcalloc(1, sizeof(*g));
	r = bind_parse(&type_graphics, root, true, g, err);
	if (r == 0 && g->type == GRAPHICS_VNC)
		r = complete_listen(g, err);
	if (r < 0)
		graphics_def_free(g);
	else
		*ret_graphics = g;
	return r;
}
