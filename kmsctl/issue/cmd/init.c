/*
 * init.c - kmsissue init: a publisher's directory with a fresh key pair. publisher.key is written
 * first: a public key without its secret key is useless.
 */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "kmsctl/cli/passphrase.h"
#include "kmsctl/issue/issue.h"
#include "kmsctl/issue/secret_key.h"
#include "libkms/base/file.h"
#include "policy/values.h"

#define NAME_MAX_OCTETS 64

struct init_options {
	const char *name;
	bool no_passphrase;
};

static int
write_public(struct issue *i, const struct secret_key *k, const char *path)
{
	const struct init_options *o = i->options;
	struct minisig_key public_key;
	char line[MINISIG_KEY_LINE + 1], text[256];
	int n, rc;

	secret_key_public(k, &public_key);
	minisig_key_format(line, &public_key);
	/* minisign shows a key id as a little-endian number. */
	n = snprintf(text, sizeof(text), "untrusted comment: %s%sminisign public key ",
	    o->name != NULL ? o->name : "", o->name != NULL ? ": " : "");
	for (int b = 7; b >= 0; b--)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%02X", public_key.id[b]);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "\n%s\n", line);
	if ((rc = file_write(AT_FDCWD, path, text, (size_t)n, 0644, false)) != KMS_OK)
		return issue_fail_file(i, rc, path);
	tell_text(i->out, "public_key", line);
	tell_hex(i->out, "publisher", public_key.id, sizeof(public_key.id));
	tell_text(i->out, "public_key_file", path);
	return KMS_OK;
}

static int
get_passphrase(struct issue *i, char **out)
{
	const struct init_options *o = i->options;
	int rc;

	*out = NULL;
	if (o->no_passphrase)
		return KMS_OK;
	rc = passphrase_get(out, i->passphrase_file, true);
	if (rc == KMS_E_ARGUMENT)
		return fault_set(&i->fault, rc,
		    "there is no terminal to ask for a passphrase: use --passphrase-file or --no-passphrase");
	if (rc == KMS_E_PASSPHRASE)
		return fault_set(
		    &i->fault, rc, "the passphrase is empty, or the two entries differ");
	if (rc != KMS_OK)
		return issue_fail_file(
		    i, rc, i->passphrase_file != NULL ? i->passphrase_file : "/dev/tty");
	return KMS_OK;
}

static int
make_directories(struct issue *i)
{
	char issued[ISSUE_PATH];
	int rc;

	if (!issue_path(i, issued, "%s/issued", i->operand))
		return KMS_E_ARGUMENT;
	if ((rc = file_make_dir(AT_FDCWD, i->operand, 0700)) != KMS_OK)
		return issue_fail_file(i, rc, i->operand);
	if ((rc = file_make_dir(AT_FDCWD, issued, 0700)) != KMS_OK)
		return issue_fail_file(i, rc, issued);
	return KMS_OK;
}

static int
run_init(struct issue *i)
{
	const struct init_options *o = i->options;
	char secret[ISSUE_PATH], public[ISSUE_PATH], *passphrase = NULL;
	struct secret_key *k = NULL;
	int rc;

	if (o->name != NULL && !value_text_ok(o->name, NAME_MAX_OCTETS))
		return fault_set(&i->fault, KMS_E_ARGUMENT,
		    "--name needs UTF-8 text of at most %d bytes", NAME_MAX_OCTETS);
	if (o->no_passphrase && i->passphrase_file != NULL)
		return fault_set(&i->fault, KMS_E_ARGUMENT,
		    "--no-passphrase and --passphrase-file exclude each other");
	if (!issue_path(i, secret, "%s/publisher.key", i->operand) ||
	    !issue_path(i, public, "%s/publisher.pub", i->operand))
		return KMS_E_ARGUMENT;
	if (file_exists(AT_FDCWD, secret) || file_exists(AT_FDCWD, public))
		return issue_fail_file(
		    i, KMS_E_EXISTS, file_exists(AT_FDCWD, secret) ? secret : public);
	if ((rc = make_directories(i)) != KMS_OK || (rc = get_passphrase(i, &passphrase)) != KMS_OK)
		return rc;
	rc = secret_key_new(&k);
	if (rc == KMS_OK && (rc = secret_key_write(k, secret, passphrase)) != KMS_OK)
		issue_fail_file(i, rc, secret);
	if (rc == KMS_OK && (rc = write_public(i, k, public)) == KMS_OK) {
		tell_text(i->out, "secret_key_file", secret);
		tell_flag(i->out, "encrypted", passphrase != NULL);
	}
	secret_key_free(k);
	sodium_free(passphrase);
	return rc;
}

static const struct option_row rows[] = {
	{ "name", 0, "NAME", "the publisher's name, for the public key's comment",
	    .offset = offsetof(struct init_options, name) },
	{ "no-passphrase", 0, NULL, "do not encrypt the secret key",
	    .offset = offsetof(struct init_options, no_passphrase) },
	ISSUE_PASSPHRASE,
	{ 0 },
};

const struct issue_command cmd_init = {
	.line.noun = "init",
	.line.args = "DIR",
	.line.summary = "make the publisher's key pair",
	.line.min = 1,
	.line.max = 1,
	.line.options = rows,
	.line.values = sizeof(struct init_options),
	.run = run_init,
};
