/*
 * wire.h - cursors over bytes. Big-endian, bounds-checked, and the first
 * error sticks: write the happy path straight, ask once at the end.
 *
 * A reader borrows its bytes; views it returns point into them. A writer
 * borrows a fixed buffer and never grows it.
 */
#ifndef KMS_LIBKMS_BASE_WIRE_H
#define KMS_LIBKMS_BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

void wire_reader_init(struct wire_reader *r, const void *bytes, size_t len);
uint8_t wire_get_u8(struct wire_reader *r);
uint16_t wire_get_u16(struct wire_reader *r);
uint32_t wire_get_u32(struct wire_reader *r);
uint64_t wire_get_u64(struct wire_reader *r);
void wire_get(struct wire_reader *r, void *out, size_t len); /* zeros when bad */
const uint8_t *wire_view(struct wire_reader *r, size_t len); /* NULL when bad */
size_t wire_left(const struct wire_reader *r);
/* KMS_OK, KMS_E_TRUNCATED (ran past the end) or KMS_E_TRAILING (bytes left). */
int wire_finish(const struct wire_reader *r);

void wire_writer_init(struct wire_writer *w, void *buffer, size_t size);
void wire_put_u8(struct wire_writer *w, uint8_t v);
void wire_put_u16(struct wire_writer *w, uint16_t v);
void wire_put_u32(struct wire_writer *w, uint32_t v);
void wire_put_u64(struct wire_writer *w, uint64_t v);
void wire_put(struct wire_writer *w, const void *bytes, size_t len);
void wire_put_zero(struct wire_writer *w, size_t len);
size_t wire_written(const struct wire_writer *w);

/*
 * Fixed-width text: len bytes, UTF-8 without control characters, padded with
 * zero bytes; out holds len + 1. Anything after the first zero must be zero.
 * A violation sets r->bad... of the FORMAT kind: wire_get_text returns false.
 */
bool wire_get_text(struct wire_reader *r, char *out, size_t len);
void wire_put_text(struct wire_writer *w, const char *text, size_t len);
/* True for well-formed UTF-8 (RFC 3629) that has no C0 control and no DEL. */
bool wire_text_ok(const char *text, size_t len);

/* TLV tail: type u16, length u16, value. Unknown types are skipped. */
struct wire_tlv {
	uint16_t type;
	uint16_t len;
	const uint8_t *value; /* borrowed */
};
/* Next TLV; false at the end or when r->bad. */
bool wire_next_tlv(struct wire_reader *r, struct wire_tlv *out);
void wire_put_tlv(struct wire_writer *w, uint16_t type, const void *value, uint16_t len);

#endif
