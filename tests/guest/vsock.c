/*
 * tests/guest/vsock.c -- the guest's end of AF_VSOCK sockets (vsock(7)), or the
 * host's, where its kernel has them.
 *
 *	vsock cid			says the guest's address
 *	vsock connect [CID:]PORT	to the host: input there, output from there
 *	vsock serve PORT COMMAND...	one client is the command's input and output
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static void __attribute__((noreturn)) fail(const char *what)
{
	perror(what);
	exit(1);
}

static void copy(int from, int to)
{
	char buf[32768];
	ssize_t n, m;

	while ((n = read(from, buf, sizeof(buf))) > 0) {
		for (ssize_t at = 0; at < n; at += m) {
			m = write(to, buf + at, n - at);
			if (m <= 0)
				fail("write");
		}
	}
	if (n < 0)
		fail("read");
}

static int make(unsigned int cid, const char *port, struct sockaddr_vm *sa)
{
	int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

	memset(sa, 0, sizeof(*sa));
	sa->svm_family = AF_VSOCK;
	sa->svm_cid = cid;
	sa->svm_port = strtoul(port, NULL, 0);
	if (fd < 0)
		fail("socket");
	return fd;
}

static int show_cid(void)
{
	unsigned int cid;
	int fd = open("/dev/vsock", O_RDONLY);

	if (fd < 0 || ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid) < 0)
		fail("/dev/vsock");
	printf("%u\n", cid);
	return 0;
}

static int do_connect(const char *port)
{
	const char *colon = strchr(port, ':');
	struct sockaddr_vm sa;
	int fd = make(colon ? strtoul(port, NULL, 0) : VMADDR_CID_HOST,
		      colon ? colon + 1 : port, &sa);

	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		fail("connect");
	copy(0, fd);
	shutdown(fd, SHUT_WR);
	copy(fd, 1);
	return 0;
}

static int do_serve(const char *port, char **command)
{
	struct sockaddr_vm sa;
	int fd = make(VMADDR_CID_ANY, port, &sa);
	int client;

	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(fd, 4) < 0)
		fail("listen");
	client = accept(fd, NULL, NULL);
	if (client < 0)
		fail("accept");
	dup2(client, 0);
	dup2(client, 1);
	close(client);
	execvp(command[0], command);
	fail(command[0]);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "cid"))
		return show_cid();
	if (argc == 3 && !strcmp(argv[1], "connect"))
		return do_connect(argv[2]);
	if (argc > 3 && !strcmp(argv[1], "serve"))
		return do_serve(argv[2], argv + 3);
	fprintf(stderr, "see the head of vsock.c\n");
	return 2;
}
