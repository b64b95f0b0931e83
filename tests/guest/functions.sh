# tests/guest/functions.sh -- sourced by the tests beside it that start a stock
# kernel: what they need, where their files are, and how the guest is asked.
# Sets engine (the first argument, or GUEST_ENGINE), here, vmm, root and dir.
#
# GUEST_ROOT: where a Debian kernel package is unpacked (boot/, lib/modules/).
# A test that needs another kernel sets root before.  VMM: the program, default
# vireo-vmm of the build folder.  GUEST_TIMEOUT: seconds for one run.
set -eu
engine=${1:-${GUEST_ENGINE-}}
here=$(cd "$(dirname "$0")" && pwd)
vmm=${VMM:-${BUILD:-$PWD}/vireo-vmm}
root=${root-${GUEST_ROOT-}}

skip() { echo "skipped: $*"; exit 77; }
[ -n "$engine" ] || skip "needs ENGINE"
[ -x "$vmm" ] || skip "needs VMM"
[ -d "$root/lib/modules" ] || skip "needs an unpacked kernel package"

# Ended with the test, if it has any: the ids of processes.
pids=
dir=$(mktemp -d)
at_end() {
	# shellcheck disable=SC2086
	[ -z "$pids" ] || kill -9 $pids 2>/dev/null || true
	rm -rf "$dir"
}
trap at_end EXIT

fail() {
	echo "FAIL: $*"
	tail -n 80 "$dir/serial" "$dir/vmm.log" 2>/dev/null
	exit 1
}

# machine OPTION...: with the kernel and $dir/initrd, until it ends.
machine() {
	rm -f "$dir/serial"
	"$vmm" --engine "$engine" --kernel "$root"/boot/vmlinuz-* \
		--initrd "$dir/initrd" --serial "file:$dir/serial" \
		--timeout "${GUEST_TIMEOUT:-300}" "$@" \
		</dev/null 2>"$dir/vmm.log"
}

# What the guest said last behind "NAME: ".
said() { sed -n "s/^$1: //p" "$dir/serial" | tr -d '\r\0' | tail -n 1; }
expect() { [ "$(said "$1")" = "$2" ] || fail "$1 is '$(said "$1")', not '$2'"; }
complains() {
	grep -Eq "BUG:|Oops|Call Trace|WARNING: CPU" "$dir/serial"
}
sum() { md5sum | cut -d ' ' -f 1; }
