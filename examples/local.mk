# examples/local.mk -- documents to start from; `make check` reads them all.
EXTRA_DIST += \
	%D%/backup/checkpoint.xml \
	%D%/backup/incremental.xml \
	%D%/backup/pull.xml \
	%D%/backup/push.xml \
	%D%/devices.xml \
	%D%/disk-tap.xml \
	%D%/first.xml \
	%D%/uefi.xml \
	%D%/graphics.xml \
	%D%/hostdev.xml \
	%D%/kvm.xml \
	%D%/memory.xml \
	%D%/network.xml \
	%D%/network/isolated.xml \
	%D%/network/macvtap.xml \
	%D%/network/ports.xml \
	%D%/network/nat.xml \
	%D%/nwfilter/no-mail.xml \
	%D%/nwfilter/web-server.xml \
	%D%/qcow2.xml \
	%D%/shared.xml \
	%D%/show-and-tell.xml \
	%D%/storage.xml \
	%D%/storage/pool-dir.xml \
	%D%/storage/pool-lvm.xml \
	%D%/storage/pool-nfs.xml \
	%D%/storage/pool-zfs.xml \
	%D%/storage/secret.xml \
	%D%/storage/volume.xml \
	$(NULL)
