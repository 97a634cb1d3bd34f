/*
 * share_place.h - what a share needs on this machine: its files beside kms.ini, the settings of
 * etcd, and [share] in kms.ini. Each file is whole or as it was, and kms.ini comes last: so a run
 * that was interrupted has done nothing yet for kmsd, and a repeated one does what was left.
 *
 *	share/authority.pem  the certificate of the share's own authority
 *	share/authority.key  its key, only where hosts are invited
 *	share/host.pem .key  with which kmsd-share asks etcd
 *	share/etcd.pem .key  of this machine's etcd, for hosts and for the other members
 */
#ifndef KMSCTL_SHARE_SHARE_PLACE_H
#define KMSCTL_SHARE_SHARE_PLACE_H

#include "kmsctl/setup/ini_edit.h"

enum share_file {
	SHARE_AUTHORITY,
	SHARE_AUTHORITY_KEY,
	SHARE_HOST,
	SHARE_HOST_KEY,
	SHARE_ETCD,
	SHARE_ETCD_KEY,
	SHARE_FILES
};

/* The directory of the share's files, for this kms.ini. Returns out. */
const char *share_directory(char out[FILE_PATH_MAX], const char *ini);
/* Path of a file in such a directory. False: longer than kms.ini takes. */
bool share_path(char out[256], const char *directory, enum share_file file);
bool share_has(const char *directory, enum share_file file);
/* The user whose file it is: "etcd", or NULL for root. */
const char *share_file_owner(enum share_file file);
/* A key: 0600. */
bool share_file_secret(enum share_file file);
/* Makes the directory if need be, and writes the file with its owner and mode. */
int share_put(const char *directory, enum share_file file, const char *text, struct fault *f);

/* A file with that owner (NULL: this user) and mode from its first byte on. */
int share_write(
    const char *path, const char *text, mode_t mode, const char *owner, struct fault *f);

/*
 * e->after: kms.ini with [share] of that name, those members and the files of the directory, as far
 * as it has no values yet; members are replaced. What it means goes into c. KMS_E_CONFIG: it would
 * be no valid kms.ini, or [share] has other values.
 */
int share_ini(struct ini_edit *e, const char *directory, const char *name,
    const struct config_endpoints *members, struct config *c, struct fault *f);

/* Adds a host with etcd's port, unless it is there. False: there are as many as there may be. */
bool share_members_add(struct config_endpoints *members, const char *host);
bool share_members_have(const struct config_endpoints *members, const char *host);

#endif
