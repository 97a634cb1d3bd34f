/*
 * key.c - host keys: installing one, asking for its confirmation, installing the confirmation.
 * Policy packs are installed here too.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"
#include "policy/code.h"

#define REQUEST_TEXT 4096

static void
describe(const struct service_candidate *c, struct entry_admin *e, char *text, size_t size)
{
	const char *publisher = c->publisher->name;

	switch (c->kind) {
	case SERVICE_KEY:
		e->kind = ENTRY_KEY;
		memcpy(e->subject, c->key.id, 16);
		snprintf(text, size, "%s: host key for %s, group %s", publisher, c->key.customer,
		    c->key.group);
		break;
	case SERVICE_CERTIFICATE:
		e->kind = ENTRY_CERTIFICATE;
		memcpy(e->subject, c->certificate.host_key_id, 16);
		e->blob = c->certificate_octets;
		e->blob_len = c->certificate_len;
		snprintf(text, size, "%s: confirmation %u, serial %llu", publisher,
		    c->certificate.confirmation, (unsigned long long)c->certificate.serial);
		break;
	case SERVICE_ROTATION:
		e->kind = ENTRY_ROTATION;
		memcpy(e->subject, c->publisher->key.id, 8);
		e->blob = c->rotation_octets;
		e->blob_len = ROTATION_SIZE;
		snprintf(text, size, "%s: a new key is accepted beside the old one", publisher);
		break;
	case SERVICE_REVOCATIONS:
		e->kind = ENTRY_REVOCATIONS;
		memcpy(e->subject, c->publisher->key.id, 8);
		snprintf(text, size, "%s: revocation list %llu, %u revocations", publisher,
		    (unsigned long long)c->revocations->number, c->revocations->count);
		break;
	case SERVICE_POLICY:
		e->kind = ENTRY_POLICY;
		memcpy(e->subject, c->publisher->key.id, 8);
		snprintf(text, size, "%s: %s %u.%u", publisher, c->pack->id, c->pack->major,
		    c->pack->minor);
		break;
	}
}

/* Files first, then the journal, then memory: what is in use is on disk and in the journal. */
static int
install(struct control_request *q, struct service_candidate *c)
{
	struct activate *a = q->activate;
	struct entry_admin e = { 0 };
	char text[300];
	int rc;

	if ((rc = service_check(&a->service, c, a->now, q->why)) != KMS_OK)
		return rc;
	describe(c, &e, text, sizeof(text));
	e.text = text;
	e.text_len = strlen(text);
	crypto_hash_sha256(e.digest, c->file, c->file_len);
	if ((rc = service_store(&a->service, c)) != KMS_OK)
		snprintf(q->why, CONTROL_WHY, "the file cannot be stored: %s",
		    kms_strerror((uint32_t)rc));
	else if ((rc = activate_record(a, &e)) != KMS_OK)
		snprintf(q->why, CONTROL_WHY, "the ledger cannot be written: %s",
		    kms_strerror((uint32_t)rc));
	if (rc != KMS_OK)
		return rc;
	service_adopt(c);
	control_row(q->out, "installed");
	control_text(q->out, "publisher", c->publisher->name);
	control_text(q->out, "what", text);
	return KMS_OK;
}

static int
install_file(struct control_request *q, int kind)
{
	struct service_candidate c = { .kind = kind };
	struct control_field file, signature;
	int rc;

	if (!control_argument(q, 'b', "file", &file) ||
	    !control_argument(q, 'b', "signature", &signature)) {
		snprintf(q->why, CONTROL_WHY, "a file and its .minisig are needed");
		return KMS_E_ARGUMENT;
	}
	c.file = file.value;
	c.file_len = file.value_len;
	c.signature = signature.value;
	c.signature_len = signature.value_len;
	rc = install(q, &c);
	service_candidate_free(&c);
	return rc;
}

int
control_key_install(struct control_request *q)
{
	return install_file(q, SERVICE_KEY);
}

int
control_key_confirm(struct control_request *q)
{
	struct service_candidate c = { .kind = SERVICE_CERTIFICATE };
	struct control_field code;
	int rc;

	if (!control_argument(q, 'b', "code", &code))
		return install_file(q, SERVICE_CERTIFICATE);
	c.code = code.value;
	c.code_len = code.value_len;
	rc = install(q, &c);
	service_candidate_free(&c);
	return rc;
}

int
control_publisher_rotate(struct control_request *q)
{
	return install_file(q, SERVICE_ROTATION);
}

int
control_revocations_install(struct control_request *q)
{
	return install_file(q, SERVICE_REVOCATIONS);
}

int
control_policy_install(struct control_request *q)
{
	return install_file(q, SERVICE_POLICY);
}

/* In one word, as kms.key(5)'s dates and the confirmation have it. */
static const char *
license(const struct control_request *q, bool confirmed, uint64_t not_before, uint64_t not_after)
{
	uint64_t now = q->activate->now;

	if (now > not_after)
		return "expired";
	if (!confirmed)
		return "unconfirmed";
	return now < not_before ? "not-yet-valid" : "licensed";
}

static void
row_key(struct control_request *q, const struct service_publisher *p, const struct host_key *k)
{
	bool confirmed = p->confirmed && memcmp(p->certificate.host_key_id, k->id, 16) == 0;
	uint64_t not_before = confirmed ? p->certificate.not_before : k->not_before;
	uint64_t not_after = confirmed ? p->certificate.not_after : k->not_after;
	struct control_buf *b = q->out;
	char id[INSTALLATION_ID + 1];

	control_row(b, "key");
	control_uuid(b, "id", k->id);
	control_text(b, "publisher", p->name);
	control_text(b, "customer", k->customer);
	control_text(b, "group", k->group);
	control_number(b, "issued", k->issued);
	control_number(b, "not-before", not_before);
	control_number(b, "not-after", not_after);
	control_number(b, "capacity", confirmed ? p->certificate.capacity : k->capacity);
	control_number(b, "hosts", k->hosts);
	control_number(b, "confirmations", k->confirmations);
	control_number(b, "confirmed", confirmed);
	if (confirmed) {
		control_number(b, "confirmation", p->certificate.confirmation);
		control_number(b, "serial", p->certificate.serial);
		control_number(b, "confirmed-at", p->certificate.issued);
		control_number(b, "products", p->certificate.product_count);
	}
	control_hex(b, "host-id", host_identity_id(q->activate->key), 16);
	control_text(b, "license", license(q, confirmed, not_before, not_after));
	installation_id(id, host_identity_id(q->activate->key), k->id);
	control_text(b, "installation-id", id);
}

int
control_key_show(struct control_request *q)
{
	const struct service *s = &q->activate->service;

	for (unsigned i = 0; i < s->count; i++) {
		for (unsigned k = 0; k < s->publishers[i].key_count; k++)
			row_key(q, &s->publishers[i], &s->publishers[i].keys[k]);
	}
	return KMS_OK;
}

struct chosen {
	const struct service_publisher *publisher;
	const struct host_key *key;
	unsigned count;
};

static void
choose(struct chosen *c, const struct service *s, const uint8_t *id)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct service_publisher *p = &s->publishers[i];

		for (unsigned k = 0; k < p->key_count; k++) {
			if (id != NULL && memcmp(p->keys[k].id, id, 16) != 0)
				continue;
			c->publisher = p;
			c->key = &p->keys[k];
			c->count++;
		}
	}
}

static int
find_key(struct control_request *q, struct chosen *c)
{
	struct control_field f;
	uint8_t id[16];
	bool named = control_argument(q, 's', "key", &f);
	int rc;

	if (named && (rc = control_id(q, "key", id)) != KMS_OK)
		return rc;
	choose(c, &q->activate->service, named ? id : NULL);
	if (c->count == 1)
		return KMS_OK;
	if (c->count > 1) {
		snprintf(q->why, CONTROL_WHY,
		    "%u host keys are installed: name one (kmsctl key show lists them)", c->count);
		return KMS_E_ARGUMENT;
	}
	snprintf(q->why, CONTROL_WHY,
	    named ? "no such host key is installed (kmsctl key show)"
		  : "no host key is installed: kmsctl key install first");
	return KMS_E_NOT_FOUND;
}

int
control_key_request(struct control_request *q)
{
	struct activate *a = q->activate;
	struct confirm_request request = { .time = a->now };
	char text[REQUEST_TEXT], id[INSTALLATION_ID + 1];
	struct chosen c = { 0 };
	int rc;

	if ((rc = find_key(q, &c)) != KMS_OK)
		return rc;
	memcpy(request.host_key_id, c.key->id, 16);
	memcpy(request.publisher, c.publisher->key.id, 8);
	snprintf(request.host_name, sizeof(request.host_name), "%s", a->host_name);
	if ((rc = host_identity_confirm(a->key, &request)) != KMS_OK)
		return rc;
	if (confirm_request_format(text, sizeof(text), &request) == 0)
		return KMS_E_TOO_LARGE;
	installation_id(id, host_identity_id(a->key), c.key->id);
	control_row(q->out, "request");
	control_uuid(q->out, "key", c.key->id);
	control_text(q->out, "publisher", c.publisher->name);
	control_text(q->out, "installation-id", id);
	control_text(q->out, "text", text);
	control_contacts(q->out, c.publisher);
	return KMS_OK;
}

/* Files, journal, memory, in this order as when one is installed. */
int
control_key_remove(struct control_request *q)
{
	struct activate *a = q->activate;
	struct entry_admin e = { .kind = ENTRY_KEY_REMOVE };
	struct service_removal m = { 0 };
	char text[300];
	int rc;

	if ((rc = control_id(q, "key", e.subject)) != KMS_OK)
		return rc;
	rc = service_remove(&a->service, &m, e.subject);
	if (rc == KMS_E_NOT_FOUND)
		snprintf(q->why, CONTROL_WHY,
		    "no such host key is installed (kmsctl key show lists them)");
	else if (rc != KMS_OK)
		snprintf(q->why, CONTROL_WHY, "the key's files cannot be moved away: %s",
		    kms_strerror((uint32_t)rc));
	if (rc != KMS_OK)
		return rc;
	snprintf(text, sizeof(text), "%s: host key for %s, group %s", m.publisher->name,
	    service_key(m.publisher, m.key)->customer, service_key(m.publisher, m.key)->group);
	e.text = text;
	e.text_len = strlen(text);
	if ((rc = activate_record(a, &e)) != KMS_OK) {
		service_restore(&a->service, &m);
		snprintf(q->why, CONTROL_WHY,
		    "the ledger cannot be written, so the key was not removed: %s",
		    kms_strerror((uint32_t)rc));
		return rc;
	}
	service_removed(&a->service, &m);
	control_row(q->out, "removed");
	control_text(q->out, "publisher", m.publisher->name);
	control_text(q->out, "what", text);
	control_number(q->out, "confirmed", m.confirmed);
	return KMS_OK;
}
