#!/bin/sh
# board.sh [ENGINE]: see board.py.
exec "$(dirname "$0")/board.py" "${1:-${GUEST_ENGINE-}}"
