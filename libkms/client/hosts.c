/*
 * hosts.c - see hosts.h; and kms_discover, which shows them.
 */
#include "libkms/client/hosts.h"

#include <stdio.h>

#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

int
client_hosts_begin(struct kms_client *c, struct discover *d, int64_t deadline,
    struct discover_host hosts[DISCOVER_HOSTS], size_t *count)
{
	*d = (struct discover){
		.nameserver = c->nameserver,
		.domain = c->domain,
		.deadline = deadline,
	};
	if (c->host == NULL)
		return discover_hosts_begin(d, hosts, count);
	*count = 1;
	return discover_parse(&hosts[0], c->host, KMS_PORT);
}

int
kms_discover(struct kms_client *c, char *out, size_t size)
{
	struct discover_host hosts[DISCOVER_HOSTS];
	struct discover d;
	size_t i, count, used = 0;
	int rc, n;

	if (c == NULL || out == NULL || size == 0)
		return KMS_E_ARGUMENT;
	out[0] = '\0';
	rc = client_hosts_begin(c, &d, clock_ms() + c->total_timeout, hosts, &count);
	if ((rc = discover_finish(&d, rc)) != KMS_OK)
		return rc;
	for (i = 0; i < count; i++) {
		n = snprintf(out + used, size - used, "%s %u\n", hosts[i].name, hosts[i].port);
		if (n < 0 || (size_t)n >= size - used)
			return KMS_E_TOO_LARGE;
		used += (size_t)n;
	}
	return KMS_OK;
}
