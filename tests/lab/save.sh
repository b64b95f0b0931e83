#!/bin/bash
# tests/lab/save.sh -- tests/guest/save.sh on real (nested) KVM.
. "$(dirname "$0")/functions.sh"
in_lab env VMM="${VMM:-$BUILD/vireo-vmm}" GUEST_ROOT="$GUEST_ROOT" \
	TMPDIR=/tmp CPUS=1 "$top/tests/guest/save.sh" --runs 3 kvm
