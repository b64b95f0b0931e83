#!/bin/sh
# virtio.sh ENGINE: a stock kernel drives every virtio device, and what it
# says is compared with what the host has.
#
# GUEST_ROOT: where a Debian kernel package is unpacked (boot/, lib/modules/).
# VMM: the program, default vireo-vmm of the build folder.  Needs root for the
# tap; runs in a network namespace of its own.
set -eu
engine=${1:-${GUEST_ENGINE-}}
here=$(cd "$(dirname "$0")" && pwd)
vmm=${VMM:-${BUILD:-$PWD}/vireo-vmm}
root=${GUEST_ROOT:-}
if [ -z "$engine" ] || [ "$(id -u)" != 0 ] || [ ! -x "$vmm" ] ||
	[ ! -d "$root/lib/modules" ] ||
	! command -v socat >/dev/null; then
	echo "needs ENGINE, root, VMM, GUEST_ROOT and socat"
	exit 77
fi
if [ -z "${VIRTIO_TEST_NETNS-}" ]; then
	VIRTIO_TEST_NETNS=1 exec unshare -n -p -f --kill-child "$0" "$@"
fi

dir=$(mktemp -d)
timeout=${GUEST_TIMEOUT:-240}
httpd= console=
cleanup() {
	# socat and sleep end with the process namespace.
	kill $httpd $console 2>/dev/null || true
	rm -rf "$dir"
}
trap cleanup EXIT
fail() {
	echo "FAIL: $*"
	cat "$dir/serial" "$dir/vmm.log" 2>/dev/null
	exit 1
}
sum() { md5sum | cut -d ' ' -f 1; }
said() { sed -n "s/^$1: //p" "$dir/serial" | tr -d '\r' | head -n 1; }
expect() { [ "$(said "$1")" = "$2" ] || fail "$1 is '$(said "$1")', not '$2'"; }

dd if=/dev/urandom of="$dir/disk" bs=64k count=64 2>/dev/null
dd if=/dev/urandom of="$dir/ro" bs=64k count=4 2>/dev/null
mkdir "$dir/www"
dd if=/dev/urandom of="$dir/www/big" bs=64k count=32 2>/dev/null
disk_sum=$(sum <"$dir/disk") ro_sum=$(sum <"$dir/ro")

ip link set lo up
ip tuntap add dev vtest mode tap vnet_hdr
ip addr add 192.0.2.1/24 dev vtest
ip link set vtest up
busybox httpd -f -p 192.0.2.1:8000 -h "$dir/www" &
httpd=$!

"$here/mkinitrd" "$dir/initrd" "$root" "$here/virtio.init"
{
	until [ -S "$dir/hvc0" ]; do sleep 0.1; done
	{ echo "to the guest"; sleep "$timeout"; } |
		socat - "UNIX-CONNECT:$dir/hvc0" >"$dir/console"
} &
console=$!
"$vmm" --engine "$engine" --kernel "$root"/boot/vmlinuz-* \
	--initrd "$dir/initrd" --append "console=ttyS0 quiet" \
	--serial "file:$dir/serial" --console "unix:$dir/hvc0" --rng --balloon \
	--disk "$dir/disk" --disk "$dir/ro,ro" --tap vtest \
	--timeout "$timeout" </dev/null 2>"$dir/vmm.log" ||
	fail "vireo-vmm: $?"

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
# Status 0xf: DRIVER_OK and not broken.
for d in virtio_blk virtio_rng virtio_net virtio_console virtio_balloon; do
	grep -q "^driver: $d 0x0000000f" "$dir/serial" || fail "no live $d"
done
echo "virtio with $engine: all right"
