/*
 * aside.c - codec of the personal fields beside an entry, and the commitments to them (aside.h).
 */
#include "libkms/core/aside.h"

#include <sodium.h>
#include <string.h>

#include "libkms/base/wire.h"
#include "libkms/core/hash16.h"
#include "libkms/kms_error.h"

_Static_assert(ASIDE_MAX == 1 + ASIDE_SALT + 16 + 2 * (1 + MESSAGE_NAME), "limits.h");

#define FORM_ERASED 0
#define FORM_PLAIN 1

size_t
aside_encode(uint8_t *out, size_t size, const struct aside *a)
{
	struct wire_writer w;

	wire_writer_init(&w, out, size);
	wire_put_u8(&w, FORM_PLAIN);
	wire_put(&w, a->salt, sizeof(a->salt));
	wire_put(&w, a->address, sizeof(a->address));
	wire_put_short_text(&w, a->name, MESSAGE_NAME);
	wire_put_short_text(&w, a->user, MESSAGE_NAME);
	return wire_written(&w);
}

int
aside_decode(struct aside *a, const uint8_t *in, size_t len)
{
	struct wire_reader r;
	bool ok;

	memset(a, 0, sizeof(*a));
	if (len == 0)
		return KMS_E_NOT_FOUND;
	if (in[0] == FORM_ERASED)
		return len <= ASIDE_MAX && sodium_is_zero(in, len) ? KMS_E_NOT_FOUND : KMS_E_FORMAT;
	wire_reader_init(&r, in, len);
	ok = wire_get_u8(&r) == FORM_PLAIN;
	wire_get(&r, a->salt, sizeof(a->salt));
	wire_get(&r, a->address, sizeof(a->address));
	ok = wire_get_short_text(&r, a->name, MESSAGE_NAME) &&
	     wire_get_short_text(&r, a->user, MESSAGE_NAME) && ok;
	if (ok && wire_finish(&r) == KMS_OK)
		return KMS_OK;
	memset(a, 0, sizeof(*a));
	return KMS_E_FORMAT;
}

static void
commit(uint8_t out[COMMITMENT], const char *label, const uint8_t salt[ASIDE_SALT],
    const void *field, size_t len)
{
	hash16(out, label, (const struct hash16_part[]){ { salt, ASIDE_SALT }, { field, len } }, 2);
}

void
commit_name(uint8_t out[COMMITMENT], const uint8_t salt[ASIDE_SALT], const char *name)
{
	commit(out, "KMS name v1", salt, name, strnlen(name, MESSAGE_NAME));
}

void
commit_user(uint8_t out[COMMITMENT], const uint8_t salt[ASIDE_SALT], const char *user)
{
	if (user[0] == '\0')
		memset(out, 0, COMMITMENT);
	else
		commit(out, "KMS user v1", salt, user, strnlen(user, MESSAGE_NAME));
}

void
commit_address(uint8_t out[COMMITMENT], const uint8_t salt[ASIDE_SALT], const uint8_t address[16])
{
	commit(out, "KMS address v1", salt, address, 16);
}

void
aside_commit(struct commitments *out, const struct aside *a)
{
	commit_name(out->name, a->salt, a->name);
	commit_user(out->user, a->salt, a->user);
	commit_address(out->address, a->salt, a->address);
}

bool
aside_gives(const struct aside *a, const struct commitments *c)
{
	struct commitments own;

	aside_commit(&own, a);
	if (a->name[0] == '\0' && sodium_is_zero(c->name, COMMITMENT))
		memset(own.name, 0, COMMITMENT);
	return memcmp(&own, c, sizeof(own)) == 0;
}
