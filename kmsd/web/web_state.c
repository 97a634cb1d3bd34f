/*
 * web_state.c - see web_state.h.
 */
#include "kmsd/web/web_state.h"

#include <event2/buffer.h>
#include <stddef.h>
#include <time.h>

#include "kmsd/web/answer.h"
#include "kmsd/web/problems.h"
#include "kmsd/web/rows_json.h"
#include "libkms/kms_error.h"

static const struct part {
	const char *key;
	enum known_what from;
	const char *row;
	bool one; /* an object; else a list */
} parts[] = {
	{ "service", KNOWN_STATUS, "service", true },
	{ "ledger", KNOWN_STATUS, "ledger", true },
	{ "publishers", KNOWN_STATUS, "publisher", false },
	{ "pools", KNOWN_STATUS, "pool", false },
	{ "classes", KNOWN_STATUS, "class", false },
	{ "products", KNOWN_STATUS, "product", false },
	{ "limits", KNOWN_STATUS, "limit", false },
	{ "fronts", KNOWN_STATUS, "front", false },
	{ "sandbox", KNOWN_STATUS, "sandbox", false },
	{ "answers", KNOWN_METRICS, "answers", false },
	{ "keys", KNOWN_KEYS, "key", false },
	{ "packs", KNOWN_POLICY, "pack", false },
	{ "usage", KNOWN_USAGE, "usage", false },
	{ "relay", KNOWN_RELAY, "relay", true },
	{ "relay_hosts", KNOWN_RELAY, "relay-host", false },
};

static json_t *
problems(const struct known *k)
{
	struct problem found[PROBLEMS_MAX];
	unsigned count = problems_find(k, (uint64_t)time(NULL), found);
	json_t *list = json_array();

	for (unsigned i = 0; i < count; i++)
		json_array_append_new(
		    list, json_pack("{s:s, s:s, s:s}", "level", found[i].bad ? "bad" : "warning",
			      "text", found[i].text, "remedy", found[i].remedy));
	return list;
}

int
state_make(const struct known *k, int rc, struct evhttp_request *r, struct evbuffer *body)
{
	json_t *all;

	if (rc != KMS_OK) {
		evbuffer_add_printf(body, "the activation process does not answer\n");
		return 503;
	}
	all = json_object();
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const struct reply *reply = known_reply(k, parts[i].from);

		json_object_set_new(all, parts[i].key,
		    parts[i].one ? rows_json_first(reply, parts[i].row)
				 : rows_json_all(reply, parts[i].row));
	}
	json_object_set_new(all, "problems", problems(k));
	return answer_json(r, all, body);
}
