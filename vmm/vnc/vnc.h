/*
 * vmm/vnc/vnc.h -- the VNC server, from outside.
 */
#ifndef VMM_VNC_VNC_H
#define VMM_VNC_VNC_H

#include <stdint.h>

#include <sys/socket.h>

struct machine;
struct spec_vnc;
struct error;

/* Somebody came to look at the guest's picture, or went. */
struct vnc_event {
	const char *phase; /* "connected", "initialized", "disconnected" */
	const char *auth;  /* "none", "vnc", "vencrypt+x509+vnc", ... */
	unsigned int index; /* which server's */
	struct sockaddr_storage local, remote;
};

/*
 * Registers with the machine, which destroys it and passes on
 * machine_vnc_client() and machine_vnc_password().
 */
int vnc_create(struct machine *m, const struct spec_vnc *spec,
	       unsigned int index, struct error *err);

#endif
