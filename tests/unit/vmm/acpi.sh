#!/bin/sh
# tests/unit/vmm/acpi.sh -- ACPICA's own tools read our tables: iasl takes them
# apart and compiles the result again without errors, acpiexec runs methods.
command -v iasl > /dev/null && command -v acpiexec > /dev/null || exit 77
set -e
dump=$PWD/tests/unit/vmm/acpi-dump
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

for cpus in 1 300; do
	rm -f "$dir"/*
	"$dump" "$dir" $cpus
	cd "$dir"
	for t in FACP APIC MCFG DSDT; do
		iasl -d $t.dat > log 2>&1 || { cat log; exit 1; }
		if grep -iE 'invalid|error|checksum' log; then exit 1; fi
	done
	iasl -tc DSDT.dsl > log 2>&1 || { cat log; exit 1; }
	grep -q ' 0 Errors' log || { cat log; exit 1; }
	grep -q 'Hardware Reduced (V5) : 1' FACP.dsl
	grep -q 'Base Address : 00000000E0000000' MCFG.dsl
	grep -q '_HID, EisaId ("PNP0A08")' DSDT.dsl
	grep -q 'ToUUID ("33db4d5b' DSDT.dsl
	cd - > /dev/null
done
grep -q 'Processor x2Apic ID' "$dir"/APIC.dsl

cd "$dir"
acpiexec -di -b 'execute \_SB.GED0._EVT 9;execute \_SB.PCI0._CRS;evaluate \_S5' \
	DSDT.dat > log 2>&1 || { cat log; exit 1; }
if grep -E 'AE_[A-Z]|ACPI (Error|Warning)' log | grep -v AE_OK; then
	cat log
	exit 1
fi
