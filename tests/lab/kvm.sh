#!/bin/bash
# tests/lab/kvm.sh -- a domain of type='kvm' from its definition to its end,
# with the daemon, stock virsh and a stock Debian kernel, on real (nested) KVM.
. "$(dirname "$0")/functions.sh"
[ -x "$BUILD/vireod" ] || skip "no $BUILD/vireod"
make_initrd "$BUILD/lab-initrd" || exit 1
# The guest of tests/lab/vhost.inside loads modules.
cat >"$BUILD/lab-net-init" <<'INIT'
#!/bin/busybox sh
[ $$ = 1 ] || exit 77 # never on a host
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
for m in /mod/*; do insmod "$m"; done
PS1='guest# ' exec setsid -c sh </dev/console >/dev/console 2>&1
INIT
"$top/tests/guest/mkinitrd" "$BUILD/lab-net-initrd" "$GUEST_ROOT" \
	"$BUILD/lab-net-init" || exit 1
LAB_OPTIONS='--smp 2 --timeout 1500' in_lab env BUILD="$BUILD" KERNEL="$kernel" \
	INITRD="$BUILD/lab-initrd" NET_INITRD="$BUILD/lab-net-initrd" "$here/kvm.inside"
