/*
 * classes.h - the classes of kms.ini(5) against the packs in force: which class a client is of, and
 * what of its pool counts in each. The decision itself knows neither names nor addresses. Without
 * classes nothing is looked up.
 *
 * An entry has a class as a number, the first two bytes of SHA-256 of its name, 0 becoming 1: so it
 * needs no list of its own, and a class that is taken out of kms.ini and put back is the same one.
 */
#ifndef KMSD_ACTIVATE_CLASSES_H
#define KMSD_ACTIVATE_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/common/config.h"
#include "kmsdb/kmsdb.h"
#include "policy/files/publisher_list.h"

uint16_t class_number(const char *name);

/* Those of kms.ini, in its order; of borrows from the configuration. */
struct class_list {
	unsigned count;
	struct {
		const struct config_class *of;
		uint16_t number;
	} at[CONFIG_CLASSES];
};
void classes_take(struct class_list *out, const struct config *c);
/*
 * What no line of kms.ini can get wrong alone: KMS_E_CONFIG, and f says it. Two names with one
 * number; a pool that packs of two publishers have, without publisher; reserves above a capacity.
 * A pool that no pack has may come with the next one.
 */
int classes_check(const struct class_list *all, const struct publishers *s, struct fault *f);

/* The classes of one pool, and what counts in them. */
struct class_pool {
	unsigned count;
	struct policy_class at[CONFIG_CLASSES];
	uint16_t number[CONFIG_CLASSES];
	const struct config_class *of[CONFIG_CLASSES];
};
/* Those of the pool, in which nothing is counted. */
void classes_in(struct class_pool *out, const struct class_list *all,
    const struct publisher *publisher, const struct policy_pool *pool);
/* The same, and what is counted in them. */
void classes_of_pool(struct class_pool *out, const struct class_list *all,
    const struct publisher *publisher, const struct policy_pool *pool, struct kmsdb *db,
    uint32_t minute);
/* The client that asks. user is empty when the request names none. */
struct class_client {
	const uint8_t *address; /* 16 */
	const char *name, *user;
};
bool class_matches(const struct config_class *class, const struct class_client *c);
/* The first of them that the client matches, or with that number; NULL: none. */
const struct policy_class *classes_match(const struct class_pool *p, const struct class_client *c);
const struct policy_class *classes_numbered(const struct class_pool *p, uint16_t number);
/* The number of one of them; NULL: 0. */
uint16_t classes_number(const struct class_pool *p, const struct policy_class *class);

#endif
