/*
 * daemon/confine.c -- how main gives up everything.
 *
 * What is left is a root with one folder, the state folder; network and IPC
 * namespaces with nothing in them; a uid that owns that folder and nothing
 * else; no capability; and no way to gain any.
 */
#include "daemon/confine.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/root.h"
#include "base/util.h"

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC)

/* A new root on mount_point with the state folder in it; goes there. */
static int build_root(const char *state_dir, const char *mount_point)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	/* Through descriptors: the new root may hide the state folder. */
	_cleanup_close_ int state =
		open(state_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char from[64];

	snprintf(from, sizeof(from), "/proc/self/fd/%d", state);
	if (state < 0 || mount("vireo", mount_point, "tmpfs",
			       MS_NOSUID | MS_NODEV | MS_NOEXEC,
			       "size=16k,mode=0755") < 0)
		return -errno;
	if (chdir(mount_point) < 0 || mkdir("state", 0755) < 0 ||
	    mount(from, "state", NULL, MS_BIND, NULL) < 0)
		return -errno;
	if (mount(NULL, "state", NULL,
		  MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC,
		  NULL) < 0)
		return -errno;
	return mount(NULL, ".", NULL,
		     MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV |
			     MS_NOEXEC,
		     NULL) < 0 ?
		       -errno :
		       0;
}

static int write_file(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : write_full(fd, text, strlen(text));
}

/* user_namespaces(7): keep our own uid and gid. */
static int enter_user_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char text[40];
	int r;

	if (unshare(CLONE_NEWUSER | NAMESPACES) < 0)
		return -errno;
	r = write_file("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "%u %u 1\n", uid, uid);
	if (r >= 0)
		r = write_file("/proc/self/uid_map", text);
	snprintf(text, sizeof(text), "%u %u 1\n", gid, gid);
	return r < 0 ? r : write_file("/proc/self/gid_map", text);
}

static int drop_privileges(uid_t uid, bool session)
{
	capng_clear(CAPNG_SELECT_ALL);
	/* The bounding set first: it needs CAP_SETPCAP. */
	if (capng_apply(CAPNG_SELECT_BOUNDS) != 0 && !session)
		return -EPERM;
	if (!session && (setgroups(0, NULL) < 0 ||
			 setresgid(uid, uid, uid) < 0 ||
			 setresuid(uid, uid, uid) < 0))
		return -errno;
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_apply(CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT) != 0)
		return -EPERM;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int confine(const char *state_dir, const char *mount_point, uid_t uid,
	    bool session, bool *ret_confined, struct error *err)
{
	int r;

	if (session)
		r = enter_user_namespace();
	else
		r = unshare(NAMESPACES) < 0 ? -errno : 0;
	*ret_confined = r >= 0;
	if (r < 0 && !session)
		return error_set(err, r, "cannot create namespaces: %m");
	if (r >= 0)
		r = build_root(state_dir, mount_point);
	else
		r = 0;
	if (r >= 0 && *ret_confined)
		r = root_change(".");
	if (r < 0)
		return error_set(err, r, "cannot enter a root of our own: %m");
	r = drop_privileges(uid, session);
	return r < 0 ? error_set(err, r, "cannot drop privileges: %m") : 0;
}
