/*
 * installed.c - see installed.h.
 */
#include "kmsd/activate/installed.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/common/log.h"
#include "libkms/base/wire.h"

static const uint8_t kinds[FILE_KINDS] = { [FILE_ROTATION] = ENTRY_ROTATION,
	[FILE_KEY] = ENTRY_KEY,
	[FILE_CERTIFICATE] = ENTRY_CERTIFICATE,
	[FILE_PACK] = ENTRY_POLICY,
	[FILE_REVOCATIONS] = ENTRY_REVOCATIONS };

/* Of the file, or of the certificate; a statement is in its entry, and has no other digest. */
static void
fill_digest(struct entry_admin *e, const struct publisher_file *c)
{
	if (c->kind == FILE_CERTIFICATE)
		crypto_hash_sha256(e->digest, c->certificate_octets, c->certificate_len);
	else if (c->kind != FILE_ROTATION)
		memcpy(e->digest, c->digest, 32);
}

static void
fill_subject(struct entry_admin *e, const struct publisher_file *c)
{
	if (c->kind == FILE_KEY)
		memcpy(e->subject, c->key.id, 16);
	else if (c->kind == FILE_CERTIFICATE)
		memcpy(e->subject, c->certificate.host_key_id, 16);
	else
		memcpy(e->subject, c->publisher->public.key.id, 8);
}

static void
fill_blob(struct installed_entry *out, const struct publisher_file *c)
{
	struct entry_admin *e = &out->e;
	struct wire_writer w;

	if (c->kind == FILE_CERTIFICATE) {
		e->blob = c->certificate_octets;
		e->blob_len = c->certificate_len;
	} else if (c->kind == FILE_ROTATION) {
		e->blob = c->rotation_octets;
		e->blob_len = ROTATION_SIZE;
	} else if (c->kind == FILE_REVOCATIONS) {
		wire_writer_init(&w, out->number, sizeof(out->number));
		wire_put_u32(&w, c->revocations->number);
		e->blob = out->number;
		e->blob_len = sizeof(out->number);
	}
}

void
installed_entry(struct installed_entry *out, const struct publisher_file *c)
{
	int n = snprintf(out->text, sizeof(out->text), "%s: ", c->publisher->name);

	publisher_file_describe(c, out->text + n, sizeof(out->text) - (size_t)n);
	out->e = (struct entry_admin){ .kind = kinds[c->kind] };
	out->e.text = out->text;
	out->e.text_len = strlen(out->text);
	fill_digest(&out->e, c);
	fill_subject(&out->e, c);
	fill_blob(out, c);
}

/* -- again, from memory -- */

/* Writes the entry of the file, unless the journal has it. */
static int
record(struct activate *a, const struct publisher_file *c)
{
	struct installed_entry entry;
	uint8_t digest[32];
	int rc;

	installed_entry(&entry, c);
	kmsdb_installed_digest(digest, &entry.e);
	if ((rc = kmsdb_installed(a->db, digest)) != KMS_E_NOT_FOUND)
		return rc;
	if ((rc = activate_record(a, &entry.e)) == KMS_OK)
		log_event(LOG_WARNING, "entry-again",
		    "the journal had no entry of an installed file, %s: kmsd wrote the entry again",
		    entry.text);
	return rc;
}

static int
record_rotations(struct activate *a, struct publisher *p)
{
	struct publisher_file c = { .kind = FILE_ROTATION, .publisher = p };
	int rc = KMS_OK;

	for (unsigned i = 0; i < p->public.count && rc == KMS_OK; i++) {
		c.rotation = p->public.statements[i];
		memcpy(c.rotation_octets, p->public.octets[i], ROTATION_SIZE);
		rc = record(a, &c);
	}
	return rc;
}

static int
record_keys(struct activate *a, struct publisher *p)
{
	struct publisher_file c = { .kind = FILE_KEY, .publisher = p };
	int rc = KMS_OK;

	for (unsigned i = 0; i < p->key_count && rc == KMS_OK; i++) {
		c.key = p->keys[i];
		memcpy(c.digest, p->key_digests[i], sizeof(c.digest));
		rc = record(a, &c);
	}
	return rc;
}

static int
record_certificate(struct activate *a, struct publisher *p)
{
	struct publisher_file c = { .kind = FILE_CERTIFICATE, .publisher = p };

	if (!p->confirmed)
		return KMS_OK;
	c.certificate = p->certificate;
	c.certificate_len = p->certificate_len;
	memcpy(c.certificate_octets, p->certificate_octets, p->certificate_len);
	return record(a, &c);
}

/* Pack and list stay the publisher's. */
static int
record_pack(struct activate *a, struct publisher *p)
{
	struct publisher_file c = { .kind = FILE_PACK, .publisher = p, .pack = p->pack };

	memcpy(c.digest, p->pack_digest, sizeof(c.digest));
	return p->pack != NULL ? record(a, &c) : KMS_OK;
}

static int
record_revocations(struct activate *a, struct publisher *p)
{
	struct publisher_file c = {
		.kind = FILE_REVOCATIONS, .publisher = p, .revocations = p->revocations
	};

	memcpy(c.digest, p->revocations_digest, sizeof(c.digest));
	return p->revocations != NULL ? record(a, &c) : KMS_OK;
}

int
installed_record(struct activate *a)
{
	static int (*const each[])(struct activate * a, struct publisher * p) = { record_rotations,
		record_keys, record_certificate, record_pack, record_revocations };
	int rc = KMS_OK;

	for (unsigned i = 0; i < a->publishers.count; i++)
		for (size_t k = 0; k < sizeof(each) / sizeof(each[0]) && rc == KMS_OK; k++)
			rc = each[k](a, &a->publishers.list[i]);
	return rc;
}
