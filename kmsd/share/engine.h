/*
 * engine.h - HTTPS to the members of the engine's cluster: one request to one of them, with its
 * time and its answer's size limited. libcurl in the event loop. Nothing is looked up, and no file
 * is read: addresses come resolved, keys and certificates as bytes.
 *
 * Which member, and whether to try again, is the caller's to decide (carrier.h).
 */
#ifndef KMSD_SHARE_ENGINE_H
#define KMSD_SHARE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kmsd/ipc/ipc.h"

struct event_base;
struct engine;

#define ENGINE_TLS_MAX IPC_SHARE_TLS_MAX
#define ENGINE_MEMBERS IPC_SHARE_MEMBERS
#define ENGINE_TRANSFERS 12
/* Descriptors that it needs: sockets, and what libcurl keeps for itself. */
#define ENGINE_FILES (ENGINE_TRANSFERS + ENGINE_MEMBERS + 8)

/* PEM, as it came. */
struct engine_tls {
	struct engine_pem {
		uint8_t bytes[ENGINE_TLS_MAX];
		size_t len;
	} authority, certificate, key;
};

/*
 * Opens what libraries read from files, so before the sandbox. members and tls are the caller's,
 * and stay. NULL: memory, or libcurl cannot do this.
 */
struct engine *engine_new(
    struct event_base *base, const struct ipc_upstreams *members, const struct engine_tls *tls);
/* Ends all transfers, and tells nobody. */
void engine_free(struct engine *e);

/*
 * status KMS_OK: http and the body, borrowed; else none came: KMS_E_TIMEOUT, KMS_E_TOO_LARGE (its
 * answer is), KMS_E_NO_HOST (why says what). why is libcurl's text, or empty; advice is what an
 * administrator may look at then, or empty.
 */
struct engine_result {
	int status;
	long http;
	const char *body;
	size_t len;
	const char *why, *advice;
};
typedef void engine_done(void *arg, const struct engine_result *result);

/* POST to members->at[member]; text stays until done is called, once, later. */
struct engine_request {
	unsigned member;
	const char *path; /* "/v3/kv/range" */
	const char *text;
	size_t len;
	long patience; /* ms */
	engine_done *done;
	void *arg;
};
/* KMS_OK, KMS_E_OVERLOAD, KMS_E_NO_MEMORY: done is not called. */
int engine_post(struct engine *e, const struct engine_request *request);

/* "etcd1.example.com:2379"; returns out. */
#define ENGINE_MEMBER_TEXT (IPC_UPSTREAM_NAME + 16)
const char *engine_member_text(char out[ENGINE_MEMBER_TEXT], const struct ipc_upstream *member);
/* The name can be one in a certificate: a DNS name, or the member's own address. */
bool engine_member_ok(const struct ipc_upstream *member);

#endif
