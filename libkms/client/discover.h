/*
 * discover.h - where the KMS hosts are: a fixed name, or the SRV records
 * _kms._tcp.<domain> in the order of RFC 2782, then the addresses of each.
 */
#ifndef KMS_LIBKMS_CLIENT_DISCOVER_H
#define KMS_LIBKMS_CLIENT_DISCOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/client/order.h"
#include "libkms/client/wait.h"

bool discover_same(const struct discover_address *a, const struct discover_address *b);

struct lookup; /* a question to DNS that is on its way */

struct discover {
	const char *nameserver;  /* "address[:port]"; NULL: the system's */
	const char *domain;      /* NULL: the resolver's search list */
	const char *service;     /* of the SRV records; NULL: "_kms" */
	int64_t deadline;        /* clock_ms */
	discover_random *random; /* NULL: randombytes_uniform */
	void *random_arg;
	char detail[160];      /* out: what went wrong, one line */
	bool absent;           /* out, with KMS_E_NO_HOST: a name server says that there is none */
	struct lookup *lookup; /* NULL: none */
};

/*
 * In the order to try. KMS_OK (count > 0), KMS_E_NO_HOST, KMS_E_NO_MEMORY, KMS_E_FORMAT
 * (nameserver).
 */
int discover_hosts(struct discover *d, struct discover_host hosts[DISCOVER_HOSTS], size_t *count);
int discover_addresses(struct discover *d, const struct discover_host *host,
    struct discover_address out[DISCOVER_ADDRESSES], size_t *count);

/*
 * The same in steps that never block. What those above return, or DISCOVER_WAIT: then
 * discover_step, until it returns something else, or discover_cancel. d, the results and *count
 * stay where they are until then. *w: what the next step waits for.
 */
#define DISCOVER_WAIT (-1)
int discover_hosts_begin(
    struct discover *d, struct discover_host hosts[DISCOVER_HOSTS], size_t *count);
int discover_addresses_begin(struct discover *d, const struct discover_host *host,
    struct discover_address out[DISCOVER_ADDRESSES], size_t *count);
int discover_step(struct discover *d, struct wait *w);
void discover_cancel(struct discover *d);
/* rc: of one of the two. Waits for the end. */
int discover_finish(struct discover *d, int rc);

#endif
