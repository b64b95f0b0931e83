/*
 * model/tables_graphics.c -- where each member of graphics, video and input
 * devices is in its element.
 */
#include "model/tables.h"

#define WORDS(name, ...) \
	static const char *const name##_list[] = { __VA_ARGS__ }; \
	static const struct words words_##name = { name##_list, \
						   ARRAY_SIZE(name##_list) }
WORDS(graphics, [GRAPHICS_VNC] = "vnc", [GRAPHICS_SPICE] = "spice",
      [GRAPHICS_SDL] = "sdl", [GRAPHICS_RDP] = "rdp",
      [GRAPHICS_DESKTOP] = "desktop", [GRAPHICS_HEADLESS] = "egl-headless",
      [GRAPHICS_DBUS] = "dbus");
WORDS(listen, [LISTEN_NONE] = "none", [LISTEN_ADDRESS] = "address",
      [LISTEN_NETWORK] = "network", [LISTEN_SOCKET] = "socket");

WORDS(connected, "keep", "fail", "disconnect");

#define L(m) offsetof(struct dom_listen, m)
static const struct field listen_fields[] = {
	{ "@type", FIELD_ENUM, L(type), &words_listen,
	  .flags = FIELD_REQUIRED },
	{ "@address", FIELD_STR, L(address) },
	{ "@network", FIELD_STR, L(network), .only = BIT(LISTEN_NETWORK) },
	{ "@socket", FIELD_STR, L(socket), .only = BIT(LISTEN_SOCKET) },
	{ 0 },
};
static const struct xml_type type_listen = {
	XML_TYPE_EXTRA(struct dom_listen, extra),
	.fields = listen_fields,
	.tag_off = L(type),
};
#undef L

#define G(m) offsetof(struct dom_graphics, m)
static const struct field graphics_fields[] = {
	{ "@type", FIELD_ENUM, G(type), &words_graphics,
	  .flags = FIELD_REQUIRED },
	{ "@port", FIELD_STR, G(port) },
	{ "@autoport", FIELD_STR, G(autoport), &words_yesno },
	{ "@websocket", FIELD_STR, G(websocket) },
	{ "@listen", FIELD_STR, G(listen) },
	{ "@socket", FIELD_STR, G(socket) },
	{ "@keymap", FIELD_STR, G(keymap) },
	{ "@sharePolicy", FIELD_STR, G(share_policy) },
	{ "@powerControl", FIELD_STR, G(power_control) },
	{ "@passwd", FIELD_STR, G(passwd), .flags = FIELD_EMPTY },
	{ "@passwdValidTo", FIELD_STR, G(passwd_valid_to) },
	{ "@connected", FIELD_STR, G(connected), &words_connected },
	{ "listen", FIELD_LIST, G(listens), .type = &type_listen,
	  .n_off = G(n_listens) },
	{ 0 },
};
const struct xml_type type_graphics = {
	XML_TYPE_EXTRA(struct dom_graphics, extra),
	.fields = graphics_fields,
	.tag_off = G(type),
	.order = " listen * ",
};
#undef G

#define V(m) offsetof(struct dom_video, m)
static const struct field video_fields[] = {
	{ "model@type", FIELD_STR, V(model) },
	{ "model@vram", FIELD_UINT, V(vram) },
	{ "model@vgamem", FIELD_UINT, V(vgamem) },
	{ "model@heads", FIELD_UINT, V(heads) },
	{ "model@primary", FIELD_STR, V(primary), &words_yesno },
	{ "model/resolution@x", FIELD_UINT, V(width) },
	{ "model/resolution@y", FIELD_UINT, V(height) },
	INFO_FIELDS(struct dom_video),
	{ 0 },
};
const struct xml_type type_video = {
	XML_TYPE_EXTRA(struct dom_video, info.extra),
	.fields = video_fields,
	.order = " driver model * alias address ",
};
#undef V

#define I(m) offsetof(struct dom_input, m)
static const struct field input_fields[] = {
	{ "@type", FIELD_STR, I(type), .flags = FIELD_REQUIRED },
	{ "@bus", FIELD_STR, I(bus) },
	{ "@model", FIELD_STR, I(model) },
	INFO_FIELDS(struct dom_input),
	{ 0 },
};
const struct xml_type type_input = {
	XML_TYPE_EXTRA(struct dom_input, info.extra),
	.fields = input_fields,
	.order = " driver source * alias address ",
};
#undef I
