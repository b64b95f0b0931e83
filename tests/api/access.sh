#!/bin/sh
# tests/api/access.sh -- who may do what: polkit's own daemon on a bus of the
# test's, with rules that the test writes, and stock clients of other users.
. "$(dirname "$0")/functions.sh"
requires virsh dbus-daemon unshare setpriv

polkitd=/usr/lib/polkit-1/polkitd
[ -x $polkitd ] || skip "no $polkitd"
/usr/bin/python3 -c 'import libvirt' 2>/dev/null || skip "no python3-libvirt"
unshare -m true 2>/dev/null || skip "no mount namespaces"

bus_pid='' polkit_pid=''
stop_bus() {
	for pid in $polkit_pid $bus_pid; do kill "$pid" 2>/dev/null; done
}
cleanup_fn stop_bus

wait_for() { # WHAT COMMAND...
	what=$1
	shift
	i=0
	until "$@" >/dev/null 2>&1; do
		i=$((i + 1))
		[ $i -le 1200 ] || fail "$what did not come"
		sleep 0.1
	done
}

start_bus() {
	cat >"$dir/bus.conf" <<-XML
	<busconfig>
	  <type>system</type>
	  <listen>unix:path=$dir/bus</listen>
	  <auth>EXTERNAL</auth>
	  <policy context="default">
	    <allow user="*"/>
	    <allow own="*"/>
	    <allow send_destination="*"/>
	    <allow receive_sender="*"/>
	  </policy>
	</busconfig>
	XML
	dbus-daemon --config-file="$dir/bus.conf" --nofork --nopidfile \
		>"$dir/bus.log" 2>&1 &
	bus_pid=$!
	export DBUS_SYSTEM_BUS_ADDRESS="unix:path=$dir/bus"
	wait_for "the bus" test -S "$dir/bus"
}

# Its actions are those that are installed with us, its rules the test's.
start_polkit() {
	mkdir "$dir/actions" "$dir/rules" "$dir/no-rules"
	cp "$BUILD/packaging/org.libvirt.api.policy" \
		"$top/packaging/org.libvirt.unix.policy" "$dir/actions"
	cp "$here/access.rules" "$dir/rules/10-test.rules"
	chmod -R a+rX "$dir/actions" "$dir/rules" "$dir/no-rules"
	unshare -m sh -c '
		mount --make-rprivate / &&
		mount --bind "$1/actions" /usr/share/polkit-1/actions &&
		mount --bind "$1/rules" /etc/polkit-1/rules.d &&
		mount --bind "$1/no-rules" /usr/share/polkit-1/rules.d &&
		exec "$2"' sh "$dir" $polkitd >"$dir/polkit.log" 2>&1 &
	polkit_pid=$!
	wait_for polkitd dbus-send --system --print-reply \
		--dest=org.freedesktop.PolicyKit1 \
		/org/freedesktop/PolicyKit1/Authority \
		org.freedesktop.DBus.Peer.Ping
}

as() { # USER COMMAND...
	user=$1
	shift
	setpriv --reuid "$user" --regid nogroup --clear-groups \
		env HOME=/nonexistent "$@"
}

start_bus
start_polkit
VIREOD_OPTIONS='--auth-unix-rw=polkit --auth-unix-ro=polkit --access=polkit'
up
[ "$(stat -c %a "$dir/sock/virtvireod-sock")" = 777 ] ||
	fail "the socket of those who authenticate is not everybody's"

# Root needs no polkit, and sees all.
for name in mine shown hidden; do
	cat >"$dir/$name.xml" <<-XML
	<domain type='vireo'><name>$name</name>
	<memory unit='MiB'>16</memory><vcpu>1</vcpu>
	<os><type arch='x86_64'>hvm</type></os></domain>
	XML
	v define "$dir/$name.xml"
done

# Nobody else gets in, and nobody without the rule's consent.
as daemon virsh -q -c "$uri" list --all >"$dir/out" 2>&1 &&
	fail "daemon was let in"
grep -q 'authentication unavailable: no polkit agent available' "$dir/out" ||
	fail "daemon was refused so: $(cat "$dir/out")"
as bin virsh -q -c "$uri" list --all >"$dir/out" 2>&1 &&
	fail "bin was let in"
grep -q 'authentication failed: access denied by policy' "$dir/out" ||
	fail "bin was refused so: $(cat "$dir/out")"

as nobody /usr/bin/python3 -B "$here/access_client.py" "$uri" \
	"$dir/sock/virtvireod-sock" "$(v domuuid hidden | tr -d -)" ||
	fail "as nobody"

# Who asks polkit may end at any time, and is started again.
asker_pid() {
	for child in $(cat /proc/"$(priv_pid)"/task/*/children 2>/dev/null); do
		grep -qx vireod-polkit "/proc/$child/comm" 2>/dev/null &&
			echo "$child"
	done
	return 0
}
other_asker() { now=$(asker_pid) && [ -n "$now" ] && [ "$now" != "$1" ]; }
for _ in 1 2 3; do
	wait_for "who asks polkit" other_asker none
	old=$(asker_pid)
	kill -KILL "$old"
	wait_for "another to ask polkit" other_asker "$old"
done
as nobody virsh -q -c "$uri" list --all >"$dir/out" 2>&1 ||
	fail "nobody was refused: $(cat "$dir/out")"
grep -q 'asks polkit ended (signal 9); it is started again in' \
	"$dir/vireod.log" || fail "nothing is said of it"

# Without polkit nothing is permitted, and root goes on.
kill "$polkit_pid"
wait "$polkit_pid" 2>/dev/null || :
polkit_pid=
as nobody virsh -q -c "$uri" list --all >"$dir/out" 2>&1 &&
	fail "nobody was let in without polkit"
[ "$(v list --all --name | grep -c .)" = 3 ] || fail "root lost something"
