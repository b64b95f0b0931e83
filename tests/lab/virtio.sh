#!/bin/bash
# tests/lab/virtio.sh -- tests/guest/virtio.sh on real (nested) KVM.
. "$(dirname "$0")/functions.sh"
in_lab env VMM="${VMM:-$BUILD/vireo-vmm}" GUEST_ROOT="$GUEST_ROOT" \
	"$top/tests/guest/virtio.sh" kvm
