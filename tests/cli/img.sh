#!/bin/bash
# tests/cli/img.sh -- vireo-img beside qemu-img: images of the one in the hands
# of the other, and the same answers about them.
. "$(dirname "$0")/img-functions.sh"
needs qemu-img

# The fields that both have, of a JSON object or list of them.
same() {
	python3 - "$@" <<-'END' || fail "$*: not the same"
	import json, subprocess, sys
	img, words = sys.argv[1], sys.argv[2:]
	a, b = (json.loads(subprocess.run([p] + words, stdout=subprocess.PIPE).stdout)
	        for p in (img, "qemu-img"))
	skip = {"compressed", "children"}
	strip = lambda o: {k: v for k, v in o.items() if k not in skip}
	a, b = ([strip(o) for o in (x if isinstance(x, list) else [x])] for x in (a, b))
	if a != b:
	    print(words, a, b, sep="\n")
	    sys.exit(1)
	END
}

seq 1 300000 >raw
truncate -s 5M raw
for options in cluster_size=64k cluster_size=512,refcount_bits=1 \
	       compat=0.10,cluster_size=2M compression_type=zstd; do
	for compress in "" -c; do
		"$img" convert $compress -f raw -O qcow2 -o $options raw ours
		qemu-img check -q ours || fail "$options $compress: damaged"
		"$img" check -q ours || fail "$options $compress: found damaged"
		qemu-img compare -q raw ours || fail "$options $compress: differs"
		same "$img" info --output json ours
		same "$img" check --output json ours
		[ -n "$compress" ] || same "$img" map --output json ours

		qemu-img convert $compress -f raw -O qcow2 -o $options raw theirs
		"$img" check -q theirs || fail "$options $compress: qemu-img's found damaged"
		"$img" compare -q theirs ours || fail "$options $compress: qemu-img's differs"
		"$img" convert -f qcow2 -O raw theirs out
		cmp raw out || fail "$options $compress: copied back"
	done
done

for mode in off metadata falloc full; do
	"$img" create -q -f qcow2 -o preallocation=$mode new 9M
	qemu-img check -q new || fail "preallocation $mode"
	"$img" resize -q --preallocation $mode new +5M
	qemu-img check -q new || fail "preallocation $mode, resized"
	[ "$(stat -c %s new)" -lt $((16 * 1024 * 1024)) ]
done

for size in +3M 1T 15M 2M 30M; do
	"$img" resize -q --shrink ours $size
	qemu-img resize -q -f raw --shrink raw $size
	qemu-img check -q ours || fail "resize $size"
	"$img" compare -q -f raw raw ours || fail "resize $size: differs"
done

for format in raw qcow2; do
	file=raw
	[ $format = raw ] || file=ours
	"$img" bench -f $format -c 500 -d 32 -S 69632 --flush-interval 100 \
		--pattern 7 -w $file >bench || fail "bench, $format"
	grep -qx 'Run completed in [0-9.]* seconds\.' bench || fail "bench: $(cat bench)"
	"$img" bench -q -f $format -c 500 $file >/dev/null || fail "bench, $format"
done
qemu-img check -q ours || fail "bench: damaged"
"$img" compare -q -f raw raw ours || fail "bench: differs"

mkdir sub
"$img" create -q -f qcow2 -b ../theirs -F qcow2 sub/top
same "$img" info --output json sub/top
same "$img" info --output json --backing-chain sub/top
"$img" compare -q sub/top theirs
! "$img" create -q -f qcow2 -b theirs bad 1M 2>/dev/null || fail "a format was guessed"
qemu-img create -q -f qcow2 -u -b two -F qcow2 one 1M
qemu-img create -q -f qcow2 -u -b one -F qcow2 two 1M
! "$img" map one 2>/dev/null || fail "a loop was followed"
r=0
printf x | dd of=raw conv=notrunc status=none
"$img" compare -q raw theirs || r=$?
[ $r = 1 ] || fail "compare: $r"
