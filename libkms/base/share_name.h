/*
 * share_name.h - the name of a share: hosts that count together.
 */
#ifndef KMS_LIBKMS_BASE_SHARE_NAME_H
#define KMS_LIBKMS_BASE_SHARE_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define SHARE_NAME 32 /* a-z, 0-9 and '-', which is not the first */

bool share_name_ok(const char *name, size_t len);

#endif
