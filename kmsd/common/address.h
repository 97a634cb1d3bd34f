/*
 * address.h - the 16 octets of a client's address (IPv4 as ::ffff:a.b.c.d) as people write it.
 */
#ifndef KMS_COMMON_ADDRESS_H
#define KMS_COMMON_ADDRESS_H

#include <netinet/in.h>
#include <stdint.h>

#define ADDRESS_TEXT INET6_ADDRSTRLEN

/* Returns out. */
const char *address_text(char out[ADDRESS_TEXT], const uint8_t address[16]);

#endif
