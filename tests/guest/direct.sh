#!/bin/sh
# direct.sh: a stock kernel whose user code is never translated while it can run
# as it is: what stress.sh does, with two vCPUs, and a program in a stub.  Not
# with stressors that do nothing but call the kernel: stress-ng kills what takes
# too long, and complains that it counted wrong.
. "$(dirname "$0")/functions.sh"
grep -qw fsgsbase /proc/cpuinfo && grep -qw avx /proc/cpuinfo ||
	skip "needs a CPU with FSGSBASE and AVX"
grep -qw user_notif /proc/sys/kernel/seccomp/actions_avail 2>/dev/null ||
	skip "needs seccomp's user notification"
command -v pgrep >/dev/null || skip "needs pgrep"

# As the machine, and looks for its stubs while it runs.
cat >"$dir/vmm" <<END
#!/bin/sh
"$vmm" "\$@" &
pid=\$!
while kill -0 \$pid 2>/dev/null; do
	zygote=\$(pgrep -P \$pid -x zygote) &&
		pgrep -P "\$zygote" -x "vcpu[01]" >>"$dir/stubs"
	sleep 0.2
done
wait \$pid
END
chmod +x "$dir/vmm"
export STRESSORS="--cpu 0 --vm 0 --vm-bytes 8M --vecmath 0 --zlib 0"
VMM="$dir/vmm" CPUS=2 "$here/stress.sh" emu:direct || fail "stress.sh: $?"
[ -s "$dir/stubs" ] || fail "no program ran as it is"
