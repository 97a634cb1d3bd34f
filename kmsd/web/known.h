/*
 * known.h - what the activation process last said, so that many who ask at once cost it one
 * question: an answer is used for a second.
 */
#ifndef KMSD_WEB_KNOWN_H
#define KMSD_WEB_KNOWN_H

#include "kmsd/web/question.h"

enum known_what {
	KNOWN_STATUS,
	KNOWN_METRICS,
	KNOWN_KEYS,
	KNOWN_RELAY,
	KNOWN_POLICY,
	KNOWN_USAGE,
	KNOWN_COUNT
};
#define KNOWN(what) (1u << KNOWN_##what)
#define KNOWN_WAITING 256 /* who wait for an answer, at most */

struct config;
struct known;
/* KMS_OK, or why nothing is known: KMS_E_TIMEOUT, KMS_E_PEER, KMS_E_OVERLOAD. */
typedef void known_done(void *arg, int rc);

/* config: lives longer, and may change at a reload. NULL: memory */
struct known *known_new(struct ask *ask, const struct config *config);
void known_free(struct known *k);
/* Calls done once all in the set (KNOWN(STATUS) | ...) is known, from within when it is already. */
void known_want(struct known *k, unsigned set, known_done *done, void *arg);
const struct config *known_config(const struct known *k);
/* Rows; none when the host refused it, for example because it is locked. */
const struct reply *known_reply(const struct known *k, enum known_what what);

#endif
