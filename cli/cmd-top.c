/*
 * cli/cmd-top.c -- what running domains use, again and again.
 *
 * Figures are differences of two samples of domstats, so the first screen has
 * only what needs no time to pass.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "cli/job.h"
#include "cli/output.h"
#include "cli/params.h"
#include "cli/states.h"

/* A domain's counters at one moment. */
struct sample {
	unsigned char uuid[VIR_UUID_BUFLEN];
	uint64_t at; /* ns */
	int state;
	unsigned long long cpu, memory; /* ns, bytes */
	unsigned long long disk_in, disk_out, net_in, net_out;
};

struct samples {
	struct sample *v;
	size_t n;
};

/* ---- reading ---- */

/* "block.0.rd.bytes": of the group, with the ending. */
static bool is_field(const char *name, const char *group, const char *ending)
{
	size_t len = strlen(name), end = strlen(ending);

	return str_startswith(name, group) && len > end &&
	       str_eq(name + len - end, ending);
}

static void add_field(struct sample *s, const virTypedParameter *p)
{
	const char *f = p->field;
	unsigned long long v =
		p->type == VIR_TYPED_PARAM_ULLONG ? p->value.ul : 0;

	if (str_eq(f, "state.state"))
		s->state = p->value.i;
	else if (str_eq(f, "cpu.time"))
		s->cpu = v;
	else if (str_eq(f, "balloon.rss"))
		s->memory = v * KIB;
	else if (is_field(f, "block.", ".rd.bytes"))
		s->disk_in += v;
	else if (is_field(f, "block.", ".wr.bytes"))
		s->disk_out += v;
	else if (is_field(f, "net.", ".rx.bytes"))
		s->net_in += v;
	else if (is_field(f, "net.", ".tx.bytes"))
		s->net_out += v;
}

static struct sample read_sample(const virDomainStatsRecord *r)
{
	struct sample s = { .at = now_ns() };

	virDomainGetUUID(r->dom, s.uuid);
	for (int i = 0; i < r->nparams; i++)
		add_field(&s, &r->params[i]);
	return s;
}

/* ---- one screen ---- */

static const struct column columns[] = {
	{ "Id", "id", true },
	{ "Name", "name", false },
	{ "State", "state", false },
	{ "CPU %", "cpu_percent", true },
	{ "Memory", "memory", true },
	{ "Read/s", "read_per_second", true },
	{ "Written/s", "written_per_second", true },
	{ "Received/s", "received_per_second", true },
	{ "Sent/s", "sent_per_second", true },
};

static char *amount(struct ctl *ctl, unsigned long long bytes)
{
	const char *unit;
	double v;

	if (ctl->output != OUTPUT_TABLE)
		return xasprintf("%llu", bytes);
	v = job_scale(bytes, &unit);
	return xasprintf("%.*f %s", v < 10 && bytes >= KIB ? 1 : 0, v, unit);
}

/* Per second; NULL: there is nothing to compare with. */
static char *rate(struct ctl *ctl, const struct sample *old,
		  const struct sample *s, unsigned long long before,
		  unsigned long long now)
{
	double seconds = old ? (double)(s->at - old->at) / 1e9 : 0;

	if (seconds <= 0 || now < before)
		return NULL;
	return amount(ctl, (unsigned long long)((double)(now - before) /
						seconds));
}

static char *cpu_percent(const struct sample *old, const struct sample *s)
{
	if (!old || s->at <= old->at || s->cpu < old->cpu)
		return NULL;
	return xasprintf("%.0f", (double)(s->cpu - old->cpu) * 100 /
					 (double)(s->at - old->at));
}

static void add_row(struct ctl *ctl, struct table *t, virDomainPtr dom,
		    const struct sample *old, const struct sample *s)
{
	struct sample zero = { .at = 0 };
	const struct sample *o = old ? old : &zero;
	char id[16], *cells[ARRAY_SIZE(columns)] = {
		id,
		xstrdup(virDomainGetName(dom)),
		xstrdup(state_name(s->state)),
		cpu_percent(old, s),
		s->memory ? amount(ctl, s->memory) : NULL,
		rate(ctl, old, s, o->disk_in, s->disk_in),
		rate(ctl, old, s, o->disk_out, s->disk_out),
		rate(ctl, old, s, o->net_in, s->net_in),
		rate(ctl, old, s, o->net_out, s->net_out),
	};

	snprintf(id, sizeof(id), "%d", (int)virDomainGetID(dom));
	table_row(t, (const char *const *)cells);
	for (size_t i = 1; i < ARRAY_SIZE(columns); i++)
		free(cells[i]);
}

static const struct sample *find(const struct samples *all,
				 const unsigned char *uuid)
{
	for (size_t i = 0; i < all->n; i++)
		if (memcmp(all->v[i].uuid, uuid, VIR_UUID_BUFLEN) == 0)
			return &all->v[i];
	return NULL;
}

/* Reads all and compares with the samples before, which it replaces. */
static int show(struct ctl *ctl, struct samples *before, bool clear)
{
	enum { GROUPS = VIR_DOMAIN_STATS_STATE | VIR_DOMAIN_STATS_CPU_TOTAL |
			VIR_DOMAIN_STATS_BALLOON | VIR_DOMAIN_STATS_BLOCK |
			VIR_DOMAIN_STATS_INTERFACE };
	virDomainStatsRecordPtr *records = NULL;
	int n = virConnectGetAllDomainStats(
		ctl->conn, GROUPS, &records,
		VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE);
	struct samples now = { NULL, 0 };
	struct table *t;

	if (n < 0)
		return say_failed(ctl, NULL);
	now.v = xcalloc((size_t)n + 1, sizeof(*now.v));
	t = table_new(columns, ARRAY_SIZE(columns));
	for (; now.n < (size_t)n; now.n++) {
		struct sample *s = &now.v[now.n];

		*s = read_sample(records[now.n]);
		add_row(ctl, t, records[now.n]->dom, find(before, s->uuid), s);
	}
	if (clear)
		printf("\033[H\033[J");
	table_print(t, ctl);
	fflush(stdout);
	virDomainStatsRecordListFree(records);
	free(before->v);
	*before = now;
	return EXIT_OK;
}

/* ---- again and again ---- */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signo)
{
	(void)signo;
	interrupted = 1;
}

/* True: go on.  A key (a line) or Ctrl-C ends it; whichever thread the signal
 * came to, this one looks often. */
static bool wait_for_next(unsigned int seconds, bool keys)
{
	uint64_t until = now_ns() + seconds * 1000000000ull;
	struct pollfd fd = { .fd = keys ? STDIN_FILENO : -1,
			     .events = POLLIN };

	while (!interrupted && now_ns() < until) {
		int ms = (int)((until - now_ns()) / 1000000) + 1;

		if (poll(&fd, 1, MIN(ms, 200)) > 0) {
			getchar();
			return false;
		}
	}
	return !interrupted;
}

static int run_top(struct ctl *ctl, const struct args *args)
{
	bool screen = ctl->output == OUTPUT_TABLE && isatty(STDOUT_FILENO) &&
		      !args_has(args, "batch");
	struct sigaction act = { .sa_handler = on_interrupt }, old;
	struct samples before = { NULL, 0 };
	unsigned int delay = 2, count = 0, i = 1;
	int status;

	if (args_uint(args, "delay", &delay) < 0 ||
	    args_uint(args, "count", &count) < 0)
		return EXIT_FAILED;
	if (!delay) {
		say_error("the delay is a second at least");
		return EXIT_FAILED;
	}
	interrupted = 0;
	sigaction(SIGINT, &act, &old);
	do
		status = show(ctl, &before, screen);
	while (status == EXIT_OK && (!count || i++ < count) &&
	       wait_for_next(delay, screen && isatty(STDIN_FILENO)));
	sigaction(SIGINT, &old, NULL);
	free(before.v);
	return status;
}

const struct command family_top[] = {
	{
		.name = "top",
		.group = "monitor",
		.summary = "what running domains use, again and again",
		.details = "Enter or Ctrl-C ends it. Rates are those since the "
			   "figures before, so the first ones have none.",
		.opts = OPTS(FLAG("batch", "one table below the other, for "
					   "files and pipes"),
			     NUMBER("delay", "seconds between two (2)"),
			     NUMBER("count", "how many times; for ever if "
					     "left out")),
		.run = run_top,
	},
	{ NULL },
};
