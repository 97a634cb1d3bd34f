/*
 * records.h - DNS records as this host publishes them: what kms.ini asks for, their text in a
 * zone file, and their forms for other servers' tools.
 */
#ifndef KMSCTL_DNS_RECORDS_H
#define KMSCTL_DNS_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "kmsd/common/config.h"
#include "libkms/base/fault.h"

#define RECORDS_MAX 128
#define RECORD_TEXT 640 /* two names of 253, a type, numbers */

enum record_type { RECORD_SRV, RECORD_A, RECORD_AAAA };

struct record {
	enum record_type type;
	char name[DNS_NAME + 16]; /* without the last dot */
	uint32_t ttl;
	uint16_t priority, weight, port;
	char data[DNS_NAME]; /* target or address */
};

struct records {
	struct record rows[RECORDS_MAX];
	unsigned count;
};

/*
 * The services that are published: "_kms", and "_vlmcs" when the ini file says so, alone where
 * it names no publisher; NULL after the last.
 */
const char *records_service(const struct config *c, unsigned i);
/* The domains: kms.ini's or, when it names none, that of host; NULL after the last. */
const char *records_domain(const struct config *c, const char *host, unsigned i);
/* The name that records point to. KMS_OK, or KMS_E_CONFIG with f. */
int records_host(const struct config *c, char host[DNS_NAME], struct fault *f);

/* All that kms.ini asks for. KMS_OK, or KMS_E_CONFIG with f. */
int records_wanted(struct records *out, const struct config *c, struct fault *f);

/* Name, type and data; the TTL does not identify a record. */
bool record_same(const struct record *a, const struct record *b);
bool records_have(const struct records *set, const struct record *r);
/* Adds one that is not there yet. False: no room. */
bool records_add(struct records *set, const struct record *r);

/* "NAME. TTL IN TYPE DATA", and "TYPE DATA" alone. */
void record_text(char out[RECORD_TEXT], const struct record *r);
void record_data(char out[RECORD_TEXT], const struct record *r);
const char *record_type(const struct record *r);
/* What record_text wrote. */
bool record_parse(struct record *out, const char *line);

/* Forms for other servers; line is the text of one record. */
struct records_format {
	const char *name;
	void (*line)(char out[2 * RECORD_TEXT], const struct record *r, const struct config *c);
};
/* "zone", "powershell", "dnsmasq"; NULL: no such format. */
const struct records_format *records_format(const char *name);

#endif
