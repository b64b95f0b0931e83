/*
 * vmm/throttle.c -- disks that share limits, and whose turn it is.
 *
 * Only the first of those that wait is woken.  When it went, the next is: it
 * asks at once and learns how long it has to wait.
 */
#include "vmm/throttle.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "vmm/state.h"

enum { WAYS = 2, /* reads, writes */
       GROUP_MAX = 128, LEVELS_MAX = 64 };

struct throttle_group {
	struct throttles *all;
	struct throttle_group *next;
	char *name;
	pthread_mutex_t lock; /* the rest */
	struct throttle buckets;
	bool open;
	unsigned int members;
	struct throttle_member *waiting[WAYS];
};

struct throttle_member {
	struct throttle_group *group;
	throttle_wake_fn *wake;
	void *arg;
	bool waits[WAYS];
	struct throttle_member *next[WAYS];
};

/* As it is saved: for how long a group's buckets are not empty yet. */
struct level {
	char group[GROUP_MAX];
	uint64_t ns[THROTTLE_KINDS], burst_ns[THROTTLE_KINDS];
};

struct throttles {
	uint64_t (*clock)(void);
	pthread_mutex_t lock;
	bool open;
	struct throttle_group *groups;
	unsigned int n_levels;
	struct level levels[LEVELS_MAX];
};

/* ---- whose turn it is: locked ---- */

static void wait_in_line(struct throttle_member *m, unsigned int way)
{
	struct throttle_member **at = &m->group->waiting[way];

	if (m->waits[way])
		return;
	while (*at)
		at = &(*at)->next[way];
	*at = m;
	m->waits[way] = true;
	m->next[way] = NULL;
}

static void wake_first(struct throttle_group *g, unsigned int way)
{
	struct throttle_member *first = g->waiting[way];

	if (first)
		first->wake(first->arg,
			    throttle_ready(&g->buckets, way,
					   g->all->clock()));
}

static void leave_line(struct throttle_member *m, unsigned int way)
{
	struct throttle_member **at = &m->group->waiting[way];
	bool first = *at == m;

	if (!m->waits[way])
		return;
	while (*at != m)
		at = &(*at)->next[way];
	*at = m->next[way];
	m->waits[way] = false;
	if (first)
		wake_first(m->group, way);
}

/* Everybody asks again. */
static void wake_all(struct throttle_group *g)
{
	for (unsigned int way = 0; way < WAYS; way++)
		for (struct throttle_member *m = g->waiting[way]; m;
		     m = m->next[way])
			m->wake(m->arg, 0);
}

static bool pass(struct throttle_member *m, unsigned int way, uint64_t bytes)
{
	struct throttle_group *g = m->group;
	uint64_t now = g->all->clock();
	bool first = !g->waiting[way] || g->waiting[way] == m;

	if (!g->open && (!first || throttle_ready(&g->buckets, way, now) > now)) {
		wait_in_line(m, way);
		if (first)
			wake_first(g, way);
		return false;
	}
	throttle_charge(&g->buckets, way, bytes, now);
	leave_line(m, way);
	return true;
}

bool throttle_pass(struct throttle_member *m, bool write, uint64_t bytes)
{
	bool goes;

	pthread_mutex_lock(&m->group->lock);
	goes = pass(m, write, bytes);
	pthread_mutex_unlock(&m->group->lock);
	return goes;
}

void throttle_limit(struct throttle_member *m,
		    const struct throttle_limits *limits)
{
	struct throttle_group *g = m->group;

	pthread_mutex_lock(&g->lock);
	throttle_set(&g->buckets, limits, g->all->clock());
	wake_all(g);
	pthread_mutex_unlock(&g->lock);
}

/* ---- coming and going ---- */

/* Locked. */
static struct throttle_group *find_group(struct throttles *all,
					 const char *name)
{
	struct throttle_group *g = all->groups;

	while (g && !str_eq(g->name, name))
		g = g->next;
	if (g)
		return g;
	g = xcalloc(1, sizeof(*g));
	*g = (struct throttle_group){ .all = all,
				      .name = xstrdup(name),
				      .open = all->open,
				      .next = all->groups };
	pthread_mutex_init(&g->lock, NULL);
	all->groups = g;
	return g;
}

struct throttle_member *throttle_join(struct throttles *all, const char *group,
				      throttle_wake_fn *wake, void *arg)
{
	struct throttle_member *m = xcalloc(1, sizeof(*m));

	*m = (struct throttle_member){ .wake = wake, .arg = arg };
	pthread_mutex_lock(&all->lock);
	m->group = find_group(all, group);
	m->group->members++;
	pthread_mutex_unlock(&all->lock);
	return m;
}

static void group_free(struct throttle_group *g)
{
	struct throttle_group **at = &g->all->groups;

	while (*at != g)
		at = &(*at)->next;
	*at = g->next;
	pthread_mutex_destroy(&g->lock);
	free(g->name);
	free(g);
}

void throttle_leave(struct throttle_member *m)
{
	struct throttles *all;

	if (!m)
		return;
	all = m->group->all;
	pthread_mutex_lock(&all->lock);
	pthread_mutex_lock(&m->group->lock);
	for (unsigned int way = 0; way < WAYS; way++)
		leave_line(m, way);
	pthread_mutex_unlock(&m->group->lock);
	if (--m->group->members == 0)
		group_free(m->group);
	pthread_mutex_unlock(&all->lock);
	free(m);
}

const char *throttle_group_name(const struct throttle_member *m)
{
	return m->group->name;
}

struct throttles *throttles_create(uint64_t (*clock)(void))
{
	struct throttles *all = xcalloc(1, sizeof(*all));

	all->clock = clock;
	pthread_mutex_init(&all->lock, NULL);
	return all;
}

void throttles_destroy(struct throttles *all)
{
	if (!all)
		return;
	pthread_mutex_destroy(&all->lock);
	free(all);
}

void throttles_open(struct throttles *all, bool open)
{
	pthread_mutex_lock(&all->lock);
	all->open = open;
	for (struct throttle_group *g = all->groups; g; g = g->next) {
		pthread_mutex_lock(&g->lock);
		g->open = open;
		if (open)
			wake_all(g);
		pthread_mutex_unlock(&g->lock);
	}
	pthread_mutex_unlock(&all->lock);
}

/* ---- state ---- */

static uint64_t left(uint64_t empty, uint64_t now)
{
	return empty > now ? MIN(empty - now, (uint64_t)INT64_MAX / 4) : 0;
}

static void level_of(const struct throttle_group *g, struct level *to)
{
	uint64_t now = g->all->clock();

	*to = (struct level){ 0 };
	snprintf(to->group, sizeof(to->group), "%s", g->name);
	for (unsigned int k = 0; k < THROTTLE_KINDS; k++) {
		to->ns[k] = left(g->buckets.empty[k], now);
		to->burst_ns[k] = left(g->buckets.burst_empty[k], now);
	}
}

static void levels_saving(void *obj)
{
	struct throttles *all = obj;

	all->n_levels = 0;
	for (struct throttle_group *g = all->groups;
	     g && all->n_levels < LEVELS_MAX; g = g->next)
		level_of(g, &all->levels[all->n_levels++]);
}

static const struct level *find_level(const struct throttles *all,
				      const char *group)
{
	for (unsigned int i = 0; i < all->n_levels; i++)
		if (!strncmp(all->levels[i].group, group, GROUP_MAX))
			return &all->levels[i];
	return NULL;
}

/* The limits are the description's, which may be others by now. */
static void set_level(struct throttle_group *g, const struct level *l)
{
	struct throttle_limits limits = g->buckets.limits;
	uint64_t now = g->all->clock();

	for (unsigned int k = 0; k < THROTTLE_KINDS; k++) {
		g->buckets.empty[k] = now + l->ns[k];
		g->buckets.burst_empty[k] = now + l->burst_ns[k];
	}
	throttle_set(&g->buckets, &limits, now);
}

static int levels_loaded(void *obj, unsigned int version, struct error *err)
{
	struct throttles *all = obj;

	for (unsigned int i = 0; i < all->n_levels; i++)
		all->levels[i].group[GROUP_MAX - 1] = '\0';
	for (struct throttle_group *g = all->groups; g; g = g->next) {
		const struct level *l = find_level(all, g->name);

		if (l)
			set_level(g, l);
	}
	return 0;
}

static bool levels_absent(const void *obj)
{
	const struct throttles *all = obj;

	return !all->groups;
}

static const struct state_field level_fields[] = {
	STATE_RAW(struct level, group),
	{ .name = "ns", .kind = STATE_INT, .offset = offsetof(struct level, ns),
	  .size = sizeof(uint64_t), .count = THROTTLE_KINDS,
	  .max = INT64_MAX / 4 },
	{ .name = "burst_ns", .kind = STATE_INT,
	  .offset = offsetof(struct level, burst_ns),
	  .size = sizeof(uint64_t), .count = THROTTLE_KINDS,
	  .max = INT64_MAX / 4 },
	STATE_END,
};

static const struct state_field levels_fields[] = {
	{ .name = "levels",
	  .kind = STATE_GROUP,
	  .offset = offsetof(struct throttles, levels),
	  .size = sizeof(struct level),
	  .count = LEVELS_MAX,
	  .counter = offsetof(struct throttles, n_levels),
	  .fields = level_fields },
	STATE_END,
};

static const struct state_type levels_state = {
	.name = "throttle",
	.version = 1,
	.may_lack = true,
	.absent = levels_absent,
	.fields = levels_fields,
	.saving = levels_saving,
	.loaded = levels_loaded,
};

void throttles_states(struct throttles *all, struct state_set *set)
{
	state_add(set, &levels_state, NULL, all);
}
