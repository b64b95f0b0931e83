#!/bin/bash
# tests/cli/img-foreign.sh -- images of other programs' formats, as qemu-img
# writes them, are read; what cannot be read is an error that says why.
. "$(dirname "$0")/img-functions.sh"
needs qemu-img

seq 1 400000 >disk
truncate -s 40M disk
qemu-io -f raw -c 'write -P 7 20M 70k' -c 'write -P 8 41939456 512' disk >/dev/null

while read -r format options; do
	what="$format $options"
	rm -f image
	qemu-img convert -f raw -O $format ${options:+-o "$options"} disk image
	"$img" compare -q -f $format -F raw image disk || fail "$what: differs"
	"$img" convert -f $format -O qcow2 image ours
	qemu-img check -q ours || fail "$what: a damaged copy"
	qemu-img compare -q -f qcow2 -F raw ours disk || fail "$what: the copy differs"
	[ "$("$img" info -f $format --output json image | grep -m1 -o '"virtual-size": [0-9]*')" = \
	  "$(qemu-img info -f $format --output json image | grep -m1 -o '"virtual-size": [0-9]*')" ] ||
		fail "$what: its size"
	case $options in
	*fixed*) ;;
	*) "$img" info image | grep -qx "file format: $format" ||
		fail "$what: not known" ;;
	esac
	! "$img" resize -q -f $format image +1M 2>/dev/null || fail "$what: written"
	truncate -s 300 image
	! "$img" info -f $format image >out 2>&1 || fail "$what: cut off, and opened"
	grep -q "Could not open 'image': " out || fail "$what: $(cat out)"
done <<'END'
vdi
vdi static=on
vpc force_size=on
vpc subformat=fixed,force_size=on
vhdx
vhdx block_size=1M
vhdx subformat=fixed
vmdk
vmdk subformat=streamOptimized
END

qemu-img convert -f raw -O vpc disk image
"$img" convert -f vpc -O raw image ours
qemu-img convert -f vpc -O raw image theirs
cmp ours theirs || fail "vpc: its geometry"
qemu-img create -q -f vmdk base.vmdk 4M
qemu-img create -q -f vmdk -b base.vmdk -F vmdk top.vmdk
# Between it and the disk: an image of ours.
qemu-img create -q -f qcow2 -b image -F vpc over
qemu-io -c 'write -P 9 1M 1M' over >/dev/null
"$img" convert -O raw over ours
qemu-img convert -O raw over theirs
cmp ours theirs || fail "qcow2 over vpc"

! "$img" create -q -f vdi new 1M 2>/dev/null || fail "vdi: made"
! "$img" measure -O vdi --size 1M 2>/dev/null || fail "vdi: measured"
r=0
"$img" check -f vmdk base.vmdk 2>/dev/null || r=$?
[ $r = 63 ] || fail "vmdk: checked"
! "$img" info top.vmdk 2>err || fail "vmdk: its base was not missed"
grep -q 'based on another image' err || fail "vmdk: $(cat err)"
