/*
 * pack.h - policy packs as ini text (kms.policy(5)). Signatures are the caller's business.
 */
#ifndef KMS_POLICY_PACK_H
#define KMS_POLICY_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/base/fault.h"
#include "policy/policy.h"

#define PACK_MAX (256 * 1024) /* bytes of ini text */

/*
 * KMS_OK, KMS_E_FORMAT, KMS_E_TOO_LARGE, KMS_E_PREREQUISITE (needs a newer kmsd than this). *out is
 * large: let the caller allocate it.
 */
int policy_pack_parse(struct policy_pack *out, const char *text, size_t len, struct fault *err);
/*
 * The same for the one who writes it, before it is signed: a quotation mark or a comment that would
 * be part of a value is a fault too. No host refuses a signed pack for that.
 */
int policy_pack_proofread(struct policy_pack *out, const char *text, size_t len, struct fault *err);

#endif
