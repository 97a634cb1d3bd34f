/*
 * verdict.c - see verdict.h. One run is for one publisher: that of the first file whose signature
 * verifies. A file counts as installed as soon as it could be: the next one builds on it.
 */
#include "kmsctl/setup/verdict.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "kmsctl/host/ask_host.h"
#include "kmsctl/host/install.h"
#include "libkms/base/file.h"
#include "libkms/base/hex.h"
#include "libkms/kms_error.h"

static const struct {
	enum publisher_file_kind file;
	const char *key, *ending;
} ini_files[INI_FILES] = {
	[INI_POLICY] = { FILE_PACK, "policy", ".kmspolicy" },
	[INI_HOST_KEY] = { FILE_KEY, "host_key", ".kmskey" },
	[INI_CONFIRMATION] = { FILE_CERTIFICATE, "confirmation", ".kmscert" },
};

const char *
verdict_ini_key(enum ini_file file)
{
	return ini_files[file].key;
}

const char *
verdict_ini_ending(enum ini_file file)
{
	return ini_files[file].ending;
}

static bool
is_signed(const struct sent_file *s, enum publisher_file_kind kind)
{
	return s->state == SENT_READ && ((s->is.kind == SENT_SIGNED && s->is.file == kind) ||
					    (s->is.kind == SENT_KEY_CODE && kind == FILE_KEY));
}

/* -- signed files -- */

/* A file that went through a mail or an editor as text is another one. */
static bool
line_ends_changed(const struct sent_file *s)
{
	return memchr(s->file.text, '\r', s->file.len) != NULL;
}

static void
explain_signature(
    const struct verdict *v, struct sent_file *s, const struct publisher_file *c, int status)
{
	struct fault f = { 0 };

	if (status == KMS_E_PUBLISHER && v->all.count == 0)
		fault_set(&f, status,
		    "there is no public key to check it with: add the publisher's .pub file to these files");
	else if (status == KMS_E_PUBLISHER && c->kind != FILE_ROTATION)
		fault_set(&f, status,
		    "signed by another publisher: that publisher's key is neither among these files nor in kms.ini");
	else if (status == KMS_E_SIGNATURE && line_ends_changed(s))
		fault_set(&f, status,
		    "its line ends were changed on the way (CR LF), so the signature no longer matches: ask for the file as an attachment or in an archive");
	else
		return;
	s->fault = f;
}

static int
read_signed(struct verdict *v, struct sent_file *s, struct publisher_file *c)
{
	int rc = publisher_file_read(&v->all, c, &s->fault);

	if (rc != KMS_OK)
		explain_signature(v, s, c, rc);
	if (rc != KMS_OK)
		return rc;
	publisher_file_describe(c, s->contents, sizeof(s->contents));
	memcpy(s->key_id, c->key.id, sizeof(s->key_id));
	if (v->publisher == NULL)
		v->publisher = c->publisher;
	if (v->publisher != c->publisher)
		return fault_set(&s->fault, KMS_E_PUBLISHER,
		    "from publisher %s, but the files before it are from another publisher: run kmsctl setup once for each publisher's files",
		    c->publisher->name);
	return KMS_OK;
}

/* An older file than one that is installed, or than another that was sent, is no mistake. */
static void
judge_signed(struct verdict *v, struct sent_file *s, enum publisher_file_kind kind, uint64_t now)
{
	struct publisher_file c = publisher_file_of(kind, &s->file);
	int rc = read_signed(v, s, &c);

	if (rc == KMS_OK && c.installed) {
		s->state = SENT_THERE;
	} else {
		if (rc == KMS_OK)
			rc = publisher_file_check(&v->all, &c, now, &s->fault);
		s->state = rc == KMS_OK ? SENT_USED : rc == KMS_E_OLDER ? SENT_PASSED : SENT_WRONG;
		if (rc == KMS_OK)
			publisher_file_adopt(&c);
	}
	publisher_file_free(&c);
}

static void
judge_kind(struct verdict *v, struct sent *s, enum publisher_file_kind kind, uint64_t now)
{
	for (unsigned i = 0; i < s->count; i++)
		if (is_signed(&s->list[i], kind))
			judge_signed(v, &s->list[i], kind, now);
}

/* -- public keys, and the rotations between them -- */

/* Those that link to a key that is known by now; the others wait for theirs. */
static void
take_rotations(struct verdict *v, struct sent *s, uint64_t now)
{
	for (unsigned i = 0; i < s->count; i++) {
		struct sent_file *file = &s->list[i];
		struct publisher_file c = publisher_file_of(FILE_ROTATION, &file->file);

		if (is_signed(file, FILE_ROTATION) &&
		    publisher_file_read(&v->all, &c, NULL) == KMS_OK)
			judge_signed(v, file, FILE_ROTATION, now);
		publisher_file_free(&c);
	}
}

static struct publisher *
owner_of(struct verdict *v, const struct minisig_key *key)
{
	for (unsigned i = 0; i < v->all.count; i++) {
		const struct minisig_key *have =
		    publisher_keys_find(&v->all.list[i].public, key->id);

		if (have != NULL && memcmp(have->pk, key->pk, sizeof(key->pk)) == 0)
			return &v->all.list[i];
	}
	return NULL;
}

/* A publisher that was removed from kms.ini may have left files in the state directory. */
static void
read_installed(struct verdict *v, unsigned index)
{
	struct publishers one = { &v->all.list[index], 1, v->all.dirfd, v->all.host_id };

	publishers_read(&one, NULL, NULL);
}

static void
take_key(struct verdict *v, struct sent_file *s)
{
	const struct publisher *owner;
	struct minisig_key key;
	char hex[17];

	if (minisig_key_parse(&key, s->key) != KMS_OK)
		return;
	hex_format(hex, key.id, 8);
	snprintf(
	    s->contents, sizeof(s->contents), "%s%s%s", s->name, s->name[0] ? ", id " : "id ", hex);
	if ((owner = owner_of(v, &key)) != NULL) {
		s->state = SENT_THERE;
		return;
	}
	/* The name for messages; the section's comes later. */
	if (publishers_add(&v->all, s->name[0] ? s->name : hex, s->key, &s->fault) != KMS_OK)
		s->state = SENT_WRONG;
	else
		read_installed(v, v->all.count - 1);
}

static void
take_keys(struct verdict *v, struct sent *s, uint64_t now)
{
	take_rotations(v, s, now);
	for (unsigned i = 0; i < s->count; i++)
		if (s->list[i].is.kind == SENT_PUBLIC_KEY && s->list[i].state == SENT_READ) {
			take_key(v, &s->list[i]);
			take_rotations(v, s, now);
		}
	judge_kind(v, s, FILE_ROTATION, now);
}

/* Without a signed file, a key alone says whose section is to be made. */
static void
settle_keys(struct verdict *v, struct sent *s, unsigned known)
{
	if (v->publisher == NULL && v->all.count == known + 1)
		v->publisher = &v->all.list[known];
	for (unsigned i = 0; i < s->count; i++) {
		struct sent_file *file = &s->list[i];
		struct minisig_key key;

		if (file->is.kind != SENT_PUBLIC_KEY || file->state != SENT_READ ||
		    minisig_key_parse(&key, file->key) != KMS_OK)
			continue;
		file->state = SENT_USED;
		if (v->publisher == NULL || owner_of(v, &key) != v->publisher) {
			file->state = SENT_PASSED;
			fault_set(
			    &file->fault, KMS_E_PUBLISHER, "this key signed none of these files");
		}
	}
}

/* -- what the section will say -- */

/* "example-publishing" of "Example Publishing"; "": nothing is left. */
static void
make_name(char out[65], const char *from)
{
	size_t n = 0;

	for (; *from != '\0' && n < 64; from++) {
		unsigned char c = (unsigned char)*from;

		if (c < 128 && (isalnum(c) || c == '_'))
			out[n++] = (char)tolower(c);
		else if (n > 0 && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n > 0 && out[n - 1] == '-')
		n--;
	out[n] = '\0';
}

static void
name_section(struct verdict *v, const struct sent *s, const char *name)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->list[i].is.kind == SENT_PUBLIC_KEY && s->list[i].state == SENT_USED)
			make_name(v->name, s->list[i].name);
	if (v->name[0] == '\0')
		hex_format(v->name, v->publisher->public.key.id, 8);
	if (name != NULL)
		snprintf(v->name, sizeof(v->name), "%s", name);
	minisig_key_format(v->key, &v->publisher->public.key);
}

static int
choose_section(struct verdict *v, const struct ctl *ctl, const struct sent *s, const char *name,
    struct fault *f)
{
	unsigned known = ctl->config.publisher_count, index;

	if (v->publisher == NULL)
		return KMS_OK;
	index = (unsigned)(v->publisher - v->all.list);
	v->fresh = index >= known;
	if (!v->fresh) {
		snprintf(v->name, sizeof(v->name), "%s", v->publisher->name);
		snprintf(v->key, sizeof(v->key), "%s", ctl->config.publishers[index].key);
		if (name != NULL && strcmp(name, v->name) != 0)
			return fault_set(f, KMS_E_ARGUMENT,
			    "--name %s: kms.ini has this publisher as [publisher %s]", name,
			    v->name);
		return KMS_OK;
	}
	name_section(v, s, name);
	for (unsigned i = 0; i < known; i++)
		if (strcmp(ctl->config.publishers[i].name, v->name) == 0)
			return fault_set(f, KMS_E_EXISTS,
			    "kms.ini has a [publisher %s] with another key: if both are the same publisher, ask it for its rotation file (.kmsrotate); if not, give this one another name with --name",
			    v->name);
	return KMS_OK;
}

/* Does kms.ini name a file for this, and is it there? */
static bool
is_placed(const struct verdict *v, const struct ctl *ctl, enum ini_file file)
{
	const struct config_publisher *c;

	if (v->fresh)
		return false;
	c = &ctl->config.publishers[v->publisher - v->all.list];
	return file_exists(AT_FDCWD, file == INI_POLICY     ? c->policy
				     : file == INI_HOST_KEY ? c->host_key
							    : c->confirmation);
}

static bool
is_host_key(const struct sent_file *s)
{
	return s->is.kind == SENT_KEY_CODE || (s->is.kind == SENT_SIGNED && s->is.file == FILE_KEY);
}

/* A new one, or one that was named. */
static void
choose_host_key(struct verdict *v, const struct sent *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		const struct sent_file *f = &s->list[i];

		if (is_host_key(f) &&
		    (f->state == SENT_USED ||
			(f->state == SENT_THERE && f->named &&
			    (v->host_key == NULL || v->host_key->state != SENT_USED))))
			v->host_key = f;
	}
}

/* The last one is the newest, because an older one was not accepted after it. */
static void
choose_files(struct verdict *v, const struct ctl *ctl, struct sent *s)
{
	for (enum ini_file file = 0; file < INI_FILES; file++) {
		bool placed = is_placed(v, ctl, file);

		for (unsigned i = 0; i < s->count; i++) {
			struct sent_file *f = &s->list[i];
			bool of_kind =
			    file == INI_HOST_KEY
				? is_host_key(f)
				: f->is.kind == SENT_SIGNED && f->is.file == ini_files[file].file;

			if (of_kind && f->state == SENT_THERE &&
			    (!placed || file != INI_HOST_KEY) && v->ini[file] == NULL)
				v->ini[file] = f;
			if (of_kind && f->state == SENT_USED)
				v->ini[file] = f;
		}
	}
}

/* Of several confirmations, the last is enough; a pack may need the one before it. */
static void
pass_superseded(const struct verdict *v, struct sent *s)
{
	const struct sent_file *last = v->ini[INI_CONFIRMATION];

	for (unsigned i = 0; i < s->count && last != NULL; i++) {
		struct sent_file *f = &s->list[i];

		if (f == last || f->is.kind != SENT_SIGNED || f->is.file != FILE_CERTIFICATE ||
		    f->state != SENT_USED)
			continue;
		f->state = SENT_PASSED;
		fault_set(&f->fault, KMS_E_OLDER, "%s is newer", last->path);
	}
}

/* -- all of it -- */

static unsigned
count_keys(const struct sent *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < s->count; i++)
		n += s->list[i].is.kind == SENT_PUBLIC_KEY;
	return n;
}

static int
known_publishers(struct verdict *v, const struct ctl *ctl, const struct sent *s, struct fault *f)
{
	const struct config *c = &ctl->config;
	int rc = publishers_init(&v->all, c->publisher_count + count_keys(s));

	for (unsigned i = 0; rc == KMS_OK && i < c->publisher_count; i++)
		rc = publishers_add(&v->all, c->publishers[i].name, c->publishers[i].key, f);
	return rc == KMS_OK ? rc : fault_set(f, rc, NULL);
}

/* Which host a confirmation must be for: known once kmsd has run. */
static void
ask_host_id(struct verdict *v, struct ctl *ctl)
{
	struct reply status = { 0 };
	const char *id;

	if (ask_quietly(ctl, CONTROL_STATUS, NULL, &status, NULL) == KMS_OK) {
		id = reply_text(reply_next(&status, "service", NULL), "host-id");
		if (id != NULL && hex_parse(v->host_id, sizeof(v->host_id), id))
			v->all.host_id = v->host_id;
	}
	reply_free(&status);
}

static void
judge_codes(struct sent *s)
{
	for (unsigned i = 0; i < s->count; i++)
		if (s->list[i].is.kind == SENT_CONFIRMATION_CODE && s->list[i].state == SENT_READ)
			s->list[i].state = SENT_USED;
}

int
verdict_make(struct verdict *v, struct ctl *ctl, struct sent *s, int dirfd, const char *name,
    struct fault *f)
{
	static const enum publisher_file_kind order[] = { FILE_PACK, FILE_KEY, FILE_CERTIFICATE,
		FILE_REVOCATIONS };
	unsigned known = ctl->config.publisher_count;
	uint64_t now = (uint64_t)time(NULL);
	int rc;

	memset(v, 0, sizeof(*v));
	if ((rc = known_publishers(v, ctl, s, f)) != KMS_OK)
		return rc;
	ask_host_id(v, ctl);
	v->all.dirfd = dirfd;
	publishers_read(&v->all, NULL, NULL);
	take_keys(v, s, now);
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		judge_kind(v, s, order[i], now);
	judge_codes(s);
	settle_keys(v, s, known);
	if ((rc = choose_section(v, ctl, s, name, f)) == KMS_OK && v->publisher != NULL) {
		choose_files(v, ctl, s);
		choose_host_key(v, s);
		pass_superseded(v, s);
	}
	return rc;
}

void
verdict_free(struct verdict *v)
{
	publishers_free(&v->all);
}
