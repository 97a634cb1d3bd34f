/*
 * engine.c - see engine.h. libcurl says which sockets it waits for, and until when; libevent waits.
 */
#include "kmsd/share/engine.h"

#include <curl/curl.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsd/common/loop.h"
#include "kmsd/common/network.h"
#include "kmsd/share/etcd.h"
#include "libkms/base/address.h"
#include "libkms/kms_error.h"

#define CONNECT_MS 1000L
#define HEADERS_MAX 16384
#define ANSWER_START 4096
#define CONNECTIONS 8L
#define MS_US 1000

/* A request under way, and its answer so far. */
struct transfer {
	struct engine *engine; /* NULL: this place is free */
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	char *answer; /* malloc'd */
	size_t len, size, headers_len;
	char error[CURL_ERROR_SIZE];
	bool too_large, no_memory;
	engine_done *done;
	void *arg;
};

struct engine {
	struct event_base *base;
	const struct ipc_upstreams *members;
	const struct engine_tls *tls;
	CURLM *multi;
	struct event *timer;
	struct transfer transfers[ENGINE_TRANSFERS];
};

/* -- who is asked -- */

const char *
engine_member_text(char out[ENGINE_MEMBER_TEXT], const struct ipc_upstream *member)
{
	snprintf(out, ENGINE_MEMBER_TEXT, "%s:%u", member->name, member->port);
	return out;
}

/* With brackets when it is IPv6. */
static const char *
address_in_url(char out[ADDRESS_TEXT + 2], const uint8_t address[16])
{
	char text[ADDRESS_TEXT];

	snprintf(out, ADDRESS_TEXT + 2, address_is_ipv4(address) ? "%s" : "[%s]",
	    address_text(text, address));
	return out;
}

/* What the certificate has to name; an address is itself. */
static bool
named_by_address(const struct ipc_upstream *member)
{
	uint8_t address[16];

	return address_parse(address, member->name) && memcmp(address, member->address, 16) == 0;
}

bool
engine_member_ok(const struct ipc_upstream *member)
{
	char name[DNS_NAME];

	return member->port != 0 && !address_is_nowhere(member->address) &&
	       (named_by_address(member) || dns_name_parse(name, sizeof(name), member->name));
}

static bool
set_target(struct transfer *t, const struct ipc_upstream *member, const char *path)
{
	char host[IPC_UPSTREAM_NAME + ADDRESS_TEXT], address[ADDRESS_TEXT + 2], url[256], to[256];

	address_in_url(address, member->address);
	snprintf(host, sizeof(host), "%s", named_by_address(member) ? address : member->name);
	snprintf(url, sizeof(url), "https://%s:%u%s", host, member->port, path);
	snprintf(to, sizeof(to), "%s:%u:%s:%u", host, member->port, address, member->port);
	/* To this address, whatever the name is: nothing is looked up. */
	t->connect_to = curl_slist_append(NULL, to);
	return t->connect_to != NULL && curl_easy_setopt(t->easy, CURLOPT_URL, url) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->connect_to) == CURLE_OK;
}

/* -- the answer -- */

static bool
grow(struct transfer *t, size_t more)
{
	size_t size = t->size > 0 ? t->size : ANSWER_START;
	char *answer;

	if (more > ETCD_ANSWER - t->len) {
		t->too_large = true;
		return false;
	}
	if (t->len + more <= t->size)
		return true;
	while (size < t->len + more)
		size *= 2;
	if (size > ETCD_ANSWER)
		size = ETCD_ANSWER;
	if ((answer = realloc(t->answer, size)) == NULL) {
		t->no_memory = true;
		return false;
	}
	t->answer = answer;
	t->size = size;
	return true;
}

static size_t
on_body(char *bytes, size_t one, size_t len, void *arg)
{
	struct transfer *t = arg;

	if (!grow(t, len))
		return 0;
	memcpy(t->answer + t->len, bytes, len);
	t->len += len;
	return len;
}

/* libcurl keeps them all. */
static size_t
on_header(char *bytes, size_t one, size_t len, void *arg)
{
	struct transfer *t = arg;

	t->headers_len += len;
	t->too_large = t->too_large || t->headers_len > HEADERS_MAX;
	return t->too_large ? 0 : len;
}

/* -- a transfer -- */

static struct curl_blob
blob(const struct engine_pem *pem)
{
	return (struct curl_blob){
		.data = (void *)(uintptr_t)pem->bytes, .len = pem->len, .flags = CURL_BLOB_NOCOPY
	};
}

/* It believes the share's own authority alone, and looks for no other in files. */
static bool
set_tls(struct transfer *t, const struct engine_tls *tls)
{
	struct curl_blob authority = blob(&tls->authority), certificate = blob(&tls->certificate),
			 key = blob(&tls->key);

	return curl_easy_setopt(t->easy, CURLOPT_CAINFO, NULL) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_CAPATH, NULL) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_CAINFO_BLOB, &authority) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_SSLCERT_BLOB, &certificate) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_SSLKEY_BLOB, &key) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) ==
		   CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK;
}

static bool
set_limits(struct transfer *t, long patience)
{
	return curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "https") == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ==
		   CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS,
		   patience < CONNECT_MS ? patience : CONNECT_MS) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, patience) == CURLE_OK;
}

/* "Expect:" without a value: libcurl would ask first whether it may send what is large. */
static bool
set_body(struct transfer *t, const char *text, size_t len)
{
	struct curl_slist *more;

	t->headers = curl_slist_append(NULL, "Content-Type: application/json");
	if (t->headers == NULL || (more = curl_slist_append(t->headers, "Expect:")) == NULL)
		return false;
	t->headers = more;
	return curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE, (long)len) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, text) == CURLE_OK;
}

static bool
set_callbacks(struct transfer *t)
{
	return curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error) == CURLE_OK &&
	       curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t) == CURLE_OK;
}

static void
clear(struct transfer *t)
{
	if (t->easy != NULL) {
		curl_multi_remove_handle(t->engine->multi, t->easy);
		curl_easy_cleanup(t->easy);
	}
	curl_slist_free_all(t->headers);
	curl_slist_free_all(t->connect_to);
	free(t->answer);
	memset(t, 0, sizeof(*t));
}

static struct transfer *
free_place(struct engine *e)
{
	for (size_t i = 0; i < ENGINE_TRANSFERS; i++)
		if (e->transfers[i].engine == NULL)
			return &e->transfers[i];
	return NULL;
}

int
engine_post(struct engine *e, const struct engine_request *request)
{
	struct transfer *t = free_place(e);

	if (t == NULL)
		return KMS_E_OVERLOAD;
	t->engine = e;
	t->done = request->done;
	t->arg = request->arg;
	t->easy = curl_easy_init();
	if (t->easy == NULL || !set_target(t, &e->members->at[request->member], request->path) ||
	    !set_tls(t, e->tls) || !set_limits(t, request->patience) ||
	    !set_body(t, request->text, request->len) || !set_callbacks(t) ||
	    curl_multi_add_handle(e->multi, t->easy) != CURLM_OK) {
		clear(t);
		return KMS_E_NO_MEMORY;
	}
	return KMS_OK;
}

/* -- what has ended -- */

static int
status_of(const struct transfer *t, CURLcode code)
{
	if (code == CURLE_OK)
		return KMS_OK;
	if (t->no_memory)
		return KMS_E_NO_MEMORY;
	if (t->too_large)
		return KMS_E_TOO_LARGE;
	/* Also CURLE_OUT_OF_MEMORY, which libcurl says of a line that is longer than it allows. */
	return code == CURLE_OPERATION_TIMEDOUT ? KMS_E_TIMEOUT : KMS_E_NO_HOST;
}

/*
 * Of three files and the member's own certificate, which is wrong? A member that refuses ours says
 * so only when the connection is there already (TLS 1.3), or just closes it.
 */
static const char *
advice_on(struct transfer *t, CURLcode code)
{
	curl_off_t connected = 0;

	switch (code) {
	case CURLE_SSL_CERTPROBLEM:
		return "[share] certificate or key is damaged, or the key is another certificate's";
	case CURLE_PEER_FAILED_VERIFICATION:
		return "the member's certificate is not believed: it must be in force, be signed by [share] authority, and have the member's name of [share] members";
	case CURLE_SSL_CACERT_BADFILE:
		return "[share] authority is damaged";
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
		if (t->headers_len > 0 ||
		    curl_easy_getinfo(t->easy, CURLINFO_APPCONNECT_TIME_T, &connected) !=
			CURLE_OK ||
		    connected == 0)
			break;
		return "the member may refuse [share] certificate: it must be in force (openssl x509 -noout -dates -in FILE), and be signed by the authority that the member trusts";
	default:
		break;
	}
	return "";
}

/* From within, the next request may be put: the place is free by then. */
static void
finish(struct transfer *t, CURLcode code)
{
	struct transfer ended = *t;
	struct engine_result result = { .status = status_of(t, code),
		.body = ended.answer != NULL ? ended.answer : "",
		.len = ended.len,
		.why = ended.error,
		.advice = code != CURLE_OK ? advice_on(t, code) : "" };

	if (result.status == KMS_OK)
		curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &result.http);
	else if (ended.error[0] == '\0')
		result.why = curl_easy_strerror(code);
	t->answer = NULL;
	clear(t);
	ended.done(ended.arg, &result);
	free(ended.answer);
}

static void
collect(struct engine *e)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(e->multi, &left)) != NULL) {
		CURLcode code = message->data.result;
		struct transfer *t = NULL;

		if (message->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t) != CURLE_OK)
			continue;
		finish(t, code);
	}
}

/* -- libcurl's sockets and clock in the event loop -- */

static void
on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	int running, ready = ((what & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
			     ((what & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);

	curl_multi_socket_action(e->multi, fd, ready, &running);
	collect(e);
}

static void
on_time(evutil_socket_t fd, short what, void *arg)
{
	struct engine *e = arg;
	int running;

	curl_multi_socket_action(e->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(e);
}

static int
wait_for_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *event_of)
{
	struct engine *e = arg;
	struct event *event = event_of;
	short wanted = (short)(EV_PERSIST | ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
			       ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));

	if (event != NULL)
		event_free(event);
	event = what == CURL_POLL_REMOVE ? NULL : event_new(e->base, fd, wanted, on_socket, e);
	curl_multi_assign(e->multi, fd, event);
	return what == CURL_POLL_REMOVE || (event != NULL && event_add(event, NULL) == 0) ? 0 : -1;
}

static int
wait_for_time(CURLM *multi, long ms, void *arg)
{
	struct engine *e = arg;

	if (ms < 0)
		return event_del(e->timer);
	return loop_timer(e->timer, (uint64_t)ms * MS_US);
}

static bool
set_multi(struct engine *e)
{
	return curl_multi_setopt(e->multi, CURLMOPT_SOCKETFUNCTION, wait_for_socket) == CURLM_OK &&
	       curl_multi_setopt(e->multi, CURLMOPT_SOCKETDATA, e) == CURLM_OK &&
	       curl_multi_setopt(e->multi, CURLMOPT_TIMERFUNCTION, wait_for_time) == CURLM_OK &&
	       curl_multi_setopt(e->multi, CURLMOPT_TIMERDATA, e) == CURLM_OK &&
	       curl_multi_setopt(e->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING) ==
		   CURLM_OK &&
	       curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS) == CURLM_OK;
}

/* OpenSSL alone takes all three as bytes. */
static bool
can_do_this(void)
{
	const curl_version_info_data *have = curl_version_info(CURLVERSION_NOW);

	return have->ssl_version != NULL && strncmp(have->ssl_version, "OpenSSL/", 8) == 0;
}

struct engine *
engine_new(
    struct event_base *base, const struct ipc_upstreams *members, const struct engine_tls *tls)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->base = base;
	e->members = members;
	e->tls = tls;
	if (curl_global_init(CURL_GLOBAL_ALL) != CURLE_OK || !can_do_this() ||
	    (e->timer = evtimer_new(base, on_time, e)) == NULL ||
	    (e->multi = curl_multi_init()) == NULL || !set_multi(e)) {
		engine_free(e);
		return NULL;
	}
	return e;
}

void
engine_free(struct engine *e)
{
	if (e == NULL)
		return;
	for (size_t i = 0; i < ENGINE_TRANSFERS; i++)
		if (e->transfers[i].engine != NULL)
			clear(&e->transfers[i]);
	if (e->multi != NULL)
		curl_multi_cleanup(e->multi);
	if (e->timer != NULL)
		event_free(e->timer);
	free(e);
	curl_global_cleanup();
}
