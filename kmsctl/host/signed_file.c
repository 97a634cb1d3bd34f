/*
 * signed_file.c - see signed_file.h.
 */
#include "kmsctl/host/signed_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/cli/fail.h"
#include "kmsctl/cli/input.h"
#include "libkms/kms_error.h"
#include "policy/pack.h"

#define SIGNATURE_MAX 4096 /* bytes of a .minisig file */

static int
file_problem(int rc, const char *path, const char *hint, struct fault *f)
{
	return fault_set(f, rc, "%.400s: %s%s", path,
	    rc == KMS_E_IO          ? strerror(errno)
	    : rc == KMS_E_NOT_FOUND ? "no such file"
				    : kms_strerror((uint32_t)rc),
	    hint);
}

/* From standard input both come in one text: the signature begins at its untrusted comment. */
int
signed_split(struct ctl *ctl, const char *text, size_t len, struct control_buf *args)
{
	static const char mark[] = "untrusted comment:";
	const char *at = text;

	while (at != NULL && strncmp(at, mark, sizeof(mark) - 1) != 0) {
		at = strchr(at, '\n');
		at = at != NULL ? at + 1 : NULL;
	}
	if (at == NULL || at == text)
		return fail(ctl, KMS_E_SIGNATURE,
		    "standard input: the file and then its signature are expected, in one text");
	control_octets(args, "file", text, (size_t)(at - text));
	control_octets(args, "signature", at, len - (size_t)(at - text));
	return CTL_OK;
}

int
signed_read_quietly(const char *path, struct control_buf *args, struct fault *f)
{
	char *file = NULL, *signature = NULL, name[4096];
	size_t len, signature_len;
	int rc = input_read(path, PACK_MAX, &file, &len);

	if (rc != KMS_OK)
		return file_problem(rc, path, "", f);
	snprintf(name, sizeof(name), "%s.minisig", path);
	rc = input_read(name, SIGNATURE_MAX, &signature, &signature_len);
	if (rc == KMS_OK) {
		control_octets(args, "file", file, len);
		control_octets(args, "signature", signature, signature_len);
	} else {
		file_problem(rc, name, ": the publisher's signature must be beside the file", f);
	}
	free(file);
	free(signature);
	return rc;
}

int
signed_read(struct ctl *ctl, const char *path, struct control_buf *args)
{
	struct fault f = { 0 };
	char *text;
	size_t len;
	int rc, code;

	if (strcmp(path, "-") != 0)
		return signed_read_quietly(path, args, &f) == KMS_OK ? CTL_OK : fail_fault(ctl, &f);
	rc = input_read(path, PACK_MAX, &text, &len);
	if (rc != KMS_OK) {
		file_problem(rc, path, "", &f);
		return fail_fault(ctl, &f);
	}
	code = signed_split(ctl, text, len, args);
	free(text);
	return code;
}
