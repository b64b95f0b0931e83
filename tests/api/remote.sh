#!/bin/sh
# tests/api/remote.sh -- stock clients by TLS, TCP, SASL and ssh's commands, and
# peers that say nothing, half of it or too much.
. "$(dirname "$0")/functions.sh"
requires virsh certtool saslpasswd2 socat

# ---- certificates: a host's, a client's, and one of another authority's ----

make_key() { certtool --generate-privkey --outfile "$1" 2>/dev/null; }
make_ca() { # NAME
	printf 'cn = %s\nca\ncert_signing_key\n' "$1" >"$dir/pki/$1.info"
	make_key "$dir/pki/$1.key"
	certtool --generate-self-signed --load-privkey "$dir/pki/$1.key" \
		--template "$dir/pki/$1.info" --outfile "$dir/pki/$1.pem" \
		2>/dev/null
}
make_cert() { # NAME CA KIND OUT-CERT OUT-KEY
	printf 'cn = %s\ndns_name = %s\n%s\nsigning_key\nencryption_key\n' \
		"$1" "$1" "$3" >"$dir/pki/cert.info"
	make_key "$5"
	certtool --generate-certificate --load-privkey "$5" \
		--load-ca-certificate "$dir/pki/$2.pem" \
		--load-ca-privkey "$dir/pki/$2.key" \
		--template "$dir/pki/cert.info" --outfile "$4" 2>/dev/null
}
make_client() { # FOLDER CN CA
	mkdir -p "$dir/$1"
	cp "$dir/pki/ours.pem" "$dir/$1/cacert.pem"
	make_cert "$2" "$3" tls_www_client "$dir/$1/clientcert.pem" \
		"$dir/$1/clientkey.pem"
}

mkdir "$dir/pki"
make_ca ours
make_ca other
make_cert localhost ours tls_www_server "$dir/pki/server.pem" "$dir/pki/server.key"
make_client alice alice ours
make_client mallory mallory ours
make_client stranger alice other

# ---- users ----

mkdir -p "$dir/state"
echo secret | saslpasswd2 -p -c -a libvirt -u vireo -f "$dir/state/sasl.db" fred
echo secret | saslpasswd2 -p -c -a libvirt -u vireo -f "$dir/state/sasl.db" eve
auth_file() { # USER PASSWORD
	cat >"$dir/auth" <<-INI
	[credentials-test]
	authname=$1
	username=$1
	password=$2
	[auth-libvirt-default]
	credentials=test
	INI
	export LIBVIRT_AUTH_FILE="$dir/auth"
}

port() { # TLS|TCP
	sed -n "s/.*$1 clients: 127.0.0.1 port //p" "$dir/vireod.log" | tail -n1
}
tls_options="--listen-tls=127.0.0.1:0 --tls-ca=$dir/pki/ours.pem
	--tls-cert=$dir/pki/server.pem --tls-key=$dir/pki/server.key
	--tls-allowed-names=CN=alice;CN=bob"

# ---- off unless it is asked for ----

up
[ -z "$(port TLS)$(port TCP)" ] || fail "it listens without being told to"

# ---- TLS: certificates say who may; TCP: nobody asks ----

VIREOD_OPTIONS="$tls_options --listen-tcp=127.0.0.1:0 --auth-tcp=none"
up
tls=$(port TLS) tcp=$(port TCP)
tls_uri() { echo "$1+tls://localhost:$tls/system?pkipath=$dir/$2"; }
for scheme in vireo qemu; do
	[ "$(virsh -q -c "$(tls_uri $scheme alice)" uri)" != "" ] ||
		fail "no TLS for $scheme"
	[ "$(virsh -q -c "$scheme+tcp://127.0.0.1:$tcp/system" hostname)" != "" ] ||
		fail "no TCP for $scheme"
done
virsh -q -c "$(tls_uri vireo mallory)" uri >/dev/null 2>&1 &&
	fail "a name that is not allowed was let in"
grep -q "'CN=mallory' is not allowed" "$dir/vireod.log" ||
	fail "the log does not name who was refused"
virsh -q -c "$(tls_uri vireo stranger)" uri >/dev/null 2>&1 &&
	fail "another authority's certificate was let in"

# More than a record's worth both ways.
i=0
while [ $i -lt 40 ]; do
	i=$((i + 1))
	echo "define $dir/d$i.xml"
	sed "s/NAME/d$i/; s/NOTE/$(head -c 3000 /dev/zero | tr '\0' x)/" \
		>"$dir/d$i.xml" <<-XML
	<domain type='vireo'><name>NAME</name><description>NOTE</description>
	<memory unit='MiB'>16</memory><vcpu>1</vcpu>
	<os><type arch='x86_64'>hvm</type></os></domain>
	XML
done >"$dir/commands"
virsh -q -c "$(tls_uri vireo alice)" <"$dir/commands" >/dev/null ||
	fail "definitions by TLS"
[ "$(virsh -q -c "$(tls_uri vireo alice)" list --all --name | grep -c .)" = 40 ] ||
	fail "not all definitions arrived"

# ---- peers that say nothing, half of it, or too much ----

/usr/bin/python3 -B "$here/remote_peers.py" "$tls" "$tcp" \
	"$dir/sock/virtvireod-sock" "$dir/alice" || fail "peers"

# ---- ssh: the commands that clients have the far side run ----

# ssh [OPTION]... HOST COMMAND: here the far side is here.
cat >"$dir/ssh" <<-'SH'
	#!/bin/sh
	for last; do :; done
	echo "$last" >>"$(dirname "$0")/ssh.log"
	exec sh -c "$last"
	SH
chmod 755 "$dir/ssh"
ssh_uri="vireo+ssh://far/system?command=$dir/ssh&socket=$dir/sock/virtvireod-sock"
[ "$(virsh -q -c "$ssh_uri&proxy=netcat&netcat=socat-as-nc" uri 2>/dev/null)" = "" ] ||
	fail "a proxy that is not there"
cat >"$dir/nc" <<-'SH'
	#!/bin/sh
	# nc [-q 0] -U SOCKET
	for last; do :; done
	exec socat - "UNIX-CONNECT:$last"
	SH
chmod 755 "$dir/nc"
virsh -q -c "$ssh_uri&proxy=netcat&netcat=$dir/nc" list --all --name |
	grep -qx d7 || fail "ssh with netcat"
# virt-ssh-helper knows libvirt's own places only.
cat >"$dir/ssh-native" <<-SH
	#!/bin/sh
	for last; do :; done
	exec unshare -m sh -c 'mount -t tmpfs none /run &&
		ln -s "$dir/sock" /run/libvirt && eval "exec \$1"' sh "\$last"
	SH
chmod 755 "$dir/ssh-native"
if command -v virt-ssh-helper >/dev/null && unshare -m true 2>/dev/null; then
	virsh -q -c "vireo+ssh://far/system?command=$dir/ssh-native&proxy=native" \
		list --all --name | grep -qx d7 || fail "ssh with its helper"
fi

# ---- SASL ----

VIREOD_OPTIONS="$tls_options --auth-tls=sasl --auth-unix-rw=sasl
	--sasl-allowed-users=fred,al*"
up
tls=$(port TLS)
auth_file fred secret
virsh -q -c "$(tls_uri vireo alice)" list --all --name | grep -qx d7 ||
	fail "SASL by TLS"
v list --all --name | grep -qx d7 || fail "SASL by the Unix socket"
for who in 'fred wrong' 'nobody secret' 'eve secret'; do
	# shellcheck disable=SC2086
	auth_file $who
	v uri >"$dir/out" 2>&1 && fail "$who was let in"
	grep -q 'authentication failed' "$dir/out" ||
		fail "$who was refused so: $(cat "$dir/out")"
done
# A certificate is asked for all the same.
auth_file fred secret
virsh -q -c "$(tls_uri vireo stranger)" uri >/dev/null 2>&1 &&
	fail "a password was enough"

# Refused at the start: what would not be safe.
"$BUILD/vireod" --listen-tcp=127.0.0.1:0 --run-dir="$dir/r2" \
	>"$dir/out" 2>&1 && fail "TCP without saying so"
grep -q 'needs --auth-tcp=none' "$dir/out" || fail "no word about auth-tcp"
