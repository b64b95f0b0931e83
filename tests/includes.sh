#!/bin/sh
# tests/includes.sh -- every #include goes in a direction that the table in
# docs/ARCHITECTURE.md allows.
set -eu

top=${srcdir:-$(dirname "$0")/..}
cd "$top"

find base cli cpu daemon dbus drivers model network rpc storage vmm -name '*.[ch]' |
	sort | xargs grep -n '^#[[:space:]]*include "' |
awk -v table=docs/ARCHITECTURE.md '
function fits(path, pattern) {
	gsub(/[.]/, "[.]", pattern)
	gsub(/[*]/, ".*", pattern)
	return path ~ "^" pattern "$"
}
function folder(path) {
	sub(/\/[^\/]*$/, "", path)
	return path
}
function allowed(from, to,   i, k, n, words) {
	if (to == "config.h" || to ~ /^base\// ||
	    folder(from) == folder(to))
		return 1
	for (i = 1; i <= rows; i++) {
		if (!fits(from, pattern[i]))
			continue
		n = split(targets[i], words, " ")
		for (k = 1; k <= n; k++)
			if (fits(to, words[k]))
				return 1
		return 0
	}
	return 0
}
BEGIN {
	while ((getline line < table) > 0) {
		if (line !~ /^\| `/)
			continue
		gsub(/`/, "", line)
		split(line, cell, "|")
		gsub(/ /, "", cell[2])
		pattern[++rows] = cell[2]
		targets[rows] = cell[3]
	}
	if (rows < 10) {
		print "no table in " table
		bad = 1
	}
}
{
	split($0, part, ":")
	to = $0
	sub(/^[^"]*"/, "", to)
	sub(/".*/, "", to)
	seen++
	# A file made by the build is named without its folder or from the top.
	if (!allowed(part[1], to)) {
		print part[1] ":" part[2] ": may not include " to
		bad = 1
	}
}
END {
	if (seen < 100) {
		print "only " seen " includes found"
		bad = 1
	}
	exit bad
}'
