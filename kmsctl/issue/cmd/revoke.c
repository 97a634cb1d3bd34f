/*
 * revoke.c - kmsissue revoke and kmsissue revocations: puts what may no longer activate into the
 * register, and the whole list from the register into a signed file.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/issue/register.h"
#include "kmsctl/issue/sign.h"
#include "libkms/base/file.h"
#include "libkms/base/hex.h"
#include "libkms/base/number.h"
#include "libkms/base/uuid.h"
#include "policy/revocation.h"
#include "policy/values.h"

struct list_options {
	const char *out;
};

struct revoke_options {
	const char *reason;
	bool force;
};

_Static_assert(REVOCATION_REASON == EVENT_REASON, "the list takes each reason from the register");

static int
add(struct issue *i, struct register_event *e)
{
	const struct revoke_options *o = i->options;
	struct issue_register *r;
	int rc;

	if ((rc = issue_register(i, &r, true)) != KMS_OK)
		return rc;
	if ((rc = register_known(r, e)) == KMS_E_NOT_FOUND && !o->force)
		fault_set(&i->fault, rc, "%s is not in the register; --force revokes it anyway",
		    i->operand);
	else if (rc == KMS_OK || rc == KMS_E_NOT_FOUND) {
		rc = register_revoked(r, e);
		if (rc == KMS_OK)
			rc =
			    fault_set(&i->fault, KMS_E_EXISTS, "%s is already revoked", i->operand);
		else if (rc == KMS_E_NOT_FOUND && (rc = register_append(r, e)) == KMS_OK)
			rc = register_commit(r);
	}
	if (rc != KMS_OK)
		issue_fail_file(i, rc, "the register");
	register_close(r);
	return rc;
}

static int
revoke(struct issue *i, struct register_event *e, bool understood, const char *expected)
{
	const struct revoke_options *o = i->options;
	struct minisig_key publisher;
	int rc;

	if (!understood)
		return fault_set(&i->fault, KMS_E_ARGUMENT, "'%s': %s", i->operand, expected);
	if (o->reason == NULL || !issue_reason_ok(o->reason))
		return fault_set(&i->fault, KMS_E_ARGUMENT,
		    "--reason needs UTF-8 text of 1 to %d bytes", EVENT_REASON);
	if ((rc = issue_publisher(i, NULL, &publisher)) != KMS_OK)
		return rc;
	e->time = i->now;
	memcpy(e->publisher, publisher.id, sizeof(e->publisher));
	snprintf(e->reason, sizeof(e->reason), "%s", o->reason);
	if ((rc = add(i, e)) != KMS_OK)
		return rc;
	tell_text(i->out, "revoked", i->operand);
	tell_text(i->out, "reason", e->reason);
	tell_text(i->out, "next", "kmsissue revocations makes the list that customers install");
	return KMS_OK;
}

static int
run_revoke_key(struct issue *i)
{
	struct register_event e = { .kind = EVENT_REVOKE_KEY };

	return revoke(i, &e, uuid_parse_not_nil(e.host_key, i->operand), "the UUID of a host key");
}

static int
run_revoke_host(struct issue *i)
{
	struct register_event e = { .kind = EVENT_REVOKE_HOST };

	return revoke(i, &e, hex_parse(e.host, 16, i->operand), "a host id, 32 hexadecimal digits");
}

static int
run_revoke_certificate(struct issue *i)
{
	struct register_event e = { .kind = EVENT_REVOKE_SERIAL };

	return revoke(i, &e, number_parse(&e.serial, NUMBER_EXACT, i->operand) && e.serial > 0,
	    "the serial number of a certificate");
}

/* -- the list -- */

static int
collect(const struct register_event *e, void *arg)
{
	struct revocation_list *l = arg;
	struct revocation *out = &l->entries[l->count];

	if (e->kind < EVENT_REVOKE_KEY || e->kind > EVENT_REVOKE_SERIAL)
		return KMS_OK;
	if (l->count == REVOCATIONS)
		return KMS_E_TOO_LARGE;
	out->kind = e->kind == EVENT_REVOKE_KEY    ? REVOKED_KEY
		    : e->kind == EVENT_REVOKE_HOST ? REVOKED_HOST
						   : REVOKED_CERTIFICATE;
	memcpy(out->id, out->kind == REVOKED_KEY ? e->host_key : e->host, 16);
	out->serial = out->kind == REVOKED_CERTIFICATE ? e->serial : 0;
	out->time = e->time;
	memcpy(out->reason, e->reason, sizeof(out->reason));
	l->count++;
	return KMS_OK;
}

/* The number is taken before the file is written, so that no two lists have the same number. */
static int
number(struct issue *i, struct revocation_list *l)
{
	struct register_event e = { .kind = EVENT_REVOCATIONS, .time = i->now };
	struct issue_register *r;
	struct fault f = { 0 };
	int rc;

	if ((rc = issue_register(i, &r, true)) != KMS_OK)
		return rc;
	memcpy(e.publisher, l->publisher, sizeof(e.publisher));
	if ((rc = register_each(r, collect, l, &f)) == KMS_E_TOO_LARGE)
		fault_set(&i->fault, rc, "a list can have at most %d revocations", REVOCATIONS);
	else if (rc == KMS_OK && (rc = register_next_list(r, &e.serial)) == KMS_OK &&
		 (rc = register_append(r, &e)) == KMS_OK)
		rc = register_commit(r);
	if (rc != KMS_OK)
		issue_fail_register(i, rc, &f);
	register_close(r);
	l->number = (uint32_t)e.serial;
	l->issued = i->now;
	return rc;
}

static int
write_list(
    struct issue *i, const struct secret_key *k, const struct revocation_list *l, const char *path)
{
	char comment[SIGN_COMMENT], *text = malloc(REVOCATION_LIST_MAX);
	size_t len = text != NULL ? revocation_list_format(text, REVOCATION_LIST_MAX, l) : 0;
	int rc = text == NULL ? KMS_E_NO_MEMORY : KMS_OK;

	snprintf(comment, sizeof(comment), "kms revocation list %llu of %u revocations",
	    (unsigned long long)l->number, l->count);
	if (rc == KMS_OK && len == 0)
		rc = fault_set(&i->fault, KMS_E_TOO_LARGE, "the list is too large for its format");
	if (rc == KMS_OK && (rc = sign_write(i, k, path, text, len, comment)) == KMS_OK) {
		tell_text(i->out, "file", path);
		tell_number(i->out, "number", l->number);
		tell_number(i->out, "revocations", l->count);
	}
	free(text);
	return rc;
}

static int
run_revocations(struct issue *i)
{
	const struct list_options *o = i->options;
	struct revocation_list *l = calloc(1, sizeof(*l));
	struct minisig_key publisher;
	struct secret_key *k = NULL;
	char path[ISSUE_PATH];
	int rc;

	if (l == NULL)
		return KMS_E_NO_MEMORY;
	if (o->out == NULL)
		rc = fault_set(
		    &i->fault, KMS_E_ARGUMENT, "--output is needed: the name of the list");
	else if (!issue_path(i, path, "%s.kmsrevoked", o->out))
		rc = KMS_E_ARGUMENT;
	else if (file_exists(AT_FDCWD, path))
		rc = issue_fail_file(i, KMS_E_EXISTS, path);
	else if ((rc = sign_open_key(i, &k, &publisher)) == KMS_OK) {
		memcpy(l->publisher, publisher.id, sizeof(l->publisher));
		if ((rc = number(i, l)) == KMS_OK)
			rc = write_list(i, k, l, path);
	}
	secret_key_free(k);
	free(l);
	return rc;
}

static const struct option_row revoke_rows[] = {
	ISSUE_DIR,
	{ "reason", 0, "TEXT", "the reason, for the register and the list",
	    .offset = offsetof(struct revoke_options, reason) },
	{ "force", 'f', NULL, "revoke it although the register does not have it",
	    .offset = offsetof(struct revoke_options, force) },
	{ 0 },
};

const struct issue_command cmd_revoke_key = {
	.line.noun = "revoke",
	.line.verb = "key",
	.line.args = "UUID",
	.line.summary = "revoke a host key",
	.line.min = 1,
	.line.max = 1,
	.line.options = revoke_rows,
	.line.values = sizeof(struct revoke_options),
	.run = run_revoke_key,
};

const struct issue_command cmd_revoke_host = {
	.line.noun = "revoke",
	.line.verb = "host",
	.line.args = "ID",
	.line.summary = "revoke a host",
	.line.min = 1,
	.line.max = 1,
	.line.options = revoke_rows,
	.line.values = sizeof(struct revoke_options),
	.run = run_revoke_host,
};

const struct issue_command cmd_revoke_certificate = {
	.line.noun = "revoke",
	.line.verb = "certificate",
	.line.args = "SERIAL",
	.line.summary = "revoke a host certificate",
	.line.min = 1,
	.line.max = 1,
	.line.options = revoke_rows,
	.line.values = sizeof(struct revoke_options),
	.run = run_revoke_certificate,
};

static const struct option_row list_rows[] = {
	ISSUE_SIGNING,
	{ "output", 'o', "NAME", "name of the files to write, without suffix",
	    .offset = offsetof(struct list_options, out) },
	{ 0 },
};

const struct issue_command cmd_revocations = {
	.line.noun = "revocations",
	.line.summary = "sign the list of everything that was revoked",
	.line.options = list_rows,
	.line.values = sizeof(struct list_options),
	.run = run_revocations,
};
