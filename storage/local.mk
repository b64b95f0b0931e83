# storage/local.mk -- the block layer and the pools.

include storage/format/local.mk
include storage/pool/local.mk
