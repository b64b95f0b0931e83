#!/bin/bash
# tests/cli/man.sh -- every command of vireo stands in vireo(1), its options are explained, and
# the other programs' options in their pages.
set -u
pages=${srcdir:-.}/docs/man
vireo=${VIREO:-./vireo} page=docs/man/vireo.1
for command in $("$vireo" __complete ''); do
	grep -qx ".SS ${command//-/\\\\-}" "$page" || { echo "$command is not in vireo.1"; exit 1; }
done
# Every option of every command is explained.
"$vireo" help | sed -n 's/^    \([a-z0-9-]*\) .*/help \1/p' | paste -sd ';' > man.$$
"$vireo" "$(cat man.$$)" > help.$$
rm man.$$
grep -E '^    (\[?--[a-z0-9-]+\]?|<[a-z-]+>)( <[a-z]+>)? *$' help.$$ && { echo "... is not explained"; rm help.$$; exit 1; }
rm help.$$
for program in vireod vireo-dbus vireo-vmm; do
	for option in $("./$program" --help | grep -o -e '--[a-z][a-z-]*' | sort -u); do
		tr -d '\\' <"$pages/$program.8" | grep -qe "$option" ||
			{ echo "$program $option is not in $program.8"; exit 1; }
	done
done
