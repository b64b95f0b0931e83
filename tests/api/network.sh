#!/bin/bash
# tests/api/network.sh -- virtual networks by stock virsh: in a network
# namespace of the test's own, with a stock DHCP client in another.
set -eu
if [ -z "${NETWORK_TEST_INSIDE-}" ]; then
	unshare -n true 2>/dev/null || { echo "skipped: no namespaces" >&2; exit 77; }
	NETWORK_TEST_INSIDE=1 exec unshare -n "$0" "$@"
fi
. "$(dirname "$0")/functions.sh"
. "$(dirname "$0")/network-functions.sh"
requires virsh python3 busybox ip tc gcc dnsmasq nsenter ping ss
ip link set lo up

ns_pid=
end_ns() { [ -z "$ns_pid" ] || kill "$ns_pid" 2>/dev/null; }
cleanup_fn end_ns
end_nets() {
	for n in $(v net-list --name 2>/dev/null); do
		v net-destroy "$n" >/dev/null 2>&1
	done
}
cleanup_fn end_nets

dnsmasqs() {
	local pid n=0
	for pid in $(cat "$dir"/state/net/*/pid 2>/dev/null | cut -d' ' -f1); do
		grep -qx dnsmasq "/proc/$pid/comm" 2>/dev/null && n=$((n + 1))
	done
	echo $n
}
dnsmasq_pid() { cut -d' ' -f1 "$dir/state/net/$(v net-uuid "$1")/pid"; }

up

# ---- definitions ----
for f in "$top"/examples/network/*.xml; do
	v net-define --validate "$f" >/dev/null
	has "$(v net-dumpxml "$(basename "$f" .xml)-example")" "<name>$(basename "$f" .xml)-example</name>"
	v net-undefine "$(basename "$f" .xml)-example" >/dev/null
done
cat >"$dir/lab.xml" <<'XML'
<network>
  <name>lab</name>
  <forward mode='nat'/>
  <bridge name='vlab0' stp='off'/>
  <domain name='lab.example' localOnly='yes'/>
  <dns><host ip='10.77.0.9'><hostname>nine</hostname></host></dns>
  <ip address='10.77.0.1' prefix='24'>
    <dhcp>
      <range start='10.77.0.100' end='10.77.0.110'/>
      <host mac='52:54:00:00:00:01' name='one' ip='10.77.0.5'/>
    </dhcp>
  </ip>
</network>
XML
v net-define --validate "$dir/lab.xml" >/dev/null
has "$(v net-dumpxml lab)" "<bridge name='vlab0' stp='off' delay='0'/>"
has "$(v net-list --all)" "lab "
refused "no network with matching name" v net-dumpxml other
refused "already exists with uuid" v net-create <(sed 's/<name>/<uuid>11111111-1111-4111-8111-111111111111<\/uuid>&/' "$dir/lab.xml")
v net-autostart lab >/dev/null
has "$(v net-info lab)" "Autostart:      yes"

# Our own command line, whose words and output are virsh's.
our() { "$BUILD/vireo" -q -c "$uri" "$@"; }
same() { # COMMAND...
	"$BUILD/vireo" -c "$uri" "$@" >"$dir/ours" 2>&1 || true
	virsh -c "$uri" "$@" >"$dir/virshs" 2>&1 || true
	diff "$dir/virshs" "$dir/ours" >&2 || fail "vireo prints otherwise: $*"
}
same net-list --all
same net-list --inactive --name
same net-list --all --uuid
same net-list --name --uuid
same net-info lab
same net-dumpxml lab
same net-dumpxml lab --xpath //ip
same net-uuid lab
same net-name "$(v net-uuid lab)"
same net-start other
same net-autostart lab --disable
same net-define "$dir/lab.xml"
same net-update lab frob dns-host "<host/>"
same net-update lab add frob "<host/>"
our net-autostart lab
has "$(v net-info lab)" "Autostart:      yes"

# ---- running ----
our net-event --event lifecycle --loop >"$dir/events" 2>&1 &
events=$!
end_events() { kill $events 2>/dev/null; }
cleanup_fn end_events
# Again, until somebody listens.
tells() {
	v net-define <(echo "<network><name>told</name></network>") >/dev/null
	v net-undefine told >/dev/null
	grep -qx "event 'lifecycle' for network told: Undefined" "$dir/events"
}
wait_for 120 tells || fail "no events: $(cat "$dir/events")"
kill $events
our net-start lab
same net-list
same net-list --all
same net-start lab
same net-dhcp-leases lab
same net-port-list lab
refused "already active" v net-start lab
ip -4 addr show vlab0 | grep -q "10.77.0.1/24"
[ "$(dnsmasqs)" = 1 ] || fail "no dnsmasq"
has "$(v net-info lab)" "Bridge:         vlab0"

# A client on the bridge, in a namespace of its own.
unshare -n sleep 100000 &
ns_pid=$!
has_own_ns() { [ "$(readlink /proc/$ns_pid/ns/net)" != "$(readlink /proc/self/ns/net)" ]; }
wait_for 120 has_own_ns || fail "no namespace"
ip link add va type veth peer name vb address 52:54:00:00:00:01
ip link set va master vlab0 up
ip link set vb netns $ns_pid
inside() { nsenter -t "$ns_pid" -n "$@"; }
inside ip link set vb up
cat >"$dir/udhcpc" <<'SH'
#!/bin/sh
[ "$1" = bound ] && echo "$ip $domain" >"$OUT" && ip addr add "$ip/24" dev "$interface"
exit 0
SH
chmod 755 "$dir/udhcpc"
lease() { OUT="$dir/lease" inside busybox udhcpc -i vb -n -q -t 20 -T 3 -s "$dir/udhcpc" >"$dir/udhcpc.log" 2>&1; }
wait_for 240 lease || fail "no lease: $(cat "$dir/udhcpc.log")"
has "$(cat "$dir/lease")" "10.77.0.5 lab.example"
has "$(v net-dhcp-leases lab)" "10.77.0.5/24"
has "$(v net-dhcp-leases lab)" "one"
same net-dhcp-leases lab
same net-dhcp-leases lab --mac 52:54:00:00:00:01
[ -z "$(v net-dhcp-leases lab 52:54:00:00:00:99)" ] || fail "another's lease"
inside ping -c1 -W10 10.77.0.1 >/dev/null || fail "no ping to the host"
has "$(inside busybox nslookup nine.lab.example 10.77.0.1)" "10.77.0.9"

# ---- changes in place: the same process goes on ----
before=$(dnsmasq_pid lab)
v net-update lab add ip-dhcp-host --live --config \
	"<host mac='52:54:00:00:00:01' name='uno' ip='10.77.0.6'/>" 2>/dev/null &&
	fail "a host twice"
v net-update lab modify ip-dhcp-host --live --config \
	"<host mac='52:54:00:00:00:01' name='one' ip='10.77.0.7'/>" >/dev/null
our net-update lab add dns-host --live \
	"<host ip='10.77.0.10'><hostname>ten</hostname></host>" >/dev/null
[ "$(dnsmasq_pid lab)" = "$before" ] || fail "dnsmasq was started again"
has "$(v net-dumpxml lab --inactive)" "10.77.0.7"
knows_ten() { inside busybox nslookup ten.lab.example 10.77.0.1 2>/dev/null | grep -q 10.77.0.10; }
wait_for 120 knows_ten || fail "dnsmasq does not know the new name"

# ---- ports ----
cat >"$dir/port.xml" <<'XML'
<networkport>
  <uuid>7ae53fa2-15ba-45c7-bb8d-1987fce8e4c2</uuid>
  <owner><name>guest</name><uuid>06578fc1-c686-46fa-bc2c-83893b466a6c</uuid></owner>
  <mac address='52:54:00:7b:35:93'/>
</networkport>
XML
v net-port-create lab "$dir/port.xml" >/dev/null
same net-port-list lab
same net-port-list lab --uuid
same net-port-dumpxml lab 7ae53fa2-15ba-45c7-bb8d-1987fce8e4c2
has "$(v net-port-list lab)" 7ae53fa2-15ba-45c7-bb8d-1987fce8e4c2
has "$(v net-port-dumpxml lab 7ae53fa2-15ba-45c7-bb8d-1987fce8e4c2)" "bridge='vlab0'"
has "$(v net-dumpxml lab)" "<network connections='1'>"

# ---- a guest's card: how much it may carry ----
make_tiny
tiny_xml limited 16 | sed "s|<devices>|&<interface type='network'>\
<mac address='52:54:00:00:00:42'/><source network='lab'/><bandwidth>\
<inbound average='500' peak='1000' burst='64'/></bandwidth></interface>|" \
	>"$dir/limited.xml"
v define --validate "$dir/limited.xml" >/dev/null
v start limited >/dev/null
tap=$(v domiflist limited | grep -o 'vnet[0-9]*')
rate() { tc class show dev "$tap"; }
has "$(rate)" "rate 4Mbit ceil 8Mbit"
has "$(v domiftune limited "$tap")" "inbound.peak   : 1000"
v domiftune limited 52:54:00:00:00:42 --live --inbound 250 >/dev/null
has "$(rate)" "rate 2Mbit ceil 2Mbit"
has "$(v dumpxml limited)" "<inbound average='250'/>"
has "$(v dumpxml limited --inactive)" "<inbound average='500' peak='1000' burst='64'/>"
v dumpxml limited | sed -n '/<interface/,/<.interface>/p' |
	sed "s/average='250'/average='1250'/" >"$dir/card.xml"
v update-device limited "$dir/card.xml" --live >/dev/null
has "$(rate)" "rate 10Mbit"
v domiftune limited "$tap" --live --inbound 0 >/dev/null
[ -z "$(rate)" ] || fail "still limited: $(rate)"
case $(v dumpxml limited) in *"<bandwidth"*) fail "a bandwidth stayed" ;; esac
refused "floor" v domiftune limited "$tap" --live --inbound 100,0,0,50
v destroy limited >/dev/null
v undefine limited >/dev/null

# ---- a guest's card: whom it reaches on the bridge ----
cat >"$dir/ports.xml" <<'XML'
<network><name>ports</name><bridge name='vports0'/><port isolated='yes'/></network>
XML
cat >"$dir/tags.xml" <<'XML'
<network><name>tags</name><bridge name='vtags0'/>
<portgroup name='red'><vlan><tag id='42'/></vlan></portgroup></network>
XML
card() { # GUEST SOURCE MORE
	tiny_xml "$1" 16 | sed "s|<devices>|&<interface type='$2'>$3</interface>|" >"$dir/$1.xml"
}
tap_of() { v domiflist "$1" | grep -o '\(vnet\|macvtap\)[0-9]*'; }
v net-create "$dir/ports.xml" >/dev/null
card apart network "<source network='ports'/>"
v create "$dir/apart.xml" >/dev/null
tap=$(tap_of apart)
port() { ip -d link show "$tap"; }
has "$(port)" "isolated on"
has "$(v dumpxml apart)" "<port isolated='yes'/>"
v dumpxml apart | sed -n '/<interface/,/<.interface>/p' |
	sed "s/isolated='yes'/isolated='no'/" >"$dir/card.xml"
v update-device apart "$dir/card.xml" --live >/dev/null
has "$(port)" "isolated off"
sed -i "s|<port isolated='no'/>|<vlan><tag id='7'/></vlan>|" "$dir/card.xml"
refused "does not filter VLANs" v update-device apart "$dir/card.xml" --live
has "$(port)" "isolated off"
v destroy apart >/dev/null
card red network "<source network='tags' portgroup='red'/>"
if ip link add tags0 type bridge vlan_filtering 1 2>/dev/null; then
	ip link del tags0
	v net-create "$dir/tags.xml" >/dev/null
	v create "$dir/red.xml" >/dev/null
	tap=$(tap_of red)
	has "$(bridge vlan show dev "$tap")" "42 PVID Egress Untagged"
	has "$(v dumpxml red)" "<tag id='42'/>"
	v dumpxml red | sed -n '/<interface/,/<.interface>/p' |
		sed "s/id='42'/id='7'/" >"$dir/card.xml"
	v update-device red "$dir/card.xml" --live >/dev/null
	has "$(bridge vlan show dev "$tap")" "7 PVID Egress Untagged"
	v destroy red >/dev/null
	v net-destroy tags >/dev/null
else
	refused "which the host's kernel does not filter" v net-create "$dir/tags.xml"
fi
v net-destroy ports >/dev/null

# ---- a guest's card on a device of the host's: macvtap ----
macvtaps() { ip -o link show type macvtap | sed 's/^[0-9]*: \([^@]*\)@.*/\1/' | tr '\n' ' '; }
no_macvtaps() { [ -z "$(macvtaps)" ]; }
ip link add below0 type veth peer name peer0
ip link add below1 type veth peer name peer1
ip link set below0 up
ip link set below1 up
if grep -q macvtap /proc/devices && ip link add link below0 name macvtap0 type macvtap mode bridge 2>/dev/null; then
	ip link del macvtap0
	v net-create "$top/examples/network/macvtap.xml" >/dev/null
	for n in 1 2 3; do
		card direct$n network "<mac address='52:54:00:00:07:0$n'/><source network='macvtap-example'/>"
		v create "$dir/direct$n.xml" >/dev/null
	done
	[ "$(macvtaps)" = "macvtap0 macvtap1 macvtap2 " ] || fail "macvtaps: $(macvtaps)"
	has "$(ip -d link show macvtap0)" "macvtap mode private"
	has "$(ip -d link show macvtap0)" "52:54:00:00:07:01"
	has "$(ip link show macvtap0)" "@below0"
	has "$(ip link show macvtap1)" "@below1"
	has "$(v net-dumpxml macvtap-example)" "<interface dev='below0' connections='2'/>"
	has "$(v net-dumpxml macvtap-example)" "<interface dev='below1' connections='1'/>"
	has "$(v dumpxml direct2)" "dev='below1' mode='private'"
	v destroy direct2 >/dev/null
	[ "$(macvtaps)" = "macvtap0 macvtap2 " ] || fail "macvtaps: $(macvtaps)"
	# Nothing stays of a guest that died while nobody looked.
	vmm=$(vmm_pid direct1)
	kill -9 "$(priv_pid)" "$vmm"
	no_main() { [ -z "$(main_pid)" ]; }
	wait_for 120 no_main || fail "the daemon's main half stayed"
	up
	only_third() { [ "$(macvtaps)" = "macvtap2 " ]; }
	wait_for 120 only_third || fail "macvtaps: $(macvtaps)"
	has "$(v domiflist direct3)" macvtap2
	v destroy direct3 >/dev/null
	no_macvtaps || fail "macvtaps stayed: $(macvtaps)"
	v net-destroy macvtap-example >/dev/null

	# Alone on a device, which gets the guest's address for that time.
	address() { ip -o link show below0 | sed 's/.*link.ether \([^ ]*\).*/\1/'; }
	was=$(address)
	card alone direct "<mac address='52:54:00:00:07:09'/><source dev='below0' mode='passthrough'/>"
	v create "$dir/alone.xml" >/dev/null
	[ "$(address)" = 52:54:00:00:07:09 ] || fail "the device's address: $(address)"
	card two direct "<source dev='below0' mode='passthrough'/>"
	refused "below0" v create "$dir/two.xml"
	[ "$(macvtaps)" = "macvtap0 " ] || fail "macvtaps: $(macvtaps)"
	v destroy alone >/dev/null
	no_macvtaps || fail "macvtaps stayed: $(macvtaps)"
	[ "$(address)" = "$was" ] || fail "the device's address stayed: $(address)"
	card none direct "<source dev='below9' mode='bridge'/>"
	refused "no network device 'below9'" v create "$dir/none.xml"
	sed "s/'bridge'/'brigde'/" "$dir/none.xml" >"$dir/odd.xml"
	refused "mode" v create "$dir/odd.xml"
fi
ip link del below0
ip link del below1

# ---- clashes ----
cat >"$dir/clash.xml" <<'XML'
<network><name>clash</name><ip address='10.77.0.129' prefix='25'/></network>
XML
refused "already in use by interface vlab0; 192.168.122.0/24 would be free" \
	v net-create "$dir/clash.xml"
refused "no network with matching name" v net-info clash

# ---- somebody flushes the host's rules: ours come again ----
if command -v nft >/dev/null; then
	has_rules() {
		local listed
		listed=$(nft list ruleset)
		case $listed in *'"vlab0" : jump nat_'*masquerade*) ;; *) false ;; esac
	}
	has_rules || fail "no rules"
	for harm in "flush ruleset" "delete table inet vireo" "flush table inet vireo"; do
		nft "$harm"
		wait_for 120 has_rules || fail "no rules after: $harm"
	done
fi

# ---- where dnsmasq cannot serve, a network does not start ----
cat >"$dir/mute.xml" <<'XML'
<network><name>mute</name><bridge name='vmute0'/><ip address='10.79.0.1' prefix='24'/></network>
XML
ip addr add 10.79.0.1/32 dev lo
python3 -c 'import signal, socket
s = socket.create_server(("10.79.0.1", 53))
signal.pause()' &
busy_pid=$!
end_busy() { kill $busy_pid 2>/dev/null; }
cleanup_fn end_busy
listens() { [ -n "$(ss -Hltn 'sport = :53' src 10.79.0.1)" ]; }
wait_for 120 listens || fail "nobody listens"
refused "ddress already in use" v net-create "$dir/mute.xml"
kill $busy_pid
ip addr del 10.79.0.1/32 dev lo
refused "no network with matching name" v net-info mute
! ip link show vmute0 >/dev/null 2>&1 || fail "a bridge stayed"

# ---- the daemon dies: nothing of the network does ----
before=$(dnsmasq_pid lab)
kill -9 "$(priv_pid)"
main_ended() { [ -z "$(main_pid)" ]; }
wait_for 120 main_ended || fail "the daemon's main half stayed"
up
has "$(v net-info lab)" "Active:         yes"
[ "$(dnsmasq_pid lab)" = "$before" ] || fail "another dnsmasq after the restart"
has "$(v net-port-list lab)" 7ae53fa2-15ba-45c7-bb8d-1987fce8e4c2
inside ping -c1 -W10 10.77.0.1 >/dev/null || fail "no ping after the restart"

# ---- dnsmasq dies: it comes again ----
kill -9 "$before"
again() { [ "$(dnsmasq_pid lab)" != "$before" ] && [ "$(dnsmasqs)" = 1 ]; }
wait_for 120 again || fail "dnsmasq was not started again"
has "$(v net-dhcp-leases lab)" "10.77.0.5/24"

# ---- gone without a trace ----
our net-port-delete lab 7ae53fa2-15ba-45c7-bb8d-1987fce8e4c2
our net-destroy lab
! ip link show vlab0 >/dev/null 2>&1 || fail "the bridge stayed"
[ "$(dnsmasqs)" = 0 ] || fail "dnsmasq stayed"
if command -v nft >/dev/null; then
	! nft list ruleset | grep -q vlab0 || fail "rules stayed"
fi
our net-undefine lab
[ -z "$(ls "$dir/state/net")" ] || fail "files stayed"
[ -z "$(v net-list --all --name)" ] || fail "a network stayed"

# ---- the network that is there from the start ----
VIREOD_OPTIONS="--default-network=$top/packaging/default-network.xml"
restart() { "$top/scripts/stop-daemon" "$dir" && up; }
restart
has "$(v net-list --all)" "default "
has "$(v net-dumpxml default)" "192.168.122.1"
ip link add taken type bridge
ip addr add 192.168.122.77/24 dev taken
ip link set taken up
v net-start default >/dev/null
has "$(v net-dumpxml default)" "<range start='192.168.123.2' end='192.168.123.254'/>"
ip -4 addr show "$(v net-info default | sed -n 's/^Bridge: *//p')" |
	grep -q 192.168.123.1/24
has "$(v net-dumpxml default --inactive)" "192.168.123.1"
v net-destroy default >/dev/null
v net-undefine default >/dev/null
ip link del taken
restart
case $(v net-list --all) in *default*) fail "default came again" ;; esac

echo "networks: all as they should be"
