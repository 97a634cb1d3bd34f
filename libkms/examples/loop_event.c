/*
 * loop_event.c - the same as loop_poll.c with libevent: two events, one for the library's
 * descriptor and one for the time of the next request.
 *
 *	cc -o loop_event loop_event.c $(pkg-config --cflags --libs kms libevent_core)
 *	./loop_event HOST[:PORT] < work
 */
#include <event2/event.h>
#include <kms.h>
#include <stdio.h>
#include <unistd.h>

#ifndef PUBLISHER_KEY
#define PUBLISHER_KEY "RW... (the second line of publisher.pub)"
#endif
#ifndef PRODUCT
#define PRODUCT "the UUID of the product, as in the policy pack"
#endif

struct product {
	struct kms_client *client;
	struct event_base *base;
	struct event *timer, *answer, *input;
};

/* The next request at its time; none while one is on its way. */
static void
plan(struct product *p)
{
	int wait = kms_next(p->client, NULL);
	struct timeval t = { wait / 1000, wait % 1000 * 1000 };

	if (wait >= 0)
		event_add(p->timer, &t);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct product *p = arg;
	enum kms_operation operation;

	(void)fd;
	(void)what;
	/* The clock may have been set, or another process may have asked. */
	if (kms_next(p->client, &operation) == 0)
		kms_start(p->client, operation);
	plan(p);
}

static void
on_answer(evutil_socket_t fd, short what, void *arg)
{
	struct product *p = arg;
	struct kms_result r = { .size = sizeof r };

	(void)fd;
	(void)what;
	if (kms_poll(p->client, &r) == KMS_E_PENDING)
		return;
	fprintf(stderr, "licence: %s\n", r.detail);
	plan(p);
}

/* The product's own work, to its end. */
static void
on_input(evutil_socket_t fd, short what, void *arg)
{
	struct product *p = arg;
	char text[512];
	ssize_t n = read(fd, text, sizeof text);

	(void)what;
	if (n <= 0 || write(STDOUT_FILENO, text, (size_t)n) != n)
		event_base_loopbreak(p->base);
}

int
main(int argc, char **argv)
{
	char detail[256];
	struct kms_options o = { .size = sizeof o }; /* no state file: a seat while it runs */
	struct product p;

	o.publisher_key = PUBLISHER_KEY;
	o.product = PRODUCT;
	o.host = argc > 1 ? argv[1] : NULL;
	o.detail = detail;
	o.detail_size = sizeof detail;
	if (kms_open(&p.client, &o) != KMS_OK) {
		fprintf(stderr, "%s\n", detail);
		return 2;
	}
	p.base = event_base_new();
	p.timer = event_new(p.base, -1, 0, on_time, &p);
	p.answer = event_new(p.base, kms_fd(p.client), EV_READ | EV_PERSIST, on_answer, &p);
	p.input = event_new(p.base, STDIN_FILENO, EV_READ | EV_PERSIST, on_input, &p);
	event_add(p.answer, NULL);
	event_add(p.input, NULL);
	plan(&p);
	event_base_dispatch(p.base);
	event_free(p.input);
	event_free(p.answer);
	event_free(p.timer);
	event_base_free(p.base);
	kms_close(p.client); /* gives the seat back */
	return 0;
}
