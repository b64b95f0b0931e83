#!/bin/sh
# save.sh [--runs N] ENGINE: a stock kernel that checks its memory and its disk
# is saved to a file and restored, N times (default 5).
#
# CPUS: default 2.  APPEND: more for the kernel's command line.  What else it
# needs: functions.sh.
set -eu
runs=5
if [ "${1-}" = --runs ]; then
	runs=$2
	shift 2
fi
export TMPDIR="${TMPDIR:-/var/tmp}" # saved machines are large
. "$(dirname "$0")/functions.sh"
rounds() { grep -c '^round' "$dir/serial" || true; }
wait_rounds() {
	n=0
	until [ "$(rounds)" -ge "$1" ]; do
		sleep 0.2
		n=$((n + 1))
		[ $n -lt "${GUEST_TIMEOUT:-600}" ] || fail "no round $1"
		kill -0 "$pids" 2>/dev/null || fail "the machine ended"
	done
}
start() {
	"$vmm" --engine "$engine" --kernel "$root"/boot/vmlinuz-* \
		--initrd "$dir/initrd" --memory 256 --cpus "${CPUS:-2}" \
		--append "console=ttyS0 quiet panic=-1 ${APPEND-}" \
		--serial "file:$dir/serial.new" --disk "$dir/disk" --rng \
		--balloon --timeout 900 "$@" 2>>"$dir/vmm.log" &
	pids=$!
}

"$here/mkinitrd" "$dir/initrd" "$root" "$here/save.init"
truncate -s 16M "$dir/disk"
: >"$dir/serial"
: >"$dir/serial.new"
ln -sf serial.new "$dir/serial" # one file: the VMM appends
start --save "$dir/saved.0"
wait_rounds 2
i=0
while [ $i -lt "$runs" ]; do
	kill -TERM "$pids"
	wait "$pids" || fail "saving"
	pids=
	before=$(rounds)
	start --restore "$dir/saved.$i" --save "$dir/saved.$((i + 1))"
	wait_rounds $((before + 1))
	rm -f "$dir/saved.$((i - 1))"
	i=$((i + 1))
done
if grep BAD "$dir/serial"; then
	fail "after $i times"
fi
echo "ok: saved and restored $i times, $(rounds) rounds of work, $engine"
