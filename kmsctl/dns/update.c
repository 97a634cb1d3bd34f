/*
 * update.c - writes the input for nsupdate, and explains its answer in words. The zone and its
 * primary are found by nsupdate, from the SOA record.
 */
#include "kmsctl/dns/update.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "kmsctl/cli/program.h"
#include "kmsctl/dns/kerberos.h"
#include "libkms/kms_error.h"

/* What nsupdate prints; the first row that matches. REFUSED means two things. */
static const struct answer {
	const char *said;
	int status;
	const char *meaning;
} answers[] = {
	{ "BADKEY", KMS_E_DENIED, "the server does not know this TSIG key" },
	{ "BADSIG", KMS_E_DENIED, "the server has another secret for this TSIG key" },
	{ "BADTIME", KMS_E_DENIED, "the clocks of this machine and of the server differ" },
	{ "could not read key", KMS_E_FORMAT, "tsig_key_file contains no TSIG key" },
	{ "update failed: YXRRSET", KMS_E_EXISTS,
	    "the name is an alias (CNAME), which allows no other record beside it" },
	{ "update failed: REFUSED", KMS_E_DENIED,
	    "the server refuses: the zone accepts no updates, or none with this key" },
	{ "update failed: NOTAUTH", KMS_E_DENIED,
	    "the server is not the zone's primary name server" },
	{ "update failed: NOTZONE", KMS_E_FORMAT, "the name is in another zone" },
	{ "update failed: SERVFAIL", KMS_E_IO, "the server failed: see its log" },
	{ "failed: REFUSED", KMS_E_NOT_FOUND, "the server does not serve this name's zone" },
	{ "connection refused", KMS_E_TIMEOUT, "no name server answers at this address" },
	{ "timed out", KMS_E_TIMEOUT, "the name server does not answer" },
	{ "unreachable", KMS_E_TIMEOUT, "the name server cannot be reached" },
	{ "could not reach any name server", KMS_E_TIMEOUT, "no name server answers" },
	{ "couldn't get address", KMS_E_TIMEOUT, "the name server's name has no address" },
};

static int
explain(const struct config *config, const struct child *c, const char *name, struct fault *f)
{
	size_t i;
	int rc;

	if (c->exit == 0)
		return KMS_OK;
	if (c->exit == CHILD_NOT_THERE)
		return fault_set(
		    f, KMS_E_NOT_FOUND, "nsupdate is not installed: apt install bind9-dnsutils");
	rc = config->gss_tsig ? kerberos_explain(config, c->err, f) : KMS_OK;
	if (rc != KMS_OK) {
		fault_prefix(f, "%s: ", name);
		return rc;
	}
	for (i = 0; i < sizeof(answers) / sizeof(*answers); i++)
		if (strstr(c->err, answers[i].said) != NULL)
			return fault_set(f, answers[i].status, "%s: %s", name, answers[i].meaning);
	return fault_set(
	    f, KMS_E_IO, "%s: nsupdate: %.*s", name, (int)strcspn(c->err, "\n"), c->err);
}

static void
write_updates(FILE *f, const char *name, const struct records *set, bool add)
{
	char data[RECORD_TEXT];
	unsigned i;

	for (i = 0; i < set->count; i++) {
		if (strcasecmp(set->rows[i].name, name) != 0)
			continue;
		record_data(data, &set->rows[i]);
		if (add)
			fprintf(f, "update add %s. %u IN %s\n", name, set->rows[i].ttl, data);
		else
			fprintf(f, "update delete %s. IN %s\n", name, data);
	}
}

static char *
script(
    const struct config *c, const char *name, const struct records *due, const struct records *gone)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		return NULL;
	if (c->dns_server.port != 0)
		fprintf(f, "server %s %u\n", c->dns_server.name, c->dns_server.port);
	kerberos_script(f, c);
	/* A server silently ignores records that are added to an alias (RFC 2136, 3.4.2.2). */
	fprintf(f, "prereq nxrrset %s. IN CNAME\n", name);
	write_updates(f, name, gone, false);
	write_updates(f, name, due, true);
	fputs("send\n", f);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* nsupdate, the words before it, if any, and the way to sign. */
static void
command(const char *argv[16], const struct config *c, const struct kerberos *k)
{
	static const char *const nsupdate[] = { "nsupdate", "-t", "8", "-u", "3", "-r", "1" };
	unsigned n = 0, i;

	for (i = 0; k->words[i] != NULL; i++)
		argv[n++] = k->words[i];
	for (i = 0; i < sizeof(nsupdate) / sizeof(*nsupdate); i++)
		argv[n++] = nsupdate[i];
	if (c->gss_tsig)
		argv[n++] = "-g";
	if (c->tsig_key_file[0] != '\0') {
		argv[n++] = "-k";
		argv[n++] = c->tsig_key_file;
	}
	argv[n] = NULL;
}

int
update_name(const struct config *c, const char *name, const struct records *due,
    const struct records *gone, int timeout_ms, struct fault *f)
{
	const char *argv[16];
	struct kerberos k;
	struct child child;
	char *text = NULL;
	int rc = kerberos_open(&k, c, f);

	if (rc != KMS_OK)
		goto out;
	if (c->tsig_key_file[0] != '\0' && access(c->tsig_key_file, R_OK) != 0) {
		rc = fault_errno(f, errno, "tsig_key_file %s", c->tsig_key_file);
		goto out;
	}
	text = script(c, name, due, gone);
	if (text == NULL) {
		rc = fault_set(f, KMS_E_NO_MEMORY, "no memory");
		goto out;
	}
	command(argv, c, &k);
	rc = child_run(&child, argv, text, timeout_ms);
	if (rc != KMS_OK) {
		fault_set(f, rc, "%s: nsupdate: %s", name,
		    rc == KMS_E_IO ? strerror(errno) : kms_strerror((uint32_t)rc));
		goto out;
	}
	rc = explain(c, &child, name, f);
	child_free(&child);
out:
	free(text);
	kerberos_close(&k);
	return rc;
}
