/*
 * vmm/connector.h -- connects to Unix sockets for a machine that is run from
 * the command line; the daemon does it for its own.
 */
#ifndef VMM_CONNECTOR_H
#define VMM_CONNECTOR_H

#include <stdint.h>

struct connector;
struct loop;
struct error;

/*
 * A child process, started before the sandbox, that connects to PATH_PORT.
 * Answers come on the loop: fd, or -1.
 */
typedef void connector_fn(void *arg, uint32_t port, int fd);
int connector_create(const char *path, struct connector **ret_connector,
		     struct error *err);
int connector_watch(struct connector *connector, struct loop *loop,
		    connector_fn *fn, void *arg);
void connector_ask(struct connector *connector, uint32_t port);
void connector_destroy(struct connector *connector);

#endif
