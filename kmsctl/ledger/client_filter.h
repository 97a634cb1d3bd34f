/*
 * client_filter.h - which clients a command means: one set of options, one meaning, for all
 * commands that choose clients.
 */
#ifndef KMSCTL_LEDGER_CLIENT_FILTER_H
#define KMSCTL_LEDGER_CLIENT_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsctl/kmsctl.h"
#include "kmsctl/ledger/clients.h"
#include "kmsd/common/network.h"
#include "kmsdb/kmsdb.h"

struct client_filter {
	/* as the command line has them; NULL or 0: any */
	const char *name;    /* a pattern (glob.h), of the whole name or of its first label */
	const char *address; /* a network */
	const char *pool;    /* a name or a number */
	const char *product; /* a name or a UUID */
	uint64_t unseen;     /* not heard from for so many minutes */
	uint64_t flags;      /* enum client_flag: all of them */
	/* set by a command */
	const char *named; /* exactly, as client_name_is */
	bool whole_name;
	uint64_t first_since, first_until; /* first seen, seconds; until 0: any */
	uint64_t seen_since;               /* last seen */
	bool active, counted;              /* with a lease; counts now */
	/* by client_filter_ready */
	uint64_t now;
	uint8_t product_id[16];
	struct network network;
	const struct products *products;
};

enum client_flag {
	CLIENT_VM = 1,
	CLIENT_CLONE = 2, /* a collision of its key was seen */
	CLIENT_OVERDRAFT = 4,
	CLIENT_STATELESS = 8,
	CLIENT_BORROWED = 16,
};

/* The options' rows: of the field member of the command's struct. */
#define CLIENT_FILTER_ROWS(type, member)                                                           \
	{ "name", 0, "PATTERN", "only clients of this name, in which * and ? are wildcards",       \
		.offset = offsetof(type, member.name), .complete = "ask clients" },                \
	    { "address", 0, "NETWORK", "only clients of this address or network",                  \
		    .offset = offsetof(type, member.address) },                                    \
	    { "pool", 0, "NAME|NUMBER", "only clients that this pool counts",                      \
		    .offset = offsetof(type, member.pool), .complete = "ask pools" },              \
	    { "product", 0, "NAME|UUID", "only clients of this product",                           \
		    .offset = offsetof(type, member.product), .complete = "ask products" },        \
	    { "unseen", 0, "TIME", "only clients not seen for this long, such as 90m, 2h or 30d",  \
		    .offset = offsetof(type, member.unseen), .read = client_filter_span,           \
		    .takes = CLIENT_FILTER_SPAN },                                                 \
	    { "older-than", 0, "TIME", "the same as --unseen",                                     \
		    .offset = offsetof(type, member.unseen), .read = client_filter_span,           \
		    .takes = CLIENT_FILTER_SPAN },                                                 \
	{                                                                                          \
		"flag", 0, "FLAG", "vm, clone, overdraft, stateless or borrowed",                  \
		    .offset = offsetof(type, member.flags), .read = client_filter_flag,            \
		    .takes = "vm, clone, overdraft, stateless or borrowed",                        \
		    .complete = "words vm clone overdraft stateless borrowed"                      \
	}
#define CLIENT_FILTER_SPAN "a time with its unit, such as 90m, 2h or 30d"
bool client_filter_span(void *field, const char *text);
bool client_filter_flag(void *field, const char *text); /* adds one */
/* For options of a command's own that set a time of the filter. */
#define CLIENT_FILTER_TIME "a date, or a time such as 2026-11-23T14:00:00Z"
bool client_filter_time(void *field, const char *text);

/* Is any option of the rows given? */
bool client_filter_given(const struct client_filter *f);
/*
 * Understands the texts; the names of products and pools are those of products, which stays the
 * caller's. CTL_OK, or the exit code of the failure that was printed.
 */
int client_filter_ready(struct ctl *ctl, struct client_filter *f, const struct products *products);
/* A client that is gone (kmsdb_client_gone) is never meant. */
bool client_filter_has(
    const struct client_filter *f, const struct kmsdb_client *c, const struct kmsdb_cold *cold);

/* The flags of a client. */
unsigned client_flags(const struct kmsdb_client *c, const struct kmsdb_cold *cold);
/* Has a seat that counts at that time. */
bool client_counts(const struct kmsdb_client *c, uint64_t now);

#endif
