#!/bin/bash
# tests/lab/lun.sh -- a SCSI unit of the host's (scsi_debug's) in a KVM guest.
. "$(dirname "$0")/functions.sh"
[ -x "$BUILD/vireod" ] || skip "no $BUILD/vireod"
"$top/tests/guest/mkinitrd" "$BUILD/lab-lun-initrd" "$GUEST_ROOT" \
	"$here/lun.init" scsi_common scsi_mod crct10dif_common \
	crct10dif_generic crc-t10dif crc64 crc64-rocksoft t10-pi virtio_scsi \
	sd_mod || exit 1
in_lab env BUILD="$BUILD" KERNEL="$kernel" INITRD="$BUILD/lab-lun-initrd" \
	"$here/lun.inside"
