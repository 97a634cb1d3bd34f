/*
 * etcd_settings.h - the settings of a share's etcd, as Debian's etcd-server reads them: variables
 * of its environment in /etc/default/etcd, for systemd and for init alike.
 */
#ifndef KMSCTL_SHARE_ETCD_SETTINGS_H
#define KMSCTL_SHARE_ETCD_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "libkms/base/fault.h"

#define ETCD_SETTINGS "/etc/default/etcd"
#define ETCD_SETTINGS_MAX 65536
#define ETCD_USER "etcd"
#define ETCD_UNIT "etcd.service"
#define ETCD_CLIENT_PORT 2379
#define ETCD_PEER_PORT 2380

struct etcd_settings {
	const char *share, *host; /* of this machine, as the others reach it */
	const char *directory;    /* of the share's files */
	/* "HOST=https://HOST:2380,...", this one's included */
	const char *cluster;
	bool joins; /* a cluster that is there */
};

/* malloc'd; NULL: memory. */
char *etcd_settings_text(const struct etcd_settings *s);
/* "https://HOST:PORT", with brackets around an IPv6 address. Returns out. */
const char *etcd_url(char out[288], const char *host, unsigned port);
/* Where the data of that share are. Returns out. */
const char *etcd_data(char out[96], const char *share);

enum etcd_settings_kind {
	ETCD_SETTINGS_NONE,  /* nothing is set */
	ETCD_SETTINGS_SHARE, /* those of this share */
	ETCD_SETTINGS_OTHER, /* of another share or use: it must stay */
};
/* A text of the settings' file. */
enum etcd_settings_kind etcd_settings_judge(const char *text, const char *share);
/* The same of the file below root (""). KMS_OK or a status of file_read, f set. */
int etcd_settings_look(
    enum etcd_settings_kind *kind, const char *root, const char *share, struct fault *f);

#endif
