/*
 * told.h - what a host may make a client keep. Every host that the publisher certified can answer
 * every client of that publisher, a hostile customer's too: whatever one answer says, the client
 * must be well again with the next answer of its own host. All limits of that are here. Pure.
 *
 * A host never makes a client keep a time: the latest time seen is always the client's own.
 */
#ifndef KMS_LIBKMS_CLIENT_TOLD_H
#define KMS_LIBKMS_CLIENT_TOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "libkms/core/entry.h"
#include "libkms/core/limits.h"
#include "libkms/core/message.h"

/*
 * How far one answer may push the sequence number: with 2^62 numbers, a billion answers do not use
 * them up. The number that follows must be a number too.
 */
#define TOLD_LEAP (UINT64_C(1) << 32)
#define TOLD_SEQUENCE_END MESSAGE_SEQUENCE_MAX
#define TOLD_RETRY_MAX 86400                  /* seconds */
#define TOLD_INTERVAL_MAX PACK_ACTIVATION_MAX /* minutes */
#define TOLD_RENEWAL_MAX                                                                           \
	(60 * PACK_RENEWAL_MAX) /* seconds, from a lease's time to its renew after */
#define TOLD_LIFE_MAX (UINT64_C(60) * PACK_VALIDITY_MAX) /* seconds, to its end */
/* A lease of another customer that takes the place of a longer one lasts so many seconds. */
#define TOLD_LIFE_LEAST 86400

/*
 * A reply as a whole: KMS_E_FORMAT when its status is one that never travels: the product would
 * take it for its own ("the state file is damaged: delete it").
 */
int told_status(uint32_t status);
/* The highest number that a host claims to have seen, and the one used last here. As above. */
int told_sequence(uint64_t highest, uint64_t used);
uint32_t told_retry(uint32_t seconds);
/* Not told (0): what was there before. */
uint32_t told_interval(uint32_t minutes, uint32_t before);
/* The times of a lease: KMS_E_FORMAT when no pack can have set them. */
int told_lease(const struct entry_client *e);
/*
 * May a lease that ends at `expires` take the place of another customer's that ends at `stored`?
 * It is either no shorter, or long enough to ask again in. (Those of one customer always may: a
 * pack may shorten them.)
 */
bool told_replaces(uint64_t now, uint64_t expires, uint64_t stored);

#endif
