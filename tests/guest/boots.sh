#!/bin/sh
# boots.sh [--runs N] [ENGINE]: a stock kernel boots N times (default 9) with 1,
# 2 and 4 vCPUs by turns, counts to its number of processors in /init, and
# switches off.  A boot that takes longer than GUEST_TIMEOUT has hung.  What
# else it needs: functions.sh.
set -eu
runs=9
if [ "${1-}" = --runs ]; then
	runs=$2
	shift 2
fi
. "$(dirname "$0")/functions.sh"
cat >"$dir/init" <<'INIT'
#!/bin/busybox sh
[ $$ = 1 ] || exit 77 # never on a host
/bin/busybox mount -t proc proc /proc
# Each processor runs something.
n=0
for cpu in $(busybox seq 0 $(($(busybox nproc) - 1))); do
	[ "$(busybox taskset -c "$cpu" busybox echo ok)" = ok ] && n=$((n + 1))
done
busybox echo "cpus: $n"
busybox poweroff -f
INIT
"$here/mkinitrd" "$dir/initrd" "$root" "$dir/init"

# boot CPUS: 0 if the guest told that many processors and switched off.
boot() {
	status=0
	machine --cpus "$1" --memory 256 --no-reboot \
		--append "console=ttyS0 loglevel=5 panic=-1" || status=$?
	[ $status = 0 ] && [ "$(said cpus)" = "$1" ] && ! complains
}

failed=0
for i in $(seq "$runs"); do
	set -- 1 2 4
	shift $((i % 3))
	boot "$1" && continue
	failed=$((failed + 1))
	echo "FAIL: boot $i with $1 vCPUs: status $status"
	tail -n 20 "$dir/serial"
	cat "$dir/vmm.log"
done
echo "$engine: $runs boots, $failed failed"
[ $failed = 0 ]
