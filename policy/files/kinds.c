/*
 * kinds.c - what differs between the kinds of files; one row for each kind, at the end.
 */
#include "policy/files/kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libkms/base/hex.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"
#include "policy/files/rotations.h"
#include "policy/pack.h"
#include "policy/rotation_file.h"
#include "policy/values.h"

/* Most files are named after the publisher. */
static void
path_publisher(char *out, size_t size, const struct publisher *p, const struct publisher_file *c)
{
	char hex[17];

	hex_format(hex, p->public.key.id, 8);
	snprintf(out, size, "%s", hex);
}

/* Is the key, the host or the certificate revoked that is about to be installed? */
static int
check_revoked(const struct publishers *s, const struct publisher *p, const uint8_t host_key[16],
    uint64_t serial, struct fault *f)
{
	const struct revocation *e = revocation_find(p->revocations, host_key, s->host_id, serial);

	if (e == NULL)
		return KMS_OK;
	return fault_set(f, KMS_E_KEY_INVALID, "publisher %s revoked this %s: %s", p->name,
	    revocation_what(e), e->reason);
}

static void
date(char out[11], uint64_t seconds)
{
	char text[VALUE_TIME + 1];

	value_time_format(text, seconds);
	snprintf(out, 11, "%.10s", text);
}

/* -- key rotation -- */

static int
parse_rotation(struct publisher_file *c, struct fault *f)
{
	return rotation_file_parse(&c->rotation, c->rotation_octets, c->text, c->len, f);
}

/* Is either of its keys one of these? */
static bool
linked(const struct publisher_keys *k, const struct rotation *r)
{
	const struct minisig_key *old = publisher_keys_find(k, r->old.id),
				 *new = publisher_keys_find(k, r->new.id);

	return (old != NULL && memcmp(old, &r->old, sizeof(*old)) == 0) ||
	       (new != NULL &&memcmp(new, &r->new, sizeof(*new)) == 0);
}

static int
belongs_rotation(const struct publishers *s, struct publisher_file *c, struct fault *f)
{
	for (unsigned i = 0; i < s->count; i++)
		if (linked(&s->list[i].public, &c->rotation) &&
		    (c->publisher == NULL || c->publisher == &s->list[i])) {
			c->publisher = &s->list[i];
			return KMS_OK;
		}
	return fault_set(f, KMS_E_PUBLISHER,
	    "neither the old nor the new key belongs to a publisher in kms.ini");
}

/* Another publisher of this host already has a key of that id. */
static bool
id_taken(const struct publishers *s, const struct publisher *p, const uint8_t id[8])
{
	for (unsigned i = 0; i < s->count; i++)
		if (&s->list[i] != p && publisher_keys_find(&s->list[i].public, id) != NULL)
			return true;
	return false;
}

/* Why the statement does not fit at either end of the chain. */
static int
explain_link(struct fault *f, const struct publisher *p, int status)
{
	if (status == KMS_OK)
		return KMS_OK;
	if (status == KMS_E_EXISTS)
		return fault_set(f, status,
		    "another rotation of the same key of publisher %s is installed: ask the publisher which of the two is genuine",
		    p->name);
	if (status == KMS_E_LIMIT)
		return fault_set(f, status, "%d key rotations of publisher %s are installed",
		    ROTATION_CHAIN_MAX, p->name);
	return fault_set(f, status,
	    "the rotation does not follow those that are installed for publisher %s: a key would occur twice, or begin before its predecessor",
	    p->name);
}

static int
check_rotation(
    const struct publishers *s, const struct publisher_file *c, uint64_t now, struct fault *f)
{
	const struct publisher *p = c->publisher;
	int rc = minisig_verify(
	    &c->rotation.old, c->text, c->len, c->signature, c->signature_len, NULL, 0);

	if (rc != KMS_OK)
		return fault_set(
		    f, rc, "the .minisig file is not a signature of this file by the old key");
	if (id_taken(s, p, c->rotation.old.id) || id_taken(s, p, c->rotation.new.id))
		return fault_set(
		    f, KMS_E_EXISTS, "another publisher in kms.ini has a key with that id");
	if (c->installed)
		return fault_set(f, KMS_E_EXISTS, "this key rotation is already installed");
	return explain_link(f, p, rotations_check(p, c->rotation_octets));
}

static bool
same_rotation(const struct publisher *p, const struct publisher_file *c)
{
	return publisher_keys_has(&p->public, c->rotation_octets);
}

static void
adopt_rotation(struct publisher *p, struct publisher_file *c)
{
	publisher_keys_rotate(&p->public, c->rotation_octets);
}

static void
describe_rotation(const struct publisher_file *c, char *out, size_t size)
{
	char hex[17];

	hex_format(hex, c->rotation.new.id, 8);
	snprintf(out, size, "a new key, %s, is accepted beside the old one", hex);
}

/* -- host key -- */

static int
parse_key(struct publisher_file *c, struct fault *f)
{
	return host_key_parse(&c->key, c->text, c->len, f);
}

static int
belongs_key(const struct publishers *s, struct publisher_file *c, struct fault *f)
{
	if (publisher_keys_find(&c->publisher->public, c->key.publisher) != NULL)
		return KMS_OK;
	return fault_set(f, KMS_E_KEY_INVALID,
	    "the host key names another publisher than the one that signed it");
}

/*
 * Keys are stored under their UUID, whichever publisher signed them: one publisher cannot replace
 * another's.
 */
static bool
key_of_another(const struct publishers *s, const struct publisher_file *c)
{
	for (unsigned i = 0; i < s->count; i++)
		if (&s->list[i] != c->publisher &&
		    publisher_find_host_key(&s->list[i], c->key.id) != NULL)
			return true;
	return false;
}

static int
check_key(const struct publishers *s, const struct publisher_file *c, uint64_t now, struct fault *f)
{
	const struct publisher *p = c->publisher;
	char day[11];
	int rc;

	if (c->key.not_after < now) {
		date(day, c->key.not_after);
		return fault_set(f, KMS_E_KEY_EXPIRED,
		    "the host key expired on %s: ask publisher %s for a new one", day, p->name);
	}
	if ((rc = check_revoked(s, p, c->key.id, 0, f)) != KMS_OK)
		return rc;
	if (publisher_find_host_key(p, c->key.id) != NULL)
		return fault_set(f, KMS_E_EXISTS,
		    c->installed ? "this host key is already installed"
				 : "another host key of the same number is installed");
	if (key_of_another(s, c))
		return fault_set(f, KMS_E_EXISTS,
		    "a host key of another publisher has this id: ask publisher %s for another key",
		    p->name);
	if (p->key_count == PUBLISHER_HOST_KEYS)
		return fault_set(f, KMS_E_LIMIT,
		    "%d host keys of this publisher are installed: remove one first",
		    PUBLISHER_HOST_KEYS);
	return KMS_OK;
}

static bool
same_key(const struct publisher *p, const struct publisher_file *c)
{
	for (unsigned i = 0; i < p->key_count; i++)
		if (memcmp(p->key_digests[i], c->digest, sizeof(c->digest)) == 0)
			return true;
	return false;
}

static void
path_key(char *out, size_t size, const struct publisher *p, const struct publisher_file *c)
{
	char uuid[37];

	uuid_format(uuid, c->key.id);
	snprintf(out, size, "%s", uuid);
}

static void
adopt_key(struct publisher *p, struct publisher_file *c)
{
	if (p->key_count == PUBLISHER_HOST_KEYS || publisher_find_host_key(p, c->key.id) != NULL)
		return;
	memcpy(p->key_digests[p->key_count], c->digest, sizeof(c->digest));
	p->keys[p->key_count++] = c->key;
}

static void
describe_key(const struct publisher_file *c, char *out, size_t size)
{
	snprintf(out, size, "host key for %s, group %s", c->key.customer, c->key.group);
}

/* -- host certificate -- */

static int
parse_certificate(struct publisher_file *c, struct fault *f)
{
	int rc = certificate_file_parse(c->certificate_octets, sizeof(c->certificate_octets),
	    &c->certificate_len, c->text, c->len, f);

	return rc == KMS_OK
		   ? certificate_decode(&c->certificate, c->certificate_octets, c->certificate_len)
		   : rc;
}

static int
belongs_certificate(const struct publishers *s, struct publisher_file *c, struct fault *f)
{
	char host[33];
	int rc = publisher_keys_certificate(&c->publisher->public, &c->certificate,
	    c->certificate_octets, c->certificate_len, c->signer == NULL ? &c->signer : NULL);

	if (rc == KMS_E_SIGNATURE && c->made != NULL)
		return fault_set(f, rc,
		    "the code belongs to another host, host key or policy pack: the publisher's signature does not match those of this host");
	if (rc != KMS_OK)
		return fault_set(f, rc, "host certificate: %s", kms_strerror((uint32_t)rc));
	if (s->host_id == NULL || memcmp(c->certificate.host_id, s->host_id, 16) == 0)
		return KMS_OK;
	hex_format(host, c->certificate.host_id, 16);
	return fault_set(f, KMS_E_UNKNOWN_HOST,
	    "this confirmation is for another host, %s (compare kmsctl key request)", host);
}

static int
check_certificate(
    const struct publishers *s, const struct publisher_file *c, uint64_t now, struct fault *f)
{
	const struct certificate *cert = &c->certificate;
	const struct publisher *p = c->publisher;
	char day[11];
	int rc;

	if ((rc = check_revoked(s, p, cert->host_key_id, cert->serial, f)) != KMS_OK)
		return rc;
	if (publisher_find_host_key(p, cert->host_key_id) == NULL)
		return fault_set(f, KMS_E_NOT_ENABLED,
		    "the host key for this confirmation is not installed: run kmsctl key install first");
	if (cert->not_after < now) {
		date(day, cert->not_after);
		return fault_set(f, KMS_E_KEY_EXPIRED,
		    "the confirmation expired on %s: send a new kmsctl key request", day);
	}
	if (c->installed)
		return fault_set(f, KMS_E_EXISTS, "this confirmation is already installed");
	if (p->confirmed && cert->issued < p->certificate.issued)
		return fault_set(f, KMS_E_OLDER,
		    "this confirmation, serial %llu, is older than the installed one, serial %llu",
		    (unsigned long long)cert->serial, (unsigned long long)p->certificate.serial);
	return KMS_OK;
}

static bool
same_certificate(const struct publisher *p, const struct publisher_file *c)
{
	return p->confirmed && c->certificate_len == p->certificate_len &&
	       memcmp(c->certificate_octets, p->certificate_octets, p->certificate_len) == 0;
}

static void
adopt_certificate(struct publisher *p, struct publisher_file *c)
{
	p->certificate = c->certificate;
	p->certified = c->time;
	p->certified_batch = c->batch;
	memcpy(p->certificate_octets, c->certificate_octets, c->certificate_len);
	p->certificate_len = c->certificate_len;
	p->confirmed = true;
}

static void
describe_certificate(const struct publisher_file *c, char *out, size_t size)
{
	snprintf(out, size, "confirmation %u, serial %llu", c->certificate.confirmation,
	    (unsigned long long)c->certificate.serial);
}

/* -- policy pack -- */

static int
parse_pack(struct publisher_file *c, struct fault *f)
{
	if ((c->pack = malloc(sizeof(*c->pack))) == NULL)
		return fault_set(f, KMS_E_NO_MEMORY, NULL);
	return policy_pack_parse(c->pack, c->text, c->len, f);
}

/* To which publisher a product belongs depends on what is installed: check_pack finds out. */
static int
belongs_pack(const struct publishers *s, struct publisher_file *c, struct fault *f)
{
	return KMS_OK;
}

/* "1.0 or 1.1" */
static void
list_versions(char *out, size_t size, const char list[][16], unsigned count)
{
	size_t n = 0;

	out[0] = 0;
	for (unsigned i = 0; i < count && n < size; i++)
		n += (size_t)snprintf(out + n, size - n, "%s%s", i > 0 ? " or " : "", list[i]);
}

/* Why the pack may not replace old (NULL: nothing). */
static int
explain_order(struct fault *f, int status, const struct policy_pack *new,
    const struct policy_pack *old, bool same)
{
	char needs[100];

	list_versions(needs, sizeof(needs), new->requires_any, new->requires_count);
	if (old == NULL)
		return fault_set(f, status, "%s %u.%u needs %s: install that first", new->id,
		    new->major, new->minor, needs);
	if (strcmp(new->id, old->id) != 0)
		return fault_set(f, status,
		    "the pack has the id %s, but %s %u.%u is installed: all packs of a publisher must have the same id",
		    new->id, old->id, old->major, old->minor);
	if (status == KMS_E_PREREQUISITE)
		return fault_set(f, status, "%s %u.%u needs %s, but %u.%u is installed", new->id,
		    new->major, new->minor, needs, old->major, old->minor);
	if (status == KMS_E_OLDER)
		return fault_set(f, status, "%s %u.%u is older than the installed %u.%u", new->id,
		    new->major, new->minor, old->major, old->minor);
	return fault_set(f, status, "%s%s %u.%u is already installed",
	    same ? "" : "a different pack called ", new->id, new->major, new->minor);
}

static int
check_pack(
    const struct publishers *s, const struct publisher_file *c, uint64_t now, struct fault *f)
{
	int rc = policy_pack_succeeds(c->pack, c->publisher->pack);
	const struct policy_product *product;
	const struct publisher *other;
	char id[37];

	if (rc != KMS_OK)
		return explain_order(f, rc, c->pack, c->publisher->pack, c->installed);
	if ((other = publishers_claim(s, c->publisher, c->pack, &product)) == NULL)
		return KMS_OK;
	uuid_format(id, product->id);
	return fault_set(f, KMS_E_EXISTS,
	    "product %s (%s) belongs to publisher %s, whose installed pack names it too", id,
	    product->name, other->name);
}

static bool
same_pack(const struct publisher *p, const struct publisher_file *c)
{
	return p->pack != NULL && memcmp(p->pack_digest, c->digest, sizeof(c->digest)) == 0;
}

static void
path_pack(char *out, size_t size, const struct publisher *p, const struct publisher_file *c)
{
	char hex[17];

	hex_format(hex, p->public.key.id, 8);
	snprintf(out, size, "%s/%u.%u", hex, c->pack->major, c->pack->minor);
}

static void
adopt_pack(struct publisher *p, struct publisher_file *c)
{
	free(p->pack);
	p->pack = c->pack;
	c->pack = NULL;
	memcpy(p->pack_digest, c->digest, sizeof(c->digest));
}

static void
describe_pack(const struct publisher_file *c, char *out, size_t size)
{
	snprintf(out, size, "%s %u.%u", c->pack->id, c->pack->major, c->pack->minor);
}

/* -- revocation list; leases that were given stay valid until they expire -- */

static int
parse_revocations(struct publisher_file *c, struct fault *f)
{
	if ((c->revocations = malloc(sizeof(*c->revocations))) == NULL)
		return fault_set(f, KMS_E_NO_MEMORY, NULL);
	return revocation_list_parse(c->revocations, c->text, c->len, f);
}

static int
belongs_revocations(const struct publishers *s, struct publisher_file *c, struct fault *f)
{
	if (publisher_keys_find(&c->publisher->public, c->revocations->publisher) != NULL)
		return KMS_OK;
	return fault_set(
	    f, KMS_E_PUBLISHER, "the list names another publisher than the one that signed it");
}

static int
check_revocations(
    const struct publishers *s, const struct publisher_file *c, uint64_t now, struct fault *f)
{
	const struct revocation_list *old = c->publisher->revocations;

	if (old == NULL || c->revocations->number > old->number)
		return KMS_OK;
	if (c->revocations->number == old->number)
		return fault_set(
		    f, KMS_E_EXISTS, "revocation list %u is already installed", old->number);
	return fault_set(f, KMS_E_OLDER, "revocation list %u is older than the installed list %u",
	    c->revocations->number, old->number);
}

static bool
same_revocations(const struct publisher *p, const struct publisher_file *c)
{
	return p->revocations != NULL && c->revocations->number == p->revocations->number;
}

/* Each list has its own name: a crash during a write must not destroy the list before. */
static void
path_revocations(char *out, size_t size, const struct publisher *p, const struct publisher_file *c)
{
	char hex[17];

	hex_format(hex, p->public.key.id, 8);
	snprintf(out, size, "%s-%u", hex, c->revocations->number);
}

/* Of several lists found at a start, the newest counts. */
static void
adopt_revocations(struct publisher *p, struct publisher_file *c)
{
	if (p->revocations != NULL && c->revocations->number <= p->revocations->number)
		return;
	free(p->revocations);
	p->revocations = c->revocations;
	c->revocations = NULL;
	memcpy(p->revocations_digest, c->digest, sizeof(c->digest));
}

static void
describe_revocations(const struct publisher_file *c, char *out, size_t size)
{
	snprintf(out, size, "revocation list %u, %u revocations", c->revocations->number,
	    c->revocations->count);
}

/* -- the table -- */

const struct file_kind file_kinds[FILE_KINDS] = {
	[FILE_ROTATION] = { "key rotation", "[rotation]", "publishers", ".kmsrotate", true, false,
	    parse_rotation, belongs_rotation, check_rotation, same_rotation, path_publisher,
	    adopt_rotation, describe_rotation },
	[FILE_KEY] = { "KMS host key", "[host-key]", "keys", ".kmskey", false, true, parse_key,
	    belongs_key, check_key, same_key, path_key, adopt_key, describe_key },
	[FILE_CERTIFICATE] = { "host certificate", "[host-certificate]", "certs", ".kmscert", true,
	    false, parse_certificate, belongs_certificate, check_certificate, same_certificate,
	    path_publisher, adopt_certificate, describe_certificate },
	[FILE_PACK] = { "policy pack", "[policy]", "policy", ".kmspolicy", false, false, parse_pack,
	    belongs_pack, check_pack, same_pack, path_pack, adopt_pack, describe_pack },
	[FILE_REVOCATIONS] = { "revocation list", "[revocations]", "revoked", ".kmsrevoked", false,
	    false, parse_revocations, belongs_revocations, check_revocations, same_revocations,
	    path_revocations, adopt_revocations, describe_revocations },
};

void
file_kind_path(char out[SIGNED_FILE_PATH], enum publisher_file_kind kind, const struct publisher *p,
    const struct publisher_file *c)
{
	char name[64];

	file_kinds[kind].path(name, sizeof(name), p, c);
	snprintf(
	    out, SIGNED_FILE_PATH, "%s/%s%s", file_kinds[kind].dir, name, file_kinds[kind].ending);
}

void
publisher_settle(struct publisher *p)
{
	const struct certificate *c = &p->certificate;

	p->revoked = p->confirmed
			 ? revocation_find(p->revocations, c->host_key_id, c->host_id, c->serial)
			 : NULL;
	memset(p->covered, 0, sizeof(p->covered));
	for (unsigned i = 0; p->confirmed && p->pack != NULL && i < p->pack->product_count; i++)
		p->covered[i] = certificate_covers(c, p->pack->products[i].id);
}

void
file_kind_pack_path(
    char out[SIGNED_FILE_PATH], const struct publisher *p, const char *name, const char *end)
{
	char hex[17];

	hex_format(hex, p->public.key.id, 8);
	snprintf(out, SIGNED_FILE_PATH, "%s/%s/%s%s", file_kinds[FILE_PACK].dir, hex, name, end);
}
