#!/bin/sh
# multiboot.sh -- vireo-vmm enters an ELF kernel as the Multiboot
# Specification says, and the test device has its registers.
#
# The kernel leaves through port 0xf4 with the number of its first failed
# check, or with 32: exit status 65.
vmm=${VMM:-${builddir:-.}/vireo-vmm}
engine=${GUEST_ENGINE:-emu}
# A sanitizer's search for leaks needs /proc, which the machine has not.
export ASAN_OPTIONS=detect_leaks=0
[ -x "$vmm" ] || { echo "needs VMM"; exit 77; }
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/kernel.S" <<'EOF'
	.section .text
	.code32
	.globl	_start
	.macro	expect what, where:vararg
	inc	%ebp
	cmpl	\what, \where
	jne	fail
	.endm
	.align	4
	.long	0x1badb002, 3, -(0x1badb002 + 3)
_start:	xor	%ebp, %ebp
	expect	$0x2badb002, %eax
	mov	(%ebx), %eax
	and	$0x4d, %eax		/* memory, cmdline, modules, map */
	expect	$0x4d, %eax
	expect	$(31 * 1024), 8(%ebx)	/* KiB above 1 MiB */
	mov	16(%ebx), %esi
	expect	$0x6e72656b, (%esi)	/* "kernel one" */
	expect	$0x6e6f206c, 5(%esi)
	movzbl	9(%esi), %eax
	expect	$0x65, %eax
	expect	$1, 20(%ebx)		/* one module */
	mov	24(%ebx), %esi
	mov	4(%esi), %eax
	sub	(%esi), %eax
	expect	$9, %eax
	mov	(%esi), %edi
	expect	$0x6f6d2061, (%edi)	/* "a module\n" */
	mov	48(%ebx), %esi
	expect	$20, (%esi)		/* the first entry of the map */
	expect	$0, 4(%esi)
	expect	$1, 20(%esi)
	mov	%cr0, %eax
	and	$0x80000001, %eax
	expect	$1, %eax
	mov	$0x12345678, %eax	/* the test device */
	out	%eax, $0xe0
	in	$0xe1, %al
	movzbl	%al, %eax
	expect	$0x56, %eax
	mov	$0xff000000, %edi
	movl	$0x87654321, 0x1230(%edi)
	movzwl	0x1232(%edi), %eax
	expect	$0x8765, %eax
	mov	$32, %ebp
fail:	mov	%ebp, %eax
	out	%eax, $0xf4
	hlt
EOF
${CC:-cc} -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-Ttext=0x101000 \
	-o "$tmp/kernel" "$tmp/kernel.S" || exit 1
echo "a module" >"$tmp/module"
timeout 330 "$vmm" --engine "$engine" --kernel "$tmp/kernel" \
	--initrd "$tmp/module" --append one --memory 32 --test-device \
	--timeout 300 </dev/null
status=$?
[ $status -eq 65 ] || { echo "exit status $status, expected 65"; exit 1; }
