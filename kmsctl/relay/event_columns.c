/*
 * event_columns.c - see event_columns.h. Everybody names the columns as he likes, so names are told
 * by their parts: ErrorCode, KmsErrorCode, "Error code" and HResult are all the status.
 */
#include "kmsctl/relay/event_columns.h"

#include <ctype.h>
#include <string.h>

#define KEY 64

/*
 * A key has one of `has`, one of `with` unless it is empty, and none of `not`. Lower ranks are
 * better. Names with "client" are surer than others: a ComputerName beside a ClientFqdn is the KMS
 * host's.
 */
static const struct {
	enum event_role role;
	unsigned rank;
	const char *has, *with, *without;
} rules[] = {
	{ ROLE_CMID, 0, "cmid", "", "" },
	{ ROLE_CMID, 0, "client machine", "id guid", "name video" },
	{ ROLE_CMID, 3, "guid uuid", "", "sku product activ provider app" },
	{ ROLE_TIME, 0, "client request", "time date stamp zeit", "" },
	{ ROLE_NAME, 0, "client", "fqdn name host computer machine", "id guid time date stamp" },
	{ ROLE_NAME, 1, "workstation fqdn", "", "" },
	{ ROLE_NAME, 2, "computer rechner", "", "id guid" },
	{ ROLE_NAME, 3, "name host client", "",
	    "provider log source task level product sku user vm virtual guid id" },
	{ ROLE_STATUS, 0, "errorcode hresult statuscode resultcode returncode fehlercode error", "",
	    "message text" },
	{ ROLE_STATUS, 1, "result status fehler ergebnis", "",
	    "message text licens state level severity" },
	{ ROLE_COUNT, 0, "min", "count anzahl required needed activ clients", "minutes" },
	{ ROLE_COUNT, 1, "count anzahl required needed threshold", "", "current" },
	{ ROLE_TIME, 2, "timecreated timegenerated", "", "" },
	{ ROLE_TIME, 3, "time date stamp zeit datum", "", "expir remain update" },
};

/* Lower case, and only what makes words. */
static size_t
normalise(char out[KEY + 1], const char *key, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < KEY; i++)
		if (isalnum((unsigned char)key[i]) || (unsigned char)key[i] >= 0x80)
			out[n++] = (char)tolower((unsigned char)key[i]);
	out[n] = '\0';
	return n;
}

/* One of the words in the list is part of key. */
static bool
has_one(const char *key, const char *list)
{
	char word[24];

	while (*list != '\0') {
		size_t n = strcspn(list, " ");

		memcpy(word, list, n);
		word[n] = '\0';
		/* "id" ends a name that it means: ClientId, but not "validity". */
		if (strcmp(word, "id") == 0
			? strlen(key) >= 2 && strcmp(key + strlen(key) - 2, "id") == 0
			: strstr(key, word) != NULL)
			return true;
		list += n + strspn(list + n, " ");
	}
	return false;
}

/* The rules that a key follows, as a set of their numbers. */
static uint32_t
rules_of(const char *key, size_t len)
{
	char name[KEY + 1];
	uint32_t set = 0;

	if (normalise(name, key, len) == 0)
		return 0;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (has_one(name, rules[i].has) &&
		    (*rules[i].with == '\0' || has_one(name, rules[i].with)) &&
		    !has_one(name, rules[i].without))
			set |= UINT32_C(1) << i;
	return set;
}

/* Seconds or milliseconds since 1970. */
static bool
epoch(const char *text, size_t len, struct event_date *out)
{
	uint64_t v = 0;

	if (len != 10 && len != 13)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!isdigit((unsigned char)text[i]))
			return false;
		v = v * 10 + (unsigned)(text[i] - '0');
	}
	out->dmy = out->mdy = len == 13 ? v / 1000 : v;
	out->seconds = true;
	return out->dmy >= 946684800 && out->dmy < 4102444800;
}

static bool
read_time(const char *text, size_t len, const char *end, struct event_date *out)
{
	return event_date_read(text, end, out) != NULL || epoch(text, len, out);
}

/* Whether the value has the form of the role; a date that cannot be read is none. */
static bool
fits(enum event_role role, const char *text, size_t len, const char *end)
{
	struct event_fields e;

	switch (role) {
	case ROLE_STATUS:
		return event_status_read(text, len, &e.status);
	case ROLE_COUNT:
		return event_count_read(text, len, &e.count);
	case ROLE_NAME:
		return event_name_read(text, len, e.name);
	case ROLE_CMID:
		return event_cmid_read(text, len, e.cmid);
	case ROLE_TIME:
		return read_time(text, len, end, &e.date);
	default:
		return false;
	}
}

void
event_columns_offer(struct event_columns *c, const char *key, size_t key_len, const char *text,
    size_t len, const char *end)
{
	uint32_t set = rules_of(key, key_len);

	for (size_t i = 0; set != 0; i++, set >>= 1) {
		enum event_role role = rules[i].role;

		if ((set & 1) == 0 ||
		    (c->at[role].text != NULL && c->at[role].rank <= rules[i].rank) ||
		    !fits(role, text, len, end))
			continue;
		c->at[role].text = text;
		c->at[role].len = len;
		c->at[role].end = end;
		c->at[role].rank = rules[i].rank;
	}
}

void
event_columns_words(struct event_columns *c, const char *text, size_t len)
{
	const char *end = text + len;
	struct event_word w;

	while (event_word_next(&text, end, &w))
		if (w.key != NULL)
			event_columns_offer(c, w.key, w.key_len, w.text, w.len, end);
}

/* The next cell of a row, without quotes and blanks around it. False: there is none. */
static bool
next_cell(const char **at, const char *end, char separator, const char **text, size_t *len)
{
	const char *p = *at, *to;
	bool quoted;

	if (p == NULL)
		return false;
	while (p < end && *p == ' ')
		p++;
	quoted = p < end && *p == '"';
	p += quoted;
	for (to = p; to < end; to++)
		if (quoted ? *to == '"' : *to == separator || *to == '\r' || *to == '\n')
			break;
	*text = p;
	*len = (size_t)(to - p);
	while (to < end && *to != separator)
		to++;
	*at = to < end ? to + 1 : NULL;
	while (*len > 0 && p[*len - 1] == ' ')
		(*len)--;
	return true;
}

static unsigned
roles_of(const struct event_header *h)
{
	unsigned roles = 0;

	for (unsigned i = 0; i < h->count; i++) {
		uint32_t set = rules_of(h->at[i].text, h->at[i].len);

		for (size_t j = 0; set != 0; j++, set >>= 1)
			roles |= (set & 1) << rules[j].role;
	}
	return roles;
}

bool
event_header_read(struct event_header *h, const char *line, size_t len)
{
	static const char separators[] = { ',', ';', '\t', '|' };

	for (size_t i = 0; i < sizeof(separators); i++) {
		struct event_header found = { .separator = separators[i] };
		const char *at = line, *text;
		size_t n;

		while (found.count < EVENT_COLUMNS &&
		       next_cell(&at, line + len, found.separator, &text, &n)) {
			found.at[found.count].text = text;
			found.at[found.count++].len = n < KEY ? n : KEY;
		}
		if (found.count < 3)
			continue;
		if ((roles_of(&found) & (1U << ROLE_CMID | 1U << ROLE_NAME)) ==
		    (1U << ROLE_CMID | 1U << ROLE_NAME)) {
			*h = found;
			return true;
		}
	}
	return false;
}

void
event_columns_row(
    struct event_columns *c, const struct event_header *h, const char *line, size_t len)
{
	const char *at = line, *text;
	size_t n;

	for (unsigned i = 0; i < h->count && next_cell(&at, line + len, h->separator, &text, &n);
	     i++)
		event_columns_offer(c, h->at[i].text, h->at[i].len, text, n, text + n);
}

enum event_kind
event_columns_event(const struct event_columns *c, struct event_fields *out, const char **why)
{
	if (c->at[ROLE_CMID].text == NULL || c->at[ROLE_NAME].text == NULL)
		return EVENT_END;
	memset(out, 0, sizeof(*out));
	event_cmid_read(c->at[ROLE_CMID].text, c->at[ROLE_CMID].len, out->cmid);
	event_name_read(c->at[ROLE_NAME].text, c->at[ROLE_NAME].len, out->name);
	if (c->at[ROLE_STATUS].text == NULL) {
		*why = "it has no status (the error code)";
		return EVENT_BROKEN;
	}
	event_status_read(c->at[ROLE_STATUS].text, c->at[ROLE_STATUS].len, &out->status);
	if (c->at[ROLE_COUNT].text != NULL)
		event_count_read(c->at[ROLE_COUNT].text, c->at[ROLE_COUNT].len, &out->count);
	if (c->at[ROLE_TIME].text == NULL) {
		*why = "its date cannot be read";
		return EVENT_BROKEN;
	}
	read_time(c->at[ROLE_TIME].text, c->at[ROLE_TIME].len, c->at[ROLE_TIME].end, &out->date);
	return EVENT_FOUND;
}
