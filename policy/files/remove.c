/*
 * remove.c - taking a host key out of service. When the ledger fails, the files can be renamed
 * back; after a crash the key is removed, as requested.
 */
#include <stdio.h>
#include <string.h>

#include "libkms/kms_error.h"
#include "policy/files/kinds.h"
#include "policy/files/publisher_file.h"

#define ASIDE ".removed"

/* Each file of the removal with its signature (a certificate from a code has none). */
static int
each_file(const struct publishers *s, const struct publisher_removal *m, struct fault *f,
    int (*step)(int dirfd, const char *path, const char *aside))
{
	static const enum publisher_file_kind kinds[] = { FILE_KEY, FILE_CERTIFICATE };
	static const char *const endings[] = { "", ".minisig" };
	char path[SIGNED_FILE_PATH], here[SIGNED_FILE_PATH + 16], aside[SIGNED_FILE_PATH + 32];
	struct publisher_file c = { 0 };
	int rc, first = KMS_OK;

	memcpy(c.key.id, m->key, 16);
	for (unsigned i = 0; i < (m->confirmed ? 4 : 2); i++) {
		file_kind_path(path, kinds[i / 2], m->publisher, &c);
		snprintf(here, sizeof(here), "%s%s", path, endings[i % 2]);
		snprintf(aside, sizeof(aside), "%s" ASIDE, here);
		rc = step(s->dirfd, here, aside);
		if (rc == KMS_OK || rc == KMS_E_NOT_FOUND)
			continue;
		first = first == KMS_OK ? rc : first;
		fault_set(f, rc, "%s: %s", aside, kms_strerror((uint32_t)rc));
	}
	return first;
}

static int
put_aside(int dirfd, const char *path, const char *aside)
{
	return file_rename(dirfd, path, aside);
}

static int
put_back(int dirfd, const char *path, const char *aside)
{
	return file_rename(dirfd, aside, path);
}

static int
drop(int dirfd, const char *path, const char *aside)
{
	return file_remove(dirfd, aside);
}

int
publisher_remove(const struct publishers *s, struct publisher_removal *m, const uint8_t key[16])
{
	int rc;

	*m = (struct publisher_removal){ 0 };
	for (unsigned i = 0; i < s->count && m->publisher == NULL; i++)
		if (publisher_find_host_key(&s->list[i], key) != NULL)
			m->publisher = &s->list[i];
	if (m->publisher == NULL)
		return KMS_E_NOT_FOUND;
	memcpy(m->key, key, 16);
	m->confirmed =
	    m->publisher->confirmed && memcmp(m->publisher->certificate.host_key_id, key, 16) == 0;
	if ((rc = each_file(s, m, NULL, put_aside)) != KMS_OK)
		each_file(s, m, NULL, put_back);
	return rc;
}

int
publisher_restore(const struct publishers *s, const struct publisher_removal *m, struct fault *f)
{
	return each_file(s, m, f, put_back);
}

int
publisher_removed(const struct publishers *s, const struct publisher_removal *m, struct fault *f)
{
	struct publisher *p = m->publisher;
	unsigned i = 0;

	while (i < p->key_count && memcmp(p->keys[i].id, m->key, 16) != 0)
		i++;
	if (i < p->key_count) {
		p->key_count--;
		memmove(&p->keys[i], &p->keys[i + 1], (p->key_count - i) * sizeof(p->keys[0]));
		memmove(p->key_digests[i], p->key_digests[i + 1],
		    (p->key_count - i) * sizeof(p->key_digests[0]));
	}
	if (m->confirmed) {
		p->confirmed = false;
		publisher_settle(p);
	}
	return each_file(s, m, f, drop);
}
