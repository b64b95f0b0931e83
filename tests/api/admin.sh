#!/bin/sh
# tests/api/admin.sh -- the stock virt-admin with every call it has, the limits
# it sets, and clients that are too many or do not read.
. "$(dirname "$0")/functions.sh"
requires virsh virt-admin certtool setpriv

key() { certtool --generate-privkey --outfile "$1" 2>/dev/null; }
sign() { # CN KIND KEY OUT
	printf 'cn = %s\n%s\n' "$1" "$2" >"$dir/cert.info"
	certtool --generate-self-signed --load-privkey "$3" \
		--template "$dir/cert.info" --outfile "$4" 2>/dev/null
}
key "$dir/ca.key"
sign localhost "ca
cert_signing_key
tls_www_server" "$dir/ca.key" "$dir/ca.pem"

VIREOD_OPTIONS="--listen-tls=127.0.0.1:0 --tls-ca=$dir/ca.pem
	--tls-cert=$dir/ca.pem --tls-key=$dir/ca.key
	--listen-tcp=127.0.0.1:0 --auth-tcp=none --max-clients=100"
up
tcp=$(sed -n 's/.*TCP clients: 127.0.0.1 port //p' "$dir/vireod.log" | tail -n1)
admin_uri="virtvireod:///system?socket=$dir/sock/virtvireod-admin-sock"
a() { virt-admin -q -c "$admin_uri" "$@"; }
has() { # FILE NAME VALUE
	grep -Eq "^$2 *: *$3\$" "$1" || fail "no $2 = $3 in: $(cat "$1")"
}
refused() { # WORDS COMMAND...
	words=$1
	shift
	"$@" >"$dir/out" 2>&1 && fail "not refused: $*"
	grep -q "$words" "$dir/out" || fail "$* was refused so: $(cat "$dir/out")"
}

# ---- root's, and nobody else's ----
setpriv --reuid 1 --regid 1 --clear-groups virt-admin -q -c "$admin_uri" \
	srv-list >/dev/null 2>&1 && fail "daemon administers"
chmod 777 "$dir/sock/virtvireod-admin-sock"
setpriv --reuid 1 --regid 1 --clear-groups virt-admin -q -c "$admin_uri" \
	srv-list >/dev/null 2>&1 && fail "daemon administers by a socket's mode"
chmod 700 "$dir/sock/virtvireod-admin-sock"
# Each socket has its own program.
virsh -q -c "vireo+unix:///system?socket=$dir/sock/virtvireod-admin-sock" \
	uri >/dev/null 2>&1 && fail "machines on the administrator's socket"
refused . virt-admin -q -c "virtvireod:///system?socket=$dir/sock/virtvireod-sock" \
	srv-list

# ---- servers and threads ----
[ "$(a srv-list | awk '{ print $2 }' | tr '\n' ' ')" = "vireod admin " ] ||
	fail "servers: $(a srv-list)"
a srv-threadpool-info vireod >"$dir/out"
has "$dir/out" minWorkers 4
has "$dir/out" maxWorkers 64
has "$dir/out" jobQueueDepth 0
a srv-threadpool-set vireod --min-workers 6 --max-workers 32 --priority-workers 5
a srv-threadpool-info vireod >"$dir/out"
has "$dir/out" minWorkers 6
has "$dir/out" maxWorkers 32
has "$dir/out" prioWorkers 5
has "$dir/out" nWorkers '([6-9]|[12][0-9])'
refused 'make no pool' a srv-threadpool-set vireod --max-workers 5
refused "No server named 'other'" a srv-threadpool-info other
refused 'no threads' a srv-threadpool-set admin --max-workers 5

# ---- clients ----
/usr/bin/python3 -B "$here/admin_clients.py" "$uri" \
	"vireo+tcp://127.0.0.1:$tcp/system" "$admin_uri" || fail "clients"

# ---- logs ----
[ "$(a daemon-log-outputs)" = "1:file:$dir/vireod.log" ] ||
	fail "outputs: $(a daemon-log-outputs)"
[ "$(a daemon-log-filters)" = "" ] ||
	fail "filters: $(a daemon-log-filters)"
a daemon-log-filters --filters '1:rpc 3:store'
[ "$(a daemon-log-filters)" = "1:rpc 3:store" ] ||
	fail "filters: $(a daemon-log-filters)"
grep -q 'debug: rpc: session' "$dir/vireod.log" || fail "nothing is logged"
refused 'is not LEVEL' a daemon-log-filters --filters '9:rpc'
a daemon-log-outputs --outputs "1:file:$dir/second.log"
grep -q 'debug: rpc: session' "$dir/second.log" || fail "not logged there"
[ "$(a daemon-log-outputs)" = "1:file:$dir/second.log" ] ||
	fail "outputs: $(a daemon-log-outputs)"
refused 'is not one LEVEL:OUTPUT' a daemon-log-outputs --outputs "1:stderr 2:stderr"
refused 'not to .syslog:x' a daemon-log-outputs --outputs "1:syslog:x"
a daemon-log-outputs --outputs "1:file:$dir/vireod.log"
a daemon-log-filters --filters ''

# ---- certificates: read again, and kept when they are not right ----
a srv-update-tls vireod
refused 'does not listen for TLS' a srv-update-tls admin
mv "$dir/ca.pem" "$dir/ca.away"
refused 'ca.pem' a srv-update-tls vireod
mv "$dir/ca.away" "$dir/ca.pem"

# ---- an end to a daemon that nobody uses ----
pid=$(priv_pid)
a daemon-timeout --timeout 1
i=0
while kill -0 "$pid" 2>/dev/null; do
	i=$((i + 1))
	[ $i -le 1200 ] || fail "it did not end"
	sleep 0.1
done
grep -q 'ending: nobody has used it for 1 s' "$dir/vireod.log" ||
	fail "it ended and did not say why"
