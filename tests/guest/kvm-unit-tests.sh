#!/bin/sh
# kvm-unit-tests.sh ENGINE [TEST...]: runs a built kvm-unit-tests, one line per
# test of its x86/unittests.cfg (or only those named), as its own run_tests.sh
# would.
#
# ENGINE: what vireo-vmm --engine takes (emu:interp, ...), or "tcg" to run the
# same under qemu-system-x86_64.
# KVM_UNIT_TESTS: the build for x86_64; KVM_UNIT_TESTS_32: one for i386, for
# the tests that exist only there.
# SLOW: a factor for the tests' time limits, for a host that is busy.
# VMM: the program, default vireo-vmm of the build folder.  LOGS: a folder
# that keeps what each test said.  MAX_SMP: ends each test's vCPUs there.
# EXPECT_FAIL: tests (words) whose failure is known; exit status 1 when
# another one fails.
set -u
engine=${1:-${GUEST_ENGINE-}}
[ $# -eq 0 ] || shift
vmm=${VMM:-${BUILD:-$PWD}/vireo-vmm}
dir64=${KVM_UNIT_TESTS-} dir32=${KVM_UNIT_TESTS_32-}
if [ -z "$engine" ] || [ ! -f "$dir64/x86/unittests.cfg" ]; then
	echo "needs ENGINE and KVM_UNIT_TESTS, a built kvm-unit-tests"
	exit 77
fi
if [ "$engine" != tcg ] && [ ! -x "$vmm" ]; then
	echo "needs VMM or BUILD"
	exit 77
fi
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
logs=${LOGS:-$tmp}
mkdir -p "$logs"
only=" $* "
known=" ${EXPECT_FAIL-} "
passed=0 failed=0 skipped=0 surprises=0

# name|file|smp|arch|accel|timeout|check|extra_params
list() {
	awk '
	function flush() {
		if (name && v["file"])
			print name "|" v["file"] "|" v["smp"] "|" v["arch"] \
				"|" v["accel"] "|" v["timeout"] "|" \
				v["check"] "|" v["extra_params"]
		split("", v)
	}
	/^\[/ { flush(); name = substr($0, 2, length($0) - 2) }
	/^[a-z_]+ *=/ {
		key = $0; sub(/ *=.*/, "", key)
		value = $0; sub(/^[a-z_]+ *= */, "", value)
		v[key] = value
	}
	END { flush() }' "$dir64/x86/unittests.cfg"
}

# Why a test is not for this engine, or nothing.
not_here() { # accel check params
	[ "$1" != kvm ] || { echo "asks for KVM"; return; }
	case $2 in *kvm*) echo "asks for KVM's module options"; return ;; esac
	[ "$engine" != tcg ] || return
	case $3 in
	*hyperv-testdev*|*hv_*) echo "Hyper-V's interface" ;;
	*-device*intel-iommu*) echo "Intel's IOMMU" ;;
	*+vmx*) echo "no VMX in the guest" ;;
	*+svm*) echo "no SVM in the guest" ;;
	esac
}

# QEMU's options as vireo-vmm's, one per line.
translate() {
	while [ $# -gt 0 ]; do
		case $1 in
		-append|--append) printf '%s\n' --append "$2"; shift ;;
		-m) printf '%s\n' --memory "$(megabytes "$2")"; shift ;;
		-cpu) cpu "$2"; shift ;;
		esac
		shift
	done
}

megabytes() {
	case $1 in
	*[gG]) echo $((${1%?} * 1024)) ;;
	*) echo "$1" ;;
	esac
}

# The host's CPU with the features that the test switches.
cpu() {
	list=host
	IFS=,
	for word in $1; do
		case $word in
		[+-]x2apic|[+-]pcid|[+-]invpcid|[+-]umip|[+-]rdtscp|\
		[+-]tsc-deadline)
			list=$list,$word ;;
		esac
	done
	unset IFS
	printf '%s\n' --cpu "$list"
}

run_vireo() { # kernel smp timeout params...
	kernel=$1 smp=$2 limit=$3
	shift 3
	printf 'NR_CPUS=%d\nTEST_DEVICE=1\nBOOTLOADER=vireo\n' "$smp" >"$tmp/env"
	translate "$@" >"$tmp/options"
	set --
	while IFS= read -r word; do
		set -- "$@" "$word"
	done <"$tmp/options"
	timeout $((limit + 10)) "$vmm" --engine "$engine" --kernel "$kernel" \
		--initrd "$tmp/env" --test-device --no-reboot --cpus "$smp" \
		--memory 128 --timeout "$limit" "$@" </dev/null
}

run_tcg() { # kernel smp timeout params...
	kernel=$1 smp=$2 limit=$3
	shift 3
	timeout "$limit" qemu-system-x86_64 -nodefaults -device pc-testdev \
		-device isa-debug-exit,iobase=0xf4,iosize=0x4 -vnc none \
		-serial stdio -device pci-testdev -machine accel=tcg \
		-no-reboot -kernel "$kernel" -smp "$smp" -cpu max "$@" \
		</dev/null
}

verdict() { # status of the run
	case $1 in
	1) echo PASS ;;
	77|155) echo SKIP ;;
	*) echo FAIL ;;
	esac
}

count() { # verdict name
	case $1 in
	PASS) passed=$((passed + 1)) ;;
	SKIP) skipped=$((skipped + 1)) ;;
	*)	failed=$((failed + 1))
		case $known in
		*" $2 "*) ;;
		*) surprises=$((surprises + 1)) ;;
		esac ;;
	esac
}

report() { # verdict name remark
	count "$1" "$2"
	printf '%s %s%s\n' "$1" "$2" "${3:+ ($3)}"
}

run_test() {
	dir=$dir64
	[ "$arch" != i386 ] || dir=$dir32
	why=$(not_here "$accel" "$check" "$params")
	if [ "$arch" = i386 ] && [ -z "$dir32" ]; then
		why="needs KVM_UNIT_TESTS_32"
	elif [ ! -f "$dir/x86/$file" ]; then
		why="not built"
	fi
	if [ -n "$why" ]; then
		report SKIP "$name" "$why"
		return
	fi
	log=$logs/$name.log
	runner=run_vireo
	[ "$engine" != tcg ] || runner=run_tcg
	eval "$runner $dir/x86/$file $smp $limit $params" >"$log" 2>&1
	status=$?
	v=$(verdict $status)
	why=$(grep -a '^SUMMARY' "$log" | head -n 1 | cut -c 10-)
	[ $v != SKIP ] ||
		why=$(grep -a '^SKIP\|not enabled' "$log" | head -n 1)
	[ $status != 4 ] && [ $status != 124 ] || why="no end in ${limit}s"
	report $v "$name" "$(echo "$why" | tr -d '\r')"
}

list >"$tmp/list"
while IFS='|' read -r name file smp arch accel limit check params; do
	case $only in
	"  "|*" $name "*) ;;
	*) continue ;;
	esac
	limit=$((${limit:-90} * ${SLOW:-1}))
	smp=${smp:-1}
	[ "$smp" -le "${MAX_SMP:-$smp}" ] || smp=$MAX_SMP
	unset IFS
	run_test
done <"$tmp/list"
echo "$passed passed, $failed failed, $skipped skipped ($engine)"
[ "$surprises" -eq 0 ]
