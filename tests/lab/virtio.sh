#!/bin/bash
# virtio.sh: tests/guest/virtio.sh on real (nested) KVM, in the lab.
#
# GUEST_ROOT: an unpacked Debian kernel package (default: fetched into
# $CACHE).  BUILD: the build folder.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../scripts/functions.sh"
top=$(cd "$here/../.." && pwd) # the file takes it from where scripts/ are
BUILD=${BUILD:-$PWD}
vmm=${VMM:-$BUILD/vireo-vmm}

skip() {
	echo "skipped: $*"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root"
for tool in mmdebstrap qemu-system-x86_64 mke2fs cpio busybox; do
	command -v $tool >/dev/null || skip "needs $tool"
done
[ -x "$vmm" ] || skip "no $vmm"
! ldd "$vmm" | grep -q libasan || skip "the lab has no sanitizers"
if [ -z "${GUEST_ROOT-}" ]; then
	kernel=$(get_kernel "${CACHE:-$BUILD/kernel}")
	GUEST_ROOT=${kernel%/boot/*}
fi
[ -d "$GUEST_ROOT/lib/modules" ] || skip "no kernel with modules"

exec "$here/lab" --kvm --mem 1024 --timeout 400 --share "$top" \
	--share "$BUILD" --share "$GUEST_ROOT" -- \
	env VMM="$vmm" GUEST_ROOT="$GUEST_ROOT" "$top/tests/guest/virtio.sh" kvm
