#!/bin/sh
# tests/api/sandbox.sh -- what a machine's process and main could do if they
# were taken over: nothing.
. "$(dirname "$0")/functions.sh"
requires virsh gcc

status() { # PID FIELD
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status" | cut -f1
}
no_rights() { # PID WHO
	for set in CapInh CapPrm CapEff CapBnd CapAmb; do
		[ "$(status "$1" $set)" = 0000000000000000 ] ||
			fail "$2 has capabilities in $set"
	done
	[ "$(status "$1" NoNewPrivs)" = 1 ] || fail "$2 may gain privileges"
	[ "$(status "$1" Uid)" -gt 0 ] || fail "$2 is root"
	[ "$(sed -n 's/^Groups:[[:space:]]*//p' "/proc/$1/status")" = "" ] ||
		fail "$2 has groups"
}
own_namespace() { # PID WHO KIND...
	pid=$1 who=$2
	shift 2
	for ns in "$@"; do
		[ "$(readlink "/proc/$pid/ns/$ns")" != \
			"$(readlink /proc/self/ns/$ns)" ] ||
			fail "$who shares the host's $ns namespace"
	done
}

make_tiny
up
for name in one two; do
	tiny_xml $name 16 >"$dir/$name.xml"
	v define "$dir/$name.xml"
	v start $name
done

one=$(vmm_pid one) two=$(vmm_pid two)
for pid in "$one" "$two"; do
	no_rights "$pid" "the machine"
	own_namespace "$pid" "the machine" mnt net ipc uts pid
	[ "$(status "$pid" Seccomp)" = 2 ] || fail "no seccomp filter"
	[ "$(ls -A "/proc/$pid/root/")" = "" ] || fail "its root is not empty"
	# Nothing of the host's is open but what it was given.
	for fd in /proc/"$pid"/fd/*; do
		case $(readlink "$fd") in
		*/vireod.lock | */vireod.log | */state/* | "$dir/sock"*)
			fail "it holds $(readlink "$fd")" ;;
		esac
	done
done
[ "$(status "$one" Uid)" != "$(status "$two" Uid)" ] ||
	fail "two machines share a uid"

main=$(main_pid)
no_rights "$main" "main"
own_namespace "$main" "main" mnt net ipc
[ "$(ls -A "/proc/$main/root/")" = state ] ||
	fail "main's root holds more than the state folder"
[ "$(status "$main" Uid)" != "$(status "$one" Uid)" ] ||
	fail "main and a machine share a uid"

# A machine's uid is free again, and its folder gone, when it ends.
v destroy one
[ ! -d "/proc/$one/fd" ] || fail "the machine did not end"
[ "$(ls "$dir/run/vmm" | wc -l)" = 1 ] || fail "its folder stayed"
