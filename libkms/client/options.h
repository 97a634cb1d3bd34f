/*
 * options.h - what a product hands to kms_open: checked, and copied into its object. A fault begins
 * with the name of the option that is wrong: "product: ...".
 */
#ifndef KMS_LIBKMS_CLIENT_OPTIONS_H
#define KMS_LIBKMS_CLIENT_OPTIONS_H

#include "libkms/base/fault.h"
#include "libkms/client/client.h"

/*
 * The caller's struct, which may be shorter or longer than ours, as ours: what it does not have is
 * zero. KMS_E_ARGUMENT: too short, or a required option is missing; *out has the detail then, too.
 */
int options_take(struct kms_options *out, const struct kms_options *from, struct fault *fault);
/* KMS_OK, KMS_E_ARGUMENT, KMS_E_FORMAT (a key or a UUID), KMS_E_NO_MEMORY. */
int options_copy(struct kms_client *c, const struct kms_options *o, struct fault *fault);

#endif
