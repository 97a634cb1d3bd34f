/*
 * front_verbs.c - frames of a front: what it may send and when, and its credits.
 */
#include "kmsd/activate/front_verbs.h"

#include "kmsd/activate/activate.h"
#include "kmsd/activate/front_peer.h"
#include "kmsd/activate/pending.h"
#include "kmsd/activate/request.h"
#include "kmsd/common/log.h"
#include "kmsd/ipc/channel.h"
#include "libkms/base/wire.h"

#define HALF_LEAST 24 /* frames; a batch of this size is worth its fdatasync */

static int
on_ready(struct front_peer *p, const struct request_frame *in)
{
	uint8_t welcome[8];
	struct wire_reader r;
	struct wire_writer w;
	uint32_t version;

	wire_reader_init(&r, in->bytes, in->from.length);
	version = wire_get_u32(&r);
	p->layers = wire_get_u32(&r);
	if (p->ready || wire_finish(&r) != KMS_OK)
		return front_peer_broken(p, "peer-ready", "sent READY twice, or a malformed READY");
	if (version != IPC_VERSION)
		return front_peer_broken(
		    p, "peer-version", "has another version: reinstall kmsd completely");
	p->ready = true;
	wire_writer_init(&w, welcome, sizeof(welcome));
	wire_put_u32(&w, IPC_VERSION);
	wire_put_u32(&w, p->credits);
	front_peer_send(p, IPC_WELCOME, welcome, sizeof(welcome));
	return KMS_OK;
}

static int
on_hello(struct front_peer *p, const struct request_frame *in)
{
	request_hello(p->activate, p, in);
	return KMS_OK;
}

static int
on_request(struct front_peer *p, const struct request_frame *in)
{
	request_take(p->activate, p, in);
	return KMS_OK;
}

static int
on_stats(struct front_peer *p, const struct request_frame *in)
{
	if (p->stats_left == 0)
		return front_peer_broken(
		    p, "peer-stats", "sent too many figures without a request");
	p->stats_left--;
	if (ipc_front_stats_decode(&p->stats, in->bytes, in->from.length) != KMS_OK)
		return front_peer_broken(p, "peer-stats", "sent malformed figures");
	p->have_stats = true;
	return KMS_OK;
}

static int
on_relayed(struct front_peer *p, const struct request_frame *in)
{
	if (relayed_take(p->activate, p->index, &p->relayed, &in->from, in->bytes) != KMS_OK)
		return front_peer_broken(p, "peer-relayed",
		    "reported an exchange that is malformed, or that cannot be: [relay] is not configured");
	return KMS_OK;
}

static const struct {
	enum ipc_verb verb;
	bool before_ready, credit;
	int (*handle)(struct front_peer *p, const struct request_frame *in);
} verbs[] = {
	{ IPC_REQUEST, false, true, on_request },
	{ IPC_HELLO, false, true, on_hello },
	{ IPC_FRONT_READY, true, false, on_ready },
	{ IPC_FRONT_STATS, false, false, on_stats },
	{ IPC_RELAYED, false, false, on_relayed },
};

static int
dispatch(struct front_peer *p, const struct request_frame *in)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (verbs[i].verb != in->from.verb)
			continue;
		if (!p->ready && !verbs[i].before_ready)
			return front_peer_broken(p, "peer-early", "sent something before READY");
		if (in->from.flags != 0)
			return front_peer_broken(
			    p, "peer-flags", "set flags that only the activation process may set");
		if (verbs[i].credit) {
			if (p->in_flight == p->credits)
				return front_peer_broken(
				    p, "peer-credit", "sent a request without a credit");
			p->in_flight++;
			p->requests++;
		}
		return verbs[i].handle(p, in);
	}
	return front_peer_broken(p, "peer-verb", "sent a verb that it may not send");
}

/*
 * After how many of the waiting frames a batch is closed within a turn; 0: not before its end.
 * While the second half is decided and synced, the front answers the clients of the first half,
 * and the other way round; with one batch of all, each process would be idle while the other
 * works.
 */
static size_t
half_way(size_t waiting)
{
	return waiting / 2 >= HALF_LEAST ? waiting / 2 : 0;
}

/* What waits, up to a group; the bytes of all stay where they are until the next fill. */
static size_t
next_group(struct front_peer *p, struct request_frame group[REQUEST_GROUP], int *last)
{
	size_t count = 0;

	while (count < REQUEST_GROUP &&
	       (*last = ipc_channel_next(p->channel, &group[count].from, &group[count].bytes)) > 0)
		count++;
	request_expect(p->activate, group, count);
	return count;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct front_peer *p = arg;
	struct request_frame group[REQUEST_GROUP];
	size_t left, count;
	int last;

	activate_clock(p->activate);
	if (ipc_channel_fill(p->channel) != KMS_OK) {
		log_event(LOG_NOTICE, "peer-closed", "front %u: channel closed", p->index);
		front_peer_give_up(p);
		return;
	}
	left = half_way(ipc_channel_waiting(p->channel));
	while (!p->dead && (count = next_group(p, group, &last)) > 0) {
		for (size_t i = 0; i < count && !p->dead; i++) {
			if (dispatch(p, &group[i]) != KMS_OK)
				front_peer_give_up(p);
			if (left > 0 && --left == 0) {
				pending_finish(p->activate);
				front_peer_flush(p);
			}
		}
	}
	if (last < 0 && !p->dead) {
		front_peer_broken(
		    p, "peer-malformed", "sent a frame that is too long or has reserved bytes set");
		front_peer_give_up(p);
	}
}

int
front_verbs_open(struct activate *a, int fd, unsigned index)
{
	return front_peer_add(a, fd, index, on_readable);
}
