/*
 * invitation.h - the file by which a machine joins a share: JSON, with its certificates and keys.
 * It is a secret.
 *
 *	warning          for a person who opens it
 *	kms-share        1: the version of this format
 *	share, host      names
 *	members          of etcd, as [share] in kms.ini(5) has them
 *	authority, host-certificate, host-key, etcd-certificate, etcd-key   PEM
 */
#ifndef KMSCTL_SHARE_INVITATION_H
#define KMSCTL_SHARE_INVITATION_H

#include <stdbool.h>

#include "kmsctl/share/share_place.h"
#include "kmsd/common/config.h"

#define INVITATION_VERSION 1
#define INVITATION_MAX 65536

struct invitation {
	char share[33];
	char host[DNS_NAME];
	struct config_endpoints members;
	char *texts[SHARE_FILES]; /* owned; NULL: SHARE_AUTHORITY_KEY, which is in none */
};

/* malloc'd text; NULL: memory. */
char *invitation_text(const struct invitation *i);
/*
 * KMS_OK; KMS_E_FORMAT: no invitation, or a damaged one; KMS_E_SCHEMA: of a newer kmsctl; f set.
 * invitation_free in every case.
 */
int invitation_parse(struct invitation *i, const char *text, size_t len, struct fault *f);
/* One that was written by invitation_text, of any version. */
bool invitation_is(const char *text, size_t len);
void invitation_free(struct invitation *i);

#endif
