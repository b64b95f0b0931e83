#!/bin/sh
# firmware.sh [ENGINE...] -- Debian's unmodified SeaBIOS and OVMF on q35: each
# starts GRUB from the disk that mkdisk makes, GRUB starts Debian, and Debian
# shows a login prompt on the serial port.  So does OVMF's secure boot build,
# which sets up system management mode, on the emulator; with Microsoft's keys
# enrolled it refuses the unsigned GRUB.  SeaBIOS also boots Debian's
# grub-rescue from a CD-ROM, and runs iPXE from a network card's option ROM.  Of
# the guests that log in, those of SeaBIOS and of the secure boot build suspend
# themselves to RAM before, and wake up by a key.
#
# The disk is made once (DISK: where it is kept), and the guest writes to a
# copy.  What OVMF learned must be in the file of its variables.  WHAT: some of
# "seabios ovmf secboot keys cdrom pxe".  UNTIL: the words to wait for instead of
# the login prompt.
vmm=$(realpath "${VMM:-${builddir:-.}/vireo-vmm}")
here=$(cd "$(dirname "$0")" && pwd)
engines=${*:-${GUEST_ENGINE:-emu}}
disk=${DISK:-${XDG_CACHE_HOME:-$HOME/.cache}/vireo/firmware-disk.img}
seabios=${SEABIOS:-/usr/share/seabios/bios-256k.bin}
ovmf=${OVMF:-/usr/share/OVMF/OVMF_CODE_4M.fd}
vars=${OVMF_VARS:-/usr/share/OVMF/OVMF_VARS_4M.fd}
secboot=${OVMF_SECBOOT:-/usr/share/OVMF/OVMF_CODE_4M.secboot.fd}
keys=${OVMF_KEYS:-/usr/share/OVMF/OVMF_VARS_4M.ms.fd}
cdrom=${GRUB_RESCUE:-/usr/lib/grub-rescue/grub-rescue-cdrom.iso}
ipxe=${IPXE:-/usr/lib/ipxe/qemu/pxe-virtio.rom}
what=${WHAT:-seabios ovmf secboot keys cdrom pxe}
[ -x "$vmm" ] || { echo "needs VMM"; exit 77; }
for f in "$seabios" "$ovmf" "$vars"; do
	[ -e "$f" ] || { echo "needs $f"; exit 77; }
done
if [ ! -e "$disk" ]; then
	command -v mmdebstrap >/dev/null && [ "$(id -u)" = 0 ] ||
		{ echo "needs mmdebstrap and root, or DISK"; exit 77; }
	VMM=$vmm "$here/mkdisk" "$disk" || exit 99
fi
# The tap is made where nobody else's are.
[ -n "${IN_NETNS-}" ] || [ "$(id -u)" != 0 ] ||
	IN_NETNS=1 exec unshare -n sh "$0" "$@"
tmp=$(mktemp -d "${TMPDIR:-/var/tmp}/firmware.XXXXXX") || exit 99
pid= presses=
trap '[ -z "$pid" ] || kill $pid $presses 2>/dev/null; ip link del vfw0 2>/dev/null
	rm -rf "$tmp"' EXIT
fail() {
	echo "FAIL: $*"
	tail -c 2000 "$tmp/out"
	exit 1
}

# until_says TEXT NAME OPTION...: runs a machine until its serial port says so.
until_says() {
	text=$1 name=$2
	shift 2
	: >"$tmp/out"
	start=$(date +%s)
	"$vmm" --memory 512 --timeout "${TIMEOUT:-900}" --no-reboot \
		--serial "file:$tmp/out" "$@" </dev/null 2>"$tmp/err" &
	pid=$!
	while ! grep -aq "$text" "$tmp/out"; do
		kill -0 $pid 2>/dev/null ||
			{ wait $pid; fail "$name: ended with $?: $(cat "$tmp/err")"; }
		sleep 1
	done
	kill $pid
	wait $pid
	pid=
	echo "ok: $name ($(($(date +%s) - start)) s)"
}

# The same until it asks who is there.
until_prompt() {
	until_says "${UNTIL:-vireo-guest login:}" "$@"
	grep -aq 'Loading vmlinuz' "$tmp/out" || fail "$1: not by GRUB"
}

wanted() { # WORD FILE...: is it to be tested, and can it be?
	case " $what " in *" $1 "*) ;; *) return 1 ;; esac
	word=$1
	shift
	for f; do
		[ -e "$f" ] || { echo "skipped: $word, no $f"; return 1; }
	done
}

fresh_disk() {
	cp --sparse=always "$disk" "$tmp/disk" || exit 99
}

# A disk whose system sleeps as soon as it is up.
sleepy_disk() {
	fresh_disk
	cat >"$tmp/sleepy" <<-'END'
		[Service]
		Type=oneshot
		ExecStart=/bin/sh -c 'grep -q .deep. /sys/power/mem_sleep'
		ExecStart=/bin/sh -c 'echo mem >/sys/power/state'
		ExecStart=/bin/sh -c 'echo slept and woke up >/dev/ttyS0'
	END
	set -- $(sfdisk -d "$tmp/disk" | tr -d , |
		sed -n 's/.*disk3 : start= *\([0-9]*\) size= *\([0-9]*\) .*/\1 \2/p')
	dd if="$tmp/disk" of="$tmp/root" bs=1M skip=$(($1 / 2048)) \
		count=$(($2 / 2048)) conv=sparse status=none
	e2fsck -fp "$tmp/root" >"$tmp/e2fsck" 2>&1 # or its journal undoes it
	debugfs -w -f - "$tmp/root" >"$tmp/debugfs" 2>&1 <<-END
		cd /etc/systemd/system
		write $tmp/sleepy sleepy.service
		cd multi-user.target.wants
		symlink sleepy.service ../sleepy.service
	END
	dd if="$tmp/root" of="$tmp/disk" bs=1M seek=$(($1 / 2048)) \
		conv=notrunc status=none
	rm "$tmp/root"
}

# until_woken NAME OPTION...
until_woken() {
	rm -f "$tmp/vnc"
	"$here/presses.py" "$tmp/vnc" &
	presses=$!
	UNTIL='slept and woke up' until_prompt "$@" --vnc "$tmp/vnc"
	wait $presses
	presses=
}

for engine in $engines; do
	if wanted seabios; then
		sleepy_disk
		until_woken "SeaBIOS, $engine" --engine "$engine" \
			--firmware "$seabios" --disk "$tmp/disk"
		grep -aq SeaBIOS "$tmp/out" || fail "SeaBIOS does not show"
	fi
	if wanted ovmf; then
		fresh_disk
		cp "$vars" "$tmp/vars" || exit 99
		until_prompt "OVMF, $engine" --engine "$engine" \
			--firmware "$ovmf" --nvram "$tmp/vars" \
			--disk "$tmp/disk"
		cmp -s "$vars" "$tmp/vars" && fail "no variable was kept"
		# A boot entry of its own, by its name in UCS-2.
		tr -d '\0' <"$tmp/vars" | grep -aq 'UEFI Misc Device' ||
			fail "no boot entry for the disk"
	fi
	if [ "${engine%%:*}" = emu ] && wanted secboot "$secboot"; then
		sleepy_disk
		cp "$vars" "$tmp/vars" || exit 99
		until_woken "OVMF with system management mode, $engine" \
			--engine "$engine" --cpus 2 --firmware "$secboot" \
			--nvram "$tmp/vars" --secure-loader --disk "$tmp/disk"
	fi
	if [ "${engine%%:*}" = emu ] && wanted keys "$secboot" "$keys"; then
		cp "$keys" "$tmp/vars" || exit 99
		until_says 'Security Violation' "secure boot, $engine" \
			--engine "$engine" --firmware "$secboot" \
			--nvram "$tmp/vars" --secure-loader \
			--disk "$tmp/disk,ro"
		! grep -aq 'Loading vmlinuz' "$tmp/out" ||
			fail "an unsigned loader ran"
	fi
	if wanted cdrom "$cdrom"; then
		until_says 'GNU GRUB' "SeaBIOS, a CD-ROM, $engine" \
			--engine "$engine" --firmware "$seabios" \
			--disk "$cdrom,sata,cdrom"
	fi
	if wanted pxe "$ipxe" /dev/net/tun && ip tuntap add dev vfw0 mode tap; then
		ip link set vfw0 up
		until_says 'Configuring (net0' "SeaBIOS, iPXE, $engine" \
			--engine "$engine" --firmware "$seabios" \
			--tap "vfw0,boot=1,rom=$ipxe"
		ip link del vfw0
	fi
done
