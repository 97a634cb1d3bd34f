/*
 * share_peer.h - the channel of kmsd-share, a process that strangers may own: the verbs of
 * share_verbs.h. Every message is checked against what may come at all and against what was asked;
 * one that breaks a rule loses its channel, and kmsd starts another process.
 */
#ifndef KMSD_ACTIVATE_SHARE_SHARE_PEER_H
#define KMSD_ACTIVATE_SHARE_SHARE_PEER_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/ipc/share_verbs.h"

struct event_base;
struct share_peer;

struct share_peer_to {
	/* An answer, or LINK; m is borrowed. It may close the channel. */
	void (*take)(const struct share_message *m, void *arg);
	/* The channel has ended: of what is unanswered, nothing more is heard. */
	void (*ended)(void *arg);
	void *arg;
	char share[SHARE_NAME + 1];
	uint8_t own[16]; /* host id */
};

/* Takes over fd, unless it fails: NULL. READY is expected first, and is answered with WELCOME. */
struct share_peer *share_peer_new(struct event_base *base, int fd, const struct share_peer_to *to);
/* ended is not called. */
void share_peer_free(struct share_peer *p);
/* It has said READY. */
bool share_peer_ready(const struct share_peer *p);
uint32_t share_peer_layers(const struct share_peer *p);
/* Closes the channel: the others have seen that it broke a rule. what: what it did. */
void share_peer_broken(struct share_peer *p, const char *what);
/*
 * A request; its token is set in *token. KMS_E_LIMIT: SHARE_REQUESTS are unanswered; KMS_E_PEER:
 * not ready, or the channel has just ended.
 */
int share_peer_ask(struct share_peer *p, struct share_message *m, uint64_t *token);

#endif
