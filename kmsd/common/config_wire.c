/*
 * config_wire.c - see config_wire.h. How a value travels is a row of the table of shapes.
 */
#include "kmsd/common/config_wire.h"

#include <assert.h>
#include <string.h>

#include "kmsd/ipc/share_verbs.h"
#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

#define FNV_START UINT64_C(14695981039346656037)

/* -- values -- */

static void
put_number(struct wire_writer *w, const struct config_key *k, const void *at)
{
	uint64_t v = 0;

	switch (k->size) {
	case sizeof(uint8_t):
		v = *(const uint8_t *)at;
		break;
	case sizeof(uint16_t):
		v = *(const uint16_t *)at;
		break;
	case sizeof(uint32_t):
		v = *(const uint32_t *)at;
		break;
	default:
		v = *(const uint64_t *)at;
	}
	wire_put_u64(w, v);
}

static bool
get_number(struct wire_reader *r, const struct config_key *k, void *at)
{
	uint64_t v = wire_get_u64(r);

	if (v < k->min || v > k->max)
		return false;
	switch (k->size) {
	case sizeof(uint8_t):
		*(uint8_t *)at = (uint8_t)v;
		break;
	case sizeof(uint16_t):
		*(uint16_t *)at = (uint16_t)v;
		break;
	case sizeof(uint32_t):
		*(uint32_t *)at = (uint32_t)v;
		break;
	default:
		*(uint64_t *)at = v;
	}
	return true;
}

static void
put_word(struct wire_writer *w, const char *text)
{
	size_t len = strlen(text);

	wire_put_u16(w, (uint16_t)len);
	wire_put(w, text, len);
}

/* From min to max bytes without a control character, and the zero behind them. */
static bool
get_word(struct wire_reader *r, char *out, size_t min, size_t max)
{
	size_t len = wire_get_u16(r);

	if (len < min || len > max)
		return false;
	wire_get(r, out, len);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)out[i] < 0x20 || out[i] == 0x7f)
			return false;
	return true;
}

static void
put_text(struct wire_writer *w, const struct config_key *k, const void *at)
{
	put_word(w, at);
}

static bool
get_text(struct wire_reader *r, const struct config_key *k, void *at)
{
	return get_word(r, at, k->min, k->max < k->size ? k->max : k->size - 1);
}

/* It becomes part of keys in the engine. */
static bool
get_share_name(struct wire_reader *r, const struct config_key *k, void *at)
{
	return get_text(r, k, at) && (*(char *)at == '\0' || share_name_ok(at, strlen((char *)at)));
}

/* Letters, digits and their like: what goes into a log line, a DNS question or a script. */
static bool
get_name(struct wire_reader *r, char out[DNS_NAME])
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.:";

	return get_word(r, out, 1, DNS_NAME - 1) && out[strspn(out, good)] == '\0';
}

static void
put_endpoint(struct wire_writer *w, const void *at)
{
	const struct endpoint *e = at;

	put_word(w, e->name);
	wire_put_u8(w, e->literal);
	wire_put(w, e->address, sizeof(e->address));
	wire_put_u16(w, e->port);
	wire_put_u16(w, e->priority);
	wire_put_u16(w, e->weight);
}

static bool
get_endpoint(struct wire_reader *r, void *at)
{
	struct endpoint *e = at;
	uint8_t literal;

	if (!get_name(r, e->name) || (literal = wire_get_u8(r)) > 1)
		return false;
	e->literal = literal;
	wire_get(r, e->address, sizeof(e->address));
	e->port = wire_get_u16(r);
	e->priority = wire_get_u16(r);
	e->weight = wire_get_u16(r);
	return e->port != 0;
}

/* One endpoint, or none: as a list of at most one. */
static void
put_server(struct wire_writer *w, const struct config_key *k, const void *at)
{
	const struct endpoint *e = at;

	wire_put_u16(w, e->port != 0);
	if (e->port != 0)
		put_endpoint(w, e);
}

static bool
get_server(struct wire_reader *r, const struct config_key *k, void *at)
{
	uint16_t count = wire_get_u16(r);

	return count == 0 || (count == 1 && get_endpoint(r, at));
}

static void
put_address(struct wire_writer *w, const void *at)
{
	wire_put(w, at, 16);
}

static bool
get_address(struct wire_reader *r, void *at)
{
	wire_get(r, at, 16);
	return true;
}

static void
put_domain(struct wire_writer *w, const void *at)
{
	put_word(w, at);
}

static bool
get_domain(struct wire_reader *r, void *at)
{
	return get_name(r, at);
}

static bool
get_pattern(struct wire_reader *r, void *at)
{
	return get_word(r, at, 1, CONFIG_PATTERN);
}

static void
put_network(struct wire_writer *w, const void *at)
{
	const struct network *n = at;

	wire_put(w, n->address, sizeof(n->address));
	wire_put_u8(w, n->bits);
}

static bool
get_network(struct wire_reader *r, void *at)
{
	struct network *n = at;

	wire_get(r, n->address, sizeof(n->address));
	n->bits = wire_get_u8(r);
	return network_ok(n);
}

static void
put_port(struct wire_writer *w, const void *at)
{
	wire_put_u16(w, *(const uint16_t *)at);
}

static bool
get_port(struct wire_reader *r, void *at)
{
	return (*(uint16_t *)at = wire_get_u16(r)) != 0;
}

static void
put_rate(struct wire_writer *w, const struct config_key *k, const void *at)
{
	const struct rate *rate = at;

	wire_put_u32(w, rate->burst);
	wire_put_u32(w, rate->refill);
}

static bool
get_rate(struct wire_reader *r, const struct config_key *k, void *at)
{
	struct rate *rate = at;

	rate->burst = wire_get_u32(r);
	rate->refill = wire_get_u32(r);
	return rate->burst <= k->max && rate->refill <= k->max &&
	       (rate->burst > 0) == (rate->refill > 0);
}

/* -- the table -- */

/* Words of a list: where they begin in it, and how far they are apart. */
struct words {
	size_t first, width;
	void (*put)(struct wire_writer *, const void *);
	bool (*get)(struct wire_reader *, void *);
};
#define WORDS(list, put, get)                                                                      \
	{                                                                                          \
		offsetof(struct list, at), sizeof(((struct list *)0)->at[0]), put, get             \
	}

static const struct shape {
	/* A single value, or */
	void (*put)(struct wire_writer *, const struct config_key *, const void *);
	bool (*get)(struct wire_reader *, const struct config_key *, void *);
	/* a list of them. */
	struct words words;
} number_shape = { .put = put_number, .get = get_number },
  rate_shape = { .put = put_rate, .get = get_rate },
  text_shape = { .put = put_text, .get = get_text },
  share_name_shape = { .put = put_text, .get = get_share_name },
  server_shape = { .put = put_server, .get = get_server },
  addresses_shape = { .words = WORDS(config_addresses, put_address, get_address) },
  domains_shape = { .words = WORDS(config_domains, put_domain, get_domain) },
  networks_shape = { .words = WORDS(config_networks, put_network, get_network) },
  endpoints_shape = { .words = WORDS(config_endpoints, put_endpoint, get_endpoint) },
  patterns_shape = { .words = WORDS(config_patterns, put_domain, get_pattern) },
  ports_shape = { .words = WORDS(config_ports, put_port, get_port) };

static const struct shape *const shapes[KEY_TYPES] = {
	[KEY_NUMBER] = &number_shape,
	[KEY_SECONDS] = &number_shape,
	[KEY_BYTES] = &number_shape,
	[KEY_DAYS] = &number_shape,
	[KEY_RATE] = &rate_shape,
	[KEY_PORT] = &number_shape,
	[KEY_YES_NO] = &number_shape,
	[KEY_LEVEL] = &number_shape,
	[KEY_TARGET] = &number_shape,
	[KEY_LAYERS] = &number_shape,
	[KEY_DIRECTORY] = &text_shape,
	[KEY_FILE] = &text_shape,
	[KEY_CREDENTIAL] = &text_shape,
	[KEY_USER] = &text_shape,
	[KEY_GROUP] = &text_shape,
	[KEY_PUBLIC_KEY] = &text_shape,
	[KEY_INTERFACE] = &text_shape,
	[KEY_PRINCIPAL] = &text_shape,
	[KEY_DOMAIN] = &text_shape,
	[KEY_HOST_NAME] = &text_shape,
	[KEY_NAME_SERVER] = &server_shape,
	[KEY_RESOLVER] = &server_shape,
	[KEY_ADDRESS_LIST] = &addresses_shape,
	[KEY_HOST_ADDRESS_LIST] = &addresses_shape,
	[KEY_DOMAIN_LIST] = &domains_shape,
	[KEY_NETWORK_LIST] = &networks_shape,
	[KEY_UPSTREAM_LIST] = &endpoints_shape,
	[KEY_PORT_LIST] = &ports_shape,
	[KEY_LISTEN_LIST] = &endpoints_shape,
	[KEY_NAME] = &text_shape,
	[KEY_PATTERN_LIST] = &patterns_shape,
	[KEY_SHARE_NAME] = &share_name_shape,
	[KEY_MEMBER_LIST] = &endpoints_shape,
	[KEY_ALONE] = &number_shape,
};

/* Every list begins with its count. */
static void
put_list(struct wire_writer *w, const struct words *l, const void *at)
{
	unsigned count = *(const unsigned *)at;

	wire_put_u16(w, (uint16_t)count);
	for (unsigned i = 0; i < count; i++)
		l->put(w, (const char *)at + l->first + i * l->width);
}

static bool
get_list(struct wire_reader *r, const struct config_key *k, const struct words *l, void *at)
{
	unsigned count = wire_get_u16(r);

	if (count < k->min || count > k->max)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!l->get(r, (char *)at + l->first + i * l->width))
			return false;
	*(unsigned *)at = count;
	return true;
}

static void
put_value(struct wire_writer *w, const struct config_key *k, const void *record)
{
	const struct shape *s = shapes[k->type];
	const void *at = (const char *)record + k->offset;

	if (s->put != NULL)
		s->put(w, k, at);
	else
		put_list(w, &s->words, at);
}

static bool
get_value(struct wire_reader *r, const struct config_key *k, void *record)
{
	const struct shape *s = shapes[k->type];
	void *at = (char *)record + k->offset;

	return s->get != NULL ? s->get(r, k, at) : get_list(r, k, &s->words, at);
}

/* -- marks -- */

static uint64_t
mark(uint64_t hash, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(1099511628211);
	return hash;
}

/* With the end of each, so that no two texts run together. */
static uint64_t
mark_text(uint64_t hash, const char *text)
{
	return mark(hash, text, strlen(text) + 1);
}

static uint64_t
mark_value(uint64_t hash, const struct config_key *k, const void *record)
{
	uint8_t bytes[CONFIG_WIRE_MAX];
	struct wire_writer w;

	wire_writer_init(&w, bytes, sizeof(bytes));
	put_value(&w, k, record);
	return mark(hash, bytes, wire_written(&w));
}

uint64_t
config_mark(const struct config *c, bool restart)
{
	uint64_t hash = FNV_START;

	for (const struct config_key *k = config_schema(); k->section != NULL; k++) {
		if (k->restart != restart || k->readers == 0)
			continue;
		const struct config_record *d = config_record_of(k);

		hash = mark_text(mark_text(hash, k->section), k->key);
		if (d == NULL)
			hash = mark_value(hash, k, c);
		for (unsigned i = 0; d != NULL && i < config_record_count(d, c); i++)
			hash = mark_value(mark_text(hash, config_record_at(d, c, i)), k,
			    config_record_at(d, c, i));
	}
	/* 48 bits: JSON readers keep such a number exactly. */
	return hash >> 16;
}

/* Which rows, of which types and in which order. */
static uint32_t
rows_mark(enum config_reader reader)
{
	uint64_t hash = mark(FNV_START, &(uint8_t){ (uint8_t)reader }, 1);

	for (const struct config_key *k = config_schema(); k->section != NULL; k++)
		if ((k->readers & reader) != 0)
			hash = mark(mark_text(mark_text(hash, k->section), k->key),
			    &(uint8_t){ (uint8_t)k->type }, 1);
	return (uint32_t)(hash >> 32);
}

/* -- whole -- */

/* d NULL: of a section that is there once. */
static bool
row_is(const struct config_key *k, enum config_reader reader, const struct config_record *d)
{
	return (k->readers & reader) != 0 && config_record_of(k) == d;
}

static bool
has_records(enum config_reader reader, const struct config_record *d)
{
	const struct config_key *k = config_schema();

	while (k->section != NULL && !row_is(k, reader, d))
		k++;
	return k->section != NULL;
}

static void
put_rows(struct wire_writer *w, enum config_reader reader, const struct config_record *d,
    const void *record)
{
	for (const struct config_key *k = config_schema(); k->section != NULL; k++)
		if (row_is(k, reader, d))
			put_value(w, k, record);
}

static bool
get_rows(
    struct wire_reader *r, enum config_reader reader, const struct config_record *d, void *record)
{
	for (const struct config_key *k = config_schema(); k->section != NULL; k++)
		if (row_is(k, reader, d) && (!get_value(r, k, record) || r->bad))
			return false;
	return true;
}

size_t
config_encode(uint8_t out[CONFIG_WIRE_MAX], const struct config *c, enum config_reader reader)
{
	struct wire_writer w;

	wire_writer_init(&w, out, CONFIG_WIRE_MAX);
	wire_put_u32(&w, rows_mark(reader));
	wire_put_u64(&w, config_mark(c, false));
	wire_put_u64(&w, config_mark(c, true));
	put_rows(&w, reader, NULL, c);
	for (const struct config_record *d = config_records(); d->word != NULL; d++) {
		if (!has_records(reader, d))
			continue;
		wire_put_u16(&w, (uint16_t)config_record_count(d, c));
		for (unsigned i = 0; i < config_record_count(d, c); i++) {
			put_word(&w, config_record_at(d, c, i));
			put_rows(&w, reader, d, config_record_at(d, c, i));
		}
	}
	assert(!w.bad);
	return wire_written(&w);
}

static bool
get_records(struct wire_reader *r, enum config_reader reader, const struct config_record *d,
    struct config *out)
{
	unsigned count;

	if (!has_records(reader, d))
		return true;
	if ((count = wire_get_u16(r)) > d->most)
		return false;
	for (unsigned i = 0; i < count; i++) {
		void *record = config_record_add(d, out);

		if (!get_word(r, record, 1, d->name_max) || !get_rows(r, reader, d, record))
			return false;
	}
	return true;
}

static bool
get_all_records(struct wire_reader *r, enum config_reader reader, struct config *out)
{
	for (const struct config_record *d = config_records(); d->word != NULL; d++)
		if (!get_records(r, reader, d, out))
			return false;
	return true;
}

int
config_decode(struct config *out, const uint8_t *in, size_t len, enum config_reader reader)
{
	struct wire_reader r;
	uint32_t rows;
	int rc;

	memset(out, 0, sizeof(*out));
	wire_reader_init(&r, in, len);
	rows = wire_get_u32(&r);
	if (!r.bad && rows != rows_mark(reader))
		return KMS_E_BAD_VERSION;
	out->marks[false] = wire_get_u64(&r);
	out->marks[true] = wire_get_u64(&r);
	if (!get_rows(&r, reader, NULL, out) || !get_all_records(&r, reader, out))
		rc = r.bad ? KMS_E_TRUNCATED : KMS_E_FORMAT;
	else
		rc = wire_finish(&r);
	if (rc != KMS_OK)
		memset(out, 0, sizeof(*out));
	return rc;
}
