#!/bin/sh
# The decoders over every input that was ever of interest.
exec ./tests/fuzz/rpc "${srcdir:-.}"/tests/fuzz/rpc.corpus/*
