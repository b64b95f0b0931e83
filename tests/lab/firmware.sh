#!/bin/bash
# tests/lab/firmware.sh -- Debian's SeaBIOS on (nested) KVM starts
# Debian from a disk, as tests/guest/firmware.sh does on the emulator, up to the
# kernel's first words: all of Debian takes a quarter of an hour in there.  OVMF
# (WHAT=ovmf) makes the lab's own QEMU abort, 7.2 and 10 alike: an assertion in
# its emulation of nested SVM.
#
# DISK: a disk made by tests/guest/mkdisk (default: made once, in the cache).
. "$(dirname "$0")/functions.sh"
DISK=${DISK:-${XDG_CACHE_HOME:-$HOME/.cache}/vireo/firmware-disk.img}
dir=$BUILD/lab-firmware
for f in /usr/share/seabios/bios-256k.bin /usr/share/OVMF/OVMF_CODE_4M.fd \
	/usr/share/OVMF/OVMF_VARS_4M.fd; do
	[ -e "$f" ] || skip "no $f"
	mkdir -p "$dir"
	cp "$f" "$dir" || exit 99
done
VMM=$BUILD/vireo-vmm "$top/tests/guest/mkdisk" "$DISK" || exit 99
LAB_OPTIONS="--mem 2048 --timeout 1500 --share $(dirname "$DISK")" in_lab env \
	VMM="$BUILD/vireo-vmm" DISK="$DISK" TIMEOUT=700 TMPDIR=/dev/shm \
	SEABIOS="$dir/bios-256k.bin" OVMF="$dir/OVMF_CODE_4M.fd" \
	OVMF_VARS="$dir/OVMF_VARS_4M.fd" WHAT="${WHAT:-seabios}" \
	UNTIL="${UNTIL:-Linux version}" \
	"$top/tests/guest/firmware.sh" kvm
