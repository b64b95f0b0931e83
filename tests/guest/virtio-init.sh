#!/bin/busybox sh
# The guest's half of tests/guest/virtio.sh: says on the serial console what
# it finds, one "NAME: VALUE" a line.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
echo 2 >/proc/sys/kernel/printk
for m in /mod/*; do insmod "$m" || echo "FAIL: insmod $m"; done
# Ports appear after the driver and the device have talked.
n=0
until [ -b /dev/vda ] && [ -c /dev/hvc0 ] && [ -c /dev/hwrng ]; do
	n=$((n + 1))
	[ $n -lt 60 ] || break
	sleep 1
done
sum() { md5sum | cut -d ' ' -f 1; }

echo "disk-read: $(dd if=/dev/vda bs=64k count=64 2>/dev/null | sum)"
dd if=/dev/urandom of=/data bs=64k count=16 2>/dev/null
dd if=/data of=/dev/vda bs=64k seek=8 conv=fsync 2>/dev/null || echo "FAIL: write"
echo "disk-wrote: $(sum </data)"
echo "disk-size: $(cat /sys/block/vda/size)"
echo "disk-ro: $(cat /sys/block/vdb/ro)"
dd if=/data of=/dev/vdb bs=64k 2>/dev/null && echo "FAIL: wrote a read-only disk"

echo "rng-name: $(cat /sys/class/misc/hw_random/rng_current)"
echo "rng-bytes: $(dd if=/dev/hwrng bs=1k count=4 iflag=fullblock 2>/dev/null | wc -c)"

exec 5<>/dev/hvc0
stty raw -echo <&5
echo "from the guest" >&5
read -r -t 60 line <&5
echo "console-in: $line"

ip link set eth0 up
ip addr add 192.0.2.2/24 dev eth0
echo "net-mac: $(cat /sys/class/net/eth0/address)"
ping -c 3 -W 20 192.0.2.1 >/dev/null && echo "net-ping: ok"
echo "net-big: $(wget -q -O - http://192.0.2.1:8000/big | sum)"

for d in /sys/bus/virtio/devices/*; do
	echo "driver: $(basename "$(readlink "$d/driver")") $(cat "$d/status")"
done
echo "done: yes"
poweroff -f
