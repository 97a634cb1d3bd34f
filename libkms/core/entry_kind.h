/*
 * entry_kind.h - the kinds of entries, and the head that begins an entry of each kind.
 *
 *   0  1  version, 2
 *   1  1  kind
 *   2  2  flags
 *   4  4  status (enum kms_status)
 *   8  8  time, seconds since 1970 UTC
 */
#ifndef KMS_LIBKMS_CORE_ENTRY_KIND_H
#define KMS_LIBKMS_CORE_ENTRY_KIND_H

#include <stdbool.h>

#include "libkms/core/message.h"

#define ENTRY_VERSION 2
#define ENTRY_HEAD 16
#define ENTRY_SEQUENCE_MAX MESSAGE_SEQUENCE_MAX

enum entry_kind {
	ENTRY_LEASE = 1,        /* activated: this entry is the lease */
	ENTRY_SEEN = 2,         /* counted, below the threshold */
	ENTRY_RELEASE = 3,      /* seat given back */
	ENTRY_REFUSAL = 4,      /* refused: status says why; not counted */
	ENTRY_START = 16,       /* activation process started; text: version */
	ENTRY_KEY = 17,         /* host key installed; subject: host key id */
	ENTRY_CERTIFICATE = 18, /* host confirmed; blob: the certificate */
	ENTRY_POLICY = 19,      /* pack installed; text: name and version */
	ENTRY_KEY_REMOVE = 22,
	/* another host's answer passed through the relay; entry_relayed */
	ENTRY_RELAYED = 24,
	ENTRY_ROTATION = 25,    /* new publisher key announced; blob: the statement */
	ENTRY_REVOCATIONS = 26, /* revocation list installed; subject: publisher */
	/* what that host's own log says about a client; entry_relayed_name */
	ENTRY_RELAYED_NAME = 27,
	ENTRY_WITNESS = 28,  /* a client knows a header of ours that the chain lacks */
	ENTRY_RESTORED = 29, /* the ledger went back */
	ENTRY_CLOCK = 30,    /* the clock went back */
	/* about a client, by the host: entry_about.h */
	ENTRY_REVOKE = 32,
	ENTRY_UNREVOKE = 33,
	ENTRY_FORGET = 34,
	ENTRY_RECLAIM = 35, /* its seat goes to another client */
	ENTRY_HOLD = 36,    /* nobody writes it yet */
	ENTRY_ERASE = 37,
	ENTRY_EXPIRE = 38,
	ENTRY_COUNTERS = 40, /* refusals since the last one; entry_counters.h */
	ENTRY_BASE = 41,     /* restates batches that are dropped; entry_base.h */
	/* of a host that counts together with others: entry_share.h */
	ENTRY_SHARE = 48, /* it does so from now on */
	ENTRY_HEARD = 49, /* how far it heard the others */
	ENTRY_GIVE = 50,  /* rights of its own go to another */
	ENTRY_ALONE = 51, /* it counts as cut off from the others, or no longer */
	ENTRY_HELD = 52,  /* rights that it may have used, and lost what it wrote of them */
};

static inline bool
entry_kind_is_client(int kind)
{
	return kind > 0 && kind < 16;
}
static inline bool
entry_kind_is_about(int kind)
{
	return kind >= ENTRY_REVOKE && kind <= ENTRY_EXPIRE;
}
static inline bool
entry_kind_is_share(int kind)
{
	return kind >= ENTRY_SHARE && kind <= ENTRY_HELD;
}

#endif
