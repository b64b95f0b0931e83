# drivers/emu/local.mk -- the x86-64 emulation engine that vireo-vmm links.

# Apart: the daemon's half tells clients what CPU there is.
noinst_LTLIBRARIES += %D%/libemu-offer.la
%C%_libemu_offer_la_SOURCES = \
	%D%/offer.c \
	%D%/offer.h \
	%D%/vec_isa.c \
	$(NULL)

noinst_LTLIBRARIES += %D%/libemu-engine.la
%C%_libemu_engine_la_SOURCES = \
	%D%/alu.c \
	%D%/alu.h \
	%D%/bits.c \
	%D%/block.c \
	%D%/control.c \
	%D%/control.h \
	%D%/cpu.h \
	%D%/cpuid.c \
	%D%/debug.c \
	%D%/decode.c \
	%D%/decode.h \
	%D%/direct.c \
	%D%/direct.h \
	%D%/direct_map.c \
	%D%/direct_policy.c \
	%D%/direct_scan.c \
	%D%/direct_stub.S \
	%D%/direct_stub.h \
	%D%/direct_zygote.c \
	%D%/engine.c \
	%D%/exception.c \
	%D%/exec.h \
	%D%/far.h \
	%D%/fpu.c \
	%D%/gate.c \
	%D%/jit.h \
	%D%/jit_access.c \
	%D%/jit_asm.h \
	%D%/jit_block.c \
	%D%/jit_branch.c \
	%D%/hyperv.c \
	%D%/hyperv.h \
	%D%/hyperv_synic.c \
	%D%/jit_dump.c \
	%D%/jit_emit.c \
	%D%/jit_emit.h \
	%D%/jit_legacy.c \
	%D%/jit_lockstep.c \
	%D%/jit_mem.c \
	%D%/jit_return.c \
	%D%/jit_rewrite.c \
	%D%/jit_rewrite.h \
	%D%/jit_run.c \
	%D%/jit_scan.c \
	%D%/jit_scan.h \
	%D%/jit_signal.c \
	%D%/jit_sys.c \
	%D%/jit_tramp.c \
	%D%/jit_translate.c \
	%D%/kvmclock.c \
	%D%/lapic.c \
	%D%/lapic.h \
	%D%/mem.h \
	%D%/mmu.c \
	%D%/mov.c \
	%D%/msr.c \
	%D%/run.c \
	%D%/segment.c \
	%D%/segment.h \
	%D%/smm.c \
	%D%/state.c \
	%D%/string.c \
	%D%/string.h \
	%D%/sync.c \
	%D%/system.c \
	%D%/system.h \
	%D%/task.c \
	%D%/test.c \
	%D%/vec.c \
	%D%/vec.h \
	%D%/vec_canon.c \
	%D%/vec_emit.c \
	%D%/vec_fault.c \
	%D%/vec_int.h \
	%D%/vec_mem.c \
	%D%/vec_xsave.c \
	$(NULL)
%C%_libemu_engine_la_LIBADD = %D%/libemu-offer.la -lZydis -lpthread
# Guest registers and memory are reached at several widths.
%C%_libemu_engine_la_CFLAGS = $(AM_CFLAGS) -fno-strict-aliasing
