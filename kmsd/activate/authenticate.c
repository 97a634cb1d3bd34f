/*
 * authenticate.c - the cheap checks first, and a client enters the cache only after its tag has
 * verified: random bytes cost an attacker time, but do not push out a client that comes back.
 */
#include "kmsd/activate/authenticate.h"

#include <sodium.h>
#include <string.h>

#include "libkms/core/frame.h"
#include "libkms/kms_error.h"

#define REQUEST_ID_AT 8
#define REQUEST_ID_END 24

int
authenticate_parse(struct seal_request_view *out, const uint8_t *frame, size_t len)
{
	int rc = seal_request_parse(out, frame, len);

	return rc == KMS_E_TRUNCATED || rc == KMS_E_TRAILING ? KMS_E_BAD_FRAME : rc;
}

/*
 * Of a request with an operation, flag or critical TLV that is unknown here, what is known stays in
 * out->request.
 */
static int
open_text(struct authenticated *out, const struct session *s, const struct seal_request_view *view)
{
	size_t len = 0;
	int rc;

	if (seal_open_view(out->text, sizeof(out->text), &len, &s->keys, view) != KMS_OK)
		return KMS_E_BAD_SEAL;
	rc = message_request_decode(&out->request, out->text, len);
	if (rc == KMS_OK && view->frame[FRAME_VERSION_AT] > out->request.highest_version)
		rc = KMS_E_FORMAT;
	if (rc == KMS_OK && frame_downgraded(view->frame[FRAME_VERSION_AT],
				out->request.highest_version, FRAME_VERSION))
		return KMS_E_DOWNGRADE;
	if (rc == KMS_OK || rc == KMS_E_SCHEMA)
		return rc == KMS_OK ? KMS_OK : KMS_E_NOT_OFFERED;
	memset(&out->request, 0, sizeof(out->request));
	/* So that the client can tell which of its requests this answers. */
	if (len >= REQUEST_ID_END)
		memcpy(out->request.request_id, out->text + REQUEST_ID_AT,
		    REQUEST_ID_END - REQUEST_ID_AT);
	return KMS_E_BAD_REQUEST;
}

int
authenticate(struct authenticated *out, const uint8_t host_id[SEAL_HOST],
    const struct exchange_keys *exchange, struct session_keys *cache,
    const struct seal_request_view *view, uint64_t now)
{
	const struct session *known;
	int rc;

	if (memcmp(view->host_id, host_id, SEAL_HOST) != 0)
		return KMS_E_UNKNOWN_HOST;
	if (!exchange_keys_has(exchange, view->key_id, now))
		return KMS_E_UNKNOWN_KEY;
	if ((known = session_keys_get(cache, view->key_id, view->client_pk)) != NULL) {
		if ((rc = open_text(out, known, view)) != KMS_E_BAD_SEAL)
			out->session = *known;
		return rc;
	}
	memcpy(out->session.key_id, view->key_id, SEAL_KEY_ID);
	memcpy(out->session.client_pk, view->client_pk, SEAL_PUBLIC);
	if (exchange_keys_session(
		exchange, &out->session.keys, view->key_id, view->client_pk, now) != KMS_OK)
		return KMS_E_BAD_SEAL;
	if ((rc = open_text(out, &out->session, view)) != KMS_E_BAD_SEAL) {
		seal_cmid(out->session.cmid, view->client_pk);
		session_keys_put(cache, &out->session);
	}
	return rc;
}
