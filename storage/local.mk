# storage/local.mk -- the block layer and the pools.

include storage/format/local.mk
include storage/pool/local.mk
# storage/local.mk -- the block layer, vireo-img, and later the pools.

include storage/format/local.mk
include storage/img/local.mk
