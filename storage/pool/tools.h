/*
 * storage/pool/tools.h -- every command that pools run, one a line: a name and
 * the command's words.
 *
 * In a word, %X stands for the next argument, which must be a
 *	%n name (letters, digits, "_.+:@-"; a letter, digit or "_" first)
 *	%z name of several parts, with "/" between them
 *	%u number
 *	%p absolute path
 *	%d the same below /dev
 *	%m the same to mount on: not where the system's own files are
 *	%f kind of file system on a disk
 *	%h host name or address
 * so that nothing given by a client can be taken for an option.  Whoever must
 * know every tool includes this file with TOOL() defined: the enumeration, and
 * the process that runs them.
 */
/* Volume groups: lvm(8). */
TOOL(VG_INFO, "vgs --noheadings --nosuffix --units b --separator , "
	      "-o vg_size,vg_free %n")
TOOL(VG_ACTIVE, "lvs --noheadings --separator , -o lv_name,lv_active %n")
TOOL(PV_LIST, "pvs --noheadings --separator , -o vg_name,pv_name")
TOOL(LV_LIST, "lvs --noheadings --nosuffix --units b --separator , "
	      "-o lv_name,lv_uuid,lv_size,lv_attr,origin,pool_lv,data_percent "
	      "%n")
TOOL(VG_START, "vgchange -aly %n")
TOOL(VG_STOP, "vgchange -aln %n")
TOOL(VG_CREATE, "vgcreate %n %d")
TOOL(VG_EXTEND, "vgextend %n %d")
TOOL(VG_REMOVE, "vgremove -f %n")
TOOL(PV_CREATE, "pvcreate %d")
TOOL(PV_FORCE, "pvcreate -ff -y %d")
TOOL(PV_REMOVE, "pvremove %d")
TOOL(LV_CREATE, "lvcreate -y -W y --name %n -L %ub %n")
TOOL(LV_SNAPSHOT, "lvcreate -y -s --name %n -L %ub %n/%n")
TOOL(LV_THIN, "lvcreate -y -W y --name %n -V %ub --thinpool %n %n")
TOOL(LV_THIN_SNAPSHOT, "lvcreate -y -kn -s --name %n %n/%n")
TOOL(LV_REMOVE, "lvremove -f %n/%n")
TOOL(LV_RESIZE, "lvresize -f -y -L %ub %n/%n")
/* ZFS: zfs(8), zpool(8). */
TOOL(ZFS_INFO, "zfs get -Hp -o property,value used,available %z")
TOOL(ZFS_LIST, "zfs list -Hp -r -t volume "
	       "-o name,volsize,refreservation,used %z")
TOOL(ZFS_CREATE, "zfs create -V %u %z/%n")
TOOL(ZFS_SPARSE, "zfs create -s -V %u %z/%n")
TOOL(ZFS_RESIZE, "zfs set volsize=%u %z/%n")
TOOL(ZFS_REMOVE, "zfs destroy %z/%n")
TOOL(ZPOOL_LIST, "zpool list -H -o name")
TOOL(ZPOOL_CREATE, "zpool create %n %d")
TOOL(ZPOOL_ADD, "zpool add %n %d")
TOOL(ZPOOL_REMOVE, "zpool destroy %n")
/* File systems: mount(8), mkfs(8), showmount(8). */
#define SAFELY "nodev,nosuid,noexec"
TOOL(MOUNT, "mount -o " SAFELY " %d %m")
TOOL(MOUNT_TYPE, "mount -o " SAFELY " -t %f %d %m")
TOOL(MOUNT_NFS, "mount -t nfs -o " SAFELY " %h:%p %m")
TOOL(MOUNT_NFS_VERS, "mount -t nfs -o " SAFELY ",nfsvers=%n %h:%p %m")
TOOL(MOUNT_CIFS, "mount -t cifs -o " SAFELY ",guest //%h%p %m")
TOOL(UNMOUNT, "umount %m")
TOOL(MOUNTS, "findmnt -rnuo TARGET,SOURCE")
TOOL(MKFS, "mkfs -t %f %d")
TOOL(BLKID, "blkid -o value -s TYPE %d")
TOOL(NFS_EXPORTS, "showmount --no-headers --exports %h")
#undef SAFELY
/* Partitions: parted(8). */
TOOL(PARTED_PRINT, "parted -sm %d unit B print free")
TOOL(PARTED_LABEL, "parted -s %d mklabel %n")
TOOL(PARTED_ADD, "parted -s %d unit B mkpart %n %uB %uB")
TOOL(PARTED_ADD_DOS, "parted -s %d unit B mkpart primary %uB %uB")
TOOL(PARTED_REMOVE, "parted -s %d rm %u")
TOOL(SETTLE, "udevadm settle --timeout=30")
/* iSCSI: iscsiadm(8). */
TOOL(ISCSI_SESSIONS, "iscsiadm -m session")
TOOL(ISCSI_TARGETS, "iscsiadm -m discovery -t sendtargets -p %h")
TOOL(ISCSI_LOGIN, "iscsiadm -m node -T %n -p %h --login")
TOOL(ISCSI_LOGOUT, "iscsiadm -m node -T %n -p %h --logout")
TOOL(ISCSI_RESCAN, "iscsiadm -m node -T %n -p %h --rescan")
/* Block devices: lsblk(8). */
TOOL(BLOCKS, "lsblk -bnrpo NAME,TYPE,SIZE,HCTL,WWN,SERIAL")
