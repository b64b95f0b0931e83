#!/bin/sh
# installer.sh [ENGINE]: what a stranger starts on a machine: under SeaBIOS,
# Debian's GRUB loads memtest86+, which finds no error in its first test, and
# the Debian installer, which asks for a language on the serial port.
#
# The packages they are in are kept beside GUEST_ROOT.  What else it needs:
# functions.sh.  WHAT: one of "memtest installer".
. "$(dirname "$0")/functions.sh"
for f in "${SEABIOS:-/usr/share/seabios/bios-256k.bin}" \
	"${GRUB_RESCUE:-/usr/lib/grub-rescue/grub-rescue-cdrom.iso}"; do
	[ -e "$f" ] || skip "needs $f"
done
what=${WHAT:-memtest installer}
tree=$(dirname "$root")/installer
"$here/mkroot" "$tree" memtest86+ debian-installer-12-netboot-amd64 ||
	skip "needs Debian's packages"
images=$tree/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64

# start NAME MEMORY FOLDER FILES LINE... WORDS: from a disk that is an archive,
# which is a file system to GRUB.
start() {
	name=$1 memory=$2
	# shellcheck disable=SC2086
	tar -cf "$dir/disk" -C "$3" $4
	truncate -s %512 "$dir/disk"
	shift 4
	begin=$(date +%s)
	VMM=$vmm "$here/grub.py" "$engine" "$dir/disk" "$memory" "$@" ||
		fail "$name"
	echo "ok: $name, $engine ($(($(date +%s) - begin)) s)"
}

case " $what " in *" memtest "*)
	start memtest86+ 64 "$tree/boot" memtest86+x64.bin \
		"linux16 (hd0)/memtest86+x64.bin console=ttyS0,115200" \
		'Pass: +0 +Errors: 0.*25% #.*Errors: 0 ' ;;
esac
case " $what " in *" installer "*)
	start "Debian's installer" 1024 "$images" "linux initrd.gz" \
		"linux (hd0)/linux console=ttyS0 --- quiet" \
		"initrd (hd0)/initrd.gz" 'Select a language' ;;
esac
