/*
 * service_remove.c - taking a host key out of service. Its files are put aside under a name that no
 * start reads, so that a failure of the ledger can put them back and a crash leaves the key
 * removed, as was asked.
 */
#include <stdio.h>
#include <string.h>

#include "kmsd/activate/service_files.h"
#include "kmsd/common/log.h"
#include "libkms/kms_error.h"

#define ASIDE ".removed"

/* The file and its signature; a certificate from a code has none. */
static int
move(struct service *s, const char *path, bool aside)
{
	static const char *const endings[] = { "", ".minisig" };
	char here[SERVICE_PATH + 16], there[SERVICE_PATH + 32];
	int rc = KMS_OK;

	for (unsigned i = 0; i < 2 && rc == KMS_OK; i++) {
		snprintf(here, sizeof(here), "%s%s", path, endings[i]);
		snprintf(there, sizeof(there), "%s" ASIDE, here);
		rc =
		    aside ? file_rename(s->dirfd, here, there) : file_rename(s->dirfd, there, here);
		if (rc == KMS_E_NOT_FOUND)
			rc = KMS_OK;
	}
	return rc;
}

static void
drop(struct service *s, const char *path)
{
	char name[SERVICE_PATH + 32];

	snprintf(name, sizeof(name), "%s" ASIDE, path);
	if (file_remove(s->dirfd, name) != KMS_OK)
		log_event(LOG_WARNING, "file-left", "%s: cannot be removed", name);
	snprintf(name, sizeof(name), "%s.minisig" ASIDE, path);
	if (file_remove(s->dirfd, name) != KMS_OK)
		log_event(LOG_WARNING, "file-left", "%s: cannot be removed", name);
}

int
service_remove(struct service *s, struct service_removal *m, const uint8_t key[16])
{
	char path[SERVICE_PATH];
	int rc;

	m->publisher = NULL;
	for (unsigned i = 0; i < s->count && m->publisher == NULL; i++)
		if (service_key(&s->publishers[i], key) != NULL)
			m->publisher = &s->publishers[i];
	if (m->publisher == NULL)
		return KMS_E_NOT_FOUND;
	memcpy(m->key, key, 16);
	m->confirmed =
	    m->publisher->confirmed && memcmp(m->publisher->certificate.host_key_id, key, 16) == 0;
	service_key_path(path, key);
	rc = move(s, path, true);
	if (rc == KMS_OK && m->confirmed) {
		service_certificate_path(path, m->publisher->key.id);
		rc = move(s, path, true);
	}
	if (rc != KMS_OK)
		service_restore(s, m);
	return rc;
}

void
service_restore(struct service *s, const struct service_removal *m)
{
	char path[SERVICE_PATH];
	int rc;

	service_key_path(path, m->key);
	rc = move(s, path, false);
	if (m->confirmed) {
		service_certificate_path(path, m->publisher->key.id);
		if (move(s, path, false) != KMS_OK)
			rc = KMS_E_IO;
	}
	if (rc != KMS_OK)
		log_event(LOG_ERR, "file-aside", "%s: cannot be put back from " ASIDE, path);
}

void
service_removed(struct service *s, const struct service_removal *m)
{
	struct service_publisher *p = m->publisher;
	char path[SERVICE_PATH];

	for (unsigned i = 0; i < p->key_count; i++) {
		if (memcmp(p->keys[i].id, m->key, 16) != 0)
			continue;
		p->key_count--;
		memmove(&p->keys[i], &p->keys[i + 1], (p->key_count - i) * sizeof(p->keys[0]));
		break;
	}
	service_key_path(path, m->key);
	drop(s, path);
	if (!m->confirmed)
		return;
	p->confirmed = false;
	service_update_revoked(p);
	memset(p->covered, 0, sizeof(p->covered));
	service_update_revoked(p);
	service_certificate_path(path, p->key.id);
	drop(s, path);
}
