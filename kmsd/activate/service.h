/*
 * service.h - whom this host serves: each publisher of the ini file with the
 * host keys, the host certificate and the policy pack installed for it.
 *
 * Installing goes in three steps, so that memory never runs ahead of disk:
 * service_check_* (signature, contents), service_store (files), then, once the
 * journal has its entry, service_adopt.
 */
#ifndef KMSD_ACTIVATE_SERVICE_H
#define KMSD_ACTIVATE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/activate/host_identity.h"
#include "kmsd/common/config.h"
#include "libkms/core/certificate.h"
#include "libkms/core/minisig.h"
#include "libkms/core/rotation.h"
#include "policy/pack.h"
#include "policy/policy.h"
#include "policy/revocation.h"

#define SERVICE_KEYS 16 /* host keys kept for one publisher */
#define SERVICE_SIGNATURE_MAX 4096
#define SERVICE_PATH 160

struct service_publisher {
	char name[65];
	struct minisig_key key;
	struct host_key keys[SERVICE_KEYS];
	unsigned key_count;
	bool confirmed;
	struct certificate certificate;
	uint8_t certificate_octets[CERTIFICATE_MAX];
	size_t certificate_len;
	bool rotated; /* a second key, by rotation */
	struct rotation rotation;
	uint8_t rotation_octets[ROTATION_SIZE];
	struct policy_pack *pack;            /* NULL: none */
	struct revocation_list *revocations; /* NULL: none */
	/* what in it names this host's certificate; NULL: nothing */
	const struct revocation *revoked;
	/* by the certificate; same index as pack->products */
	bool covered[POLICY_PRODUCTS];
};

struct service {
	struct service_publisher *publishers;
	unsigned count;
	int dirfd;                       /* state directory, borrowed */
	const struct host_identity *key; /* borrowed */
};

/*
 * Read what is installed for the ini file's publishers. KMS_E_CONFIG: a publisher's key line is
 * none, or two have one key id (why says which). A damaged file is logged and left out: the
 * others are served.
 */
int service_open(struct service *s, int dirfd, const struct host_identity *key,
    const struct config *config, char why[256]);
void service_close(struct service *s);

/* The publisher whose pack names the product. */
struct service_found {
	const struct service_publisher *publisher;
	const struct policy_product *product;
	const struct policy_pool *pool;
};
bool service_find(const struct service *s, const uint8_t product[16], struct service_found *out);
void service_host(const struct service_found *f, struct policy_host *out);
/* For HELLO: id zero is the only publisher there is, and nobody when there are several. */
const struct service_publisher *service_publisher(const struct service *s, const uint8_t id[8]);
/*
 * Another publisher whose pack names the product: it has but one, so that nobody can take
 * another's clients.
 */
const struct service_publisher *service_claims(
    const struct service *s, const struct service_publisher *except, const uint8_t product[16]);
const struct host_key *service_key(const struct service_publisher *p, const uint8_t id[16]);

/* Something about to be installed. */
struct service_candidate {
	enum {
		SERVICE_KEY,
		SERVICE_CERTIFICATE,
		SERVICE_POLICY,
		SERVICE_REVOCATIONS,
		SERVICE_ROTATION
	} kind;
	struct service_publisher *publisher;
	const uint8_t *file, *signature; /* borrowed */
	size_t file_len, signature_len;
	/* borrowed: a confirmation's (policy/code.h), in place of a file */
	const uint8_t *code;
	size_t code_len;
	char *text; /* owned: the file that was made of the code */
	struct host_key key;
	struct certificate certificate;
	uint8_t certificate_octets[CERTIFICATE_MAX];
	size_t certificate_len;
	struct policy_pack *pack;            /* owned until adopted */
	struct revocation_list *revocations; /* owned until adopted */
	struct rotation rotation;
	uint8_t rotation_octets[ROTATION_SIZE];
};
/*
 * Fill file, signature and kind first. why: for the administrator. Statuses as in control's
 * reply.
 */
int service_check(struct service *s, struct service_candidate *c, uint64_t now, char why[256]);
int service_store(struct service *s, const struct service_candidate *c);
void service_adopt(struct service_candidate *c);
void service_candidate_free(struct service_candidate *c);

/*
 * service_rotation.c: the publisher's key of that id, its own or the other of a rotation; NULL:
 * neither.
 */
const struct minisig_key *service_signer(const struct service_publisher *p, const uint8_t id[8]);
/* May what it signed be installed now? KMS_E_PUBLISHER, why set. */
int service_check_time(
    const struct service_publisher *p, const struct minisig_key *key, uint64_t now, char why[256]);
int service_check_rotation(struct service *s, struct service_candidate *c, char why[256]);
int service_load_rotation(struct service *s, struct service_publisher *p);

/* service_revoked.c: revocation lists. */
int service_check_revocations(struct service_candidate *c, char why[256]);
/*
 * Is the key, the host or the certificate about to be installed revoked? KMS_E_KEY_INVALID, why
 * set.
 */
int service_check_revoked(const struct service_publisher *p, const uint8_t host_key[16],
    const uint8_t host[16], uint64_t serial, char why[256]);
/* After a change of certificate or list: finds out what is revoked, and logs it. */
void service_update_revoked(struct service_publisher *p);

/*
 * Removing a host key goes in three steps too: the files of the key and of the certificate that
 * stems from it are put aside (KMS_E_NOT_FOUND: no such key), then, with the journal's entry,
 * dropped; or put back.
 */
struct service_removal {
	struct service_publisher *publisher;
	uint8_t key[16];
	bool confirmed; /* by this key */
};
int service_remove(struct service *s, struct service_removal *m, const uint8_t key[16]);
void service_removed(struct service *s, const struct service_removal *m);
void service_restore(struct service *s, const struct service_removal *m);

/* Text forms used in file names, the log and control rows. */

#endif
