# tests/local.mk -- what tests adds to the one Makefile.
include tests/unit/priv.mk
include tests/unit/rpc.mk
include tests/bench/bench.mk
include tests/api/api.mk
include tests/unit/cpu.mk
include tests/unit/dbus.mk
include tests/unit/emu.mk
include tests/cli/cli.mk
include tests/unit/model.mk
include tests/unit/network.mk
include tests/unit/registry.mk
include tests/unit/virtio.mk
include tests/unit/vmm.mk

# Run by scripts/check: against a daemon, in the lab.
EXTRA_DIST += \
	tests/lab/README.md \
	tests/lab/functions.sh \
	tests/lab/api \
	tests/lab/api.inside \
	tests/lab/devices.inside \
	tests/lab/devices \
	tests/lab/kvm.inside \
	tests/lab/vhost.inside \
	tests/lab/kvm.sh \
	tests/lab/lab \
	tests/lab/machine.py \
	tests/lab/machine \
	tests/lab/lun.init \
	tests/lab/lun.inside \
	tests/lab/lun.sh \
	tests/lab/lun.init \
	tests/lab/lun.inside \
	tests/lab/lun.sh \
	tests/lab/pools \
	tests/lab/pools.inside \
	tests/lab/save.sh \
	tests/lab/unpack-kernel \
	tests/lab/vfio.init \
	tests/lab/vfio.inside \
	tests/lab/vfio.sh \
	tests/api/functions.sh tests/api/network-functions.sh \
	tests/api/kill9.sh \
	tests/api/pools.sh \
	tests/api/network.sh \
	tests/api/nwfilter.sh \
	tests/api/spoof.py \
	tests/api/sandbox.sh \
	tests/api/tiny.S \
	tests/api/virtinst.sh \
	tests/api/virtmanager.py \
	$(NULL)
include tests/guest/guest.mk

# Sources include each other only as docs/ARCHITECTURE.md says.
dist_check_SCRIPTS += tests/includes.sh
TESTS += tests/includes.sh

# docs/PROCEDURES.md promises no more than rpc/procedures.
dist_check_SCRIPTS += tests/procedures.sh
TESTS += tests/procedures.sh
