/*
 * issue.c - what kmsissue's commands share: failures, paths, and the publisher's directory: the
 * register and the public key.
 */
#include "kmsctl/issue/issue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/issue/register.h"
#include "libkms/base/file.h"
#include "libkms/base/hex.h"
#include "libkms/core/entitlement.h"
#include "libkms/core/minisig.h"
#include "policy/values.h"

int
issue_fail_file(struct issue *i, int status, const char *path)
{
	if (status == KMS_E_IO)
		return fault_set(&i->fault, status, "%s: %s", path, strerror(errno));
	if (status == KMS_E_NOT_FOUND || status == KMS_E_DENIED || status == KMS_E_FULL)
		return fault_set(&i->fault, status, "%s: %s", path, strerror(errno));
	if (status == KMS_E_EXISTS)
		return fault_set(&i->fault, status, "%s exists already and is not replaced", path);
	return fault_set(&i->fault, status, "%s: %s", path, kms_strerror((uint32_t)status));
}

bool
issue_path(struct issue *i, char out[ISSUE_PATH], const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, ISSUE_PATH, fmt, ap);
	va_end(ap);
	if (n >= 0 && n < ISSUE_PATH)
		return true;
	fault_set(&i->fault, KMS_E_ARGUMENT, "a path is longer than %d bytes", ISSUE_PATH - 1);
	return false;
}

void
issue_time(struct issue *i, const char *key, uint64_t time)
{
	char s[VALUE_TIME + 1];

	tell_text(i->out, key, value_time_format(s, time) ? s : "after the year 9999");
}

void
issue_batch(struct issue *i, const char *key, uint64_t number, const uint8_t hash[32])
{
	char text[24 + 65];

	snprintf(text, sizeof(text), "%llu:", (unsigned long long)number);
	hex_format(text + strlen(text), hash, 32);
	tell_text(i->out, key, text);
}

void
issue_entitlements(struct issue *i, const struct entitlements *all)
{
	char text[ENTITLEMENTS_TEXT];

	if (all->len > 0)
		tell_text(i->out, "entitlements", entitlements_text(text, all));
}

int
issue_register(struct issue *i, struct issue_register **out, bool write)
{
	struct fault f = { 0 };
	char issued[ISSUE_PATH];
	int rc;

	*out = NULL;
	if (!issue_path(i, issued, "%s/issued", i->dir))
		return KMS_E_ARGUMENT;
	if (write && (rc = file_make_dir(AT_FDCWD, issued, 0700)) != KMS_OK)
		return issue_fail_file(i, rc, issued);
	if ((rc = register_open(out, issued, write, &f)) == KMS_OK)
		return rc;
	return f.status != KMS_OK ? fault_set(&i->fault, rc, "%s: the register: %s", issued, f.text)
				  : issue_fail_file(i, rc, issued);
}

int
issue_fail_register(struct issue *i, int status, const struct fault *f)
{
	return f->status != KMS_OK ? fault_set(&i->fault, status, "the register: %s", f->text)
				   : issue_fail_file(i, status, "the register");
}

bool
issue_is_directory(struct issue *i)
{
	char issued[ISSUE_PATH];

	return issue_path(i, issued, "%s/issued", i->dir) && file_exists(AT_FDCWD, issued);
}

bool
issue_reason_ok(const char *text)
{
	return text == NULL || (text[0] != '\0' && value_text_ok(text, EVENT_REASON));
}

int
issue_publisher(struct issue *i, const char *given, struct minisig_key *out)
{
	char path[ISSUE_PATH], *text;
	size_t len;
	int rc;

	if (given != NULL && minisig_key_parse(out, given) == KMS_OK)
		return KMS_OK;
	if (!issue_path(i, path, "%s%s", given != NULL ? given : i->dir,
		given != NULL ? "" : "/publisher.pub"))
		return KMS_E_ARGUMENT;
	if ((rc = file_read(AT_FDCWD, path, FILE_GIVEN, 4096, &text, &len)) != KMS_OK)
		return issue_fail_file(i, rc, path);
	rc = minisig_key_parse(out, text);
	free(text);
	return rc == KMS_OK ? KMS_OK
			    : fault_set(&i->fault, rc, "%s is not a minisign public key", path);
}
