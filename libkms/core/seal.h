/*
 * seal.h - session keys and sealed frames. crypto_kx (X25519, BLAKE2b) gives
 * directional keys from the client's static key and one of the host's exchange keys; a message is
 * XChaCha20-Poly1305-IETF under a random 24-byte nonce.
 *
 * Key structures are plain memory: the owner keeps them in guarded memory (sodium_malloc) and
 * wipes them.
 */
#ifndef KMS_LIBKMS_CORE_SEAL_H
#define KMS_LIBKMS_CORE_SEAL_H

#include <stddef.h>
#include <stdint.h>

#define SEAL_PUBLIC 32
#define SEAL_SECRET 32
#define SEAL_NONCE 24
#define SEAL_TAG 16
#define SEAL_CMID 16
#define SEAL_HOST 16
#define SEAL_KEY_ID 8         /* of the host's exchange key */
#define SEAL_REQUEST_CLEAR 56 /* host id + exchange key id + client public key */
#define SEAL_REQUEST_OVERHEAD (SEAL_REQUEST_CLEAR + SEAL_NONCE + SEAL_TAG)
#define SEAL_REPLY_OVERHEAD (SEAL_NONCE + SEAL_TAG)

struct seal_keys {
	uint8_t to_host[32];   /* client encrypts, host decrypts */
	uint8_t to_client[32]; /* host encrypts, client decrypts */
};

/* CMID: first 16 bytes of SHA-256("KMS client v1" || client public key). */
void seal_cmid(uint8_t out[SEAL_CMID], const uint8_t client_pk[SEAL_PUBLIC]);

/* Both ends get the same struct. KMS_E_FORMAT when the peer's key is of small order. */
int seal_client_keys(struct seal_keys *out, const uint8_t client_pk[32],
    const uint8_t client_sk[32], const uint8_t host_pk[32]);
int seal_host_keys(struct seal_keys *out, const uint8_t host_pk[32], const uint8_t host_sk[32],
    const uint8_t client_pk[32]);

/*
 * Seal text into a whole frame (header included) at out. nonce NULL: random.
 * Returns the frame's size, 0 when it does not fit in size or in the protocol's limit.
 */
size_t seal_request(uint8_t *out, size_t size, const struct seal_keys *keys,
    const uint8_t host_id[SEAL_HOST], const uint8_t key_id[SEAL_KEY_ID],
    const uint8_t client_pk[SEAL_PUBLIC], const uint8_t nonce[SEAL_NONCE], const uint8_t *text,
    size_t len);
size_t seal_reply(uint8_t *out, size_t size, const struct seal_keys *keys,
    const uint8_t nonce[SEAL_NONCE], const uint8_t *text, size_t len);

/*
 * The clear part of a whole REQUEST frame; views borrow from frame. KMS_E_TRUNCATED,
 * KMS_E_TRAILING (longer than its header says), or what frame_decode returns.
 */
struct seal_request_view {
	const uint8_t *frame;     /* from its first byte */
	const uint8_t *host_id;   /* 16 */
	const uint8_t *key_id;    /* 8 */
	const uint8_t *client_pk; /* 32 */
	const uint8_t *nonce;     /* 24 */
	const uint8_t *sealed;    /* ciphertext and tag */
	size_t sealed_len;
};
int seal_request_parse(struct seal_request_view *out, const uint8_t *frame, size_t len);

/*
 * Open a request that was parsed, or a whole frame; text gets at most size bytes, *len how many.
 * As above, and KMS_E_BAD_SEAL, KMS_E_TOO_LARGE (text does not fit).
 */
int seal_open_view(uint8_t *text, size_t size, size_t *len, const struct seal_keys *keys,
    const struct seal_request_view *view);
int seal_open_request(uint8_t *text, size_t size, size_t *len, const struct seal_keys *keys,
    const uint8_t *frame, size_t frame_len);
int seal_open_reply(uint8_t *text, size_t size, size_t *len, const struct seal_keys *keys,
    const uint8_t *frame, size_t frame_len);

#endif
