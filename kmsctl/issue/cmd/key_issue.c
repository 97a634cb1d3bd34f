/*
 * key_issue.c - kmsissue key issue: a KMS host key, what a customer buys.
 * A copy stays in DIR/issued, where kmsissue confirm finds it again.
 */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmsctl/issue/print_code.h"
#include "kmsctl/issue/register.h"
#include "kmsctl/issue/sign.h"
#include "libkms/base/file.h"
#include "libkms/base/number.h"
#include "libkms/base/uuid.h"
#include "policy/pack.h"
#include "policy/values.h"

#define DEFAULT_LIFE (UINT64_C(3) * 365 * 86400)
#define KEY_ROOM 4096

struct key_options {
	const char *customer, *group, *capacity, *valid_from, *valid_to, *hosts, *confirmations;
	const char *policy, *out;
	struct entitlements entitlements;
	bool code;
};

/* RFC 9562 version 4. */
static void
new_uuid(uint8_t out[16])
{
	randombytes_buf(out, 16);
	out[6] = (uint8_t)((out[6] & 0x0f) | 0x40);
	out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
}

static int
take_number(struct issue *i, const char *option, const char *text, uint64_t min, uint64_t max,
    uint64_t fallback, uint64_t *out)
{
	*out = fallback;
	if (text == NULL)
		return KMS_OK;
	if (!number_parse(out, max, text) || *out < min)
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--%s needs a number from %llu to %llu",
		    option, (unsigned long long)min, (unsigned long long)max);
	return KMS_OK;
}

static int
take_numbers(struct issue *i, struct host_key *key)
{
	const struct key_options *o = i->options;
	uint64_t capacity, hosts, confirmations;
	int rc;

	if ((rc = take_number(i, "capacity", o->capacity, 0, UINT32_MAX, 0, &capacity)) != KMS_OK ||
	    (rc = take_number(i, "hosts", o->hosts, 1, UINT16_MAX, 6, &hosts)) != KMS_OK ||
	    (rc = take_number(i, "confirmations", o->confirmations, 1, UINT16_MAX, 10,
		 &confirmations)) != KMS_OK)
		return rc;
	key->capacity = (uint32_t)capacity;
	key->hosts = (uint16_t)hosts;
	key->confirmations = (uint16_t)confirmations;
	return KMS_OK;
}

static int
take_dates(struct issue *i, struct host_key *key)
{
	const struct key_options *o = i->options;

	key->issued = key->not_before = i->now;
	if (o->valid_from != NULL && !value_time_parse(&key->not_before, o->valid_from, false))
		return fault_set(&i->fault, KMS_E_ARGUMENT,
		    "--valid-from needs a date such as 2026-11-23, or a time such as 2026-11-23T14:00:00Z");
	key->not_after = key->not_before + DEFAULT_LIFE;
	if (o->valid_to != NULL && !value_time_parse(&key->not_after, o->valid_to, true))
		return fault_set(&i->fault, KMS_E_ARGUMENT,
		    "--valid-to needs a date such as 2026-11-23, or a time such as 2026-11-23T14:00:00Z");
	if (key->not_after < key->not_before)
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--valid-to is before --valid-from");
	if (key->not_after < i->now)
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--valid-to is in the past");
	return KMS_OK;
}

static int
take_args(struct issue *i, struct host_key *key)
{
	const struct key_options *o = i->options;
	int rc;

	if (o->customer == NULL || o->group == NULL)
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--customer and --group are needed");
	if (o->customer[0] == '\0' || !value_text_ok(o->customer, sizeof(key->customer) - 1))
		return fault_set(&i->fault, KMS_E_ARGUMENT,
		    "--customer needs UTF-8 text of 1 to %zu bytes, without blanks at its ends and without \" ;\"",
		    sizeof(key->customer) - 1);
	if (!value_name_ok(o->group, sizeof(key->group) - 1))
		return fault_set(&i->fault, KMS_E_ARGUMENT,
		    "--group needs at most %zu letters, digits, '.', '_', '-'",
		    sizeof(key->group) - 1);
	memset(key, 0, sizeof(*key));
	snprintf(key->customer, sizeof(key->customer), "%s", o->customer);
	snprintf(key->group, sizeof(key->group), "%s", o->group);
	key->entitlements = o->entitlements;
	new_uuid(key->id);
	if ((rc = take_numbers(i, key)) != KMS_OK)
		return rc;
	return take_dates(i, key);
}

/* A key for a group that no pack has could never be confirmed. */
static int
check_group(struct issue *i, const struct minisig_key *public_key, const char *group)
{
	const struct key_options *o = i->options;
	struct publisher_file c;
	int rc;

	if (o->policy == NULL)
		return KMS_OK;
	if ((rc = sign_read(i, o->policy, FILE_PACK, public_key, &c, NULL, 0)) != KMS_OK)
		return rc;
	if (policy_group_find(c.pack, group) < 0)
		rc =
		    fault_set(&i->fault, KMS_E_NOT_FOUND, "%s has no group '%s'", o->policy, group);
	publisher_file_free(&c);
	return rc;
}

/* Before the files are written: no key is sold that is not in the register. */
static int
record_key(struct issue *i, const struct host_key *key)
{
	struct register_event e = { .kind = EVENT_KEY, .time = i->now };
	struct issue_register *r;
	int rc;

	memcpy(e.publisher, key->publisher, sizeof(e.publisher));
	memcpy(e.host_key, key->id, sizeof(e.host_key));
	memcpy(e.customer, key->customer, sizeof(e.customer));
	memcpy(e.group, key->group, sizeof(e.group));
	e.from = key->not_before;
	e.until = key->not_after;
	e.capacity = key->capacity;
	e.hosts = key->hosts;
	e.confirmations = key->confirmations;
	e.entitlements = key->entitlements;
	if ((rc = issue_register(i, &r, true)) != KMS_OK)
		return rc;
	if ((rc = register_append(r, &e)) != KMS_OK || (rc = register_commit(r)) != KMS_OK)
		issue_fail_file(i, rc, "the register");
	register_close(r);
	return rc;
}

static int
write_key(struct issue *i, const struct secret_key *k, const struct host_key *key)
{
	const struct key_options *o = i->options;
	char text[KEY_ROOM], comment[SIGN_COMMENT], path[ISSUE_PATH], copy[ISSUE_PATH];
	char id[UUID_TEXT];
	size_t len = host_key_format(text, sizeof(text), key);
	int rc;

	uuid_format(id, key->id);
	snprintf(comment, sizeof(comment), "kms host key %s group %s for %s", id, key->group,
	    key->customer);
	if (len == 0)
		return fault_set(&i->fault, KMS_E_ARGUMENT,
		    "the key's dates are after the year 9999, or the key has more than %d entitlements, or an entitlement is too long for a line",
		    HOST_KEY_ENTITLEMENTS);
	if (!issue_path(i, path, "%s.kmskey", o->out != NULL ? o->out : id) ||
	    !issue_path(i, copy, "%s/issued/%s.kmskey", i->dir, id))
		return KMS_E_ARGUMENT;
	if (file_exists(AT_FDCWD, path))
		return issue_fail_file(i, KMS_E_EXISTS, path);
	if ((rc = record_key(i, key)) != KMS_OK ||
	    (rc = sign_write(i, k, path, text, len, comment)) != KMS_OK ||
	    (rc = sign_write(i, k, copy, text, len, comment)) != KMS_OK)
		return rc;
	tell_text(i->out, "file", path);
	tell_uuid(i->out, "host_key", key->id);
	tell_text(i->out, "customer", key->customer);
	tell_text(i->out, "group", key->group);
	issue_time(i, "not_before", key->not_before);
	issue_time(i, "not_after", key->not_after);
	tell_limit(i->out, "capacity", key->capacity);
	tell_number(i->out, "hosts", key->hosts);
	tell_number(i->out, "confirmations", key->confirmations);
	issue_entitlements(i, &key->entitlements);
	return !o->code ? KMS_OK : issue_key_code(i, k, key, text, len);
}

static int
run_key_issue(struct issue *i)
{
	struct minisig_key public_key;
	struct host_key key;
	struct secret_key *k;
	int rc;

	if ((rc = take_args(i, &key)) != KMS_OK ||
	    (rc = sign_open_key(i, &k, &public_key)) != KMS_OK)
		return rc;
	memcpy(key.publisher, public_key.id, sizeof(key.publisher));
	if ((rc = check_group(i, &public_key, key.group)) == KMS_OK)
		rc = write_key(i, k, &key);
	secret_key_free(k);
	return rc;
}

/* KEY=VALUE; each adds one. */
static bool
read_entitlement(void *field, const char *text)
{
	char key[ENTITLEMENT_KEY + 1];
	size_t n = strcspn(text, "=");

	if (text[n] != '=' || n > ENTITLEMENT_KEY ||
	    !value_text_ok(text + n + 1, ENTITLEMENT_VALUE))
		return false;
	snprintf(key, sizeof(key), "%.*s", (int)n, text);
	return entitlements_add(field, key, text + n + 1) == KMS_OK;
}

static const struct option_row rows[] = {
	ISSUE_SIGNING,
	{ "customer", 0, "TEXT", "who bought the key",
	    .offset = offsetof(struct key_options, customer) },
	{ "group", 0, "NAME", "key group of the policy pack",
	    .offset = offsetof(struct key_options, group) },
	{ "capacity", 0, "N", "most clients counted in a pool (default 0: no limit)",
	    .offset = offsetof(struct key_options, capacity) },
	{ "valid-from", 0, "TIME", "first moment (default: now)",
	    .offset = offsetof(struct key_options, valid_from) },
	{ "valid-to", 0, "TIME", "last moment (default: three years after the first)",
	    .offset = offsetof(struct key_options, valid_to) },
	{ "hosts", 0, "N", "hosts that may be confirmed (default 6)",
	    .offset = offsetof(struct key_options, hosts) },
	{ "confirmations", 0, "N", "confirmations of each host (default 10)",
	    .offset = offsetof(struct key_options, confirmations) },
	{ "entitlement", 0, "KEY=VALUE",
	    "an entitlement, which products read from the certificate; may be given several times",
	    .offset = offsetof(struct key_options, entitlements), .read = read_entitlement,
	    .takes =
		"a new KEY=VALUE: a key of 1 to 32 of a-z 0-9 . - that begins with a letter, and text" },
	{ "policy", 'p', "FILE", "signed policy pack",
	    .offset = offsetof(struct key_options, policy), .complete = "file *.kmspolicy" },
	{ "output", 'o', "NAME", "name of the files to write, without suffix",
	    .offset = offsetof(struct key_options, out) },
	{ "code", 0, NULL, "also print it as a code that can be typed",
	    .offset = offsetof(struct key_options, code) },
	{ 0 },
};

const struct issue_command cmd_key_issue = {
	.line.noun = "key",
	.line.verb = "issue",
	.line.summary = "make a KMS host key for a customer",
	.line.options = rows,
	.line.values = sizeof(struct key_options),
	.run = run_key_issue,
};
