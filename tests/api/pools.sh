#!/bin/sh
# tests/api/pools.sh -- storage pools with the process that has rights: folders,
# owners, and what needs commands on a loop device, where there can be one.
. "$(dirname "$0")/functions.sh"
requires virsh

loop=
end_loop() { [ -z "$loop" ] || losetup -d "$loop"; }
end_mounts() { umount "$dir/mnt" 2>/dev/null; }
cleanup_fn end_loop
cleanup_fn end_mounts

refused() { # WORDS COMMAND...
	words=$1
	shift
	if v "$@" >"$dir/said" 2>&1; then
		fail "$* was accepted"
	fi
	grep -q "$words" "$dir/said" || fail "$*: $(cat "$dir/said")"
}

# Folders, with those above them; an owner; nobody's modes are changed.
folders() {
	cat >"$dir/p.xml" <<-XML
	<pool type='dir'><name>p</name><target><path>$dir/a/b/pool</path>
	<permissions><mode>0750</mode><owner>1</owner></permissions>
	</target></pool>
	XML
	v pool-define "$dir/p.xml"
	v pool-build p
	[ "$(stat -c '%a %u' "$dir/a")" = "755 0" ] || fail "a folder on the way"
	[ "$(stat -c '%a %u' "$dir/a/b/pool")" = "750 1" ] || fail "the folder"
	v pool-start p
	v vol-create-as p v 10M --allocation 0
	head -c 3000000 /dev/urandom >"$dir/in"
	v vol-upload v "$dir/in" --pool p --sparse
	v vol-download v "$dir/out" --pool p --length 3000000
	cmp "$dir/in" "$dir/out"
	v vol-clone v w --pool p
	cmp "$dir/a/b/pool/v" "$dir/a/b/pool/w"

	mkdir -m 1700 "$dir/mine"
	cat >"$dir/q.xml" <<-XML
	<pool type='dir'><name>q</name><target><path>$dir/mine</path></target>
	</pool>
	XML
	v pool-define "$dir/q.xml"
	v pool-build q
	[ "$(stat -c %a "$dir/mine")" = 1700 ] || fail "its mode was changed"
	v pool-start q
	# A link of somebody else's leads nowhere.
	ln -s /etc "$dir/link"
	chown -h 1 "$dir/link"
	sed "s,$dir/mine,$dir/link,; s,>q<,>l<," "$dir/q.xml" >"$dir/l.xml"
	refused "link" pool-create "$dir/l.xml"
}

restart() {
	up
	v pool-info p | grep -q running || fail "the pool was forgotten"
	v vol-list p | grep -q " w " || fail "the volume was forgotten"
	v pool-info q | grep -q running || fail "the second was forgotten"
	v pool-destroy q
	v pool-build q
	[ "$(stat -c %a "$dir/mine")" = 1700 ] || fail "a bit got lost"
}

make_loop() {
	for program in losetup findmnt blkid mkfs.ext4; do
		command -v $program >/dev/null 2>&1 || return 0
	done
	truncate -s 64M "$dir/disk"
	loop=$(losetup -P -f --show "$dir/disk" 2>/dev/null) || loop=
	[ -n "$loop" ] || echo "no loop devices here: not tested on one"
}

file_system() {
	cat >"$dir/f.xml" <<-XML
	<pool type='fs'><name>f</name><source><device path='$loop'/>
	<format type='ext4'/></source><target><path>$dir/mnt</path></target>
	</pool>
	XML
	v pool-define "$dir/f.xml"
	v pool-build f --no-overwrite
	refused "already has a file system" pool-build f --no-overwrite
	v pool-start f
	findmnt -rno SOURCE "$dir/mnt" | grep -qx "$loop" || fail "not mounted"
	findmnt -rno OPTIONS "$dir/mnt" | grep -q "nosuid.*nodev.*noexec" ||
		fail "mounted with rights for everyone"
	v vol-create-as f x 1M
	up
	v vol-list f | grep -q " x " || fail "the mounted pool was forgotten"
	v pool-destroy f
	if findmnt "$dir/mnt" >/dev/null; then
		fail "still mounted"
	fi
	v pool-undefine f
	# Not over what is the system's own.
	sed "s,$dir/mnt,/usr," "$dir/f.xml" >"$dir/u.xml"
	refused "cannot be an argument" pool-create "$dir/u.xml"
}

partitions() {
	command -v parted >/dev/null 2>&1 || return 0
	name=$(basename "$loop")
	cat >"$dir/d.xml" <<-XML
	<pool type='disk'><name>d</name><source><device path='$loop'/>
	<format type='gpt'/></source><target><path>/dev</path></target></pool>
	XML
	v pool-define "$dir/d.xml"
	v pool-build d --overwrite
	v pool-start d
	v vol-create-as d x 10M
	v vol-create-as d y 5M
	v pool-refresh d
	v vol-list d | grep -q "${name}p2 " || fail "no second partition"
	v vol-delete "${name}p1" --pool d
	v pool-refresh d
	if v vol-list d | grep -q "${name}p1 "; then
		fail "the partition is still there"
	fi
	refused "no large enough" vol-create-as d z 1G
	v pool-destroy d
}

up
folders
restart
make_loop
if [ -n "$loop" ]; then
	file_system
	partitions
fi
echo "pools work"
