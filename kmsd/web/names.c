/*
 * names.c - see names.h.
 */
#include "kmsd/web/names.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <inttypes.h>
#include <string.h>

#include "kmsd/web/answer.h"
#include "kmsd/web/rows_json.h"
#include "libkms/kms_error.h"

#define SECRET 32 /* digits of a token or a session */
#define HEX "0123456789abcdef"
#define COOKIE "kms_session="

static bool
is_hex(const char *text)
{
	return text != NULL && strspn(text, HEX) == SECRET && text[SECRET] == '\0';
}

/* The session's digits, from the cookie. */
static bool
session_of(struct evhttp_request *r, char out[SECRET + 1])
{
	const char *at = evhttp_find_header(evhttp_request_get_input_headers(r), "Cookie");

	for (; at != NULL; at = strchr(at, ';')) {
		at += strspn(at, "; ");
		if (strncmp(at, COOKIE, strlen(COOKIE)) != 0)
			continue;
		at += strlen(COOKIE);
		if (strspn(at, HEX) != SECRET)
			return false;
		memcpy(out, at, SECRET);
		out[SECRET] = '\0';
		return true;
	}
	return false;
}

/* False: the query cannot be read; else the caller frees it with evhttp_clear_headers. */
static bool
read_query(struct evhttp_request *r, struct evkeyvalq *query)
{
	const char *text = evhttp_uri_get_query(evhttp_request_get_evhttp_uri(r));

	return evhttp_parse_query_str(text != NULL ? text : "", query) == 0;
}

static const char *
why(const struct reply *reply, uint32_t status)
{
	const char *message = reply_text(reply_next(reply, "error", NULL), "message");

	if (status == KMS_E_TIMEOUT || status == KMS_E_PEER)
		return "the activation process does not answer";
	return message != NULL ? message : kms_strerror(status);
}

static void
put(struct ask *ask, struct evhttp_request *r, uint16_t verb, struct control_buf *args,
    ask_done *done)
{
	int rc = ask_put(ask, verb, args, done, r);

	control_buf_free(args);
	if (rc == KMS_E_TOO_LARGE)
		answer_text(r, 400, "the query is too long");
	else if (rc != KMS_OK)
		answer_text(r, 503, "too many browsers ask at once: try again later");
}

static void
on_session(void *arg, uint32_t status, struct reply *reply)
{
	struct evhttp_request *r = arg;
	const struct reply_row *row = reply_next(reply, "session", NULL);
	const char *session = reply_text(row, "session");
	uint64_t seconds;
	char cookie[256];

	if (status == KMS_OK && is_hex(session) && reply_number(row, "seconds", &seconds)) {
		evutil_snprintf(cookie, sizeof(cookie),
		    COOKIE "%s; Path=/; Max-Age=%" PRIu64 "; HttpOnly; SameSite=Strict", session,
		    seconds);
		answer_header(r, "Set-Cookie", cookie);
		answer_header(r, "Location", "/");
		answer_text(r, 303, "logged in");
	} else {
		answer_text(r, status == KMS_E_DENIED ? 403 : 503, why(reply, status));
	}
	reply_free(reply);
}

void
names_login(struct ask *ask, struct evhttp_request *r)
{
	struct control_buf args = { 0 };
	struct evkeyvalq query = { 0 };
	const char *token = read_query(r, &query) ? evhttp_find_header(&query, "token") : NULL;

	if (is_hex(token)) {
		control_text(&args, "token", token);
		put(ask, r, CONTROL_WEB_SESSION, &args, on_session);
	} else {
		answer_text(r, 400, "this is not an address that kmsctl web login printed");
	}
	evhttp_clear_headers(&query);
}

static void
on_clients(void *arg, uint32_t status, struct reply *reply)
{
	struct evhttp_request *r = arg;
	struct evbuffer *body = evbuffer_new();
	const char *next = reply_text(reply_next(reply, "page", NULL), "next");
	json_t *all;

	if (status != KMS_OK || body == NULL) {
		answer_text(r,
		    status == KMS_E_DENIED     ? 401
		    : status == KMS_E_ARGUMENT ? 400
					       : 503,
		    why(reply, status));
		if (body != NULL)
			evbuffer_free(body);
		reply_free(reply);
		return;
	}
	all = json_object();
	json_object_set_new(all, "clients", rows_json_all(reply, "client"));
	json_object_set_new(all, "next", next != NULL ? json_string(next) : json_null());
	reply_free(reply);
	answer_send(r, answer_json(r, all, body), body);
}

void
names_clients(struct ask *ask, struct evhttp_request *r)
{
	struct control_buf args = { 0 };
	struct evkeyvalq query = { 0 };
	char session[SECRET + 1];
	const char *pattern, *from;

	if (!session_of(r, session)) {
		answer_text(r, 401, "not logged in: kmsctl web login");
		return;
	}
	if (!read_query(r, &query)) {
		answer_text(r, 400, "the query cannot be read");
		return;
	}
	pattern = evhttp_find_header(&query, "q");
	from = evhttp_find_header(&query, "from");
	control_text(&args, "session", session);
	if (pattern != NULL)
		control_text(&args, "pattern", pattern);
	if (from != NULL)
		control_text(&args, "from", from);
	evhttp_clear_headers(&query);
	put(ask, r, CONTROL_CLIENT_FIND, &args, on_clients);
}
