#!/bin/bash
# tests/cli/man.sh -- every command and option of vireo stands in vireo(1).
set -u
vireo=${VIREO:-./vireo} page=${srcdir:-.}/docs/man/vireo.1
for command in $("$vireo" __complete ''); do
	section=$(sed -n "/^\.SS $command\$/,/^\.S[SH] /p" "$page" | tr -d '\\')
	[ -n "$section" ] || { echo "$command is not in vireo.1"; exit 1; }
	for option in $("$vireo" help "$command" | grep -o '^    --[a-z-]*'); do
		grep -qe "$option" <<< "$section" || { echo "$command $option is not in vireo.1"; exit 1; }
	done
done
