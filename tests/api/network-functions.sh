# tests/api/network-functions.sh -- sourced after functions.sh: what is waited for,
# and what is answered.

wait_for() { # SECONDS COMMAND...
	local n=$(($1 * 10))
	shift
	until "$@"; do
		n=$((n - 1))
		[ $n -gt 0 ] || return 1
		sleep 0.1
	done
}
has() { # TEXT PART
	case $1 in *"$2"*) ;; *) fail "no '$2' in: $1" ;; esac
}
refused() { # PART COMMAND...
	local part=$1 out
	shift
	out=$("$@" 2>&1) && fail "not refused: $*"
	has "$out" "$part"
}
