/*
 * vmm/input.c -- what a person does at the machine: keys and a pointer.
 */
#include "vmm/input.h"

#include <pthread.h>
#include <string.h>

#include "base/util.h"
#include "vmm/loop.h"

struct input_dev {
	const struct input_ops *ops;
	void *dev;
};

struct input {
	void (*on_key)(void *arg);
	void *on_key_arg;

	/* The loop's thread only: keys that are to go up again. */
	struct loop_timer *release;
	unsigned int held[INPUT_KEYS_MAX], n_held;

	pthread_mutex_t lock; /* the rest */
	struct input_dev *devs;
	unsigned int n;
};

static bool is_keyboard(const struct input_ops *ops)
{
	return ops->key;
}

static bool is_pointer(const struct input_ops *ops)
{
	return ops->pointer;
}

/* Locked.  One that listens; if none does, the first of its kind. */
static const struct input_dev *find(struct input *in,
				    bool (*is)(const struct input_ops *ops))
{
	const struct input_dev *first = NULL;

	for (unsigned int i = in->n; i-- > 0;) {
		const struct input_dev *d = &in->devs[i];

		if (!is(d->ops))
			continue;
		if (d->ops->listening(d->dev))
			return d;
		first = d;
	}
	return first;
}

void input_on_key(struct input *in, void (*fn)(void *arg), void *arg)
{
	in->on_key = fn;
	in->on_key_arg = arg;
}

void input_key(struct input *in, unsigned int code, bool down)
{
	const struct input_dev *d;

	if (down && in->on_key)
		in->on_key(in->on_key_arg);
	pthread_mutex_lock(&in->lock);
	d = find(in, is_keyboard);
	if (d)
		d->ops->key(d->dev, code, down);
	pthread_mutex_unlock(&in->lock);
}

void input_pointer(struct input *in, const struct input_pointer *p)
{
	const struct input_dev *d;

	pthread_mutex_lock(&in->lock);
	d = find(in, is_pointer);
	if (d)
		d->ops->pointer(d->dev, p);
	pthread_mutex_unlock(&in->lock);
}

bool input_absolute(struct input *in)
{
	const struct input_dev *d;
	bool absolute;

	pthread_mutex_lock(&in->lock);
	d = find(in, is_pointer);
	absolute = d && d->ops->absolute;
	pthread_mutex_unlock(&in->lock);
	return absolute;
}

static void release_keys(void *arg)
{
	struct input *in = arg;

	while (in->n_held)
		input_key(in, in->held[--in->n_held], false);
}

void input_send_keys(struct input *in, const unsigned int *codes,
		     unsigned int n, unsigned int hold_ms)
{
	release_keys(in);
	for (unsigned int i = 0; i < MIN(n, INPUT_KEYS_MAX); i++) {
		input_key(in, codes[i], true);
		in->held[in->n_held++] = codes[i];
	}
	timer_arm(in->release, now_ns() + hold_ms * 1000000ull);
}

void input_add(struct input *in, const struct input_ops *ops, void *dev)
{
	pthread_mutex_lock(&in->lock);
	in->devs = xrealloc(in->devs, in->n + 1, sizeof(*in->devs));
	in->devs[in->n++] = (struct input_dev){ ops, dev };
	pthread_mutex_unlock(&in->lock);
}

void input_remove(struct input *in, void *dev)
{
	pthread_mutex_lock(&in->lock);
	for (unsigned int i = 0; i < in->n; i++) {
		if (in->devs[i].dev != dev)
			continue;
		in->n--;
		memmove(&in->devs[i], &in->devs[i + 1],
			(in->n - i) * sizeof(*in->devs));
		break;
	}
	pthread_mutex_unlock(&in->lock);
}

struct input *input_create(struct loop *loop)
{
	struct input *in = xcalloc(1, sizeof(*in));

	pthread_mutex_init(&in->lock, NULL);
	timer_create_on(loop, release_keys, in, &in->release);
	return in;
}

void input_destroy(struct input *in)
{
	if (!in)
		return;
	timer_destroy(in->release);
	pthread_mutex_destroy(&in->lock);
	free(in->devs);
	free(in);
}
