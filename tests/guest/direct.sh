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

# As the machine, and looks for its stubs while it runs; each is stopped for a
# moment, as a debugger or a freezer of cgroups does.
cat >"$dir/vmm" <<END
#!/bin/sh
"$vmm" "\$@" 2>"$dir/said" &
pid=\$!
while kill -0 \$pid 2>/dev/null; do
	zygote=\$(pgrep -P \$pid -x zygote) &&
		stubs=\$(pgrep -P "\$zygote" -x "vcpu[01]") || stubs=
	for stub in \$stubs; do
		kill -STOP "\$stub" && kill -CONT "\$stub" &&
			echo "\$stub" >>"$dir/stubs"
	done 2>/dev/null
	sleep 0.2
done
status=0
wait \$pid || status=\$?
cat "$dir/said" >&2
cat "$dir/said" >>"$dir/all-said"
exit \$status
END
chmod +x "$dir/vmm"
export STRESSORS="--cpu 0 --vm 0 --vm-bytes 8M --vecmath 0 --zlib 0"
VMM="$dir/vmm" CPUS=2 "$here/stress.sh" emu:direct || fail "stress.sh: $?"
[ -s "$dir/stubs" ] || fail "no program ran as it is"
! grep "is gone" "$dir/all-said" || fail "a stub was lost"
