/*
 * confirm.c - kmsissue confirm: a host's request becomes its certificate.
 *
 * The register is written before the certificate: after a crash between the
 * two, the same command gives the same certificate again and counts nothing.
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
#include "libkms/base/uuid.h"
#include "libkms/core/certificate.h"
#include "policy/pack.h"
#include "policy/values.h"

#define SMALL_FILE 16384

struct confirm_options {
	const char *policy, *key, *override, *out;
	bool code;
};

struct confirm {
	struct secret_key *secret;
	struct minisig_key publisher;
	struct confirm_request request;
	struct host_key key;
	struct policy_pack pack;
	struct certificate cert;
	struct register_event event;
	uint8_t octets[CERTIFICATE_MAX];
	size_t len;
};

static int
read_request(struct issue *i, struct confirm *c)
{
	struct fault err;
	uint8_t octets[CONFIRM_REQUEST_SIGNED];
	char *text;
	size_t len;
	int rc;

	if ((rc = file_read(AT_FDCWD, i->operand, FILE_GIVEN, SMALL_FILE, &text, &len)) != KMS_OK)
		return issue_fail_file(i, rc, i->operand);
	rc = confirm_request_parse(&c->request, text, len, &err);
	free(text);
	if (rc != KMS_OK)
		return fault_set(&i->fault, rc, "%s:%d: %s", i->operand, err.line, err.text);
	if (!sign_is_publisher(i, &c->publisher, c->request.publisher))
		return fault_set(
		    &i->fault, KMS_E_PUBLISHER, "%s is for another publisher", i->operand);
	/* The contents of the request, not its layout: a reformatted request is the same one. */
	confirm_request_octets(octets, &c->request);
	crypto_hash_sha256(c->event.request, octets, sizeof(octets));
	return KMS_OK;
}

static int
read_key(struct issue *i, struct confirm *c)
{
	const struct confirm_options *o = i->options;
	char path[ISSUE_PATH], id[UUID_TEXT];
	struct publisher_file file;
	int rc;

	uuid_format(id, c->request.host_key_id);
	if (!(o->key != NULL ? issue_path(i, path, "%s", o->key)
			     : issue_path(i, path, "%s/issued/%s.kmskey", i->dir, id)))
		return KMS_E_ARGUMENT;
	if ((rc = sign_read(i, path, FILE_KEY, &c->publisher, &file, NULL, 0)) != KMS_OK)
		return rc;
	c->key = file.key;
	if (!sign_is_publisher(i, &c->publisher, c->key.publisher))
		return fault_set(
		    &i->fault, KMS_E_PUBLISHER, "%s is a key of another publisher", path);
	if (memcmp(c->key.id, c->request.host_key_id, 16) != 0)
		return fault_set(&i->fault, KMS_E_KEY_INVALID,
		    "the request is for host key %s, not for %s", id, path);
	if (c->key.not_after < i->now)
		return fault_set(&i->fault, KMS_E_KEY_EXPIRED, "host key %s has expired", id);
	return KMS_OK;
}

static int
read_pack(struct issue *i, struct confirm *c)
{
	const struct confirm_options *o = i->options;
	struct publisher_file file;
	int rc;

	if (o->policy == NULL)
		return fault_set(&i->fault, KMS_E_ARGUMENT,
		    "--policy is needed: the pack says what the group covers");
	if ((rc = sign_read(i, o->policy, FILE_PACK, &c->publisher, &file, NULL, 0)) != KMS_OK)
		return rc;
	c->pack = *file.pack;
	publisher_file_free(&file);
	return KMS_OK;
}

/* Products of the pack that the key's group covers; they are already in ascending order. */
static int
take_products(struct issue *i, struct confirm *c)
{
	const struct confirm_options *o = i->options;
	int group = policy_group_find(&c->pack, c->key.group);

	if (group < 0)
		return fault_set(&i->fault, KMS_E_NOT_COVERED,
		    "%s has no group '%s', for which the key was issued", o->policy, c->key.group);
	for (unsigned n = 0; n < c->pack.product_count; n++) {
		const struct policy_product *p = &c->pack.products[n];

		if (!(c->pack.groups[group].covers & UINT32_C(1) << p->group))
			continue;
		if (c->cert.product_count == CERTIFICATE_PRODUCTS)
			return fault_set(&i->fault, KMS_E_TOO_LARGE,
			    "group '%s' covers more than %d products", c->key.group,
			    CERTIFICATE_PRODUCTS);
		memcpy(c->cert.products[c->cert.product_count++], p->id, 16);
	}
	if (c->cert.product_count == 0)
		return fault_set(&i->fault, KMS_E_NOT_COVERED, "group '%s' covers no product of %s",
		    c->key.group, o->policy);
	return KMS_OK;
}

static int
encode_certificate(struct issue *i, struct confirm *c)
{
	struct certificate *cert = &c->cert;

	memcpy(cert->publisher, c->publisher.id, 8);
	memcpy(cert->host_key_id, c->key.id, 16);
	memcpy(cert->sign_pk, c->request.sign_pk, 32);
	cert->serial = c->event.serial;
	cert->issued = c->event.time;
	cert->not_before = c->key.not_before;
	cert->not_after = c->key.not_after;
	cert->capacity = c->key.capacity;
	cert->entitlements = c->key.entitlements;
	cert->confirmation = c->event.confirmation;
	memcpy(cert->group, c->key.group, sizeof(cert->group));
	memcpy(cert->customer, c->key.customer, sizeof(cert->customer));
	c->len = certificate_encode(c->octets, sizeof(c->octets) - crypto_sign_BYTES, cert);
	if (c->len == 0)
		return fault_set(
		    &i->fault, KMS_E_TOO_LARGE, "the certificate is too large for its format");
	crypto_hash_sha256(c->event.certificate, c->octets, c->len);
	secret_key_sign(c->secret, c->octets + c->len, c->octets, c->len);
	c->len += crypto_sign_BYTES;
	return KMS_OK;
}

/* The same request again gets the same certificate, or none. */
static int
answer_again(
    struct issue *i, struct confirm *c, struct issue_register *r, const struct register_event *old)
{
	struct fault f = { 0 };
	int rc = register_check(r, old, &f);

	if (rc != KMS_OK)
		return f.status != KMS_OK ? fault_set(&i->fault, rc, "%s", f.text)
					  : issue_fail_file(i, rc, "the register");
	c->event = *old;
	if ((rc = encode_certificate(i, c)) != KMS_OK)
		return rc;
	if (memcmp(c->event.certificate, old->certificate, 32) != 0)
		return fault_set(&i->fault, KMS_E_EXISTS,
		    "this request was already answered with certificate %llu, from another key or policy pack: make a new request on the host",
		    (unsigned long long)old->serial);
	return KMS_OK;
}

/* Beyond a limit only with a reason, which the register keeps. */
static int
check_limits(struct issue *i, struct confirm *c, struct issue_register *r)
{
	const struct confirm_options *o = i->options;
	struct fault f = { 0 };
	int rc = register_next(r, &c->key, &c->event, &f);

	if (rc == KMS_E_LIMIT && o->override != NULL) {
		c->event.flags |= EVENT_OVERRIDE;
		snprintf(c->event.reason, sizeof(c->event.reason), "%s", o->override);
		return KMS_OK;
	}
	if (rc == KMS_E_LIMIT)
		return fault_set(&i->fault, rc,
		    "%s (0xC004C008); kmsissue confirm --override REASON ignores the limit and records the reason",
		    f.text);
	if (rc != KMS_OK && f.status != KMS_OK)
		return fault_set(&i->fault, rc, "%s", f.text);
	return rc == KMS_OK ? rc : issue_fail_file(i, rc, "the register");
}

static int
answer_first(struct issue *i, struct confirm *c, struct issue_register *r)
{
	struct register_event *e = &c->event;
	int rc;

	e->kind = EVENT_CONFIRM;
	e->time = i->now;
	memcpy(e->publisher, c->publisher.id, sizeof(e->publisher));
	memcpy(e->host_key, c->key.id, 16);
	certificate_host_id(e->host, c->request.sign_pk);
	memcpy(e->customer, c->key.customer, sizeof(e->customer));
	memcpy(e->group, c->key.group, sizeof(e->group));
	memcpy(e->host_name, c->request.host_name, sizeof(e->host_name));
	e->from = c->key.not_before;
	e->until = c->key.not_after;
	e->capacity = c->key.capacity;
	e->entitlements = c->key.entitlements;
	if ((rc = check_limits(i, c, r)) != KMS_OK || (rc = encode_certificate(i, c)) != KMS_OK)
		return rc;
	if ((rc = register_append(r, e)) != KMS_OK || (rc = register_commit(r)) != KMS_OK)
		return issue_fail_file(i, rc, "the register");
	return KMS_OK;
}

static int
record(struct issue *i, struct confirm *c)
{
	struct issue_register *r;
	struct register_event old = { 0 };
	int rc;

	if ((rc = issue_register(i, &r, true)) != KMS_OK)
		return rc;
	rc = register_answered(r, c->event.request, &old);
	if (rc == KMS_OK)
		rc = answer_again(i, c, r, &old);
	else if (rc == KMS_E_NOT_FOUND)
		rc = answer_first(i, c, r);
	else
		issue_fail_file(i, rc, "the register");
	if (rc == KMS_OK && i->json)
		tell_flag(i->out, "again", c->event.number == old.number);
	register_close(r);
	return rc;
}

static int
write_certificate(struct issue *i, const struct confirm *c, const char *path)
{
	const struct confirm_options *o = i->options;
	static const char kind[] = "kms host certificate";
	char text[2 * CERTIFICATE_MAX + 1024], comment[SIGN_COMMENT], id[UUID_TEXT];
	char installation[INSTALLATION_ID + 1];
	size_t len = certificate_file_format(text, sizeof(text), c->octets, c->len);
	int rc;

	if (len == 0)
		return fault_set(
		    &i->fault, KMS_E_FORMAT, "the certificate cannot be written as a file");
	uuid_format(id, c->key.id);
	snprintf(comment, sizeof(comment), "%s %llu host key %s for %s", kind,
	    (unsigned long long)c->event.serial, id, c->key.customer);
	if ((rc = sign_write(i, c->secret, path, text, len, comment)) != KMS_OK)
		return rc;
	tell_text(i->out, "file", path);
	tell_number(i->out, "serial", c->event.serial);
	installation_id(installation, c->event.host, c->key.id);
	tell_text(i->out, "installation_id", installation);
	tell_hex(i->out, "host", c->event.host, 16);
	tell_text(i->out, "host_name", c->request.host_name);
	tell_uuid(i->out, "host_key", c->key.id);
	tell_text(i->out, "customer", c->key.customer);
	tell_number(i->out, "confirmation", c->event.confirmation);
	tell_number(i->out, "products", c->cert.product_count);
	issue_time(i, "not_after", c->key.not_after);
	issue_entitlements(i, &c->key.entitlements);
	if (c->event.flags & EVENT_OVERRIDE)
		tell_text(i->out, "override", c->event.reason);
	return !o->code ? KMS_OK : issue_confirm_code(i, &c->key, &c->pack, c->octets, c->len);
}

/* request.kmsreq gives request.kmscert unless --output says otherwise. */
static bool
certificate_path(struct issue *i, char out[ISSUE_PATH])
{
	const struct confirm_options *o = i->options;
	const char *base = o->out != NULL ? o->out : i->operand;
	size_t n = strlen(base);

	if (o->out == NULL && n > 7 && strcmp(base + n - 7, ".kmsreq") == 0)
		n -= 7;
	return issue_path(i, out, "%.*s.kmscert", (int)(n < ISSUE_PATH ? n : ISSUE_PATH), base);
}

static int
run_confirm(struct issue *i)
{
	const struct confirm_options *o = i->options;
	struct confirm *c = calloc(1, sizeof(*c));
	char path[ISSUE_PATH];
	int rc;

	if (c == NULL)
		return KMS_E_NO_MEMORY;
	if (!certificate_path(i, path))
		rc = KMS_E_ARGUMENT;
	else if (!issue_reason_ok(o->override))
		rc = fault_set(&i->fault, KMS_E_ARGUMENT,
		    "--override needs a reason: UTF-8 text of 1 to %d bytes", EVENT_REASON);
	else if (file_exists(AT_FDCWD, path))
		rc = issue_fail_file(i, KMS_E_EXISTS, path);
	else if ((rc = sign_open_key(i, &c->secret, &c->publisher)) == KMS_OK &&
		 (rc = read_request(i, c)) == KMS_OK && (rc = read_key(i, c)) == KMS_OK &&
		 (rc = read_pack(i, c)) == KMS_OK && (rc = take_products(i, c)) == KMS_OK &&
		 (rc = record(i, c)) == KMS_OK)
		rc = write_certificate(i, c, path);
	secret_key_free(c->secret);
	free(c);
	return rc;
}

static const struct option_row rows[] = {
	ISSUE_SIGNING,
	{ "policy", 'p', "FILE", "signed policy pack",
	    .offset = offsetof(struct confirm_options, policy), .complete = "file *.kmspolicy" },
	{ "key", 'k', "FILE", "KMS host key (default: the copy in DIR/issued)",
	    .offset = offsetof(struct confirm_options, key), .complete = "file *.kmskey" },
	{ "override", 0, "REASON", "confirm despite the key's limits; the reason is recorded",
	    .offset = offsetof(struct confirm_options, override) },
	{ "output", 'o', "NAME", "name of the files to write, without suffix",
	    .offset = offsetof(struct confirm_options, out) },
	{ "code", 0, NULL, "also print it as a code that can be typed",
	    .offset = offsetof(struct confirm_options, code) },
	{ 0 },
};

const struct issue_command cmd_confirm = {
	.line.noun = "confirm",
	.line.args = "REQUEST",
	.line.summary = "answer a host's request with its certificate",
	.line.min = 1,
	.line.max = 1,
	.line.options = rows,
	.line.values = sizeof(struct confirm_options),
	.line.complete = "file *.kmsreq",
	.run = run_confirm,
};
