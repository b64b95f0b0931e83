/*
 * daemon/default_network.h -- the network that is there from the start.
 */
#ifndef DAEMON_DEFAULT_NETWORK_H
#define DAEMON_DEFAULT_NETWORK_H

struct networks;
struct store;

/*
 * Defines what the file says, once for the life of the store: who takes it
 * away does not find it again.  Nothing happens where there is no file.
 */
void default_network(const char *path, struct store *store,
		     struct networks *nets);

#endif
