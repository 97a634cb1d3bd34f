/*
 * init.c - kmsissue init: a publisher's directory with a fresh key pair.
 * publisher.key is written first: a public key without its secret one is worth nothing.
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

static int
write_public(struct issue *i, const struct secret_key *k, const char *path)
{
	struct minisig_key public_key;
	char line[MINISIG_KEY_LINE + 1], text[256];
	int n, rc;

	secret_key_public(k, &public_key);
	minisig_key_format(line, &public_key);
	/* minisign shows a key id as a little-endian number. */
	n = snprintf(text, sizeof(text), "untrusted comment: %s%sminisign public key ",
	    i->args.name != NULL ? i->args.name : "", i->args.name != NULL ? ": " : "");
	for (int b = 7; b >= 0; b--)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%02X", public_key.id[b]);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "\n%s\n", line);
	if ((rc = file_write(AT_FDCWD, path, text, (size_t)n, 0644, false)) != KMS_OK)
		return issue_fail_file(i, rc, path);
	output_text(i->out, "public_key", line);
	output_hex(i->out, "publisher", public_key.id, sizeof(public_key.id));
	output_text(i->out, "public_key_file", path);
	return KMS_OK;
}

static int
get_passphrase(struct issue *i, char **out)
{
	int rc;

	*out = NULL;
	if (i->args.no_passphrase)
		return KMS_OK;
	rc = passphrase_get(out, i->args.passphrase_file, true);
	if (rc == KMS_E_ARGUMENT)
		return issue_fail(i, rc,
		    "no terminal to ask for a passphrase: use --passphrase-file or --no-passphrase");
	if (rc == KMS_E_PASSPHRASE)
		return issue_fail(i, rc, "the passphrase is empty, or the two were not the same");
	if (rc != KMS_OK)
		return issue_fail_file(
		    i, rc, i->args.passphrase_file != NULL ? i->args.passphrase_file : "/dev/tty");
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

int
cmd_init(struct issue *i)
{
	char secret[ISSUE_PATH], public[ISSUE_PATH], *passphrase = NULL;
	struct secret_key *k = NULL;
	int rc;

	if (i->args.name != NULL && !value_text_ok(i->args.name, NAME_MAX_OCTETS))
		return issue_fail(
		    i, KMS_E_ARGUMENT, "--name: UTF-8 of at most %d octets", NAME_MAX_OCTETS);
	if (i->args.no_passphrase && i->args.passphrase_file != NULL)
		return issue_fail(i, KMS_E_ARGUMENT,
		    "--no-passphrase and --passphrase-file contradict each other");
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
		output_text(i->out, "secret_key_file", secret);
		output_flag(i->out, "encrypted", passphrase != NULL);
	}
	secret_key_free(k);
	sodium_free(passphrase);
	return rc;
}
