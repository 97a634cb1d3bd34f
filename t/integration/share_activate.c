/*
 * share_activate.c - stands in for kmsd-activate, so that kmsd and kmsd-share can be tested with a
 * real engine and no ledger: takes what kmsd hands over, answers its pings, and speaks to each
 * kmsd-share as activation does.
 *
 * Prints one line an event on standard error, which is kmsd's log: "standin: channel" (a new one),
 * "standin: closed", "standin: link STATUS CLUSTER", "standin: stored". It stores one parcel on
 * each channel when the link is up, so that the whole way is gone.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kmsd/common/child.h"
#include "kmsd/common/config_wire.h"
#include "kmsd/ipc/channel.h"
#include "kmsd/ipc/share_verbs.h"
#include "libkms/kms_error.h"

static const uint8_t own[16] = "one host of all";

struct standin {
	struct config config;
	struct ipc_channel *channel;
	uint64_t token;
	bool serving, stopping;
};

static void
die(const char *what)
{
	fprintf(stderr, "standin: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void
put(struct standin *s, const struct share_message *m)
{
	uint8_t body[SHARE_FIXED + SHARE_NAME + 8];
	struct ipc_frame f;

	if (share_encode(&f, body, m, SHARE_BY_ACTIVATE) != KMS_OK || f.length > sizeof(body))
		die("encode");
	if (m->len > 0)
		memcpy(body + SHARE_FIXED, m->octets, m->len);
	/* One that has ended is heard of when its channel is read. */
	if (ipc_channel_put(s->channel, &f, body) == KMS_OK)
		(void)ipc_channel_flush(s->channel);
}

static void
welcome(struct standin *s)
{
	struct share_message m = { .verb = SHARE_WELCOME,
		.value = SHARE_VERSION,
		.octets = (const uint8_t *)s->config.share_name,
		.len = (uint32_t)strlen(s->config.share_name) };

	memcpy(m.host, own, sizeof(m.host));
	put(s, &m);
}

static void
store(struct standin *s)
{
	struct share_message m = { .verb = SHARE_STORE,
		.token = ++s->token,
		.number = 1,
		.octets = (const uint8_t *)"parcel",
		.len = 6 };

	memcpy(m.host, own, sizeof(m.host));
	put(s, &m);
}

static void
take(struct standin *s, const struct share_message *m)
{
	if (m->verb == SHARE_READY)
		welcome(s);
	else if (m->verb == SHARE_LINK)
		fprintf(stderr, "standin: link %s %llx\n",
		    m->value == KMS_OK ? "KMS_OK" : kms_error_find(m->value)->symbol,
		    (unsigned long long)m->number);
	else if (m->verb == SHARE_STORED)
		fprintf(stderr, "standin: stored\n");
	else
		fprintf(stderr, "standin: verb %u %u\n", m->verb, m->value);
	if (m->verb == SHARE_LINK && m->value == KMS_OK)
		store(s);
}

static void
drop(struct standin *s)
{
	fprintf(stderr, "standin: closed\n");
	ipc_channel_free(s->channel);
	s->channel = NULL;
}

static void
on_channel(struct standin *s)
{
	struct share_message m;
	struct ipc_frame f;
	const uint8_t *body;

	if (ipc_channel_fill(s->channel) != KMS_OK) {
		drop(s);
		return;
	}
	while (ipc_channel_next(s->channel, &f, &body) == 1)
		if (share_decode(&m, &f, body, SHARE_BY_SHARE) == KMS_OK)
			take(s, &m);
		else
			die("decode");
}

static void
open_channel(struct standin *s, int fd)
{
	if (s->channel != NULL)
		drop(s);
	if ((s->channel = ipc_channel_new(fd, SHARE_BODY)) == NULL)
		die("memory");
	fprintf(stderr, "standin: channel\n");
}

static void
read_config(struct standin *s, int fd)
{
	static const struct child_role role = { .program = "standin", .reader = CONFIG_ACTIVATE };

	if (child_config(&role, &s->config, fd) != KMS_OK)
		die("config");
}

static void
on_parent(struct standin *s)
{
	struct ipc_parent m;
	int rc = ipc_parent_recv(IPC_PARENT_FD, &m);

	if (rc != KMS_OK || m.verb == IPC_STOP)
		s->stopping = true;
	else if (m.verb == IPC_CONFIG)
		read_config(s, m.fd);
	else if (m.verb == IPC_START)
		child_ready(0);
	else if (m.verb == IPC_PING)
		child_pong(&m);
	else if (m.verb == IPC_SHARE)
		open_channel(s, m.fd);
	/* A front stays for as long as its channel does. */
	if (rc == KMS_OK && m.fd != -1 && m.verb != IPC_SHARE && m.verb != IPC_CHANNEL)
		close(m.fd);
}

int
main(void)
{
	static struct standin s;

	setvbuf(stderr, NULL, _IOLBF, 0);
	while (!s.stopping) {
		struct pollfd p[2] = { { .fd = IPC_PARENT_FD, .events = POLLIN },
			{ .fd = s.channel != NULL ? ipc_channel_fd(s.channel) : -1,
			    .events = POLLIN } };

		if (poll(p, 2, -1) == -1 && errno != EINTR)
			die("poll");
		if (p[1].revents != 0)
			on_channel(&s);
		if (p[0].revents != 0)
			on_parent(&s);
	}
	return 0;
}
