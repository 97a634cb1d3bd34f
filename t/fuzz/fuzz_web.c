/*
 * fuzz_web.c - the whole of kmsd-web but main.c and its sandbox, over real sockets and the real
 * event loop. The input plays its neighbours: four clients, a crowd, kmsd-activate and the clock.
 * Whatever they do, clients get whole answers of HTTP, JSON that can be read and one answer a
 * connection; kmsd-activate gets one question at a time, of those that kmsd-web may ask and no
 * longer than it takes; and nothing is left at the end.
 *
 * Steps (steps.h):
 *   0..3  that client writes; it connects first    a..d  it disconnects   w..z  it sends no more
 *   r     all clients read
 *   X     kmsd-activate answers: which status, then rows (fields of kmsd/ipc/control.h)
 *   A     kmsd-activate writes these bytes         E     it closes the channel
 *   t     that many seconds pass                   T     the answer is late
 *   Q     a crowd connects, and each of it writes these bytes
 */
#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kmsd/common/log.h"
#include "kmsd/common/loop.h"
#include "kmsd/web/problems.h"
#include "kmsd/web/server.h"
#include "libkms/kms_error.h"
#include "t/fuzz/fuzz.h"
#include "t/fuzz/steps.h"
#include "t/fuzz/strangers.h"

#define CROWD 12
#define PLACES 6 /* fewer than there are clients */
#define STEPS 64 /* of one input */
#define PROBLEMS_TIME UINT64_C(1790000000)
#define GOT (1024 * 1024) /* more than an answer has */

struct play {
	struct config config;
	struct event_base *base;
	struct ask *ask;
	struct known *known;
	struct server *server;
	struct strangers strangers;
	int activate; /* its end; -1: it is gone */
	uint8_t question[CONTROL_PAGE_REQUEST_MAX + 1];
	size_t question_len;
	bool asked; /* a whole question waits for its answer */
	bool loose; /* it wrote what is no answer: nobody knows what is asked */
};

/* The clock of places and of what is known, instead of clock.c's: it moves with the input alone. */
static int64_t moment;

int64_t __wrap_clock_ms(void);

int64_t
__wrap_clock_ms(void)
{
	return moment;
}

/* The only timer of kmsd-web's own: how long a question waits. It runs when the input says so. */
static struct event *patience;

int __wrap_event_add(struct event *e, const struct timeval *tv);
int __real_event_add(struct event *e, const struct timeval *tv);

int
__wrap_event_add(struct event *e, const struct timeval *tv)
{
	if (tv != NULL)
		patience = e;
	return __real_event_add(e, tv);
}

/* -- what clients see -- */

/* The lines of the head: printable, and each with a name. The value of one; NULL: it has none. */
static const char *
read_head(char *head, const char *wanted)
{
	const char *found = NULL;
	char *line = head, *next;

	for (; line != NULL; line = next) {
		if ((next = strstr(line, "\r\n")) != NULL) {
			*next = '\0';
			next += 2;
		}
		for (const char *c = line; *c != '\0'; c++)
			MUST(*c >= 0x20 && *c < 0x7f);
		if (line == head)
			continue;
		MUST(strchr(line, ':') != NULL);
		if (strncmp(line, wanted, strlen(wanted)) == 0)
			found = line + strlen(wanted);
	}
	return found;
}

static void
check_body(const char *head, const char *type, const char *body, size_t len)
{
	const char *code = strchr(head, ' ');
	json_t *all;

	if (code == NULL || strncmp(code, " 200", 4) != 0 || len == 0)
		return;
	if (strcmp(type, "application/json") == 0) {
		MUST((all = json_loadb(body, len, 0, NULL)) != NULL);
		json_decref(all);
	}
	if (strncmp(type, "application/openmetrics-text", 28) == 0)
		MUST(len >= 6 && memcmp(body + len - 6, "# EOF\n", 6) == 0);
}

/* All that came on a connection: one answer, or as much of it as was sent before it was closed. */
static void
check_answer(const struct stranger *c)
{
	static const char on[] = "HTTP/1.1 100 Continue\r\n\r\n";
	char *text = malloc(c->len + 1), *at = text, *end;
	const char *length, *type;
	char head[8192];
	size_t left, whole;

	MUST(text != NULL);
	memcpy(text, c->got, c->len);
	text[c->len] = '\0';
	if (strncmp(at, on, sizeof(on) - 1) == 0)
		at += sizeof(on) - 1;
	if ((end = strstr(at, "\r\n\r\n")) != NULL) {
		MUST(strncmp(at, "HTTP/", 5) == 0 && (size_t)(end - at) < sizeof(head));
		left = c->len - (size_t)(end + 4 - text);
		memcpy(head, at, (size_t)(end - at));
		head[end - at] = '\0';
		length = read_head(head, "Content-Length: ");
		if (length != NULL) {
			whole = strtoul(length, NULL, 10);
			MUST(left <= whole);
			memcpy(head, at, (size_t)(end - at));
			head[end - at] = '\0';
			type = read_head(head, "Content-Type: ");
			if (left == whole && type != NULL)
				check_body(head, type, end + 4, left);
		}
	}
	free(text);
}

static void
client_reads(struct stranger *c)
{
	ssize_t got = 0;

	while (c->fd >= 0 && (got = recv(c->fd, c->got + c->len, GOT - c->len, MSG_DONTWAIT)) > 0) {
		c->len += (size_t)got;
		MUST(c->len < GOT);
	}
	if (c->fd < 0 || (got < 0 && errno == EAGAIN))
		return;
	check_answer(c);
	close(c->fd);
	c->fd = -1;
}

/* -- what kmsd-activate sees -- */

static bool
may_ask(uint16_t verb)
{
	static const uint16_t verbs[] = { CONTROL_STATUS, CONTROL_METRICS, CONTROL_KEY_SHOW,
		CONTROL_RELAY_STATUS, CONTROL_POLICY_SHOW, CONTROL_USAGE, CONTROL_WEB_SESSION,
		CONTROL_CLIENT_FIND };

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (verbs[i] == verb)
			return true;
	return false;
}

static void
activate_reads(struct play *p)
{
	struct wire_reader args;
	struct control_field f;
	uint16_t verb;
	ssize_t n;
	int rc;

	while (p->activate >= 0 && (n = recv(p->activate, p->question + p->question_len,
					sizeof(p->question) - p->question_len, 0)) > 0) {
		if (p->loose)
			continue;
		/* Nothing comes before the answer. */
		MUST(!p->asked);
		p->question_len += (size_t)n;
		rc = control_request_parse(p->question, p->question_len, &verb, &args);
		MUST(rc >= 0 && p->question_len <= CONTROL_PAGE_REQUEST_MAX);
		if (rc == 0)
			continue;
		MUST(may_ask(verb));
		while (control_next(&args, &f))
			;
		MUST(!args.bad);
		p->asked = true;
		p->question_len = 0;
	}
}

static void
activate_answers(struct play *p, const struct step *s)
{
	static const uint32_t statuses[] = { KMS_OK, KMS_E_DENIED, KMS_E_LOCKED, KMS_E_ARGUMENT,
		KMS_E_OVERLOAD, KMS_E_TIMEOUT, KMS_E_PEER, 99999 };
	uint8_t header[CONTROL_REPLY_HEADER];

	if (s->len < 1 ||
	    !control_reply_header(header,
		statuses[s->data[0] % (sizeof(statuses) / sizeof(statuses[0]))], s->len - 1))
		return;
	send_some(p->activate, header, sizeof(header));
	send_some(p->activate, s->data + 1, s->len - 1);
	p->asked = false;
}

static void
activate_ends(struct play *p)
{
	if (p->activate >= 0)
		close(p->activate);
	p->activate = -1;
}

/* -- the play -- */

/* What is wrong is said in texts that JSON can carry: none of them is dropped. */
static void
check_problems(const struct play *p)
{
	struct problem found[PROBLEMS_MAX];
	unsigned count = problems_find(p->known, PROBLEMS_TIME, found);

	for (unsigned i = 0; i < count; i++)
		MUST(wire_text_ok(found[i].text, strlen(found[i].text)) && found[i].remedy != NULL);
}

/* As main.c's serve(), until nothing moves any more. */
static void
turn(struct play *p)
{
	for (int i = 0; i < 6; i++) {
		event_base_loop(p->base, EVLOOP_NONBLOCK);
		server_turn(p->server);
		activate_reads(p);
	}
}

static void
play_step(struct play *p, const struct step *s)
{
	switch (s->what) {
	case 'r':
		for (unsigned i = 0; i < p->strangers.count; i++)
			client_reads(&p->strangers.list[i]);
		break;
	case 'X':
		activate_answers(p, s);
		break;
	case 'A':
		p->loose = true;
		send_some(p->activate, s->data, s->len);
		break;
	case 'E':
		activate_ends(p);
		break;
	case 't':
		moment += (int64_t)(s->len > 0 ? s->data[0] : 0) * 1000;
		break;
	case 'T':
		if (patience != NULL && event_pending(patience, EV_TIMEOUT, NULL))
			event_active(patience, EV_TIMEOUT, 1);
		break;
	case 'Q':
		crowd_writes(&p->strangers, s);
		break;
	default:
		strangers_step(&p->strangers, s);
	}
}

static struct play *
begin(void)
{
	struct play *p = calloc(1, sizeof(*p));
	int pair[2];

	MUST(p != NULL);
	/* As child_begin. */
	signal(SIGPIPE, SIG_IGN);
	moment = 1000000;
	patience = NULL;
	p->config.web_connections = PLACES;
	p->config.web_hosts.count = 1;
	snprintf(p->config.web_hosts.at[0], sizeof(p->config.web_hosts.at[0]), "kms.example");
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
	p->activate = pair[1];
	MUST((p->base = loop_new()) != NULL);
	MUST((p->ask = ask_new(p->base, pair[0])) != NULL);
	MUST((p->known = known_new(p->ask, &p->config)) != NULL);
	MUST((p->server = server_new(p->base, &p->config, p->known, p->ask)) != NULL);
	MUST(server_listen(p->server, strangers_begin(&p->strangers, CROWD, GOT)) == KMS_OK);
	return p;
}

/* Whatever happened: whoever waits for an answer is told that there is none, and nothing is left.
 */
static void
end(struct play *p)
{
	activate_ends(p);
	turn(p);
	MUST(ask_broken(p->ask));
	for (unsigned i = 0; i < p->strangers.count; i++)
		client_reads(&p->strangers.list[i]);
	strangers_end(&p->strangers);
	turn(p);
	server_free(p->server);
	known_free(p->known);
	ask_free(p->ask);
	event_base_free(p->base);
	free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct steps steps = { data, size, STEPS };
	struct play *p = begin();
	struct step s;

	log_level(-1);
	while (!ask_broken(p->ask) && steps_next(&steps, &s)) {
		play_step(p, &s);
		turn(p);
		check_problems(p);
	}
	end(p);
	return 0;
}
