/*
 * state.c - see state.h.
 */
#include "libkms/client/state.h"

#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/client/client_file.h"
#include "libkms/kms_error.h"

#define HEADER_WANTED 1
#define EVIDENCE 2
#define HEADER_SHOWN 4

static const char magic[8] = { 'K', 'M', 'S', 'S', 'T', 'A', 'T', 'E' };

static void
put_counted(struct wire_writer *w, const uint8_t *bytes, size_t len)
{
	wire_put_u16(w, (uint16_t)len);
	wire_put(w, bytes, len);
}

static size_t
get_counted(struct wire_reader *r, uint8_t *out, size_t size)
{
	size_t len = wire_get_u16(r);

	if (len > size) {
		r->bad = true;
		return 0;
	}
	wire_get(r, out, len);
	return len;
}

static unsigned
get_count(struct wire_reader *r, unsigned max)
{
	unsigned count = wire_get_u8(r);

	if (count > max) {
		r->bad = true;
		return 0;
	}
	return count;
}

static void
put_host(struct wire_writer *w, const struct state_host *h)
{
	wire_put(w, h->id, sizeof(h->id));
	wire_put_u64(w, h->last_use);
	wire_put_u8(w, (h->header_wanted ? HEADER_WANTED : 0) | (h->evidence ? EVIDENCE : 0) |
			   (h->header_shown ? HEADER_SHOWN : 0));
	wire_put(w, h->highest, sizeof(h->highest));
	if (h->evidence)
		wire_put(w, h->contradiction, sizeof(h->contradiction));
}

static void
get_host(struct wire_reader *r, struct state_host *h)
{
	uint8_t flags;

	wire_get(r, h->id, sizeof(h->id));
	h->last_use = wire_get_u64(r);
	flags = wire_get_u8(r);
	h->header_wanted = (flags & HEADER_WANTED) != 0;
	h->evidence = (flags & EVIDENCE) != 0;
	h->header_shown = (flags & HEADER_SHOWN) != 0;
	wire_get(r, h->highest, sizeof(h->highest));
	if (h->evidence)
		wire_get(r, h->contradiction, sizeof(h->contradiction));
	if ((flags & ~(HEADER_WANTED | EVIDENCE | HEADER_SHOWN)) != 0 ||
	    (h->header_shown && !h->header_wanted))
		r->bad = true;
}

static void
put_numbers(struct wire_writer *w, const struct state *s)
{
	wire_put_u64(w, s->highest_seen);
	wire_put_u64(w, s->first_use);
	wire_put_u64(w, s->last_exchange);
	wire_put_u64(w, s->last_attempt);
	wire_put_u32(w, s->last_status);
	wire_put_u32(w, s->count);
	wire_put_u32(w, s->required);
	wire_put_u32(w, s->activation_interval);
	wire_put_u32(w, s->renewal_interval);
	wire_put_u32(w, s->retry_after);
}

static void
get_numbers(struct wire_reader *r, struct state *s)
{
	s->highest_seen = wire_get_u64(r);
	s->first_use = wire_get_u64(r);
	s->last_exchange = wire_get_u64(r);
	s->last_attempt = wire_get_u64(r);
	s->last_status = wire_get_u32(r);
	s->count = wire_get_u32(r);
	s->required = wire_get_u32(r);
	s->activation_interval = wire_get_u32(r);
	s->renewal_interval = wire_get_u32(r);
	s->retry_after = wire_get_u32(r);
}

size_t
state_encode(uint8_t *out, size_t size, const struct state *s)
{
	struct wire_writer w;
	size_t total;

	if (s->rotation_count > ROTATION_CHAIN_MAX || s->host_count > STATE_HOSTS ||
	    s->certificate_len > CERTIFICATE_MAX || s->lease_certificate_len > CERTIFICATE_MAX ||
	    s->bundle_len > LEASE_MAX)
		return 0;
	wire_writer_init(&w, out, size);
	wire_reserve(&w, CLIENT_FILE_HEAD);
	wire_put(&w, s->pk, sizeof(s->pk));
	put_numbers(&w, s);
	wire_put_text(&w, s->host, STATE_HOST);
	wire_put_u8(&w, (uint8_t)s->rotation_count);
	wire_put(&w, s->rotations, s->rotation_count * sizeof(s->rotations[0]));
	put_counted(&w, s->certificate, s->certificate_len);
	wire_put_u8(&w, s->has_statement);
	if (s->has_statement)
		wire_put(&w, s->statement, sizeof(s->statement));
	put_counted(&w, s->lease_certificate, s->lease_certificate_len);
	put_counted(&w, s->bundle, s->bundle_len);
	wire_put_u8(&w, (uint8_t)s->host_count);
	for (unsigned i = 0; i < s->host_count; i++)
		put_host(&w, &s->hosts[i]);
	if (w.bad || size - wire_written(&w) < STATE_CHECKSUM)
		return 0;
	total = wire_written(&w) + STATE_CHECKSUM;
	client_file_close(out, total, magic, STATE_VERSION);
	return total;
}

int
state_decode(struct state *s, const uint8_t *in, size_t len, uint16_t *version)
{
	struct wire_reader r;
	uint16_t found = 0;
	uint8_t has;
	bool text;
	int rc = client_file_check(in, len, magic, STATE_VERSION, &found);

	if (version != NULL)
		*version = found;
	if (rc != KMS_OK)
		return rc;
	memset(s, 0, sizeof(*s));
	wire_reader_init(&r, in, len - STATE_CHECKSUM);
	wire_view(&r, CLIENT_FILE_HEAD);
	wire_get(&r, s->pk, sizeof(s->pk));
	get_numbers(&r, s);
	text = wire_get_text(&r, s->host, STATE_HOST);
	s->rotation_count = get_count(&r, ROTATION_CHAIN_MAX);
	wire_get(&r, s->rotations, s->rotation_count * sizeof(s->rotations[0]));
	s->certificate_len = get_counted(&r, s->certificate, sizeof(s->certificate));
	has = wire_get_u8(&r);
	s->has_statement = has == 1;
	if (s->has_statement)
		wire_get(&r, s->statement, sizeof(s->statement));
	s->lease_certificate_len =
	    get_counted(&r, s->lease_certificate, sizeof(s->lease_certificate));
	s->bundle_len = get_counted(&r, s->bundle, sizeof(s->bundle));
	s->host_count = get_count(&r, STATE_HOSTS);
	for (unsigned i = 0; i < s->host_count; i++)
		get_host(&r, &s->hosts[i]);
	return text && has <= 1 && wire_finish(&r) == KMS_OK ? KMS_OK : KMS_E_STATE;
}
