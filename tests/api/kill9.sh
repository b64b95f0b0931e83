#!/bin/bash
# tests/api/kill9.sh -- kill -9 of main, priv or both at any moment: no
# accepted definition is lost, no guest is lost, no process is left over, the
# database stays whole.
#
# ROUNDS: how many kills (default 100).
. "$(dirname "$0")/functions.sh"
requires virsh gcc sqlite3

rounds=${ROUNDS:-100}
prefix=k9-$$

make_tiny
up
tiny_xml "$prefix-keep" 16 >"$dir/keep.xml"
v define "$dir/keep.xml"
# shellcheck disable=SC2086
v start "$prefix-keep" ${START_OPTIONS-}
keep=$(vmm_pid "$prefix-keep")
: >"$dir/accepted"
: >"$dir/traffic"

# What was answered with success is written down, and must be found later.
definer() {
	i=0
	while [ -f "$dir/traffic" ]; do
		i=$((i + 1))
		tiny_xml "$prefix-d$i" 16 >"$dir/d.xml"
		if v define "$dir/d.xml" >/dev/null 2>&1; then
			echo "$prefix-d$i" >>"$dir/accepted"
		else
			sleep 0.05
		fi
	done
}
starter() { # NUMBER
	name=$prefix-s$1
	tiny_xml "$name" 16 >"$dir/s$1.xml"
	while [ -f "$dir/traffic" ]; do
		v define "$dir/s$1.xml" >/dev/null 2>&1 || sleep 0.05
		# shellcheck disable=SC2086
		if v start "$name" ${START_OPTIONS-} >/dev/null 2>&1; then
			echo start >>"$dir/starts"
		fi
		v destroy "$name" >/dev/null 2>&1 || sleep 0.05
	done
}
stop_traffic() {
	rm -f "$dir/traffic"
	wait
}
cleanup_fn stop_traffic

kill_some() {
	priv=$(priv_pid) main=$(main_pid)
	case $((RANDOM % 3)) in
	0) kill -9 $main ;;
	1) kill -9 "$priv" ;;
	2) kill -9 $main "$priv" ;;
	esac 2>/dev/null || :
}
check_definitions() {
	v list --all --name | sort >"$dir/found"
	missing=$(sort "$dir/accepted.now" | comm -23 - "$dir/found")
	[ -z "$missing" ] || fail "lost after $1 kills:" $(echo "$missing" | head -n 5)
}
check_keep() {
	[ "$(vmm_pid "$prefix-keep")" = "$keep" ] || fail "the guest is another"
	[ -d "/proc/$keep/fd" ] || fail "the guest was lost"
	case $(v domstate "$prefix-keep") in
	running | paused) ;;
	*) fail "the guest is $(v domstate "$prefix-keep")" ;;
	esac
}

definer &
starter 1 &
starter 2 &
for round in $(seq "$rounds"); do
	sleep "0.$((RANDOM % 30))"
	kill_some
	cp "$dir/accepted" "$dir/accepted.now"
	up
	check_definitions "$round"
	check_keep
done
stop_traffic

# Every machine that runs belongs to a running domain, and the other way.
up
sleep 1
v list --name | sed '/^$/d' | sort >"$dir/running"
# The first argument names the domain.
for cmd in /proc/[0-9]*/cmdline; do
	{ tr '\0' '\n' <"$cmd"; } 2>/dev/null | sed -n "1s/^vireo-vmm:\($prefix-.*\)/\1/p"
done | sort -u >"$dir/processes" # the emulator has one more for stubs
diff "$dir/running" "$dir/processes" || fail "domains and processes differ"

[ "$(wc -l <"$dir/accepted")" -gt "$((rounds / 4))" ] || fail "too little traffic"
[ -s "$dir/starts" ] || fail "no guest was started under way"
echo "$rounds kills, $(wc -l <"$dir/accepted") definitions," \
	"$(wc -l <"$dir/starts") starts"

"$top/scripts/stop-daemon" "$dir"
[ "$(sqlite3 "$dir/state/vireo.db" 'PRAGMA integrity_check')" = ok ] ||
	fail "the database is damaged"
