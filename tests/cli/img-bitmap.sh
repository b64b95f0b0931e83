#!/bin/bash
# tests/cli/img-bitmap.sh -- dirty bitmaps in images: made, changed and kept
# up by vireo-img and by stock qemu in turn.  What is in them is always read
# by qemu-nbd.
. "$(dirname "$0")/img-functions.sh"
needs qemu-img qemu-nbd

# The places that are dirty, as qemu reads them.
bits() {
	cp $1 shown
	qemu-img bitmap --disable shown $2
	qemu-nbd --fork -r -f qcow2 -B $2 -k "$dir/sock" shown
	qemu-img map --output json --image-opts \
		"driver=nbd,server.type=unix,server.path=$dir/sock,x-dirty-bitmap=qemu:dirty-bitmap:$2" |
		python3 -c '
import json, sys
for e in json.load(sys.stdin):
    if not e["data"]:
        print(e["start"], e["length"])'
}

sound() {
	qemu-img check -q $1 || fail "$what: damaged"
	"$img" check -q $1 || fail "$what: found damaged"
	"$img" info --output json $1 | python3 -m json.tool --sort-keys >ours
	qemu-img info --output json $1 | python3 -m json.tool --sort-keys >theirs
	diff ours theirs || fail "$what: info's JSON differs"
}

alike() {
	[ "$(bits $1 $3)" = "$(bits $2 $3)" ] ||
		fail "$what: $3 differs: $(bits $1 $3), not $(bits $2 $3)"
}

# The same by both, on images of their own.
both() {
	"$img" "${@//IMAGE/ours.img}"
	qemu-img "${@//IMAGE/theirs.img}"
}

for size in 64k 512; do
	what="cluster size $size"
	"$img" create -q -f qcow2 -o cluster_size=$size ours.img 10M
	qemu-img create -q -f qcow2 -o cluster_size=$size theirs.img 10M
	both bitmap --add IMAGE first
	both bitmap --add --disable -g 4k IMAGE second
	both bitmap --add -g 512 IMAGE third
	both bench -q -w -c 20 -s 4096 -S 70000 -o 512 -f qcow2 IMAGE >/dev/null
	what="$what, written"
	[ -z "$(bits ours.img second)" ] || fail "$what: dirty though disabled"
	alike ours.img theirs.img third
	# Each goes on with the other's.
	mv ours.img tmp.img
	mv theirs.img ours.img
	mv tmp.img theirs.img
	both bitmap --merge first --enable IMAGE second
	both bitmap --clear --disable IMAGE third
	both bench -q -w -c 5 -s 65536 -S 1000000 -o 3000320 -f qcow2 IMAGE >/dev/null
	both resize -q IMAGE 33M
	both bench -q -w -c 5 -s 65536 -S 1000000 -o 20000256 -f qcow2 IMAGE >/dev/null
	what="$what, the other's"
	sound ours.img
	sound theirs.img
	[ -n "$(bits ours.img second)" ] || fail "$what: nothing dirty"
	for b in first second; do
		alike ours.img theirs.img $b
	done
	both resize -q --shrink IMAGE 7M
	both bitmap --remove IMAGE first
	both bitmap --add --merge second IMAGE fourth
	what="$what, smaller"
	sound ours.img
	alike ours.img theirs.img fourth

	what="$what, copied"
	"$img" convert --bitmaps -O qcow2 -o cluster_size=$size ours.img copy.img
	qemu-img compare -q ours.img copy.img
	sound copy.img
	alike copy.img theirs.img third
	"$img" create -q -f qcow2 -o cluster_size=$size other.img 7M
	"$img" bitmap --add --merge fourth -b ours.img -F qcow2 other.img x
	[ "$(bits other.img x)" = "$(bits theirs.img fourth)" ] ||
		fail "$what: merged from another image"
	sound other.img
	for b in second third fourth; do
		"$img" bitmap --remove ours.img $b
	done
	sound ours.img
	[ -z "$(qemu-img info ours.img | grep bitmaps)" ] || fail "$what: there are some"
done

# Everything at once: clusters that are all ones.
what="full"
qemu-img create -q -f qcow2 -o cluster_size=512 full.img 8M
"$img" bitmap --add -g 512 full.img b
qemu-io -c 'write -z 0 8M' full.img >/dev/null
"$img" bitmap --add --merge b full.img c
diff <("$img" measure -O qcow2 full.img) <(qemu-img measure -O qcow2 full.img) ||
	fail "$what: measure differs"
diff <("$img" info full.img) <(qemu-img info full.img) ||
	fail "$what: info differs"
[ "$(bits full.img c)" = "0 8388608" ] || fail "$what: $(bits full.img c)"
sound full.img

# A program that goes away without storing them.
what="left in use"
qemu-io -c 'write 0 4k' -c 'sigraise 9' full.img >/dev/null 2>&1 || true
# Its locks go a little later than it does.
timeout 60 sh -c 'until qemu-img info full.img; do sleep 0.1; done' >/dev/null 2>&1
"$img" info full.img | grep -q in-use || fail "$what: not shown"
! "$img" bitmap --clear full.img b 2>err || fail "$what: used"
grep -q inconsistent err || fail "$what: $(cat err)"
! "$img" resize -q full.img 9M 2>/dev/null || fail "$what: resized"
! "$img" convert --bitmaps -O qcow2 full.img copy.img 2>/dev/null || fail "$what: copied"
"$img" convert --bitmaps --skip-broken-bitmaps -O qcow2 full.img copy.img 2>/dev/null
"$img" bench -q -w -c 5 full.img >/dev/null
sound full.img
"$img" bitmap --remove full.img b
"$img" bitmap --remove full.img c
sound full.img

what=errors
! "$img" bitmap --add ours.img "" 2>/dev/null || fail "$what: no name"
! "$img" bitmap --remove ours.img x 2>/dev/null || fail "$what: not there"
! "$img" bitmap ours.img x 2>/dev/null || fail "$what: nothing to do"
! "$img" bitmap --add -g 300 ours.img x 2>/dev/null || fail "$what: granularity"
"$img" create -q -f qcow2 -o compat=0.10 old.img 1M
! "$img" bitmap --add old.img x 2>/dev/null || fail "$what: in version 2"
truncate -s 1M raw
! "$img" bitmap --add -f raw raw x 2>/dev/null || fail "$what: in raw"
