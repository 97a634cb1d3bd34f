/*
 * loop_poll.c - a product with a loop of its own around poll(2): it does its work, and has itself
 * activated and renewed beside it, without a thread and without waiting for a host.
 *
 *	cc -o loop_poll loop_poll.c $(pkg-config --cflags --libs kms)
 *	./loop_poll HOST[:PORT] < work
 *
 * Its work is to copy lines. A line is copied at once, also while a host is being asked.
 */
#include <kms.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#ifndef PUBLISHER_KEY
#define PUBLISHER_KEY "RW... (the second line of publisher.pub)"
#endif
#ifndef PRODUCT
#define PRODUCT "the UUID of the product, as in the policy pack"
#endif

/* A step of the request that is on its way, or the beginning of the next one when it is time. */
static void
licence(struct kms_client *c, int readable)
{
	struct kms_result r = { .size = sizeof r };
	enum kms_operation operation;
	int wait = kms_next(c, &operation);

	if (wait == 0) {
		kms_start(c, operation);
	} else if (wait < 0 && readable) {
		int e = kms_poll(c, &r);

		if (e != KMS_E_PENDING)
			fprintf(stderr, "licence: %s\n", r.detail);
	}
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
	struct kms_client *c;
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };

	o.publisher_key = PUBLISHER_KEY;
	o.product = PRODUCT;
	o.host = argc > 1 ? argv[1] : NULL;
	o.detail = detail;
	o.detail_size = sizeof detail;
	if (kms_open(&c, &o) != KMS_OK) {
		fprintf(stderr, "%s\n", detail);
		return 2;
	}
	fds[1].fd = kms_fd(c);
	do {
		licence(c, fds[1].revents != 0);
		if (poll(fds, 2, kms_next(c, NULL)) < 0)
			break;
	} while (fds[0].revents == 0 || work());
	kms_close(c); /* gives the seat back */
	return 0;
}
