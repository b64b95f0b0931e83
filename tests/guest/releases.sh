#!/bin/sh
# releases.sh [ENGINE]: another release's stock kernel than the host's drives
# every virtio device as virtio.sh has it: Debian 13's, or RELEASE's.
#
# The kernel is fetched once and kept beside GUEST_ROOT.
. "$(dirname "$0")/functions.sh"
release=${RELEASE:-trixie}
[ "$(id -u)" = 0 ] || skip "needs root"
command -v apt-get >/dev/null || skip "needs apt-get"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f $keys ] || skip "needs Debian's keys"

# Its archive's list of packages is asked apart from the host's.
apt() {
	program=$1
	shift
	APT_CONFIG=$dir/apt.conf "$program" -qq "$@"
}

fetch() { # DIRECTORY
	mkdir -p "$dir/lists/partial" "$dir/archives/partial" "$1/new"
	echo "deb [signed-by=$keys arch=amd64] ${MIRROR:-http://deb.debian.org/debian} $release main" \
		>"$dir/sources.list"
	: >"$dir/status"
	cat >"$dir/apt.conf" <<-EOF
	Dir::Etc::SourceList "$dir/sources.list";
	Dir::Etc::SourceParts "-";
	Dir::State::Lists "$dir/lists";
	Dir::State::status "$dir/status";
	Dir::Cache "$dir";
	APT::Sandbox::User "root";
	APT::Architecture "amd64";
	EOF
	apt apt-get update >/dev/null 2>&1 || return
	package=$(apt apt-cache depends linux-image-cloud-amd64 |
		sed -n 's/^ *Depends: \(linux-image-[^ ]*\)/\1/p' | head -n 1)
	[ -n "$package" ] || return
	(cd "$1/new" && apt apt-get download "$package" >/dev/null 2>&1 &&
		dpkg-deb -x ./*.deb k && rm -f ./*.deb) || return
	[ -e "$1/new/k/lib" ] || ln -s usr/lib "$1/new/k/lib"
	rm -rf "$1/k"
	mv "$1/new/k" "$1/k"
}

kernel=$(dirname "$root")-$release
[ -d "$kernel/k/boot" ] || fetch "$kernel" || skip "no kernel of $release"
echo "$(basename "$kernel"/k/boot/vmlinuz-*)"
GUEST_ROOT=$kernel/k "$here/virtio.sh" "$engine"
