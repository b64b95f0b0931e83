/*
 * vmm/vnc/websocket.h -- the server's end of a websocket (RFC 6455), over
 * whatever carries it.
 */
#ifndef VMM_VNC_WEBSOCKET_H
#define VMM_VNC_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct websocket;

/* As recv() and send(), with -errno. */
struct websocket_ops {
	ssize_t (*read)(void *arg, void *to, size_t len);
	ssize_t (*write)(void *arg, const void *from, size_t len);
};

struct websocket *websocket_create(const struct websocket_ops *ops, void *arg);
void websocket_destroy(struct websocket *ws);

/* The request for one: 0 when it was answered, -EAGAIN, or what was wrong. */
int websocket_shake(struct websocket *ws);
/* What the frames hold; 0: the other end has closed it. */
ssize_t websocket_read(struct websocket *ws, void *to, size_t len);
ssize_t websocket_write(struct websocket *ws, const void *from, size_t len);
int websocket_flush(struct websocket *ws); /* 0, -EAGAIN, ... */
bool websocket_writes(const struct websocket *ws);
bool websocket_pending(const struct websocket *ws);

#endif
