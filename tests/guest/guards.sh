#!/bin/sh
# guards.sh ENGINE: a stock kernel's i6300esb and pvpanic drivers: a watchdog
# that is fed, switched off and left alone, and a panic.
#
# GENERIC_ROOT: where Debian's generic kernel package is unpacked (the cloud
# kernel has no watchdog).  VMM: the program, default vireo-vmm of the build
# folder.
set -eu
engine=${1:-${GUEST_ENGINE-}}
here=$(cd "$(dirname "$0")" && pwd)
vmm=${VMM:-${BUILD:-$PWD}/vireo-vmm}
root=${GENERIC_ROOT:-}
if [ -z "$engine" ] || [ ! -x "$vmm" ] || [ ! -d "$root/lib/modules" ]; then
	echo "needs ENGINE, VMM and GENERIC_ROOT"
	exit 77
fi

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
fail() {
	echo "FAIL: $*"
	cat "$dir/serial" "$dir/vmm.log" 2>/dev/null
	exit 1
}
said() { sed -n "s/^$1: //p" "$dir/serial" | tr -d '\r' | tail -n 1; }
expect() { [ "$(said "$1")" = "$2" ] || fail "$1 is '$(said "$1")', not '$2'"; }
# run STATUS APPEND OPTION...
run() {
	want=$1 append=$2 status=0
	shift 2
	rm -f "$dir/serial"
	"$vmm" --engine "$engine" --memory 512 --kernel "$root"/boot/vmlinuz-* \
		--initrd "$dir/initrd" --append "console=ttyS0 quiet $append" \
		--serial "file:$dir/serial" --timeout "${GUEST_TIMEOUT:-120}" \
		"$@" </dev/null 2>"$dir/vmm.log" || status=$?
	! grep -q ^FAIL "$dir/serial" || fail "the guest found a fault"
	[ $status = "$want" ] || fail "vireo-vmm: $status, not $want"
}

"$here/mkinitrd" "$dir/initrd" "$root" "$here/guards.init" watchdog i6300esb \
	pvpanic pvpanic-pci

run 0 do=expire --watchdog poweroff
expect identity "i6300ESB timer"
expect fed yes
expect alive ""
# A reset: the new kernel learns why.
run 0 do=expire --watchdog reset
expect again yes
expect bootstatus 32 # WDIOF_CARDRESET
run 0 do=stop --watchdog poweroff
expect stopped yes
expect alive yes
run 2 do=panic --pvpanic-pci
expect alive ""
echo "guards with $engine: all right"
