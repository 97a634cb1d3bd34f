/*
 * config_internal.h - between the schema's table and the parser: where a key's value is kept, and
 * how each type of value is read from text and written back.
 */
#ifndef KMSD_COMMON_CONFIG_INTERNAL_H
#define KMSD_COMMON_CONFIG_INTERNAL_H

#include "kmsd/common/config.h"

/* Room for any value as text: the longest is a list of domains. */
#define CONFIG_VALUE (CONFIG_DOMAINS * CONFIG_NAME + 64)

struct config_slot {
	/* in struct config; in struct config_publisher for "publisher NAME" */
	size_t offset;
	size_t size;
};

/* Slots in the order of config_schema(). */
extern const struct config_slot config_slots[];

/*
 * Read value into the slot at *base for row's type. True, or false with the valid values in wrong.
 * Write gives text that reads back as the same value.
 */
bool config_value_read(const struct config_key *row, const struct config_slot *slot, void *base,
    const char *value, char wrong[128]);
/* The same for a further line of a list that may have several: its words are added. */
bool config_value_add(const struct config_key *row, const struct config_slot *slot, void *base,
    const char *value, char wrong[128]);
void config_value_write(const struct config_key *row, const struct config_slot *slot,
    const void *base, char *out, size_t size);

/* config_list.c: lists (their type's name says which) and single names of machines. */
bool config_list_repeats(const struct config_key *row);
bool config_list_read(
    const struct config_key *row, void *at, const char *value, bool more, char *wrong);
void config_list_write(const struct config_key *row, const void *at, char *out, size_t size);
bool config_single_read(const struct config_key *row, const struct config_slot *slot, void *at,
    const char *value, char *wrong);

#endif
