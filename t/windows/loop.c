/*
 * loop.c - a product of Windows with a loop of its own, which waits for kms_fd in one of three
 * ways. It is built from the zip that publishers get, and from nothing else of ours.
 *
 *	loop KEY PRODUCT STATE HOST WSAPoll|select|WSAEventSelect
 */
#include <kms.h>
#include <stdio.h>
#include <string.h>
#include <winsock2.h>

#define LONGEST_MS 20000

static int
with_poll(SOCKET fd)
{
	WSAPOLLFD p = { .fd = fd, .events = POLLRDNORM };

	return WSAPoll(&p, 1, LONGEST_MS) == 1;
}

static int
with_select(SOCKET fd)
{
	struct timeval longest = { .tv_sec = LONGEST_MS / 1000 };
	fd_set in;

	FD_ZERO(&in);
	FD_SET(fd, &in);
	return select(0, &in, NULL, NULL, &longest) == 1;
}

static int
with_event(SOCKET fd)
{
	static WSAEVENT event;

	if (event == NULL) {
		event = WSACreateEvent();
		if (event == NULL || WSAEventSelect(fd, event, FD_READ) != 0)
			return 0;
	}
	return WSAWaitForMultipleEvents(1, &event, FALSE, LONGEST_MS, FALSE) == WSA_WAIT_EVENT_0 &&
	       WSAResetEvent(event);
}

int
main(int argc, char **argv)
{
	struct kms_options o = { .size = sizeof o };
	struct kms_result r = { .size = sizeof r };
	int (*wait)(SOCKET) = with_poll;
	struct kms_client *c;
	unsigned woken = 0, late = 0;
	int e;

	if (argc != 6)
		return 2;
	o.publisher_key = argv[1];
	o.product = argv[2];
	o.state_file = argv[3];
	o.host = argv[4];
	o.name = "loop";
	if (strcmp(argv[5], "select") == 0)
		wait = with_select;
	else if (strcmp(argv[5], "WSAEventSelect") == 0)
		wait = with_event;
	if (kms_open(&c, &o) != KMS_OK || kms_start(c, KMS_ACTIVATE) != KMS_OK)
		return 2;
	while ((e = kms_poll(c, &r)) == KMS_E_PENDING)
		if (wait((SOCKET)kms_fd(c)))
			woken++;
		else
			late++;
	printf("%s, %s, %u late: %s\n", kms_error_find((unsigned)e)->symbol,
	    woken > 0 ? "woken" : "not woken", late, r.detail);
	kms_close(c);
	return e != KMS_OK;
}
