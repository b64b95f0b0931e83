#!/bin/bash
# tests/lab/virtio.sh -- tests/guest/virtio.sh on real (nested) KVM.
. "$(dirname "$0")/functions.sh"
vsock=$(mktemp -d "$BUILD/vsock.XXXXXX")
trap 'rm -rf "$vsock"' EXIT
"${CC:-cc}" -O -static -o "$vsock/vsock" "$top/tests/guest/vsock.c" || exit 1
# The kernel's own sockets, too.
in_lab env VSOCK="$vsock/vsock" VMM="${VMM:-$BUILD/vireo-vmm}" GUEST_ROOT="$GUEST_ROOT" \
	sh -c 'modprobe vhost_vsock && exec "$0" kvm' \
	"$top/tests/guest/virtio.sh"
