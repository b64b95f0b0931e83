#!/bin/sh
# tests/api/guest.sh [NAME]... -- stock clients, a real daemon and real guests:
# each test of tests/api/guest, or those named.  What a test needs and does not
# find makes it say so and count as skipped.
#
# GUEST_ROOT: where a Debian kernel package is unpacked.  BUILD: the build folder.
here=$(cd "$(dirname "$0")/guest" && pwd)
[ $# -gt 0 ] || set -- life restart devices network hotplug memory storage graphics cpu engines host showtell save snapshot blockjob migrate agent tpm firmware
result=0
for name in "$@"; do
	/usr/bin/python3 -B "$here/$name.py"
	r=$?
	echo "$name: $r"
	[ $r = 0 ] || [ $result = 1 ] || result=$r
	[ $r = 0 ] || [ $r = 77 ] || result=1
done
exit $result
