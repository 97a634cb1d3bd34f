/*
 * refusal.h - which refusals go into the journal: at most one a minute for each client, and a
 * limited number for all clients, so that refused clients cannot fill the disk.
 */
#ifndef KMSD_ACTIVATE_REFUSAL_H
#define KMSD_ACTIVATE_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

#define REFUSAL_SECONDS 60
#define REFUSAL_MINUTE_MAX 1000 /* of all clients together */

struct refusals;
struct refusals *refusals_new(void); /* NULL: memory */
void refusals_free(struct refusals *r);
/* True: record it; the time counts as the client's last. */
bool refusal_due(struct refusals *r, const uint8_t cmid[16], uint32_t status, uint64_t now);

#endif
