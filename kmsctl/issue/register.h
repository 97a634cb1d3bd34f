/*
 * register.h - the publisher's record of confirmations, DIR/issued/register:
 * one line each, only ever appended, synced before the certificate leaves.
 * Serial numbers and the limits of a host key come from it.
 *
 * Fields, by one tab: serial, time, host key, host id, number of this
 * confirmation of the host, SHA-256 of the request, SHA-256 of the certificate's signed octets.
 */
#ifndef KMS_ISSUE_REGISTER_H
#define KMS_ISSUE_REGISTER_H

#include <stdint.h>

#include "policy/pack.h"

struct register_entry {
	uint64_t serial;
	uint64_t time;
	uint8_t host_key[16];
	uint8_t host[16];
	uint16_t confirmation;
	uint8_t request[32];
	uint8_t certificate[32];
};

struct issue_register;

/* Locks it for this process; makes it when absent; removes a last line that was written in part. KMS_E_ALTERED: why names the line. */
int register_open(struct issue_register **out, const char *path, char why[200]);
void register_close(struct issue_register *r);

/* The entry that answered this very request; NULL: none. */
const struct register_entry *register_find(const struct issue_register *r, const uint8_t request[32]);
/*
 * Serial and number of the next confirmation of host under key, filled into e (host_key and host
 * are set). KMS_E_LIMIT: why says which limit.
 */
int register_next(const struct issue_register *r, const struct host_key *key, struct register_entry *e,
    char why[200]);
/* On disk when it returns KMS_OK. */
int register_append(struct issue_register *r, const struct register_entry *e);

#endif
