/*
 * vmm/main.c -- vireo-vmm: runs one guest.
 *
 * The only file of the VMM that names the engines.
 */
#include "config.h"

#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#ifdef WITH_SANITIZERS
#include <sanitizer/common_interface_defs.h>
#endif

#include "base/error.h"
#define LOG_MODULE "vmm"
#include "base/log.h"
#include "drivers/kvm/kvm.h"
#include "vmm/control.h"
#include "vmm/engine.h"
#include "vmm/loop.h"
#include "vmm/run.h"
#include "vmm/sandbox.h"
#include "vmm/spec.h"
#include "vmm/vnc/crypto.h"

static const struct engine *const engines[] = {
	&kvm_engine,
	&emu_engine,
};

const struct engine *engine_find(const char *name, const char **ret_variant)
{
	size_t len = strcspn(name, ":");

	for (size_t i = 0; i < ARRAY_SIZE(engines); i++) {
		if (strlen(engines[i]->name) == len &&
		    strncmp(engines[i]->name, name, len) == 0) {
			*ret_variant = name[len] ? name + len + 1 : NULL;
			return engines[i];
		}
	}
	return NULL;
}

/* What the dynamic linker took is our time too. */
uint64_t process_start(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return now_ns() - (ts.tv_sec * 1000000000ull + ts.tv_nsec);
}

/* How the daemon starts us: descriptors instead of a machine. */
struct daemon_args {
	int control_fd, status_fd, log_fd;
	int vnc_module_fd; /* -1: there will be no VNC server */
};

/* True when these are the daemon's arguments; bad ones leave -1. */
static bool daemon_args(int argc, char **argv, struct daemon_args *ret_args)
{
	static const struct option options[] = {
		{ "control-fd", required_argument, NULL, 'c' },
		{ "status-fd", required_argument, NULL, 's' },
		{ "log-fd", required_argument, NULL, 'l' },
		{ "vnc-module-fd", required_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	uint64_t fd;
	int id;

	if (argc < 2 || !str_startswith(argv[1], "--control-fd"))
		return false;
	*ret_args = (struct daemon_args){ -1, -1, -1, -1 };
	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (id == '?' || parse_u64(optarg, 10, INT32_MAX, &fd) < 0 ||
		    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			exit(EXIT_RUN_ERROR);
		*(id == 'c' ? &ret_args->control_fd :
		  id == 's' ? &ret_args->status_fd :
		  id == 'm' ? &ret_args->vnc_module_fd :
			      &ret_args->log_fd) = fd;
	}
	return true;
}

/* The log is all that a VMM of the daemon's has to say something in. */
static void log_to_daemon(int fd)
{
	log_to_fd(fd);
	sandbox_log_to(fd);
#ifdef WITH_SANITIZERS
	__sanitizer_set_report_fd((void *)(intptr_t)fd);
#endif
}

/* Its folder may be one that we cannot enter: the file is open already. */
static int load_vnc_module(int fd, struct error *err)
{
	char path[64];

	if (fd < 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return vnc_crypto_load(path, err);
}

static int serve(const struct daemon_args *args, struct error *err)
{
	struct control *control = NULL;
	struct loop *loop = NULL;
	int r;

	signal(SIGPIPE, SIG_IGN);
	if (args->log_fd >= 0)
		log_to_daemon(args->log_fd);
	r = load_vnc_module(args->vnc_module_fd, err);
	if (r == 0)
		r = sandbox_isolate(err);
	if (r == 0)
		r = loop_create(&loop, err);
	if (r == 0)
		r = control_create(loop, args->control_fd, args->status_fd,
				   &control, err);
	if (r == 0)
		r = loop_run(loop);
	control_destroy(control);
	loop_destroy(loop);
	return r;
}

/*
 * How the daemon asks whether KVM runs ordinary guests: --probe-kvm
 * --kvm-fd=N; the answer is "ok" or one sentence on standard output.
 */
static int probe_kvm(const char *fd_option)
{
	char why[512] = "";
	uint64_t fd;

	if (!fd_option || !str_startswith(fd_option, "--kvm-fd=") ||
	    parse_u64(fd_option + 9, 10, INT32_MAX, &fd) < 0)
		return EXIT_RUN_ERROR;
	puts(kvm_probe((int)fd, why, sizeof(why)) == 0 ? "ok" : why);
	return 0;
}

/*
 * One arena for all threads: before the C library shrinks another one it reads
 * a file below /proc, which the sandbox refuses.
 */
static void tame_malloc(void)
{
	mallopt(M_ARENA_MAX, 1);
}

int main(int argc, char **argv)
{
	struct run_options opt = { .started = process_start(),
				   .save_fd = -1 };
	struct error err = { 0 };
	struct daemon_args daemon;
	struct vmm_spec spec;
	int status;

	if (argc > 1 && str_eq(argv[1], "--probe-kvm"))
		return probe_kvm(argv[2]);
	tame_malloc();
	tzset(); /* reads files, which the sandbox will not have */
	if (daemon_args(argc, argv, &daemon)) {
		if (serve(&daemon, &err) == 0)
			return 0;
		log_error("%s", err.message);
		return EXIT_RUN_ERROR;
	}

	if (args_parse(argc, argv, &spec, &opt, &err) < 0) {
		fprintf(stderr, "vireo-vmm: %s\n", err.message);
		vmm_spec_finish(&spec);
		return EXIT_RUN_ERROR;
	}
	status = run_machine(&spec, &opt);
	vmm_spec_finish(&spec);
	return status;
}
