# tests/cli/img-functions.sh -- sourced by img*.sh: which vireo-img is tried, and
# a folder to work in.
set -eu
img=$(realpath "${VIREO_IMG:-./vireo-img}")
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

fail() {
	echo "$*" >&2
	exit 1
}

needs() { # PROGRAM...
	local program
	for program; do
		command -v "$program" >/dev/null || exit 77
	done
}
