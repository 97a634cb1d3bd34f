/*
 * kms.h - libkms, what a product links to activate itself against a KMS host.
 *
 * A product compiles in its publisher's public key and its product UUID, opens
 * its client state file, and asks. libkms checks offline what can be checked offline: a
 * lease is valid because the publisher signed it, not because a server
 * answered. An outage never turns a valid lease into an invalid one.
 *
 *	struct kms_options o = { .size = sizeof(o) };  // the rest is zero: the safe choices
 *	o.publisher_key = "RWQ...";                    // minisign public key
 *	o.product = "9f3c...-....";                    // UUID
 *	o.state_file = "/var/lib/product/kms.state";
 *	struct kms_client *c;
 *	if (kms_open(&c, &o) == KMS_OK) {
 *		kms_activate(c, NULL);
 *		struct kms_status_info s = { .size = sizeof(s) };
 *		kms_status(c, &s);
 *		printf("%s. %s\n", kms_text_licence(s.licence, NULL),
 *		    kms_text_licence_next(s.licence, NULL));
 *		kms_close(c);
 *	}
 *
 * A whole product is in the folder of examples that is installed with this header; kms(3) says
 * where.
 *
 * Units: times are seconds since 1970 UTC, intervals minutes, time-outs
 * milliseconds. Functions return KMS_OK or a KMS_E_* of kms_error.h. Objects are
 * the caller's from _open to _close; strings in results are valid until the next call on the
 * same object. Use one object in one thread at a time. libkms has no signal handlers, no
 * threads and no global state. Structs begin with .size so that they can grow.
 */
#ifndef KMS_H
#define KMS_H

#include <kms_error.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KMS_PORT 1688
#define KMS_NO_GRACE 0xffffffffu

struct kms_client;

/*
 * kms_options.virtual_machine. With 0, the library finds out, so that a pack's rule for virtual
 * machines applies without a line in the product. -1, which older products use, does the same. Only
 * a product that knows better than the library sets one of the other two.
 */
enum kms_vm {
	KMS_VM_DETECT = 0,
	KMS_VM_YES = 1,
	KMS_VM_NO = 2, /* it was 0 before KMS_VM_DETECT existed */
};

struct kms_options {
	size_t size;               /* sizeof(struct kms_options) */
	const char *publisher_key; /* "RW...", required */
	const char *product;       /* UUID text, required */
	/* mode 0644; its secret is beside it in .key. NULL: a client without state, see kms_open */
	const char *state_file;
	/*
	 * host: "name", "name:port", "[v6]:port"; NULL: DNS SRV, in domain; domain NULL: in the
	 * resolver's search domains. Both NULL: the environment's KMS_HOST or else KMS_DOMAIN
	 * counts.
	 */
	const char *host;
	const char *domain;
	const char *nameserver; /* "address[:port]"; NULL: the system's */
	/* this machine's name as the host records it; NULL: gethostname */
	const char *name;
	int virtual_machine; /* enum kms_vm */
	/* grace from first use; KMS_NO_GRACE: none; 0: 30 days, without a state file none */
	uint32_t grace_minutes;
	uint32_t connect_timeout;   /* for each host; 0: 5000 */
	uint32_t reply_timeout;     /* for each exchange; 0: 10000 */
	uint32_t total_timeout;     /* for a whole call, all hosts; 0: 30000 */
	uint64_t (*now)(void *arg); /* clock, for tests; NULL: time(2) */
	void *now_arg;
	/* the caller's: which option is wrong, or why else kms_open failed; NULL: not wanted */
	char *detail;
	size_t detail_size; /* bytes */
	/*
	 * Pins: libkms refuses leases of any other host, also stored ones (KMS_E_PINNED).
	 * NULL: any host that the publisher certified is accepted.
	 */
	const char *customer; /* as the host's certificate writes it, at most 64 bytes */
	const char *host_key; /* UUID text of the KMS host key that the host was confirmed for */
	/* who uses the product; the host may record it; at most 64 bytes; NULL: not sent */
	const char *user;
	uint32_t close_timeout; /* for the release of kms_close; 0: 2000 */
};

/* What a product asks: may I run, and what should I tell my user? */
enum kms_licence {
	KMS_UNLICENSED = 0, /* never activated and grace is over */
	KMS_GRACE = 1,      /* never activated, grace left */
	KMS_ACTIVATED = 2,
	KMS_RENEWAL_DUE = 3, /* activated; time to call kms_renew */
	KMS_EXPIRED = 4,     /* the lease has expired */
	KMS_CLOCK_BACK = 5,  /* the clock is behind the latest time seen */
};

struct kms_status_info {
	size_t size;
	enum kms_licence licence;
	uint64_t expires;     /* 0 without a lease */
	uint64_t renew_after; /* 0 without a lease */
	/* when a scheduler should call kms_activate or kms_renew next */
	uint64_t next_attempt;
	uint32_t grace_left;      /* minutes */
	uint32_t count, required; /* as the host last said */
	uint32_t last_status;     /* of the last exchange */
	uint64_t last_exchange;   /* 0: never */
	uint8_t cmid[16];
	char host[256]; /* the host that answered last; "": none yet */
	/* 0, or KMS_E_HISTORY while there is evidence (kms_evidence); this is not a failure */
	uint32_t warning;
	/* customer of the host that signed the stored lease, and key group; "" without a lease */
	char customer[65], group[33];
	uint32_t borrowed; /* 1: the stored lease is for a borrowed seat, until expires; else 0 */
};

/* What happened during a call. */
struct kms_result {
	size_t size;
	uint32_t status; /* the host's status, or why no host answered */
	uint32_t count, required;
	uint32_t retry_after; /* seconds, 0: not told */
	char host[256];       /* "address port N" of the host that answered or was tried last */
	char detail[256];     /* one line for a log */
	/* 0, or KMS_E_HISTORY: the host's record went back, but the lease is valid */
	uint32_t warning;
};

/*
 * KMS_OK, KMS_E_ARGUMENT, KMS_E_FORMAT (key or UUID), KMS_E_STATE, KMS_E_SCHEMA (state file of
 * another version), KMS_E_DENIED, KMS_E_FULL, KMS_E_IO, KMS_E_EXISTS (another process has been
 * making the state file for two seconds), KMS_E_NO_MEMORY. Needs no lock and no secret: several
 * processes may have one state file open.
 *
 * Without a state file, each object is a separate client, with a new key pair that is only in
 * memory: for containers, CI jobs, and seats that a process has for as long as it runs.
 * Only the client's seat outlives the object, unless kms_close gives the seat back.
 */
int kms_open(struct kms_client **out, const struct kms_options *options);
/*
 * Wipes and frees. A client without state that has a seat, or may have one, gives it back first;
 * this takes at most close_timeout. After a crash, the host counts the seat until the pool's
 * window is over. With a state file, kms_close asks no host.
 */
void kms_close(struct kms_client *c);

/*
 * Ask the host. The state is on disk before anything is sent and after every answer. result may
 * be NULL. KMS_OK: activated (released). KMS_E_COUNT_TOO_LOW: counted, ask again after the
 * activation interval. KMS_E_EXISTS: another process is asking with this state file; this says
 * nothing about the licence: ask again in a moment. KMS_E_STATE: the secret file is missing or
 * damaged. Any other host status, or KMS_E_NO_HOST, KMS_E_TIMEOUT, ... A lease that was valid
 * before stays valid after any failure.
 */
int kms_activate(struct kms_client *c, struct kms_result *result);
int kms_renew(struct kms_client *c, struct kms_result *result);
int kms_release(struct kms_client *c, struct kms_result *result);

/*
 * As kms_activate, but the lease lasts this many minutes without a host: a laptop takes its seat
 * on a journey. The seat counts until the lease ends or kms_release gives it back; kms_renew keeps
 * the end, and another kms_borrow moves it. The publisher's pack limits the time and the number of
 * such seats: KMS_E_BORROW (not for that long, the pool lends none, or the client has no state),
 * KMS_E_BORROWED_OUT (all are lent). After either, the client still has the seat and the lease
 * that it had before. minutes: not 0.
 */
int kms_borrow(struct kms_client *c, uint32_t minutes, struct kms_result *result);

/*
 * The same without blocking, for a product with a loop of its own: kms_start begins, and kms_poll
 * goes on as far as it can without waiting for the network, whenever kms_fd can be read. The calls
 * above are a loop over the same steps, with the same limits of time.
 *
 *	struct pollfd p = { kms_fd(c), POLLIN, 0 };
 *	int e = kms_start(c, KMS_ACTIVATE);
 *	while (e == KMS_OK && poll(&p, 1, -1) >= 0 && (e = kms_poll(c, &r)) == KMS_E_PENDING)
 *		;
 *
 * Meanwhile, kms_status and all functions that ask no host may be called; kms_activate, kms_renew
 * and kms_release return KMS_E_EXISTS. kms_poll writes the state file, and waits for the disk.
 */
enum kms_operation {
	KMS_ACTIVATE = 1,
	KMS_RENEW = 2,
	KMS_RELEASE = 3,
};
/* Asks no host yet. KMS_OK, KMS_E_EXISTS (already started), KMS_E_ARGUMENT, KMS_E_NO_MEMORY. */
int kms_start(struct kms_client *c, enum kms_operation operation);
/* The same for kms_borrow. */
int kms_start_borrow(struct kms_client *c, uint32_t minutes);
/*
 * KMS_E_PENDING: call again. Any other value ends the operation, and is what kms_activate and the
 * others return; only then is result, which may be NULL, filled in. KMS_E_ARGUMENT: nothing was
 * started. An early call does no harm; a late call may find that the time-out has passed.
 */
int kms_poll(struct kms_client *c, struct kms_result *result);
/*
 * One descriptor for all requests of this object, to be watched for reading with poll(2), epoll(7),
 * libevent, ...: it cannot be read while no request runs. The object owns it, from the first call
 * to kms_close: do not read or close it. -1: no memory or no descriptors left, see errno.
 */
int kms_fd(struct kms_client *c);
/* Gives up what kms_start began, as if no host had answered. Without a request: does nothing. */
void kms_cancel(struct kms_client *c);
/*
 * When to ask next, in milliseconds from now, for poll(2). 0: now. At most a day, because the clock
 * may be set meanwhile: then call this again. It is next_attempt of kms_status as a time to wait.
 * operation, which may be NULL: what to ask then: KMS_RENEW with a valid lease, else KMS_ACTIVATE.
 * -1: a request is started, wait for kms_fd instead. Offline, as kms_status.
 */
int kms_next(struct kms_client *c, enum kms_operation *operation);

/*
 * Offline: no network, no secret, no lock: many processes may ask at once. Both remember the latest
 * time seen if this user may write the state file and there is room on the disk.
 */
int kms_status(struct kms_client *c, struct kms_status_info *info);
/*
 * Offline: KMS_OK, or why the stored lease is not valid: KMS_E_NO_LEASE, KMS_E_LEASE_EXPIRED,
 * KMS_E_SIGNATURE, ...
 */
int kms_verify(struct kms_client *c);
/*
 * Offline: what the customer bought, from the certificate that the stored lease was verified with.
 * *size in: room, out: bytes of the value with its final zero. KMS_E_NOT_FOUND: no such key;
 * KMS_E_TOO_LARGE with the size needed; else as kms_verify. An expired lease still has the value.
 */
int kms_entitlement(struct kms_client *c, const char *key, char *value, size_t *size);

/*
 * The stored lease as a lease file for others to verify. *size in: room, out: bytes.
 * KMS_E_TOO_LARGE with the size needed.
 */
int kms_lease_export(struct kms_client *c, void *out, size_t *size);
/* The same without the names beside the lease, which no proof needs. */
int kms_lease_export_unnamed(struct kms_client *c, void *out, size_t *size);

struct kms_lease_info {
	size_t size;
	uint8_t cmid[16], product[16], host_id[16];
	uint64_t issued, expires, renew_after, batch;
	uint32_t index;
	char name[65], customer[65], group[33];
	char user[65];
	uint32_t names; /* enum kms_names: of name and user */
	uint8_t host_key[16];
	uint8_t header_hash[32]; /* SHA-256 of the header of that batch */
};
/* The names beside a lease prove nothing: libkms compares them with the signed hashes. */
enum kms_names {
	KMS_NAMES_NONE = 0,   /* erased, or left out: name and user are empty */
	KMS_NAMES_MATCH = 1,  /* those that the host signed */
	KMS_NAMES_DIFFER = 2, /* other names; the lease itself is still proved */
};
/*
 * Anybody with the publisher's public key: verify a lease file at time now (0: do not look at
 * expiry). info may be NULL.
 */
int kms_lease_verify(const void *file, size_t size, const char *publisher_key, uint64_t now,
    struct kms_lease_info *info);

/*
 * Two batch headers that one host signed, in the order in which the client saw them. They do not
 * fit together: the host's record was set back, or there are two copies of it.
 */
enum kms_evidence_kind {
	KMS_CONTRADICTION = 1, /* one number, two headers: no honest record has both */
	KMS_WENT_BACK = 2,     /* the second has a lower number: also after an honest restore */
};
struct kms_evidence_info {
	size_t size;
	uint8_t host_id[16];
	uint32_t kind; /* enum kms_evidence_kind */
	/* 1: both verify. 0: the client no longer has the certificate; the next two are zeros */
	uint32_t verified;
	uint8_t signing_key[32]; /* Ed25519, which both signatures verify with */
	char customer[65];       /* the host's customer, from its certificate */
	uint64_t number[2], time[2];
	uint8_t hash[2][32]; /* SHA-256 of the header */
	uint8_t header[2][108], signature[2][64];
};
/*
 * Offline, no secret: the evidence that this client keeps, index from 0, one for each host.
 * KMS_E_NOT_FOUND: no more; KMS_E_SIGNATURE, KMS_E_FORMAT: the state file was changed.
 */
int kms_evidence(struct kms_client *c, unsigned index, struct kms_evidence_info *info);
/*
 * The same as a file that anybody can verify. *size as in kms_lease_export. KMS_E_NOT_FOUND
 * also: verified is 0; the client gets the certificate again when it asks this host.
 */
int kms_evidence_export(struct kms_client *c, unsigned index, void *out, size_t *size);
/* Anybody with the publisher's public key: verify an evidence file. info may be NULL. */
int kms_evidence_verify(
    const void *file, size_t size, const char *publisher_key, struct kms_evidence_info *info);

/*
 * Hosts in the order they would be tried, one "name port" a line. Without a network:
 * KMS_E_NO_HOST.
 */
int kms_discover(struct kms_client *c, char *out, size_t size);

const char *kms_version(void);

/*
 * Texts for the person who uses the product, in UTF-8: what the state is (a clause without a full
 * stop, to follow a colon) and what to do next (a sentence). kms_text_status is for a KMS_E_*,
 * kms_text_licence for the licence of kms_status; kms_strerror and .detail are for administrators
 * and logs. Never NULL, and static.
 *
 * language: "en" or "de", or a locale ("de_AT.UTF-8"); NULL: the program's locale for
 * messages, as setlocale(3) set it. English for any other: kms(3) says how to add one.
 */
const char *kms_text_status(uint32_t status, const char *language);
const char *kms_text_status_next(uint32_t status, const char *language);
const char *kms_text_licence(enum kms_licence licence, const char *language);
const char *kms_text_licence_next(enum kms_licence licence, const char *language);

#ifdef __cplusplus
}
#endif

#endif
