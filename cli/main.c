/*
 * cli/main.c -- vireo: one command, a line of them, or a prompt.
 */
#include "config.h"

#include <getopt.h>
#include <locale.h>
#include <pthread.h>
#include <string.h>

#include "cli/interactive.h"
#include "cli/output.h"

static void usage(FILE *to)
{
	fputs("Usage: vireo [OPTION]... [COMMAND [ARGUMENT]...]\n\n"
	      "Without a command, vireo shows a prompt.\n\n"
	      "  -c, --connect URI   hypervisor to connect to\n"
	      "  -r, --readonly      connect read-only\n"
	      "  -q, --quiet         no remarks, no table headers\n"
	      "  -o, --output FORM   table (default), json or yaml\n"
	      "      --no-color      no colours, terminal or not\n"
	      "  -h, --help          this text\n"
	      "  -v, --version       the version\n\n"
	      "'vireo help' lists the commands, 'vireo help COMMAND' explains "
	      "one.\n",
	      to);
}

enum { LONG_NO_COLOR = 256 };

static const struct option long_options[] = {
	{ "connect", required_argument, NULL, 'c' },
	{ "readonly", no_argument, NULL, 'r' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "output", required_argument, NULL, 'o' },
	{ "no-color", no_argument, NULL, LONG_NO_COLOR },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },
	{ NULL },
};

static int set_output(struct ctl *ctl, const char *form)
{
	if (str_eq(form, "json"))
		ctl->output = OUTPUT_JSON;
	else if (str_eq(form, "table"))
		ctl->output = OUTPUT_TABLE;
	else if (str_eq(form, "yaml"))
		ctl->output = OUTPUT_YAML;
	else {
		say_error("unknown output form '%s': use table, json or yaml",
			  form);
		return EXIT_USAGE;
	}
	return -1;
}

/* Returns an exit status, or -1 to go on with argv[optind]. */
static int parse_options(struct ctl *ctl, int argc, char **argv)
{
	int c, status = -1;

	while (status < 0 && (c = getopt_long(argc, argv, "+c:rqo:hv",
					      long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			ctl->uri = optarg;
			break;
		case 'r':
			ctl->readonly = true;
			break;
		case 'q':
			ctl->quiet = true;
			break;
		case 'o':
			status = set_output(ctl, optarg);
			break;
		case LONG_NO_COLOR:
			ctl->color = false;
			break;
		case 'h':
			usage(stdout);
			return EXIT_OK;
		case 'v':
			puts(PACKAGE_VERSION);
			return EXIT_OK;
		default:
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	return status;
}

/* "--output json" may also stand behind the command. */
static int take_output(struct ctl *ctl, int *argc, char **argv)
{
	for (int i = 1; i + 1 < *argc; i++) {
		if (!str_eq(argv[i], "--output"))
			continue;
		if (set_output(ctl, argv[i + 1]) >= 0)
			return EXIT_USAGE;
		memmove(argv + i, argv + i + 2,
			(*argc - i - 1) * sizeof(*argv));
		*argc -= 2;
		break;
	}
	return -1;
}

static void *event_thread(void *arg)
{
	(void)arg;
	for (;;)
		virEventRunDefaultImpl();
	return NULL;
}

static void on_tick(int timer, void *arg)
{
	(void)timer;
	(void)arg;
}

/* Keepalive, streams and events are served while commands wait. */
static int start_events(void)
{
	pthread_t thread;

	if (virEventRegisterDefaultImpl() < 0)
		return -1;
	/* A descriptor-less loop would never notice new handles. */
	virEventAddTimeout(500, on_tick, NULL, NULL);
	return pthread_create(&thread, NULL, event_thread, NULL);
}

static void on_error(void *arg, virErrorPtr err)
{
	(void)arg;
	(void)err; /* commands say what failed, with its context */
}

static int run(struct ctl *ctl, int argc, char **argv)
{
	int status;

	if (argc == 0)
		return interactive(ctl);
	if (str_eq(argv[0], "__manual")) {
		manual_print();
		return EXIT_OK;
	}
	if (str_eq(argv[0], "__complete") || str_eq(argv[0], "__describe")) {
		ctl->describe = str_eq(argv[0], "__describe");
		complete_words(ctl, argc - 1, argv + 1);
		return EXIT_OK;
	}
	if (argc == 1 && strpbrk(argv[0], " ;"))
		return run_line(ctl, argv[0]);
	status = take_output(ctl, &argc, argv);
	if (status < 0)
		status = command_run(ctl, argc, argv);
	if (status != EXIT_USAGE && ctl->output == OUTPUT_TABLE && !ctl->quiet)
		putchar('\n');
	return status;
}

int main(int argc, char **argv)
{
	struct ctl ctl = { .color = isatty(STDOUT_FILENO) &&
				    !getenv("NO_COLOR") };
	int status;

	setlocale(LC_ALL, "");
	status = parse_options(&ctl, argc, argv);
	if (status >= 0)
		return status;
	if (virInitialize() < 0 || start_events() != 0) {
		say_error("cannot initialise libvirt's client library");
		return EXIT_FAILED;
	}
	virSetErrorFunc(NULL, on_error);
	status = run(&ctl, argc - optind, argv + optind);
	ctl_disconnect(&ctl);
	return status;
}
