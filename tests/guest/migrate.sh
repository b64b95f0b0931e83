#!/bin/sh
# tests/guest/migrate.sh [ENGINE] -- a stock kernel at work goes from one VMM to
# the next, by tests/guest/migrate.py.
#
# RUNS: how often (default 7).  GUEST_ROOT, GUEST_ENGINE, BUILD: as everywhere.
exec python3 -B "$(dirname "$0")/migrate.py" --runs "${RUNS:-7}" \
	"${1:-${GUEST_ENGINE:-emu}}"
