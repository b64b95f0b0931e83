/*
 * vmm/vnc/wire.h -- the bytes between a viewer and the VNC server: as they
 * are, through TLS, through a websocket, or through both.
 */
#ifndef VMM_VNC_WIRE_H
#define VMM_VNC_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct vnc_tls;
struct vnc_wire;

/* Takes over fd, which does not block. */
struct vnc_wire *vnc_wire_create(int fd);
void vnc_wire_destroy(struct vnc_wire *w);
int vnc_wire_fd(const struct vnc_wire *w);

/* From here on; vnc_wire_shake() goes first then. */
int vnc_wire_start_tls(struct vnc_wire *w, struct vnc_tls *tls);
void vnc_wire_start_websocket(struct vnc_wire *w);

/* 0: done; -EAGAIN: call again when the descriptor is ready. */
int vnc_wire_shake(struct vnc_wire *w);

/* As recv() and send(), with -errno. */
ssize_t vnc_wire_read(struct vnc_wire *w, void *to, size_t len);
ssize_t vnc_wire_write(struct vnc_wire *w, const void *from, size_t len);
/* What is left of the wire's own. */
int vnc_wire_flush(struct vnc_wire *w);
/* Waits for the descriptor to be writable. */
bool vnc_wire_writes(const struct vnc_wire *w);
/* There may be something to read of which the descriptor does not tell. */
bool vnc_wire_pending(const struct vnc_wire *w);

#endif
