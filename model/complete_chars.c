/*
 * model/complete_chars.c -- ports of serial lines, consoles and channels.
 *
 * On x86 the first <console>, unless it is a virtio one, is the first
 * <serial> seen from the other side: either of them brings the other along,
 * and only the serial line is a device.
 */
#include <libvirt/virterror.h>
#include <string.h>

#include "model/complete.h"
#include "model/tables.h"

static struct dom_char *first(const struct domain_def *def,
			      enum dom_char_kind kind)
{
	for (unsigned int i = 0; i < def->n_chars; i++)
		if (def->chars[i].kind == kind)
			return &def->chars[i];
	return NULL;
}

static bool is_serial_console(const struct dom_char *chr)
{
	return chr && chr->kind == CHAR_CONSOLE &&
	       (!chr->target_type || str_eq(chr->target_type, "serial"));
}

/* Makes *to what *from is, at the other end. */
static void mirror(const struct dom_char *from, struct dom_char *to,
		   enum dom_char_kind kind)
{
	bind_copy(&type_char, from, to);
	free(to->target_type);
	free(to->target_model);
	to->target_type = to->target_model = NULL;
	to->kind = kind;
}

static void drop_address(struct dom_char *chr)
{
	free(chr->info.address.type);
	free(chr->info.address.usb_port);
	free(chr->info.address.base);
	memset(&chr->info.address, 0, sizeof(chr->info.address));
}

static void append_mirror(struct domain_def *def, enum dom_char_kind from,
			  enum dom_char_kind kind)
{
	struct dom_char *to = def_append(def->chars, def->n_chars);

	mirror(first(def, from), to, kind);
	if (kind == CHAR_CONSOLE)
		drop_address(to);
}

static void pair_console(struct domain_def *def)
{
	struct dom_char *serial = first(def, CHAR_SERIAL);
	struct dom_char *console = first(def, CHAR_CONSOLE);

	if (!serial && is_serial_console(console))
		append_mirror(def, CHAR_CONSOLE, CHAR_SERIAL);
	else if (serial && !console)
		append_mirror(def, CHAR_SERIAL, CHAR_CONSOLE);
}

/* What the pair's console says is what its serial line says. */
static void follow_serial(struct domain_def *def)
{
	struct dom_char *serial = first(def, CHAR_SERIAL);
	struct dom_char *console = first(def, CHAR_CONSOLE);
	struct dom_char copy;

	if (!serial || !is_serial_console(console))
		return;
	mirror(serial, &copy, CHAR_CONSOLE);
	drop_address(&copy);
	copy.target_type = xstrdup("serial");
	copy.target_port = 0;
	bind_finish(&type_char, console);
	*console = copy;
}

static bool port_used(const struct domain_def *def,
		      const struct dom_char *chr, int port)
{
	for (unsigned int i = 0; i < def->n_chars; i++)
		if (&def->chars[i] != chr && def->chars[i].kind == chr->kind &&
		    def->chars[i].target_port == port)
			return true;
	return false;
}

static void complete_port(const struct domain_def *def, struct dom_char *chr)
{
	if (chr->kind == CHAR_CHANNEL || chr->target_port >= 0)
		return;
	chr->target_port = 0;
	while (port_used(def, chr, chr->target_port))
		chr->target_port++;
}

static void complete_target(struct dom_char *chr)
{
	if (chr->kind == CHAR_CONSOLE)
		default_str(&chr->target_type, "serial");
	if (chr->kind != CHAR_SERIAL)
		return;
	default_str(&chr->target_type, "isa-serial");
	if (str_eq(chr->target_type, "isa-serial"))
		default_str(&chr->target_model, "isa-serial");
}

static int check_char(const struct dom_char *chr, struct error *err)
{
	const char *kind = words_name(&words_char_kind, chr->kind);

	if (chr->kind == CHAR_CHANNEL && !chr->target_type)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "missing target type of a channel");
	if ((chr->type == CHR_FILE || chr->type == CHR_DEV ||
	     chr->type == CHR_PIPE) &&
	    !chr->source_path)
		return error_virt(err, VIR_ERR_XML_ERROR,
				  "Missing source path attribute for char "
				  "device (%s)", kind);
	return 0;
}

int domain_complete_chars(struct domain_def *def, struct error *err)
{
	pair_console(def);
	for (unsigned int i = 0; i < def->n_chars; i++) {
		int r = check_char(&def->chars[i], err);

		if (r < 0)
			return r;
		complete_port(def, &def->chars[i]);
		complete_target(&def->chars[i]);
	}
	follow_serial(def);
	return 0;
}

static void show_tty(struct domain_def *view)
{
	struct dom_char *console = first(view, CHAR_CONSOLE);

	for (unsigned int i = 0; i < view->n_chars; i++) {
		free(view->chars[i].tty);
		view->chars[i].tty = NULL;
	}
	if (console && console->type == CHR_PTY)
		console->tty = xstrdup(console->source_path);
}

void domain_prepare_view(struct domain_def *view)
{
	follow_serial(view);
	show_tty(view);
	if (view->vcpus == view->max_vcpus)
		view->vcpus = 0;
}
