# tests/bench/bench.mk -- run by hand: figures beside a peer, nothing asserted.
dist_noinst_SCRIPTS += tests/bench/daemon.py tests/bench/migrate.py tests/bench/storage
dist_noinst_SCRIPTS += tests/bench/emu tests/bench/mkkit
dist_noinst_SCRIPTS += tests/bench/daemon.py
dist_noinst_SCRIPTS += tests/bench/emu tests/bench/io tests/bench/lab tests/bench/mkkit
EXTRA_DIST += \
	tests/bench/io.init \
	tests/bench/iobench.c \
	tests/bench/shared.py \
	tests/bench/kit/WORKLOADS \
	tests/bench/kit/init.c \
	tests/bench/kit/kernels.c \
	$(NULL)
