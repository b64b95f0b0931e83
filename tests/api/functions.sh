# tests/api/functions.sh -- sourced by the tests beside it: a daemon of their
# own, a guest that needs no kernel, and an end that removes both.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
export BUILD="${BUILD:-$top/build}"
dir=$(mktemp -d)
chmod 755 "$dir"

skip() { echo "skipped: $*" >&2; exit 77; }
fail() { echo "failed: $*" >&2; exit 1; }

requires() {
	for program in "$@"; do
		command -v "$program" >/dev/null 2>&1 || skip "no $program"
	done
}

[ -x "$BUILD/vireod" ] || skip "no $BUILD/vireod"
[ "$(id -u)" = 0 ] || skip "needs root"

cleanup_fns=
cleanup_fn() { cleanup_fns="$1 $cleanup_fns"; }
at_end() {
	status=$?
	set +e
	for fn in $cleanup_fns; do "$fn"; done
	[ $status = 0 ] || [ $status = 77 ] ||
		tail -n 25 "$dir/vireod.log" "$dir"/run/vmm/*/log 2>/dev/null
	"$top/scripts/down" "$dir"
	rm -rf "$dir"
	exit $status
}
trap at_end EXIT
trap 'exit 1' INT TERM HUP

# Starts or restarts the daemon.  VIREOD_OPTIONS: more options for it.
up() {
	# shellcheck disable=SC2086
	uri=$("$top/scripts/up" "$dir" ${VIREOD_OPTIONS-} | tail -n1)
	[ -n "$uri" ] || fail "the daemon did not start"
}

v() { virsh -q -c "$uri" "$@"; }

priv_pid() { cat "$dir/run/vireod.lock"; }
main_pid() {
	for child in $(cat /proc/"$(priv_pid)"/task/*/children 2>/dev/null); do
		grep -qx vireod-main "/proc/$child/comm" 2>/dev/null &&
			echo "$child"
	done
	return 0
}
vmm_pid() { # NAME
	cut -d' ' -f1 "$dir/run/vmm/$(v domuuid "$1")/pid"
}

# A guest that halts for ever.
make_tiny() {
	gcc -nostdlib -static -no-pie -Wl,-Ttext=0x200000 -Wl,--build-id=none \
		-o "$dir/tiny" "$here/tiny.S"
}

tiny_xml() { # NAME MIB
	cat <<-XML
	<domain type='vireo'>
	  <name>$1</name>
	  <memory unit='MiB'>$2</memory>
	  <vcpu>1</vcpu>
	  <os>
	    <type arch='x86_64' machine='microvm'>hvm</type>
	    <kernel>$dir/tiny</kernel>
	  </os>
	  <devices>
	    <console type='pty'/>
	  </devices>
	</domain>
	XML
}
