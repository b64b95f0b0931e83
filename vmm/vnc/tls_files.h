/*
 * vmm/vnc/tls_files.h -- what a VNC server shows its viewers over TLS, from
 * the descriptors that were handed in.
 */
#ifndef VMM_VNC_TLS_FILES_H
#define VMM_VNC_TLS_FILES_H

struct error;
struct spec_vnc;
struct vnc_tls;

int vnc_tls_load(const struct spec_vnc *spec, struct vnc_tls **ret_tls,
		 struct error *err);

#endif
