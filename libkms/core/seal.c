/*
 * seal.c - session keys (crypto_kx) and sealed frames (XChaCha20-Poly1305-IETF); see seal.h and
 * kms-protocol(7), "Sealing".
 */
#include "libkms/core/seal.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "libkms/core/frame.h"
#include "libkms/kms_error.h"

_Static_assert(SEAL_PUBLIC == crypto_kx_PUBLICKEYBYTES, "X25519");
_Static_assert(sizeof(((struct seal_keys *)0)->to_host) == crypto_kx_SESSIONKEYBYTES, "kx");
_Static_assert(SEAL_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "XChaCha20");
_Static_assert(SEAL_TAG == crypto_aead_xchacha20poly1305_ietf_ABYTES, "Poly1305");

void
seal_cmid(uint8_t out[SEAL_CMID], const uint8_t client_pk[SEAL_PUBLIC])
{
	static const char label[] = "KMS client v1";
	uint8_t text[sizeof(label) - 1 + SEAL_PUBLIC];
	uint8_t hash[crypto_hash_sha256_BYTES];

	memcpy(text, label, sizeof(label) - 1);
	memcpy(text + sizeof(label) - 1, client_pk, SEAL_PUBLIC);
	crypto_hash_sha256(hash, text, sizeof(text));
	memcpy(out, hash, SEAL_CMID);
}

int
seal_client_keys(struct seal_keys *out, const uint8_t client_pk[32], const uint8_t client_sk[32],
    const uint8_t host_pk[32])
{
	return crypto_kx_client_session_keys(
		   out->to_client, out->to_host, client_pk, client_sk, host_pk) == 0
		   ? KMS_OK
		   : KMS_E_FORMAT;
}

int
seal_host_keys(struct seal_keys *out, const uint8_t host_pk[32], const uint8_t host_sk[32],
    const uint8_t client_pk[32])
{
	return crypto_kx_server_session_keys(
		   out->to_host, out->to_client, host_pk, host_sk, client_pk) == 0
		   ? KMS_OK
		   : KMS_E_FORMAT;
}

/* The differences between the two sealed frames. */
struct shape {
	enum frame_type type;
	uint32_t max; /* payload */
	size_t clear; /* bytes of the payload that stay clear before the nonce */
};

static const struct shape request_shape = { FRAME_REQUEST, FRAME_MAX_REQUEST, SEAL_REQUEST_CLEAR };
static const struct shape reply_shape = { FRAME_REPLY, FRAME_MAX_REPLY, 0 };

/* Frame header, nonce and ciphertext; the caller has put the clear part in its place. */
static size_t
seal(uint8_t *out, const struct shape *s, const uint8_t key[32], const uint8_t nonce[SEAL_NONCE],
    const uint8_t *text, size_t len)
{
	size_t ad = FRAME_HEADER + s->clear;
	size_t payload = s->clear + SEAL_NONCE + len + SEAL_TAG;

	frame_encode(out, s->type, (uint32_t)payload);
	if (nonce != NULL)
		memcpy(out + ad, nonce, SEAL_NONCE);
	else
		randombytes_buf(out + ad, SEAL_NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
	    out + ad + SEAL_NONCE, NULL, text, len, out, ad, NULL, out + ad, key);
	return FRAME_HEADER + payload;
}

static bool
seal_fits(size_t size, const struct shape *s, size_t len)
{
	size_t overhead = s->clear + SEAL_NONCE + SEAL_TAG;

	return len <= s->max - overhead && size >= FRAME_HEADER + overhead + len;
}

size_t
seal_request(uint8_t *out, size_t size, const struct seal_keys *keys,
    const uint8_t host_id[SEAL_HOST], const uint8_t key_id[SEAL_KEY_ID],
    const uint8_t client_pk[SEAL_PUBLIC], const uint8_t nonce[SEAL_NONCE], const uint8_t *text,
    size_t len)
{
	uint8_t *clear = out + FRAME_HEADER;

	if (!seal_fits(size, &request_shape, len))
		return 0;
	memcpy(clear, host_id, SEAL_HOST);
	memcpy(clear + SEAL_HOST, key_id, SEAL_KEY_ID);
	memcpy(clear + SEAL_HOST + SEAL_KEY_ID, client_pk, SEAL_PUBLIC);
	return seal(out, &request_shape, keys->to_host, nonce, text, len);
}

size_t
seal_reply(uint8_t *out, size_t size, const struct seal_keys *keys, const uint8_t nonce[SEAL_NONCE],
    const uint8_t *text, size_t len)
{
	if (!seal_fits(size, &reply_shape, len))
		return 0;
	return seal(out, &reply_shape, keys->to_client, nonce, text, len);
}

/* A whole frame of this shape: header right, length as said, room for nonce and tag. */
static int
check_frame(const struct shape *s, const uint8_t *frame, size_t len)
{
	struct frame f;
	int rc;

	if (len < FRAME_HEADER)
		return KMS_E_TRUNCATED;
	if ((rc = frame_decode(&f, frame, s->max)) != KMS_OK)
		return rc;
	if (f.type != s->type)
		return KMS_E_BAD_FRAME;
	if (f.length != len - FRAME_HEADER)
		return f.length > len - FRAME_HEADER ? KMS_E_TRUNCATED : KMS_E_TRAILING;
	return f.length < s->clear + SEAL_NONCE + SEAL_TAG ? KMS_E_TRUNCATED : KMS_OK;
}

/* The parts of a whole frame of this shape. */
static int
seal_parse(struct seal_request_view *out, const struct shape *s, const uint8_t *frame, size_t len)
{
	const uint8_t *payload = frame + FRAME_HEADER;
	int rc = check_frame(s, frame, len);

	if (rc != KMS_OK)
		return rc;
	out->frame = frame;
	out->host_id = payload;
	out->key_id = payload + SEAL_HOST;
	out->client_pk = payload + SEAL_HOST + SEAL_KEY_ID;
	out->nonce = payload + s->clear;
	out->sealed = out->nonce + SEAL_NONCE;
	out->sealed_len = (size_t)(frame + len - out->sealed);
	return KMS_OK;
}

static int
seal_open(uint8_t *text, size_t size, size_t *len, const uint8_t key[32],
    const struct seal_request_view *v)
{
	*len = 0;
	if (v->sealed_len - SEAL_TAG > size)
		return KMS_E_TOO_LARGE;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(text, NULL, NULL, v->sealed, v->sealed_len,
		v->frame, (size_t)(v->nonce - v->frame), v->nonce, key) != 0)
		return KMS_E_BAD_SEAL;
	*len = v->sealed_len - SEAL_TAG;
	return KMS_OK;
}

int
seal_request_parse(struct seal_request_view *out, const uint8_t *frame, size_t len)
{
	return seal_parse(out, &request_shape, frame, len);
}

int
seal_open_view(uint8_t *text, size_t size, size_t *len, const struct seal_keys *keys,
    const struct seal_request_view *view)
{
	return seal_open(text, size, len, keys->to_host, view);
}

int
seal_open_request(uint8_t *text, size_t size, size_t *len, const struct seal_keys *keys,
    const uint8_t *frame, size_t frame_len)
{
	struct seal_request_view v;
	int rc = seal_parse(&v, &request_shape, frame, frame_len);

	*len = 0;
	return rc != KMS_OK ? rc : seal_open(text, size, len, keys->to_host, &v);
}

int
seal_open_reply(uint8_t *text, size_t size, size_t *len, const struct seal_keys *keys,
    const uint8_t *frame, size_t frame_len)
{
	struct seal_request_view v;
	int rc = seal_parse(&v, &reply_shape, frame, frame_len);

	*len = 0;
	return rc != KMS_OK ? rc : seal_open(text, size, len, keys->to_client, &v);
}
