/*
 * key.c - host keys: installing one, asking for its confirmation, installing the confirmation.
 * The other files of publishers are installed here too.
 */
#include <stdio.h>
#include <string.h>

#include "kmsd/activate/activate.h"
#include "kmsd/activate/control/control_verbs.h"
#include "kmsd/activate/installed.h"
#include "kmsd/common/log.h"
#include "policy/code.h"

#define REQUEST_TEXT 4096

static int
refuse(struct control_request *q, int rc, const struct fault *f)
{
	if (rc != KMS_OK)
		snprintf(q->why, CONTROL_WHY, "%.*s", CONTROL_WHY - 1, f->text);
	return rc;
}

static int
check(struct control_request *q, struct publisher_file *c)
{
	const struct publishers *s = &q->activate->publishers;
	struct fault f = { 0 };
	int rc = publisher_file_read(s, c, &f);

	if (rc == KMS_OK)
		rc = publisher_file_check(s, c, q->activate->now, &f);
	/* Two statements by one key: the publisher erred, or somebody else has the key. */
	if (rc == KMS_E_EXISTS && c->kind == FILE_ROTATION && !c->installed)
		log_event(
		    LOG_WARNING, "rotation-fork", "publisher %s: %s", c->publisher->name, f.text);
	return refuse(q, rc, &f);
}

/* Files first, then the journal, then memory: what is in use is on disk and in the journal. */
static int
install(struct control_request *q, struct publisher_file *c)
{
	struct activate *a = q->activate;
	struct installed_entry entry;
	int rc;

	if ((rc = check(q, c)) != KMS_OK)
		return rc;
	installed_entry(&entry, c);
	if ((rc = publisher_file_store(&a->publishers, c)) != KMS_OK)
		snprintf(q->why, CONTROL_WHY, "the file cannot be stored: %s",
		    kms_strerror((uint32_t)rc));
	else if ((rc = activate_record(a, &entry.e)) != KMS_OK)
		snprintf(q->why, CONTROL_WHY, "the ledger cannot be written: %s",
		    kms_strerror((uint32_t)rc));
	if (rc != KMS_OK)
		return rc;
	c->batch = a->last_batch;
	publisher_file_adopt(c);
	activate_tell_classes(q->activate);
	if (c->kind == FILE_CERTIFICATE || c->kind == FILE_REVOCATIONS)
		publishers_tell_revoked(c->publisher);
	control_row(q->out, "installed");
	control_text(q->out, "publisher", c->publisher->name);
	control_text(q->out, "what", entry.text);
	return KMS_OK;
}

static int
install_file(struct control_request *q, enum publisher_file_kind kind)
{
	struct publisher_file c = { .kind = kind };
	struct control_field file, signature;
	int rc;

	if (!control_argument(q, 'b', "file", &file) ||
	    !control_argument(q, 'b', "signature", &signature)) {
		snprintf(q->why, CONTROL_WHY, "a file and its .minisig are needed");
		return KMS_E_ARGUMENT;
	}
	c.text = (const char *)file.value;
	c.len = file.value_len;
	c.signature = (const char *)signature.value;
	c.signature_len = signature.value_len;
	rc = install(q, &c);
	publisher_file_free(&c);
	return rc;
}

int
control_key_install(struct control_request *q)
{
	return install_file(q, FILE_KEY);
}

int
control_key_confirm(struct control_request *q)
{
	const struct host_identity *k = q->activate->key;
	struct fault f = { 0 };
	struct publisher_file c;
	struct control_field code;
	int rc;

	if (!control_argument(q, 'b', "code", &code))
		return install_file(q, FILE_CERTIFICATE);
	rc = publisher_file_of_code(
	    &q->activate->publishers, &c, code.value, code.value_len, host_identity_sign_pk(k), &f);
	if ((rc = refuse(q, rc, &f)) == KMS_OK)
		rc = install(q, &c);
	publisher_file_free(&c);
	return rc;
}

int
control_publisher_rotate(struct control_request *q)
{
	return install_file(q, FILE_ROTATION);
}

int
control_revocations_install(struct control_request *q)
{
	return install_file(q, FILE_REVOCATIONS);
}

int
control_policy_install(struct control_request *q)
{
	return install_file(q, FILE_PACK);
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
row_key(struct control_request *q, const struct publisher *p, const struct host_key *k)
{
	bool confirmed = p->confirmed && memcmp(p->certificate.host_key_id, k->id, 16) == 0;
	uint64_t not_before = confirmed ? p->certificate.not_before : k->not_before;
	uint64_t not_after = confirmed ? p->certificate.not_after : k->not_after;
	struct control_buf *b = q->out;
	char id[INSTALLATION_ID + 1], text[ENTITLEMENTS_TEXT];

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
	if (k->entitlements.len > 0)
		control_text(b, "entitlements", entitlements_text(text, &k->entitlements));
	control_hex(b, "host-id", host_identity_id(q->activate->key), 16);
	control_text(b, "license", license(q, confirmed, not_before, not_after));
	installation_id(id, host_identity_id(q->activate->key), k->id);
	control_text(b, "installation-id", id);
}

int
control_key_show(struct control_request *q)
{
	const struct publishers *s = &q->activate->publishers;

	for (unsigned i = 0; i < s->count; i++) {
		for (unsigned k = 0; k < s->list[i].key_count; k++)
			row_key(q, &s->list[i], &s->list[i].keys[k]);
	}
	return KMS_OK;
}

struct chosen {
	const struct publisher *publisher;
	const struct host_key *key;
	unsigned count;
};

static void
choose(struct chosen *c, const struct publishers *s, const uint8_t *id)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct publisher *p = &s->list[i];

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
	choose(c, &q->activate->publishers, named ? id : NULL);
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
	memcpy(request.publisher, c.publisher->public.key.id, 8);
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
	struct publisher_removal m;
	struct fault f = { 0 };
	const struct host_key *key;
	char text[300];
	int rc;

	if ((rc = control_id(q, "key", e.subject)) != KMS_OK)
		return rc;
	rc = publisher_remove(&a->publishers, &m, e.subject);
	if (rc == KMS_E_NOT_FOUND)
		snprintf(q->why, CONTROL_WHY,
		    "no such host key is installed (kmsctl key show lists them)");
	else if (rc != KMS_OK)
		snprintf(q->why, CONTROL_WHY, "the key's files cannot be moved away: %s",
		    kms_strerror((uint32_t)rc));
	if (rc != KMS_OK)
		return rc;
	key = publisher_find_host_key(m.publisher, m.key);
	snprintf(text, sizeof(text), "%s: host key for %s, group %s", m.publisher->name,
	    key->customer, key->group);
	e.text = text;
	e.text_len = strlen(text);
	if ((rc = activate_record(a, &e)) != KMS_OK) {
		if (publisher_restore(&a->publishers, &m, &f) != KMS_OK)
			log_event(LOG_ERR, "file-aside", "%s: kmsd cannot put it back", f.text);
		snprintf(q->why, CONTROL_WHY,
		    "the ledger cannot be written, so the key was not removed: %s",
		    kms_strerror((uint32_t)rc));
		return rc;
	}
	if (publisher_removed(&a->publishers, &m, &f) != KMS_OK)
		log_event(LOG_WARNING, "file-left", "%s: kmsd cannot remove it", f.text);
	control_row(q->out, "removed");
	control_text(q->out, "publisher", m.publisher->name);
	control_text(q->out, "what", text);
	control_number(q->out, "confirmed", m.confirmed);
	return KMS_OK;
}
