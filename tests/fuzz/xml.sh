#!/bin/sh
# The fuzzer's entry over the test documents, whole, cut and damaged.
: "${srcdir:=.}"
exec tests/fuzz/xml "$srcdir"/tests/xml/*.xml "$srcdir"/examples/*.xml
