/*
 * evidence.c - kmsclient evidence and verify-evidence.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libkms/base/file.h"
#include "libkms/base/hex.h"
#include "libkms/kmsclient/tool.h"
#include "libkms/os/working_dir.h"

static const char *
word_of(uint32_t kind)
{
	return kind == KMS_CONTRADICTION ? "contradiction" : "went back";
}

/* One of the two: its batch as the publisher's audit names it, and what anybody can check. */
static void
tell_header(struct tool *t, const char *which, const struct kms_evidence_info *e, unsigned i)
{
	char key[32], text[2 * sizeof(e->header[0]) + 1];

	snprintf(key, sizeof(key), "%s-batch", which);
	tool_batch(t, key, e->number[i], e->hash[i]);
	snprintf(key, sizeof(key), "%s-time", which);
	tool_time(t, key, e->time[i]);
	hex_format(text, e->header[i], sizeof(e->header[i]));
	snprintf(key, sizeof(key), "%s-header", which);
	tell_text(t->out, key, text);
	snprintf(key, sizeof(key), "%s-signature", which);
	tell_hex(t->out, key, e->signature[i], sizeof(e->signature[i]));
}

static void
tell_evidence(struct tool *t, const struct kms_evidence_info *e)
{
	tell_hex(t->out, "host", e->host_id, sizeof(e->host_id));
	tell_text(t->out, "kind", word_of(e->kind));
	tell_text(t->out, "customer", e->customer);
	if (e->verified)
		tell_hex(t->out, "signing-key", e->signing_key, sizeof(e->signing_key));
	else
		tell_text(t->out, "signing-key", "not kept");
	tell_header(t, "first", e, 0);
	tell_header(t, "second", e, 1);
}

static int
fail(struct tool *t, int rc, const char *detail)
{
	tool_status(t, (uint32_t)rc, detail);
	return TOOL_LOCAL;
}

static int
write_file(struct tool *t, struct kms_client *c, unsigned index, const char *path)
{
	uint8_t bytes[TOOL_FILE_ROOM];
	size_t size = sizeof(bytes);
	int rc = kms_evidence_export(c, index, bytes, &size);

	if (rc == KMS_E_NOT_FOUND)
		return fail(t, rc,
		    "the state file no longer has this host's certificate: run activate or renew once, then try again");
	if (rc != KMS_OK)
		return fail(t, rc, NULL);
	rc = file_write_given(path, bytes, size);
	return rc == KMS_OK ? TOOL_OK : tool_file_failed(t, path, rc);
}

/* The evidence against the first host is in the file that was named, the others' beside it. */
static int
write_files(struct tool *t, struct kms_client *c, unsigned count)
{
	char path[4096], number[16] = "";
	int rc = TOOL_OK;

	for (unsigned i = 0; i < count && rc == TOOL_OK; i++) {
		if (i > 0)
			snprintf(number, sizeof(number), ".%u", i + 1);
		snprintf(path, sizeof(path), "%s%s", t->output, number);
		rc = write_file(t, c, i, path);
	}
	if (rc == TOOL_OK)
		tell_number(t->out, "written", count);
	return rc;
}

int
command_evidence(struct tool *t)
{
	struct kms_evidence_info info = { .size = sizeof(info) };
	struct kms_client *c;
	unsigned count = 0;
	int rc, result;

	if ((rc = tool_open(t, &c)) != TOOL_OK)
		return rc;
	output_list(t->out, "evidence", NULL);
	for (; (rc = kms_evidence(c, count, &info)) == KMS_OK; count++) {
		output_row(t->out);
		tell_evidence(t, &info);
	}
	output_end(t->out);
	tell_number(t->out, "kept", count);
	if (rc != KMS_E_NOT_FOUND)
		result = fail(t, rc, "the evidence in the state file was changed");
	else
		result = t->output != NULL ? write_files(t, c, count) : TOOL_OK;
	kms_close(c);
	return result;
}

int
command_verify_evidence(struct tool *t)
{
	struct kms_evidence_info info = { .size = sizeof(info) };
	uint8_t bytes[TOOL_FILE_ROOM];
	size_t size;
	int rc;

	if (t->options.publisher_key == NULL)
		return tool_usage("verify-evidence: needs --publisher-key");
	rc = file_read_into(AT_FDCWD, t->file, FILE_GIVEN, bytes, sizeof(bytes), &size);
	if (rc != KMS_OK && rc != KMS_E_TOO_LARGE)
		return tool_file_failed(t, t->file, rc);
	rc = kms_evidence_verify(bytes, size, t->options.publisher_key, &info);
	tool_status(t, (uint32_t)rc, t->file);
	if (rc != KMS_OK)
		return TOOL_LOCAL;
	tell_evidence(t, &info);
	return TOOL_OK;
}
