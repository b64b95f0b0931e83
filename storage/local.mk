# storage/local.mk -- the block layer, and later the pools.
