#!/bin/sh
# tests/procedures.sh -- docs/PROCEDURES.md has every procedure once, and says of
# each whether it is implemented.  rpc/procedures-doc.py makes the table.
set -eu
cd "${srcdir:-$(dirname "$0")/..}"
awk '
FNR == NR && /^[0-9]/ {
	key = $1 " " $2
	want[key] = index("," $6 ",", ",event,") ? "event" : \
		$3 == "." ? "no" : "yes"
	n++
	next
}
FNR != NR && /^\| [0-9]/ {
	key = $2 " " $4
	if (!(key in want)) {
		print key " is no procedure (any more)"
		bad = 1
	} else if (key in seen) {
		print key " is there twice"
		bad = 1
	} else if ($6 != want[key]) {
		print key " is not \"" $6 "\" but \"" want[key] "\""
		bad = 1
	}
	if ($6 == "no" && NF < 9) {
		print key " is refused without a reason"
		bad = 1
	}
	seen[key] = 1
	rows++
}
END {
	for (key in want)
		if (!(key in seen)) {
			print key " is not in docs/PROCEDURES.md"
			bad = 1
		}
	if (n < 443 || rows < 443) {
		print n " procedures, " rows " rows"
		bad = 1
	}
	exit bad
}' rpc/procedures docs/PROCEDURES.md
