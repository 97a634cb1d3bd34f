/*
 * lease_read.c - see lease_read.h.
 */
#include "kmsctl/issue/lease_read.h"

#include <stdio.h>
#include <string.h>

#include "kmsctl/issue/sign.h"
#include "libkms/base/hex.h"

#define FAMILY 7 /* bytes of the magic that every version has */

bool
lease_read_is(const void *data, size_t len)
{
	return len >= FAMILY && memcmp(data, LEASE_FILE_MAGIC, FAMILY) == 0;
}

static int
fail_lease(struct issue *i, int status, const char *path)
{
	if (status == KMS_E_SCHEMA)
		return fault_set(&i->fault, status,
		    "%s is a lease of a version that this kmsissue %s does not know", path,
		    PACKAGE_VERSION);
	if (status == KMS_E_PUBLISHER)
		return fault_set(&i->fault, status, "%s is a lease of another publisher", path);
	if (status == KMS_E_FORMAT)
		return fault_set(
		    &i->fault, status, "%s is not a lease file, or it is damaged", path);
	return fault_set(&i->fault, status, "%s: the lease does not verify: %s", path,
	    kms_strerror((uint32_t)status));
}

int
lease_read(struct issue *i, const char *path, const void *data, size_t len,
    const struct minisig_key *publisher, struct lease_told *out)
{
	struct lease_file file;
	int rc = lease_file_read(&file, data, len);

	if (rc == KMS_OK)
		rc = lease_file_verify(out, &file, publisher);
	/* The publisher's other keys: an old lease has no statement of a later rotation. */
	for (unsigned n = 0; rc == KMS_E_PUBLISHER && n < i->companion_count; n++) {
		struct minisig_key other;

		memcpy(&other, i->companions[n], sizeof(other));
		rc = lease_file_verify(out, &file, &other);
	}
	return rc == KMS_OK ? rc : fail_lease(i, rc, path);
}

/* Without a signature: what its parts say, as far as they have the shape. */
static int
read_unverified(struct issue *i, const void *data, size_t len, struct lease_told *out)
{
	struct lease_file file;
	int rc = lease_file_read(&file, data, len);

	if (rc == KMS_OK)
		rc = certificate_decode(
		    &out->certificate, file.head.certificate, file.head.certificate_len);
	if (rc == KMS_OK)
		rc = lease_decode(&out->lease, file.bundle, file.bundle_len);
	if (rc == KMS_OK)
		rc = entry_client_decode(&out->entry, out->lease.entry, out->lease.entry_len);
	if (rc == KMS_OK)
		rc = batch_header_decode(&out->header, out->lease.header);
	if (rc != KMS_OK)
		return fail_lease(i, rc, i->operand);
	batch_header_hash(out->hash, out->lease.header);
	return KMS_OK;
}

/* The name and the user beside the entry, if they are those that it commits to. */
static void
show_names(struct issue *i, const struct lease_told *t)
{
	struct aside names;
	int rc = aside_decode(&names, t->lease.aside, t->lease.aside_len);
	bool match = rc == KMS_OK && aside_gives(&names, &t->entry.commitments);

	tell_text(i->out, "names",
	    match                   ? "match"
	    : rc == KMS_E_NOT_FOUND ? "erased"
				    : "do not match");
	if (match)
		tell_text(i->out, "name", names.name);
	if (match && names.user[0] != '\0')
		tell_text(i->out, "user", names.user);
}

static void
show_told(struct issue *i, const struct lease_told *t)
{
	const struct certificate *c = &t->certificate;

	tell_hex(i->out, "client", t->entry.cmid, sizeof(t->entry.cmid));
	tell_uuid(i->out, "product", t->entry.product);
	show_names(i, t);
	tell_hex(i->out, "host", t->header.host_id, sizeof(t->header.host_id));
	issue_batch(i, "batch", t->header.number, t->hash);
	issue_time(i, "batch_time", t->header.time);
	tell_number(i->out, "index", t->lease.index);
	issue_time(i, "issued", t->entry.time);
	issue_time(i, "renew_after", t->entry.renew_after);
	issue_time(i, "expires", t->entry.expires);
	tell_number(i->out, "count", t->entry.count);
	tell_number(i->out, "required", t->entry.required);
	tell_number(i->out, "certificate", c->serial);
	tell_uuid(i->out, "host_key", c->host_key_id);
	tell_hex(i->out, "publisher", c->publisher, sizeof(c->publisher));
	tell_text(i->out, "customer", c->customer);
	tell_text(i->out, "group", c->group);
}

int
lease_show(struct issue *i, const void *data, size_t len, const struct minisig_key *publisher)
{
	struct lease_told told;
	int rc;

	tell_text(i->out, "kind", "lease");
	rc = publisher != NULL ? lease_read(i, i->operand, data, len, publisher, &told)
			       : read_unverified(i, data, len, &told);
	if (rc != KMS_OK)
		return rc;
	tell_text(i->out, "signature",
	    publisher != NULL ? "verified" : "not checked: give --publisher or --dir");
	show_told(i, &told);
	return KMS_OK;
}
