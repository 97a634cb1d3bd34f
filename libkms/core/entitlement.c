/*
 * entitlement.c - see entitlement.h.
 */
#include "libkms/core/entitlement.h"

#include <stdio.h>
#include <string.h>

#include "libkms/kms_error.h"

static bool
key_ok(const char *key, size_t len)
{
	if (len == 0 || len > ENTITLEMENT_KEY || key[0] < 'a' || key[0] > 'z')
		return false;
	for (size_t i = 0; i < len; i++)
		if (!((key[i] >= 'a' && key[i] <= 'z') || (key[i] >= '0' && key[i] <= '9') ||
			key[i] == '.' || key[i] == '-'))
			return false;
	return true;
}

/* By their bytes, a shorter one before those that continue it. */
static int
compare(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order != 0 ? order : (a_len > b_len) - (a_len < b_len);
}

bool
entitlements_next(struct wire_reader *r, struct entitlement *out)
{
	if (wire_left(r) == 0)
		return false;
	out->key_len = wire_get_u8(r);
	out->key = (const char *)wire_view(r, out->key_len);
	out->value_len = wire_get_u8(r);
	out->value = (const char *)wire_view(r, out->value_len);
	return !r->bad;
}

int
entitlements_check(const uint8_t *octets, size_t len)
{
	struct entitlement e, before = { .key_len = 0 };
	struct wire_reader r;

	if (len == 0 || len > ENTITLEMENTS_MAX)
		return KMS_E_FORMAT;
	wire_reader_init(&r, octets, len);
	while (entitlements_next(&r, &e)) {
		if (!key_ok(e.key, e.key_len) || !wire_text_ok(e.value, e.value_len))
			return KMS_E_FORMAT;
		if (before.key_len > 0 &&
		    compare(before.key, before.key_len, e.key, e.key_len) >= 0)
			return KMS_E_FORMAT;
		before = e;
	}
	return r.bad ? KMS_E_FORMAT : KMS_OK;
}

bool
entitlements_find(const struct entitlements *e, const char *key, struct entitlement *out)
{
	struct wire_reader r;

	wire_reader_init(&r, e->octets, e->len);
	while (entitlements_next(&r, out))
		if (compare(out->key, out->key_len, key, strlen(key)) == 0)
			return true;
	return false;
}

int
entitlements_add(struct entitlements *e, const char *key, const char *value)
{
	size_t key_len = strlen(key), value_len = strlen(value), more = 2 + key_len + value_len;
	struct entitlement other;
	struct wire_reader r;
	struct wire_writer w;
	size_t at = 0;

	if (!key_ok(key, key_len) || value_len > ENTITLEMENT_VALUE ||
	    !wire_text_ok(value, value_len))
		return KMS_E_FORMAT;
	wire_reader_init(&r, e->octets, e->len);
	while (entitlements_next(&r, &other)) {
		int order = compare(other.key, other.key_len, key, key_len);

		if (order == 0)
			return KMS_E_EXISTS;
		if (order > 0)
			break;
		at = (size_t)(r.at - e->octets);
	}
	if (e->len + more > ENTITLEMENTS_MAX)
		return KMS_E_TOO_LARGE;
	memmove(e->octets + at + more, e->octets + at, e->len - at);
	wire_writer_init(&w, e->octets + at, more);
	wire_put_u8(&w, (uint8_t)key_len);
	wire_put(&w, key, key_len);
	wire_put_u8(&w, (uint8_t)value_len);
	wire_put(&w, value, value_len);
	e->len = (uint16_t)(e->len + more);
	return KMS_OK;
}

const char *
entitlements_text(char out[ENTITLEMENTS_TEXT], const struct entitlements *e)
{
	struct entitlement one;
	struct wire_reader r;
	size_t n = 0;

	out[0] = '\0';
	wire_reader_init(&r, e->octets, e->len);
	while (entitlements_next(&r, &one))
		n += (size_t)snprintf(out + n, ENTITLEMENTS_TEXT - n, "%s%.*s=%.*s",
		    n > 0 ? ", " : "", one.key_len, one.key, one.value_len, one.value);
	return out;
}
