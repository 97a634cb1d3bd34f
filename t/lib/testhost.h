/*
 * testhost.h - a publisher and a host made of fixed seeds, for tests of the
 * client: what a real host signs, made without one.
 */
#ifndef KMS_T_LIB_TESTHOST_H
#define KMS_T_LIB_TESTHOST_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/core/certificate.h"
#include "libkms/core/entry.h"
#include "libkms/core/exchange_statement.h"
#include "libkms/core/lease.h"
#include "libkms/core/minisig.h"

#define TESTHOST_PRODUCT "6f1d2c3b-4a59-4687-9abc-def012345678"
#define TESTHOST_OTHER "6f1d2c3b-4a59-4687-9abc-def0123456ff"

struct testhost {
	struct minisig_key publisher;
	char publisher_text[MINISIG_KEY_LINE + 1];
	uint8_t publisher_sk[64];
	uint8_t sign_sk[64];
	uint8_t kx_sk[32];
	struct exchange exchange; /* of kx_sk: made now, for 7 days */
	uint8_t statement[EXCHANGE_SIZE];
	struct certificate cert; /* sign_pk, host_id in it */
	uint8_t certificate[CERTIFICATE_MAX];
	size_t certificate_len;
	uint64_t batch; /* number of the next bundle's; 0: 7 */
};

/* publisher and host: seeds. The certificate covers TESTHOST_PRODUCT between the two times. */
void testhost_init(
    struct testhost *h, uint8_t publisher, uint8_t host, uint64_t not_before, uint64_t not_after);
/* Sign h->cert as it now is. */
void testhost_certify(struct testhost *h);
/* Sign h->exchange as it now is. */
void testhost_state(struct testhost *h);
/*
 * A lease for this client, valid from now, renewed after half of minutes; about its names, whose
 * address is set here.
 */
void testhost_entry(const struct testhost *h, struct entry_client *e, struct aside *names,
    const uint8_t client_pk[32], uint64_t now, uint32_t minutes);
/* The bundle of a batch of three, e the second; names NULL: without. */
size_t testhost_bundle(const struct testhost *h, uint8_t *out, size_t size,
    const struct entry_client *e, const struct aside *names);

#endif
