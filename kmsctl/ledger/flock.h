/*
 * flock.h - seats that share a product, a name and an address: what one machine takes that keeps no
 * client state file, as a container or a CI job does, each time it starts.
 *
 * Two walks over the clients: the first takes a number for each seat, so that a million of them are
 * bounded; the second reads only what the largest flocks are.
 */
#ifndef KMSCTL_LEDGER_FLOCK_H
#define KMSCTL_LEDGER_FLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "kmsctl/kmsctl.h"
#include "kmsdb/kmsdb.h"

#define FLOCK_LEAST 3 /* seats: two are a machine that was installed again */
#define FLOCKS_MOST 4

struct flock {
	uint64_t key;
	char name[MESSAGE_NAME + 1];
	uint8_t address[16];
	uint64_t seats;
};
struct flocks {
	uint64_t now;
	struct flock at[FLOCKS_MOST]; /* the largest, from the largest on */
	size_t count;
	/* the first walk */
	uint64_t *keys;
	size_t key_count, room;
};

/* The first walk: one client. KMS_OK or KMS_E_NO_MEMORY. */
int flocks_add(struct flocks *f, const struct kmsdb_client *c, const struct kmsdb_cold *cold);
/* The second, if there is anything to find. KMS_OK, or what the ledger says. */
int flocks_find(struct ctl *ctl, struct flocks *f);
void flocks_free(struct flocks *f);

#endif
