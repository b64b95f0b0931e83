#!/bin/sh
# tests/unit/emu/jit.sh -- the translator against the host's CPU: the corpus,
# and fixed seeds of single instructions, of sequences, and of loops, whose
# blocks go on to each other; the same for 32-bit code. What a random program
# reads where nothing is mapped a sanitizer may have mapped: the corpus only.
grep -qw bmi2 /proc/cpuinfo || { echo "skip: no BMI2"; exit 77; }
dir=${srcdir:-$(dirname "$0")/../../..}/tests/unit/emu
differ="${builddir:-.}/tests/unit/emu/differ -e jit"
$differ "$dir"/corpus/*.txt || exit 1
grep -q __asan_init "${builddir:-.}"/tests/unit/emu/differ && exit 0
$differ -n 20000 -s 11 &&
	$differ -n 5000 -s 12 -i 8 &&
	$differ -n 5000 -s 13 -i 4 -l &&
	$differ -3 -n 20000 -s 21 &&
	$differ -3 -n 5000 -s 22 -i 8 &&
	$differ -3 -n 5000 -s 23 -i 4 -l
