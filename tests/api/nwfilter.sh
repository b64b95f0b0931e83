#!/bin/bash
# tests/api/nwfilter.sh -- network filters by stock virsh and by ours, and what
# they keep from passing: in a network namespace of the test's own.
set -eu
if [ -z "${NWFILTER_TEST_INSIDE-}" ]; then
	unshare -n true 2>/dev/null || { echo "skipped: no namespaces" >&2; exit 77; }
	NWFILTER_TEST_INSIDE=1 exec unshare -n "$0" "$@"
fi
. "$(dirname "$0")/functions.sh"
. "$(dirname "$0")/network-functions.sh"
requires virsh python3 ip nft
nft 'add table bridge x; delete table bridge x' 2>/dev/null || skip "no nftables of bridges"
ip link set lo up

same() { # COMMAND...: our command line prints what virsh prints
	"$BUILD/vireo" -c "$uri" "$@" >"$dir/ours" 2>&1 || true
	virsh -c "$uri" "$@" >"$dir/virshs" 2>&1 || true
	diff "$dir/virshs" "$dir/ours" >&2 || fail "vireo prints otherwise: $*"
}
rules_of() { nft list table bridge vireo 2>/dev/null | grep -c "chain port_$1_" || true; }
no_rules_of() { [ "$(rules_of "$1")" = 0 ]; }

up

# ---- definitions ----
for name in clean-traffic no-mac-spoofing no-ip-spoofing no-arp-spoofing allow-dhcp qemu-announce-self; do
	has "$(v nwfilter-list)" " $name"
done
for f in "$top"/examples/nwfilter/*.xml; do
	name=$(basename "$f" .xml)-example
	v nwfilter-define --validate "$f" >/dev/null
	has "$(v nwfilter-dumpxml "$name")" "<filter name='$name' chain='root'"
	v nwfilter-undefine "$name" >/dev/null
done
cat >"$dir/mine.xml" <<'XML'
<filter name='mine' chain='root'>
  <uuid>5c6d49af-b071-6127-b4ec-6f8ed4b55335</uuid>
  <filterref filter='clean-traffic'/>
</filter>
XML
v nwfilter-define --validate "$dir/mine.xml" >/dev/null
refused "no nwfilter with matching name 'none'" v nwfilter-dumpxml none
refused "loop" v nwfilter-define <(echo "<filter name='mine'><uuid>5c6d49af-b071-6127-b4ec-6f8ed4b55335</uuid><filterref filter='mine'/></filter>")
refused "illegal value" v nwfilter-define <(echo "<filter name='bad'><rule action='drop' direction='in'><mac srcmacaddr='1:2'/></rule></filter>")
same nwfilter-list
same nwfilter-dumpxml mine
same nwfilter-dumpxml 5c6d49af-b071-6127-b4ec-6f8ed4b55335
same nwfilter-dumpxml clean-traffic --xpath //filterref
same nwfilter-dumpxml none
same nwfilter-define "$dir/mine.xml"
same nwfilter-define /nonexistent
same nwfilter-undefine none
same nwfilter-binding-list
same nwfilter-binding-dumpxml none
same nwfilter-binding-delete none

# ---- a port ----
ip link add brT type bridge stp_state 0 forward_delay 0
for n in A B; do
	ip link add veth$n type veth peer name g$n
	ip link set veth$n master brT up
	ip link set g$n up
done
ip link set brT up
mac=52:54:00:11:22:33
binding() { # FILTER
	cat <<-XML
	<filterbinding>
	  <owner><name>vm</name><uuid>12345678-1234-4234-8234-123456789abc</uuid></owner>
	  <portdev name='vethA'/><mac address='$mac'/>
	  <filterref filter='$1'><parameter name='IP' value='10.0.0.1'/></filterref>
	</filterbinding>
	XML
}
spoof() { python3 -B "$here/spoof.py" gA gB $mac 10.0.0.1 "$@"; }
binding mine >"$dir/binding.xml"
spoof spoofed || fail "without a filter"
v nwfilter-binding-create --validate "$dir/binding.xml" >/dev/null
spoof || fail "with a filter"
has "$(v nwfilter-binding-list)" "vethA   mine"
has "$(v nwfilter-binding-dumpxml vethA)" "<filterref filter='mine'>"
same nwfilter-binding-list
same nwfilter-binding-dumpxml vethA
same nwfilter-binding-create "$dir/binding.xml"
same nwfilter-undefine mine
refused "nwfilter is in use" v nwfilter-undefine mine
refused "nwfilter is in use" v nwfilter-undefine clean-traffic
refused "'none' is missing" v nwfilter-binding-create <(binding none | sed s/vethA/vethB/)
no_rules_of vethB || fail "rules of a binding that there is not"

# ---- redefined while a port has it; what cannot be changes nothing ----
sed 's/<filterref .*>//' "$dir/mine.xml" >"$dir/open.xml"
v nwfilter-define "$dir/open.xml" >/dev/null
spoof spoofed || fail "with a filter without rules"
v nwfilter-define "$dir/mine.xml" >/dev/null
spoof || fail "with the first filter again"
refused "none" v nwfilter-define <(sed 's/clean-traffic/none/' "$dir/mine.xml")
refused "connlimit-above" v nwfilter-define <(sed "s|<filterref .*|<rule action='drop' direction='in'><tcp connlimit-above='1'/></rule>|" "$dir/mine.xml")
has "$(v nwfilter-dumpxml mine)" "<filterref filter='clean-traffic'/>"
spoof || fail "after a filter that cannot be"

# ---- somebody flushes the host's rules; the daemon ends, and dies ----
listed() { nft list table bridge vireo 2>/dev/null | grep -c '[a-z]' || true; }
all=$(listed)
[ "$all" -gt 20 ] || fail "few rules: $(nft list table bridge vireo)"
are_back() { [ "$(listed)" = "$all" ]; }
for harm in "flush ruleset" "delete table bridge vireo" "flush table bridge vireo" \
	"flush map bridge vireo frames_out" "flush chain bridge vireo port_vethA_0"; do
	nft "$harm"
	wait_for 120 are_back || fail "no rules after: $harm"
done
spoof || fail "after a flush"
"$top/scripts/stop-daemon" "$dir"
spoof || fail "without a daemon"
nft flush ruleset
up
are_back || fail "no rules after a restart"
has "$(v nwfilter-binding-list)" "vethA   mine"
kill -9 "$(priv_pid)"
main_ended() { [ -z "$(main_pid)" ]; }
wait_for 120 main_ended || fail "the daemon's main half stayed"
nft delete table bridge vireo
up
are_back || fail "no rules after kill -9"
spoof || fail "after kill -9"

# ---- the end of it ----
v nwfilter-binding-delete vethA >/dev/null
no_rules_of vethA || fail "rules stayed"
spoof spoofed || fail "after the filter's end"
our() { "$BUILD/vireo" -q -c "$uri" "$@"; }
our nwfilter-undefine mine
our nwfilter-define "$dir/mine.xml"
our nwfilter-binding-create "$dir/binding.xml"
spoof || fail "with our command line"
our nwfilter-binding-delete vethA
our nwfilter-undefine mine
refused "no nwfilter with matching name 'mine'" v nwfilter-dumpxml mine
echo "network filters: all as they should be"
