#!/bin/sh
# Every document under tests/xml and examples, by the model and by xmllint.
set -e
: "${srcdir:=.}"
schemas=$srcdir/xml-schemas

tests/xml/run "$schemas" "$srcdir/tests/xml" "$srcdir/examples"
command -v xmllint >/dev/null || exit 0
xmllint --noout --relaxng "$schemas/domain.rng" "$srcdir"/examples/*.xml
xmllint --noout --relaxng "$schemas/network.rng" "$srcdir"/examples/network/*.xml
for f in "$srcdir"/examples/backup/*.xml; do
	case $f in
	*/checkpoint*) rng=domaincheckpoint ;;
	*) rng=domainbackup ;;
	esac
	xmllint --noout --relaxng "$schemas/$rng.rng" "$f"
done
