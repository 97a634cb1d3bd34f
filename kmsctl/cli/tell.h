/*
 * tell.h - results whose names are the same for a person and for a program.
 */
#ifndef KMSCTL_CLI_TELL_H
#define KMSCTL_CLI_TELL_H

#include "kmsctl/cli/output.h"

void tell_text(struct output *o, const char *key, const char *text);
void tell_number(struct output *o, const char *key, uint64_t number);
void tell_limit(struct output *o, const char *key, uint64_t number); /* 0: no limit */
void tell_flag(struct output *o, const char *key, bool value);
void tell_hex(struct output *o, const char *key, const uint8_t *bytes, size_t len); /* at most 64 */
void tell_uuid(struct output *o, const char *key, const uint8_t id[16]);

#endif
