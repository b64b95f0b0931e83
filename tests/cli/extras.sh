#!/bin/bash
# tests/cli/extras.sh -- what virsh lacks: run, against libvirt's test driver.
set -eu
vireo=${VIREO:-./vireo}
command -v virsh > /dev/null || { echo "virsh is not installed"; exit 77; }
vireo=$(realpath "$vireo")
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
trap 'echo "failed at line $LINENO"' ERR
# Runs the words on the test driver.
v() { "$vireo" -c test:///default "$@"; }
xpath() { xmllint --xpath "string($2)" "$1"; }
schema=/usr/share/libvirt/schemas/domain.rng
fails() { if "$@" > "$t/out" 2> "$t/err"; then echo "did not fail: $*"; exit 1; fi; }

# ---- run: what a file is ----
truncate -s 64K "$t/raw.img" "$t/kernel" "$t/cd.iso"
printf HdrS | dd of="$t/kernel" bs=1 seek=514 conv=notrunc status=none
printf CD001 | dd of="$t/cd.iso" bs=1 seek=32769 conv=notrunc status=none
printf 'QFI\373' > "$t/debian-12.qcow2"

v run "$t/debian-12.qcow2" --dry-run > "$t/disk.xml"
[ "$(xpath "$t/disk.xml" //name)" = debian-12 ]
[ "$(xpath "$t/disk.xml" //disk/driver/@type)" = qcow2 ]
[ "$(xpath "$t/disk.xml" //boot/@dev)" = hd ]
[ "$(xpath "$t/disk.xml" //interface/source/@network)" = default ]

v run "$t/kernel" --dry-run --cmdline "quiet <'" --initrd "$t/raw.img" --memory 64 --cpus 3 \
	--network bridge=br7 --name k --disk "$t/raw.img" --disk "$t/cd.iso" > "$t/kernel.xml"
[ "$(xpath "$t/kernel.xml" //os/kernel)" = "$t/kernel" ]
[ "$(xpath "$t/kernel.xml" //os/initrd)" = "$t/raw.img" ]
[ "$(xpath "$t/kernel.xml" //os/cmdline)" = "console=ttyS0 quiet <'" ]
[ "$(xpath "$t/kernel.xml" //memory)" = 65536 ]
[ "$(xpath "$t/kernel.xml" //vcpu)" = 3 ]
[ "$(xpath "$t/kernel.xml" //interface/source/@bridge)" = br7 ]
[ "$(xpath "$t/kernel.xml" 'count(//disk)')" = 2 ]

v run "$t/cd.iso" --dry-run --network none --uefi --vnc > "$t/cd.xml"
[ "$(xpath "$t/cd.xml" //boot/@dev)" = cdrom ]
[ "$(xpath "$t/cd.xml" //os/@firmware)" = efi ]
[ "$(xpath "$t/cd.xml" 'count(//interface)')" = 0 ]
[ "$(xpath "$t/cd.xml" //graphics/@type)" = vnc ]
[ ! -e $schema ] || xmllint --noout --relaxng $schema "$t"/*.xml 2> "$t/schema" || { cat "$t/schema"; exit 1; }

# ... and guests that run: a name of their own, transient with --rm.
v "run $t/raw.img; run $t/raw.img --rm; list --persistent; list --transient" > "$t/list"
grep -q "Domain 'raw-2' started" "$t/list"
awk '/raw/ && $3 == "running" { print $2 }' "$t/list" > "$t/names"
printf 'raw\nraw-2\n' | diff - "$t/names"
[ "$(v --output json run "$t/raw.img" | jq -r .name)" = raw ]
fails v run "$t/nosuch"
fails v run "$t/raw.img" --cmdline x
fails v run "$t/raw.img" --name test
grep -q "Failed to run domain 'test'" "$t/err"
[ "$(wc -l < "$t/err")" = 2 ]

# ---- top: as often as was asked ----
v top --batch --count 2 --delay 1 > "$t/top"
[ "$(grep -c ' test .* running' "$t/top")" = 2 ]
v --output json top --count 1 | jq -e '.[0].name == "test" and .[0].id == 1 and .[0].read_per_second == null' > /dev/null
fails v top --delay 0

# ---- ssh: the lease's address, the words of the command as they are ----
v ssh test --print-command > "$t/ssh"
grep -qx 'ssh -- 192.168.122.3' "$t/ssh"
v ssh test --user root --port 2222 --print-command -- ls -l --color "it's" > "$t/ssh"
grep -qxF "ssh -p 2222 -- root@192.168.122.3 ls -l --color 'it'\\''s'" "$t/ssh"
printf '#!/bin/sh\necho ran "$@"\n' > "$t/ssh-stub"
mkdir "$t/bin"
mv "$t/ssh-stub" "$t/bin/ssh"
chmod +x "$t/bin/ssh"
[ "$(PATH=$t/bin:$PATH v ssh test uptime)" = "ran -- 192.168.122.3 uptime" ]
fails v ssh nosuch

# ---- logs: the file beside the daemon's socket, or a sentence ----
uuid=$(v domuuid test | head -1)
[ "$(v logs test --path | head -1)" = "/run/vireo/vmm/$uuid/log" ]
fails v logs test --console
grep -q 'is not logged' "$t/err"

# ---- import: from files and from a connection; nothing is overwritten ----
mkdir -p "$t/etc/qemu/autostart" "$t/etc/qemu/networks" "$t/etc/storage" "$t/etc/other"
sed -e "s/type='test'/type='test'/; s,<devices>,<devices><emulator>/usr/bin/true</emulator>," \
	"${srcdir:-.}/tests/cli/volumes.xml" > "$t/etc/qemu/d.xml"
ln -s ../d.xml "$t/etc/qemu/autostart/d.xml"
v net-dumpxml default > "$t/etc/qemu/networks/default.xml"
echo '<pool type="dir"><name>p</name><target><path>/tmp/p</path></target></pool>' > "$t/etc/storage/p.xml"
echo '<something/>' > "$t/etc/other/x.xml"
echo 'no XML' > "$t/etc/other/README"
v import "$t/etc" --dry-run > "$t/dry"
awk '$1 ~ /network|pool|domain/' "$t/dry" | tr -s ' ' > "$t/rows"
diff - "$t/rows" <<'END'
 network default no is here already
 pool p no would be defined
 domain d yes would be defined
END
v "import $t/etc; list --all --name --autostart; pool-list --all --name; import $t/etc" > "$t/done"
[ "$(grep -c 'defined' "$t/done")" = 2 ]
[ "$(grep -c 'is here already' "$t/done")" = 4 ]
grep -qx d "$t/done"
v "import $t/etc --domains; dumpxml d" > "$t/done"
[ "$(grep -c -e ' pool ' -e emulator "$t/done" || true)" = 0 ]
v --output json import test:///default --dry-run |
	jq -e 'map(.result) == ["is here already", "is here already", "is here already"]' > /dev/null
v --output json import test:///default --domains --dry-run --replace |
	jq -e '.[0].kind == "domain" and .[0].result == "would be replaced"' > /dev/null
fails v import "$t/nosuch"
