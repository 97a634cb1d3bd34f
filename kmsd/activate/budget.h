/*
 * budget.h - one account in front of everything that clients and fronts can have written or read
 * back: anybody who reaches the port can make keys and ask thousands of times a second, and a full
 * disk would stop activation for all clients. Pure; time is an argument, in seconds.
 *
 * A source is an IPv4 address or an IPv6 /64. The rates are those of kms.ini's [limits]; sources in
 * its networks `exempt` have no limit of their own.
 *
 *   what is written           a token of its source   of all new clients   of all entries
 *   a new client                        x                     x                  x
 *   a paced entry                                                                x
 *   any other entry                     x                                        x
 *   a refusal, beside that       of BUDGET_REFUSALS
 *
 * An IPv6 /48 has BUDGET_WIDE times the tokens of a /64, of which one line can have thousands.
 *
 * An entry is paced when policy_decide bounds how often its client gets it: renewals, and the one
 * under a new certificate.
 */
#ifndef KMSD_ACTIVATE_BUDGET_H
#define KMSD_ACTIVATE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/activate/buckets.h"
#include "kmsd/common/config.h"

/* The limits that can refuse something; control/status.c shows them by name. */
enum budget_limit {
	BUDGET_SOURCE,  /* [limits] new_clients_per_source */
	BUDGET_CLIENTS, /* [limits] new_clients */
	BUDGET_ENTRIES, /* [limits] entries */
	BUDGET_DISK,    /* [limits] disk_reserve */
	BUDGET_PACE,    /* [limits] renewals_per_interval: KMS_E_TOO_SOON */
	BUDGET_READS,   /* leases read back for repeated requests */
	BUDGET_RELAYED, /* relayed exchanges */
	BUDGET_REFUSAL, /* refusals that are written */
	BUDGET_LIMITS
};
#define BUDGET_FREE BUDGET_LIMITS /* no limit refuses it */

/* The last two are refusals, of a client without a row and with one. */
enum budget_entry {
	BUDGET_NEW_CLIENT,
	BUDGET_PACED,
	BUDGET_OTHER,
	BUDGET_REFUSED_NEW,
	BUDGET_REFUSED
};

#define BUDGET_WIDE 5
#define BUDGET_REFUSALS                                                                            \
	100 /* of a source, and 2 a second: others are to find theirs in the journal */
#define BUDGET_RELAYED_BURST 10000 /* of a source: seven thousand Windows clients behind it, */
#define BUDGET_RELAYED_REFILL 1    /* which ask at most twelve times a day */
#define BUDGET_FRONT_BURST 250000  /* of a front, which may lie about addresses: about 50 MB, */
#define BUDGET_FRONT_REFILL 10     /* and 175 MB a day */
#define BUDGET_READS_CLIENT 8      /* leases read back for one client, and 1 a second */
#define BUDGET_READS_SOURCE 100    /* the same for one source, and 12 a second */
#define BUDGET_WITNESS_CLIENT 2    /* headers from one client, and 1 each 100 seconds */
#define BUDGET_WITNESS_SOURCE 10   /* headers of witnesses from one source, and 5 a second */
#define BUDGET_WITNESS_ALL 20 /* from all, and as many a second: each is a signature to check */
#define BUDGET_READS_ALL 400  /* each reads and hashes a whole batch; and 200 a second */

/* What a limit has refused since kmsd-activate started. */
struct budget_bites {
	uint64_t count, last; /* seconds; 0: never */
	uint8_t address[16];  /* of the last one */
};

struct budget {
	struct buckets sources, wide, relayed, refusals, reads_sources, reads_clients,
	    witness_sources, witness_clients;
	struct buckets made; /* what budget_made tells */
	struct bucket clients, entries, reads, witnesses;
	struct bucket fronts[CONFIG_FRONTS]; /* by its number, which a new front takes over */
	bool disk_low;                       /* less than the reserve is free; the caller looks */
	struct budget_bites bites[BUDGET_LIMITS];
};

void budget_init(struct budget *b, uint64_t seed);

/* Are the rates of a's [limits] others than b's? Then all buckets are to be full again. */
bool budget_differs(const struct config *a, const struct config *b);
void budget_fill(struct budget *b);

/*
 * May this entry of a client be written? BUDGET_FREE, and the tokens are taken; or the limit that
 * refuses it, which is counted, and nothing is taken.
 */
enum budget_limit budget_take(struct budget *b, const struct config *c, enum budget_entry entry,
    const uint8_t address[16], uint64_t now);
/* The same for an exchange that a front has relayed. */
enum budget_limit budget_take_relayed(struct budget *b, const struct config *c, unsigned front,
    const uint8_t address[16], uint64_t now);
/* The same for a lease that is read back. */
enum budget_limit budget_take_read(struct budget *b, const struct config *c, const uint8_t cmid[16],
    const uint8_t address[16], uint64_t now);
/*
 * May a signature be checked that a client brought as a witness, and its entry be written? Nobody
 * is refused by this: the client brings it again. One client that brings forged ones has few, so
 * that it cannot take what is there for the others.
 */
bool budget_take_witness(struct budget *b, const struct config *c, const uint8_t cmid[16],
    const uint8_t address[16], uint64_t now);
/* Counts what another rule refused: BUDGET_PACE. */
void budget_bite(
    struct budget *b, enum budget_limit limit, const uint8_t address[16], uint64_t now);
/* Seconds after which a client asks again; different ones, so that not all come at once. */
uint32_t budget_wait(const struct budget *b, enum budget_limit limit);
/*
 * Counts one more client that its source made. Returns how many it made of late: the number falls
 * by BUDGET_MADE_FADES a day. 0: it is exempt.
 */
#define BUDGET_MADE_FADES 864
uint32_t budget_made(
    struct budget *b, const struct config *c, const uint8_t address[16], uint64_t now);
/* "new_clients_per_source" ... */
const char *budget_name(enum budget_limit limit);

#endif
