/*
 * etcd_ask.h - questions to the members of a share's etcd, by curl(1), in the way in which
 * kmsd-share asks them: through the JSON gateway, with the same certificates.
 *
 * curl and not etcdctl: it says apart that a name has no address, that a port does not answer, that
 * a certificate is not trusted, and that the member refused ours, where etcdctl says only that time
 * is over; and its answers carry the member's clock.
 */
#ifndef KMSCTL_SHARE_ETCD_ASK_H
#define KMSCTL_SHARE_ETCD_ASK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "kmsd/common/config.h"
#include "libkms/base/fault.h"

#define ETCD_ASK_MAX 262144 /* bytes of an answer */
#define ETCD_MEMBERS 16     /* that are listed; more are not read */

/* How far a question came. */
enum etcd_reach {
	ETCD_ANSWERS,
	ETCD_NO_PROGRAM,  /* curl is not installed */
	ETCD_NO_NAME,     /* the member's name has no address */
	ETCD_NO_PORT,     /* nobody listens, or no way there */
	ETCD_SILENT,      /* no answer in time: a firewall, or no majority */
	ETCD_NOT_TRUSTED, /* its certificate is not of this share, expired or of another name */
	ETCD_REFUSES,     /* it does not take our certificate */
	ETCD_SAYS_NO,     /* it answers with an error */
	ETCD_NONSENSE,    /* what answers is no etcd, or curl failed */
};

struct etcd_asker {
	const char *directory; /* of the share's files */
	int timeout_ms;
};

struct etcd_said {
	enum etcd_reach reach;
	json_t *root;   /* owned; NULL unless it answered */
	uint64_t clock; /* the member's time, seconds since 1970; 0: not told */
	struct fault f; /* unless it answered: what happened */
};

/* body NULL: a GET. etcd_said_free in every case. */
void etcd_ask(struct etcd_said *out, const struct etcd_asker *a, const struct endpoint *member,
    const char *path, const char *body);
void etcd_said_free(struct etcd_said *s);
/* What to do about it; NULL: nothing in general. */
const char *etcd_reach_next(enum etcd_reach reach);

struct etcd_member {
	char id[24];         /* decimal */
	char name[DNS_NAME]; /* "": it was never started */
	char host[DNS_NAME]; /* of the URL under which its peers reach it */
	uint16_t port;       /* of that URL */
	bool learner;        /* it has no vote yet */
};
struct etcd_members {
	unsigned count;
	struct etcd_member at[ETCD_MEMBERS];
};

/* Those that one member knows of. KMS_E_FORMAT: no such answer. */
int etcd_members_read(struct etcd_members *out, const json_t *root, struct fault *f);
const struct etcd_member *etcd_members_find(const struct etcd_members *m, const char *host);
/*
 * Asks each endpoint in turn until one answers; *used: which. KMS_E_NO_HOST: none did, f names the
 * first that did not, and why.
 */
int etcd_members_ask(struct etcd_members *out, const struct etcd_asker *a,
    const struct config_endpoints *members, const struct endpoint **used, struct fault *f);
/* "HOST=https://HOST:2380,..." of them all, malloc'd; NULL: memory. */
char *etcd_members_cluster(const struct etcd_members *m);

/* Adds host as a member without a vote: so nothing waits for it before it runs. */
int etcd_member_add(struct etcd_members *out, const struct etcd_asker *a,
    const struct endpoint *through, const char *host, struct fault *f);
/* Gives it a vote. KMS_E_PENDING: it has not caught up, or does not run. */
int etcd_member_promote(
    const struct etcd_asker *a, const struct endpoint *through, const char *id, struct fault *f);

/* "3.4.23" as 3 * 1000 + 4; 0: no version. */
unsigned etcd_version_number(const char *text);
/* Of the program on this machine. KMS_E_NOT_FOUND: not installed. */
int etcd_version_here(char text[32], struct fault *f);
#define ETCD_VERSION_LEAST 3004 /* members without a vote */

#endif
