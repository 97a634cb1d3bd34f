/*
 * share_verbs.c - see share_verbs.h. One table says what each verb has; reading and writing go by
 * it.
 */
#include "kmsd/ipc/share_verbs.h"

#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/kms_error.h"

enum {
	TOKEN = 1 << 0,
	HOST = 1 << 1,
	NUMBER = 1 << 2, /* may be anything; without it: zero */
	FIRST = 1 << 3,  /* the same, and not zero: batches count from 1 */
	VALUE = 1 << 4,
	ERROR = 1 << 5,  /* value is not KMS_OK */
	ANSWER = 1 << 6, /* answers a request */
};

static const struct row {
	uint8_t verb;
	uint8_t from; /* enum share_end */
	uint8_t has;
	uint32_t least, most; /* octets */
} rows[] = {
	{ SHARE_WELCOME, SHARE_BY_ACTIVATE, HOST | VALUE, 1, SHARE_NAME },
	{ SHARE_STORE, SHARE_BY_ACTIVATE, TOKEN | HOST | FIRST, 1, SHARE_PARCEL },
	{ SHARE_BEAT, SHARE_BY_ACTIVATE, TOKEN | HOST, 1, SHARE_BEAT_MAX },
	{ SHARE_FETCH, SHARE_BY_ACTIVATE, TOKEN | HOST | FIRST | VALUE, 0, 0 },
	{ SHARE_PRUNE, SHARE_BY_ACTIVATE, TOKEN | HOST | FIRST, 0, 0 },
	{ SHARE_READY, SHARE_BY_SHARE, NUMBER | VALUE, 0, 0 },
	{ SHARE_STORED, SHARE_BY_SHARE, TOKEN | HOST | FIRST | ANSWER, 0, 0 },
	{ SHARE_TAKEN, SHARE_BY_SHARE, TOKEN | HOST | FIRST | ANSWER, 0, SHARE_PARCEL },
	{ SHARE_PARCEL_IS, SHARE_BY_SHARE, TOKEN | HOST | NUMBER | ANSWER, 0, SHARE_PARCEL },
	{ SHARE_BEATS_ARE, SHARE_BY_SHARE, TOKEN | ANSWER, 0, SHARE_BEATS },
	{ SHARE_PRUNED, SHARE_BY_SHARE, TOKEN | HOST | NUMBER | ANSWER, 0, 0 },
	{ SHARE_FAILED, SHARE_BY_SHARE, TOKEN | HOST | VALUE | ERROR | ANSWER, 0, 0 },
	{ SHARE_LINK, SHARE_BY_SHARE, NUMBER | VALUE, 0, 0 },
};

static const uint8_t nobody[16];

static const struct row *
row_of(uint8_t verb)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].verb == verb)
			return &rows[i];
	return NULL;
}

/* What the table cannot say in a bit. */
static bool
sound(const struct share_message *m)
{
	switch (m->verb) {
	case SHARE_WELCOME:
		return share_name_ok((const char *)m->octets, m->len);
	case SHARE_FETCH:
		return m->value <= SHARE_UP_TO;
	case SHARE_PARCEL_IS:
		return (m->number == 0) == (m->len == 0);
	}
	return true;
}

static int
check(const struct share_message *m, enum share_end from)
{
	const struct row *row = row_of(m->verb);

	if (row == NULL || row->from != from)
		return KMS_E_FORMAT;
	if (m->len > row->most)
		return KMS_E_TOO_LARGE;
	if (m->len < row->least)
		return KMS_E_TRUNCATED;
	if (((row->has & TOKEN) != 0) != (m->token != 0) ||
	    ((row->has & HOST) == 0 && memcmp(m->host, nobody, sizeof(nobody)) != 0) ||
	    ((row->has & (NUMBER | FIRST)) == 0 && m->number != 0) ||
	    ((row->has & FIRST) != 0 && m->number == 0) ||
	    ((row->has & VALUE) == 0 && m->value != 0) ||
	    ((row->has & ERROR) != 0 && m->value == KMS_OK))
		return KMS_E_FORMAT;
	return sound(m) ? KMS_OK : KMS_E_FORMAT;
}

int
share_decode(
    struct share_message *m, const struct ipc_frame *f, const uint8_t *body, enum share_end from)
{
	struct wire_reader r;

	memset(m, 0, sizeof(*m));
	wire_reader_init(&r, body, f->length);
	m->verb = f->verb;
	m->token = f->token;
	memcpy(m->host, f->address, sizeof(m->host));
	m->number = wire_get_u64(&r);
	m->value = wire_get_u32(&r);
	if (r.bad)
		return KMS_E_TRUNCATED;
	m->len = (uint32_t)wire_left(&r);
	m->octets = wire_view(&r, m->len);
	if (f->flags != 0 || f->port != 0)
		return KMS_E_FORMAT;
	return check(m, from);
}

int
share_encode(struct ipc_frame *f, uint8_t fixed[SHARE_FIXED], const struct share_message *m,
    enum share_end from)
{
	struct wire_writer w;

	if (check(m, from) != KMS_OK)
		return KMS_E_ARGUMENT;
	memset(f, 0, sizeof(*f));
	f->length = SHARE_FIXED + m->len;
	f->verb = m->verb;
	f->token = m->token;
	memcpy(f->address, m->host, sizeof(f->address));
	wire_writer_init(&w, fixed, SHARE_FIXED);
	wire_put_u64(&w, m->number);
	wire_put_u32(&w, m->value);
	return KMS_OK;
}

/* -- beats -- */

int
share_beats_add(struct share_beats *b, const uint8_t host[16], const uint8_t *octets, size_t len)
{
	struct wire_writer w;

	if (b->count == SHARE_MEMBERS || len == 0 || len > SHARE_BEAT_MAX)
		return KMS_E_TOO_LARGE;
	wire_writer_init(&w, b->out + b->len, SHARE_BEATS - b->len);
	wire_put(&w, host, 16);
	wire_put_u16(&w, (uint16_t)len);
	wire_put(&w, octets, len);
	if (w.bad)
		return KMS_E_TOO_LARGE;
	b->len += wire_written(&w);
	b->count++;
	return KMS_OK;
}

int
share_beats_next(struct wire_reader *r, uint8_t host[16], const uint8_t **octets, size_t *len)
{
	if (wire_left(r) == 0)
		return r->bad ? KMS_E_FORMAT : KMS_E_NOT_FOUND;
	wire_get(r, host, 16);
	*len = wire_get_u16(r);
	*octets = wire_view(r, *len);
	return r->bad || *len == 0 || *len > SHARE_BEAT_MAX ? KMS_E_FORMAT : KMS_OK;
}

/* -- credits -- */

int
share_asked(struct share_requests *r, const struct share_message *request)
{
	unsigned place = SHARE_REQUESTS;

	for (unsigned i = 0; i < SHARE_REQUESTS; i++) {
		if (r->at[i].verb == 0)
			place = i;
		else if (r->at[i].token == request->token)
			return KMS_E_EXISTS;
	}
	if (place == SHARE_REQUESTS)
		return KMS_E_LIMIT;
	r->at[place].token = request->token;
	r->at[place].verb = request->verb;
	r->at[place].number = request->number;
	memcpy(r->at[place].host, request->host, sizeof(request->host));
	return KMS_OK;
}

/* Which answers a request may have, and which of them repeat its number. */
static const struct {
	uint8_t request, answer;
	bool host, number;
} pairs[] = {
	{ SHARE_STORE, SHARE_STORED, true, true },
	{ SHARE_STORE, SHARE_TAKEN, true, true },
	{ SHARE_BEAT, SHARE_BEATS_ARE, false, false },
	{ SHARE_FETCH, SHARE_PARCEL_IS, true, false },
	{ SHARE_PRUNE, SHARE_PRUNED, true, false },
	{ SHARE_STORE, SHARE_FAILED, true, false },
	{ SHARE_BEAT, SHARE_FAILED, true, false },
	{ SHARE_FETCH, SHARE_FAILED, true, false },
	{ SHARE_PRUNE, SHARE_FAILED, true, false },
};

static bool
answers(const struct share_requests *r, unsigned i, const struct share_message *answer)
{
	for (size_t p = 0; p < sizeof(pairs) / sizeof(pairs[0]); p++)
		if (pairs[p].request == r->at[i].verb && pairs[p].answer == answer->verb)
			return (!pairs[p].host || memcmp(r->at[i].host, answer->host,
						      sizeof(answer->host)) == 0) &&
			       (!pairs[p].number || r->at[i].number == answer->number);
	return false;
}

int
share_answered(struct share_requests *r, const struct share_message *answer)
{
	const struct row *row = row_of(answer->verb);

	if (row == NULL || row->from != SHARE_BY_SHARE)
		return KMS_E_FORMAT;
	if ((row->has & ANSWER) == 0)
		return KMS_OK;
	for (unsigned i = 0; i < SHARE_REQUESTS; i++) {
		if (r->at[i].verb == 0 || r->at[i].token != answer->token)
			continue;
		if (!answers(r, i, answer))
			return KMS_E_FORMAT;
		memset(&r->at[i], 0, sizeof(r->at[i]));
		return KMS_OK;
	}
	return KMS_E_FORMAT;
}

unsigned
share_unanswered(const struct share_requests *r)
{
	unsigned count = 0;

	for (unsigned i = 0; i < SHARE_REQUESTS; i++)
		count += r->at[i].verb != 0;
	return count;
}
