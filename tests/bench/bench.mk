# tests/bench/bench.mk -- run by hand: figures beside a peer, nothing asserted.
dist_noinst_SCRIPTS += tests/bench/daemon.py
