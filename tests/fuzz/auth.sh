#!/bin/sh
# SASL's steps over every input that was ever of interest, and each of those cut
# short anywhere.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
corpus=${srcdir:-.}/tests/fuzz/auth.corpus
for file in "$corpus"/*; do
	size=$(wc -c <"$file")
	n=0
	while [ "$n" -lt "$size" ]; do
		head -c "$n" "$file" >"$dir/${file##*/}.$n"
		n=$((n + 7))
	done
done
exec ./tests/fuzz/auth "$corpus"/* "$dir"/*
