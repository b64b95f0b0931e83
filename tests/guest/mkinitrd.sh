#!/bin/sh
# mkinitrd.sh OUT ROOT INIT: an initrd with busybox, the virtio modules of the
# kernel unpacked under ROOT, and the script INIT as /init.
set -eu
out=$1 root=$2 init=$3
busybox=$(command -v busybox) || exit 77
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/bin" "$dir/mod" "$dir/dev" "$dir/proc" "$dir/sys"
cp "$busybox" "$dir/bin/busybox"
cp "$init" "$dir/init"
chmod 755 "$dir/init"
n=10
# In the order of their dependencies.
for m in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev \
	virtio_pci virtio_blk failover net_failover virtio_net \
	virtio_console virtio-rng virtio_balloon; do
	ko=$(find "$root/lib/modules" -name "$m.ko" | head -n 1)
	[ -n "$ko" ] || { echo "no module $m" >&2; exit 1; }
	cp "$ko" "$dir/mod/$n-$m.ko"
	n=$((n + 1))
done
(cd "$dir" && find . | "$busybox" cpio -o -H newc 2>/dev/null) | gzip -1 >"$out"
