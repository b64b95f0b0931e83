# storage/local.mk -- the block layer, and later the pools.

include storage/format/local.mk
