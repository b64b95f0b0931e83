/*
 * tests/api/tiny.S -- the smallest guest: entered at its PVH note (Xen,
 * docs/misc/pvh.pandoc), it halts for ever.
 */
	.section .note.pvh, "a", @note
	.long	4, 4, 18	/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start

	.text
	.code32
	.globl	_start
_start:
	cli
1:	hlt
	jmp	1b

	.section .note.GNU-stack, "", @progbits
