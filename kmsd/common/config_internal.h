/*
 * config_internal.h - between the schema's table and the parser: where a key's value is kept, and
 * how each type of value is read from text and written back.
 */
#ifndef KMS_CONFIG_INTERNAL_H
#define KMS_CONFIG_INTERNAL_H

#include "kmsd/common/config.h"

struct config_slot {
	size_t offset;                  /* in struct config; in struct config_publisher for "publisher NAME" */
	size_t size;
};

/* Slots in the order of config_schema(). */
extern const struct config_slot config_slots[];

/*
 * Read value into the slot at *base for row's type. True, or false with in wrong what it may be.
 * Write gives the text that reads back as the same value.
 */
bool config_value_read(const struct config_key *row, const struct config_slot *slot, void *base,
    const char *value, char wrong[128]);
void config_value_write(const struct config_key *row, const struct config_slot *slot,
    const void *base, char *out, size_t size);

#endif
