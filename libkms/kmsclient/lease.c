/*
 * lease.c - kmsclient export-lease and verify-lease.
 */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "libkms/base/file.h"
#include "libkms/base/hex.h"
#include "libkms/kmsclient/tool.h"
#include "libkms/os/working_dir.h"

int
command_export_lease(struct tool *t)
{
	uint8_t bytes[TOOL_FILE_ROOM];
	size_t size = sizeof(bytes);
	struct kms_client *c;
	int rc;

	if ((rc = tool_open(t, &c)) != TOOL_OK)
		return rc;
	rc = t->no_names ? kms_lease_export_unnamed(c, bytes, &size)
			 : kms_lease_export(c, bytes, &size);
	kms_close(c);
	if (rc != KMS_OK) {
		tool_status(t, (uint32_t)rc, NULL);
		return TOOL_LOCAL;
	}
	if ((rc = file_write_given(t->file, bytes, size)) != KMS_OK)
		return tool_file_failed(t, t->file, rc);
	tell_text(t->out, "file", t->file);
	tell_number(t->out, "octets", size);
	return TOOL_OK;
}

static void
tell_lease(struct tool *t, const struct kms_lease_info *i)
{
	tell_hex(t->out, "client", i->cmid, 16);
	tell_uuid(t->out, "product", i->product);
	if (i->names == KMS_NAMES_MATCH)
		tell_text(t->out, "name", i->name);
	if (i->names == KMS_NAMES_MATCH && i->user[0] != '\0')
		tell_text(t->out, "user", i->user);
	tell_text(t->out, "names",
	    i->names == KMS_NAMES_MATCH    ? "match"
	    : i->names == KMS_NAMES_DIFFER ? "do not match"
					   : "erased");
	tell_text(t->out, "customer", i->customer);
	tell_uuid(t->out, "host-key", i->host_key);
	tell_text(t->out, "key-group", i->group);
	tell_hex(t->out, "host", i->host_id, 16);
	tool_time(t, "issued", i->issued);
	tool_time(t, "renew-after", i->renew_after);
	tool_time(t, "expires", i->expires);
	tell_number(t->out, "batch", i->batch);
	tool_batch(t, "header", i->batch, i->header_hash);
	tell_number(t->out, "index", i->index);
}

int
command_verify_lease(struct tool *t)
{
	struct kms_lease_info info = { .size = sizeof(info) };
	uint8_t bytes[TOOL_FILE_ROOM];
	size_t size;
	int rc;

	if (t->options.publisher_key == NULL)
		return tool_usage("verify-lease: needs --publisher-key");
	rc = file_read_into(AT_FDCWD, t->file, FILE_GIVEN, bytes, sizeof(bytes), &size);
	if (rc != KMS_OK && rc != KMS_E_TOO_LARGE)
		return tool_file_failed(t, t->file, rc);
	rc = kms_lease_verify(bytes, size, t->options.publisher_key,
	    t->ignore_expiry ? 0 : (uint64_t)time(NULL), &info);
	tool_status(t, (uint32_t)rc, t->file);
	if (rc == KMS_OK || rc == KMS_E_LEASE_EXPIRED)
		tell_lease(t, &info);
	return rc == KMS_OK ? TOOL_OK : TOOL_LOCAL;
}
