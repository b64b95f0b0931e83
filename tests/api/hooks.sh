#!/bin/bash
# tests/api/hooks.sh -- the administrator's scripts: libvirt's arguments and XML,
# in its order; a start that one of them forbids; scripts that are left out; one
# that is told when the daemon starts and ends.
. "$(dirname "$0")/functions.sh"
requires gcc /usr/bin/python3

make_tiny
mkdir "$dir/hooks"
cat >"$dir/hooks/daemon" <<EOF
#!/bin/sh
echo "\$*" >>"$dir/daemon-calls"
cat >>"$dir/daemon-calls"
EOF
chmod 755 "$dir/hooks/daemon"
VIREOD_OPTIONS="--hook-dir=$dir/hooks"
up

called() { # the last line
	for _ in $(seq 600); do
		[ "$(tail -n1 "$dir/daemon-calls" 2>/dev/null)" != "$1" ] ||
			return 0
		sleep 0.1
	done
	fail "the daemon's script was not told: $1"
}
called "- start - start"

/usr/bin/python3 -B "$here/hooks_client.py" "$uri" "$dir"

"$top/scripts/stop-daemon" "$dir"
called "- shutdown - shutdown"
[ "$(wc -l <"$dir/daemon-calls")" = 2 ] || fail "it was told more than that"
