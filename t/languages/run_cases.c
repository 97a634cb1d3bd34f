/*
 * run_cases.c - libkms in C, told what to do: each line of standard input is one step of cases.json
 * as a JSON object, and is answered by one line, an object as well. cases.t says what the steps
 *are, and has them done by each language.
 *
 *	run_cases block|steps    requests block, or go on in steps with poll(2)
 */
#include <jansson.h>
#include <kms.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CLIENTS 4
#define FILES 4

struct runner {
	bool in_steps;
	int64_t ahead; /* of its clock, seconds */
	struct kms_client *client[CLIENTS];
	struct file {
		unsigned char bytes[65536];
		size_t size;
	} file[FILES];
};

static uint64_t
now(void *arg)
{
	const struct runner *r = arg;

	return (uint64_t)(time(NULL) + r->ahead);
}

static int
number(const json_t *step, const char *key)
{
	return (int)json_integer_value(json_object_get(step, key));
}

static const char *
text(const json_t *step, const char *key)
{
	return json_string_value(json_object_get(step, key));
}

static struct kms_client **
client_of(struct runner *r, const json_t *step)
{
	return &r->client[number(step, "client") % CLIENTS];
}

static struct file *
file_of(struct runner *r, const json_t *step)
{
	return &r->file[number(step, "file") % FILES];
}

static const char *
symbol(int status)
{
	return kms_error_find((uint32_t)status)->symbol;
}

static void
set_hex(json_t *answer, const char *key, const uint8_t *bytes, size_t size)
{
	char hex[2 * 108 + 1];
	size_t i;

	for (i = 0; i < size && i < 108; i++)
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
	json_object_set_new(answer, key, json_string(hex));
}

static void
set_number(json_t *answer, const char *key, uint64_t value)
{
	json_object_set_new(answer, key, json_integer((json_int_t)value));
}

static void
set_text(json_t *answer, const char *key, const char *value)
{
	json_object_set_new(answer, key, json_string(value));
}

static int
do_open(struct runner *r, const json_t *step, json_t *answer)
{
	static const struct {
		const char *name;
		size_t at;
	} texts[] = {
		{ "publisher_key", offsetof(struct kms_options, publisher_key) },
		{ "product", offsetof(struct kms_options, product) },
		{ "state_file", offsetof(struct kms_options, state_file) },
		{ "host", offsetof(struct kms_options, host) },
		{ "domain", offsetof(struct kms_options, domain) },
		{ "nameserver", offsetof(struct kms_options, nameserver) },
		{ "name", offsetof(struct kms_options, name) },
		{ "customer", offsetof(struct kms_options, customer) },
		{ "host_key", offsetof(struct kms_options, host_key) },
		{ "user", offsetof(struct kms_options, user) },
	};
	const json_t *options = json_object_get(step, "options");
	char detail[256] = "";
	struct kms_options o = { .size = sizeof(o),
		.now = now,
		.now_arg = r,
		.detail = detail,
		.detail_size = sizeof(detail) };
	size_t i;
	int e;

	for (i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		const char *value = text(options, texts[i].name);

		memcpy((char *)&o + texts[i].at, &value, sizeof(value));
	}
	o.virtual_machine = number(options, "virtual_machine");
	o.grace_minutes = (uint32_t)json_integer_value(json_object_get(options, "grace_minutes"));
	o.reply_timeout = (uint32_t)number(options, "reply_timeout");
	e = kms_open(client_of(r, step), &o);
	set_text(answer, "detail", detail);
	return e;
}

static int
do_close(struct runner *r, const json_t *step, json_t *answer)
{
	(void)answer;
	kms_close(*client_of(r, step));
	*client_of(r, step) = NULL;
	return KMS_OK;
}

static int
to_the_end(struct kms_client *c, int started, struct kms_result *result)
{
	struct pollfd fd = { .fd = kms_fd(c), .events = POLLIN };
	int e = started == KMS_OK ? KMS_E_PENDING : started;

	while (e == KMS_E_PENDING && poll(&fd, 1, -1) >= 0)
		e = kms_poll(c, result);
	return e;
}

static int
do_ask(struct runner *r, const json_t *step, json_t *answer)
{
	static int (*const calls[])(struct kms_client *, struct kms_result *) = {
		[KMS_ACTIVATE] = kms_activate,
		[KMS_RENEW] = kms_renew,
		[KMS_RELEASE] = kms_release,
	};
	struct kms_client *c = *client_of(r, step);
	struct kms_result result = { .size = sizeof(result) };
	unsigned operation = (unsigned)number(step, "operation");
	uint32_t minutes = (uint32_t)number(step, "minutes");
	int e;

	if (minutes != 0 && r->in_steps)
		e = to_the_end(c, kms_start_borrow(c, minutes), &result);
	else if (minutes != 0)
		e = kms_borrow(c, minutes, &result);
	else if (r->in_steps)
		e = to_the_end(c, kms_start(c, (enum kms_operation)operation), &result);
	else
		e = calls[operation % 4 != 0 ? operation % 4 : KMS_ACTIVATE](c, &result);
	set_number(answer, "count", result.count);
	set_number(answer, "required", result.required);
	set_number(answer, "retry_after", result.retry_after);
	set_text(answer, "host", result.host);
	set_text(answer, "detail", result.detail);
	set_text(answer, "warning", symbol((int)result.warning));
	return e;
}

static int
do_status(struct runner *r, const json_t *step, json_t *answer)
{
	struct kms_status_info s = { .size = sizeof(s) };
	int e = kms_status(*client_of(r, step), &s);

	set_number(answer, "licence", s.licence);
	set_number(answer, "expires", s.expires);
	set_number(answer, "renew_after", s.renew_after);
	set_number(answer, "next_attempt", s.next_attempt);
	set_number(answer, "grace_left", s.grace_left);
	set_number(answer, "count", s.count);
	set_number(answer, "required", s.required);
	set_text(answer, "last_status", symbol((int)s.last_status));
	set_number(answer, "last_exchange", s.last_exchange);
	set_hex(answer, "cmid", s.cmid, sizeof(s.cmid));
	set_text(answer, "host", s.host);
	set_text(answer, "warning", symbol((int)s.warning));
	set_text(answer, "customer", s.customer);
	set_text(answer, "group", s.group);
	set_number(answer, "borrowed", s.borrowed);
	return e;
}

static int
do_verify(struct runner *r, const json_t *step, json_t *answer)
{
	(void)answer;
	return kms_verify(*client_of(r, step));
}

static int
do_next(struct runner *r, const json_t *step, json_t *answer)
{
	enum kms_operation operation = 0;

	set_number(answer, "wait", (uint64_t)kms_next(*client_of(r, step), &operation));
	set_number(answer, "operation", operation);
	return KMS_OK;
}

static int
do_entitlement(struct runner *r, const json_t *step, json_t *answer)
{
	char value[4096] = "";
	size_t size = sizeof(value);
	int e = kms_entitlement(*client_of(r, step), text(step, "key"), value, &size);

	set_text(answer, "value", e == KMS_OK ? value : "");
	return e;
}

static int
do_export(struct runner *r, const json_t *step, json_t *answer)
{
	struct file *f = file_of(r, step);
	bool names = json_is_true(json_object_get(step, "names"));
	int e;

	(void)answer;
	f->size = sizeof(f->bytes);
	e = (names ? kms_lease_export : kms_lease_export_unnamed)(
	    *client_of(r, step), f->bytes, &f->size);
	if (e != KMS_OK)
		f->size = 0;
	return e;
}

/* A file that an export made, without so many of its last bytes. */
static int
do_lease(struct runner *r, const json_t *step, json_t *answer)
{
	const struct file *f = file_of(r, step);
	struct kms_lease_info l = { .size = sizeof(l) };
	int64_t after = json_integer_value(json_object_get(step, "after"));
	size_t cut = (size_t)number(step, "cut");
	int e = kms_lease_verify(f->bytes, f->size < cut ? 0 : f->size - cut,
	    text(step, "publisher_key"), after == 0 ? 0 : (uint64_t)(time(NULL) + after), &l);

	if (e != KMS_OK && e != KMS_E_LEASE_EXPIRED)
		return e;
	set_hex(answer, "cmid", l.cmid, sizeof(l.cmid));
	set_hex(answer, "product", l.product, sizeof(l.product));
	set_hex(answer, "host_id", l.host_id, sizeof(l.host_id));
	set_number(answer, "issued", l.issued);
	set_number(answer, "expires", l.expires);
	set_number(answer, "renew_after", l.renew_after);
	set_number(answer, "batch", l.batch);
	set_number(answer, "index", l.index);
	set_text(answer, "name", l.name);
	set_text(answer, "customer", l.customer);
	set_text(answer, "group", l.group);
	set_text(answer, "user", l.user);
	set_number(answer, "names", l.names);
	set_hex(answer, "host_key", l.host_key, sizeof(l.host_key));
	set_hex(answer, "header_hash", l.header_hash, sizeof(l.header_hash));
	return e;
}

static int
do_evidence(struct runner *r, const json_t *step, json_t *answer)
{
	struct kms_evidence_info info = { .size = sizeof(info) };
	uint64_t found = 0;
	int e;

	while ((e = kms_evidence(*client_of(r, step), (unsigned)found, &info)) == KMS_OK)
		found++;
	set_number(answer, "found", found);
	return e == KMS_E_NOT_FOUND ? KMS_OK : e;
}

static int
do_discover(struct runner *r, const json_t *step, json_t *answer)
{
	char out[4096] = "";
	int e = kms_discover(*client_of(r, step), out, sizeof(out));

	set_text(answer, "hosts", e == KMS_OK ? out : "");
	return e;
}

static int
do_clock(struct runner *r, const json_t *step, json_t *answer)
{
	(void)answer;
	r->ahead = json_integer_value(json_object_get(step, "ahead"));
	return KMS_OK;
}

static int
do_texts(struct runner *r, const json_t *step, json_t *answer)
{
	const char *language = text(step, "language");
	const struct kms_error *row = kms_error_find((uint32_t)number(step, "number"));

	(void)r;
	set_text(answer, "symbol", row->symbol);
	set_number(answer, "microsoft", row->microsoft);
	set_text(answer, "meaning", row->meaning);
	set_text(answer, "remedy", row->remedy);
	set_number(answer, "next", row->next);
	set_text(answer, "text", kms_text_status((uint32_t)number(step, "number"), language));
	set_text(
	    answer, "text_next", kms_text_status_next((uint32_t)number(step, "number"), language));
	return KMS_OK;
}

static int
do_licence_texts(struct runner *r, const json_t *step, json_t *answer)
{
	enum kms_licence licence = (enum kms_licence)number(step, "number");

	(void)r;
	set_text(answer, "text", kms_text_licence(licence, text(step, "language")));
	set_text(answer, "text_next", kms_text_licence_next(licence, text(step, "language")));
	return KMS_OK;
}

static void
answer_line(struct runner *r, const char *line)
{
	static const struct {
		const char *name;
		int (*call)(struct runner *, const json_t *, json_t *);
	} steps[] = {
		{ "open", do_open },
		{ "close", do_close },
		{ "ask", do_ask },
		{ "status", do_status },
		{ "verify", do_verify },
		{ "next", do_next },
		{ "entitlement", do_entitlement },
		{ "export", do_export },
		{ "lease", do_lease },
		{ "evidence", do_evidence },
		{ "discover", do_discover },
		{ "clock", do_clock },
		{ "texts", do_texts },
		{ "licence texts", do_licence_texts },
	};
	json_t *step = json_loads(line, 0, NULL), *answer = json_object();
	const char *name = text(step, "do");
	size_t i;

	for (i = 0; i < sizeof(steps) / sizeof(*steps); i++)
		if (name != NULL && strcmp(steps[i].name, name) == 0)
			set_text(answer, "status", symbol(steps[i].call(r, step, answer)));
	json_dumpf(answer, stdout, JSON_SORT_KEYS | JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(answer);
	json_decref(step);
}

int
main(int argc, char **argv)
{
	static struct runner r;
	char line[8192];
	size_t i;

	if (argc != 2)
		return 2;
	r.in_steps = strcmp(argv[1], "steps") == 0;
	while (fgets(line, sizeof(line), stdin) != NULL)
		answer_line(&r, line);
	for (i = 0; i < CLIENTS; i++)
		kms_close(r.client[i]);
	return 0;
}
