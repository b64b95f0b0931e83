# vmm/syscalls.awk -- gathers what the sandbox must allow from the comments
# beside the code that needs it, as C initialisers:
#
#	/* #syscalls:vmm preadv pwritev */	-> SYSCALL("preadv")
#	/* #ioctls:vmm BLKDISCARD */		-> IOCTL(BLKDISCARD)
function gather(tag, macro, quote,	rest, n, word, i) {
	rest = $0
	while ((i = index(rest, tag " "))) {
		rest = substr(rest, i + length(tag) + 1)
		n = split(rest, word, /[ \t]+/)
		for (i = 1; i <= n && word[i] ~ /^[A-Za-z0-9_]+$/; i++)
			if (!seen[macro word[i]]++)
				print macro "(" quote word[i] quote ")"
	}
}
{ gather("#syscalls:vmm", "SYSCALL", "\""); gather("#ioctls:vmm", "IOCTL", "") }
