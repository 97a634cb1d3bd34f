/*
 * policy_sign.c - kmsissue policy sign: a pack with a mistake is not signed, because the
 * customer's appliance would refuse it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "kmsctl/issue/sign.h"
#include "libkms/base/file.h"
#include "policy/pack.h"
#include "policy/values.h"

struct sign_options {
	bool force, literal;
};

static int
sign_pack(struct issue *i, const struct policy_pack *pack, const char *text, size_t len)
{
	const struct sign_options *o = i->options;
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
	if ((rc = file_write(AT_FDCWD, beside, signature, n, 0644, o->force)) != KMS_OK)
		return issue_fail_file(i, rc, beside);
	tell_text(i->out, "file", i->operand);
	tell_text(i->out, "signature", beside);
	tell_text(i->out, "comment", comment);
	tell_number(i->out, "products", pack->product_count);
	return KMS_OK;
}

static int
run_policy_sign(struct issue *i)
{
	const struct sign_options *o = i->options;
	struct policy_pack *pack = malloc(sizeof(*pack));
	struct fault err;
	char *text = NULL;
	size_t len;
	int rc;

	if (pack == NULL)
		return KMS_E_NO_MEMORY;
	if ((rc = file_read(AT_FDCWD, i->operand, FILE_GIVEN, PACK_MAX, &text, &len)) != KMS_OK)
		issue_fail_file(i, rc, i->operand);
	else if ((rc = (o->literal ? policy_pack_parse : policy_pack_proofread)(
		      pack, text, len, &err)) != KMS_OK)
		fault_set(&i->fault, rc, "%s:%d: %s", i->operand, err.line, err.text);
	else
		rc = sign_pack(i, pack, text, len);
	free(text);
	free(pack);
	return rc;
}

static const struct option_row rows[] = {
	ISSUE_SIGNING,
	{ "force", 'f', NULL, "replace an existing signature",
	    .offset = offsetof(struct sign_options, force) },
	{ "literal", 0, NULL, "accept values that contain quotation marks or #",
	    .offset = offsetof(struct sign_options, literal) },
	{ 0 },
};

const struct issue_command cmd_policy_sign = {
	.line.noun = "policy",
	.line.verb = "sign",
	.line.args = "FILE",
	.line.summary = "check a policy pack and sign it",
	.line.min = 1,
	.line.max = 1,
	.line.options = rows,
	.line.values = sizeof(struct sign_options),
	.line.complete = "file *.kmspolicy",
	.run = run_policy_sign,
};
