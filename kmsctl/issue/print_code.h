/*
 * print_code.h - what was just issued, as a code that can be typed (policy/code.h).
 */
#ifndef KMSCTL_ISSUE_PRINT_CODE_H
#define KMSCTL_ISSUE_PRINT_CODE_H

#include "kmsctl/issue/issue.h"
#include "kmsctl/issue/secret_key.h"
#include "policy/code.h"

/* The host key whose file is text. */
int issue_key_code(struct issue *i, const struct secret_key *k, const struct host_key *key,
    const char *text, size_t len);
/*
 * The certificate of len bytes. KMS_E_FORMAT: the host could not make this certificate from a
 * code.
 */
int issue_confirm_code(struct issue *i, const struct host_key *key, const struct policy_pack *pack,
    const uint8_t *cert, size_t len);

#endif
