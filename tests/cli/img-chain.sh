#!/bin/bash
# tests/cli/img-chain.sh -- vireo-img commit, rebase, dd and measure on images
# that are based on others; qemu-img reads what comes out.
. "$(dirname "$0")/img-functions.sh"
needs qemu-img

# Three images, in all of which something is hidden by the next.
chain() {
	local o=$1
	rm -f base mid top other
	qemu-img create -q -f qcow2 -o "$o" base 4M
	qemu-img create -q -f qcow2 -o "$o" -b base -F qcow2 mid 5M
	qemu-img create -q -f qcow2 -o "$o" -b mid -F qcow2 top 6M
	qemu-img create -q -f qcow2 other 3M
	qemu-io -c 'write -P 1 0 2M' -c 'write -P 9 3M 10k' base >/dev/null
	qemu-io -c 'write -P 2 1M 70k' -c 'write -z 512k 256k' \
		-c 'write -P 3 4500k 3k' mid >/dev/null
	qemu-io -c 'write -P 4 1030k 9k' -c 'write -z 100k 100k' \
		-c 'write -P 5 5900k 5k' top >/dev/null
	qemu-io -c 'write -P 1 0 300k' -c 'write -P 7 2500k 90k' other >/dev/null
	qemu-img convert -O raw top want
}

sound() {
	local i
	for i in "$@"; do
		qemu-img check -q "$i" || fail "$what: $i is damaged"
	done
}

for o in cluster_size=64k cluster_size=4k,compat=0.10; do
	what="commit, $o"
	chain $o
	"$img" commit -q -p top >progress
	grep -q '100.00/100%' progress || fail "$what: no progress"
	sound base mid top
	qemu-img compare -q -f raw want mid || fail "$what: differs below"
	qemu-img compare -q -f raw want top || fail "$what: differs on top"
	[ "$(qemu-img map --output json top | grep -c '"depth": 0, "present": true')" = 0 ] ||
		fail "$what: not emptied"

	what="commit -d, $o"
	chain $o
	"$img" commit -q -d top
	qemu-img compare -q -f raw want mid || fail "$what: differs"
	[ "$(qemu-img map --output json top | grep -c '"depth": 0, "present": true')" != 0 ] ||
		fail "$what: emptied"

	what="commit -b, $o"
	chain $o
	"$img" commit -q -b base top
	sound base mid top
	qemu-img compare -q -f raw want base || fail "$what: differs"
	! "$img" commit -q -b other top 2>/dev/null || fail "$what: a stranger"
	! "$img" commit -q base 2>/dev/null || fail "$what: nothing below"

	what="rebase, $o"
	for to in base other; do
		chain $o
		"$img" rebase -q -p -b $to -F qcow2 top >progress
		grep -q '100.00/100%' progress || fail "$what: no progress"
		sound top
		[ "$(qemu-img info --output json top | grep -c "\"backing-filename\": \"$to\"")" = 1 ] ||
			fail "$what: its name"
		qemu-img compare -q -f raw want top || fail "$what: differs on $to"
	done
	chain $o
	"$img" rebase -q -b '' top
	sound top
	rm mid base
	qemu-img compare -q -f raw want top || fail "$what: differs alone"
	# Back: the zeroes of an image with nothing behind it stay zeroes.
	"$img" rebase -q -b other -F qcow2 top
	sound top
	qemu-img compare -q -f raw want top || fail "$what: differs after that"
	! "$img" rebase -q -b top -F qcow2 top 2>/dev/null || fail "$what: on itself"
	! "$img" rebase -q -b other top 2>/dev/null || fail "$what: a format was guessed"

	what="rebase -u, $o"
	chain $o
	"$img" rebase -q -u -b nowhere -F raw top
	qemu-img info -U --output json top | grep -q '"backing-filename": "nowhere"' ||
		fail "$what: its name"
	qemu-img rebase -u -b mid -F qcow2 top
	qemu-img compare -q -f raw want top || fail "$what: differs"
done

for compress in "" -c; do
	what="convert -B $compress"
	chain cluster_size=64k
	"$img" convert $compress -O qcow2 -B mid -F qcow2 top ours
	qemu-img convert $compress -O qcow2 -B mid -F qcow2 top theirs
	sound ours
	qemu-img compare -q -f raw want ours || fail "$what: differs"
	[ $(stat -c %s ours) -le $(($(stat -c %s theirs) + 65536)) ] ||
		fail "$what: copied what is below"
done
! "$img" convert -O qcow2 -B mid top ours 2>/dev/null || fail "$what: a format was guessed"

what=dd
for args in "bs=1M count=2 skip=1" "bs=512" "bs=100k skip=3" "bs=1M count=99"; do
	"$img" dd -f qcow2 -O qcow2 $args if=top of=part
	dd if=want of=part.raw $args status=none
	sound part
	qemu-img compare -q -f raw -F qcow2 part.raw part || fail "dd $args: differs"
done
! "$img" dd if=top 2>/dev/null || fail "dd: to nowhere"

same() {
	"$img" measure --output json "$@" | python3 -m json.tool --sort-keys >ours
	qemu-img measure --output json "$@" | python3 -m json.tool --sort-keys >theirs
	cmp -s ours theirs || fail "measure $*: $(cat ours theirs)"
	[ "$("$img" measure "$@")" = "$(qemu-img measure "$@")" ] || fail "measure $*"
}
for o in cluster_size=64k cluster_size=512 cluster_size=2M,refcount_bits=64 \
	 compat=0.10 preallocation=full; do
	same -O qcow2 -o $o --size 10M
	same -O qcow2 -o $o --size 100G
	same -O qcow2 -o $o -f qcow2 top
done
same -O raw --size 10M
same -O raw -f qcow2 top
same -O qcow2 -f raw want
