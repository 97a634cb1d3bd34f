/*
 * clients.h - clients in the ledger: state, names of products, finding one.
 */
#ifndef KMSCTL_LEDGER_CLIENTS_H
#define KMSCTL_LEDGER_CLIENTS_H

#include "kmsctl/kmsctl.h"
#include "kmsdb/kmsdb.h"

/* Products and pools in the host's packs; empty when the host does not answer. */
struct products {
	struct product_name {
		uint8_t id[16];
		char name[65], publisher[65];
	} * list;
	unsigned count;
	struct pool_name {
		uint16_t number;
		char name[65], publisher[65];
	} * pools;
	unsigned pool_count;
};
void products_ask(struct ctl *ctl, struct products *p);
void products_free(struct products *p);
/* NULL: unknown */
const char *products_name(const struct products *p, const uint8_t id[16]);
/* Of the pool that a client's seat is in. NULL: unknown */
const struct pool_name *products_pool(const struct products *p, const struct kmsdb_client *c);
/* By UUID or name; false: no such product. */
bool products_find(const struct products *p, const char *text, uint8_t id[16]);

/*
 * Has a running kmsd write its overlay to the index, so that the ledger is up to date. True: kmsd
 * runs.
 */
bool clients_checkpoint(struct ctl *ctl);

#define CLIENT_SHORT_CMID 12 /* digits that a table shows to a person */

/* The field "address"; none when it is all zeros. label as in output_text. */
void client_print_address(struct output *o, const char *label, const uint8_t address[16]);
enum client_form {
	CLIENT_ROW,          /* a row, the CMID short for a person */
	CLIENT_ROW_FULL,     /* a row */
	CLIENT_ROW_BORROWED, /* a row of a list of borrowed seats: when they come back */
	CLIENT_ALL,          /* all that is known */
};
/* Fields of one client. */
void client_print(struct ctl *ctl, const struct kmsdb_client *c, const struct kmsdb_cold *h,
    const struct products *products, enum client_form form);

/*
 * What an administrator does about a client that is held until then; nothing when that is over or
 * 0. cmid: hexadecimal.
 */
void client_tell_hold(struct ctl *ctl, const char *cmid, uint64_t held_until);

/*
 * Is it that name or, unless it must be the whole one, its first label: "pc1" for
 * "pc1.example.com"?
 */
bool client_name_is(const char *name, const char *text, bool whole);

#define CLIENT_MATCHES 32

/* A better kind hides the others. */
enum client_match_kind { CLIENT_NONE, CLIENT_BY_CMID, CLIENT_BY_SHORT_NAME, CLIENT_BY_NAME };
struct client_matches {
	enum client_match_kind kind;
	unsigned count; /* all of them */
	struct {
		struct kmsdb_client client;
		char name[MESSAGE_NAME + 1];
	} at[CLIENT_MATCHES]; /* the first */
};
/*
 * The clients that text names: a host name, or the beginning of a CMID (4 digits or more). CTL_OK,
 * also when there is none, or the exit code of the failure that was printed.
 */
int client_search(struct ctl *ctl, const char *text, struct client_matches *out);
/*
 * The one client that text names: a CMID (32 digits), or as client_search. CTL_OK, or the exit code
 * of the failure that was printed. name is "" when the ledger was not searched.
 */
int client_find(struct ctl *ctl, const char *text, uint8_t cmid[16], char name[MESSAGE_NAME + 1]);

#endif
