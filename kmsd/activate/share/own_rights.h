/*
 * own_rights.h - the rights of this host (policy/rights.h): what beats told makes some free again,
 * and others may want some.
 */
#ifndef KMSD_ACTIVATE_SHARE_OWN_RIGHTS_H
#define KMSD_ACTIVATE_SHARE_OWN_RIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/activate/share/members.h"
#include "kmsdb/share_rights.h"
#include "policy/files/publisher_list.h"

struct activate;

/* What all members told, of all chains. */
struct own_rights {
	uint32_t since;
	unsigned count;
	struct kmsdb_heard heard[SHARE_MEMBERS + 1];
};
/* From their newest beats; told: seconds, the clock of this host in its own one. */
void own_rights_told(struct own_rights *r, const struct members *m, const uint8_t own[16],
    uint64_t head, uint64_t told);

/* Of that pool; without a limit there is no purse: false. */
bool own_rights_purse(const struct activate *a, const struct own_rights *r,
    const struct publisher *p, const struct policy_pool *pool, struct rights_purse *out);
/* Each pool with a limit, of publishers that this host is confirmed by. */
struct own_pool {
	const struct publisher *publisher;
	const struct policy_pool *pool;
	struct rights_purse purse;
	uint64_t left;
};
void own_rights_each(const struct activate *a, const struct own_rights *r,
    void (*fn)(const struct own_pool *pool, void *arg), void *arg);

/* Of what is left beyond the reserve, half may be given to one that wants so many. 0: none. */
uint32_t own_rights_to_give(uint64_t left, uint64_t reserve, uint32_t wanted);

#endif
