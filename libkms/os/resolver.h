/*
 * resolver.h - questions to DNS that are on their way, one at a time, in steps that never block.
 * What the answers mean is discover.c's matter.
 */
#ifndef KMS_LIBKMS_OS_RESOLVER_H
#define KMS_LIBKMS_OS_RESOLVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/client/order.h"
#include "libkms/client/wait.h"
#include "libkms/os/net.h"

struct resolver_answer {
	bool done;
	bool none;       /* a name server says that there is none */
	const char *why; /* nothing was found; static. NULL: something was, as far as DNS goes */
	struct discover_host *hosts;        /* of SRV records: DISCOVER_HOSTS */
	struct discover_address *addresses; /* else: DISCOVER_ADDRESSES */
	size_t count;
};

struct resolver;

/*
 * nameserver: "address[:port]", NULL: the system's. KMS_OK, KMS_E_NO_MEMORY, KMS_E_FORMAT (the
 * name server), KMS_E_NO_HOST (*why: words that are static).
 */
int resolver_open(struct resolver **out, const char *nameserver, const char **why);
/* Also while a question is on its way. NULL is fine. */
void resolver_close(struct resolver *r);
/* What a name server may be called here, for a message. */
extern const char resolver_takes[];
/* The system's search domains, index from 0. NULL: no more. */
const char *resolver_domain(struct resolver *r, unsigned index);
/* Ask. *answer stays where it is until it is done; it may be done at once. */
void resolver_srv(struct resolver *r, const char *name, struct resolver_answer *answer);
void resolver_addresses(
    struct resolver *r, const char *name, uint16_t port, struct resolver_answer *answer);
/* What has arrived, and what has been waited for too long. */
void resolver_step(struct resolver *r);
/* The answer is done, and says that it did not come. */
void resolver_give_up(struct resolver *r);
/* What the next step waits for. */
void resolver_wait(const struct resolver *r, struct wait *w, int64_t deadline);

/* For both sides of it: one more, if there is room and a client can use it. */
void resolver_keep_srv(
    struct resolver_answer *a, const char *name, uint16_t port, uint16_t priority, uint16_t weight);
void resolver_keep_address(struct resolver_answer *a, const struct sockaddr *address, size_t len);

#endif
