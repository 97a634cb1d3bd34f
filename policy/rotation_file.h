/*
 * rotation_file.h - the file PUBLISHER.kmsrotate (kms.key(5)): a rotation statement as ini text.
 */
#ifndef KMS_POLICY_ROTATION_FILE_H
#define KMS_POLICY_ROTATION_FILE_H

#include "libkms/base/fault.h"
#include "libkms/core/rotation.h"
#include "libkms/kms_error.h"

/* Also verifies both signatures: KMS_E_SIGNATURE. bytes receives the statement. */
int rotation_file_parse(struct rotation *out, uint8_t octets[ROTATION_SIZE], const char *text,
    size_t len, struct fault *err);
/* ini text into out; returns the length, 0 when it does not fit. bytes: a whole statement. */
size_t rotation_file_format(char *out, size_t size, const uint8_t octets[ROTATION_SIZE]);

#endif
