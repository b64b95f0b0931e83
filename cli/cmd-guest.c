/*
 * cli/cmd-guest.c -- keys, signals and screens of guests, and the power states
 * they put themselves into.
 */
#include <fcntl.h>
#include <linux/input-event-codes.h>
#include <string.h>
#include <strings.h>

#include "cli/args.h"
#include "cli/output.h"
#include "cli/xml.h"

static int run_inject_nmi(struct ctl *ctl, const struct args *args,
			  virDomainPtr dom)
{
	(void)args;
	return virDomainInjectNMI(dom, 0) < 0 ? say_failed(ctl, NULL) : EXIT_OK;
}

/* ---- power ---- */

static int run_dompmsuspend(struct ctl *ctl, const struct args *args,
			    virDomainPtr dom)
{
	static const char *const targets[] = { "mem", "disk", "hybrid" };
	unsigned long long seconds = 0;
	unsigned int i = 0;

	if (args_ull(args, "duration", &seconds) < 0)
		return EXIT_FAILED;
	while (i < ARRAY_SIZE(targets) &&
	       !str_eq(targets[i], args_get(args, "target")))
		i++;
	if (i == ARRAY_SIZE(targets)) {
		say_error("Invalid target");
		return EXIT_FAILED;
	}
	if (virDomainPMSuspendForDuration(dom, i, seconds, 0) < 0)
		return say_failed(ctl, "Domain '%s' could not be suspended",
				  args_get(args, "domain"));
	say(ctl, "Domain '%s' successfully suspended", virDomainGetName(dom));
	return EXIT_OK;
}

static int run_dompmwakeup(struct ctl *ctl, const struct args *args,
			   virDomainPtr dom)
{
	if (virDomainPMWakeup(dom, 0) < 0)
		return say_failed(ctl, "Domain '%s' could not be woken up",
				  args_get(args, "domain"));
	say(ctl, "Domain '%s' successfully woken up", virDomainGetName(dom));
	return EXIT_OK;
}

/* ---- keys ---- */

static const struct {
	const char *name;
	unsigned int code;
} keys[] = {
#define K(n)                       \
	{                          \
		"KEY_" #n, KEY_##n \
	}
	K(ESC),	     K(1),	    K(2),	   K(3),
	K(4),	     K(5),	    K(6),	   K(7),
	K(8),	     K(9),	    K(0),	   K(MINUS),
	K(EQUAL),    K(BACKSPACE),  K(TAB),	   K(Q),
	K(W),	     K(E),	    K(R),	   K(T),
	K(Y),	     K(U),	    K(I),	   K(O),
	K(P),	     K(LEFTBRACE),  K(RIGHTBRACE), K(ENTER),
	K(LEFTCTRL), K(A),	    K(S),	   K(D),
	K(F),	     K(G),	    K(H),	   K(J),
	K(K),	     K(L),	    K(SEMICOLON),  K(APOSTROPHE),
	K(GRAVE),    K(LEFTSHIFT),  K(BACKSLASH),  K(Z),
	K(X),	     K(C),	    K(V),	   K(B),
	K(N),	     K(M),	    K(COMMA),	   K(DOT),
	K(SLASH),    K(RIGHTSHIFT), K(KPASTERISK), K(LEFTALT),
	K(SPACE),    K(CAPSLOCK),   K(F1),	   K(F2),
	K(F3),	     K(F4),	    K(F5),	   K(F6),
	K(F7),	     K(F8),	    K(F9),	   K(F10),
	K(NUMLOCK),  K(SCROLLLOCK), K(KP7),	   K(KP8),
	K(KP9),	     K(KPMINUS),    K(KP4),	   K(KP5),
	K(KP6),	     K(KPPLUS),	    K(KP1),	   K(KP2),
	K(KP3),	     K(KP0),	    K(KPDOT),	   K(102ND),
	K(F11),	     K(F12),	    K(KPENTER),	   K(RIGHTCTRL),
	K(KPSLASH),  K(SYSRQ),	    K(RIGHTALT),   K(HOME),
	K(UP),	     K(PAGEUP),	    K(LEFT),	   K(RIGHT),
	K(END),	     K(DOWN),	    K(PAGEDOWN),   K(INSERT),
	K(DELETE),   K(MUTE),	    K(VOLUMEDOWN), K(VOLUMEUP),
	K(POWER),    K(PAUSE),	    K(LEFTMETA),   K(RIGHTMETA),
	K(COMPOSE),  K(SLEEP),	    K(WAKEUP),
#undef K
};

static const char *const codesets[] = {
	[VIR_KEYCODE_SET_LINUX] = "linux",
	[VIR_KEYCODE_SET_XT] = "xt",
	[VIR_KEYCODE_SET_ATSET1] = "atset1",
	[VIR_KEYCODE_SET_ATSET2] = "atset2",
	[VIR_KEYCODE_SET_ATSET3] = "atset3",
	[VIR_KEYCODE_SET_OSX] = "os_x",
	[VIR_KEYCODE_SET_XT_KBD] = "xt_kbd",
	[VIR_KEYCODE_SET_USB] = "usb",
	[VIR_KEYCODE_SET_WIN32] = "win32",
	[VIR_KEYCODE_SET_QNUM] = "qnum",
};

/* A number, or the name of a Linux key; -1: neither. */
static int key_code(const char *word, int set)
{
	char *end;
	unsigned long v = strtoul(word, &end, 0);

	if (end != word && !*end && v && v < 0x10000)
		return (int)v;
	for (size_t i = 0; set == VIR_KEYCODE_SET_LINUX && i < ARRAY_SIZE(keys);
	     i++)
		if (str_eq(keys[i].name, word))
			return (int)keys[i].code;
	return -1;
}

static int run_send_key(struct ctl *ctl, const struct args *args,
			virDomainPtr dom)
{
	unsigned int codes[VIR_DOMAIN_SEND_KEY_MAX_KEYS], hold = 0;
	const char *name = args_get(args, "codeset");
	int set = VIR_KEYCODE_SET_LINUX, n = 0, code;

	while (name && set < (int)ARRAY_SIZE(codesets) &&
	       !str_eq(codesets[set], name))
		set++;
	if (set == (int)ARRAY_SIZE(codesets)) {
		say_error("unknown codeset: '%s'", name);
		return EXIT_FAILED;
	}
	if (args_uint(args, "holdtime", &hold) < 0)
		return EXIT_FAILED;
	if (args->n_rest > (int)ARRAY_SIZE(codes)) {
		say_error("too many keycodes");
		return EXIT_FAILED;
	}
	for (; n < args->n_rest; n++) {
		code = key_code(args->rest[n], set);
		if (code < 0) {
			say_error("invalid keycode: '%s'", args->rest[n]);
			return EXIT_FAILED;
		}
		codes[n] = (unsigned int)code;
	}
	if (virDomainSendKey(dom, (unsigned int)set, hold, codes, n, 0) < 0)
		return say_failed(ctl, NULL);
	return EXIT_OK;
}

/* In the order of enum virDomainProcessSignal. */
static const char *const signals[] = {
	"nop",	  "hup",  "int",    "quit", "ill",   "trap", "abrt", "bus",
	"fpe",	  "kill", "usr1",   "segv", "usr2",  "pipe", "alrm", "term",
	"stkflt", "chld", "cont",   "stop", "tstp",  "ttin", "ttou", "urg",
	"xcpu",	  "xfsz", "vtalrm", "prof", "winch", "poll", "pwr",  "sys",
};

static int signal_number(const char *word)
{
	const char *name = strncasecmp(word, "SIG", 3) == 0 ? word + 3 : word;
	char *end;
	long v = strtol(word, &end, 10);

	if (end != word && !*end)
		return v >= 0 && v < (long)ARRAY_SIZE(signals) ? (int)v : -1;
	if (strncasecmp(word, "SIG_", 4) == 0)
		name = word + 4;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (strcasecmp(signals[i], name) == 0)
			return (int)i;
	return -1;
}

static int run_send_process_signal(struct ctl *ctl, const struct args *args,
				   virDomainPtr dom)
{
	const char *name = args_get(args, "signame");
	int signo = signal_number(name), pid;

	if (args_int(args, "pid", &pid) <= 0)
		return EXIT_FAILED;
	if (signo < 0) {
		say_error("malformed signal name: %s", name);
		return EXIT_FAILED;
	}
	if (virDomainSendProcessSignal(dom, pid, (unsigned int)signo, 0) < 0)
		return say_failed(ctl, NULL);
	return EXIT_OK;
}

/* ---- screens ---- */

static int to_file(virStreamPtr st, const char *data, size_t len, void *arg)
{
	(void)st;
	return write_full(*(int *)arg, data, len) < 0 ? -1 : (int)len;
}

static const char *extension(const char *mime)
{
	if (str_eq(mime, "image/png"))
		return ".png";
	return str_eq(mime, "image/x-portable-pixmap") ? ".ppm" : "";
}

static int save_screen(struct ctl *ctl, const struct args *args,
		       virDomainPtr dom, virStreamPtr st)
{
	_cleanup_free_ char *file = xstrdup(args_get(args, "file"));
	_cleanup_free_ char *mime = NULL;
	_cleanup_close_ int fd = -1;
	unsigned int screen = 0;

	if (args_uint(args, "screen", &screen) < 0)
		return EXIT_FAILED;
	mime = virDomainScreenshot(dom, st, screen, 0);
	if (!mime)
		return say_failed(ctl, "could not take a screenshot of %s",
				  args_get(args, "domain"));
	if (!file)
		file = xasprintf("%s%s", virDomainGetName(dom),
				 extension(mime));
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0) {
		say_error("cannot create file %s", file);
		virStreamAbort(st);
		return EXIT_FAILED;
	}
	if (virStreamRecvAll(st, to_file, &fd) < 0 || virStreamFinish(st) < 0)
		return say_failed(ctl,
				  "could not receive data from domain '%s'",
				  args_get(args, "domain"));
	say(ctl, "Screenshot saved to %s, with type of %s", file, mime);
	return EXIT_OK;
}

static int run_screenshot(struct ctl *ctl, const struct args *args,
			  virDomainPtr dom)
{
	virStreamPtr st = virStreamNew(ctl->conn, 0);
	int status;

	if (!st)
		return say_failed(ctl, NULL);
	status = save_screen(ctl, args, dom, st);
	virStreamFree(st);
	return status;
}

static int run_ttyconsole(struct ctl *ctl, const struct args *args,
			  virDomainPtr dom)
{
	_cleanup_xml_ struct xml x = { NULL };
	_cleanup_free_ char *tty = NULL;

	(void)args;
	if (xml_open_domain(ctl, &x, dom, 0) < 0)
		return EXIT_FAILED;
	tty = xml_string(&x, NULL, "./devices/console/@tty");
	if (!tty)
		return EXIT_FAILED;
	say_value(ctl, "tty", tty);
	return EXIT_OK;
}

/* Empty, the wildcard addresses: a viewer here uses none. */
static bool any_address(const char *a)
{
	return !a || str_eq(a, "0.0.0.0") || str_eq(a, "::");
}

static int run_vncdisplay(struct ctl *ctl, const struct args *args,
			  virDomainPtr dom)
{
	_cleanup_xml_ struct xml x = { NULL };
	_cleanup_free_ char *port = NULL, *listen = NULL, *text = NULL;
	int n;

	(void)args;
	if (virDomainIsActive(dom) != 1) {
		say_error("Domain is not running");
		return EXIT_FAILED;
	}
	if (xml_open_domain(ctl, &x, dom, 0) < 0)
		return EXIT_FAILED;
	port = xml_string(&x, NULL, "./devices/graphics[@type='vnc']/@port");
	listen =
		xml_string(&x, NULL, "./devices/graphics[@type='vnc']/@listen");
	n = port ? atoi(port) : -1;
	if (n < 0) {
		say_error("Failed to get VNC port. Is this domain using VNC?");
		return EXIT_FAILED;
	}
	text = xasprintf("%s:%d", any_address(listen) ? "" : listen, n - 5900);
	say_value(ctl, "display", text);
	return EXIT_OK;
}

/* One display's URI, NULL: it has none that a viewer could use. */
static char *display_uri(struct xml *x, xmlNodePtr g, const char *type,
			 bool password)
{
	_cleanup_free_ char *port = xml_string(x, g, "./@port");
	_cleanup_free_ char *tls = xml_string(x, g, "./@tlsPort");
	_cleanup_free_ char *listen = xml_string(x, g, "./@listen");
	_cleanup_free_ char *socket = xml_string(x, g, "./listen/@socket");
	_cleanup_free_ char *secret =
		password ? xml_string(x, g, "./@passwd") : NULL;
	const char *host = any_address(listen) ? "localhost" : listen;
	int n = port ? atoi(port) : 0;

	if (socket)
		return xasprintf("%s+unix://%s", type, socket);
	if (n <= 0 && (!tls || atoi(tls) <= 0))
		return NULL;
	if (str_eq(type, "vnc"))
		return xasprintf("vnc://%s%s%s%s:%d", secret ? ":" : "",
				 secret ? secret : "", secret ? "@" : "", host,
				 n - 5900);
	return xasprintf("%s://%s:%d%s%s%s%s", type, host, n,
			 tls ? "?tls-port=" : "", tls ? tls : "",
			 secret ? (tls ? "&password=" : "?password=") : "",
			 secret ? secret : "");
}

static int run_domdisplay(struct ctl *ctl, const struct args *args,
			  virDomainPtr dom)
{
	bool all = args_has(args, "all"), found = false;
	const char *only = args_get(args, "type");
	bool password = args_has(args, "include-password");
	_cleanup_xml_ struct xml x = { NULL };
	xmlXPathObjectPtr g;

	if (virDomainIsActive(dom) != 1) {
		say_error("Domain is not running");
		return EXIT_FAILED;
	}
	if (xml_open_domain(ctl, &x, dom,
			    password ? VIR_DOMAIN_XML_SECURE : 0) < 0)
		return EXIT_FAILED;
	g = xml_find(&x, NULL, "./devices/graphics");
	for (int i = 0; i < xml_count(g) && (all || !found); i++) {
		xmlNodePtr node = g->nodesetval->nodeTab[i];
		_cleanup_free_ char *type = xml_string(&x, node, "./@type");
		_cleanup_free_ char *uri =
			only && !str_eq(only, type)
				? NULL
				: display_uri(&x, node, type, password);

		if (uri)
			say_value(ctl, "uri", uri);
		found |= uri != NULL;
	}
	xmlXPathFreeObject(g);
	if (found)
		return EXIT_OK;
	if (only)
		say_error("No graphical display with type '%s' found", only);
	else
		say_error("No graphical display found");
	return EXIT_FAILED;
}

/* ---- memory ---- */

static int run_domdirtyrate_calc(struct ctl *ctl, const struct args *args,
				 virDomainPtr dom)
{
	static const struct flag_option modes[] = {
		{ "page-sampling", VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING },
		{ "dirty-bitmap", VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP },
		{ "dirty-ring", VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_RING },
		{ NULL },
	};
	const char *mode = args_get(args, "mode");
	const struct flag_option *m = modes;
	int seconds = 1;

	if (args_int(args, "seconds", &seconds) < 0)
		return EXIT_FAILED;
	while (mode && m->name && !str_eq(m->name, mode))
		m++;
	if (!m->name) {
		say_error("Unknown calculation mode '%s'", mode);
		return EXIT_FAILED;
	}
	if (virDomainStartDirtyRateCalc(dom, seconds, mode ? m->bit : 0) < 0)
		return say_failed(ctl, NULL);
	say(ctl, "Start to calculate domain's memory dirty rate "
		 "successfully.\n");
	return EXIT_OK;
}

const struct command family_guest[] = {
	{ .name = "inject-nmi",
	  .group = "domain",
	  .summary = "send a guest an NMI",
	  .opts = OPTS(OPT_DOMAIN(complete_active)),
	  .on_domain = run_inject_nmi },
	{ .name = "dompmsuspend",
	  .group = "domain",
	  .summary = "let a guest suspend itself",
	  .opts = OPTS(OPT_DOMAIN(complete_active),
		       DATA("target", "mem, disk or hybrid"),
		       NAMED_NUMBER("duration")),
	  .on_domain = run_dompmsuspend },
	{ .name = "dompmwakeup",
	  .group = "domain",
	  .summary = "wake a suspended guest",
	  .opts = OPTS(OPT_DOMAIN(complete_active)),
	  .on_domain = run_dompmwakeup },
	{ .name = "send-key",
	  .group = "domain",
	  .summary = "press keys of a guest",
	  .opts = OPTS(OPT_DOMAIN(complete_active), NAMED("codeset"),
		       NAMED_NUMBER("holdtime"),
		       { .name = "keycode",
			 .help = "",
			 .kind = OPT_REST,
			 .required = true }),
	  .on_domain = run_send_key },
	{ .name = "send-process-signal",
	  .group = "domain",
	  .summary = "send a signal to a process of a guest",
	  .opts = OPTS(OPT_DOMAIN(complete_active), DATA("pid"),
		       DATA("signame")),
	  .on_domain = run_send_process_signal },
	{ .name = "screenshot",
	  .group = "domain",
	  .summary = "save the screen of a guest to a file",
	  .opts = OPTS(OPT_DOMAIN(complete_active),
		       STRING("file", "where it goes"), NUMBER("screen")),
	  .on_domain = run_screenshot },
	{ .name = "ttyconsole",
	  .group = "domain",
	  .summary = "the terminal that is the console of a guest",
	  .opts = OPTS(OPT_DOMAIN(complete_domains)),
	  .on_domain = run_ttyconsole },
	{ .name = "vncdisplay",
	  .group = "domain",
	  .summary = "the VNC display of a guest",
	  .opts = OPTS(OPT_DOMAIN(complete_active)),
	  .on_domain = run_vncdisplay },
	{ .name = "domdisplay",
	  .group = "domain",
	  .summary = "the URI for viewers of a guest",
	  .opts = OPTS(OPT_DOMAIN(complete_active), FLAG("include-password"),
		       STRING("type"), FLAG("all", "all displays")),
	  .on_domain = run_domdisplay },
	{ .name = "domdirtyrate-calc",
	  .group = "domain",
	  .summary = "measure how fast a guest writes memory",
	  .opts = OPTS(
		  OPT_DOMAIN(complete_active), NUMBER("seconds"),
		  STRING("mode", "page-sampling, dirty-bitmap or dirty-ring")),
	  .on_domain = run_domdirtyrate_calc },
	{ NULL },
};
