#!/bin/sh
# display.sh: graphics cards and input devices under Debian's generic kernel,
# see display.py.  GENERIC_ROOT: where its package is unpacked.
here=$(cd "$(dirname "$0")" && pwd)
result=0
for inputs in ps2 usb virtio; do
	case $inputs in
	usb) video=virtio ;; # the other boots have other cards
	virtio) video=virtio-vga ;;
	*) video=bochs ;;
	esac
	"$here/display.py" "${1:-${GUEST_ENGINE-}}" $video $inputs || result=$?
done
exit $result
