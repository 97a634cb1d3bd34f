/*
 * config_value.h - the types of kms.ini's values: how each is read from text, and written back.
 */
#ifndef KMSD_COMMON_CONFIG_VALUE_H
#define KMSD_COMMON_CONFIG_VALUE_H

#include "kmsd/common/config.h"
#include "policy/ini/ini_read.h"

/* Room for any value as text: the longest is a list of domains. */
#define CONFIG_VALUE (CONFIG_DOMAINS * DNS_NAME + CONFIG_ENDPOINTS * (DNS_NAME + 24))

typedef bool config_reads(
    struct ini_reader *r, const struct ini_key *key, void *record, const char *value);

/* For ini_key.read; the row of the schema is told by the key's type alone. */
config_reads *config_value_reader(const struct config_key *k);
/* A list that may go over several lines. */
bool config_value_repeats(const struct config_key *k);
/* The text that reads back as the same value. */
void config_value_text(char out[CONFIG_VALUE], const struct config_key *k, const void *record);

/* For the man page and its check. */
#define CONFIG_RANGE 64
const char *config_type_name(enum config_type type);
/* "1..32", "1M..4G", "yes or no". Returns out. */
const char *config_range(char out[CONFIG_RANGE], const struct config_key *k);

#endif
