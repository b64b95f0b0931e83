/*
 * daemon/priv_root.c -- the file system of a helper program that a guest needs:
 * the host's programs, read-only, and one folder of its own.
 *
 * Called between clone and exec, in a mount namespace of its own: system calls
 * only (priv_spawn.c).  It assumes that /lib and its like are links into /usr.
 */
#include "daemon/priv.h"

#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Somewhere to build it; what is there is not needed any more. */
#define BUILD "/proc"

static int make_tree(void)
{
	return mount("vireo", BUILD, "tmpfs",
		     MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=0755") ||
	       mkdir(BUILD "/usr", 0755) ||
	       mkdir(BUILD PRIV_ROOT_STATE, 0755) ||
	       symlink("usr/bin", BUILD "/bin") ||
	       symlink("usr/lib", BUILD "/lib") ||
	       symlink("usr/lib64", BUILD "/lib64");
}

static int bind(const char *from, const char *to, unsigned long flags)
{
	return mount(from, to, NULL, MS_BIND, NULL) ||
	       mount(NULL, to, NULL, MS_REMOUNT | MS_BIND | flags, NULL);
}

/* By its name, and then the one that was meant: others may rename. */
static int bind_state(const char *path, const struct stat *want)
{
	struct stat st;

	if (bind(path, BUILD PRIV_ROOT_STATE,
		 MS_NOSUID | MS_NODEV | MS_NOEXEC) ||
	    stat(BUILD PRIV_ROOT_STATE, &st))
		return -1;
	if (st.st_dev == want->st_dev && st.st_ino == want->st_ino)
		return 0;
	errno = ESTALE;
	return -1;
}

int priv_enter_root(const char *state_path, const struct stat *state)
{
	if (make_tree() || bind("/usr", BUILD "/usr",
				MS_RDONLY | MS_NOSUID | MS_NODEV) ||
	    bind_state(state_path, state))
		return -1;
	if (chdir(BUILD) || syscall(SYS_pivot_root, ".", ".") ||
	    umount2(".", MNT_DETACH) || chdir("/"))
		return -1;
	return mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY |
		     MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}
