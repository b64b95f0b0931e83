#!/bin/sh
# e1000e.sh ENGINE: a stock kernel's e1000e driver: frames both ways, with
# segmentation and with large frames.
#
# GENERIC_ROOT: where Debian's generic kernel package is unpacked (the cloud
# kernel lacks the driver).  Needs root for the tap; runs in a network namespace
# of its own.  What else it needs: functions.sh.
if [ "$(id -u)" = 0 ] && [ -z "${NIC_TEST_NETNS-}" ]; then
	NIC_TEST_NETNS=1 exec unshare -n -p -f --kill-child "$0" "$@"
fi
root=${GENERIC_ROOT-}
. "$(dirname "$0")/functions.sh"
[ "$(id -u)" = 0 ] || skip "needs root"
command -v socat >/dev/null || skip "needs socat"

mkdir "$dir/www"
dd if=/dev/urandom of="$dir/www/big" bs=64k count=32 2>/dev/null
ip link set lo up
ip tuntap add dev vtest mode tap vnet_hdr
ip link set vtest mtu 3000
ip addr add 192.0.2.1/24 dev vtest
ip link set vtest up
busybox httpd -f -p 8000 -h "$dir/www" &
pids=$!
socat -u TCP-LISTEN:8001 "OPEN:$dir/up,creat,trunc" &
pids="$pids $!"
"$here/mkinitrd" "$dir/initrd" "$root" "$here/e1000e.init" e1000e
machine --memory 512 --append "console=ttyS0 quiet" --tap vtest,e1000e ||
	fail "vireo-vmm: $?"

expect done yes
! complains || fail "the guest's kernel complains"
expect driver e1000e
expect mac 52:54:00:76:72:01
expect vectors 3
expect ping ok
expect big "$(sum <"$dir/www/big")"
expect large ok
# Its reader may be a moment behind.
n=0
until [ "$(sum <"$dir/up")" = "$(said up)" ]; do
	n=$((n + 1))
	[ $n -lt 600 ] || fail "what the guest sent did not arrive whole"
	sleep 0.1
done
# Segments were sent as one: far fewer frames than packets of 1500 bytes.
[ "$(said frames)" -lt 3000 ] || fail "$(said frames) frames were sent"
echo "e1000e with $engine: all right"
