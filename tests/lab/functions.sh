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

# unpacked ROOT: a folder beside the build like that of a kernel package, with
# the kernel unpacked, which takes seconds of each boot in the lab.
unpacked() {
	_dir=$BUILD/lab-$(basename "$(ls "$1"/boot/vmlinuz-* | head -n 1)")
	mkdir -p "$_dir/boot" "$_dir/lib" && rm -f "$_dir/lib/modules" &&
		ln -s "$1/lib/modules" "$_dir/lib/modules" || return
	for _k in "$1"/boot/vmlinuz-*; do
		_elf=$_dir/boot/$(basename "$_k")
		[ "$_elf" -nt "$_k" ] || "$here/unpack-kernel" "$_k" "$_elf" ||
			return
	done
	echo "$_dir"
}

# once_in_lab COMMAND...: in a nested VM with KVM that sees the tree, the build
# and the kernel at their own paths.
once_in_lab() {
	"$here/lab" --kvm --mem 1024 --timeout 500 ${LAB_OPTIONS-} --share "$top" \
		--share "$BUILD" --share "$GUEST_ROOT" -- "$@"
}

# What tests by hand have in the lab besides.
by_hand_packages=python3-libvirt,swtpm,swtpm-tools,ovmf

# in_lab COMMAND...: the same, and once more if a kernel panicked.  The
# emulated nested KVM does that to a guest once in some hundred boots: its
# registers then hold addresses of the lab's own kernel, which no program in
# the lab can know (README.md).  A second panic is a failure.
in_lab() {
	_log=$(mktemp)
	once_in_lab "$@" 2>&1 | tee "$_log"
	_status=${PIPESTATUS[0]}
	if [ "$_status" != 0 ] && grep -q 'Kernel panic' "$_log"; then
		echo "a kernel panicked in the lab: once more"
		once_in_lab "$@"
		_status=$?
	fi
	rm -f "$_log"
	return "$_status"
}
