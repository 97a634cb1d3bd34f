/*
 * discover.h - where the KMS hosts are: a fixed name, or the SRV records
 * _kms._tcp.<domain> in the order of RFC 2782, then the addresses of each.
 */
#ifndef KMS_LIBKMS_CLIENT_DISCOVER_H
#define KMS_LIBKMS_CLIENT_DISCOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "libkms/client/order.h"

#define DISCOVER_HOSTS 32     /* targets kept of one answer */
#define DISCOVER_ADDRESSES 16 /* addresses kept of one target */

struct discover_address {
	struct sockaddr_storage to;
	socklen_t len;
};

struct discover {
	const char *nameserver;  /* "address[:port]"; NULL: the system's */
	const char *domain;      /* NULL: the resolver's search list */
	const char *service;     /* of the SRV records; NULL: "_kms" */
	int64_t deadline;        /* clock_ms */
	discover_random *random; /* NULL: randombytes_uniform */
	void *random_arg;
	char detail[160]; /* out: what went wrong, one line */
	bool absent;      /* out, with KMS_E_NO_HOST: a name server says that there is none */
};

/*
 * In the order to try. KMS_OK (count > 0), KMS_E_NO_HOST, KMS_E_NO_MEMORY, KMS_E_FORMAT
 * (nameserver).
 */
int discover_hosts(struct discover *d, struct discover_host hosts[DISCOVER_HOSTS], size_t *count);
int discover_addresses(struct discover *d, const struct discover_host *host,
    struct discover_address out[DISCOVER_ADDRESSES], size_t *count);

#endif
