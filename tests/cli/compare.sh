#!/bin/bash
# tests/cli/compare.sh -- vireo prints what virsh prints, and succeeds when it
# does, against libvirt's own test driver.
set -u
vireo=${VIREO:-./vireo}
command -v virsh > /dev/null || { echo "virsh is not installed"; exit 77; }
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
failed=0

while read -r line; do
	virsh -c test:///default "$line" > "$t/virsh" 2> "$t/virsh.err" < /dev/null &
	"$vireo" -c test:///default "$line" > "$t/vireo" 2> "$t/vireo.err" < /dev/null; b=$?
	wait $!; a=$?
	# The test driver's CPU time is the clock's.
	sed -i '/^CPU time:/s/[0-9.]*s$/-/' "$t/virsh" "$t/vireo"
	if ! diff -u "$t/virsh" "$t/vireo" || [ $((a != 0)) != $((b != 0)) ]; then
		echo "differs: $line (virsh: $a, vireo: $b)"
		failed=1
	fi
	# The library may warn of its own accord; what the client says counts.
	diff -u <(grep ^error: "$t/virsh.err") <(grep ^error: "$t/vireo.err") ||
		{ echo "errors differ: $line"; failed=1; }
done < <(cat "${srcdir:-.}"/tests/cli/lines - <<'END'
list
list --all
list --all --title
list --all --name
list --uuid --all
list --id
list --inactive
dominfo test
domstate test
domstate test --reason
domid test
domname 1
domuuid test
dumpxml test
dumpxml --domain test --inactive
desc test
capabilities
nodeinfo
hostname
uri
version
suspend test; domstate test; resume test; domstate test
destroy test; list --all; start test; list
start test
shutdown test; list --all
reboot test
undefine test; list
autostart test
autostart test --disable
define /nonexistent
domstate nosuch
pool-list
pool-list --all --details
pool-list --name
pool-list --uuid --name
pool-list --type dir,fs
pool-list --type foo
pool-list --details --name
pool-list --inactive
pool-info default-pool
pool-info default-pool --bytes
pool-info nosuch
pool-name nosuch
pool-uuid default-pool
pool-dumpxml default-pool
pool-dumpxml default-pool --xpath //path --wrap
pool-define-as x dir --target /tmp/x; pool-list --all; pool-list --all --name; pool-start x; pool-refresh x; pool-autostart x; pool-autostart --disable x; pool-destroy x; pool-build x; pool-delete x; pool-undefine x
pool-create-as y netfs --source-host h --source-path /x --source-format nfs --target /t; pool-list
pool-create-as a dir --build --overwrite --no-overwrite --target /t
pool-define-as x iscsi --print-xml --source-host h --source-dev iqn --source-initiator iii --auth-type chap --auth-username u --secret-usage s --target /dev/disk/by-path
pool-define-as x scsi --print-xml --adapter-name host1 --target /dev/disk/by-path
pool-define-as x scsi --print-xml --adapter-wwnn 11 --adapter-wwpn 12 --adapter-parent p --target /dev/disk/by-path
pool-define-as x netfs h /x --print-xml --source-format nfs --target /t --source-protocol-ver 4
pool-define-as x logical --print-xml --source-dev /dev/sda --source-name vg --source-format lvm2
pool-define-as d dir --print-xml --secret-usage x --secret-uuid y --auth-type chap
pool-define /nonexistent
pool-create /nonexistent
pool-capabilities
find-storage-pool-sources-as logical
find-storage-pool-sources netfs
find-storage-pool-sources-as foo
vol-create-as default-pool a 1G; vol-list default-pool; vol-list default-pool --details; vol-info a default-pool; vol-info a default-pool --bytes; vol-clone a b --pool default-pool; vol-path b default-pool; vol-key b default-pool; vol-pool /default-pool/b; vol-pool --uuid /default-pool/b; vol-name /default-pool/b; vol-delete b default-pool; vol-dumpxml a default-pool; vol-clone a b --pool default-pool --print-xml
vol-create-as default-pool a 1G; vol-info a default-pool --physical
vol-create-as default-pool a 1G; vol-wipe a default-pool
vol-create-as default-pool a 1G; vol-wipe a --algorithm foo default-pool
vol-create-as default-pool a 1G; vol-resize a 2G default-pool
vol-create-as default-pool a 1G; vol-resize a 2G --delta default-pool
vol-create-as default-pool a 1G; vol-resize a zz default-pool
vol-create-as default-pool a 5; vol-create-as default-pool b 5 --backing-vol a --backing-vol-format raw --print-xml --allocation 2 --format qcow2
vol-create-as default-pool a 5 --backing-vol nosuch
vol-create-as default-pool a 1Q
vol-create-as default-pool a 5 --allocation foo
vol-create-as default-pool a 3MiB --print-xml
vol-create-as default-pool a 5; vol-key a
vol-create-as default-pool a 5; vol-name a
vol-create default-pool /nonexistent
vol-create nosuch /nonexistent
vol-info nosuch
vol-info nosuch default-pool
vol-list nosuch
vol-list default-pool --details
vol-delete nosuch default-pool
vol-upload nosuch /nonexistent --pool default-pool
vol-download nosuch /nonexistent --pool default-pool
secret-dumpxml foo
secret-undefine foo
secret-get-value foo
secret-set-value foo
secret-define /nonexistent
END
)

# The JSON forms parse, and hold what the table shows.
"$vireo" -c test:///default --output json list --all |
	jq -e '.[0].name == "test" and .[0].id == 1 and .[0].state == "running"' > /dev/null || failed=1
"$vireo" -c test:///default dominfo test --output json | jq -e '.cpus == 2' > /dev/null || failed=1
"$vireo" -c test:///default pool-list --all --output json |
	jq -e '.[0].name == "default-pool" and .[0].available == 107374182400' > /dev/null || failed=1
[ "$("$vireo" -c test:///default __complete dominfo te)" = test ] || { echo "completion"; failed=1; }
[ "$(printf 'domid test\nquit\n' | "$vireo" -c test:///default | grep -cx 1)" = 1 ] || { echo "prompt"; failed=1; }
"$vireo" -c test:///nonexistent list 2> /dev/null; [ $? = 3 ] || { echo "connection status"; failed=1; }
"$vireo" list --bogus 2> /dev/null; [ $? = 2 ] || { echo "usage status"; failed=1; }
exit $failed
