/*
 * rotate.c - kmsissue rotate: a new publisher key, announced by the old one; later, the new key
 * replaces the old one.
 */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "kmsctl/cli/passphrase.h"
#include "kmsctl/issue/register.h"
#include "kmsctl/issue/sign.h"
#include "libkms/base/file.h"
#include "libkms/base/hex.h"
#include "libkms/core/publisher_keys.h"
#include "policy/rotation_file.h"
#include "policy/values.h"

#define DEFAULT_OVERLAP (UINT64_C(365) * 86400)
#define FILE_ROOM 2048

struct rotate_options {
	const char *from, *to, *out, *new_passphrase_file;
	bool no_passphrase, finish;
};

struct rotate {
	struct secret_key *old, *new;
	struct rotation r;
	uint8_t octets[ROTATION_SIZE];
	char secret[ISSUE_PATH], public[ISSUE_PATH], file[ISSUE_PATH];
};

static int
take_dates(struct issue *i, struct rotation *r)
{
	const struct rotate_options *o = i->options;

	r->from = i->now;
	if (o->from != NULL && !value_time_parse(&r->from, o->from, false))
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--from needs a date or a time");
	r->until = r->from + DEFAULT_OVERLAP;
	if (o->to != NULL && !value_time_parse(&r->until, o->to, true))
		return fault_set(&i->fault, KMS_E_ARGUMENT, "--to needs a date or a time");
	if (r->until < r->from || r->until < i->now)
		return fault_set(
		    &i->fault, KMS_E_ARGUMENT, "--to is before --from, or in the past");
	return KMS_OK;
}

static int
take_paths(struct issue *i, struct rotate *t)
{
	const struct rotate_options *o = i->options;

	if (!issue_path(i, t->secret, "%s/publisher.new.key", i->dir) ||
	    !issue_path(i, t->public, "%s/publisher.new.pub", i->dir) ||
	    !issue_path(i, t->file, "%s%s.kmsrotate", o->out != NULL ? o->out : i->dir,
		o->out != NULL ? "" : "/publisher"))
		return KMS_E_ARGUMENT;
	if (file_exists(AT_FDCWD, t->secret))
		return fault_set(&i->fault, KMS_E_EXISTS,
		    "%s exists: a rotation is in progress; end it with kmsissue rotate --finish",
		    t->secret);
	return file_exists(AT_FDCWD, t->file) ? issue_fail_file(i, KMS_E_EXISTS, t->file) : KMS_OK;
}

struct before {
	unsigned count;
	uint64_t from; /* of the newest */
};

static int
count_rotation(const struct register_event *e, void *arg)
{
	struct before *b = arg;

	if (e->kind != EVENT_ROTATE)
		return KMS_OK;
	b->count++;
	b->from = e->from > b->from ? e->from : b->from;
	return KMS_OK;
}

/* Programs take a chain of so many rotations, whose beginnings do not fall. */
static int
check_chain(struct issue *i, const struct rotation *r)
{
	struct before before = { 0 };
	struct issue_register *reg;
	struct fault f = { 0 };
	int rc;

	if ((rc = issue_register(i, &reg, true)) != KMS_OK)
		return rc;
	if ((rc = register_each(reg, count_rotation, &before, &f)) != KMS_OK)
		issue_fail_register(i, rc, &f);
	register_close(reg);
	if (rc != KMS_OK)
		return rc;
	if (before.count >= ROTATION_CHAIN_MAX)
		return fault_set(&i->fault, KMS_E_LIMIT,
		    "the key was already rotated %u times: programs accept at most %d rotations",
		    before.count, ROTATION_CHAIN_MAX);
	if (r->from < before.from)
		return fault_set(&i->fault, KMS_E_ARGUMENT,
		    "--from is before the beginning of the last rotation");
	return KMS_OK;
}

static int
make_key(struct issue *i, struct rotate *t)
{
	const struct rotate_options *o = i->options;
	char line[MINISIG_KEY_LINE + 1], text[256], *passphrase = NULL;
	int rc = KMS_OK, n;

	if (!o->no_passphrase)
		rc = passphrase_get(&passphrase, o->new_passphrase_file, true);
	if (rc != KMS_OK)
		return fault_set(&i->fault, rc,
		    "no passphrase for the new key: use --new-passphrase-file or --no-passphrase");
	if ((rc = secret_key_new(&t->new)) == KMS_OK) {
		secret_key_public(t->new, &t->r.new);
		minisig_key_format(line, &t->r.new);
		n = snprintf(
		    text, sizeof(text), "untrusted comment: new publisher key\n%s\n", line);
		if ((rc = secret_key_write(t->new, t->secret, passphrase)) != KMS_OK)
			issue_fail_file(i, rc, t->secret);
		else if ((rc = file_write(AT_FDCWD, t->public, text, (size_t)n, 0644, true)) !=
			 KMS_OK)
			issue_fail_file(i, rc, t->public);
	}
	sodium_free(passphrase);
	return rc;
}

static int
record(struct issue *i, const struct rotate *t)
{
	struct register_event e = { .kind = EVENT_ROTATE, .time = i->now };
	struct issue_register *r;
	int rc;

	memcpy(e.publisher, t->r.old.id, 8);
	memcpy(e.new_publisher, t->r.new.id, 8);
	memcpy(e.new_pk, t->r.new.pk, 32);
	e.from = t->r.from;
	e.until = t->r.until;
	if ((rc = issue_register(i, &r, true)) != KMS_OK)
		return rc;
	if ((rc = register_append(r, &e)) != KMS_OK || (rc = register_commit(r)) != KMS_OK)
		issue_fail_file(i, rc, "the register");
	register_close(r);
	return rc;
}

static int
write_statement(struct issue *i, struct rotate *t)
{
	char text[FILE_ROOM], line[MINISIG_KEY_LINE + 1];
	size_t len;
	int rc;

	rotation_encode(t->octets, &t->r);
	secret_key_sign(t->old, t->octets + ROTATION_OLD_SIGNS, t->octets, ROTATION_OLD_SIGNS);
	secret_key_sign(t->new, t->octets + ROTATION_NEW_SIGNS, t->octets, ROTATION_NEW_SIGNS);
	if ((len = rotation_file_format(text, sizeof(text), t->octets)) == 0)
		return fault_set(
		    &i->fault, KMS_E_FORMAT, "the statement is too large for its format");
	rc = sign_write(i, t->old, t->file, text, len, "kms publisher key rotation");
	if (rc != KMS_OK)
		return rc;
	minisig_key_format(line, &t->r.new);
	tell_text(i->out, "file", t->file);
	tell_text(i->out, "public_key", line);
	tell_text(i->out, "public_key_file", t->public);
	tell_text(i->out, "secret_key_file", t->secret);
	issue_time(i, "from", t->r.from);
	issue_time(i, "until", t->r.until);
	return KMS_OK;
}

/*
 * Files of the rotation before the last: publisher.old.key and .pub become publisher.ID.key and
 * .pub, so that files which that key signed still verify. The secret key first: the other file has
 * the id.
 */
static int
put_aside(struct issue *i)
{
	static const char *const needed[] = { "publisher.pub", "publisher.new.pub",
		"publisher.old.pub" };
	static const char *const endings[] = { "key", "pub" };
	char from[ISSUE_PATH], to[ISSUE_PATH], hex[17];
	struct minisig_key old;
	int rc;

	for (size_t n = 0; n < sizeof(needed) / sizeof(needed[0]); n++) {
		if (!issue_path(i, from, "%s/%s", i->dir, needed[n]))
			return KMS_E_ARGUMENT;
		if (!file_exists(AT_FDCWD, from))
			return KMS_OK; /* none before, or these steps are done */
	}
	if ((rc = issue_publisher(i, from, &old)) != KMS_OK)
		return rc;
	hex_format(hex, old.id, 8);
	for (size_t n = 0; n < 2; n++) {
		if (!issue_path(i, from, "%s/publisher.old.%s", i->dir, endings[n]) ||
		    !issue_path(i, to, "%s/publisher.%s.%s", i->dir, hex, endings[n]))
			return KMS_E_ARGUMENT;
		rc = file_rename(AT_FDCWD, from, to);
		if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
			return issue_fail_file(i, rc, to);
	}
	return KMS_OK;
}

/* Renames each new file over the old one; after a crash, the same command does the rest. */
static int
finish(struct issue *i)
{
	static const char *const moves[][2] = {
		{ "publisher.key", "publisher.old.key" },
		{ "publisher.pub", "publisher.old.pub" },
		{ "publisher.new.pub", "publisher.pub" },
		{ "publisher.new.key", "publisher.key" },
	};
	char from[ISSUE_PATH], to[ISSUE_PATH];
	int rc;

	if (!issue_path(i, from, "%s/publisher.new.key", i->dir))
		return KMS_E_ARGUMENT;
	if (!file_exists(AT_FDCWD, from))
		return fault_set(
		    &i->fault, KMS_E_NOT_FOUND, "%s: no rotation is in progress", from);
	if ((rc = put_aside(i)) != KMS_OK)
		return rc;
	for (size_t m = 0; m < sizeof(moves) / sizeof(moves[0]); m++) {
		if (!issue_path(i, from, "%s/%s", i->dir, moves[m][0]) ||
		    !issue_path(i, to, "%s/%s", i->dir, moves[m][1]))
			return KMS_E_ARGUMENT;
		/* publisher.pub is the old key only until the rotation is finished. */
		if (m == 1) {
			char waiting[ISSUE_PATH];

			if (!issue_path(i, waiting, "%s/publisher.new.pub", i->dir))
				return KMS_E_ARGUMENT;
			if (!file_exists(AT_FDCWD, waiting))
				continue;
		}
		rc = file_rename(AT_FDCWD, from, to);
		if (rc != KMS_OK && rc != KMS_E_NOT_FOUND)
			return issue_fail_file(i, rc, to);
	}
	tell_text(i->out, "finished",
	    "the new key is now publisher.key; the old one is publisher.old.key");
	return KMS_OK;
}

static int
run_rotate(struct issue *i)
{
	const struct rotate_options *o = i->options;
	struct rotate t = { 0 };
	int rc;

	if (o->finish)
		return finish(i);
	if ((rc = take_dates(i, &t.r)) == KMS_OK && (rc = take_paths(i, &t)) == KMS_OK &&
	    (rc = check_chain(i, &t.r)) == KMS_OK &&
	    (rc = sign_open_key(i, &t.old, &t.r.old)) == KMS_OK &&
	    (rc = make_key(i, &t)) == KMS_OK && (rc = record(i, &t)) == KMS_OK)
		rc = write_statement(i, &t);
	secret_key_free(t.old);
	secret_key_free(t.new);
	return rc;
}

static const struct option_row rows[] = {
	ISSUE_DIR,
	ISSUE_SECRET_KEY,
	ISSUE_PASSPHRASE,
	{ "from", 0, "TIME", "first moment of the period",
	    .offset = offsetof(struct rotate_options, from) },
	{ "to", 0, "TIME", "last moment of the period",
	    .offset = offsetof(struct rotate_options, to) },
	{ "output", 'o', "NAME", "name of the files to write, without suffix",
	    .offset = offsetof(struct rotate_options, out) },
	{ "no-passphrase", 0, NULL, "do not encrypt the secret key",
	    .offset = offsetof(struct rotate_options, no_passphrase) },
	{ "new-passphrase-file", 0, "FILE", "file whose first line is the new key's passphrase",
	    .offset = offsetof(struct rotate_options, new_passphrase_file) },
	{ "finish", 0, NULL, "end the rotation: the new key replaces the old one",
	    .offset = offsetof(struct rotate_options, finish) },
	{ 0 },
};

const struct issue_command cmd_rotate = {
	.line.noun = "rotate",
	.line.summary = "make a new publisher key, announced by the old one",
	.line.options = rows,
	.line.values = sizeof(struct rotate_options),
	.run = run_rotate,
};
