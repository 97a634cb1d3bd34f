/*
 * config_text.h - kms.ini(5) as text: read by kmsd and kmsctl, and by no process that the network
 * reaches.
 */
#ifndef KMSD_COMMON_CONFIG_TEXT_H
#define KMSD_COMMON_CONFIG_TEXT_H

#include <stdio.h>

#include "kmsd/common/config.h"
#include "libkms/base/fault.h"

void config_defaults(struct config *c);
/*
 * Over the defaults. Returns the number of faults (0: valid); the first room of them are kept,
 * each with its line. An unknown section or key, a value out of range and a key given twice are
 * faults.
 */
unsigned config_parse(
    struct config *c, const char *text, size_t len, struct fault *faults, unsigned room);
/*
 * A whole file. One that cannot be read is one fault in line 0, of KMS_E_NOT_FOUND, KMS_E_DENIED,
 * KMS_E_TOO_LARGE, KMS_E_IO ... and leaves the defaults.
 */
unsigned config_load(struct config *c, const char *path, struct fault *faults, unsigned room);
/* The whole configuration as ini text, defaults included: it parses to the same. */
void config_print(const struct config *c, FILE *out);

#endif
