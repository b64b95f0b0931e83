#!/bin/bash
# tests/cli/img-luks.sh -- encrypted images: what vireo-img made is read and
# written by stock qemu, and the other way round.
. "$(dirname "$0")/img-functions.sh"
needs qemu-img qemu-io

# QEMU counts its CPU time to choose PBKDF2's rounds, and gives up where a busy
# machine gave it too little.
qemu-img() {
	local status=0
	while :; do
		command qemu-img "$@" 2>"$dir/said" && return
		status=$?
		grep -q 'accurate CPU usage' "$dir/said" || break
	done
	cat "$dir/said" >&2
	return $status
}

secret=(--object secret,id=s,data=geheim)
wrong=(--object secret,id=s,data=falsch)

# An image's name by options.
named() {
	local prefix=encrypt.
	[ $1 = luks ] && prefix=
	echo "driver=$1,file.filename=$2,${prefix}key-secret=s"
}

same() {
	qemu-img compare -q "${secret[@]}" --image-opts driver=raw,file.filename=raw "$1" ||
		fail "$what: differs for qemu"
	"$img" compare -q "${secret[@]}" --image-opts driver=raw,file.filename=raw "$1" ||
		fail "$what: differs for us"
}

sound() {
	[ $format = luks ] && return
	qemu-img check -q "${secret[@]}" --image-opts "$(named $format $1)" ||
		fail "$what: damaged"
	"$img" check -q $1 || fail "$what: found damaged"
}

seq 1 200000 >raw
truncate -s 3M raw
try() {
	local options=$2 i
	format=$1
	for tool in "$img" qemu-img; do
		what="$format $options, made by ${tool##*/}"
		cp raw kept
		"$tool" convert "${secret[@]}" -f raw -O $format -o "$options" raw enc
		sound enc
		[ -z "$(grep -c 19999 enc | grep -v '^0')" ] || fail "$what: plain text"
		same "$(named $format enc)"
		[ $format = luks ] || "$img" info enc | grep -qx 'encrypted: yes' ||
			fail "$what: not shown"
		# Written by both, in whole clusters and not.
		for i in 512:1024 69632:150000 1048576:65536 3000320:512; do
			qemu-io -f raw -c "write -P 5 ${i%:*} $(((${i#*:} + 511) / 512 * 512))" raw >/dev/null
			qemu-io "${secret[@]}" --image-opts -c "write -P 5 ${i%:*} $(((${i#*:} + 511) / 512 * 512))" \
				"$(named $format enc)" >/dev/null
		done
		same "$(named $format enc)"
		qemu-io -f raw -c "write -P 9 100352 80384" -c "write -P 9 2000384 4096" raw >/dev/null
		"$img" bench -q -w "${secret[@]}" --image-opts --pattern 9 -c 1 -o 100352 -s 80384 \
			"$(named $format enc)" >/dev/null
		"$img" bench -q -w "${secret[@]}" --image-opts --pattern 9 -c 1 -o 2000384 -s 4096 \
			"$(named $format enc)" >/dev/null
		sound enc
		same "$(named $format enc)"
		! "$img" convert "${wrong[@]}" --image-opts -O raw "$(named $format enc)" out 2>err ||
			fail "$what: any passphrase is right"
		grep -qi password err || fail "$what: $(cat err)"
		! "$img" convert -f $format -O raw enc out 2>err || fail "$what: read without"
		grep -q secret err || fail "$what: $(cat err)"
		mv kept raw
	done
}

try luks key-secret=s,iter-time=10
try luks key-secret=s,iter-time=10,cipher-alg=aes-128,cipher-mode=cbc,ivgen-alg=essiv,ivgen-hash-alg=sha256
try qcow2 encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10
try qcow2 encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10,cluster_size=4k

what="over another image"
qemu-img convert -f raw -O qcow2 raw base
"$img" create -q "${secret[@]}" -f qcow2 -b base -F qcow2 \
	-o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 top
qemu-io "${secret[@]}" --image-opts -c "write -P 3 270848 1024" "$(named qcow2 top)" >/dev/null
"$img" bench -q -w "${secret[@]}" --image-opts --pattern 3 -c 2 -o 70144 -s 1024 -S 100352 \
	"$(named qcow2 top)" >/dev/null
for i in 0 1 2; do
	qemu-io -f raw -c "write -P 3 $((70144 + i * 100352)) 1024" raw >/dev/null
done
format=qcow2
sound top
same "$(named qcow2 top)"

what="the old encryption"
qemu-img convert -q "${secret[@]}" -f raw -O qcow2 -o encrypt.format=aes,encrypt.key-secret=s raw old
same "$(named qcow2 old)"
! "$img" bench -q -w "${secret[@]}" --image-opts -c 1 "$(named qcow2 old)" 2>err ||
	fail "$what: written"
grep -q 'only be read' err || fail "$what: $(cat err)"

what="secrets"
printf geheim | base64 >file
"$img" compare -q --object secret,id=s,file=file,format=base64 --image-opts \
	driver=raw,file.filename=raw "$(named qcow2 top)" || fail "$what: base64"
! "$img" create -q -f luks x 1M 2>/dev/null || fail "$what: none"
! "$img" convert -c "${secret[@]}" -O qcow2 -o encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10 \
	raw x 2>/dev/null || fail "$what: compressed"
