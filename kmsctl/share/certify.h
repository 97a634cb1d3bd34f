/*
 * certify.h - the share's own authority and the certificates of its hosts, made and judged by
 * openssl(1). Keys pass through pipes alone, never through arguments or temporary files.
 *
 * Names are in the SANs alone: etcd's gateway refuses a client certificate that has a CN once its
 * accounts are on. A certificate of etcd has a second name, "etcd.SHARE.kms.invalid", which the
 * peers of that share demand of each other: so that kmsd-share's certificate, which strangers'
 * bytes come near to, is good for asking, and not for being a member.
 */
#ifndef KMSCTL_SHARE_CERTIFY_H
#define KMSCTL_SHARE_CERTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "libkms/base/fault.h"

#define CERTIFY_PEM_MAX 8192        /* bytes of a certificate or a key */
#define CERTIFY_AUTHORITY_DAYS 7300 /* 20 years: nothing could renew it everywhere at once */
#define CERTIFY_HOST_DAYS 1825

struct certified {
	char *certificate, *key; /* owned, PEM; the key is wiped by certified_free */
};

enum certify_use {
	CERTIFY_KMSD, /* a client of etcd */
	CERTIFY_ETCD, /* its server, and member among its peers */
};

/* All: KMS_OK; KMS_E_NOT_FOUND: openssl is not installed; KMS_E_IO, KMS_E_TIMEOUT ...; f set. */

int certify_authority(struct certified *out, const char *share, struct fault *f);
/* host: a name or an address. authority: paths of its certificate and its key. */
int certify_host(struct certified *out, const char *authority, const char *authority_key,
    const char *share, const char *host, enum certify_use use, struct fault *f);
void certified_free(struct certified *c);

/* The name that peers demand. Returns out. */
const char *certify_peer_name(char out[96], const char *share);

/*
 * Is a certificate of this authority, valid now, and does this key belong to it? Paths.
 * KMS_E_KEY_EXPIRED, KMS_E_SIGNATURE: of another authority, or another key; f says what, without
 * naming a remedy.
 */
int certify_check(const char *authority, const char *certificate, const char *key, struct fault *f);
/* Is it the certificate of a share's authority of that name? KMS_E_EXISTS: of another one. */
int certify_is_of(const char *authority, const char *share, struct fault *f);
/* When it ends, in seconds since 1970. */
int certify_end(const char *certificate, uint64_t *end, struct fault *f);

#endif
