#!/bin/sh
# display.sh: graphics cards and input devices under Debian's generic kernel,
# see display.py.  GENERIC_ROOT: where its package is unpacked.
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/display.py" "${1:-${GUEST_ENGINE-}}" bochs ps2
