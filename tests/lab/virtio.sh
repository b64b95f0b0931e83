#!/bin/bash
# tests/lab/virtio.sh -- tests/guest/virtio.sh on real (nested) KVM.
. "$(dirname "$0")/functions.sh"
programs=$(mktemp -d "$BUILD/programs.XXXXXX")
trap 'rm -rf "$programs"' EXIT
for p in vsock nic; do
	"${CC:-cc}" -O -static -o "$programs/$p" "$top/tests/guest/$p.c" ||
		exit 1
done
# The kernel's own sockets and network cards, too.
LAB_OPTIONS='--smp 2' in_lab env PROGRAMS="$programs" VMM="${VMM:-$BUILD/vireo-vmm}" GUEST_ROOT="$GUEST_ROOT" \
	sh -c 'modprobe -a vhost_vsock vhost_net && exec "$0" kvm' \
	"$top/tests/guest/virtio.sh"
