#!/bin/bash
# tests/cli/compare.sh -- vireo prints what virsh prints, and succeeds when it
# does, against libvirt's own test driver.
set -u
vireo=${VIREO:-./vireo}
command -v virsh > /dev/null || { echo "virsh is not installed"; exit 77; }
[ -s "${srcdir:-.}"/tests/cli/lines ] || { echo "tests/cli/lines is empty"; exit 1; }
t=$(mktemp -d)
trap 'rm -rf "$t"' EXIT
failed=0
# What every editor does with what it is given.
export EDITOR='sed -i s/qq/ww/'
unset VISUAL
seconds='s/\b20[0-9]{2}-[0-9-]{5} [0-9:]{5}:[0-9]{2}\b/TIME/'
seconds+='; s/(<creationTime>)[0-9]+/\1TIME/'

while read -r line; do
	line=${line//@srcdir@/${srcdir:-.}}
	timeout 300 virsh -c test:///default "$line" > "$t/virsh" 2> "$t/virsh.err" < /dev/null &
	"$vireo" -c test:///default "$line" > "$t/vireo" 2> "$t/vireo.err" < /dev/null; b=$?
	wait $!; a=$?
	# The test driver's CPU time is the clock's.
	sed -i '/^CPU time:/s/[0-9.]*s$/-/' "$t/virsh" "$t/vireo"
	# The two may make a snapshot on either side of a second's end.
	sed -i -E "$seconds" "$t/virsh" "$t/vireo"
	if ! diff -u "$t/virsh" "$t/vireo" || [ $((a != 0)) != $((b != 0)) ]; then
		echo "differs: $line (virsh: $a, vireo: $b)"
		failed=1
	fi
	# The library may warn of its own accord; what the client says counts.
	diff -u <(grep ^error: "$t/virsh.err") <(grep ^error: "$t/vireo.err") ||
		{ echo "errors differ: $line"; failed=1; }
done < <(cat "${srcdir:-.}"/tests/cli/lines - <<'END'
list
list --all
list --all --title
list --all --name
list --uuid --all
list --id
list --inactive
dominfo test
domstate test
domstate test --reason
domid test
domname 1
domuuid test
dumpxml test
dumpxml --domain test --inactive
desc test
capabilities
nodeinfo
hostname
uri
version
suspend test; domstate test; resume test; domstate test
destroy test; list --all; start test; list
start test
shutdown test; list --all
reboot test
undefine test; list
autostart test
autostart test --disable
define /nonexistent
domstate nosuch
END
)

# The JSON forms parse, and hold what the table shows.
"$vireo" -c test:///default --output json list --all |
	jq -e '.[0].name == "test" and .[0].id == 1 and .[0].state == "running"' > /dev/null || failed=1
"$vireo" -c test:///default dominfo test --output json | jq -e '.cpus == 2' > /dev/null || failed=1
"$vireo" -c test:///default pool-list --all --output json |
	jq -e '.[0].name == "default-pool" and .[0].available == 107374182400' > /dev/null || failed=1
[ "$("$vireo" -c test:///default __complete dominfo te)" = test ] || { echo "completion"; failed=1; }
[ "$(printf 'domid test\nquit\n' | "$vireo" -c test:///default | grep -cx 1)" = 1 ] || { echo "prompt"; failed=1; }
[ "$("$vireo" explain no_domain --output json | jq -r .error)" = "NO_DOMAIN (42)" ] || { echo "explain"; failed=1; }
[ "$("$vireo" -o yaml -c test:///default domstate test | head -1)" = "state: running" ] || { echo "yaml"; failed=1; }
"$vireo" -c test:///nonexistent list 2> /dev/null; [ $? = 3 ] || { echo "connection status"; failed=1; }
"$vireo" list --bogus 2> /dev/null; [ $? = 2 ] || { echo "usage status"; failed=1; }
exit $failed
