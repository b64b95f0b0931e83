# tests/lab/functions.sh -- sourced by the tests beside it: what they need
# outside the lab.  Sets top, BUILD, GUEST_ROOT and kernel.
#
# GUEST_ROOT: an unpacked Debian kernel package (default: fetched into
# $CACHE).  BUILD: the build folder.
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/../../scripts/functions.sh"
top=$(cd "$here/../.." && pwd) # the file takes it from where scripts/ are
export BUILD="${BUILD:-$PWD}"

skip() {
	echo "skipped: $*"
	exit 77
}
[ "$(id -u)" = 0 ] || skip "needs root"
for tool in mmdebstrap qemu-system-x86_64 mke2fs cpio busybox; do
	command -v $tool >/dev/null || skip "needs $tool"
done
[ -x "$BUILD/vireo-vmm" ] || skip "no $BUILD/vireo-vmm"
! ldd "$BUILD/vireo-vmm" | grep -q libasan || skip "the lab has no sanitizers"
if [ -z "${GUEST_ROOT-}" ]; then
	kernel=$(get_kernel "${CACHE:-$BUILD/kernel}")
	GUEST_ROOT=${kernel%/boot/*}
fi
kernel=$(ls "$GUEST_ROOT"/boot/vmlinuz-* | head -n 1)
[ -d "$GUEST_ROOT/lib/modules" ] || skip "no kernel with modules"

# in_lab COMMAND...: in a nested VM with KVM that sees the tree, the build and
# the kernel at their own paths.
in_lab() {
	"$here/lab" --kvm --mem 1024 --timeout 500 ${LAB_OPTIONS-} --share "$top" \
		--share "$BUILD" --share "$GUEST_ROOT" -- "$@"
}
