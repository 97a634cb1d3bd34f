/*
 * policy_sign.c - kmsissue policy sign: a pack with a mistake in it is not
 * signed, because an appliance would refuse it at the customer's.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "kmsctl/issue/sign.h"
#include "libkms/base/file.h"
#include "policy/pack.h"
#include "policy/values.h"

static int
sign_pack(struct issue *i, const struct policy_pack *pack, const char *text, size_t len)
{
	char comment[SIGN_COMMENT], when[VALUE_TIME + 1], signature[SIGN_MAX], beside[ISSUE_PATH];
	struct minisig_key public_key;
	struct secret_key *k;
	size_t n;
	int rc;

	if (!issue_path(i, beside, "%s.minisig", i->operand))
		return KMS_E_ARGUMENT;
	if ((rc = sign_open_key(i, &k, &public_key)) != KMS_OK)
		return rc;
	value_time_format(when, i->now);
	snprintf(comment, sizeof(comment), "kms policy pack %s version %u.%u signed %s", pack->id,
	    pack->major, pack->minor, when);
	n = sign_text(signature, k, text, len, comment);
	secret_key_free(k);
	if ((rc = file_write(AT_FDCWD, beside, signature, n, 0644, i->args.force)) != KMS_OK)
		return issue_fail_file(i, rc, beside);
	output_text(i->out, "file", i->operand);
	output_text(i->out, "signature", beside);
	output_text(i->out, "comment", comment);
	output_number(i->out, "products", pack->product_count);
	return KMS_OK;
}

int
cmd_policy_sign(struct issue *i)
{
	struct policy_pack *pack = malloc(sizeof(*pack));
	struct fault err;
	char *text = NULL;
	size_t len;
	int rc;

	if (pack == NULL)
		return KMS_E_NO_MEMORY;
	if ((rc = file_read(AT_FDCWD, i->operand, FILE_GIVEN, PACK_MAX, &text, &len)) != KMS_OK)
		issue_fail_file(i, rc, i->operand);
	else if ((rc = policy_pack_parse(pack, text, len, &err)) != KMS_OK)
		issue_fail(i, rc, "%s:%d: %s", i->operand, err.line, err.text);
	else
		rc = sign_pack(i, pack, text, len);
	free(text);
	free(pack);
	return rc;
}
