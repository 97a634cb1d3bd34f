/*
 * control.h - kmsctl to kmsd-activate, over a Unix stream socket that the
 * supervisor binds (runtime directory, control.sock). Authorised by SO_PEERCRED: uid 0, the uid
 * of the activation process, the uid that started kmsd, or a member of the control group.
 * kmsd-web asks in the same way over a channel of its own (kmsd/activate/web_peer.h).
 *
 * Request:  u32 length of what follows, u16 verb, then arguments.
 * Reply:    u32 length of what follows, u32 status, then rows.
 * Arguments and rows are fields: u8 type, u8 name length, u32 value length, name,
 * value. Type: 's' text, 'u' u64 (8 bytes), 'b' bytes, 'r' a new row begins (its value names
 * the row's kind, name length 0). On failure the rows hold one row "error" with a field
 * "message". One request a connection; the host closes after its reply. At most CONTROL_MAX
 * bytes each way.
 *
 * Names of the fields. s text, u number (times: seconds since 1970, intervals: minutes, sizes:
 * bytes, booleans 0/1); UUIDs are s in the usual form, other identifiers (CMID, host id,
 * publisher id, hashes) s in lower-case hexadecimal. kmsctl shows what it gets: a field may be
 * missing, and an unknown field is shown under its name.
 *
 *	service       s version, u pid, u started, s host-name, s host-id, u port, u
 *	              fronts
 *	sandbox       s process, s layers, s missing, u required (names as confine_names
 *	              gives them)
 *	ledger        u clients, u first-batch (1: the journal is whole), u last-batch,
 *	              u index-batch, u overlay, u segments, u journal-octets, u
 *	              index-octets, u map-octets, u checkpoints, u schema, s last-hash,
 *	              u witnesses-contradiction, u witnesses-unexplained, u
 *	              witnesses-note, u witness-last (time of the last one above a
 *	              note), u restores, u restored (time of the last), u restored-to
 *	              (batch), u restored-cause, u clock-back (time when it last went
 *	              back)
 *	publisher     s name, s id, u installed, u confirmed, s key, s customer, s
 *	              group, u not-before, u not-after, u capacity, u revocations
 *	              (number of the list installed), s revoked (why this host may no
 *	              longer activate)
 *	pool          s publisher, u number, s name, u counted, u capacity, u
 *	              window-minutes, u borrowed, u over (counted beyond the capacity),
 *	              u overdraft (seats that may be beyond it; in policy show percent),
 *	              s stateless, u longest-unseen (minutes), u borrow (minutes), u
 *	              borrow-seats
 *	product       s publisher, s id, s name, s group, s pool, u counted, u required,
 *	              u covered (status)
 *	front         u number, u open, u accepted, u closed, u requests, u replies, u
 *	              refused-frames, u timeouts, u refused-connections
 *	key           s id, s publisher, s customer, s group, u issued, u not-before, u
 *	              not-after, u capacity, u hosts, u confirmations, u confirmed, u
 *	              confirmation, u serial, s host-id, s license (licensed,
 *	              unconfirmed, not-yet-valid, expired), s installation-id, u
 *	              confirmed-at, u products
 *	request       s key, s publisher, s text, s installation-id
 *	pack          s publisher, s id, s title, s version, u issued
 *	product       s publisher, s id, s name, s group, s pool, u threshold, u
 *	              activation-interval, u renewal-interval, u validity, u grace, s
 *	              vm, s clones, u clone-hold (minutes), s bind, s bind-change
 *	              (policy show)
 *	group         s publisher, s name, s covers (blank-separated names)
 *	contact       s publisher, s country, s text
 *	client        s cmid, s product, s product-name, s publisher, u pool, u class, s
 *	              class-name, u counted, s name, s user, s address, u first-seen, u
 *	              last-clone (time), u caught-up (time), u held-until, u bound, u
 *	              bound-other, s state, u status, u last-seen, u expires, u
 *	              counts-until, u sequence, u batch, u leaf, u revoked, u vm, u
 *	              borrowed-until (time), u overdraft, u stateless
 *	sealed        s kind (after CONTROL_KEY_SEAL; in row service: key-sealed, with u
 *	              locked)
 *	installed     s publisher, s what (after an installation or a confirmation, in
 *	              words)
 *	removed       s publisher, s what, u confirmed (was this host confirmed by the
 *	              key?)
 *	relay         u configured, s upstream, s domain, u answered, u faults, u lost,
 *	              u late, u no-host, u refused, u dropped, u unwritten
 *	relay-host    s name, s address, u port, u answered ... u refused, u
 *	              latency-mean, u latency-most (microseconds), u last
 *	relay-version u major, u minor, u requests
 *	usage         s publisher (zeros: of no publisher), u pool, u day (time at which
 *	              it begins), u status; with status 0: u peak, u end, u first, u
 *	              renewals, u releases, u clients (kmsdb/usage.h); else u refusals
 *
 *	share         u configured, and only if it is 1: s name, s host-id, s host-name, s
 *	              state (waiting, joining, together, alone, stopped), u since (time),
 *	              u serves, u new-seats, u by-administrator (it is alone on a word of
 *	              one), u link (etcd answers), s cluster (hexadecimal, 0: not heard),
 *	              s place (of its batches in etcd: not-compared, free, same, ahead,
 *	              other, junk), s alone (serve, renew, refuse), u alone-for (minutes),
 *	              u time (now), u last-batch, u stored (batch), u waiting (answers), u
 *	              clocks-apart, u first (it has the first rights)
 *	share-member  s host-id, s state (followed, not-heard, other-share,
 *	              no-certificate, other-customer, went-back, forked, ledger), u member
 *	              (its chain is in this ledger), u heard-here (batch); if it was
 *	              heard: s name, s share, u time (its clock), u age (seconds since its
 *	              last beat), u head (batch), u heard-there (batch of this host)
 *	share-rights  s publisher (name), u pool, s pool-name, u left, u first, u received,
 *	              u given, u bound, u held
 *
 *	error         s message
 *
 * state of a client: activated, expired, below-threshold, released, ended (by the host), revoked,
 * refused, not-seen.
 */
#ifndef KMSD_IPC_CONTROL_H
#define KMSD_IPC_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/base/wire.h"

#define CONTROL_MAX (1024 * 1024)
#define CONTROL_PAGE_REQUEST_MAX 4096 /* bytes of a whole request of kmsd-web */
#define CONTROL_CLIENTS 500           /* in an answer to CONTROL_CLIENT_LIST */
#define CONTROL_USAGE_ROWS 1000
#define CONTROL_USAGE_CURSOR 16

enum control_verb {
	/* rows: service, sandbox (one each process), ledger, publisher, pool, product, front */
	CONTROL_STATUS = 1,
	CONTROL_CHECKPOINT = 2,  /* overlay into LMDB, so that a reader sees all */
	CONTROL_KEY_INSTALL = 3, /* b file, b signature */
	CONTROL_KEY_SHOW = 4,    /* rows: key */
	/*
	 * s key (UUID; optional when there is one): row request: s text, s installation-id;
	 * rows: contact
	 */
	CONTROL_KEY_REQUEST = 5,
	/* b file, b signature; or b code, the bytes of policy/code.h */
	CONTROL_KEY_CONFIRM = 6,
	CONTROL_POLICY_INSTALL = 7,   /* b file, b signature */
	CONTROL_POLICY_SHOW = 8,      /* rows: pack, product, group, pool */
	CONTROL_CLIENT_SHOW = 9,      /* s cmid: row client (from the overlay: newest) */
	CONTROL_CLIENT_REVOKE = 10,   /* s cmid */
	CONTROL_CLIENT_FORGET = 11,   /* s cmid: row client, u revoked: it still is */
	CONTROL_CLIENT_UNREVOKE = 13, /* s cmid */
	CONTROL_CLIENT_ERASE = 14,    /* s cmid: its names up to now, here and in the journal */
	/*
	 * For a user who may not read the ledger's files. b from (16; optional): rows stored: b
	 * client (kmsdb_client_encode), in the order of their CMIDs, CONTROL_CLIENTS of them unless
	 * these are the last.
	 */
	CONTROL_CLIENT_LIST = 15,
	/*
	 * u from (batch; 0: the first that is wanted), u octets (with from 0: how much of the
	 * newest journal, at least): rows entry: b entry, b aside (optional), u batch; rows ended,
	 * of what ended a seat: the same; row page:
	 * u from, u from-time, u to, u next (0: that was the end), u whole (with from 0: the whole
	 * journal)
	 */
	CONTROL_JOURNAL = 16,
	/*
	 * u from, u to (times; optional), b after (16; optional: where a page ended): rows usage,
	 * by publisher, pool, day and status, of CONTROL_USAGE_ROWS rows that are looked at; row
	 * page: b next (16; missing: that was the end)
	 */
	CONTROL_USAGE = 17,
	CONTROL_REVOCATIONS_INSTALL = 50, /* b file, b signature */
	CONTROL_PUBLISHER_ROTATE = 51,    /* b file, b signature */
	/* s key (UUID): row removed: s publisher, s what, u confirmed */
	CONTROL_KEY_REMOVE = 12,
	/*
	 * s kind ("no", "passphrase", "machine"), b passphrase (the new one), b current (when
	 * sealed with one)
	 */
	CONTROL_KEY_SEAL = 40,
	CONTROL_UNLOCK = 41, /* b passphrase; the only change that a locked host accepts */
	/* b source (16), b cmid (16), s name, u count, u told: of one observed source */
	CONTROL_RELAY_NAME = 21,
	CONTROL_RELAY_STATUS = 20, /* rows: relay, relay-host, relay-version */
	/* rows: share, share-member (one each other host), share-rights (one each pool) */
	CONTROL_SHARE_STATUS = 70,
	/*
	 * s reason (1 to 100 bytes): a host that waits for the others goes on without them, with
	 * the reason in the journal. KMS_E_EXISTS: it does not wait
	 */
	CONTROL_SHARE_ALONE = 71,
	/*
	 * Once in the life of a share, at its first host: it has all rights that its certificates
	 * say, and gives of them to the others. KMS_E_EXISTS: a host has them; KMS_E_LEDGER: this
	 * host is not together with the others
	 */
	CONTROL_SHARE_FIRST = 72,
	/*
	 * Since the start, rows: answers (s status, u refusal, u count, s meaning,
	 * s remedy), commits (u count, u
	 * microseconds), commits-within (u microseconds, u count: of those that took no longer)
	 */
	CONTROL_METRICS = 60,
	/* for `kmsctl web login`: row login: s token, u seconds (how long it is good, once) */
	CONTROL_WEB_LOGIN = 62,
	CONTROL_WEB_SESSION = 63, /* s token: row session: s session, u seconds */
	/*
	 * s session, s pattern (optional), s from (a CMID; optional): rows client, as of the last
	 * checkpoint; row page: u looked, s next (from where to go on; absent at the end)
	 */
	CONTROL_CLIENT_FIND = 64,
	CONTROL_WEB_LOGOUT = 65, /* all of them; row logout: u sessions (how many there were) */
	CONTROL_WEB_READY = 61,  /* kmsd-web alone, first: u layers (confine.h) */
};

/* Building: fields append to a growing buffer; the first error sticks. */
struct control_buf {
	uint8_t *data; /* malloc'd; control_buf_free */
	size_t len, cap;
	bool bad; /* memory or CONTROL_MAX */
};
void control_buf_free(struct control_buf *b);
void control_row(struct control_buf *b, const char *kind);
void control_text(struct control_buf *b, const char *name, const char *value);
void control_textf(struct control_buf *b, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void control_number(struct control_buf *b, const char *name, uint64_t value);
void control_octets(struct control_buf *b, const char *name, const void *value, size_t len);

/* Reading: a cursor over fields. */
struct control_field {
	char type;
	const char *name; /* borrowed, not terminated */
	uint8_t name_len;
	const uint8_t *value; /* borrowed */
	uint32_t value_len;
	uint64_t number; /* for 'u' */
};
/* false: the end, or r->bad: the field at r->at is malformed. */
bool control_next(struct wire_reader *r, struct control_field *f);
bool control_field_is(const struct control_field *f, char type, const char *name);

/*
 * The host's side. Does data contain a complete request? 1: verb and args are set; 0: not yet; -1:
 * malformed (too long, or bytes follow it).
 */
#define CONTROL_REQUEST_HEADER 6
#define CONTROL_REPLY_HEADER 8
int control_request_parse(const void *data, size_t len, uint16_t *verb, struct wire_reader *args);
/* The header for len bytes of rows; false when they are too many for one reply. */
bool control_reply_header(uint8_t out[CONTROL_REPLY_HEADER], uint32_t status, size_t len);

/*
 * The same of the side that asks. The header for len bytes of arguments, of a struct control_buf
 * that is not bad; and, as control_request_parse: 1: status and rows are set.
 */
void control_request_header(uint8_t out[CONTROL_REQUEST_HEADER], uint16_t verb, size_t len);
int control_reply_parse(const void *data, size_t len, uint32_t *status, struct wire_reader *rows);

/*
 * kmsctl's side: connect, send, wait at most timeout_ms. *reply is malloc'd, the fields only;
 * *status the host's. KMS_OK, KMS_E_NOT_RUNNING, KMS_E_DENIED, KMS_E_TIMEOUT, KMS_E_IO (errno
 * says more), KMS_E_PEER (closed without a reply), KMS_E_TRUNCATED, KMS_E_TRAILING,
 * KMS_E_TOO_LARGE, KMS_E_FORMAT, KMS_E_ARGUMENT (path too long), KMS_E_NO_MEMORY. The fields
 * are the caller's to read and check.
 */
int control_call(const char *path, uint16_t verb, const struct control_buf *args, int timeout_ms,
    uint32_t *status, uint8_t **reply, size_t *reply_len);

#endif
