/*
 * daemon/hostdmi.h -- what the host's firmware says of it (SMBIOS), as libvirt's
 * <sysinfo>.
 */
#ifndef DAEMON_HOSTDMI_H
#define DAEMON_HOSTDMI_H

/* dir: /sys/class/dmi/id.  The caller frees it; NULL: nothing is said. */
char *hostdmi_xml(const char *dir);

#endif
