/*
 * vmm/run.h -- running one machine from the command line.
 */
#ifndef VMM_RUN_H
#define VMM_RUN_H

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct error;
struct vmm_spec;

/* Looks up "kvm", "emu", "emu:interp"; variant: what follows the colon. */
const struct engine *engine_find(const char *name, const char **ret_variant);

/* When this process was executed, on CLOCK_MONOTONIC. */
uint64_t process_start(void);

/* Exit status of a run from the command line. */
enum {
	EXIT_RUN_POWEROFF = 0,
	EXIT_RUN_ERROR = 1,
	EXIT_RUN_CRASH = 2,
	EXIT_RUN_RESET = 3,
	EXIT_RUN_TIMEOUT = 4,
};

struct run_options {
	uint64_t started;     /* process_start() */
	unsigned int timeout; /* seconds; 0: none */
	const char *vsock_path; /* sockets for the guest; NULL: none */
	bool stdio;	      /* the first serial port is the terminal */
	bool verbose;	      /* tell the time to the first instruction */
	bool seccomp_log;
	bool no_sandbox;
	int save_fd; /* SIGTERM saves the machine there; -1: no */
};

/* Builds, loads and runs; returns the exit status. */
int run_machine(const struct vmm_spec *spec, const struct run_options *opt);

/* Reads the command line into a specification; exits on --help. */
int args_parse(int argc, char **argv, struct vmm_spec *spec,
	       struct run_options *opt, struct error *err);

#endif
