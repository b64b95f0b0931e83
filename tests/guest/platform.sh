#!/bin/sh
# platform.sh [ENGINE]: see platform.py.
exec "$(dirname "$0")/platform.py" "${1:-${GUEST_ENGINE-}}"
