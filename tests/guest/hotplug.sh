#!/bin/sh
# hotplug.sh [ENGINE]: what hotplug.py does.
exec /usr/bin/python3 -B "$(dirname "$0")/hotplug.py" "$@"
