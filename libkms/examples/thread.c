/*
 * thread.c - the same as loop_poll.c with a thread that keeps the licence, for a product that
 * cannot watch a descriptor. The object is the thread's alone; what others may know is in a struct
 * with a lock.
 *
 *	cc -pthread -o thread thread.c $(pkg-config --cflags --libs kms)
 *	./thread HOST[:PORT] < work
 */
#include <kms.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#ifndef PUBLISHER_KEY
#define PUBLISHER_KEY "RW... (the second line of publisher.pub)"
#endif
#ifndef PRODUCT
#define PRODUCT "the UUID of the product, as in the policy pack"
#endif

struct licence {
	struct kms_client *client; /* the thread's */
	int end[2];                /* a pipe: it can be read when the thread is to end */
	pthread_mutex_t lock;
	enum kms_licence state; /* under the lock */
};

static void
look(struct licence *l)
{
	struct kms_status_info s = { .size = sizeof s };

	kms_status(l->client, &s);
	pthread_mutex_lock(&l->lock);
	l->state = s.licence;
	pthread_mutex_unlock(&l->lock);
}

/*
 * It waits for the time of the next request, or for the answer, and for the end of the product:
 * with kms_activate it could not be told to end while it waits for a host.
 */
static void *
keep(void *arg)
{
	struct licence *l = arg;
	struct kms_result r = { .size = sizeof r };
	struct pollfd fds[2] = { { .fd = l->end[0], .events = POLLIN },
		{ .fd = kms_fd(l->client), .events = POLLIN } };
	enum kms_operation operation;

	while (fds[0].revents == 0) {
		int wait = kms_next(l->client, &operation);

		if (wait == 0)
			kms_start(l->client, operation);
		else if (wait < 0 && kms_poll(l->client, &r) != KMS_E_PENDING)
			fprintf(stderr, "licence: %s\n", r.detail);
		look(l);
		poll(fds, 2, kms_next(l->client, NULL));
	}
	kms_close(l->client); /* gives the seat back */
	return NULL;
}

/* The product's own work; 0: there is no more. */
static int
work(void)
{
	char text[512];
	ssize_t n = read(STDIN_FILENO, text, sizeof text);

	return n > 0 && write(STDOUT_FILENO, text, (size_t)n) == n;
}

int
main(int argc, char **argv)
{
	char detail[256];
	struct kms_options o = { .size = sizeof o }; /* no state file: a seat while it runs */
	struct licence l = { .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t thread;

	o.publisher_key = PUBLISHER_KEY;
	o.product = PRODUCT;
	o.host = argc > 1 ? argv[1] : NULL;
	o.detail = detail;
	o.detail_size = sizeof detail;
	if (kms_open(&l.client, &o) != KMS_OK) {
		fprintf(stderr, "%s\n", detail);
		return 2;
	}
	if (pipe(l.end) != 0 || pthread_create(&thread, NULL, keep, &l) != 0) {
		perror("thread");
		return 2;
	}
	while (work())
		;
	close(l.end[1]);
	pthread_join(thread, NULL);
	printf("licence %d at the end\n", (int)l.state);
	return 0;
}
