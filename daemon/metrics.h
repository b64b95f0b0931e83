/*
 * daemon/metrics.h -- the figures of all domains for who collects them, as
 * OpenMetrics text by HTTP (docs/METRICS.md).
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include <stddef.h>

struct error;
struct metrics;
struct registry;
struct server;

/* Adds one that listens to the list; fd: non-blocking, taken over.  Its texts
 * are made by the server's workers. */
int metrics_add(struct metrics **list, struct server *server,
		struct registry *reg, int fd, struct error *err);
/* All; after server_destroy(), which lets texts that are being made end. */
void metrics_destroy(struct metrics *list);

/* metrics_text.c, on any thread: the text, which the caller frees. */
char *metrics_text(struct registry *reg, unsigned int n_clients,
		   size_t *ret_len);

#endif
