/*
 * publisher_file.c - the way of a file, the same for all kinds; kinds.c has the differences.
 */
#include "policy/files/publisher_file.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/kms_error.h"
#include "policy/files/kinds.h"
#include "policy/files/rotations.h"

struct publisher_file
publisher_file_of(enum publisher_file_kind kind, const struct signed_file *s)
{
	return (struct publisher_file){ .kind = kind,
		.text = s->text,
		.len = s->len,
		.signature = s->signature,
		.signature_len = s->signature_len };
}

const char *
publisher_file_name(enum publisher_file_kind kind)
{
	return file_kinds[kind].name;
}

/* The sections of a file may be in any order. */
enum publisher_file_kind
publisher_file_guess(const char *text)
{
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		for (unsigned k = 0; k < FILE_KINDS; k++)
			if (strncmp(line, file_kinds[k].section, strlen(file_kinds[k].section)) ==
			    0)
				return (enum publisher_file_kind)k;
	}
	return FILE_KINDS;
}

void
publisher_file_describe(const struct publisher_file *c, char *out, size_t size)
{
	file_kinds[c->kind].describe(c, out, size);
}

int
publisher_file_parse(struct publisher_file *c, struct fault *f)
{
	struct fault own = { 0 };
	int rc = file_kinds[c->kind].parse(c, &own);

	if (rc != KMS_OK)
		fault_at(f, own.line, rc, "%s", fault_text(&own, rc));
	return rc;
}

/* Finds who signed it; c->publisher is already set when the file itself names the publisher. */
static int
find_signer(const struct publishers *s, struct publisher_file *c, struct fault *f)
{
	int rc = KMS_E_PUBLISHER;

	if (s->count == 0)
		return fault_set(f, rc,
		    "no publisher is configured: add a [publisher NAME] section with its key to kms.ini and reload");
	if (c->len > SIGNED_FILE_MAX || c->signature_len > SIGNATURE_FILE_MAX)
		return fault_set(f, KMS_E_TOO_LARGE, "the file is too large");
	for (unsigned i = 0; i < s->count && rc == KMS_E_PUBLISHER; i++) {
		c->publisher = &s->list[i];
		rc = publisher_keys_file(&c->publisher->public, file_kinds[c->kind].plain, c->text,
		    c->len, c->signature, c->signature_len, NULL, 0, &c->signer);
	}
	if (rc == KMS_E_PUBLISHER)
		return fault_set(
		    f, rc, "not signed by any configured publisher (%u in kms.ini)", s->count);
	if (rc == KMS_E_SIGNATURE)
		return fault_set(
		    f, rc, "the file was changed after publisher %s signed it", c->publisher->name);
	return rc == KMS_OK ? rc
			    : fault_set(f, rc, "the .minisig file is not a minisign signature");
}

int
publisher_file_read(const struct publishers *s, struct publisher_file *c, struct fault *f)
{
	const struct file_kind *kind = &file_kinds[c->kind];
	int rc;

	/*
	 * A rotation may be for a key that is not yet known: the file itself names its publisher.
	 */
	if (c->made == NULL && c->kind != FILE_ROTATION && (rc = find_signer(s, c, f)) != KMS_OK)
		return rc;
	if ((rc = publisher_file_parse(c, f)) != KMS_OK) {
		if (f != NULL && f->line > 0)
			fault_prefix(f, "%s, line %d: ", kind->name, f->line);
		else
			fault_prefix(f, "%s: ", kind->name);
		return rc;
	}
	if ((rc = kind->belongs(s, c, f)) != KMS_OK)
		return rc;
	crypto_hash_sha256(c->digest, (const uint8_t *)c->text, c->len);
	c->installed = kind->same(c->publisher, c);
	return KMS_OK;
}

static bool
too_early(const struct publisher_keys *k, const struct minisig_key *signer, uint64_t now)
{
	int i = publisher_keys_index(k, signer->id);

	return i > 0 && now < k->statements[i - 1].from;
}

int
publisher_file_check(
    const struct publishers *s, struct publisher_file *c, uint64_t now, struct fault *f)
{
	const struct publisher *p = c->publisher;

	if (c->signer != NULL && !publisher_keys_accept(&p->public, c->signer, now))
		return fault_set(f, KMS_E_PUBLISHER, "publisher %s signed this with its %s",
		    p->name,
		    too_early(&p->public, c->signer, now) ? "new key, which is not yet accepted"
							  : "old key, which is no longer accepted");
	c->time = now;
	return file_kinds[c->kind].check(s, c, now, f);
}

/* The signature first: a file is never there without its signature. */
static int
store_signed(int dirfd, const struct publisher_file *c, const char *path)
{
	char beside[SIGNED_FILE_PATH + 16];
	int rc;

	snprintf(beside, sizeof(beside), "%s.minisig", path);
	if (c->made != NULL) /* the certificate contains its signature, and has no other */
		rc = file_remove(dirfd, beside);
	else
		rc = file_write(dirfd, beside, c->signature, c->signature_len, 0600, true);
	return rc == KMS_OK ? file_write(dirfd, path, c->text, c->len, 0600, true) : rc;
}

/* The pack that was stored is the one in force from the next start on. */
static int
choose_pack(const struct publishers *s, const struct publisher_file *c)
{
	char path[SIGNED_FILE_PATH], version[16];

	snprintf(version, sizeof(version), "%u.%u", c->pack->major, c->pack->minor);
	file_kind_pack_path(path, c->publisher, "current", "");
	return file_write(s->dirfd, path, version, strlen(version), 0600, true);
}

int
publisher_file_store(const struct publishers *s, const struct publisher_file *c)
{
	char path[SIGNED_FILE_PATH];
	int rc;

	if (c->kind == FILE_ROTATION)
		return rotations_store(s->dirfd, c->publisher, c->rotation_octets);
	file_kind_path(path, c->kind, c->publisher, c);
	if ((rc = signed_file_make_dirs(s->dirfd, path)) != KMS_OK)
		return rc;
	if ((rc = store_signed(s->dirfd, c, path)) != KMS_OK || c->kind != FILE_PACK)
		return rc;
	return choose_pack(s, c);
}

void
publisher_file_adopt(struct publisher_file *c)
{
	file_kinds[c->kind].adopt(c->publisher, c);
	publisher_settle(c->publisher);
}

void
publisher_file_free(struct publisher_file *c)
{
	free(c->pack);
	free(c->made);
	free(c->revocations);
	c->pack = NULL;
	c->made = NULL;
	c->revocations = NULL;
}
