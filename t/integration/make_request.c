/*
 * make_request.c - make_request KEY-UUID PUBLISHER-HEX HOST-NUMBER TIME: a
 * confirmation request as an appliance makes it, with keys drawn from HOST-NUMBER, for kmsissue.t.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/base/hex.h"
#include "libkms/base/number.h"
#include "libkms/base/uuid.h"
#include "policy/host_key.h"
#include "policy/values.h"

int
main(int argc, char **argv)
{
	uint8_t seed[32], sign_sk[64], octets[CONFIRM_REQUEST_SIGNED];
	struct confirm_request r = { 0 };
	char text[4096];
	uint64_t host;

	if (argc != 5 || sodium_init() < 0 || !uuid_parse(r.host_key_id, argv[1]) ||
	    !hex_parse(r.publisher, 8, argv[2]) || !number_parse(&host, NUMBER_EXACT, argv[3]) ||
	    !number_parse(&r.time, NUMBER_EXACT, argv[4])) {
		fprintf(stderr, "usage: make_request KEY-UUID PUBLISHER-HEX HOST-NUMBER TIME\n");
		return 2;
	}
	memset(seed, (int)host, sizeof(seed));
	crypto_sign_seed_keypair(r.sign_pk, sign_sk, seed);
	snprintf(r.host_name, sizeof(r.host_name), "kms%u.example", (unsigned)host);
	confirm_request_octets(octets, &r);
	crypto_sign_detached(r.signature, NULL, octets, sizeof(octets), sign_sk);
	if (confirm_request_format(text, sizeof(text), &r) == 0)
		return 1;
	return fputs(text, stdout) < 0;
}
