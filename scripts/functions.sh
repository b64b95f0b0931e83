# scripts/functions.sh -- sourced by the scripts beside it.

top=$(cd "$(dirname "$0")/.." && pwd)

# What building takes on Debian 12, one group a line.
build_packages="
	autoconf automake libtool pkg-config gcc libc6-dev make gawk
	rpcsvc-proto libtirpc-dev libxml2-dev libxml2-utils libvirt-dev
	libsqlite3-dev libsystemd-dev libjson-c-dev liburing-dev
	libseccomp-dev libcap-ng-dev zlib1g-dev liblzma-dev libzstd-dev
	liblz4-dev libdbus-1-dev libsasl2-dev libmnl-dev libnftables-dev
	libedit-dev libzydis-dev libgnutls28-dev
	nettle-dev libffi-dev"

# Installs what is missing of the packages named; asks nothing.
install_packages() {
	missing=
	for p in "$@"; do
		dpkg-query -W -f '${Status}' "$p" 2>/dev/null |
			grep -q 'ok installed' || missing="$missing $p"
	done
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		echo "these packages are needed:$missing" >&2
		return 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq >/dev/null
	# shellcheck disable=SC2086
	apt-get install -qq -y --no-install-recommends \
		-o Dpkg::Use-Pty=0 $missing >/dev/null
}

# build DIR [CONFIGURE-OPTION]...: configures where needed, and makes.
build() {
	dir=$1
	shift
	[ -x "$top/configure" ] || (cd "$top" && autoreconf -fi >/dev/null 2>&1) ||
		return
	mkdir -p "$dir"
	[ -f "$dir/Makefile" ] ||
		(cd "$dir" && "$top/configure" -q "$@") || return
	make -s -C "$dir" -j"$(nproc)"
}

# get_kernel DIR [FLAVOUR]: Debian's cloud kernel, or that of another flavour
# ("amd64": the generic one), unpacked into DIR; prints the path of its vmlinuz.
# Nothing is installed.  KERNEL names another one to use instead.
get_kernel() {
	if [ -n "${KERNEL-}" ]; then
		echo "$KERNEL"
		return
	fi
	mkdir -p "$1"
	meta=linux-image-${2:-cloud-amd64}
	if ! ls "$1"/k/boot/vmlinuz-* >/dev/null 2>&1; then
		# The metapackage says which package has it today.
		[ -n "$(apt-cache search --names-only "^$meta\$")" ] ||
			apt-get update -qq >/dev/null || return
		pkg=$(apt-cache depends "$meta" |
			sed -n 's/^ *Depends: \(linux-image-[^ ]*\)/\1/p' | head -n1)
		# An unprivileged _apt user may not write to $1.
		(cd "$1" && apt-get download -qq "$pkg" >/dev/null 2>&1 &&
			dpkg-deb -x linux-image-*.deb k && rm -f ./*.deb) || return
	fi
	ls "$1"/k/boot/vmlinuz-* | head -n1
}

# make_initrd FILE: busybox, a /init that leaves a shell on the console.
make_initrd() {
	work=$(mktemp -d) || return
	mkdir -p "$work/bin" "$work/dev" "$work/proc" "$work/sys"
	cp "$(command -v busybox)" "$work/bin/busybox" &&
	mknod -m 600 "$work/dev/console" c 5 1 2>/dev/null || :
	cat >"$work/init" <<-'INIT'
		#!/bin/busybox sh
		/bin/busybox --install -s /bin
		mount -t proc proc /proc
		mount -t sysfs sys /sys
		mount -t devtmpfs dev /dev
		echo "Vireo demo: $(uname -sr), $(nproc) CPU"
		PS1='guest# ' exec setsid -c sh </dev/console >/dev/console 2>&1
	INIT
	chmod +x "$work/init"
	(cd "$work" && find . | busybox cpio -o -H newc 2>/dev/null |
		gzip -1) >"$1"
	rm -rf "$work"
}
