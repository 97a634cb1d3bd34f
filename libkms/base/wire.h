/*
 * wire.h - cursors over bytes. Big-endian, bounds-checked, and the first
 * error sticks: write the happy path straight, ask once at the end.
 *
 * A reader borrows its bytes; views it returns point into them. A writer
 * borrows a fixed buffer and never grows it.
 *
 * Numbers are read and written inline: every frame between kmsd's processes passes here.
 */
#ifndef KMS_LIBKMS_BASE_WIRE_H
#define KMS_LIBKMS_BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "libkms/os/byte_order.h"

struct wire_reader {
	const uint8_t *at;
	const uint8_t *end;
	bool bad; /* ran past the end */
};

struct wire_writer {
	uint8_t *start;
	uint8_t *at;
	uint8_t *end;
	bool bad; /* did not fit */
};

static inline void
wire_reader_init(struct wire_reader *r, const void *bytes, size_t len)
{
	r->at = bytes;
	r->end = r->at == NULL ? NULL : r->at + len;
	r->bad = r->at == NULL && len > 0;
}

static inline size_t
wire_left(const struct wire_reader *r)
{
	return r->bad || r->at == NULL ? 0 : (size_t)(r->end - r->at);
}

/* NULL when bad. */
static inline const uint8_t *
wire_view(struct wire_reader *r, size_t len)
{
	const uint8_t *view = r->at;

	if (r->bad || len > wire_left(r)) {
		r->bad = true;
		return NULL;
	}
	if (len > 0)
		r->at += len;
	return view;
}

/* Zeros when bad. */
static inline void
wire_get(struct wire_reader *r, void *out, size_t len)
{
	const uint8_t *p = wire_view(r, len);

	if (len == 0)
		return;
	if (p != NULL)
		memcpy(out, p, len);
	else
		memset(out, 0, len);
}

static inline uint8_t
wire_get_u8(struct wire_reader *r)
{
	uint8_t v;

	wire_get(r, &v, sizeof(v));
	return v;
}

static inline uint16_t
wire_get_u16(struct wire_reader *r)
{
	uint16_t v;

	wire_get(r, &v, sizeof(v));
	return be16toh(v);
}

static inline uint32_t
wire_get_u32(struct wire_reader *r)
{
	uint32_t v;

	wire_get(r, &v, sizeof(v));
	return be32toh(v);
}

static inline uint64_t
wire_get_u64(struct wire_reader *r)
{
	uint64_t v;

	wire_get(r, &v, sizeof(v));
	return be64toh(v);
}

/*
 * The 8 bytes that name a structure and its version. KMS_E_SCHEMA: another version, since the first
 * 6 are the same; KMS_E_FORMAT: another structure.
 */
int wire_magic(struct wire_reader *r, const char magic[8]);
/* KMS_OK, KMS_E_TRUNCATED (ran past the end) or KMS_E_TRAILING (bytes left). */
int wire_finish(const struct wire_reader *r);

static inline void
wire_writer_init(struct wire_writer *w, void *buffer, size_t size)
{
	w->start = w->at = buffer;
	w->end = w->at == NULL ? NULL : w->at + size;
	w->bad = false;
}

/* Room for len bytes, which the caller fills; NULL when they do not fit. */
static inline uint8_t *
wire_reserve(struct wire_writer *w, size_t len)
{
	uint8_t *p = w->at;

	if (w->bad || p == NULL || len > (size_t)(w->end - p)) {
		w->bad = true;
		return NULL;
	}
	w->at += len;
	return p;
}

static inline void
wire_put(struct wire_writer *w, const void *bytes, size_t len)
{
	uint8_t *p = wire_reserve(w, len);

	if (p != NULL && len > 0)
		memcpy(p, bytes, len);
}

static inline void
wire_put_zero(struct wire_writer *w, size_t len)
{
	uint8_t *p = wire_reserve(w, len);

	if (p != NULL)
		memset(p, 0, len);
}

static inline void
wire_put_u8(struct wire_writer *w, uint8_t v)
{
	wire_put(w, &v, sizeof(v));
}

static inline void
wire_put_u16(struct wire_writer *w, uint16_t v)
{
	v = htobe16(v);
	wire_put(w, &v, sizeof(v));
}

static inline void
wire_put_u32(struct wire_writer *w, uint32_t v)
{
	v = htobe32(v);
	wire_put(w, &v, sizeof(v));
}

static inline void
wire_put_u64(struct wire_writer *w, uint64_t v)
{
	v = htobe64(v);
	wire_put(w, &v, sizeof(v));
}

static inline size_t
wire_written(const struct wire_writer *w)
{
	return w->bad || w->at == NULL ? 0 : (size_t)(w->at - w->start);
}

/*
 * Fixed-width text: len bytes that follow the text rule (wire_text_ok), padded with
 * zero bytes; out holds len + 1. Anything after the first zero must be zero.
 * wire_get_text returns false for what is not so: KMS_E_FORMAT.
 */
bool wire_get_text(struct wire_reader *r, char *out, size_t len);
void wire_put_text(struct wire_writer *w, const char *text, size_t len);
/*
 * Short text: u8 length, and that many bytes that follow the text rule, at most max; out holds
 * max + 1 and is padded with zeros. False as above, out is then empty. A text that is too long or
 * against the rule does not fit.
 */
bool wire_get_short_text(struct wire_reader *r, char *out, size_t max);
void wire_put_short_text(struct wire_writer *w, const char *text, size_t max);
/*
 * The text rule, one for all that travels, is stored or is printed. True for well-formed UTF-8
 * (RFC 3629) without control characters (U+0000-001F, U+007F-009F) and without characters that
 * turn the direction of writing or are not seen (U+061C, U+200E, U+200F, U+2028-202E,
 * U+2066-2069, U+FEFF).
 */
bool wire_text_ok(const char *text, size_t len);
/*
 * Bytes of the UTF-8 sequence (RFC 3629: shortest form, no surrogates) that text begins with,
 * whether the rule allows it or not; 0: none.
 */
size_t wire_text_sequence(const char *text, size_t len);
/* Bytes of the first character of text, which has len bytes; 0: the rule does not allow it. */
size_t wire_text_character(const char *text, size_t len);
/*
 * Makes the len bytes of text follow the rule: '?' for each character that it does not allow, and
 * for each byte that is not UTF-8. The text never grows. Returns its new length; it is not
 * terminated here.
 */
size_t wire_text_clean(char *text, size_t len);

/*
 * A TLV tail, up to the end of its structure: type u16, length u16, value. Types ascend strictly.
 * A type with WIRE_CRITICAL must be understood; any other that is unknown is skipped.
 *
 *     wire_tail_init(&tail, &r, TAIL_REQUEST);
 *     while (wire_tail_next(&tail, &tlv))
 *         if (tlv.type == 1) wire_tail_expect(&tail, &tlv, 40) && ...
 *         else wire_tail_unknown(&tail, &tlv);
 *     return wire_tail_finish(&tail);
 */
#define WIRE_CRITICAL 0x8000

struct wire_tlv {
	uint16_t type;
	uint16_t len;
	const uint8_t *value; /* borrowed */
};
struct wire_tail {
	struct wire_reader r;
	int32_t last;    /* type of the TLV before, -1 at first */
	int32_t repeats; /* the one type that may follow itself, -1: none */
	bool bad;        /* too long, out of order, or a wrong length */
	bool critical;   /* an unknown TLV that must be understood */
};

/* Takes all that is left in r. More than max bytes are KMS_E_FORMAT at the end. */
void wire_tail_init(struct wire_tail *tail, struct wire_reader *r, size_t max);
/* Next TLV; false at the end and after an error. */
bool wire_tail_next(struct wire_tail *tail, struct wire_tlv *out);
/* A known type has one length: false, and KMS_E_FORMAT at the end, when it has another. */
bool wire_tail_expect(struct wire_tail *tail, const struct wire_tlv *tlv, uint16_t len);
/* The caller does not know the type. */
void wire_tail_unknown(struct wire_tail *tail, const struct wire_tlv *tlv);
/* When no type is known. As wire_tail_finish. */
int wire_tail_skip(struct wire_reader *r, size_t max);
/* KMS_OK; KMS_E_TRUNCATED; KMS_E_FORMAT; KMS_E_SCHEMA (unknown and critical). */
int wire_tail_finish(const struct wire_tail *tail);

/* Next TLV of any order; false at the end or when r->bad. */
bool wire_next_tlv(struct wire_reader *r, struct wire_tlv *out);
/* The caller writes types in their order. */
void wire_put_tlv(struct wire_writer *w, uint16_t type, const void *value, uint16_t len);

#endif
