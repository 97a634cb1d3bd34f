/*
 * revocation.h - a publisher's revocation list (kms.key(5)): host keys, hosts and host
 * certificates that may no longer activate. Ini text, signed beside; each list is complete and has
 * a higher number than the one before.
 */
#ifndef KMS_POLICY_REVOCATION_H
#define KMS_POLICY_REVOCATION_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/base/fault.h"
#include "libkms/kms_error.h"

#define REVOCATIONS 1024                 /* of one list */
#define REVOCATION_LIST_MAX (256 * 1024) /* bytes of text, enough for them */
#define REVOCATION_REASON 100

enum revocation_kind { REVOKED_KEY = 1, REVOKED_HOST = 2, REVOKED_CERTIFICATE = 3 };

struct revocation {
	uint8_t kind;
	uint8_t id[16];  /* UUID of a host key, or host id */
	uint64_t serial; /* of a certificate */
	uint64_t time;
	char reason[REVOCATION_REASON + 1];
};
struct revocation_list {
	uint8_t publisher[8];
	uint32_t number; /* from 1 */
	uint64_t issued;
	unsigned count;
	struct revocation entries[REVOCATIONS];
};

/* KMS_OK, KMS_E_FORMAT, KMS_E_TOO_LARGE. *out is large: let the caller allocate it. */
int revocation_list_parse(
    struct revocation_list *out, const char *text, size_t len, struct fault *err);
/* ini text into out; returns the length, 0 when it does not fit. */
size_t revocation_list_format(char *out, size_t size, const struct revocation_list *l);
/*
 * The first entry that names the key, the host (NULL: not known) or the certificate (serial 0:
 * none). NULL: not revoked.
 */
const struct revocation *revocation_find(const struct revocation_list *l,
    const uint8_t host_key[16], const uint8_t host[16], uint64_t serial);

#endif
