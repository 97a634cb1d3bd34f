/*
 * publisher.c - the publisher's directory as commands see it: the register and the public key.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "kmsctl/issue/issue.h"
#include "kmsctl/issue/register.h"
#include "libkms/base/file.h"
#include "libkms/core/minisig.h"
#include "policy/values.h"

int
issue_register(struct issue *i, struct issue_register **out, bool write)
{
	char issued[ISSUE_PATH], why[200];
	int rc;

	*out = NULL;
	if (!issue_path(i, issued, "%s/issued", i->args.dir))
		return KMS_E_ARGUMENT;
	if (write && (rc = file_make_dir(AT_FDCWD, issued, 0700)) != KMS_OK)
		return issue_fail_file(i, rc, issued);
	if ((rc = register_open(out, issued, write, why)) == KMS_OK)
		return rc;
	return why[0] != '\0' ? issue_fail(i, rc, "%s: the register: %s", issued, why)
			      : issue_fail_file(i, rc, issued);
}

bool
issue_is_directory(struct issue *i)
{
	char issued[ISSUE_PATH];

	return issue_path(i, issued, "%s/issued", i->args.dir) && file_exists(AT_FDCWD, issued);
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
	if (!issue_path(i, path, "%s%s", given != NULL ? given : i->args.dir,
		given != NULL ? "" : "/publisher.pub"))
		return KMS_E_ARGUMENT;
	if ((rc = file_read(AT_FDCWD, path, FILE_GIVEN, 4096, &text, &len)) != KMS_OK)
		return issue_fail_file(i, rc, path);
	rc = minisig_key_parse(out, text);
	free(text);
	return rc == KMS_OK ? KMS_OK : issue_fail(i, rc, "%s is no minisign public key", path);
}
