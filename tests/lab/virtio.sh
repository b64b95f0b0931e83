#!/bin/sh
# virtio.sh: tests/guest/virtio.sh on real (nested) KVM, in the lab.  Run from
# the build folder; GUEST_ROOT: an unpacked Debian kernel package.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
[ -d "${GUEST_ROOT:-}/lib/modules" ] || { echo "needs GUEST_ROOT"; exit 77; }
exec "$here/lab" --kvm --mem 1024 --timeout 400 --share "$top" \
	--share "$GUEST_ROOT" -- env VMM="${VMM:-$PWD/vireo-vmm}" \
	GUEST_ROOT="$GUEST_ROOT" "$top/tests/guest/virtio.sh" kvm
