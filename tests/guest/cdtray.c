/*
 * tests/guest/cdtray.c -- cdtray DEVICE open|close|lock|unlock|status: a drive's
 * tray, for guests whose busybox has no eject.
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/cdrom.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static const struct {
	const char *word;
	unsigned long request, arg;
} actions[] = {
	{ "open", CDROMEJECT, 0 },
	{ "close", CDROMCLOSETRAY, 0 },
	{ "lock", CDROM_LOCKDOOR, 1 },
	{ "unlock", CDROM_LOCKDOOR, 0 },
	{ "status", CDROM_DRIVE_STATUS, CDSL_CURRENT },
};

int main(int argc, char **argv)
{
	int fd = argc == 3 ? open(argv[1], O_RDONLY | O_NONBLOCK) : -1;

	for (size_t i = 0; fd >= 0 && i < sizeof(actions) / sizeof(*actions);
	     i++) {
		int r;

		if (strcmp(argv[2], actions[i].word))
			continue;
		r = ioctl(fd, actions[i].request, actions[i].arg);
		if (r < 0)
			perror(argv[2]);
		else if (actions[i].request == CDROM_DRIVE_STATUS)
			printf("%d\n", r);
		else /* above 0: the drive's own refusal */
			return r;
		return r < 0;
	}
	return 2;
}
