/*
 * publishers.c - see publishers.h.
 */
#include "kmsd/activate/publishers.h"

#include "kmsd/common/log.h"
#include "libkms/base/uuid.h"
#include "libkms/kms_error.h"

static void
tell_left_out(
    const struct publisher *p, enum publisher_file_kind kind, const struct fault *f, void *arg)
{
	log_event(LOG_ERR, "file-refused", "%s; install it again", f->text);
}

/* After a change of kms.ini, there may be packs that were never checked against each other. */
static void
tell_disputed(const struct publishers *s, const struct publisher *p)
{
	const struct publishers before = { .list = s->list, .count = (unsigned)(p - s->list) };
	struct publisher_product other;
	char id[37];

	for (unsigned i = 0; p->pack != NULL && i < p->pack->product_count; i++) {
		if (!publishers_find(&before, p->pack->products[i].id, &other))
			continue;
		uuid_format(id, p->pack->products[i].id);
		log_event(LOG_ERR, "product-disputed",
		    "the packs of publishers %s and %s both name product %s: %s, which comes first in kms.ini, serves it",
		    other.publisher->name, p->name, id, other.publisher->name);
	}
}

void
publishers_tell_revoked(const struct publisher *p)
{
	if (p->revoked != NULL)
		log_event(LOG_WARNING, "host-revoked",
		    "publisher %s revoked this host's %s: %s; no lease is given for its products until another host key is installed and confirmed",
		    p->name, revocation_what(p->revoked), p->revoked->reason);
}

int
publishers_open(struct publishers *s, int dirfd, const uint8_t host_id[16],
    const struct config *config, struct fault *f)
{
	int rc = publishers_init(s, config->publisher_count);

	if (rc != KMS_OK)
		return fault_set(f, rc, NULL);
	s->dirfd = dirfd;
	s->host_id = host_id;
	for (unsigned i = 0; rc == KMS_OK && i < config->publisher_count; i++)
		rc = publishers_add(s, config->publishers[i].name, config->publishers[i].key, f);
	if (rc != KMS_OK) {
		publishers_free(s);
		return rc;
	}
	publishers_read(s, tell_left_out, NULL);
	for (unsigned i = 0; i < s->count; i++) {
		publishers_tell_revoked(&s->list[i]);
		tell_disputed(s, &s->list[i]);
	}
	return KMS_OK;
}
