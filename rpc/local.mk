# rpc/local.mk -- libvirt's wire protocol: bodies, framing, errors.

# rpcgen names its own includes by the path it was given; these sed scripts
# make them ours.  Its code has unused variables, hence the -w.
RPC_HDR_SED = 's|<rpc/rpc.h>|<rpc/xdr.h>|; s|_PROTOCOL_H_RPCGEN|RPC_PROTOCOL_H|'
RPC_SRC_SED = 's|^.include ".*protocol.h"|\#include "rpc/protocol.h"\n\#include "rpc/string.h"|; s|xdr_string (|rpc_xdr_string (|'

%D%/protocol.h: $(srcdir)/%D%/protocol.x
	$(AM_V_GEN)$(MKDIR_P) %D% && rm -f $@ && \
		$(RPCGEN) -h $(srcdir)/%D%/protocol.x > $@.tmp && \
		sed -e $(RPC_HDR_SED) $@.tmp > $@ && rm $@.tmp

%D%/protocol-xdr.c: $(srcdir)/%D%/protocol.x
	$(AM_V_GEN)$(MKDIR_P) %D% && rm -f $@ && \
		$(RPCGEN) -c $(srcdir)/%D%/protocol.x > $@.tmp && \
		sed -e $(RPC_SRC_SED) $@.tmp > $@ && rm $@.tmp

RPC_PROCS = $(srcdir)/%D%/procedures
RPC_AWK = $(srcdir)/%D%/procedures.awk

%D%/procs-numbers.h: $(RPC_PROCS) $(RPC_AWK)
	$(AM_V_GEN)$(MKDIR_P) %D% && \
		$(AWK) -v out=numbers -f $(RPC_AWK) $(RPC_PROCS) > $@.tmp && \
		mv $@.tmp $@

%D%/procs-table.c: $(RPC_PROCS) $(RPC_AWK)
	$(AM_V_GEN)$(MKDIR_P) %D% && \
		$(AWK) -v out=table -f $(RPC_AWK) $(RPC_PROCS) > $@.tmp && \
		mv $@.tmp $@

RPC_PERMISSIONS = $(srcdir)/%D%/protocol.x $(srcdir)/%D%/permissions \
	$(RPC_PROCS)
RPC_PERMISSIONS_AWK = $(srcdir)/%D%/permissions.awk

%D%/perms-table.c: $(RPC_PERMISSIONS) $(RPC_PERMISSIONS_AWK)
	$(AM_V_GEN)$(MKDIR_P) %D% && $(AWK) -v out=table \
		-f $(RPC_PERMISSIONS_AWK) $(RPC_PERMISSIONS) > $@.tmp && \
		mv $@.tmp $@

rpc_made = \
	%D%/perms-table.c \
	%D%/procs-numbers.h \
	%D%/procs-table.c \
	%D%/protocol-xdr.c \
	%D%/protocol.h \
	$(NULL)
BUILT_SOURCES += $(rpc_made)
CLEANFILES += $(rpc_made)
EXTRA_DIST += \
	%D%/permissions \
	%D%/permissions.awk \
	%D%/procedures \
	%D%/procedures-doc.py \
	%D%/procedures.awk \
	%D%/protocol.x \
	%D%/refused \
	$(NULL)

noinst_LTLIBRARIES += %D%/libprotocol.la %D%/librpc.la

%C%_libprotocol_la_CFLAGS = $(AM_CFLAGS) $(TIRPC_CFLAGS) -w
nodist_%C%_libprotocol_la_SOURCES = \
	%D%/perms-table.c \
	%D%/procs-numbers.h \
	%D%/procs-table.c \
	%D%/protocol-xdr.c \
	%D%/protocol.h \
	$(NULL)

%C%_librpc_la_CFLAGS = $(AM_CFLAGS) $(TIRPC_CFLAGS) $(LIBVIRT_CFLAGS)
%C%_librpc_la_LIBADD = %D%/libprotocol.la $(TIRPC_LIBS)
%C%_librpc_la_SOURCES = \
	%D%/errors.c \
	%D%/errors.h \
	%D%/frame.c \
	%D%/frame.h \
	%D%/keepalive.c \
	%D%/keepalive.h \
	%D%/perms.c \
	%D%/perms.h \
	%D%/procs.c \
	%D%/procs.h \
	%D%/string.c \
	%D%/string.h \
	$(NULL)
