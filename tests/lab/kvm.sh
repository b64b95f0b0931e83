#!/bin/bash
# tests/lab/kvm.sh -- a domain of type='kvm' from its definition to its end,
# with the daemon, stock virsh and a stock Debian kernel, on real (nested) KVM.
. "$(dirname "$0")/functions.sh"
[ -x "$BUILD/vireod" ] || skip "no $BUILD/vireod"
make_initrd "$BUILD/lab-initrd" || exit 1
LAB_OPTIONS='--smp 2' in_lab env BUILD="$BUILD" KERNEL="$kernel" \
	INITRD="$BUILD/lab-initrd" "$here/kvm.inside"
