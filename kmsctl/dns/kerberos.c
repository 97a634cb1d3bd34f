/*
 * kerberos.c - the environment in which MIT Kerberos, in nsupdate, takes its first ticket from a
 * client keytab, and its errors in words.
 *
 * No variable selects a key of the keytab: Kerberos takes the first principal, unless the file
 * .k5identity in HOME selects another. So that file is made, in a directory that exists as long as
 * nsupdate runs.
 */
#include "kmsctl/dns/kerberos.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libkms/kms_error.h"

static int
choose(struct kerberos *k, const char *principal)
{
	const char *tmp = getenv("TMPDIR");
	char path[sizeof(k->home) + 16];
	FILE *f;
	int rc;

	if (snprintf(k->home, sizeof(k->home), "%s/kmsctl.XXXXXX", tmp != NULL ? tmp : "/tmp") >=
		(int)sizeof(k->home) ||
	    mkdtemp(k->home) == NULL) {
		k->home[0] = '\0';
		return -1;
	}
	snprintf(path, sizeof(path), "%s/.k5identity", k->home);
	f = fopen(path, "wxe");
	if (f == NULL)
		return -1;
	fprintf(f, "%s\n", principal);
	rc = ferror(f);
	return fclose(f) == 0 && rc == 0 ? 0 : -1;
}

int
kerberos_open(struct kerberos *k, const struct config *c, struct fault *f)
{
	unsigned n = 0;

	memset(k, 0, sizeof(*k));
	if (c->keytab[0] == '\0')
		return KMS_OK;
	if (access(c->keytab, R_OK) != 0)
		return fault_errno(f, errno, "keytab %s", c->keytab);
	snprintf(k->keytab, sizeof(k->keytab), "KRB5_CLIENT_KTNAME=FILE:%s", c->keytab);
	if (c->principal[0] != '\0' && choose(k, c->principal) != 0)
		return fault_errno(f, errno, "a temporary directory for nsupdate");
	k->words[n++] = "env";
	k->words[n++] = k->keytab;
	k->words[n++] = "KRB5CCNAME=MEMORY:";
	if (k->home[0] != '\0') {
		snprintf(k->home_word, sizeof(k->home_word), "HOME=%s", k->home);
		k->words[n++] = k->home_word;
	}
	return KMS_OK;
}

void
kerberos_close(struct kerberos *k)
{
	char path[sizeof(k->home) + 16];

	if (k->home[0] == '\0')
		return;
	snprintf(path, sizeof(path), "%s/.k5identity", k->home);
	unlink(path);
	rmdir(k->home);
	k->home[0] = '\0';
}

/*
 * With a ticket, nsupdate takes the realm of the ticket; with a keytab, it would take krb5.conf's
 * default.
 */
void
kerberos_script(FILE *f, const struct config *c)
{
	if (c->principal[0] != '\0')
		fprintf(f, "realm %s\n", strchr(c->principal, '@') + 1);
}

/* The first row that matches. The same answer has other causes with a keytab than with a ticket. */
static const struct answer {
	const char *said;
	int status;
	const char *with_ticket, *with_keytab; /* NULL: the same */
} answers[] = {
	{ "Minor = Server ", KMS_E_NOT_FOUND,
	    "Kerberos knows no DNS service for the zone's primary name server (named in the SOA record): register it (setspn)",
	    NULL },
	{ "Minor = Client", KMS_E_NOT_FOUND,
	    "Kerberos no longer knows the ticket's account: get a ticket of a valid account with kinit",
	    "Kerberos does not accept the keytab's account: enable it, or set another one in [dns] principal" },
	{ "Can't find client principal", KMS_E_NOT_FOUND,
	    "the credential cache has no ticket of the principal in .k5identity: get one with kinit",
	    "the keytab has no key of [dns] principal: see klist -k" },
	{ "Ticket expired", KMS_E_DENIED,
	    "the Kerberos ticket has expired: get one with kinit, or give [dns] keytab", NULL },
	{ "Clock skew", KMS_E_DENIED,
	    "the clocks of this machine and of the Kerberos server (KDC) differ: set them", NULL },
	{ "not yet valid", KMS_E_DENIED,
	    "the clocks of this machine and of the Kerberos server (KDC) differ: set them", NULL },
	{ "KDC for realm", KMS_E_TIMEOUT,
	    "no Kerberos server (KDC) answers: check the realm in krb5.conf, and whether DNS names a KDC",
	    NULL },
	{ "default realm", KMS_E_CONFIG, "krb5.conf names no default_realm: set it",
	    "krb5.conf names no default_realm: set it, or give [dns] principal" },
	{ "Decrypt integrity", KMS_E_DENIED,
	    "the Kerberos ticket is no longer valid: get one with kinit",
	    "the account's key has changed since the keytab was exported: export it again" },
	{ "reauthentication failed", KMS_E_DENIED,
	    "the Kerberos ticket is no longer valid: get one with kinit",
	    "the account's key has changed since the keytab was exported: export it again" },
	{ "encryption type", KMS_E_DENIED,
	    "Kerberos requires another encryption type than the ticket has",
	    "Kerberos requires another encryption type than the keytab has: export the keytab again, with AES" },
	{ "TKEY is unacceptable", KMS_E_DENIED,
	    "the server does not accept the Kerberos ticket: the clocks differ, or the server's keytab has an old key of the DNS service",
	    NULL },
	{ "GSSAPI error", KMS_E_DENIED,
	    "gss_tsig needs a Kerberos ticket: get one with kinit, or give [dns] keytab",
	    "the keytab gives no Kerberos ticket: see klist -k" },
	{ "update failed: REFUSED", KMS_E_DENIED,
	    "the server refuses: the zone accepts no updates, or none from the ticket's principal (see klist): allow it there",
	    "the server refuses: the zone accepts no updates, or none from the keytab's principal (see klist -k): allow it there, or set another one in [dns] principal" },
};

int
kerberos_explain(const struct config *c, const char *said, struct fault *f)
{
	const struct answer *a = answers, *end = answers + sizeof(answers) / sizeof(*answers);
	const char *meaning, *minor;

	while (a < end && strstr(said, a->said) == NULL)
		a++;
	if (a == end)
		return KMS_OK;
	meaning = c->keytab[0] != '\0' && a->with_keytab != NULL ? a->with_keytab : a->with_ticket;
	minor = strstr(said, "Minor = ");
	if (minor == NULL)
		return fault_set(f, a->status, "%s", meaning);
	return fault_set(
	    f, a->status, "%s (%.*s)", meaning, (int)strcspn(minor + 8, "\n"), minor + 8);
}
