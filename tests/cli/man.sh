#!/bin/bash
# tests/cli/man.sh -- every command and option of vireo stands in vireo(1), and
# the other programs' options in their pages.
set -u
pages=${srcdir:-.}/docs/man
vireo=${VIREO:-./vireo} page=$pages/vireo.1
for command in $("$vireo" __complete ''); do
	section=$(sed -n "/^\.SS $command\$/,/^\.S[SH] /p" "$page" | tr -d '\\')
	[ -n "$section" ] || { echo "$command is not in vireo.1"; exit 1; }
	for option in $("$vireo" help "$command" | grep -o '^    --[a-z-]*'); do
		grep -qe "$option" <<< "$section" || { echo "$command $option is not in vireo.1"; exit 1; }
	done
done
for program in vireod vireo-vmm; do
	for option in $("./$program" --help | grep -o -e '--[a-z][a-z-]*' | sort -u); do
		tr -d '\\' <"$pages/$program.8" | grep -qe "$option" ||
			{ echo "$program $option is not in $program.8"; exit 1; }
	done
done
