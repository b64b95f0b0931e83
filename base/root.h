/*
 * base/root.h -- another root for a process that is to see no files.
 */
#ifndef BASE_ROOT_H
#define BASE_ROOT_H

/*
 * Makes the mount point a root, of all processes of the mount namespace, and
 * lets the old one go.  Only system calls: also for after a fork.
 */
int root_change(const char *mount_point);

#endif
