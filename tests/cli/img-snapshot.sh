#!/bin/bash
# tests/cli/img-snapshot.sh -- internal snapshots: made, gone back to and
# dropped by vireo-img and by qemu-img in turn on the same image; each of
# them, and the disk, stays what it was.
. "$(dirname "$0")/img-functions.sh"
needs qemu-img

sound() {
	qemu-img check -q $1 || fail "$what: damaged"
	"$img" check -q $1 || fail "$what: found damaged"
}

# The disk and each snapshot against what they were kept as.
kept() {
	local name
	sound image
	qemu-img compare -q -f raw now.raw image || fail "$what: the disk differs"
	for name in $(qemu-img snapshot -l image | awk 'NR > 2 { print $2 }'); do
		qemu-img convert -l snapshot.name=$name -O raw image out
		cmp out $name.raw || fail "$what: $name differs"
		"$img" convert -l $name -O raw image out
		cmp out $name.raw || fail "$what: $name differs for us"
	done
	[ "$("$img" snapshot -l image)" = "$(qemu-img snapshot -l image)" ] ||
		fail "$what: the list differs"
	[ "$("$img" info image)" = "$(qemu-img info image)" ] ||
		fail "$what: info differs"
	"$img" info --output json image | python3 -m json.tool --sort-keys >ours
	qemu-img info --output json image | python3 -m json.tool --sort-keys >theirs
	cmp ours theirs || fail "$what: info's JSON differs"
}

put() {
	qemu-io "$@" image >/dev/null
	qemu-img convert -O raw image now.raw
}

for o in cluster_size=4k,refcount_bits=8 compat=0.10; do
	what=$o
	seq 1 100000 >text
	truncate -s 700k text
	# Compressed clusters share theirs.
	qemu-img convert -c -f raw -O qcow2 -o $o text image
	qemu-img resize -q image 3M
	put -c 'write -P 1 900k 100k'
	tools=("$img" qemu-img)
	for i in 0 1 2; do
		"${tools[$((i % 2))]}" snapshot -c s$i image
		cp now.raw s$i.raw
		put -c "write -P 1$i ${i}0k 33k" -c "write -P 2$i 1M 50k" \
			-c "discard 20k 20k" -c "write -P 3 $((2048 + i * 64))k 4k"
		what="$o: written after s$i"
		kept
	done
	for i in 1 2 0; do
		"${tools[$((i % 2))]}" snapshot -a s$i image
		cp s$i.raw now.raw
		qemu-img compare -q -f raw now.raw image ||
			fail "$o: s$i is not what it was"
		put -c "write -P 5$i ${i}5k 40k"
		what="$o: written after that"
		kept
	done
	for i in 1 2 0; do
		what="$o: s$i dropped"
		"${tools[$((i % 2))]}" snapshot -d s$i image
		kept
	done
done

what="the size"
qemu-img create -q -f qcow2 image 10G
qemu-io -c 'write -P 1 1G 70k' image >/dev/null
"$img" snapshot -c s image
"$img" resize -q image 200G
"$img" snapshot -a s image
[ "$(qemu-img info --output json image | grep -c '"virtual-size": 10737418240')" = 1 ] ||
	fail "$what is not that of then"
sound image

what="a table longer than what a block counts"
qemu-img create -q -f qcow2 -o cluster_size=512 long 600M
"$img" snapshot -c s long
sound long
"$img" resize -q long 5G
sound long

what="narrow counts"
qemu-img create -q -f qcow2 -o refcount_bits=1 narrow 1M
qemu-io -c 'write 0 1M' narrow >/dev/null
! "$img" snapshot -c s narrow 2>/dev/null || fail "$what: were enough"
sound narrow
[ -z "$("$img" snapshot -l narrow)" ] || fail "$what: a snapshot"

what=errors
! "$img" snapshot -a nothing image 2>/dev/null || fail "$what: back to nothing"
! "$img" snapshot -d nothing image 2>/dev/null || fail "$what: dropped nothing"
! "$img" snapshot -c s -d s image 2>/dev/null || fail "$what: two at once"
truncate -s 1M raw
! "$img" snapshot -f raw -c s raw 2>/dev/null || fail "$what: in raw"
sound image
