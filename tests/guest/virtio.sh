#!/bin/sh
# virtio.sh ENGINE: a stock kernel drives every virtio device, and what it
# says is compared with what the host has.
#
# Needs root for the tap; runs in a network namespace of its own.  What else it
# needs: functions.sh.
if [ "$(id -u)" = 0 ] && [ -z "${VIRTIO_TEST_NETNS-}" ]; then
	VIRTIO_TEST_NETNS=1 exec unshare -n -p -f --kill-child "$0" "$@"
fi
. "$(dirname "$0")/functions.sh"
[ "$(id -u)" = 0 ] || skip "needs root"
command -v socat >/dev/null || skip "needs socat"
# What other programs serve is tested where there are such programs.
virtiofsd=/usr/lib/qemu/virtiofsd
programs=no
[ ! -x $virtiofsd ] || ! command -v qemu-storage-daemon >/dev/null ||
	! command -v python3 >/dev/null || programs=yes

dd if=/dev/urandom of="$dir/disk" bs=64k count=64 2>/dev/null
dd if=/dev/urandom of="$dir/ro" bs=64k count=4 2>/dev/null
mkdir "$dir/www"
dd if=/dev/urandom of="$dir/www/big" bs=64k count=32 2>/dev/null
disk_sum=$(sum <"$dir/disk") ro_sum=$(sum <"$dir/ro")

dd if=/dev/urandom of="$dir/www/stream" bs=64k count=32 2>/dev/null
ln -s www/stream "$dir/stream"

ip link set lo up
ip tuntap add dev vtest mode tap vnet_hdr multi_queue
# The kernel moves the frames where it can.
tap=vtest,queues=2
[ ! -e /dev/vhost-net ] || tap=$tap,vhost
ip addr add 192.0.2.1/24 dev vtest
ip link set vtest up
busybox httpd -f -p 8000 -h "$dir/www" &
pids=$!

# PROGRAMS: a folder with them, where there is no compiler.
for p in vsock nic; do
	if [ -n "${PROGRAMS-}" ]; then
		cp "$PROGRAMS/$p" "$dir/$p"
	else
		${CC:-cc} -O -static -o "$dir/$p" "$here/$p.c" ||
			fail "cannot compile"
	fi
done
FILES="$dir/vsock $dir/nic" "$here/mkinitrd" "$dir/initrd" "$root" "$here/virtio.init" \
	vsock vmw_vsock_virtio_transport_common vmw_vsock_virtio_transport \
	fuse virtiofs
# Devices that other programs serve: what the machine is told of them.
serve() {
	mkdir "$dir/share"
	dd if=/dev/urandom of="$dir/share/data" bs=64k count=16 2>/dev/null
	dd if=/dev/urandom of="$dir/blk" bs=64k count=16 2>/dev/null
	blk_sum=$(sum <"$dir/blk")
	$virtiofsd --socket-path="$dir/fs.sock" -o source="$dir/share" \
		-o sandbox=chroot >"$dir/virtiofsd.log" 2>&1 &
	qemu-storage-daemon \
		--blockdev "file,node-name=f,filename=$dir/blk" --export \
		"vhost-user-blk,id=e,node-name=f,addr.type=unix,addr.path=$dir/blk.sock,writable=on" \
		>"$dir/qsd.log" 2>&1 &
	pids="$pids $!"
	ip tuntap add dev vuser mode tap
	ip addr add 198.51.100.1/24 dev vuser
	ip link set vuser up
	python3 -B "$here/vhost_user_net.py" "$dir/net.sock" vuser \
		>"$dir/net.log" 2>&1 &
	n=0
	until [ -S "$dir/fs.sock" ] && [ -S "$dir/blk.sock" ] &&
		[ -S "$dir/net.sock" ]; do
		n=$((n + 1))
		[ $n -lt 600 ] || fail "no socket: $(cat "$dir"/*.log)"
		sleep 0.1
	done
	served="--vhost-user fs,$dir/fs.sock,share
		--vhost-user blk,$dir/blk.sock
		--vhost-user net,$dir/net.sock"
}
served=
[ $programs = no ] || serve

# The guest connects to port 5000 of the host, nobody is at 5002; and the host
# to port 5001 of the guest, as soon as it listens.
kernel_vsock() {
	vsock=77
	"$dir/vsock" serve 5000 md5sum &
	pids="$pids $!"
	until "$dir/vsock" connect 77:5001 <"$dir/stream" >"$dir/reply" \
		2>/dev/null; do
		sleep 0.2
	done &
	pids="$pids $!"
}
unix_vsock() {
	vsock=77,$dir/sock
	socat "UNIX-LISTEN:$dir/sock_5000,fork" EXEC:md5sum &
	pids="$pids $!"
	until grep -q "^OK" "$dir/reply" 2>/dev/null; do
		sleep 0.2
		{ echo "CONNECT 5001"; cat "$dir/stream"; } |
			socat -t 3600 - "UNIX-CONNECT:$dir/sock" \
				>"$dir/reply" 2>/dev/null || true
	done &
	pids="$pids $!"
}
if [ -e /dev/vhost-vsock ]; then
	kernel_vsock
else
	unix_vsock
fi
{
	until [ -S "$dir/hvc0" ]; do sleep 0.1; done
	{ echo "to the guest"; sleep 3600; } |
		socat - "UNIX-CONNECT:$dir/hvc0" >"$dir/console"
} &
# What the guest sends, twice.
mkdir "$dir/sent"
socat -u TCP-LISTEN:8001,fork,reuseaddr \
	SYSTEM:"md5sum >\"$dir\"/sent/\$SOCAT_PEERPORT" &
pids="$pids $!"
# socat and sleep end with the process namespace.
pids="$pids $!"
# shellcheck disable=SC2086
machine --cpus 2 --append "console=ttyS0 quiet programs=$programs" \
	--console "unix:$dir/hvc0" --rng --balloon --disk "$dir/disk" \
	--disk "$dir/ro,ro" --tap $tap --vsock "$vsock" $served ||
	fail "vireo-vmm: $?"

# got WORD FILE...: who writes it may be a moment behind the guest.
got() {
	word=$1 n=0
	shift
	until grep -q "^$word" "$@"; do
		n=$((n + 1))
		[ $n -lt 600 ] || fail "the guest's answer is $(cat "$@")"
		sleep 0.1
	done
}

expect done yes
! grep -q ^FAIL "$dir/serial" || fail "the guest found a fault"
expect disk-read "$disk_sum"
expect disk-wrote "$(dd if="$dir/disk" bs=64k skip=8 count=16 2>/dev/null | sum)"
expect disk-size 8192
# What was discarded reads as zeroes and takes no room on the host any more.
expect disk-hole "$(head -c 1048576 /dev/zero | sum)"
[ "$(tail -c 1048576 "$dir/disk" | sum)" = "$(said disk-hole)" ] ||
	fail "the discarded range is not zero on the host"
[ "$(stat -c %b "$dir/disk")" -lt 8192 ] || fail "discard freed nothing"
expect disk-ro 1
[ "$(sum <"$dir/ro")" = "$ro_sum" ] || fail "the read-only disk changed"
expect rng-name virtio_rng.0
expect rng-bytes 4096
expect console-in "to the guest"
grep -q "^from the guest" "$dir/console" || fail "nothing on the console"
expect net-ping ok
expect net-big "$(sum <"$dir/www/big")"
# Both queues, and one when asked so; what comes in one frame and what not.
expect net-pairs "2 2"
expect net-one "2 1"
expect net-again "2 2"
expect net-queues "in 0 out 0 in 1 out 1"
expect net-offload "on"
expect net-merged "on yes"
expect net-single "off no"
for p in 0 1; do
	expect net-got-$p "$(sum <"$dir/www/big")"
	got "$(said net-sent-$p)" "$dir/sent"/*
done
expect vsock-cid 77
expect vsock-sum "$(sum <"$dir/stream")"
expect vsock-refused yes
expect vsock-served yes
got "$(sum <"$dir/stream")" "$dir/reply"
if [ $programs = yes ]; then
	expect fs-data "$(sum <"$dir/share/data")"
	expect fs-wrote "$(sum <"$dir/share/new")"
	expect user-disk-read "$blk_sum"
	expect user-disk-wrote "$(dd if="$dir/blk" bs=64k skip=8 count=4 \
		2>/dev/null | sum)"
	expect user-net-ping ok
	expect user-net-big "$(sum <"$dir/www/big")"
	grep -q "^driver: virtiofs 0x0000000f" "$dir/serial" ||
		fail "no live virtiofs"
fi
# Status 0xf: DRIVER_OK and not broken.
for d in virtio_blk virtio_rng virtio_net virtio_console virtio_balloon \
	vmw_vsock_virtio_transport; do
	grep -q "^driver: $d 0x0000000f" "$dir/serial" || fail "no live $d"
done
echo "virtio with $engine: all right"
