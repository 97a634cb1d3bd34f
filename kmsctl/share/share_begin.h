/*
 * share_begin.h - a share's first host, and the invitations that it writes.
 */
#ifndef KMSCTL_SHARE_SHARE_BEGIN_H
#define KMSCTL_SHARE_SHARE_BEGIN_H

#include "kmsctl/kmsctl.h"
#include "kmsctl/share/etcd_settings.h"
#include "kmsctl/share/share_place.h"

struct share_begin {
	struct ini_edit ini;
	char directory[FILE_PATH_MAX];
	const char *share;   /* borrowed */
	char host[DNS_NAME]; /* this machine */
	enum etcd_settings_kind settings;
	struct config_endpoints listed; /* what [share] members is to be */
};

/*
 * host: NULL: this machine's full name. Looks at everything before anything is changed.
 * share_begin_free in every case.
 */
int share_begin_prepare(struct share_begin *b, const struct ctl *ctl, const char *share,
    const char *host, struct fault *f);
/* The authority, this host's certificates, etcd's settings, kms.ini: each unless it is there. */
int share_begin_write(const struct share_begin *b, struct fault *f);
void share_begin_free(struct share_begin *b);

struct share_invite {
	struct ini_edit ini;
	char directory[FILE_PATH_MAX];
	char share[33];
	char host[DNS_NAME];            /* who is invited */
	char path[512];                 /* of the file */
	bool witness;                   /* etcd alone: a script for a machine without kmsd */
	struct config_endpoints listed; /* what [share] members is to be, with host */
};

/*
 * path NULL: HOST.kmsshare, or HOST.witness.sh, in the working directory. ctl->config: with
 * [share]. share_invite_free in every case.
 */
int share_invite_prepare(struct share_invite *i, const struct ctl *ctl, const char *host,
    bool witness, const char *path, struct fault *f);
/* Certificates for the host, into the file, 0600; then kms.ini. */
int share_invite_write(const struct share_invite *i, struct fault *f);
void share_invite_free(struct share_invite *i);

#endif
