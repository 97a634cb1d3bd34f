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
#include "policy/pack.h"
#include "policy/values.h"

#define DEFAULT_LIFE (UINT64_C(3) * 365 * 86400)
#define KEY_ROOM 2048

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
	if (!value_number_parse(out, text) || *out < min || *out > max)
		return issue_fail(i, KMS_E_ARGUMENT, "--%s: a number from %llu to %llu", option,
		    (unsigned long long)min, (unsigned long long)max);
	return KMS_OK;
}

static int
take_numbers(struct issue *i, struct host_key *key)
{
	uint64_t capacity, hosts, confirmations;
	int rc;

	if ((rc = take_number(i, "capacity", i->args.capacity, 0, UINT32_MAX, 0, &capacity)) !=
		KMS_OK ||
	    (rc = take_number(i, "hosts", i->args.hosts, 1, UINT16_MAX, 6, &hosts)) != KMS_OK ||
	    (rc = take_number(i, "confirmations", i->args.confirmations, 1, UINT16_MAX, 10,
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
	key->issued = key->not_before = i->now;
	if (i->args.valid_from != NULL &&
	    !value_time_parse(&key->not_before, i->args.valid_from, false))
		return issue_fail(i, KMS_E_ARGUMENT,
		    "--valid-from: a date such as 2026-11-23, or a time such as 2026-11-23T14:00:00Z");
	key->not_after = key->not_before + DEFAULT_LIFE;
	if (i->args.valid_to != NULL && !value_time_parse(&key->not_after, i->args.valid_to, true))
		return issue_fail(i, KMS_E_ARGUMENT,
		    "--valid-to: a date such as 2026-11-23, or a time such as 2026-11-23T14:00:00Z");
	if (key->not_after < key->not_before)
		return issue_fail(i, KMS_E_ARGUMENT, "--valid-to is before --valid-from");
	if (key->not_after < i->now)
		return issue_fail(i, KMS_E_ARGUMENT, "--valid-to is in the past");
	return KMS_OK;
}

static int
take_args(struct issue *i, struct host_key *key)
{
	int rc;

	if (i->args.customer == NULL || i->args.group == NULL)
		return issue_fail(i, KMS_E_ARGUMENT, "--customer and --group are needed");
	if (i->args.customer[0] == '\0' ||
	    !value_text_ok(i->args.customer, sizeof(key->customer) - 1))
		return issue_fail(i, KMS_E_ARGUMENT,
		    "--customer: UTF-8 of 1 to %zu octets, no blanks at its ends, no \" ;\"",
		    sizeof(key->customer) - 1);
	if (!value_name_ok(i->args.group, sizeof(key->group) - 1))
		return issue_fail(i, KMS_E_ARGUMENT,
		    "--group: at most %zu letters, digits, '.', '_', '-'", sizeof(key->group) - 1);
	memset(key, 0, sizeof(*key));
	snprintf(key->customer, sizeof(key->customer), "%s", i->args.customer);
	snprintf(key->group, sizeof(key->group), "%s", i->args.group);
	new_uuid(key->id);
	if ((rc = take_numbers(i, key)) != KMS_OK)
		return rc;
	return take_dates(i, key);
}

/* A key of a group that no pack knows could never be confirmed. */
static int
check_group(struct issue *i, const struct minisig_key *public_key, const char *group)
{
	struct policy_pack *pack;
	struct fault err;
	char *text;
	size_t len;
	int rc;

	if (i->args.policy == NULL)
		return KMS_OK;
	if ((rc = sign_read(i, i->args.policy, PACK_MAX, public_key, &text, &len, NULL, 0)) !=
	    KMS_OK)
		return rc;
	pack = malloc(sizeof(*pack));
	if (pack == NULL)
		rc = KMS_E_NO_MEMORY;
	else if ((rc = policy_pack_parse(pack, text, len, &err)) != KMS_OK)
		issue_fail(i, rc, "%s:%d: %s", i->args.policy, err.line, err.text);
	else if (policy_group_find(pack, group) < 0)
		rc = issue_fail(i, KMS_E_NOT_FOUND, "%s has no group '%s'", i->args.policy, group);
	free(pack);
	free(text);
	return rc;
}

/* Before any file of it: no key is sold that the register does not know. */
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
	char text[KEY_ROOM], comment[SIGN_COMMENT], path[ISSUE_PATH], copy[ISSUE_PATH];
	char id[VALUE_UUID + 1];
	size_t len = host_key_format(text, sizeof(text), key);
	int rc;

	value_uuid_format(id, key->id);
	snprintf(comment, sizeof(comment), "kms host key %s group %s for %s", id, key->group,
	    key->customer);
	if (len == 0)
		return issue_fail(i, KMS_E_ARGUMENT, "the key's dates lie after the year 9999");
	if (!issue_path(i, path, "%s.kmskey", i->args.out != NULL ? i->args.out : id) ||
	    !issue_path(i, copy, "%s/issued/%s.kmskey", i->args.dir, id))
		return KMS_E_ARGUMENT;
	if (file_exists(AT_FDCWD, path))
		return issue_fail_file(i, KMS_E_EXISTS, path);
	if ((rc = record_key(i, key)) != KMS_OK ||
	    (rc = sign_write(i, k, path, text, len, comment)) != KMS_OK ||
	    (rc = sign_write(i, k, copy, text, len, comment)) != KMS_OK)
		return rc;
	output_text(i->out, "file", path);
	output_uuid(i->out, "host_key", key->id);
	output_text(i->out, "customer", key->customer);
	output_text(i->out, "group", key->group);
	output_time(i->out, "not_before", key->not_before);
	output_time(i->out, "not_after", key->not_after);
	output_number(i->out, "capacity", key->capacity);
	output_number(i->out, "hosts", key->hosts);
	output_number(i->out, "confirmations", key->confirmations);
	return issue_key_code(i, k, key, text, len);
}

int
cmd_key_issue(struct issue *i)
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
