/*
 * kms_error.h - every number that kmsd, libkms and kmsctl return.
 *
 * One list, one table (error.c). A function returns KMS_OK or one of these.
 * Numbers below KMS_E_LOCAL are sent on the wire, as the 32-bit status of a
 * reply or an error frame; the others never leave their process.
 * Numbers are never reused: a retired one stays here as a comment.
 */
#ifndef KMS_ERROR_H
#define KMS_ERROR_H

#include <stdint.h>

enum kms_status {
	KMS_OK = 0,

	/* On the wire: what a host answers. */
	KMS_E_COUNT_TOO_LOW = 1,   /* recorded; too few clients counted so far */
	KMS_E_NOT_ENABLED = 2,     /* no host key of this publisher installed */
	KMS_E_NOT_CONFIRMED = 3,   /* host key installed, not yet confirmed */
	KMS_E_NOT_COVERED = 4,     /* host key's group does not cover the product */
	KMS_E_UNKNOWN_PRODUCT = 5, /* no installed pack names the product */
	KMS_E_KEY_INVALID = 6,     /* host key damaged or not the publisher's */
	KMS_E_KEY_EXPIRED = 7,     /* host certificate expired or not yet valid */
	KMS_E_VM_REFUSED = 8,      /* policy refuses virtual machines */
	KMS_E_TIME_SKEW = 9,       /* clocks differ by more than 4 h */
	KMS_E_CAPACITY = 10,       /* as many clients counted as were bought */
	KMS_E_CLONE = 11,          /* two machines share one client key */
	KMS_E_SEQUENCE = 12,       /* sequence number already used: catch up */
	KMS_E_REVOKED = 13,        /* the administrator revoked this client */
	KMS_E_OVERLOAD = 14,       /* too busy: retry after the time given */
	KMS_E_LEDGER = 15,         /* ledger cannot be written: retry later */
	KMS_E_UNKNOWN_HOST = 16,   /* sealed or confirmed for another host */
	KMS_E_BAD_VERSION = 17,    /* protocol version not supported */
	KMS_E_BAD_FRAME = 18,      /* magic, type, flags or length wrong */
	KMS_E_BAD_SEAL = 19,       /* authentication tag does not verify */
	KMS_E_BAD_REQUEST = 20,    /* decrypted request malformed */
	KMS_E_UNKNOWN_CLIENT = 21, /* release of an unknown client */
	KMS_E_TOO_LARGE = 22,      /* longer than the limit */
	KMS_E_LOCKED = 23,         /* host waits for its passphrase: retry */
	KMS_E_UNKNOWN_KEY = 24,    /* sealed for an exchange key the host no longer has */
	KMS_E_TOO_SOON = 25,       /* renewed a moment ago: ask again after the time given */
	KMS_E_BINDING = 26,        /* machine's id missing, or another than before */
	KMS_E_NOT_OFFERED = 27,    /* an operation, flag or option the host does not offer */
	KMS_E_CLASS_FULL = 28,     /* limit of the client's class reached */
	KMS_E_RECLAIMED = 29,      /* seat taken back while the client was away */
	KMS_E_DOWNGRADE = 30,      /* both sides speak a newer protocol: HELLO, and again */
	KMS_E_ALONE = 31,          /* host cut off from its share, no seats left to give */
	KMS_E_STATELESS = 32,      /* the pool does not accept clients without state */
	KMS_E_BORROW = 33,         /* the pool lends no seats, or not for that long */
	KMS_E_BORROWED_OUT = 34,   /* all seats that the pool may lend are lent */

	/* Local: never on the wire. */
	KMS_E_LOCAL = 256,
	KMS_E_NO_HOST = 257, /* no KMS host found or reachable */
	KMS_E_TIMEOUT = 258, /* no answer */
	KMS_E_IO = 259,      /* errno says more */
	KMS_E_NO_MEMORY = 260,
	KMS_E_TRUNCATED = 261, /* input ends too early */
	KMS_E_TRAILING = 262,  /* bytes left over after the last field */
	KMS_E_FORMAT = 263,    /* a field has an invalid value */
	KMS_E_ARGUMENT = 264,  /* caller's mistake */
	KMS_E_STATE = 265,     /* client state file damaged */
	KMS_E_SIGNATURE = 266, /* signature does not verify */
	KMS_E_PUBLISHER = 267, /* signer is not a publisher trusted here */
	KMS_E_PROOF = 268,     /* inclusion proof does not lead to the root */
	KMS_E_LEASE_EXPIRED = 269,
	KMS_E_LEASE_OTHER = 270, /* lease of another client or product */
	KMS_E_CLOCK_BACK = 271,  /* clock behind the latest time seen */
	KMS_E_NO_LEASE = 272,    /* nothing to verify: never activated */
	KMS_E_CHAIN = 273,       /* journal: batch chain broken */
	KMS_E_TORN = 274,        /* journal: last batch only partly written */
	KMS_E_ALTERED = 275,     /* journal: bytes changed after writing */
	KMS_E_MISSING = 276,     /* journal: a segment is missing */
	KMS_E_FULL = 277,        /* no space left on the device */
	KMS_E_SCHEMA = 278,      /* written by another version */
	KMS_E_NOT_FOUND = 279,
	KMS_E_EXISTS = 280,       /* or in use */
	KMS_E_CONFIG = 281,       /* ini file: see the message */
	KMS_E_PREREQUISITE = 282, /* pack needs another pack or a newer kmsd first */
	KMS_E_OLDER = 283,        /* file older than the installed one */
	KMS_E_DENIED = 284,       /* peer or file permission */
	KMS_E_PEER = 285,         /* peer process broke the IPC protocol */
	KMS_E_SANDBOX = 286,      /* a layer of the sandbox cannot be applied */
	KMS_E_NOT_RUNNING = 287,  /* kmsd does not answer on its socket */
	KMS_E_LIMIT = 288,        /* no confirmations or hosts left */
	KMS_E_PASSPHRASE = 289,   /* wrong passphrase for a secret key */
	KMS_E_HISTORY = 290,      /* lease valid, but the host's record went back */
	KMS_E_NOT_PROVED = 291,   /* audit file does not prove its beginning or end */
	KMS_E_PINNED = 292,       /* host of another customer or host key than the product wants */
	KMS_E_INDEX = 293,        /* the ledger's index does not match its journal */
	KMS_E_PENDING = 294,      /* a host was asked and has not answered yet */
};

#ifdef __cplusplus
extern "C" {
#endif

/* What a client does after an answer with this status. */
enum kms_next {
	KMS_NEXT_FINAL, /* ask again at the usual time; no other host would answer otherwise */
	KMS_NEXT_HOST,  /* ask the next host; without one, later */
	KMS_NEXT_SAME,  /* ask the same host once more, at once; after that, the next one */
	KMS_NEXT_LATER, /* ask again after the time told, else after the activation interval */
};

/* One row of the table. All strings are static. */
struct kms_error {
	enum kms_status status;
	const char *symbol;  /* "KMS_E_COUNT_TOO_LOW" */
	uint32_t microsoft;  /* documented code of the same meaning, or 0 */
	const char *meaning; /* one clause, no full stop */
	const char *remedy;  /* for an administrator: what to do next, one sentence */
	enum kms_next next;
	const char *user;      /* for a person who uses the product: one clause, no full stop */
	const char *user_next; /* what that person does next, one sentence */
};

/* The row for status; never NULL: unknown numbers share a row that says so. */
const struct kms_error *kms_error_find(uint32_t status);

/* All rows in order; *count is set to how many. */
const struct kms_error *kms_error_table(unsigned *count);

/* Shorthand for kms_error_find(status)->meaning. */
const char *kms_strerror(uint32_t status);

#ifdef __cplusplus
}
#endif

#endif
