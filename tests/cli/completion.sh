#!/bin/bash
# tests/cli/completion.sh -- bash, zsh and fish complete vireo's words.  A shell
# that is not installed is left out.
set -eu
src=$(realpath "${srcdir:-.}")
vireo=$(realpath "${VIREO:-./vireo}")
command -v virsh > /dev/null || { echo "virsh is not installed"; exit 77; }
command -v expect > /dev/null || { echo "expect is not installed"; exit 77; }
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
mkdir "$t/bin" "$t/home"
ln -s "$vireo" "$t/bin/vireo"
export PATH=$t/bin:$PATH HOME=$t/home XDG_CONFIG_HOME=$t/home XDG_DATA_HOME=$t/home

for shell in bash zsh; do
	command -v $shell > /dev/null || { echo "$shell is not installed"; continue; }
	expect "$src/tests/cli/completion.exp" $shell "$src/cli/completion" > "$t/log" 2>&1 ||
		{ cat "$t/log"; echo "$shell does not complete"; exit 1; }
done

command -v fish > /dev/null || { echo "fish is not installed"; exit 0; }
# What fish offers for a line.
offers() { fish --no-config -c "source $src/cli/completion/vireo.fish; complete -C 'vireo -c test:///default $1'"; }
offers 'domid te' > "$t/domain"
grep -qw '^test' "$t/domain"
offers 'snapshot-cre' > "$t/command"
grep -q "^snapshot-create-as$(printf '\t')create a snapshot" "$t/command"
offers 'domstate --rea' > "$t/option"
grep -q '^--reason' "$t/option"
