#!/bin/sh
# deaf.sh: a program that gets hold of what runs it natively and shuts out the
# engine (deaf.c) does not keep its vCPU: a stock kernel goes on.  What else it
# needs: functions.sh.
set -eu
. "$(dirname "$0")/functions.sh"
${CC:-cc} -O -static -I"$here/../.." -o "$dir/deaf" "$here/deaf.c" ||
	fail "deaf.c does not build"
cat >"$dir/init" <<'INIT'
#!/bin/busybox sh
[ $$ = 1 ] || exit 77 # never on a host
busybox echo "deaf: $(busybox timeout 60 /bin/deaf | busybox tr '\n' ' ')"
busybox echo "done: yes"
busybox poweroff -f
INIT
FILES=$dir/deaf "$here/mkinitrd" "$dir/initrd" "$root" "$dir/init"
engine=emu:direct
machine --cpus 1 --memory 256 --no-reboot \
	--append "console=ttyS0 loglevel=5 panic=-1" || fail "vireo-vmm: $?"
expect "done" yes
case $(said deaf) in
*"kept out"*) ;;
*) fail "the program was not kept from its vCPU" ;;
esac
! complains || fail "the kernel complains"
