/*
 * rotation_file.c - see rotation_file.h.
 */
#include "policy/rotation_file.h"

#include <stdio.h>
#include <string.h>

#include "libkms/kms_error.h"
#include "policy/ini_values.h"
#include "policy/values.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define AT(type, field) offsetof(struct type, field), sizeof(((struct type *)0)->field)
#define SMALL_MAX (16 * 1024)

struct fields {
	struct rotation r;
	uint8_t old_signature[64], new_signature[64];
};

static void *
open_fields(struct ini_reader *r, const char *argument)
{
	return r->arg;
}

static bool
read_key(struct ini_reader *r, const struct ini_key *key, void *record, const char *value)
{
	struct minisig_key k;

	if (minisig_key_parse(&k, value) != KMS_OK)
		return ini_expected(r, key, value, "a minisign public key, RW...");
	memcpy((uint8_t *)record + key->offset, &k, sizeof(k));
	return true;
}

static const struct ini_key keys[] = {
	{ "old", read_key, AT(fields, r.old), 0, 0, NULL, false },
	{ "new", read_key, AT(fields, r.new), 0, 0, NULL, false },
	{ "from", ini_time, AT(fields, r.from), 0, 0, NULL, false },
	{ "until", ini_time_end, AT(fields, r.until), 0, 0, NULL, false },
	{ "old-signature", ini_base64, AT(fields, old_signature), 0, 0, NULL, false },
	{ "new-signature", ini_base64, AT(fields, new_signature), 0, 0, NULL, false },
};
static const struct ini_section sections[] = {
	{ "rotation", NULL, true, open_fields, keys, COUNT(keys) },
};

int
rotation_file_parse(struct rotation *out, uint8_t octets[ROTATION_SIZE], const char *text,
    size_t len, struct fault *err)
{
	struct fields f;
	int rc;

	memset(&f, 0, sizeof(f));
	rc = ini_read(sections, COUNT(sections), &f, text, len, SMALL_MAX, err);
	if (rc != KMS_OK)
		return rc;
	rotation_encode(octets, &f.r);
	memcpy(octets + ROTATION_OLD_SIGNS, f.old_signature, 64);
	memcpy(octets + ROTATION_NEW_SIGNS, f.new_signature, 64);
	rc = rotation_verify(out, octets, ROTATION_SIZE);
	if (rc == KMS_E_SIGNATURE)
		fault_set(err, rc, "the signatures in it do not verify: the file was altered");
	else if (rc != KMS_OK)
		fault_set(err, rc, "until is before from, or both keys have the same id");
	return rc;
}

size_t
rotation_file_format(char *out, size_t size, const uint8_t octets[ROTATION_SIZE])
{
	char old[MINISIG_KEY_LINE + 1], new[MINISIG_KEY_LINE + 1], from[VALUE_TIME + 1],
	    until[VALUE_TIME + 1], a[128], b[128];
	struct rotation r;
	int n;

	if (rotation_verify(&r, octets, ROTATION_SIZE) != KMS_OK ||
	    !value_time_format(from, r.from) || !value_time_format(until, r.until) ||
	    !value_base64_format(a, sizeof(a), octets + ROTATION_OLD_SIGNS, 64) ||
	    !value_base64_format(b, sizeof(b), octets + ROTATION_NEW_SIGNS, 64))
		return 0;
	minisig_key_format(old, &r.old);
	minisig_key_format(new, &r.new);
	n = snprintf(out, size,
	    "# The publisher's key changes. Install it with: kmsctl publisher rotate FILE\n"
	    "[rotation]\nold = %s\nnew = %s\nfrom = %s\nuntil = %s\nold-signature = %s\n"
	    "new-signature = %s\n",
	    old, new, from, until, a, b);
	return n > 0 && (size_t)n < size ? (size_t)n : 0;
}
