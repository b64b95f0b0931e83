#!/bin/bash
# tests/lab/vfio.sh -- the host's PCI devices in a KVM guest: an NVMe disk, a
# virtual function of a network card and two devices of two functions, in a
# nested VM that has an IOMMU and these.  ENGINES=all: on the emulator, too; that
# takes long.
. "$(dirname "$0")/functions.sh"
[ -x "$BUILD/vireod" ] || skip "no $BUILD/vireod"
dir=$(mktemp -d "$BUILD/vfio.XXXXXX")
trap 'rm -rf "$dir"' EXIT

# The guest's kernel is the lab's, which has drivers for what is passed through.
cache=${LAB_CACHE:-$HOME/.cache/vireo-lab}
"$here/lab" --igb --build || skip "the lab cannot be built"
GUEST_ROOT=$cache/kernel-amd64
kernel=$(echo "$GUEST_ROOT"/boot/vmlinuz-*)
version=${kernel##*/vmlinuz-}
modules=$(for m in nvme igbvf; do
	modprobe -d "$GUEST_ROOT" -S "$version" -D $m
done | sed -n 's|^insmod .*/\([^/]*\)\.ko.*|\1|p' | awk '!seen[$0]++' |
	grep -v crct10dif-pclmul)
# shellcheck disable=SC2086
"$top/tests/guest/mkinitrd" "$dir/initrd" "$GUEST_ROOT" "$here/vfio.init" \
	$modules || exit 1

# A disk of which each block is another.
seq -f 'block %030.0f of a disk that belongs to the host' 300000 |
	head -c 16M >"$dir/disk"

disk="--qemu -device --qemu pcie-root-port,id=rp_disk,chassis=13,slot=13
	--qemu -drive --qemu if=none,id=disk,file=$dir/disk,format=raw
	--qemu -device --qemu nvme,bus=rp_disk,serial=passed,drive=disk
	--qemu -device --qemu pcie-root-port,id=rp_a,chassis=14,slot=14
	--qemu -device --qemu e1000e,bus=rp_a,addr=0.0,multifunction=on
	--qemu -device --qemu e1000e,bus=rp_a,addr=0.1
	--qemu -device --qemu pcie-root-port,id=rp_b,chassis=15,slot=15
	--qemu -device --qemu qemu-xhci,bus=rp_b,addr=0.0,multifunction=on
	--qemu -device --qemu e1000e,bus=rp_b,addr=0.1"
LAB_APPEND=nowatchdog LAB_OPTIONS="--timeout 1150 --iommu --igb $disk" in_lab env BUILD="$BUILD" ENGINES="${ENGINES-}" \
	KERNEL="$kernel" INITRD="$dir/initrd" \
	SUM="$(sha256sum <"$dir/disk")" "$here/vfio.inside"
