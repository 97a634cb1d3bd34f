/*
 * after.h - the ids of the requests that this client sent to each host: in FILE.key of
 * kms.state(5), beside the number, and on disk before a request is sent. A request says them to its
 * host, which keeps the id of what it served this client last. If it is not among them, somebody
 * else holds the key, or these files are older than that. Pure: no clock, no file.
 *
 * A host's answer may be lost, many times in a row; then any of the ids may be the host's. Those of
 * before the last answer stay while there is room: a host that was restored from a backup has one
 * of them. What has to go: the oldest of before that answer, then the oldest that was refused. When
 * there is neither, the newest is sent again first, so that the host's answer settles all of them.
 *
 * As bytes, behind one another:
 *    0   1  flags: 1 hosts are missing from the list
 *    1   1  w, at most 32, then w hosts:
 *    0  16    host id
 *   16   8    last use
 *   24  16    product of the newest request
 *   40   8    its sequence number
 *   48   1    its operation
 *   49   1    n, 1 to 9
 *   50   1    how many of the ids are of before the last answer and that answer itself, 0 to n
 *   51   1    flags: 1 it was missing from the list, and has not answered since
 *   52   2    bits, from the lowest: the ids that were refused when they were first sent
 *   54 16n    ids, the oldest first
 */
#ifndef KMS_LIBKMS_CLIENT_AFTER_H
#define KMS_LIBKMS_CLIENT_AFTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libkms/base/wire.h"
#include "libkms/core/limits.h"
#include "libkms/core/message.h"

/* A request, as far as it has to be the same when it is sent again. */
struct asked {
	uint8_t id[16];
	uint8_t product[16];
	uint64_t sequence;
	uint8_t operation; /* enum message_operation */
};
struct after_host {
	uint8_t id[16];
	uint64_t last_use;
	struct asked newest;
	uint8_t count;
	uint8_t answered;
	bool partial;
	uint16_t refused;
	uint8_t ids[AFTER_IDS][16];
};
struct after {
	bool partial; /* of a host that is not in the list nothing is known */
	uint8_t count;
	struct after_host hosts[AFTER_HOSTS];
};

/*
 * To be called before the request is sent, and put on disk before it is sent if it returns true:
 * the id was not there. It then is the newest one of that host.
 */
bool after_sending(struct after *a, const uint8_t host_id[16], const struct asked *q, uint64_t now);
/*
 * The host's sealed answer to its newest id. served: by a count, a lease or a release. first: it
 * was sent to this host for the first time, so that what was refused was never served.
 */
void after_answered(struct after *a, const uint8_t host_id[16], bool served, bool first);
/* The host challenged the newest one: it served none of them last. */
void after_challenged(struct after *a, const uint8_t host_id[16]);
/*
 * What a request to that host says: ids other than its own, the oldest first, or zeros. Returns how
 * many ids; 0: nothing is said.
 */
unsigned after_say(const struct after *a, const uint8_t host_id[16], const uint8_t request_id[16],
    uint8_t out[16 * MESSAGE_AFTER_MAX]);
/*
 * Would this request push one away that the host may have served? Then *q is the newest, to be sent
 * again first.
 */
bool after_unsettled(const struct after *a, const uint8_t host_id[16], const uint8_t request_id[16],
    struct asked *q);

void after_put(struct wire_writer *w, const struct after *a);
/* What does not fit makes r->bad. */
void after_get(struct wire_reader *r, struct after *a);

#endif
