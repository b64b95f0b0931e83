/*
 * daemon/options.h -- vireod's command line.
 */
#ifndef DAEMON_OPTIONS_H
#define DAEMON_OPTIONS_H

#include <stdbool.h>

struct error;

struct options {
	bool session;
	char *state_dir, *run_dir, *socket_dir;
	char *driver_dir, *schema_dir;
	char *default_network; /* a file; NULL: none */
	char *vmm;	    /* vireo-vmm's path */
	char *vnc_module;   /* of vireo-vmm's, for VNC servers */
	char *vnc_tls, *vnc_tls_dir;
	char *log;	    /* "stderr", "file:PATH", "journal" */
	char *log_filters;  /* may be NULL */
	char *save_format; /* "raw" or "zstd" */
	char *migrate_tls_dir;
	char *memory_dir;  /* of files that are guests' memory; may be NULL */
	char *uid_range;    /* "BASE:COUNT" for machines */
	bool libvirt_names; /* also serve qemu:/// */
	char *auth_unix_rw, *auth_unix_ro; /* "none", "sasl", "polkit" */
	char *access;	    /* "none" or "polkit" */
	char *listen_tls, *listen_tcp; /* ADDRESS:PORT; NULL: no */
	char *hook_dir;	    /* the administrator's scripts; NULL: none */
	char *metrics;	    /* PATH or ADDRESS:PORT; NULL: no */
	char *auth_tls, *auth_tcp;
	char *tls_ca, *tls_cert, *tls_key;
	char *tls_names, *sasl_users; /* who may; NULL: all */
	char *sasl_mechs;
	char *max_clients, *max_anonymous; /* NULL: as built */
	char *unix_group;   /* NULL: "libvirt" or "vireo" */
	char *unix_rw_perms, *unix_ro_perms; /* octal; NULL: as fits */
};

/* Exits by itself after --help, --version and mistakes. */
void options_parse(int argc, char **argv, struct options *ret_opt);
void options_finish(struct options *opt);

#endif
