/*
 * own_name.c - see own_name.h. Names are looked up as etcd and curl do it, /etc/hosts included.
 */
#include "kmsctl/share/own_name.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "libkms/base/address.h"
#include "libkms/kms_error.h"

int
share_host_read(char out[DNS_NAME], const char *text, struct fault *f)
{
	struct endpoint e;

	if (!endpoint_parse(&e, text, 0) || e.port != 0 || strlen(e.name) > SHARE_HOST_MAX)
		return fault_set(f, KMS_E_ARGUMENT,
		    "%s: expected the name or the address of a host, of at most %d bytes and without a port",
		    text, SHARE_HOST_MAX);
	snprintf(out, DNS_NAME, "%s", e.name);
	return KMS_OK;
}

int
share_host_look_up(const char *host, bool *own, struct fault *f)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	uint8_t address[16];
	int rc = getaddrinfo(host, NULL, &hints, &list);

	*own = false;
	if (rc != 0)
		return fault_set(f, KMS_E_NO_HOST,
		    "%s has no address (%s): enter the name in DNS, or in /etc/hosts on each host of the share",
		    host, gai_strerror(rc));
	for (const struct addrinfo *i = list; i != NULL && !*own; i = i->ai_next)
		*own = address_take(address, NULL, i->ai_addr) && address_is_own(address);
	freeaddrinfo(list);
	return KMS_OK;
}
