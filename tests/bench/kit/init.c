/*
 * tests/bench/kit/init.c -- /init of the benchmark guest, and the same work
 * outside of a guest.
 *
 * bench=NAME,NAME|all and rep=N are on the kernel's command line or, after
 * --native, on ours.  Lines on standard output, which tests/bench/emu reads:
 *	INIT_START
 *	START NAME	before each run of a workload
 *	RESULT NAME SECONDS
 *	RUSAGE NAME USER SYSTEM
 *	CHECK NAME HASH	of what the workload printed
 *	FAIL NAME WHY
 *	BENCH_DONE
 * /bench/NAME is the workload's program or script.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define OUTPUT "/tmp/.output"

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static size_t read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, size - 1);

	if (fd >= 0)
		close(fd);
	buf[n > 0 ? n : 0] = '\0';
	return n > 0 ? (size_t)n : 0;
}

/* The value of KEY= in the line, copied to buf, or the default. */
static const char *option(const char *line, const char *key, const char *dflt,
	char *buf, size_t size)
{
	size_t len = strlen(key);

	for (const char *p = line; (p = strstr(p, key)); p += len)
		if ((p == line || p[-1] == ' ') && p[len] == '=') {
			p += len + 1;
			snprintf(buf, size, "%.*s", (int)strcspn(p, " \n"), p);
			return buf;
		}
	return dflt;
}

static void child(const char *path)
{
	int null = open("/dev/null", O_RDONLY);
	int out = open(OUTPUT, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (null < 0 || out < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0)
		_exit(126);
	execl(path, path, (char *)NULL);
	_exit(127);
}

/* The wait status of the program; -1 if it could not be started. */
static int run(const char *path, struct rusage *usage)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		child(path);
	if (pid < 0 || wait4(pid, &status, 0, usage) != pid)
		return -1;
	return status;
}

/* FNV-1a of the output. */
static uint64_t hash_output(void)
{
	uint64_t hash = 0xcbf29ce484222325;
	FILE *f = fopen(OUTPUT, "r");
	int c;

	while (f && (c = getc(f)) != EOF)
		hash = (hash ^ (uint64_t)c) * 0x100000001b3;
	if (f)
		fclose(f);
	return hash;
}

static double in_seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static void workload(const char *name)
{
	struct rusage usage;
	char path[256];
	double start;
	int status;

	snprintf(path, sizeof(path), "/bench/%s", name);
	printf("START %s\n", name);
	start = seconds();
	status = run(path, &usage);
	if (status) {
		printf("FAIL %s status %#x\n", name, (unsigned int)status);
		return;
	}
	printf("RESULT %s %.6f\n", name, seconds() - start);
	printf("RUSAGE %s %.6f %.6f\n", name, in_seconds(usage.ru_utime),
		in_seconds(usage.ru_stime));
	printf("CHECK %s %016llx\n", name, (unsigned long long)hash_output());
}

static void workloads(const char *line)
{
	static char list[4096], opt[4096], rep[16];
	const char *names = option(line, "bench", "all", opt, sizeof(opt));
	int n = atoi(option(line, "rep", "1", rep, sizeof(rep)));

	if (strcmp(names, "all") != 0)
		snprintf(list, sizeof(list), "%s", names);
	else
		read_file("/bench/LIST", list, sizeof(list));
	for (char *s = strtok(list, ", \n"); s; s = strtok(NULL, ", \n"))
		for (int i = 0; i < n; i++)
			workload(s);
}

static void mount_all(void)
{
	static const char *const kinds[][2] = {
		{ "proc", "/proc" },
		{ "sysfs", "/sys" },
		{ "devtmpfs", "/dev" },
		{ "tmpfs", "/tmp" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (mount(kinds[i][0], kinds[i][1], kinds[i][0], 0, NULL))
			printf("FAIL mount %s\n", kinds[i][1]);
}

int main(int argc, char **argv)
{
	static char line[8192];
	int native = argc > 1 && strcmp(argv[1], "--native") == 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("\nINIT_START\n");
	if (!native) {
		mount_all();
		read_file("/proc/cmdline", line, sizeof(line));
	}
	for (int i = 2; native && i < argc; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line),
			"%s ", argv[i]);
	clearenv();
	setenv("PATH", "/usr/bin:/usr/sbin", 1);
	setenv("LC_ALL", "C", 1);
	setenv("PERL_HASH_SEED", "0", 1);
	if (chdir("/tmp") == 0)
		workloads(line);
	printf("BENCH_DONE\n");
	if (!native)
		reboot(RB_POWER_OFF);
	return 0;
}
