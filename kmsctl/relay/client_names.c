/*
 * client_names.c - some threads, each of which looks up one name after the other. A name that does
 * not answer costs its own thread a few seconds, and the others go on.
 */
#include "kmsctl/relay/client_names.h"

#include <ctype.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libkms/base/address.h"
#include "libkms/base/clock.h"
#include "libkms/client/discover.h"
#include "libkms/kms_error.h"

#define THREADS 32
#define ONE_NAME 4000 /* ms */
#define TICK 200      /* ms between two lines of progress */

struct work {
	struct client_names *n;
	int64_t deadline;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* under the lock */
	size_t next, done, answered, silent;
};

static int
compare(const void *a, const void *b)
{
	return memcmp(a, b, 16);
}

/* An export puts '?' or U+FFFD where its code page has no character: such a name is nobody's. */
static bool
can_resolve(const char *name)
{
	if (strstr(name, "\xef\xbf\xbd") != NULL)
		return false;
	for (; *name != '\0'; name++)
		if (!isalnum((unsigned char)*name) && (unsigned char)*name < 0x80 &&
		    strchr("-_.", *name) == NULL)
			return false;
	return true;
}

static bool
is_ascii(const char *name)
{
	for (; *name != '\0'; name++)
		if ((unsigned char)*name >= 0x80)
			return false;
	return true;
}

static void
look_up(const struct client_names *n, struct client_name *c, int64_t deadline)
{
	struct discover_address addresses[DISCOVER_ADDRESSES];
	struct discover dns = { .deadline = clock_ms() + ONE_NAME };
	struct discover_host host = { .port = 1 };
	size_t count = 0;

	c->state = CLIENT_NAME_NONE;
	if (!can_resolve(c->name))
		return;
	if (dns.deadline > deadline)
		dns.deadline = deadline;
	snprintf(host.name, sizeof(host.name), "%s", c->name);
	if (discover_addresses(&dns, &host, addresses, &count) != KMS_OK) {
		/* A resolver may refuse letters that are not ASCII, without asking anybody. */
		c->state = dns.absent || !is_ascii(c->name) ? CLIENT_NAME_NONE : CLIENT_NAME_SILENT;
		return;
	}
	c->state = CLIENT_NAME_FOUND;
	for (size_t i = 0; i < count && c->source == NULL; i++) {
		uint8_t address[16];

		if (address_take(address, NULL, (const struct sockaddr *)&addresses[i].to))
			c->source =
			    bsearch(address, n->sources, n->source_count, n->source_size, compare);
	}
}

/* The time is over, or each of the first names waited in vain. */
static bool
give_up(const struct work *w)
{
	return clock_ms() >= w->deadline || (w->answered == 0 && w->silent >= (size_t)2 * THREADS);
}

static void *
thread_main(void *arg)
{
	struct work *w = arg;
	struct client_name *c;

	pthread_mutex_lock(&w->lock);
	while (w->next < w->n->count && !give_up(w)) {
		c = &w->n->names[w->next++];
		pthread_mutex_unlock(&w->lock);
		look_up(w->n, c, w->deadline);
		pthread_mutex_lock(&w->lock);
		w->done++;
		w->silent += c->state == CLIENT_NAME_SILENT;
		w->answered += c->state != CLIENT_NAME_SILENT;
	}
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void
show(const struct work *w)
{
	fprintf(w->n->progress, "\rLooking up names: %zu of %zu ", w->done, w->n->count);
	fflush(w->n->progress);
}

/* Until all are done or given up. */
static void
show_progress(struct work *w)
{
	struct timespec until;

	if (w->n->progress == NULL)
		return;
	pthread_mutex_lock(&w->lock);
	while (w->done < w->n->count && !give_up(w)) {
		show(w);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += (long)TICK * 1000000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_timedwait(&w->changed, &w->lock, &until);
	}
	show(w);
	pthread_mutex_unlock(&w->lock);
}

void
client_names_look_up(struct client_names *n)
{
	struct work w = { .n = n, .deadline = clock_ms() + n->patience };
	pthread_t threads[THREADS];
	size_t count = 0;

	for (size_t i = 0; i < n->count; i++) {
		n->names[i].state = CLIENT_NAME_LATE;
		n->names[i].source = NULL;
	}
	pthread_mutex_init(&w.lock, NULL);
	pthread_cond_init(&w.changed, NULL);
	while (count < THREADS && count < n->count &&
	       pthread_create(&threads[count], NULL, thread_main, &w) == 0)
		count++;
	if (count == 0)
		thread_main(&w);
	else
		show_progress(&w);
	for (size_t i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	if (n->progress != NULL && n->count > 0)
		fprintf(n->progress, "\r%60s\r", "");
	pthread_cond_destroy(&w.changed);
	pthread_mutex_destroy(&w.lock);
}
