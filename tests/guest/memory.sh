#!/bin/sh
# memory.sh [ENGINE]: what memory.py does.
exec /usr/bin/python3 -B "$(dirname "$0")/memory.py" "$@"
