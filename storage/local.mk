# storage/local.mk -- the block layer, vireo-img and the pools.

include storage/format/local.mk
include storage/img/local.mk
include storage/pool/local.mk
