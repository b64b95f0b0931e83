#!/bin/sh
# tests/api/virtinst.sh -- unmodified virt-install, virt-xml and virt-clone, and
# what virt-manager asks, at the daemon's own name and at libvirt's.
. "$(dirname "$0")/functions.sh"
requires virsh virt-install virt-xml virt-clone qemu-img

# Prints the first document it would define; the rest: options.
install_xml() {
	virt-install --connect "$uri" --noautoconsole --dry-run --print-xml 1 \
		--name guest --memory 128 "$@" </dev/null ||
		fail "virt-install $*"
}

expect() { # FILE TEXT...
	file=$1
	shift
	for text in "$@"; do
		grep -q -- "$text" "$file" ||
			fail "no $text in $(cat "$file")"
	done
}

# What it chooses is what the capabilities say, and can be defined.
chosen() { # TEXT... -- OPTION...
	wanted=
	while [ "$1" != -- ]; do
		wanted="$wanted $1"
		shift
	done
	shift
	install_xml "$@" >"$dir/chosen.xml"
	# shellcheck disable=SC2086
	expect "$dir/chosen.xml" $wanted
	v define --validate "$dir/chosen.xml" >/dev/null || fail "define: $*"
	v undefine --nvram guest >/dev/null
}

change() { # OPTION...
	virt-xml --connect "$uri" guest "$@" --define </dev/null >/dev/null ||
		fail "virt-xml $*"
}

# A disk that is made, a definition changed and copied.
lives() {
	virt-install --connect "$uri" --noautoconsole --noreboot --import \
		--name guest --memory 128 --osinfo generic --network none \
		--graphics vnc --disk "$dir/disk.raw,format=raw" \
		</dev/null >/dev/null || fail "virt-install --import"
	change --edit --memory 192
	change --edit --vcpus 2
	change --add-device --disk "$dir/cd.iso,device=cdrom"
	change --edit --boot menu=on
	virt-xml --connect "$uri" guest --remove-device --disk \
		device=cdrom </dev/null >/dev/null || fail "virt-xml --remove"
	virt-clone --connect "$uri" -o guest -n copy -f "$dir/copy.raw" \
		</dev/null >/dev/null || fail "virt-clone"
	v dumpxml guest >"$dir/guest.xml"
	v dumpxml copy >"$dir/copy.xml"
	expect "$dir/guest.xml" "unit='KiB'>196608<" '>2</vcpu>' \
		"<bootmenu enable='yes'"
	expect "$dir/copy.xml" "$dir/copy.raw" '>2</vcpu>'
	[ "$(v domuuid guest)" != "$(v domuuid copy)" ] || fail "one UUID"
	v undefine guest >/dev/null
	v undefine copy --remove-all-storage >/dev/null 2>&1 ||
		v undefine copy >/dev/null
	rm -f "$dir/copy.raw"
}

VIREOD_OPTIONS=--libvirt-sockets
up
own=$uri
libvirts="qemu+unix:///system?socket=$dir/sock/virtqemud-sock"
truncate -s 8M "$dir/disk.raw"
truncate -s 1M "$dir/cd.iso"
qemu-img create -q -f qcow2 "$dir/disk.qcow2" 64M

uri=$libvirts
chosen 'machine="q35"' 'type="qcow2"' 'bus="virtio"' \
	'org.qemu.guest_agent.0' 'model="pcie-root-port"' -- \
	--osinfo debian11 --import --disk "$dir/disk.qcow2" \
	--network bridge=none0 --graphics vnc
chosen 'device="cdrom"' 'dev="cdrom"' -- \
	--osinfo debian11 --cdrom "$dir/cd.iso" --disk "$dir/disk.raw" \
	--network none --graphics none
[ ! -e /usr/share/OVMF/OVMF_CODE_4M.fd ] ||
	chosen 'firmware="efi"' '<tpm' -- \
		--osinfo generic --import --disk "$dir/disk.raw" --boot uefi \
		--tpm default --network none --graphics vnc
chosen '<kernel>' -- --osinfo generic --network none --graphics none \
	--disk none --boot "kernel=$dir/tiny,kernel_args=quiet"
for uri in "$own" "$libvirts"; do
	lives
	/usr/bin/python3 -B "$here/virtmanager.py" "$uri" ||
		fail "virt-manager's calls at $uri"
done
echo "virt-install, virt-xml, virt-clone, virt-manager: all right"
