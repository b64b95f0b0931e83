#!/bin/sh
# tests/guest/all.sh -- every guest test on every engine named in $ENGINES
# (default: all of emulation).  Arguments: only these sources.  ASSEMBLE: a
# folder where the code is only put; ASSEMBLED: where it is already.
dir=${srcdir:-$(dirname "$0")/../..}/tests/guest
runner=${builddir:-.}/tests/guest/runner
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
failed=0 run=0

assemble() {
	[ -z "${ASSEMBLED-}" ] || { cp "$ASSEMBLED/$(basename "$2")" "$2"; return; }
	${CC:-cc} -nostdlib -nostartfiles -static -no-pie -Wl,--build-id=none \
		-Wl,-Ttext=0x10000 -Wl,--oformat=binary -I "$dir" \
		-o "$2" "$1" 2>"$tmp/log" || { cat "$tmp/log"; return 1; }
}

[ $# -gt 0 ] || set -- "$dir"/*.S
for source; do
	name=$(basename "$source" .S)
	if ! assemble "$source" "$tmp/$name.bin"; then
		failed=$((failed + 1))
		continue
	fi
	[ -z "${ASSEMBLE-}" ] || { cp "$tmp/$name.bin" "$ASSEMBLE/"; continue; }
	for engine in ${ENGINES:-emu emu:interp emu:jit emu:lockstep}; do
		"$runner" "$engine" "$source" "$tmp/$name.bin" \
			>"$tmp/log" 2>&1
		case $? in
		0) run=$((run + 1)) ;;
		77) ;;
		*)	echo "FAIL $name on $engine: $(cat "$tmp/log")"
			failed=$((failed + 1)) ;;
		esac
	done
done
echo "$run passed, $failed failed"
[ $failed -eq 0 ]
