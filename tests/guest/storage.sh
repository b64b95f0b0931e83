#!/bin/sh
# storage.sh ENGINE: a stock kernel's ahci, virtio_scsi, nvme, usb-storage, sd
# and sr drivers
# read, write, discard and eject, and what they say is compared with what the
# host has.
#
# GENERIC_ROOT: where Debian's generic kernel package is unpacked (the cloud
# kernel has no ahci).  What else it needs: functions.sh.
root=${GENERIC_ROOT-}
. "$(dirname "$0")/functions.sh"

image() { dd if=/dev/urandom of="$dir/$1" bs=1M count="$2" 2>/dev/null; }

image sata 4
image scsi 5
image nvme 6
image ro 3
image cd1 2
image cd2 1
image usb 7
image cd3 8
for d in sata scsi nvme ro cd1 cd2 usb cd3; do cp "$dir/$d" "$dir/$d.was"; done

# CDTRAY: the program, where there is no compiler.
if [ -n "${CDTRAY-}" ]; then
	cp "$CDTRAY" "$dir/cdtray"
else
	${CC:-cc} -O -static -o "$dir/cdtray" "$here/cdtray.c" ||
		skip "needs a compiler with a static libc"
fi
FILES=$dir/cdtray "$here/mkinitrd" "$dir/initrd" "$root" "$here/storage.init" scsi_common \
	scsi_mod crct10dif_common crct10dif_generic crc-t10dif crc64 \
	crc64-rocksoft t10-pi cdrom libata libahci ahci virtio_scsi nvme-core \
	nvme sd_mod sr_mod usb-common usbcore xhci-hcd xhci-pci usb-storage
start() {
	machine --memory 512 --cpus 2 --append "console=ttyS0 quiet $1" \
		--disk "$dir/sata,sata,serial=SATA-1" --disk "$dir/cd1,sata,cdrom" \
		--disk "$dir/scsi,scsi,serial=SCSI-1" \
		--disk "$dir/ro,scsi,ro" --disk "$dir/cd2,scsi,cdrom" \
		--disk "$dir/nvme,nvme,serial=NVME-1" \
		--disk "$dir/usb,usb,serial=USB-1" \
		--disk "$dir/cd3,usb,cdrom" || fail "vireo-vmm: $?"
	expect done yes
	! grep -q ^FAIL "$dir/serial" || fail "the guest found a fault"
}
start ""

zeroes=$(head -c 1048576 /dev/zero | sum)
for d in sata scsi nvme; do
	expect "$d-read" "$(sum <"$dir/$d.was")"
	expect "$d-parts" "$(head -c 4194304 "$dir/$d.was" | sum)"
	expect "$d-wrote" "$(dd if="$dir/$d" bs=64k skip=16 count=16 2>/dev/null | sum)"
	expect "$d-hole" "$zeroes"
	[ "$(dd if="$dir/$d" bs=1M skip=3 count=1 2>/dev/null | sum)" = "$zeroes" ] ||
		fail "what $d discarded is not zero on the host"
	[ "$(stat -c %b "$dir/$d")" -lt "$(stat -c %b "$dir/$d.was")" ] ||
		fail "$d: discard freed nothing"
	# Everything else is as it was.
	head -c 1048576 "$dir/$d" | cmp -s - "$dir/$d.was" -n 1048576 ||
		fail "$d: the first MiB changed"
done
expect sata-depth 32
expect sata-serial SATA-1
expect scsi-serial SCSI-1
expect nvme-serial NVME-1
expect scsi-cache "write back"
expect ro-flag 1
expect ro-read "$(sum <"$dir/ro.was")"
cmp "$dir/ro" "$dir/ro.was" || fail "the read-only disk changed"
# What is on USB has one disk and one drive, and nothing but a MiB changed.
expect usb-read "$(sum <"$dir/usb.was")"
expect usb-parts "$(head -c 4194304 "$dir/usb.was" | sum)"
expect usb-wrote "$(dd if="$dir/usb" bs=64k skip=16 count=16 2>/dev/null | sum)"
[ "$(tail -c +2097153 "$dir/usb" | sum)" = "$(tail -c +2097153 "$dir/usb.was" | sum)" ] ||
	fail "usb: what nobody wrote changed"
expect usb-serial USB-1
expect usb-driver 2
for cd in 4096:cd1 2048:cd2 16384:cd3; do
	expect "cd-${cd%:*}" "$(sum <"$dir/${cd#*:}")"
	expect "cd-${cd%:*}-status" 2 # CDS_TRAY_OPEN
	expect "cd-${cd%:*}-again" "$(sum <"$dir/${cd#*:}")"
done
# Drivers that may not use message-signalled interrupts.
for d in sata nvme usb; do sum <"$dir/$d" >"$dir/$d.sum"; done
start pci=nomsi
for d in sata nvme usb; do
	expect "$d-read" "$(cat "$dir/$d.sum")"
	[ "$(head -c 1048576 "$dir/$d" | sum)" = "$zeroes" ] ||
		fail "$d was not written without messages"
done
expect cd-4096 "$(sum <"$dir/cd1")"
expect messages 0
for d in ahci nvme xhci; do expect "$d-wires" 1; done
echo "storage with $engine: all right"
