/*
 * host_key.h - the small files between publisher and customer as ini text (kms.key(5)): KMS host
 * key, confirmation request, host certificate file. Signatures beside them are the caller's
 * business.
 */
#ifndef KMS_POLICY_HOST_KEY_H
#define KMS_POLICY_HOST_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "libkms/base/fault.h"
#include "libkms/core/entitlement.h"
#include "libkms/kms_error.h"

/* KMS host key: what a customer bought. */
struct host_key {
	uint8_t id[16]; /* UUID */
	uint8_t publisher[8];
	char customer[65];
	char group[33];
	uint64_t issued, not_before, not_after;
	uint32_t capacity;      /* 0: no limit */
	uint16_t hosts;         /* hosts that may be confirmed (default 6) */
	uint16_t confirmations; /* for each of them (default 10) */
	struct entitlements entitlements;
};
#define HOST_KEY_ENTITLEMENTS 16 /* lines of them */
int host_key_parse(struct host_key *out, const char *text, size_t len, struct fault *err);
/* ini text into out; returns the length, 0 when it does not fit. */
size_t host_key_format(char *out, size_t size, const struct host_key *k);

/* Confirmation request, made by the appliance: ini text, signed inside by the host's own key. */
struct confirm_request {
	uint8_t host_key_id[16];
	uint8_t publisher[8];
	uint8_t sign_pk[32];
	uint64_t time;
	char host_name[65];
	/*
	 * Ed25519 by sign_pk over "KMSREQ02", host_key_id, publisher, sign_pk, time
	 * (u64), host_name (64, zero padded): proves possession
	 */
	uint8_t signature[64];
};
#define CONFIRM_REQUEST_SIGNED (8 + 16 + 8 + 32 + 8 + 64)
void confirm_request_octets(uint8_t out[CONFIRM_REQUEST_SIGNED], const struct confirm_request *r);
size_t confirm_request_format(char *out, size_t size, const struct confirm_request *r);
/* Also verifies the signature: KMS_E_SIGNATURE. */
int confirm_request_parse(
    struct confirm_request *out, const char *text, size_t len, struct fault *err);

/*
 * Host certificate FILE (.kmscert): ini, [host-certificate] data = base64 of certificate.h
 * bytes; comments tell a person what is inside.
 */
size_t certificate_file_format(char *out, size_t size, const uint8_t *cert, size_t len);
int certificate_file_parse(
    uint8_t *cert, size_t size, size_t *len, const char *text, size_t text_len, struct fault *err);

#endif
