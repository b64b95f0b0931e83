# tests/cli/cli.mk -- the command line beside virsh.
dist_check_SCRIPTS += tests/cli/compare.sh tests/cli/man.sh
TESTS += tests/cli/compare.sh tests/cli/man.sh
dist_check_SCRIPTS += tests/cli/options.py tests/cli/extras.sh
TESTS += tests/cli/options.py tests/cli/extras.sh
dist_check_SCRIPTS += tests/cli/completion.sh
TESTS += tests/cli/completion.sh
EXTRA_DIST += tests/cli/completion.exp tests/cli/img-functions.sh
EXTRA_DIST += tests/cli/missing tests/cli/lines tests/cli/volumes.xml
EXTRA_DIST += tests/cli/missing
dist_check_SCRIPTS += tests/cli/compare.sh tests/cli/img.sh tests/cli/man.sh
dist_check_SCRIPTS += tests/cli/img-bitmap.sh tests/cli/img-chain.sh tests/cli/img-foreign.sh tests/cli/img-luks.sh tests/cli/img-snapshot.sh
TESTS += tests/cli/compare.sh tests/cli/img.sh tests/cli/man.sh
TESTS += tests/cli/img-bitmap.sh tests/cli/img-chain.sh tests/cli/img-foreign.sh tests/cli/img-luks.sh tests/cli/img-snapshot.sh
