/*
 * share_join.h - becoming a member of a share with an invitation. Everything is looked at before
 * anything is changed: the file, this machine, the certificates, the members and their versions.
 */
#ifndef KMSCTL_SHARE_SHARE_JOIN_H
#define KMSCTL_SHARE_SHARE_JOIN_H

#include "kmsctl/kmsctl.h"
#include "kmsctl/share/etcd_ask.h"
#include "kmsctl/share/etcd_settings.h"
#include "kmsctl/share/invitation.h"
#include "kmsctl/share/share_place.h"

struct share_join {
	struct invitation in;
	struct ini_edit ini;
	char directory[FILE_PATH_MAX];
	char trial[FILE_PATH_MAX]; /* where the files are while they are tried */
	struct etcd_asker asker;
	struct etcd_members members;
	struct endpoint through; /* the member that answered */
	enum etcd_settings_kind settings;
	bool data;                      /* etcd has data of this share here */
	struct config_endpoints listed; /* what [share] members is to be */
};

/* All of it up to the question. share_join_free in every case. */
int share_join_prepare(
    struct share_join *j, const struct ctl *ctl, const char *path, struct fault *f);
/* The certificates, the place among the members, the settings of etcd, kms.ini: in this order. */
int share_join_write(struct share_join *j, struct fault *f);
/*
 * Waits until this machine's etcd has caught up, and gives it a vote. KMS_E_PENDING: it does not
 * run, or is still behind: the same command goes on later.
 */
int share_join_finish(struct share_join *j, int wait_ms, struct fault *f);
void share_join_free(struct share_join *j);

#endif
