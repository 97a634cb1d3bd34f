/*
 * share_verbs.h - what kmsd-activate and kmsd-share say to each other. kmsd-share carries bytes to
 * and from the engine (etcd) in which hosts that count together leave their batches; it understands
 * none of them. None of the verbs says "sign", and each end treats the other as hostile.
 *
 * A SOCK_STREAM socketpair with the frames of ipc.h (channel.h reads and writes them). In a header,
 * token is the request's number, chosen by activate and echoed in the answer; address is a host id;
 * port and flags are zero. Body, big-endian:
 *    0  8  number
 *    8  4  value
 *   12     octets
 * What a verb does not use is zero; the table in share_verbs.c says what it uses, and how much.
 *
 * verb     host      number           value    octets
 * READY    -         layers in force  version  -              first, of kmsd-share
 * WELCOME  own       -                version  share's name   activate's answer
 * STORE    of chain  first batch      -        parcel         kmsdb/parcel.h
 * BEAT     own       -                -        signed         what all others are to read
 * FETCH    of chain  batch            which    -
 * PRUNE    own       batch            -        -              what begins before it
 * STORED   of chain  first batch      -        -              or it was there, and equal
 * TAKEN    of chain  first batch      -        parcel         what is there instead
 * PARCEL   of chain  first batch      -        parcel         number 0, none: there is none
 * BEATS    -         -                -        all of them    share_beats_next
 * PRUNED   own       how many         -        -
 * FAILED   as asked  -                status   -              an error of kms_error.h
 * LINK     -         cluster id       status   -              KMS_OK: the engine answers
 *
 * Each request gets exactly one answer, in any order; SHARE_REQUESTS may be without one. A STORE
 * that FAILED may have been carried out all the same: it is sent again until STORED or TAKEN says
 * what is so. LINK answers nothing: it is sent when the engine is heard for the first time, is lost
 * or comes back, and before any answer that comes from another cluster than the last one did.
 *
 * OFFER, for packs, revocations and keys, has no number yet. Rights are given by entries of a chain
 * (policy/rights.h), which need no verb.
 *
 * A frame that breaks a rule means a compromised process. Activate closes the channel; kmsd-share
 * ends.
 */
#ifndef KMSD_IPC_SHARE_VERBS_H
#define KMSD_IPC_SHARE_VERBS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/ipc/ipc.h"
#include "libkms/base/share_name.h"
#include "libkms/base/wire.h"
#include "libkms/core/limits.h"

#define SHARE_VERSION 1
#define SHARE_REQUESTS 8 /* unanswered at once */
#define SHARE_FIXED 12   /* octets of a body before the rest */
/* A parcel with one batch of the largest kind, and room to spare. */
#define SHARE_PARCEL (RECORD_OCTETS + 1024)
#define SHARE_BEAT_MAX 8192
#define SHARE_MEMBERS 64
#define SHARE_BEAT_HEAD 18 /* of each in BEATS: host 16, u16 length */
#define SHARE_BEATS (SHARE_MEMBERS * (SHARE_BEAT_HEAD + SHARE_BEAT_MAX))
#define SHARE_OCTETS (SHARE_PARCEL > SHARE_BEATS ? SHARE_PARCEL : SHARE_BEATS)
#define SHARE_BODY (SHARE_FIXED + SHARE_OCTETS) /* for ipc_channel_new */

enum share_verb {
	/* activate -> kmsd-share */
	SHARE_WELCOME = 64,
	SHARE_STORE = 65,
	SHARE_BEAT = 66,
	SHARE_FETCH = 67,
	SHARE_PRUNE = 68,
	/* kmsd-share -> activate */
	SHARE_READY = 80,
	SHARE_STORED = 81,
	SHARE_TAKEN = 82,
	SHARE_PARCEL_IS = 83,
	SHARE_BEATS_ARE = 84,
	SHARE_PRUNED = 85,
	SHARE_FAILED = 86,
	SHARE_LINK = 87,
};
/* FETCH: which parcel of the chain. */
enum share_fetch {
	SHARE_FROM = 0,  /* the first that begins with this batch or a later one */
	SHARE_UP_TO = 1, /* the last that begins with this batch or an earlier one */
};
enum share_end {
	SHARE_BY_ACTIVATE,
	SHARE_BY_SHARE,
};

struct share_message {
	uint8_t verb;
	uint64_t token;
	uint8_t host[16];
	uint64_t number;
	uint32_t value;
	const uint8_t *octets; /* borrowed */
	uint32_t len;
};

/*
 * A message that the other end, from, may send at all. KMS_OK; KMS_E_FORMAT: a verb that is not
 * its own, or a field that the verb does not have; KMS_E_TRUNCATED, KMS_E_TOO_LARGE.
 */
int share_decode(
    struct share_message *m, const struct ipc_frame *f, const uint8_t *body, enum share_end from);
/*
 * The header of m into f, and the body's first SHARE_FIXED octets; m->octets follow them. The same
 * rules: KMS_E_ARGUMENT when from may not send this.
 */
int share_encode(struct ipc_frame *f, uint8_t fixed[SHARE_FIXED], const struct share_message *m,
    enum share_end from);

/* BEATS, written and read. KMS_E_TOO_LARGE: no room, or a beat that is too long. */
struct share_beats {
	uint8_t *out; /* the caller's, of SHARE_BEATS */
	size_t len;
	unsigned count;
};
int share_beats_add(
    struct share_beats *b, const uint8_t host[16], const uint8_t *octets, size_t len);
/* The next of the octets of BEATS. KMS_OK, KMS_E_NOT_FOUND: that was all, KMS_E_FORMAT. */
int share_beats_next(struct wire_reader *r, uint8_t host[16], const uint8_t **octets, size_t *len);

/*
 * Requests without an answer, kept by whoever sends them (open) and by whoever answers (the same
 * rules from the other side). All zero: none.
 */
struct share_requests {
	struct {
		uint64_t token;
		uint8_t verb; /* 0: free */
		uint8_t host[16];
		uint64_t number;
	} at[SHARE_REQUESTS];
};
/* KMS_E_LIMIT: no credit left; KMS_E_EXISTS: that token is not answered yet. */
int share_asked(struct share_requests *r, const struct share_message *request);
/* KMS_E_FORMAT: nothing that was asked has this answer. READY and LINK answer nothing. */
int share_answered(struct share_requests *r, const struct share_message *answer);
unsigned share_unanswered(const struct share_requests *r);

#endif
