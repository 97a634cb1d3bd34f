/*
 * authenticate.c - the cheap checks first, and a client enters the cache only
 * after its tag has verified: random octets cost an attacker's own time, not
 * the place of a client that comes back.
 */
#include "kmsd/activate/authenticate.h"

#include <sodium.h>
#include <string.h>

#include "libkms/core/frame.h"
#include "libkms/kms_error.h"

#define REQUEST_ID_AT 8
#define REQUEST_ID_END 24

static int
check_frame(
    struct seal_request_view *view, struct signing_key *key, const uint8_t *frame, size_t len)
{
	struct frame header;
	int rc;

	if (len < FRAME_HEADER)
		return KMS_E_BAD_FRAME;
	if ((rc = frame_decode(&header, frame, FRAME_MAX_REQUEST)) != KMS_OK)
		return rc;
	if (header.type != FRAME_REQUEST || header.length != len - FRAME_HEADER)
		return KMS_E_BAD_FRAME;
	if (seal_request_parse(view, frame, len) != KMS_OK)
		return KMS_E_BAD_FRAME;
	if (memcmp(view->host_id, signing_key_host_id(key), SEAL_HOST) != 0)
		return KMS_E_UNKNOWN_HOST;
	return KMS_OK;
}

static int
open_text(
    struct authenticated *out, const struct session *s, const uint8_t *frame, size_t frame_len)
{
	uint8_t text[FRAME_MAX_REQUEST];
	size_t len = 0;
	int rc;

	if (seal_open_request(text, sizeof(text), &len, &s->keys, frame, frame_len) != KMS_OK)
		return KMS_E_BAD_SEAL;
	if ((rc = message_request_decode(&out->request, text, len)) == KMS_OK)
		return KMS_OK;
	memset(&out->request, 0, sizeof(out->request));
	/* So that the client can tell which of its requests this answers. */
	if (len >= REQUEST_ID_END)
		memcpy(
		    out->request.request_id, text + REQUEST_ID_AT, REQUEST_ID_END - REQUEST_ID_AT);
	return KMS_E_BAD_REQUEST;
}

int
authenticate(struct authenticated *out, struct signing_key *key, struct session_cache *cache,
    const uint8_t *frame, size_t len)
{
	struct seal_request_view view;
	const struct session *known;
	int rc;

	if ((rc = check_frame(&view, key, frame, len)) != KMS_OK)
		return rc;
	if ((known = session_cache_get(cache, view.client_pk)) != NULL) {
		if ((rc = open_text(out, known, frame, len)) != KMS_E_BAD_SEAL)
			out->session = *known;
		return rc;
	}
	memcpy(out->session.client_pk, view.client_pk, SEAL_PUBLIC);
	if (signing_key_session(key, &out->session.keys, view.client_pk) != KMS_OK)
		return KMS_E_BAD_SEAL;
	if ((rc = open_text(out, &out->session, frame, len)) != KMS_E_BAD_SEAL) {
		seal_cmid(out->session.cmid, view.client_pk);
		session_cache_put(cache, &out->session);
	}
	return rc;
}
