/*
 * ask.h - one request of a kms_activate, kms_renew or kms_release, over however many hosts it
 * takes.
 */
#ifndef KMS_LIBKMS_CLIENT_ASK_H
#define KMS_LIBKMS_CLIENT_ASK_H

#include "libkms/client/client.h"

struct ask {
	struct kms_client *c;
	uint8_t operation; /* enum message_operation */
	uint8_t request_id[16];
	int64_t deadline; /* clock_ms, of the whole call */
	bool refreshed;   /* certificate fetched in this call from this host */
	bool caught_up;   /* sequence corrected once with this host */
	bool from_host;   /* result.status is what a host said */
	struct kms_result result;
};

/*
 * Notes why there is no better answer yet; a host's answer is kept when a later connection fails.
 */
void ask_note(struct ask *a, uint32_t status, bool from_host, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
