/*
 * ini_values.h - the usual conversions of publishers' files, for ini_key.read: value text into a
 * field of the record, or a message that says what the key takes. size: of the field.
 */
#ifndef KMS_POLICY_INI_VALUES_H
#define KMS_POLICY_INI_VALUES_H

#include "policy/ini/ini_read.h"

bool ini_text(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_name(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_minutes(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_time(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_time_end(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_uuid(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_hex(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);
bool ini_base64(struct ini_reader *r, const struct ini_key *key, void *record, const char *value);

#endif
