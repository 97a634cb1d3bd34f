/*
 * answer.c - see answer.h.
 */
#include "kmsd/web/answer.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *const headers[][2] = {
	{ "Cache-Control", "no-store" },
	{ "Connection", "close" },
	{ "Content-Security-Policy",
	    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
	{ "Cross-Origin-Opener-Policy", "same-origin" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
	{ "Referrer-Policy", "no-referrer" },
	{ "X-Content-Type-Options", "nosniff" },
};

static const char *
reason(int code)
{
	static const struct {
		int code;
		const char *text;
	} reasons[] = { { 200, "OK" }, { 303, "See Other" }, { 401, "Unauthorized" },
		{ 400, "Bad Request" }, { 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 421, "Misdirected Request" },
		{ 503, "Service Unavailable" } };

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].code == code)
			return reasons[i].text;
	return "Error";
}

/* Of a HEAD only the length is sent. */
void
answer_send(struct evhttp_request *r, int code, struct evbuffer *body)
{
	struct evkeyvalq *out = evhttp_request_get_output_headers(r);
	char length[24];

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
		evhttp_add_header(out, headers[i][0], headers[i][1]);
	if (evhttp_find_header(out, "Content-Type") == NULL)
		evhttp_add_header(out, "Content-Type", "text/plain; charset=utf-8");
	evutil_snprintf(length, sizeof(length), "%zu", evbuffer_get_length(body));
	evhttp_add_header(out, "Content-Length", length);
	if (evhttp_request_get_command(r) == EVHTTP_REQ_HEAD)
		evbuffer_drain(body, evbuffer_get_length(body));
	evhttp_send_reply(r, code, reason(code), body);
	evbuffer_free(body);
}

void
answer_text(struct evhttp_request *r, int code, const char *text)
{
	struct evbuffer *body = evbuffer_new();

	if (body == NULL) {
		evhttp_send_error(r, 503, NULL);
		return;
	}
	evbuffer_add_printf(body, "%s\n", text);
	answer_send(r, code, body);
}

int
answer_json(struct evhttp_request *r, json_t *all, struct evbuffer *body)
{
	char *text = json_dumps(all, JSON_COMPACT);

	json_decref(all);
	if (text == NULL)
		return 503;
	answer_header(r, "Content-Type", "application/json");
	evbuffer_add(body, text, strlen(text));
	free(text);
	return 200;
}

void
answer_header(struct evhttp_request *r, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(r), name, value);
}
