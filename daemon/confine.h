/*
 * daemon/confine.h -- how main gives up everything.
 */
#ifndef DAEMON_CONFINE_H
#define DAEMON_CONFINE_H

#include <stdbool.h>
#include <sys/types.h>

struct error;

/* Where main finds its state folder afterwards. */
#define CONFINED_STATE_DIR "/state"

/*
 * From now on this process can open files of its state folder and nothing
 * else.  Called before it starts threads.  session: not root; a user
 * namespace does it, and where there is none *ret_confined is false and paths
 * stay what they were.
 */
int confine(const char *state_dir, const char *mount_point, uid_t uid,
	    bool session, bool *ret_confined, struct error *err);

#endif
