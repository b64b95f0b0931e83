#!/bin/sh
# guards.sh ENGINE: a stock kernel's i6300esb and pvpanic drivers: a watchdog
# that is fed, switched off and left alone, and a panic.
#
# GENERIC_ROOT: where Debian's generic kernel package is unpacked (the cloud
# kernel has no watchdog).  GUARDS: some of "expire reset stop panic", for less.
# What else it needs: functions.sh.
root=${GENERIC_ROOT-}
. "$(dirname "$0")/functions.sh"

# run STATUS APPEND OPTION...
run() {
	want=$1 append=$2 status=0
	shift 2
	machine --memory 512 --append "console=ttyS0 quiet $append" "$@" ||
		status=$?
	! grep -q ^FAIL "$dir/serial" || fail "the guest found a fault"
	[ $status = "$want" ] || fail "vireo-vmm: $status, not $want"
}

"$here/mkinitrd" "$dir/initrd" "$root" "$here/guards.init" watchdog i6300esb \
	pvpanic pvpanic-pci

what=${GUARDS:-expire reset stop panic}
wanted() { case " $what " in *" $1 "*) ;; *) return 1 ;; esac; }
if wanted expire; then
	run 0 do=expire --watchdog poweroff
	expect identity "i6300ESB timer"
	expect fed yes
	expect alive ""
fi
if wanted reset; then
	# The new kernel learns why.
	run 0 do=expire --watchdog reset
	expect again yes
	expect bootstatus 32 # WDIOF_CARDRESET
fi
if wanted stop; then
	run 0 do=stop --watchdog poweroff
	expect stopped yes
	expect alive yes
fi
if wanted panic; then
	run 2 do=panic --pvpanic-pci
	expect alive ""
fi
echo "guards with $engine: all right"
