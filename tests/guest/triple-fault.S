/*
 * tests/guest/triple-fault.S -- no gate for #DF either: shutdown.
 *
 * expect: run=reset
 */
#include "test.inc"
	ud2
