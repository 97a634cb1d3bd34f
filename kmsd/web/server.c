/*
 * server.c - see server.h. evhttp has no bound of connections and no end of a slow one's life; the
 * table of places here has both. A reference to each connection's bufferevent is held, so that it
 * can be seen when evhttp has let it go.
 */
#include "kmsd/web/server.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/common/log.h"
#include "kmsd/web/answer.h"
#include "kmsd/web/health.h"
#include "kmsd/web/host_name.h"
#include "kmsd/web/metrics.h"
#include "kmsd/web/names.h"
#include "kmsd/web/page_text.h"
#include "kmsd/web/web_state.h"
#include "libkms/base/clock.h"
#include "libkms/kms_error.h"

struct place {
	struct bufferevent *connection; /* NULL: free */
	int64_t since;                  /* ms */
};

struct server {
	struct event_base *base;
	const struct config *config;
	struct known *known;
	struct ask *ask;
	struct evhttp *http;
	struct place *places;
	unsigned size;
};

/* What can be asked for, and what must be known first. */
struct page {
	const char *path;
	unsigned needs; /* KNOWN(...) */
	/* rc: as known_done has it. Fills body; the code of the answer. Or: */
	int (*make)(const struct known *k, int rc, struct evhttp_request *r, struct evbuffer *body);
	/* it asks for itself, and answers; or a text of a type. */
	void (*begin)(struct ask *ask, struct evhttp_request *r);
	const char *text, *type;
};

/* One that waits for the activation process. */
struct errand {
	struct server *server;
	struct evhttp_request *request;
	const struct page *page;
};

/* -- places -- */

/* evhttp lets a connection go by bufferevent_free, which takes its callbacks away. */
static bool
ended(struct bufferevent *b)
{
	bufferevent_data_cb read, write;
	bufferevent_event_cb event;
	void *arg;

	bufferevent_getcb(b, &read, &write, &event, &arg);
	return read == NULL && write == NULL && event == NULL;
}

/* As a time-out that evhttp has set: it closes the connection, whatever it does. */
static void
end(struct place *p)
{
	bufferevent_trigger_event(p->connection, BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0);
}

static void
sweep(struct server *s)
{
	for (unsigned i = 0; i < s->size; i++) {
		struct place *p = &s->places[i];

		if (p->connection == NULL || !ended(p->connection))
			continue;
		bufferevent_decref(p->connection);
		p->connection = NULL;
	}
}

static struct place *
find_free(struct server *s)
{
	sweep(s);
	for (unsigned i = 0; i < s->size; i++)
		if (s->places[i].connection == NULL)
			return &s->places[i];
	return NULL;
}

static struct place *
make_place(struct server *s)
{
	struct place *oldest = &s->places[0];

	for (unsigned i = 1; i < s->size; i++)
		if (s->places[i].since < oldest->since)
			oldest = &s->places[i];
	log_limited(LOG_NOTICE, "web-full",
	    "%u connections are open, which is the limit: the oldest is closed ([web] connections)",
	    s->size);
	end(oldest);
	return find_free(s);
}

/* Called for each new connection, before evhttp has it. */
static struct bufferevent *
on_connection(struct event_base *base, void *arg)
{
	struct server *s = arg;
	struct place *p = find_free(s);
	struct bufferevent *b = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);

	if (p == NULL)
		p = make_place(s);
	if (b == NULL || p == NULL)
		return b;
	bufferevent_incref(b);
	p->connection = b;
	p->since = clock_ms();
	return b;
}

void
server_turn(struct server *s)
{
	int64_t old = clock_ms() - SERVER_SECONDS * 1000;

	for (unsigned i = 0; i < s->size; i++)
		if (s->places[i].connection != NULL && s->places[i].since < old &&
		    !ended(s->places[i].connection))
			end(&s->places[i]);
	sweep(s);
}

/* -- pages -- */

static void
on_known(void *arg, int rc)
{
	struct errand *e = arg;
	struct evbuffer *body = evbuffer_new();

	if (body == NULL)
		evhttp_send_error(e->request, 503, NULL);
	else
		answer_send(
		    e->request, e->page->make(e->server->known, rc, e->request, body), body);
	free(e);
}

static const struct page pages[] = {
	{ .path = "/", .text = page_html, .type = "text/html; charset=utf-8" },
	{ .path = "/style.css", .text = page_css, .type = "text/css; charset=utf-8" },
	{ .path = "/page.js", .text = page_js, .type = "text/javascript; charset=utf-8" },
	{ .path = "/icon.svg", .text = page_icon, .type = "image/svg+xml" },
	{ .path = "/health", .needs = KNOWN(STATUS), .make = health_make },
	{ .path = "/metrics",
	    .needs = KNOWN(STATUS) | KNOWN(METRICS) | KNOWN(KEYS) | KNOWN(RELAY),
	    .make = metrics_make },
	{ .path = "/api/state",
	    .needs = KNOWN(STATUS) | KNOWN(METRICS) | KNOWN(KEYS) | KNOWN(RELAY) | KNOWN(POLICY) |
		     KNOWN(USAGE),
	    .make = state_make },
	{ .path = "/api/clients", .begin = names_clients },
	{ .path = "/login", .begin = names_login },
};

static const struct page *
find_page(struct evhttp_request *r)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(r);
	const char *path = uri != NULL ? evhttp_uri_get_path(uri) : NULL;

	for (size_t i = 0; path != NULL && i < sizeof(pages) / sizeof(pages[0]); i++)
		if (strcmp(pages[i].path, path) == 0)
			return &pages[i];
	return NULL;
}

/* False: it was refused, and the answer is on its way. */
static bool
may_ask(const struct server *s, struct evhttp_request *r)
{
	struct evkeyvalq *in = evhttp_request_get_input_headers(r);
	const char *host = evhttp_find_header(in, "Host");

	if (!host_allowed(s->config, host)) {
		log_limited(LOG_NOTICE, "web-host",
		    "refused a request for the host \"%.64s\", which is not in [web] hosts",
		    host != NULL ? host : "");
		answer_text(r, 421,
		    "This host does not know this name: write it under [web] hosts in kms.ini");
		return false;
	}
	if (!origin_allowed(evhttp_find_header(in, "Origin"), host)) {
		answer_text(r, 403, "Pages of other sites may not send requests");
		return false;
	}
	return true;
}

static void
send_page(struct evhttp_request *r, const struct page *page)
{
	struct evbuffer *body = evbuffer_new();

	if (body == NULL) {
		evhttp_send_error(r, 503, NULL);
		return;
	}
	evbuffer_add_reference(body, page->text, strlen(page->text), NULL, NULL);
	answer_header(r, "Content-Type", page->type);
	answer_send(r, 200, body);
}

static void
on_request(struct evhttp_request *r, void *arg)
{
	struct server *s = arg;
	const struct page *page;
	struct errand *e;

	if (!may_ask(s, r))
		return;
	if ((page = find_page(r)) == NULL) {
		answer_text(r, 404, "There is no such page");
		return;
	}
	if (page->text != NULL) {
		send_page(r, page);
		return;
	}
	if (page->begin != NULL) {
		page->begin(s->ask, r);
		return;
	}
	if ((e = malloc(sizeof(*e))) == NULL) {
		evhttp_send_error(r, 503, NULL);
		return;
	}
	*e = (struct errand){ .server = s, .request = r, .page = page };
	known_want(s->known, page->needs, on_known, e);
}

/* -- begin and end -- */

struct server *
server_new(
    struct event_base *base, const struct config *config, struct known *known, struct ask *ask)
{
	struct server *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->base = base;
	s->config = config;
	s->known = known;
	s->ask = ask;
	s->size = config->web_connections;
	s->places = calloc(s->size, sizeof(*s->places));
	s->http = evhttp_new(base);
	if (s->places == NULL || s->http == NULL) {
		server_free(s);
		return NULL;
	}
	evhttp_set_allowed_methods(s->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(s->http, SERVER_HEAD_MAX);
	evhttp_set_max_body_size(s->http, 0);
	evhttp_set_timeout(s->http, SERVER_SECONDS);
	evhttp_set_bevcb(s->http, on_connection, s);
	evhttp_set_gencb(s->http, on_request, s);
	return s;
}

int
server_listen(struct server *s, int fd)
{
	return evhttp_accept_socket_with_handle(s->http, fd) != NULL ? KMS_OK : KMS_E_NO_MEMORY;
}

void
server_free(struct server *s)
{
	if (s == NULL)
		return;
	if (s->http != NULL)
		evhttp_free(s->http);
	if (s->places != NULL)
		sweep(s);
	free(s->places);
	free(s);
}
