/*
 * question.c - see question.h.
 */
#include "kmsd/web/question.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/loop.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define READ_STEP 65536

struct question {
	uint8_t *bytes; /* malloc'd: header and arguments */
	size_t len;
	ask_done *done; /* NULL: nobody waits any longer */
	void *arg;
};

struct ask {
	int fd;
	struct event *readable, *writable, *late;
	/* A ring; the first of them is under way. */
	struct question waiting[ASK_WAITING];
	unsigned first, count;
	size_t sent;
	uint8_t *in; /* malloc'd: the answer, as far as it has come */
	size_t in_len, in_size;
	bool broken;
};

static struct question *
head(struct ask *a)
{
	return &a->waiting[a->first];
}

static void
be_patient(struct ask *a)
{
	loop_timer(a->late, ASK_SECONDS * SECOND_US);
}

static void
begin(struct ask *a)
{
	a->sent = 0;
	event_add(a->writable, NULL);
	be_patient(a);
}

/* Whoever waits for it, if somebody does, gets no answer. */
static void
fail(const struct question *q, uint32_t status)
{
	struct reply none = { 0 };

	if (q->done != NULL)
		q->done(q->arg, status, &none);
}

/* The first question is over. Whoever waits for it may put the next one from within. */
static void
finish(struct ask *a, uint32_t status, struct reply *reply)
{
	struct question q = *head(a);

	event_del(a->late);
	free(q.bytes);
	memset(head(a), 0, sizeof(q));
	a->first = (a->first + 1) % ASK_WAITING;
	if (--a->count > 0)
		begin(a);
	if (q.done != NULL)
		q.done(q.arg, status, reply);
	else
		reply_free(reply);
}

static void
give_up(struct ask *a)
{
	a->broken = true;
	event_del(a->readable);
	event_del(a->writable);
	while (a->count > 0) {
		struct question q = *head(a);

		free(q.bytes);
		a->first = (a->first + 1) % ASK_WAITING;
		a->count--;
		fail(&q, KMS_E_PEER);
	}
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct ask *a = arg;
	struct question *q = head(a);
	ssize_t n = send(a->fd, q->bytes + a->sent, q->len - a->sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		give_up(a);
		return;
	}
	a->sent += (size_t)n;
	if (a->sent == q->len)
		event_del(a->writable);
}

static bool
make_room(struct ask *a)
{
	size_t size = a->in_size ? a->in_size * 2 : READ_STEP;
	uint8_t *in;

	if (a->in_len < a->in_size)
		return true;
	if (size > 4 * CONTROL_MAX || (in = realloc(a->in, size)) == NULL)
		return false;
	a->in = in;
	a->in_size = size;
	return true;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct ask *a = arg;
	struct fault fault = { 0 };
	struct wire_reader rows;
	struct reply reply;
	uint32_t status;
	ssize_t n;
	int rc;

	n = make_room(a) ? recv(a->fd, a->in + a->in_len, a->in_size - a->in_len, 0) : 0;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		a->in_len += (size_t)n;
	rc = n > 0 && a->count > 0 ? control_reply_parse(a->in, a->in_len, &status, &rows) : -1;
	if (rc == 0)
		return;
	if (rc > 0) {
		a->in_len = 0;
		if (reply_rows(&reply, rows.at, wire_left(&rows), &fault) == KMS_OK) {
			finish(a, status, &reply);
			return;
		}
		reply_free(&reply);
	}
	give_up(a);
}

/*
 * The answer to the first will come some day, and nobody waits for it then. The others were not
 * asked yet.
 */
static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct ask *a = arg;
	struct question late[ASK_WAITING];
	unsigned count = a->count;

	for (unsigned i = 0; i < count; i++) {
		struct question *q = &a->waiting[(a->first + i) % ASK_WAITING];

		late[i] = *q;
		if (i > 0)
			free(q->bytes);
		q->done = NULL;
	}
	a->count = count > 0;
	be_patient(a);
	for (unsigned i = 0; i < count; i++)
		fail(&late[i], KMS_E_TIMEOUT);
}

struct ask *
ask_new(struct event_base *base, int fd)
{
	struct ask *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->fd = fd;
	a->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, a);
	a->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, a);
	a->late = evtimer_new(base, on_late, a);
	if (a->readable == NULL || a->writable == NULL || a->late == NULL ||
	    event_add(a->readable, NULL) != 0) {
		a->fd = -1;
		ask_free(a);
		return NULL;
	}
	return a;
}

void
ask_free(struct ask *a)
{
	if (a == NULL)
		return;
	for (unsigned i = 0; i < a->count; i++)
		free(a->waiting[(a->first + i) % ASK_WAITING].bytes);
	if (a->readable != NULL)
		event_free(a->readable);
	if (a->writable != NULL)
		event_free(a->writable);
	if (a->late != NULL)
		event_free(a->late);
	if (a->fd != -1)
		close(a->fd);
	free(a->in);
	free(a);
}

int
ask_put(struct ask *a, uint16_t verb, const struct control_buf *args, ask_done *done, void *arg)
{
	size_t len = args != NULL ? args->len : 0;
	struct question *q = &a->waiting[(a->first + a->count) % ASK_WAITING];
	uint8_t *bytes;

	if (a->broken)
		return KMS_E_PEER;
	if (a->count == ASK_WAITING)
		return KMS_E_OVERLOAD;
	/* The activation process would close the channel. */
	if (args != NULL && (args->bad || len > CONTROL_PAGE_REQUEST_MAX - CONTROL_REQUEST_HEADER))
		return KMS_E_TOO_LARGE;
	if ((bytes = malloc(CONTROL_REQUEST_HEADER + len)) == NULL)
		return KMS_E_NO_MEMORY;
	control_request_header(bytes, verb, len);
	if (len > 0)
		memcpy(bytes + CONTROL_REQUEST_HEADER, args->data, len);
	*q = (struct question){
		.bytes = bytes, .len = CONTROL_REQUEST_HEADER + len, .done = done, .arg = arg
	};
	if (++a->count == 1)
		begin(a);
	return KMS_OK;
}

bool
ask_broken(const struct ask *a)
{
	return a->broken;
}
