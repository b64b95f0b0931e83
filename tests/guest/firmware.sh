#!/bin/sh
# firmware.sh [ENGINE...] -- Debian's unmodified SeaBIOS and OVMF on q35: each
# starts GRUB from the disk that mkdisk makes, GRUB starts Debian, and Debian
# shows a login prompt on the serial port.
#
# The disk is made once (DISK: where it is kept), and the guest writes to a
# copy.  OVMF keeps what it learned: its second start must find the variables
# of the first.  WHAT: "seabios", "ovmf" or both.
vmm=$(realpath "${VMM:-${builddir:-.}/vireo-vmm}")
here=$(cd "$(dirname "$0")" && pwd)
engines=${*:-${GUEST_ENGINE:-emu}}
disk=${DISK:-${XDG_CACHE_HOME:-$HOME/.cache}/vireo/firmware-disk.img}
seabios=${SEABIOS:-/usr/share/seabios/bios-256k.bin}
ovmf=${OVMF:-/usr/share/OVMF/OVMF_CODE_4M.fd}
vars=${OVMF_VARS:-/usr/share/OVMF/OVMF_VARS_4M.fd}
what=${WHAT:-seabios ovmf}
[ -x "$vmm" ] || { echo "needs VMM"; exit 77; }
for f in "$seabios" "$ovmf" "$vars"; do
	[ -e "$f" ] || { echo "needs $f"; exit 77; }
done
if [ ! -e "$disk" ]; then
	command -v mmdebstrap >/dev/null && [ "$(id -u)" = 0 ] ||
		{ echo "needs mmdebstrap and root, or DISK"; exit 77; }
	VMM=$vmm "$here/mkdisk" "$disk" || exit 99
fi
tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/firmware.XXXXXX") || exit 99
pid=
trap '[ -z "$pid" ] || kill $pid 2>/dev/null; rm -rf "$tmp"' EXIT
fail() {
	echo "FAIL: $*"
	tail -c 2000 "$tmp/out"
	exit 1
}

# until_prompt NAME OPTION...: runs a machine until it asks who is there.
until_prompt() {
	name=$1
	shift
	: >"$tmp/out"
	start=$(date +%s)
	"$vmm" --memory 512 --timeout "${TIMEOUT:-900}" --no-reboot \
		--serial "file:$tmp/out" "$@" </dev/null 2>"$tmp/err" &
	pid=$!
	while ! grep -aq 'vireo-guest login:' "$tmp/out"; do
		kill -0 $pid 2>/dev/null ||
			{ wait $pid; fail "$name: ended with $?: $(cat "$tmp/err")"; }
		sleep 1
	done
	kill $pid
	wait $pid
	pid=
	grep -aq 'Loading vmlinuz' "$tmp/out" || fail "$name: not by GRUB"
	echo "ok: $name ($(($(date +%s) - start)) s)"
}

fresh_disk() {
	cp --sparse=always "$disk" "$tmp/disk" || exit 99
}

for engine in $engines; do
	case $what in *seabios*)
		fresh_disk
		until_prompt "SeaBIOS, $engine" --engine "$engine" \
			--firmware "$seabios" --disk "$tmp/disk"
		grep -aq SeaBIOS "$tmp/out" || fail "SeaBIOS does not show"
		;;
	esac
	case $what in *ovmf*)
		fresh_disk
		cp "$vars" "$tmp/vars" || exit 99
		until_prompt "OVMF, $engine" --engine "$engine" \
			--firmware "$ovmf" --nvram "$tmp/vars" \
			--disk "$tmp/disk"
		cmp -s "$vars" "$tmp/vars" && fail "no variable was kept"
		# A boot entry of its own, by its name in UCS-2.
		tr -d '\0' <"$tmp/vars" | grep -aq 'UEFI Misc Device' ||
			fail "no boot entry for the disk"
		;;
	esac
done
