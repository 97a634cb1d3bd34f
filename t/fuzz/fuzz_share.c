/*
 * fuzz_share.c - both sides of kmsd-share: any body as any verb, which encodes to the same bytes
 * again when it is taken; and any answer of etcd to any request.
 *
 * The first byte chooses: below 128 it is the verb, else the kind of request.
 */
#include <string.h>

#include "kmsd/ipc/share_verbs.h"
#include "kmsd/share/etcd.h"
#include "kmsd/share/share_keys.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"

static void
beats(const struct share_message *m)
{
	struct wire_reader r;
	const uint8_t *octets;
	uint8_t host[16];
	size_t len, count = 0;

	wire_reader_init(&r, m->octets, m->len);
	while (share_beats_next(&r, host, &octets, &len) == KMS_OK) {
		MUST(len > 0 && len <= SHARE_BEAT_MAX);
		MUST(octets + len <= m->octets + m->len);
		MUST(++count <= m->len / SHARE_BEAT_HEAD);
	}
}

/* token 8, host 16, body */
static void
message(uint8_t verb, enum share_end from, const uint8_t *data, size_t size)
{
	struct ipc_frame f = { .verb = verb }, again;
	struct share_requests requests = { 0 };
	uint8_t fixed[SHARE_FIXED];
	struct share_message m;
	struct wire_reader r;
	const uint8_t *body;

	wire_reader_init(&r, data, size);
	f.token = wire_get_u64(&r);
	wire_get(&r, f.address, 16);
	f.length = (uint32_t)wire_left(&r);
	body = wire_view(&r, f.length);
	if (r.bad || share_decode(&m, &f, body, from) != KMS_OK)
		return;
	MUST(m.len <= SHARE_OCTETS);
	MUST(share_encode(&again, fixed, &m, from) == KMS_OK);
	MUST(memcmp(fixed, body, SHARE_FIXED) == 0);
	MUST(again.length == f.length && again.token == f.token && again.verb == verb);
	MUST(memcmp(again.address, f.address, 16) == 0);
	if (from == SHARE_BY_ACTIVATE && verb != SHARE_WELCOME) {
		MUST(share_asked(&requests, &m) == KMS_OK);
		MUST(share_asked(&requests, &m) == KMS_E_EXISTS);
	} else if (from == SHARE_BY_SHARE) {
		(void)share_answered(&requests, &m);
	}
	if (verb == SHARE_BEATS_ARE)
		beats(&m);
}

static void
answer(enum etcd_kind kind, const char *text, size_t len)
{
	static const uint8_t host[16] = { 1 };
	static uint8_t value[SHARE_PARCEL];
	char key[SHARE_KEY], again[SHARE_KEY], why[128];
	struct etcd_answer a;

	if (etcd_answer_parse(&a, kind, text, len) == KMS_OK) {
		MUST(a.cluster != 0 && a.count <= ETCD_VALUES);
		for (size_t i = 0; i < a.count; i++) {
			uint64_t first;
			uint8_t got[16];
			size_t n;

			if (!etcd_answer_pair(&a, i, key, sizeof(key), value, sizeof(value), &n))
				continue;
			MUST(strlen(key) < sizeof(key) && n <= sizeof(value));
			if (share_key_is_parcel(key, "s", host, &first))
				MUST(strcmp(share_key_parcel(again, "s", host, first), key) == 0);
			if (share_key_is_beat(key, "s", got))
				MUST(strcmp(share_key_beat(again, "s", got), key) == 0);
		}
	}
	etcd_answer_free(&a);
	MUST(etcd_error(why, 500, text, len) != KMS_OK);
	MUST(strlen(why) < sizeof(why));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 65536)
		return 0;
	if (data[0] < 128)
		message(data[0], data[0] < SHARE_READY ? SHARE_BY_ACTIVATE : SHARE_BY_SHARE,
		    data + 1, size - 1);
	else
		answer((enum etcd_kind)(data[0] % 4), (const char *)data + 1, size - 1);
	return 0;
}
