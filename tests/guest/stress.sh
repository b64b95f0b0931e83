#!/bin/sh
# stress.sh [--full] [ENGINE]: a stock kernel with 1, 2 and 4 vCPUs compiles and
# runs a program with gcc, program.c does what is hard to emulate, and stress-ng
# checks its own results.  --full: every
# stressor of the classes cpu and vm, and the one named switch; tens of minutes.
#
# The packages that the guest gets are kept beside GUEST_ROOT.  CPUS: which
# numbers of vCPUs.  STRESSORS: others, as options of stress-ng.  What else it
# needs: functions.sh.
set -eu
what="--cpu 0 --vm 0 --vm-bytes 8M --switch 0 --atomic 0 --vecmath 0 --zlib 0"
what=${STRESSORS:-$what}
seconds=5
if [ "${1-}" = --full ]; then
	what="--class cpu --sequential 0|--class vm --sequential 0|--switch 0"
	seconds=2 GUEST_TIMEOUT=${GUEST_TIMEOUT:-3600}
	shift
fi
. "$(dirname "$0")/functions.sh"
[ "$(id -u)" = 0 ] || skip "needs root"
command -v apt-get >/dev/null || skip "needs apt-get"

packages="libc6 libgcc-s1 libstdc++6 zlib1g libzstd1 liblzma5 libssl3 libcrypt1
	stress-ng libapparmor1 libegl1 libglvnd0 libgles2 libgbm1 libdrm2
	libwayland-server0 libffi8 libexpat1 libipsec-mb1 libjpeg62-turbo
	libjudydebian1 libkmod2 libsctp1 libxxhash0 libbsd0 libmd0
	gcc-12 cpp-12 binutils-x86-64-linux-gnu libbinutils libctf0 libjansson4
	libmpc3 libmpfr6 libgmp10 libisl23 libgcc-12-dev libc6-dev
	linux-libc-dev"
gcc=usr/lib/gcc/x86_64-linux-gnu/12 lib=usr/lib/x86_64-linux-gnu
cc=x86_64-linux-gnu-gcc-12
tree=$(dirname "$root")/stress
# shellcheck disable=SC2086
"$here/mkroot" "$tree" $packages || exit 77

# What the guest's compiler and its program say is compared with the same
# compiler's work outside.
for tool in as ld; do
	ln -sf "x86_64-linux-gnu-$tool" "$tree/usr/bin/$tool"
done
inside() { LC_ALL=C chroot "$tree" "$@"; }
cp "$here/compile.c" "$here/program.c" "$tree/"
mkdir -p "$tree/tmp"
inside $cc -O2 -S -o /compile.s /compile.c
inside $cc -fno-use-linker-plugin -o /compile /compile.s -lm -lpthread
inside $cc -O2 -fno-use-linker-plugin -o /program /program.c -lpthread
code=$(sum <"$tree/compile.s") out=$(inside /compile | sum)
headers=$(inside $cc -O2 -M /compile.c | sed 's/^[^:]*://' | tr -d '\\\n')
# shellcheck disable=SC2086
"$here/mkguest" "$dir/initrd" "$tree" "$here/stress.init" $headers \
	program usr/bin/stress-ng usr/bin/$cc usr/bin/as usr/bin/ld $gcc/cc1 \
	$gcc/collect2 $gcc/crtbeginS.o $gcc/crtendS.o $gcc/libgcc.a \
	$gcc/libgcc_s.so $lib/Scrt1.o $lib/crti.o $lib/crtn.o $lib/libc.so \
	$lib/libc_nonshared.a $lib/libc.so.6 $lib/libm.so $lib/libm.so.6 \
	$lib/libmvec.so.1 $lib/libpthread.a $lib/libgcc_s.so.1

# run CPUS STRESSORS
run() {
	machine --cpus "$1" --memory 1024 --no-reboot \
		--append "console=ttyS0 loglevel=5 panic=-1 stress_seconds=$seconds \"stress_what=$2\"" ||
		fail "vireo-vmm with $1 vCPUs: $?"
	expect "done" yes
	expect cpus "$1"
	expect compile-status 0
	expect compile-code "$code"
	expect compile-out "$out"
	expect program "tsc signals faults code threads mappings debugger"
	# 3 and 4: some stressor found nothing to work with.  7: a process was
	# ended, its time being over, in the midst of counting; no fault either.
	case $(said stress-status) in
	0 | [347]) ;;
	*) fail "stress-ng with $1 vCPUs: $(said stress-status)" ;;
	esac
	! grep -q "^stress-ng: fail" "$dir/serial" || fail "a stressor failed"
	! complains || fail "the kernel complains"
	grep -E "^stress-ng: (metrc|warn)|skipped" "$dir/serial" || :
}

for cpus in ${CPUS:-1 2 4}; do
	IFS='|'
	for w in $what; do
		unset IFS
		run "$cpus" "$w"
	done
	unset IFS
	echo "$engine, $cpus vCPUs: all right"
done
