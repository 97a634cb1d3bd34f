/*
 * web_peer.c - see web_peer.h.
 */
#include "kmsd/activate/web_peer.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_answer.h"
#include "kmsd/activate/front_peer.h"
#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "kmsd/ipc/control.h"
#include "libkms/base/clock.h"

#define SHARE 10         /* of the time since its last answer, one part is for the next */
#define PAUSE_LEAST 1000 /* microseconds */

struct web_peer {
	struct activate *activate;
	int fd;
	struct event *readable, *writable, *later;
	bool ready;
	uint32_t layers;
	uint8_t in[CONTROL_PAGE_REQUEST_MAX];
	size_t len;
	uint16_t verb; /* of the request that is being answered; 0: none */
	struct wire_reader args;
	uint8_t *out; /* malloc'd */
	size_t out_len, sent;
	uint64_t pause; /* microseconds, before the next is read */
};

static void
broken(struct web_peer *w, const char *what)
{
	log_limited(LOG_ERR, "web-refused", "kmsd-web %s; its channel is closed", what);
	web_peer_close(w->activate);
}

/* READY says which layers it has; everything else is in the table of verbs. */
static bool
take_ready(struct web_peer *w, struct wire_reader args)
{
	struct control_field f;

	if (w->ready || !control_next(&args, &f) || !control_field_is(&f, 'u', "layers"))
		return false;
	w->ready = true;
	w->layers = (uint32_t)f.number;
	w->out_len = CONTROL_REPLY_HEADER;
	w->out = malloc(CONTROL_REPLY_HEADER);
	return w->out != NULL && control_reply_header(w->out, KMS_OK, 0);
}

static void
answer(struct web_peer *w)
{
	static const struct control_asker by = { .access = CONTROL_PAGE, .uid = -1 };
	uint64_t began = clock_us();

	if (w->verb == CONTROL_WEB_READY) {
		if (!take_ready(w, w->args)) {
			broken(w, "sent its first message twice, or a malformed one");
			return;
		}
	} else {
		w->out = control_answer(w->activate, &by, w->verb, &w->args, &w->out_len);
	}
	w->pause = (clock_us() - began) * SHARE + PAUSE_LEAST;
	w->sent = 0;
	if (w->out == NULL || event_add(w->writable, NULL) != 0)
		broken(w, "cannot be answered: no memory");
}

/* The request is complete; nothing more may come before the answer. */
static void
take(struct web_peer *w)
{
	if (w->verb != CONTROL_WEB_READY && (!w->ready || !control_may(CONTROL_PAGE, w->verb))) {
		broken(w, "sent a verb that it may not send");
		return;
	}
	event_del(w->readable);
	if (!control_wants_figures(w->verb)) {
		answer(w);
		return;
	}
	front_peer_ask_stats(w->activate);
	loop_timer(w->later, CONTROL_FIGURES_US);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct web_peer *w = arg;
	ssize_t n = recv(w->fd, w->in + w->len, sizeof(w->in) - w->len, 0);
	int rc;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* Reset: it ended before it read an answer. */
	if ((n == 0 && w->len < sizeof(w->in)) || (n < 0 && errno == ECONNRESET)) {
		log_event(LOG_NOTICE, "web-closed", "kmsd-web has ended");
		web_peer_close(w->activate);
		return;
	}
	if (n > 0)
		w->len += (size_t)n;
	rc = n > 0 ? control_request_parse(w->in, w->len, &w->verb, &w->args) : -1;
	if (rc < 0)
		broken(w, "sent a request that is malformed, too long or too early");
	else if (rc > 0)
		take(w);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct web_peer *w = arg;
	ssize_t n = send(w->fd, w->out + w->sent, w->out_len - w->sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		web_peer_close(w->activate);
		return;
	}
	w->sent += (size_t)n;
	if (w->sent < w->out_len)
		return;
	event_del(w->writable);
	free(w->out);
	w->out = NULL;
	w->verb = 0;
	w->len = 0;
	loop_timer(w->later, w->pause);
}

/* The fronts had time for their figures, or the pause after an answer is over. */
static void
on_later(evutil_socket_t fd, short what, void *arg)
{
	struct web_peer *w = arg;

	if (w->verb != 0)
		answer(w);
	else
		event_add(w->readable, NULL);
}

int
web_peer_open(struct activate *a, int fd)
{
	struct web_peer *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return KMS_E_NO_MEMORY;
	w->activate = a;
	w->fd = fd;
	evutil_make_socket_nonblocking(fd);
	w->readable = event_new(a->base, fd, EV_READ | EV_PERSIST, on_readable, w);
	w->writable = event_new(a->base, fd, EV_WRITE | EV_PERSIST, on_writable, w);
	w->later = evtimer_new(a->base, on_later, w);
	web_peer_close(a);
	a->web = w;
	if (w->readable == NULL || w->writable == NULL || w->later == NULL ||
	    event_add(w->readable, NULL) != 0) {
		w->fd = -1;
		web_peer_close(a);
		return KMS_E_NO_MEMORY;
	}
	return KMS_OK;
}

void
web_peer_close(struct activate *a)
{
	struct web_peer *w = a->web;

	if (w == NULL)
		return;
	a->web = NULL;
	if (w->readable != NULL)
		event_free(w->readable);
	if (w->writable != NULL)
		event_free(w->writable);
	if (w->later != NULL)
		event_free(w->later);
	if (w->fd != -1)
		close(w->fd);
	free(w->out);
	free(w);
}

bool
web_peer_layers(const struct activate *a, uint32_t *layers)
{
	if (a->web == NULL || !a->web->ready)
		return false;
	*layers = a->web->layers;
	return true;
}
